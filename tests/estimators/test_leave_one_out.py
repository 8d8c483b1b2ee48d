"""Leave-one-out predictions against fits that really leave a row out."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import root
from scipy.special import expit, softmax
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from kan_tabular import KAAMClassifier, KAAMRegressor

N = 160


def simulate(response, seed=0):
    """A table with a curve, holes and levels; a response; weights."""
    rng = np.random.default_rng(seed)
    level = rng.choice(list("xyz"), N)
    X = pd.DataFrame(
        {
            "curve": rng.normal(size=N),
            "holed": np.where(rng.random(N) < 0.1, np.nan, rng.normal(size=N)),
            "level": level,
        }
    )
    eta = np.sin(2 * X["curve"].to_numpy()) + 0.8 * (level == "x")
    y = {
        "gaussian": lambda: eta + 0.4 * rng.normal(size=N),
        "poisson": lambda: rng.poisson(np.exp(eta)).astype(float),
        "binary": lambda: np.where(rng.random(N) < expit(1.5 * eta), "yes", "no"),
        "multiclass": lambda: np.array(["a", "b", "c"])[np.digitize(eta + 0.5 * rng.logistic(size=N), [0.0, 0.9])],
    }[response]()
    return X, y, rng.integers(1, 4, N).astype(float)


def build(response):
    return (
        KAAMClassifier()
        if response in ("binary", "multiclass")
        else KAAMRegressor(loss={"gaussian": "squared_error"}.get(response, response))
    )


def refitted(model, X, y, weights, i, at):
    """Predictions for the rows `at` by the optimum without row i: the roots of the penalised score, from scratch."""
    network = model.network_
    rows = np.arange(N) != i
    D = network.design(model.encoder_.transform(_table(X)))
    kept, w = D[rows], weights[rows]
    prior = [np.repeat(np.exp(s.rho), s.sizes) * s.scale for s in network.smoothing]
    prior = np.concatenate([[0.0], *prior])[:, None]
    start = np.vstack([network.intercept, *(c.coefficients for c in network.inputs)])
    classes = getattr(model, "classes_", None)
    if classes is not None:
        y = (y[:, None] == classes).astype(float)[:, 1:] if len(classes) == 2 else (y[:, None] == classes).astype(float)
    else:
        y = np.asarray(y, float)[:, None]
    y = y[rows]

    def mean(eta):
        if classes is None:
            return np.exp(eta) if model.loss == "poisson" else eta
        return softmax(eta @ network.output_map, axis=1) if len(classes) > 2 else expit(eta)

    def score(b):
        b = b.reshape(start.shape)
        away = w[:, None] * (y - mean(kept @ b))
        if classes is not None and len(classes) > 2:
            away = away @ network.output_map.T
        return (kept.T @ away - prior * b).ravel()

    found = root(score, start.ravel(), tol=1e-12)
    result = mean(D[at] @ found.x.reshape(start.shape))
    if classes is None:
        return result[:, 0]
    return result if len(classes) > 2 else np.column_stack([1 - result, result])


def _table(X):
    from kan_tabular.encoding import read_table

    return read_table(X)


@pytest.mark.parametrize(
    "response, tolerance", [("gaussian", 1e-8), ("binary", 1e-3), ("multiclass", 1e-3), ("poisson", 1e-2)]
)
def test_equals_fits_without_each_row(response, tolerance):
    X, y, weights = simulate(response)
    model = build(response).fit(X, y, weights)
    at = np.arange(0, N, 20)
    own, others = model.leave_one_out(X, y, weights, at=X.iloc[at])
    predict = model.predict_proba if response in ("binary", "multiclass") else model.predict
    moved = np.abs(own - predict(X)).reshape(N, -1).max(1)
    for i in [*np.argsort(moved)[-6:], 3, 77]:  # the most influential rows are the hardest
        expected = refitted(model, X, y, weights, i, [i, *at])
        np.testing.assert_allclose(own[i], expected[0], atol=tolerance)
        np.testing.assert_allclose(others[:, i], expected[1:], atol=tolerance)
    assert moved.max() > 10 * tolerance


def flags(seed):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({name: rng.integers(0, 2, 60).astype(float) for name in "abc"})
    return X, X["a"].to_numpy() - 0.5 * X["b"].to_numpy(), rng


def test_of_unpenalised_lines_equals_leaving_rows_out_of_least_squares():
    X, eta, rng = flags(0)
    y = eta + rng.normal(size=60)
    own = KAAMRegressor(select=False).fit(X, y).leave_one_out(X, y)
    np.testing.assert_allclose(own, cross_val_predict(LinearRegression(), X, y, cv=LeaveOneOut()), atol=1e-4)


def test_of_unpenalised_lines_equals_leaving_rows_out_of_logistic_regression():
    X, eta, rng = flags(1)
    y = (rng.random(60) < expit(eta)).astype(int)
    own = KAAMClassifier(select=False).fit(X, y).leave_one_out(X, y)
    peer = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    expected = cross_val_predict(peer, X, y, cv=LeaveOneOut(), method="predict_proba")
    np.testing.assert_allclose(own, expected, atol=2e-3)


def test_a_row_of_weight_zero_changes_nothing_and_one_of_two_leaves_both_times():
    X, y, _ = simulate("gaussian")
    weights = np.ones(N)
    weights[:2] = 0.0, 2.0
    model = KAAMRegressor().fit(X, y, weights)
    own = model.leave_one_out(X, y, weights)
    np.testing.assert_allclose(own[0], model.predict(X)[0], atol=1e-12)
    np.testing.assert_allclose(own[1], refitted(model, X, y, weights, 1, [1])[0], atol=1e-8)


def test_exposure_is_taken_out_of_the_predictions():
    X, y, _ = simulate("poisson")
    exposure = np.random.default_rng(0).uniform(1, 50, N)
    y = np.random.default_rng(1).poisson(exposure).astype(float)
    own = KAAMRegressor(loss="poisson").fit(X, y, exposure=exposure).leave_one_out(X, y, exposure=exposure)
    assert own.min() > 0.5
    assert own.max() < 2


@pytest.mark.parametrize("change", ["rows", "target", "weights"])
def test_other_rows_than_those_of_the_fit_are_refused(change):
    X, y, weights = simulate("binary")
    model = KAAMClassifier().fit(X, y, weights)
    if change == "rows":
        X, y, weights = simulate("binary", seed=5)
    elif change == "target":
        y = y[::-1]
    else:
        weights = None
    with pytest.raises(ValueError, match="rows, weights and exposure that the model was fitted to"):
        model.leave_one_out(X, y, weights)


def test_unknown_classes_are_named():
    X, y, _ = simulate("binary")
    model = KAAMClassifier().fit(X, y)
    y = np.where(np.arange(N) == 3, "maybe", y)
    with pytest.raises(ValueError, match="maybe"):
        model.leave_one_out(X, y)
