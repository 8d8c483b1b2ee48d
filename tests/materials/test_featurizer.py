"""CompositionFeaturizer as a transformer: tables in, named columns with units out, errors that name the cell."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

from kan_tabular import KAAMRegressor
from kan_tabular.exceptions import MissingPropertyWarning, UnseenElementWarning
from kan_tabular.materials import CompositionFeaturizer, elements
from kan_tabular.plots import ContributionDisplay, ShapeDisplay

FORMULAS = ["CoCrFeMnNi", "Al0.5CoCrFeNi", "HfNbTaTiZr", "Fe60Ni40"]


@pytest.fixture
def formulas():
    return pd.DataFrame({"aged": [0.0, 1.0, 2.5, np.nan], "alloy": FORMULAS, "route": ["cast", "cast", None, "rolled"]})


@pytest.fixture
def fractions():
    return pd.DataFrame({"Fe": [50.0, 0.2, 100.0], "anneal": [1, 2, 3], "Ni": [50.0, 0.3, 0.0], "Cr": [0.0, 0.5, 0.0]})


def test_columns_order_and_units(formulas):
    featurizer = CompositionFeaturizer(composition="alloy")
    made = featurizer.fit_transform(formulas)
    assert list(made.columns) == list(featurizer.get_feature_names_out())
    assert list(made.columns[-2:]) == ["aged", "route"]
    assert featurizer.elements_ == ["Al", "Ti", "Cr", "Mn", "Fe", "Co", "Ni", "Zr", "Nb", "Hf", "Ta"]
    assert list(made.columns[14:-2]) == featurizer.elements_
    assert list(featurizer.feature_units_) == list(made.columns[:-2])
    assert (
        featurizer.feature_units_["mixing_enthalpy"] == "kJ/mol"
        and featurizer.feature_units_["Fe"] == "atomic fraction"
    )
    np.testing.assert_allclose(made[featurizer.elements_].sum(axis=1), 1)
    pd.testing.assert_frame_equal(made[["aged", "route"]], formulas[["aged", "route"]])
    assert featurizer.n_features_in_ == 3 and list(featurizer.feature_names_in_) == ["aged", "alloy", "route"]


def test_settings_choose_columns(formulas):
    made = CompositionFeaturizer(
        composition=["alloy"], descriptors=["VEC", "density"], elements=["Ni", "W"], remainder="drop"
    ).fit_transform(formulas)
    assert list(made.columns) == ["VEC", "density", "Ni", "W"]
    np.testing.assert_allclose(made["Ni"], [0.2, 1 / 4.5, 0, 0.4])
    assert (made["W"] == 0).all()
    alone = CompositionFeaturizer(elements=None).fit_transform(FORMULAS)
    assert list(alone.columns)[-1] == "density" and alone.shape == (4, 14)


@pytest.mark.parametrize(
    "form",
    [list, np.array, pd.Series, lambda f: np.array(f, dtype=object)[:, None], lambda f: [[x] for x in f], pl.Series],
)
def test_formulas_alone(form):
    expected = CompositionFeaturizer().fit_transform(pd.DataFrame({"alloy": FORMULAS}))
    made = CompositionFeaturizer().fit_transform(form(FORMULAS))
    pd.testing.assert_frame_equal(made, expected)


def test_index_is_kept(formulas):
    made = CompositionFeaturizer(composition="alloy").fit_transform(formulas.set_index(pd.Index([7, 3, 9, 3])))
    assert list(made.index) == [7, 3, 9, 3]
    series = pd.Series(FORMULAS, index=list("abcd"), name="alloy")
    assert list(CompositionFeaturizer().fit_transform(series).index) == list("abcd")


def test_polars(formulas):
    expected = CompositionFeaturizer(composition="alloy").fit_transform(formulas)
    featurizer = CompositionFeaturizer(composition="alloy")
    made = featurizer.fit_transform(
        pl.DataFrame({**formulas.to_dict("list"), "route": ["cast", "cast", None, "rolled"]})
    )
    np.testing.assert_allclose(made.iloc[:, :-1].astype(float), expected.iloc[:, :-1].astype(float))
    assert list(made["route"][:2]) == ["cast", "cast"]
    out = featurizer.set_output(transform="polars").transform(formulas)
    assert isinstance(out, pl.DataFrame) and out.columns == list(expected.columns)


def test_fraction_columns(fractions):
    featurizer = CompositionFeaturizer()
    made = featurizer.fit_transform(fractions)
    assert featurizer.composition_ == ["Fe", "Ni", "Cr"] and not featurizer.formulas_
    np.testing.assert_allclose(made[["Cr", "Fe", "Ni"]], [[0, 0.5, 0.5], [0.5, 0.2, 0.3], [0, 1, 0]])
    same = CompositionFeaturizer().fit_transform(["FeNi", "Fe2Ni3Cr5", "Fe"])
    pd.testing.assert_frame_equal(made.drop(columns="anneal"), same)
    assert list(made["anneal"]) == [1, 2, 3]
    chosen = CompositionFeaturizer(composition=["Fe", "Ni", "Cr"], remainder="drop").fit_transform(fractions)
    pd.testing.assert_frame_equal(chosen, same)


def test_fractions_by_weight():
    """Half iron, half nickel by weight: atoms by the atomic weights 55.845 and 58.693."""
    made = CompositionFeaturizer(fractions="weight").fit_transform(pd.DataFrame({"Fe": [0.5], "Ni": [0.5]}))
    atoms = np.array([0.5 / 55.845, 0.5 / 58.693])
    np.testing.assert_allclose(made[["Fe", "Ni"]].iloc[0], atoms / atoms.sum())


def test_sums_are_checked(fractions):
    off = fractions.assign(Cr=[0.0, 0.52, 0.0])
    with pytest.raises(
        ValueError, match=r"Row 1: its fractions add up to 1.02 \(1 of 3 rows are off\).*normalize=True"
    ):
        CompositionFeaturizer().fit(off)
    made = CompositionFeaturizer(normalize=True).fit_transform(off)
    np.testing.assert_allclose(made[["Fe", "Ni", "Cr"]].iloc[1], np.array([0.2, 0.3, 0.52]) / 1.02)
    rounded = CompositionFeaturizer().fit_transform(fractions.assign(Cr=[0.4, 0.504, 0.0]))
    np.testing.assert_allclose(rounded[["Fe", "Ni", "Cr"]].sum(axis=1), 1)
    with pytest.raises(ValueError, match="Row 2: its fractions add up to 50"):
        CompositionFeaturizer().fit(fractions.assign(Fe=[50.0, 0.2, 50.0]))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (np.nan, "Column 'Ni', row 1: the fraction is missing; write 0"),
        (-0.1, "Column 'Ni', row 1: the fraction is negative"),
        (np.inf, "Column 'Ni', row 1: the fraction is infinite"),
        (None, "Column 'Ni', row 1: the fraction is missing"),
    ],
)
def test_bad_fractions_are_named(fractions, cell, message):
    for featurizer in (CompositionFeaturizer(), CompositionFeaturizer(normalize=True)):
        with pytest.raises(ValueError, match=message):
            featurizer.fit(fractions.assign(Ni=pd.array([50.0, cell, 0.0], dtype="Float64")))


def test_nothing_in_the_alloy(fractions):
    with pytest.raises(ValueError, match="Row 1: all fractions are 0"):
        CompositionFeaturizer(normalize=True).fit(fractions.assign(Fe=[50, 0, 100.0], Ni=[50, 0, 0.0], Cr=0.0))
    with pytest.raises(TypeError, match="Column 'Ni' holds .* fractions must be numbers"):
        CompositionFeaturizer().fit(fractions.assign(Ni=["50", "0", "0"]))


@pytest.mark.parametrize(
    ("cell", "error", "message"),
    [
        ("Ta_Th", ValueError, "Column 'alloy', row 2: formula 'Ta_Th' has '_' at position 3"),
        (None, ValueError, "Column 'alloy', row 2: the formula is missing"),
        (np.nan, ValueError, "Column 'alloy', row 2: the formula is missing"),
        (3, TypeError, "Column 'alloy', row 2: a formula must be a string; got 3"),
        ("Ti-6Al-4V", ValueError, "row 2: .*set fractions='weight'"),
    ],
)
def test_bad_formulas_are_named(formulas, cell, error, message):
    formulas["alloy"] = pd.Series(["Fe", "Ni", cell, "Co"], dtype=object)
    with pytest.raises(error, match=message):
        CompositionFeaturizer(composition="alloy").fit(formulas)
    good = CompositionFeaturizer(composition="alloy", remainder="drop").fit(formulas.iloc[[0, 1, 3]])
    with pytest.raises(error, match=message):
        good.transform(formulas)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"composition": "Alloy"},
            "composition has 'Alloy', which X lacks; the columns of X are 'aged', 'alloy', 'route'",
        ),
        ({"composition": []}, "at least one column"),
        ({"composition": ["alloy", "alloy"]}, "each once"),
        ({"composition": ["alloy", "route"]}, "'alloy' of composition is no element symbol"),
        ({"composition": None}, "none is called like an element"),
        ({"composition": "alloy", "fractions": "mass"}, "fractions must be 'atomic' or 'weight'"),
        ({"composition": "alloy", "remainder": "keep"}, "remainder must be"),
        (
            {"composition": "alloy", "descriptors": ["vec"]},
            "descriptors has 'vec', which is not known; choose from mixing",
        ),
        ({"composition": "alloy", "descriptors": "VEC"}, "descriptors must be 'default' or a list of names; got 'VEC'"),
        ({"composition": "alloy", "descriptors": ["VEC", "VEC"]}, "descriptors names 'VEC' twice"),
        ({"composition": "alloy", "elements": ["Xx"]}, "elements has 'Xx'"),
        ({"composition": "alloy", "elements": "Fe"}, "elements must be 'seen', None or a list of symbols; got 'Fe'"),
        ({"composition": "alloy", "elements": None, "descriptors": []}, "nothing to compute"),
    ],
)
def test_wrong_settings_are_named(formulas, settings, message):
    with pytest.raises(ValueError, match=message):
        CompositionFeaturizer(**settings).fit(formulas)


def test_wrong_tables_are_named(formulas):
    with pytest.raises(ValueError, match="'density' of X has the name of a column to be made"):
        CompositionFeaturizer(composition="alloy").fit(formulas.rename(columns={"aged": "density"}))
    with pytest.raises(ValueError, match="none is called like an element"):
        CompositionFeaturizer().fit(np.ones((3, 2)))
    with pytest.raises(TypeError, match="a formula must be a string; got 1"):
        CompositionFeaturizer().fit(np.ones((3, 1)))
    with pytest.raises(TypeError, match="list of formulas; got 'Fe'"):
        CompositionFeaturizer().fit("Fe")
    with pytest.raises(ValueError, match="no rows"):
        CompositionFeaturizer(composition="alloy").fit(formulas.iloc[:0])
    with pytest.raises(ValueError, match="Og has no atomic weight"):
        CompositionFeaturizer(fractions="weight").fit(["FeOg"])
    with pytest.raises(NotFittedError):
        CompositionFeaturizer().transform(FORMULAS)


def test_other_columns_than_in_training_are_refused(formulas):
    featurizer = CompositionFeaturizer(composition="alloy").fit(formulas)
    with pytest.raises(ValueError, match="feature names"):
        featurizer.transform(formulas.rename(columns={"aged": "age"}))
    with pytest.raises(ValueError, match="feature"):
        featurizer.transform(formulas.drop(columns="aged"))


def test_elements_that_training_did_not_have():
    featurizer = CompositionFeaturizer(descriptors=["VEC"]).fit(["FeNi", "Fe"])
    with pytest.warns(UnseenElementWarning, match="Cr: not in the training table"):
        made = featurizer.transform(["FeCr"])
    assert made.iloc[0].to_dict() == {"VEC": 7, "Fe": 0.5, "Ni": 0}
    with pytest.warns(MissingPropertyWarning, match="C has no valence_electrons"), pytest.warns(UnseenElementWarning):
        assert np.isnan(featurizer.transform(["FeC"])["VEC"].item())
    for elements_ in (None, ["Fe"]):
        chosen = CompositionFeaturizer(descriptors=["VEC"], elements=elements_).fit(["FeNi"])
        assert chosen.transform(["FeCr"])["VEC"].item() == 7


def test_gaps_are_told_once_a_fit():
    with pytest.warns(MissingPropertyWarning) as told:
        featurizer = CompositionFeaturizer().fit(["FeC", "Fe"])
    assert len(told) == 1
    featurizer.transform(["FeC"])  # would raise in this suite


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_valid_tag_types,
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
    ],
)
def test_conventions_of_scikit_learn(check):
    check("CompositionFeaturizer", CompositionFeaturizer())


def test_general_checks_of_scikit_learn():
    """It says that it takes no plain numbers, so that scikit-learn leaves out the checks that feed them."""
    with pytest.warns(Warning, match="Can't test estimator"):
        results = estimator_checks.check_estimator(CompositionFeaturizer(), on_fail=None)
    assert results and {result["status"] for result in results} <= {"passed", "skipped"}


def test_clone_pickle_and_output(formulas):
    featurizer = CompositionFeaturizer(composition="alloy", elements=["Fe"])
    made = featurizer.fit_transform(formulas)
    pd.testing.assert_frame_equal(clone(featurizer).fit(formulas).transform(formulas), made)
    again = pickle.loads(pickle.dumps(featurizer))
    pd.testing.assert_frame_equal(again.transform(formulas), made)
    before = formulas.copy()
    pd.testing.assert_frame_equal(featurizer.set_output(transform="pandas").transform(formulas), made)
    pd.testing.assert_frame_equal(formulas, before)


def test_pipeline_with_a_model_and_its_pictures(formulas):
    """Curves and contributions carry the names of the descriptors."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 2, 80)
    table = pd.DataFrame({"alloy": [f"Al{v:.3f}CoCrFeNi" for v in x], "aged": rng.uniform(0, 5, 80)})
    model = make_pipeline(
        CompositionFeaturizer(composition="alloy", descriptors=["VEC", "density"], elements=None), KAAMRegressor()
    )
    target = -50 * x / (4 + x) + 3 * table["aged"]
    model.fit(table, target)
    assert model.score(table, target) > 0.999
    assert list(model[-1].feature_names_in_) == ["VEC", "density", "aged"]
    shown = ShapeDisplay.from_estimator(model)
    assert {"VEC", "aged"} <= {ax.get_xlabel() for ax in shown.axes_.flat if ax is not None}
    labels = [tick.get_text() for tick in ContributionDisplay.from_estimator(model, table, 3).ax_.get_yticklabels()]
    assert any("aged" in label for label in labels)


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "hea_bench", None)
    for name in [name for name in sys.modules if name.startswith("hea_bench.")]:
        monkeypatch.setitem(sys.modules, name, None)
    elements._properties.cache_clear()
    elements._pairs.cache_clear()
    with pytest.raises(ImportError, match=r"hea-bench, which is not installed: pip install 'kan-tabular\[materials\]'"):
        CompositionFeaturizer().fit(FORMULAS)


def test_import_is_light():
    code = "import sys; from kan_tabular.materials import *; import kan_tabular.plots.mixture; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "kan_tabular.materials.featurizer" in loaded
    assert not {"hea_bench", "torch", "matplotlib", "sympy"} & set(loaded)
