"""Effects along Cox's directions, against closed forms for Scheffe's polynomials."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

from kan_tabular import KAAMRegressor
from kan_tabular.materials import CompositionFeaturizer, mixture_effect, parse_formula

PARTS = ["Al", "Cr", "Ni"]
BETA = np.array([3.0, -2.0, 5.0])
PAIRS = np.array([[0, 4.0, -6.0], [0, 0, 2.5], [0, 0, 0]])


def blends(n=60, seed=0):
    return pd.DataFrame(np.random.default_rng(seed).dirichlet([2, 2, 2], n), columns=PARTS)


class Polynomial(LinearRegression):
    """Scheffe's polynomial with known coefficients, as a fitted model."""

    quadratic = False

    def fit(self, X, y=None):
        return super().fit(X, np.zeros(len(X)))

    def predict(self, X):
        x = np.asarray(X, dtype=float)
        return x @ BETA + (np.einsum("ni,ij,nj->n", x, PAIRS, x) if self.quadratic else 0.0)


class Quadratic(Polynomial):
    quadratic = True


REFERENCE = pd.DataFrame({"Al": [0.2], "Cr": [0.3], "Ni": [0.5]})


@pytest.mark.parametrize("part", PARTS)
def test_linear_mixture_model(part):
    """Its effect is (x - s) (b_i - sum of the others' s_j b_j / (1 - s_i)): Cox 1971."""
    i, s = PARTS.index(part), REFERENCE.iloc[0].to_numpy()
    found = mixture_effect(Polynomial().fit(blends()), REFERENCE, part, grid=np.linspace(0, 1, 11))
    others = (s @ BETA - s[i] * BETA[i]) / (1 - s[i])
    np.testing.assert_allclose(found.effect, (found.fraction - s[i]) * (BETA[i] - others), atol=1e-12)
    assert found.reference_prediction == pytest.approx(s @ BETA) and found.reference_fraction == s[i]


@pytest.mark.parametrize("part", PARTS)
def test_quadratic_mixture_model(part):
    """With x_j = r_j (1 - x): b_i x + B (1 - x) + x (1 - x) sum_j b_ij r_j + (1 - x)^2 C, B and C over the others."""
    i, s = PARTS.index(part), REFERENCE.iloc[0].to_numpy()
    r = np.where(np.arange(3) == i, 0, s / (1 - s[i]))
    both = PAIRS + PAIRS.T
    x = np.linspace(0, 1, 21)
    closed = BETA[i] * x + (1 - x) * (r @ BETA) + x * (1 - x) * (both[i] @ r) + (1 - x) ** 2 * (r @ PAIRS @ r)
    found = mixture_effect(Quadratic().fit(blends()), REFERENCE, part, grid=x)
    np.testing.assert_allclose(found.prediction, closed, atol=1e-12)


def test_rows_keep_the_proportions_of_the_others():
    found = mixture_effect(Polynomial().fit(blends()), REFERENCE, "Cr", n_points=7)
    np.testing.assert_allclose(found.rows.sum(axis=1), 1)
    np.testing.assert_allclose(found.rows["Al"] / found.rows["Ni"], 0.2 / 0.5)
    np.testing.assert_allclose(found.rows["Cr"], found.fraction)
    np.testing.assert_allclose(found.fraction, np.linspace(0, 0.6, 7))


def test_percentages_and_other_columns():
    """The sum of the reference is kept; what is no part of the mixture stays; parts may have any names."""
    X = (100 * blends()).rename(columns=dict(zip(PARTS, ["water", "cement", "sand, dry"], strict=True)))
    X["age"] = np.linspace(1, 28, len(X))
    model = LinearRegression().fit(X, X["cement"] + 10 * X["age"])
    reference = pd.DataFrame({"age": [7.0], "water": [20.0], "cement": [30.0], "sand, dry": [50.0]})[list(X.columns)]
    found = mixture_effect(model, reference, "cement", composition=["water", "cement", "sand, dry"], X=X)
    np.testing.assert_allclose(found.rows[["water", "cement", "sand, dry"]].sum(axis=1), 100)
    assert (found.rows["age"] == 7).all() and list(found.rows.columns) == list(X.columns)
    shares = X["cement"] / 100
    np.testing.assert_allclose(found.fraction[[0, -1]], [shares.min(), shares.max()])
    np.testing.assert_allclose(found.prediction, 100 * found.fraction + 70, atol=1e-8)


@pytest.fixture(scope="module")
def alloys():
    x = np.random.default_rng(3).dirichlet([3, 4, 4], 150)
    formulas = [f"Al{a:.4f}(Cr{c:.4f}Ni{n:.4f})" for a, c, n in x]
    table = pd.DataFrame({"alloy": formulas, "aged": np.linspace(0, 4, 150)})
    return table, 100 * x[:, 0] + 5 * table["aged"]


def test_pipeline_that_takes_formulas(alloys):
    """The truth, 100 x(Al), is linear, so the effect is 100 times the change of the fraction."""
    table, y = alloys
    model = make_pipeline(CompositionFeaturizer(composition="alloy", descriptors=[]), LinearRegression()).fit(table, y)
    reference = pd.DataFrame({"alloy": ["Al2Cr4Ni4"], "aged": [1.0]})
    found = mixture_effect(model, reference, "Al", X=table)
    np.testing.assert_allclose(found.effect, 100 * (found.fraction - 0.2), atol=1e-2)
    first = parse_formula(found.rows["alloy"].iloc[0])
    assert first["Cr"] == pytest.approx(first["Ni"])
    smooth = make_pipeline(CompositionFeaturizer(composition="alloy"), KAAMRegressor()).fit(table, y)
    close = mixture_effect(smooth, reference, "Al", grid=[0.1, 0.2, 0.3])
    np.testing.assert_allclose(close.effect, [-10, 0, 10], atol=0.5)


def test_a_formula_alone_is_a_reference(alloys):
    table, _ = alloys
    y = np.array([sum(v for s, v in parse_formula(f).items() if s == "Al") for f in table["alloy"]])
    for X in (list(table["alloy"]), table[["alloy"]]):
        model = make_pipeline(CompositionFeaturizer(descriptors=[]), LinearRegression()).fit(X, y)
        found = mixture_effect(model, "AlCrNi2", "Al", grid=[0.0, 0.25, 0.5])
        np.testing.assert_allclose(found.effect, [-0.25, 0, 0.25], atol=1e-4)  # formulas have four decimals


def test_formulas_inside_a_column_transformer(alloys):
    table, y = alloys
    featurizer = CompositionFeaturizer(descriptors=[])
    columns = ColumnTransformer([("made", featurizer, ["alloy"])], remainder="passthrough")
    model = make_pipeline(columns, LinearRegression()).fit(table, y)
    reference = pd.DataFrame({"alloy": ["Al2Cr4Ni4"], "aged": [1.0]})
    found = mixture_effect(model, reference, "Al", composition="alloy", grid=[0.1, 0.2])
    np.testing.assert_allclose(found.effect, [-10, 0], atol=1e-2)


def test_weights_move_as_weights():
    featurizer = CompositionFeaturizer(fractions="weight", descriptors=[])
    X = ["Ti-6Al-4V", "Ti-3Al-2.5V", "Ti-8Al-1V", "Ti-2Al-6V"]
    model = make_pipeline(featurizer, LinearRegression()).fit(X, [1.0, 2.0, 3.0, 4.0])
    found = mixture_effect(model, "Ti-6Al-4V", "Al", grid=[0.0, 0.06])
    assert found.reference_fraction == pytest.approx(0.06)
    assert found.effect[1] == pytest.approx(0, abs=1e-9)
    amounts = parse_formula(found.rows.iloc[0, 0], fractions="weight")
    assert amounts == pytest.approx({"Ti": 90 / 94, "V": 4 / 94})


def test_element_that_the_reference_does_not_contain():
    model = make_pipeline(CompositionFeaturizer(descriptors=["VEC"], elements=None), LinearRegression())
    model.fit(["FeNi", "FeCr", "Fe", "Ni2Cr"], [9.0, 7.0, 8.0, 8.0])
    found = mixture_effect(model, "FeNi", "Cr", n_points=3)
    np.testing.assert_allclose(found.fraction, [0, 0.05, 0.1])
    assert found.effect[0] == pytest.approx(0) and found.reference_fraction == 0


def test_classifier():
    X = blends(200)
    y = np.where(X["Al"] > 0.3, "bcc", "fcc")
    model = LogisticRegression(C=100).fit(X, y)
    found = mixture_effect(model, REFERENCE, "Al", grid=[0.1, 0.9], class_="bcc")
    np.testing.assert_allclose(found.prediction, model.predict_proba(found.rows)[:, 0])
    assert found.response == "P(bcc)" and found.prediction[1] > 0.9 > found.prediction[0]
    assert mixture_effect(model, REFERENCE, "Al").response == "P(fcc)"
    with pytest.raises(ValueError, match="class_='hcp' is not a class"):
        mixture_effect(model, REFERENCE, "Al", class_="hcp")


def test_wrong_arguments_are_named():
    model = Polynomial().fit(blends())
    cases = [
        ((REFERENCE, "Ti"), {}, "'Ti' is no part of the mixture; choose from Al, Cr, Ni"),
        ((pd.DataFrame({"Al": [1.0], "Cr": [0.0], "Ni": [0.0]}), "Al"), {}, "is Al alone"),
        ((REFERENCE, "Al"), {"grid": [0.1, 1.2]}, "fractions from 0 to 1"),
        ((REFERENCE, "Al"), {"grid": []}, "fractions from 0 to 1"),
        ((REFERENCE, "Al"), {"class_": "fcc"}, "has one output; got 'fcc'"),
        ((REFERENCE, "Al"), {"composition": ["Al", "W"]}, "composition has 'W', which the reference lacks"),
        ((REFERENCE, "Al"), {"composition": []}, "at least one column"),
        ((REFERENCE, "Al"), {"X": pd.concat([REFERENCE] * 3)}, "same fraction of Al in every row"),
        ((REFERENCE, "Al"), {"X": REFERENCE[["Al", "Cr"]]}, "X has no column 'Ni'"),
        ((blends(2), "Al"), {}, "one row; got 2"),
        ((-REFERENCE, "Al"), {}, "at least 0"),
        (("AlCrNi", "Al"), {}, "name its column by composition"),
    ]
    for arguments, settings, message in cases:
        with pytest.raises(ValueError, match=message):
            mixture_effect(model, *arguments, **settings)
    with pytest.raises(ValueError, match="'Xx' is no element"):
        mixture_effect(model, pd.DataFrame({"alloy": ["FeNi"]}), "Xx", composition="alloy")


def test_one_of_several_targets():
    """As of a model of that target alone."""
    X, Y = blends(), blends(seed=1)
    several = LinearRegression().fit(X, Y)
    for position, part in enumerate(PARTS):
        found = mixture_effect(several, REFERENCE, "Al", class_=position)
        alone = mixture_effect(LinearRegression().fit(X, Y[part]), REFERENCE, "Al")
        np.testing.assert_allclose(found.prediction, alone.prediction, atol=1e-12)
        assert found.response == f"predicted value {position}"
    for wrong in (None, 3, -1, True, "fcc"):
        with pytest.raises(ValueError, match=f"predicts 3 values a row: class_ .* from 0 to 2; got {wrong!r}"):
            mixture_effect(several, REFERENCE, "Al", class_=wrong)
