"""Descriptors against published values and against sums written out element by element."""

import math

import numpy as np
import pandas as pd
import pytest

from kan_tabular.materials import DESCRIPTORS, INTERSTITIALS, CompositionFeaturizer, element_properties, pair_enthalpies
from kan_tabular.materials.elements import merge_properties

R = 8.314462618


def describe(*formulas, **settings):
    return CompositionFeaturizer(descriptors=list(DESCRIPTORS), elements=None, **settings).fit_transform(list(formulas))


def by_hand(composition):
    """All descriptors of one alloy {symbol: atomic fraction}, in plain Python loops."""
    of, pair = element_properties(), pair_enthalpies()

    def mean(name):
        return sum(c * of.loc[s, name] for s, c in composition.items())

    def mismatch(name):
        return 100 * math.sqrt(sum(c * (1 - of.loc[s, name] / mean(name)) ** 2 for s, c in composition.items()))

    symbols = list(composition)
    enthalpy = sum(
        4 * composition[a] * composition[b] * pair.loc[a, b] for i, a in enumerate(symbols) for b in symbols[:i]
    )
    entropy = -sum(c * math.log(c) for c in composition.values())
    chi = mean("electronegativity")
    bulk, shear = mean("bulk_modulus"), mean("shear_modulus")
    return {
        "mixing_enthalpy": enthalpy,
        "mixing_entropy": R * entropy,
        "mixing_entropy_R": entropy,
        "size_difference": mismatch("radius"),
        "VEC": mean("valence_electrons"),
        "electronegativity_difference": math.sqrt(
            sum(c * (of.loc[s, "electronegativity"] - chi) ** 2 for s, c in composition.items())
        ),
        "omega": mean("melting_temperature") * R * entropy / (1000 * abs(enthalpy)),
        "lambda": R * entropy / mismatch("radius") ** 2,
        "melting_temperature": mean("melting_temperature"),
        "bulk_modulus": bulk,
        "shear_modulus": shear,
        "youngs_modulus": 9 * bulk * shear / (3 * bulk + shear),
        "bulk_modulus_mismatch": mismatch("bulk_modulus"),
        "shear_modulus_mismatch": mismatch("shear_modulus"),
        "density": mean("atomic_weight") / mean("molar_volume"),
    }


@pytest.mark.parametrize(
    ("formula", "composition"),
    [
        ("CoCrFeMnNi", dict.fromkeys(["Co", "Cr", "Fe", "Mn", "Ni"], 0.2)),
        ("Al3(TiV)2Nb", {"Al": 3 / 8, "Ti": 2 / 8, "V": 2 / 8, "Nb": 1 / 8}),
        ("Mo70Zr30", {"Mo": 0.7, "Zr": 0.3}),
    ],
)
def test_sums_written_out(formula, composition):
    found, expected = describe(formula).iloc[0], by_hand(composition)
    assert set(expected) == set(found.index)
    assert dict(found) == pytest.approx(expected, rel=1e-9)


def test_published_values_of_the_cantor_alloy():
    """Mixing enthalpy, entropy and VEC as in Zhang et al. 2014 (Progress in Materials Science 61, 1)."""
    cantor = describe("CoCrFeMnNi").iloc[0]
    assert cantor["mixing_enthalpy"] == pytest.approx(-4.16, abs=0.005)
    assert cantor["mixing_entropy"] == pytest.approx(13.38, abs=0.005)
    assert cantor["mixing_entropy_R"] == pytest.approx(math.log(5))
    assert cantor["VEC"] == pytest.approx(8)
    assert cantor["density"] == pytest.approx(8.0, abs=0.1)  # 8.0 g/cm3 by weighing
    # Measured at room temperature: G = 80 to 86 GPa, E = 200 to 215 GPa; means over pure elements only come near.
    assert cantor["shear_modulus"] == pytest.approx(83, abs=5)
    assert cantor["youngs_modulus"] == pytest.approx(210, abs=15)


@pytest.mark.parametrize(
    ("pair", "enthalpy"), [(("Al", "Ni"), -22), (("Al", "Fe"), -11), (("Cu", "Ni"), 4), (("Ti", "Ni"), -35)]
)
def test_pair_enthalpies_of_takeuchi_and_inoue(pair, enthalpy):
    """Table 1 of Takeuchi & Inoue 2005; an alloy of half of each is its pair's enthalpy."""
    table = pair_enthalpies()
    assert table.loc[pair] == table.loc[pair[::-1]] == enthalpy
    assert describe("".join(pair))["mixing_enthalpy"].item() == pytest.approx(enthalpy)


def test_element_tables():
    """A few constants that every handbook prints, to their usual spread; what is not known is NaN, never 0."""
    table, pairs = element_properties(), pair_enthalpies()
    assert not (table == 0).any(axis=None)
    assert table.loc["Fe", ["atomic_weight", "melting_temperature", "valence_electrons"]].tolist() == [55.845, 1811, 8]
    assert table.loc["W", "electronegativity"] == 2.36
    assert table.loc["Al", "radius"] == pytest.approx(143, abs=1)
    assert table.loc["Mo", "shear_modulus"] == pytest.approx(120, abs=10)
    assert table.loc[["N", "H"], ["bulk_modulus", "shear_modulus"]].isna().all(axis=None)
    np.testing.assert_array_equal(pairs, pairs.T)
    assert (np.diag(pairs) == 0).all() and np.isnan(pairs.loc["Th", "U"])
    table.loc["Fe"] = 0  # a copy: others still see the library's values
    assert element_properties().loc["Fe", "atomic_weight"] == 55.845


def test_limits():
    """One element alone, and no measurable enthalpy or difference of sizes, give bounded numbers."""
    pure = describe("Fe", "Fe1Fe2").iloc[[0, 1]]
    zero = ["mixing_enthalpy", "mixing_entropy", "size_difference", "electronegativity_difference", "omega", "lambda"]
    assert (pure[zero] == 0).all(axis=None)
    assert not np.signbit(pure[zero].to_numpy()).any()
    pairs = pair_enthalpies()
    assert pairs.loc["Co", "Ni"] == 0  # and their radii are equal
    flat = describe("CoNi").iloc[0]
    assert flat["omega"] == pytest.approx(flat["melting_temperature"] * R * math.log(2) / 1000 / 0.1, rel=1e-6)
    assert flat["lambda"] == pytest.approx(R * math.log(2) / 0.1**2, rel=1e-6)


def test_scale_and_order_of_a_formula_do_not_matter():
    table = describe("Al0.5CoCrFeNi", "NiFeCrCoAl0.5", "Al1(CoCrFeNi)2", "Al10(NiCr)20(FeCo)20")
    for row in range(1, 4):
        np.testing.assert_allclose(table.iloc[row], table.iloc[0], rtol=1e-12)


def test_descriptors_of_a_row_do_not_depend_on_other_rows():
    alone = describe("CoCrFeMnNi")
    among = describe("HfNbTaTiZr", "CoCrFeMnNi", "Al7Cu2Mg")
    np.testing.assert_allclose(among.iloc[1], alone.iloc[0], rtol=1e-12)


def test_weights_become_atoms():
    """Ti-6Al-4V in atomic percent is Ti 86.2, Al 10.2, V 3.6 (any handbook)."""
    made = CompositionFeaturizer(fractions="weight").fit_transform(["Ti-6Al-4V", "Ti90Al6V4"])
    np.testing.assert_allclose(made[["Ti", "Al", "V"]], [[0.862, 0.102, 0.036]] * 2, atol=5e-4)
    np.testing.assert_allclose(made.iloc[0], made.iloc[1])
    assert describe("Ti86.2Al10.2V3.6")["VEC"].item() == pytest.approx(made["VEC"].iloc[0], abs=1e-3)


def test_missing_properties_stay_missing_and_are_named():
    with pytest.warns(UserWarning, match="C has no electronegativity, melting_temperature, radius, valence_electrons"):
        made = describe("CoCrFeNi", "CoCrFeNiC0.1")
    assert made.iloc[0].notna().all()
    lost = {"size_difference", "VEC", "electronegativity_difference", "omega", "lambda", "melting_temperature"}
    assert set(made.columns[made.iloc[1].isna()]) == lost
    with pytest.warns(UserWarning, match="Th has no mixing enthalpy with U"):
        made = describe("Th2U", "ThFe")
    assert set(made.columns[made.iloc[0].isna()]) == {"mixing_enthalpy", "omega"} and made.iloc[1].notna().all()


def test_no_warning_for_what_is_not_asked_for():
    made = CompositionFeaturizer(descriptors=["mixing_enthalpy", "density"]).fit_transform(["FeC", "Fe"])
    assert made.notna().all(axis=None)


def test_properties_can_be_given():
    own = {**INTERSTITIALS, "C": {**INTERSTITIALS["C"], "melting_temperature": 3823.0}}
    made = describe("Fe3C", properties=own).iloc[0]
    assert made.notna().all()
    assert made["VEC"] == pytest.approx((3 * 8 + 4) / 4)
    radius = (3 * 126 + 77) / 4
    by_definition = 100 * math.sqrt((3 * (1 - 126 / radius) ** 2 + (1 - 77 / radius) ** 2) / 4)
    assert made["size_difference"] == pytest.approx(by_definition)
    frame = pd.DataFrame({"radius": [77.0, np.nan]}, index=["C", "Fe"])
    merged = merge_properties(frame)
    assert merged.loc["C", "radius"] == 77 and merged.loc["Fe", "radius"] == element_properties().loc["Fe", "radius"]


@pytest.mark.parametrize(
    ("properties", "error", "message"),
    [
        ({"Xx": {"radius": 1.0}}, ValueError, "'Xx', which is no element"),
        ({"C": {"colour": 1.0}}, ValueError, "'colour'; choose from atomic_weight"),
        ({"C": {"radius": 0.0}}, ValueError, r"\['C'\]\['radius'\] must be a positive number \(pm\); got 0"),
        ({"C": {"radius": np.inf}}, ValueError, "positive number"),
        ({"C": {"radius": "77"}}, ValueError, "positive number"),
        ({"C": 77.0}, TypeError, "must be a dict as"),
        ([("C", "radius", 77.0)], TypeError, "must be a dict as"),
    ],
)
def test_wrong_properties_are_named(properties, error, message):
    with pytest.raises(error, match=message):
        CompositionFeaturizer(properties=properties).fit(["FeC"])


def test_every_descriptor_has_a_unit_and_says_what_it_needs():
    """Without a property, exactly the descriptors that say so are missing."""
    full = describe("FeNi").columns
    for name in element_properties().columns:
        for symbol in ("Fe",):
            featurizer = CompositionFeaturizer(descriptors=list(full), elements=None).fit(["FeNi"])
            featurizer._table.loc[symbol, name] = np.nan
            lost = set(full[featurizer.transform(["FeNi"]).iloc[0].isna()])
            assert lost == {d for d, what in DESCRIPTORS.items() if name in what.needs}, name
    assert all(descriptor.unit for descriptor in DESCRIPTORS.values())
