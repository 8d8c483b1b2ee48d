"""The page's script computes what the estimators predict: predictions, intervals, contributions, extrapolation."""

import numpy as np
import pandas as pd
import pytest
from formula_cases import CASES, HOSTILE
from formula_cases import table as formula_rows
from live_model import contributions, needs_node, payload_and_answers, table, trial_rows
from scipy.special import expit
from scipy.stats import norm
from sklearn.base import is_classifier

from kan_tabular import KAAMClassifier, KAAMRegressor, SymbolicClassifier, SymbolicRegressor
from kan_tabular.bases import families
from kan_tabular.encoding import read_table
from kan_tabular.exceptions import LiveModelError
from kan_tabular.likelihoods import Gaussian
from kan_tabular.symbolic.network import FormulaNetwork

pytestmark = needs_node
N = 240


def clinic(seed=0, gaps=0.1):
    """Numbers of all kinds, a category with hostile names in a column with a hostile name; missing values."""
    rng = np.random.default_rng(seed)
    levels = np.array([*HOSTILE[:9], "__proto__", "constructor", "toString", "x" * 300], dtype=object)
    frame = pd.DataFrame(
        {
            "age": rng.integers(29, 78, N).astype(float),
            "skewed": rng.exponential(size=N) ** 3,
            "far from zero": 1e6 + rng.normal(size=N),
            "</script><script>alert(1)</script>": rng.normal(size=N),
            "__proto__": rng.normal(size=N),
            "three": rng.integers(0, 3, N).astype(float),
            "constant": np.ones(N),
            "empty": np.full(N, np.nan),
            "constructor": levels[rng.integers(len(levels), size=N)],
            "smoker": rng.random(N) < 0.4,
        }
    )
    for name in ("age", "skewed", "__proto__", "constructor"):
        frame.loc[rng.random(N) < gaps, name] = None if name == "constructor" else np.nan
    return frame


def latent(frame, seed=1):
    rng = np.random.default_rng(seed)
    age, skewed = frame["age"].fillna(60.0), frame["skewed"].fillna(3.0)
    level = frame["constructor"].map(lambda v: len(str(v)) % 3).to_numpy(float)
    return ((age - 50) / 12 + np.sin(skewed) + level + 0.8 * frame["smoker"] + rng.normal(size=len(frame))).to_numpy()


def responses(y):
    return {
        "binary": (KAAMClassifier(), np.where(y > 1, "ill", "well")),
        "booleans": (KAAMClassifier(n_knots=4), y > 1),
        "three classes": (KAAMClassifier(), np.digitize(y, [0.0, 2.0])),
        "gaussian": (KAAMRegressor(), y),
        "poisson": (KAAMRegressor(loss="poisson"), np.round(np.exp(y / 2))),
        "gamma": (KAAMRegressor(loss="gamma"), np.exp(y)),
    }


def assert_same(answers, estimator, frame, tolerance=1e-9):
    """Linear predictor and response, contributions and their base, and which columns are beyond training."""
    close = {"rtol": tolerance, "atol": tolerance}
    explanation = estimator.explain(frame)
    values = explanation.values if explanation.values.ndim == 3 else explanation.values[:, :, None]
    base = np.reshape(explanation.base_values, (len(frame), -1))
    own, names = contributions(answers)
    assert names == list(frame.columns)
    np.testing.assert_allclose(own, values, **close)
    np.testing.assert_allclose(table(answers, "base"), base, **close)
    assert np.isfinite(own).all()
    if is_classifier(estimator):
        eta = np.reshape(estimator.decision_function(frame), (len(frame), -1))
        response = estimator.predict_proba(frame)
    else:
        response = np.reshape(estimator.predict(frame), (len(frame), -1))
        eta = base + values.sum(1)
    np.testing.assert_allclose(table(answers, "eta"), eta, **close)
    np.testing.assert_allclose(table(answers, "response"), response, **close)
    flags = [[name in answer["extrapolates"] for name in frame.columns] for answer in answers]
    assert np.array_equal(flags, estimator.extrapolation(frame))


@pytest.mark.filterwarnings("ignore:Levels that training did not have")
@pytest.mark.parametrize("case", ["binary", "booleans", "three classes", "gaussian", "poisson", "gamma"])
def test_equals_the_additive_model(case):
    X = clinic()
    model, y = responses(latent(X))[case]
    model.fit(X, y)
    rows = trial_rows(X)
    payload, answers = payload_and_answers(model, rows)
    assert_same(answers, model, rows)
    assert len(payload["responses"]) == len(answers[0]["response"])
    assert len(payload["outputs"]) == len(answers[0]["eta"])
    assert any(answer["extrapolates"] for answer in answers)


@pytest.mark.filterwarnings("ignore:Levels that training did not have")
@pytest.mark.parametrize(("case", "level"), [("gaussian", 0.95), ("gaussian", 0.5), ("poisson", 0.95)])
def test_intervals_of_regressors_are_those_of_predict(case, level):
    X = clinic()
    rows = trial_rows(X, far=1.0)
    z = norm.ppf((1 + level) / 2)
    model, y = responses(latent(X))[case]
    mean, se = model.fit(X, y).predict(rows, return_std=True)
    answers = payload_and_answers(model, rows, interval=level)[1]
    if case == "gaussian":
        low, high = mean - z * se, mean + z * se
    else:  # on the log scale, where the standard error is that of the mean over the mean
        low, high = mean * np.exp(-z * se / mean), mean * np.exp(z * se / mean)
    np.testing.assert_allclose(table(answers, "low")[:, 0], low, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(table(answers, "high")[:, 0], high, rtol=1e-9, atol=1e-9)


@pytest.mark.filterwarnings("ignore:Levels that training did not have")
def test_interval_of_a_probability():
    X = clinic()
    model, y = responses(latent(X))["binary"]
    model.fit(X, y)
    rows = trial_rows(X)
    payload, answers = payload_and_answers(model, rows, interval=0.9)
    reach = norm.ppf(0.95) * model.network_.standard_error(model.encoder_.transform(read_table(rows)))[:, 0]
    eta = model.decision_function(rows)
    low, high = table(answers, "low"), table(answers, "high")
    np.testing.assert_allclose(low[:, 1], expit(eta - reach), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(high[:, 1], expit(eta + reach), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(low[:, 0], 1 - high[:, 1], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(high[:, 0], 1 - low[:, 1], rtol=1e-9, atol=1e-9)
    assert payload["interval"]["level"] == 0.9


def test_no_interval_where_there_is_none():
    X = clinic()
    for case, options in (("three classes", {}), ("binary", {"interval": None})):
        model, y = responses(latent(X))[case]
        payload, answers = payload_and_answers(model.fit(X, y), X.head(3), **options)
        assert payload["interval"] is None and "covariance" not in payload["model"]
        assert all(answer["low"] is None and answer["high"] is None for answer in answers)


@pytest.mark.parametrize("family", families(linear=True))
def test_equals_every_family(family):
    rng = np.random.default_rng(5)
    X = pd.DataFrame({"a": rng.normal(size=N), "b": 1e6 + rng.exponential(size=N), "c": rng.integers(0, 2, N)})
    X.loc[:20, "b"] = np.nan
    y = np.sin(2 * X["a"]) + X["b"].fillna(1e6) - 1e6 + X["c"] + 0.3 * rng.normal(size=N)
    model = KAAMRegressor(basis=family).fit(X, y)
    rows = trial_rows(X)
    payload, answers = payload_and_answers(model, rows)
    assert_same(answers, model, rows)
    _, se = model.predict(rows, return_std=True)
    half = (table(answers, "high") - table(answers, "low"))[:, 0] / 2
    np.testing.assert_allclose(half, payload["interval"]["z"] * se, rtol=1e-9, atol=1e-9)


def test_a_trimmed_tail_is_constant():
    rng = np.random.default_rng(6)
    X = pd.DataFrame({"a": np.append(rng.normal(size=N), 1e5), "b": np.append(rng.normal(size=N), 0.0)})
    y = np.append(np.sin(X["a"][:-1]), 0.0)
    for family in ("bspline", "legendre"):
        model = KAAMRegressor(basis=family).fit(X, y)
        rows = pd.DataFrame({"a": [-1e8, -50.0, 0.0, 50.0, 200.0, 1e4, 1e5, 1e9], "b": 0.0})
        assert_same(payload_and_answers(model, rows)[1], model, rows)


@pytest.mark.filterwarnings("ignore:Levels that training did not have")
@pytest.mark.parametrize("case", ["binary", "three classes", "gaussian", "poisson"])
def test_equals_the_formula(case):
    X = clinic()
    model, y = responses(latent(X))[case]
    X = X[["age", "__proto__", "constructor", "smoker"]]
    formula = model.fit(X, y).to_symbolic(fidelity=None)
    rows = trial_rows(X)
    payload, answers = payload_and_answers(formula, rows)
    assert isinstance(formula, SymbolicClassifier | SymbolicRegressor)
    assert_same(answers, formula, rows)
    assert payload["interval"] is None


def test_arrays_and_categories_that_are_numbers():
    rng = np.random.default_rng(7)
    X = np.column_stack([rng.normal(size=N), rng.integers(0, 4, N), rng.choice([0.5, 1e-5, 3.0, -2.0], N)])
    y = X[:, 0] + (X[:, 1] == 2) + (X[:, 2] == 0.5) > 0.7
    model = KAAMClassifier(categorical_features=[1, 2]).fit(X, y)
    rows = pd.DataFrame(X[:50], columns=["x0", "x1", "x2"])
    payload, answers = payload_and_answers(model, rows)
    np.testing.assert_allclose(table(answers, "response"), model.predict_proba(X[:50]), rtol=1e-9, atol=1e-12)
    assert [f["name"] for f in payload["features"]] == ["x0", "x1", "x2"]
    assert payload["features"][2]["levels"] == sorted(["0.5", "1e-05", "3", "-2"])
    assert not any(answer["extrapolates"] for answer in answers)


def as_estimator(formula):
    """A formula in the place of a fitted estimator, centred nowhere."""
    p, n = len(formula.features), len(formula.outputs)
    edges = [np.array([f.low, f.high]) for f in formula.features]
    sizes = np.zeros((p, n)), np.zeros(p), np.zeros(p)
    model = SymbolicRegressor()
    model.network_ = FormulaNetwork(formula, Gaussian(), *sizes, [np.ones(1)] * p, edges)
    model.n_features_in_ = p
    return model


def test_every_function_of_formulas():
    formula = CASES["every function"]
    rows = formula_rows(formula, 300)
    answers = payload_and_answers(as_estimator(formula), rows)[1]
    expected = formula.evaluate(rows)
    assert np.isfinite(expected).all() and np.nanmax(np.abs(rows.to_numpy())) == 1e4
    np.testing.assert_allclose(table(answers, "eta"), expected, rtol=1e-9, atol=1e-9)
    (parts,) = formula.contributions_encoded(rows.to_numpy())
    np.testing.assert_allclose(contributions(answers)[0][:, :, 0], parts, rtol=1e-9, atol=1e-9)


def test_formulas_with_hidden_nodes_are_refused():
    with pytest.raises(LiveModelError, match="hidden nodes"):
        payload_and_answers(as_estimator(CASES["several targets"]), None)
