"""The additive fit against answers found in other ways: least squares, scikit-learn, SciPy, and known truths."""

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import BSpline
from scipy.linalg import eigh
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression, PoissonRegressor
from sklearn.metrics import log_loss

from kan_tabular import KAAMClassifier, KAAMRegressor
from kan_tabular.exceptions import UnseenCategoryWarning

pytestmark = pytest.mark.filterwarnings("error")

STIFF = 1e12  # a smoothing parameter beyond which only straight lines are left


def flags(n=600, p=4, seed=0):
    """Independent two-valued columns, in different codings, and a linear predictor of theirs."""
    rng = np.random.default_rng(seed)
    z = (rng.random((n, p)) < rng.uniform(0.2, 0.6, p)).astype(float)
    eta = z @ np.linspace(-1, 1.5, p) - 0.3
    return pd.DataFrame(3 * z - 1, columns=[f"flag {j}" for j in range(p)]), eta, rng


# ----------------------------------------------------------------------------------- the parametric limits are exact


@pytest.mark.parametrize("by_name", [True, False])
def test_with_stiff_curves_the_gaussian_fit_is_least_squares(by_name):
    rng = np.random.default_rng(1)
    X = pd.DataFrame({"a": rng.normal(size=300), "b": rng.exponential(size=300), "c": rng.uniform(5, 9, 300)})
    y = X["a"] - 2 * X["b"] + np.sin(X["c"]) + rng.normal(size=300)
    weight = rng.integers(1, 4, 300).astype(float)
    smoothing = dict.fromkeys(X, STIFF) if by_name else STIFF
    model = KAAMRegressor(smoothing=smoothing, select=False).fit(X, y, sample_weight=weight)
    design = np.column_stack([np.ones(300), X])
    root = np.sqrt(weight)
    coefficients = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
    np.testing.assert_allclose(model.predict(X), design @ coefficients, atol=1e-3 * np.std(y))
    for name in X:
        assert model.edf_[name] == pytest.approx(1, abs=0.01)


def test_standard_errors_of_the_linear_limit_are_those_of_least_squares():
    rng = np.random.default_rng(2)
    X = pd.DataFrame({"a": rng.normal(size=400), "b": rng.uniform(size=400)})
    y = X["a"].to_numpy() + rng.normal(size=400)
    design = np.column_stack([np.ones(400), X])
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    covariance = np.linalg.inv(design.T @ design) * (residual @ residual) / (400 - 3)
    expected = np.sqrt(np.einsum("ij,jk,ik->i", design, covariance, design))
    _, se = KAAMRegressor(smoothing=STIFF, select=False).fit(X, y).predict(X, return_std=True)
    np.testing.assert_allclose(se, expected, rtol=0.01)


def test_one_stiff_curve_leaves_the_others_free():
    rng = np.random.default_rng(3)
    X = pd.DataFrame({"stiff": rng.uniform(-3, 3, 800), "free": rng.uniform(-3, 3, 800)})
    y = np.sin(X["stiff"]) + np.sin(X["free"]) + 0.2 * rng.normal(size=800)
    model = KAAMRegressor(smoothing={"stiff": STIFF}).fit(X, y)
    assert model.edf_["stiff"] < 1.05 and model.edf_["free"] > 3
    grid = np.linspace(-3, 3, 31)
    np.testing.assert_allclose(np.diff(model.shape_function("stiff", grid=grid).y, 2), 0, atol=1e-4)
    assert np.corrcoef(model.shape_function("free", grid=grid).y, np.sin(grid))[0, 1] > 0.99


def test_two_valued_columns_give_logistic_regression():
    X, eta, rng = flags()
    y = rng.random(len(X)) < 1 / (1 + np.exp(-eta))
    weight = rng.integers(1, 4, len(X)).astype(float)
    model = KAAMClassifier(smoothing=1.0, select=False).fit(X, y, sample_weight=weight)
    reference = LogisticRegression(C=1e10, tol=1e-10, max_iter=10_000).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.predict_proba(X), reference.predict_proba(X), atol=1e-3)
    np.testing.assert_allclose(model.decision_function(X), reference.decision_function(X), atol=5e-3)


def test_two_valued_columns_give_multinomial_regression():
    X, eta, rng = flags()
    y = np.digitize(eta + rng.logistic(size=len(X)), [-0.5, 1.0])
    model = KAAMClassifier(smoothing=1.0, select=False).fit(X, y)
    reference = LogisticRegression(C=1e10, tol=1e-10, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), reference.predict_proba(X), atol=2e-3)


def test_two_valued_columns_give_poisson_regression_with_exposure():
    X, eta, rng = flags()
    exposure = rng.uniform(0.2, 3.0, len(X))
    y = rng.poisson(exposure * np.exp(eta)).astype(float)
    model = KAAMRegressor(loss="poisson", smoothing=1.0, select=False).fit(X, y, exposure=exposure)
    # A rate with the exposure as weight has the same score equations as counts with an offset.
    reference = PoissonRegressor(alpha=0, tol=1e-10, max_iter=10_000).fit(X, y / exposure, sample_weight=exposure)
    np.testing.assert_allclose(model.predict(X), reference.predict(X), rtol=5e-3)


def test_two_valued_columns_give_gamma_regression():
    X, eta, rng = flags()
    y = rng.gamma(3.0, np.exp(eta) / 3.0)
    model = KAAMRegressor(loss="gamma", smoothing=1.0, select=False).fit(X, y)
    design = np.column_stack([np.ones(len(X)), X])

    def negative_log_likelihood(b):
        mu = np.exp(design @ b)
        return np.mean(y / mu + np.log(mu)), design.T @ (1 - y / mu) / len(y)

    best = minimize(negative_log_likelihood, np.zeros(5), jac=True, method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(model.predict(X), np.exp(design @ best.x), rtol=5e-3)


@pytest.mark.parametrize("smoothing", [0.3, 5.0])
def test_a_fixed_smoothing_of_levels_is_a_ridge_on_their_effects(smoothing):
    rng = np.random.default_rng(14)
    level = rng.choice(list("abcdefgh"), 500, p=np.arange(1, 9) / 36)
    eta = rng.normal(size=8)[np.searchsorted(list("abcdefgh"), level)]
    table, one_hot = pd.DataFrame({"level": level}), pd.get_dummies(level).astype(float)
    exact = {"tol": 1e-10, "max_iter": 10_000}
    for labels in (rng.random(500) < 1 / (1 + np.exp(-eta)), np.digitize(eta + rng.logistic(size=500), [-0.5, 1.0])):
        model = KAAMClassifier(smoothing=smoothing).fit(table, labels)
        reference = LogisticRegression(C=1 / smoothing, **exact).fit(one_hot, labels)
        np.testing.assert_allclose(model.predict_proba(table), reference.predict_proba(one_hot), atol=1e-4)
    counts = rng.poisson(np.exp(0.5 * eta))
    model = KAAMRegressor(loss="poisson", smoothing=smoothing).fit(table, counts)
    reference = PoissonRegressor(alpha=smoothing / 500, **exact).fit(one_hot, counts)
    np.testing.assert_allclose(model.predict(table), reference.predict(one_hot), rtol=1e-3)


@pytest.mark.parametrize("smoothing", [0.1, 10.0])
def test_a_fixed_smoothing_of_a_curve_is_the_penalised_maximum_found_by_brute_force(smoothing):
    """Minus log-likelihood + lambda / 2 times the roughness, in the unit where lambda = 1 means a curve of variance 1.

    That unit makes the prior variance of the curved part, averaged over the training rows, 1 / lambda.
    """
    rng = np.random.default_rng(15)
    x = rng.exponential(size=400)
    y = (rng.random(400) < 1 / (1 + np.exp(-2 * np.sin(2 * x)))).astype(float)
    knots = np.quantile(x, np.arange(1, 7) / 7, method="hazen")
    knots = np.concatenate([[x.min()] * 4, knots, [x.max()] * 4])
    B = BSpline.design_matrix(x, knots, 3).toarray()
    breaks = np.unique(knots)
    nodes, weights = np.polynomial.legendre.leggauss(3)  # exact for squares of linear functions
    half = np.diff(breaks)[:, None] / 2
    points = (breaks[:-1, None] + half * (nodes + 1)).ravel()
    curvature = BSpline(knots, np.eye(B.shape[1]), 3)(points, nu=2)
    roughness = curvature.T @ ((half * weights).ravel()[:, None] * curvature)
    wiggles = eigh(roughness, B.T @ B / 400, eigvals_only=True)[2:]  # the first two are the constant and the line
    roughness = roughness * (1 / wiggles).sum()

    def penalised(b):
        eta = B @ b
        value = np.logaddexp(0, eta).sum() - y @ eta + smoothing / 2 * b @ roughness @ b
        return value, B.T @ (1 / (1 + np.exp(-eta)) - y) + smoothing * roughness @ b

    best = minimize(penalised, np.zeros(B.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-8, "maxiter": 5000})
    model = KAAMClassifier(n_knots=6, smoothing=smoothing, select=False, tol=1e-8).fit(x[:, None], y)
    np.testing.assert_allclose(model.decision_function(x[:, None]), B @ best.x, atol=2e-3)


def test_a_stronger_smoothing_is_a_stiffer_curve_and_a_worse_fit_to_the_training_rows():
    rng = np.random.default_rng(4)
    X = rng.uniform(-3, 3, (400, 1))
    y = rng.random(400) < 1 / (1 + np.exp(-3 * np.sin(2 * X[:, 0])))
    models = [KAAMClassifier(smoothing=value, select=False).fit(X, y) for value in np.logspace(-4, 10, 8)]
    edf = [model.edf_["x0"] for model in models]
    loss = [log_loss(y, model.predict_proba(X)) for model in models]
    assert np.all(np.diff(edf) < 1e-6) and edf[0] > 6 and edf[-1] < 1.1
    assert np.all(np.diff(loss) > -1e-9)


# --------------------------------------------------------------------------------------------- weights and exposure


@pytest.mark.parametrize("smoothing", ["auto", "reml"])
def test_doubling_the_exposure_only_shifts_the_intercept(smoothing):
    rng = np.random.default_rng(5)
    X = rng.uniform(-2, 2, (500, 2))
    exposure = rng.uniform(0.5, 4.0, 500)
    y = rng.poisson(exposure * np.exp(np.sin(2 * X[:, 0]))).astype(float)
    model = KAAMRegressor(loss="poisson", smoothing=smoothing)
    once = model.fit(X, y, exposure=exposure)
    intercept, curves = once.intercept_, once.explain(X).values
    twice = model.fit(X, y, exposure=2 * exposure)
    assert twice.intercept_ - intercept == pytest.approx(-np.log(2), abs=1e-6)
    np.testing.assert_allclose(twice.explain(X).values, curves, atol=1e-6)


def test_an_exposure_of_one_is_no_exposure_and_predictions_are_rates():
    rng = np.random.default_rng(6)
    X = rng.uniform(-2, 2, (3000, 1))
    exposure = rng.uniform(0.1, 10.0, 3000)
    rate = np.exp(0.5 * np.sin(2 * X[:, 0]))
    y = rng.poisson(exposure * rate).astype(float)
    model = KAAMRegressor(loss="poisson").fit(X, y, exposure=exposure)
    np.testing.assert_allclose(model.predict(X), rate, rtol=0.1)
    plain = KAAMRegressor(loss="poisson").fit(X, y)
    unit = KAAMRegressor(loss="poisson").fit(X, y, exposure=np.ones(3000))
    np.testing.assert_allclose(unit.predict(X), plain.predict(X), rtol=1e-10)


@pytest.mark.parametrize("class_weight", ["balanced", {"rare": 5.0, "common": 0.5}])
def test_class_weight_is_the_sample_weight_it_stands_for(class_weight):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(500, 3))
    y = np.where(rng.random(500) < 1 / (1 + np.exp(2 - 2 * X[:, 0])), "rare", "common")
    if class_weight == "balanced":
        count = {label: np.sum(y == label) for label in ("rare", "common")}
        weights = {label: 500 / (2 * count[label]) for label in count}
    else:
        weights = class_weight
    model = KAAMClassifier(class_weight=class_weight).fit(X, y)
    reference = KAAMClassifier().fit(X, y, sample_weight=np.array([weights[label] for label in y]))
    np.testing.assert_allclose(model.decision_function(X), reference.decision_function(X), atol=1e-6)
    if class_weight == "balanced":
        balance = [weights[label] for label in y]
        np.testing.assert_allclose(np.average(model.predict_proba(X), axis=0, weights=balance), 0.5, atol=1e-5)


# ------------------------------------------------------------------------------------------------------ hard tables


@pytest.mark.parametrize("gap", [0.0, 10.0])
@pytest.mark.parametrize("select", [True, False])
def test_separable_classes_converge_to_finite_curves(gap, select):
    rng = np.random.default_rng(8)
    x = np.concatenate([rng.uniform(0, 1, 60), rng.uniform(1, 2, 60) + gap])
    X = np.column_stack([x, x**2, rng.normal(size=120)])  # tied columns beside the separation
    y = np.repeat([0, 1], 60)
    model = KAAMClassifier(select=select).fit(X, y)
    assert model.n_iter_ < model.max_iter
    assert model.score(X, y) == 1.0
    assert np.isfinite(model.decision_function(X)).all() and np.abs(model.decision_function(X)).max() < 1e4
    shape = model.shape_function("x0")
    assert np.isfinite(shape.lower_simultaneous).all() and np.isfinite(shape.upper_simultaneous).all()


@pytest.mark.parametrize("response", ["gaussian", "binary"])
def test_more_columns_than_rows_still_finds_the_one_that_matters(response):
    rng = np.random.default_rng(9)
    X = rng.normal(size=(40, 60))
    score = 3 * X[:, 7] + 0.3 * rng.normal(size=40)
    model = KAAMRegressor().fit(X, score) if response == "gaussian" else KAAMClassifier().fit(X, score > 0)
    assert model.feature_importances_.argmax() == 7
    fresh = rng.normal(size=(500, 60))
    answer = model.predict(fresh) if response == "gaussian" else model.decision_function(fresh)
    assert np.corrcoef(answer, fresh[:, 7])[0, 1] > 0.6


def test_columns_that_repeat_each_other_share_their_effect_without_harm():
    rng = np.random.default_rng(10)
    x = rng.uniform(-2, 2, 500)
    y = np.sin(2 * x) + 0.3 * rng.normal(size=500)
    once = KAAMRegressor().fit(x[:, None], y).predict(x[:, None])
    thrice = KAAMRegressor().fit(np.column_stack([x, x, 5 - 2 * x]), y)
    np.testing.assert_allclose(thrice.predict(np.column_stack([x, x, 5 - 2 * x])), once, atol=0.1)
    assert thrice.concurvity()["concurvity"].min() > 0.99


# -------------------------------------------------------------------------------------------------- recovered truths

CURVES = {
    "wave": lambda x: np.sin(3 * x),
    "valley": lambda x: x**2 - 1 / 3,
    "line": lambda x: x,
    "nothing": lambda x: np.zeros_like(x),
}


@pytest.mark.parametrize("smoothing", ["auto", "reml"])
@pytest.mark.parametrize("response", ["binary", "gaussian", "poisson", "gamma"])
def test_known_curves_are_recovered(response, smoothing):
    rng = np.random.default_rng(11)
    X = pd.DataFrame({name: rng.uniform(-1, 1, 2000) for name in CURVES})
    eta = sum(curve(X[name].to_numpy()) for name, curve in CURVES.items())
    model, y = {
        "binary": lambda: (KAAMClassifier(smoothing=smoothing), rng.random(2000) < 1 / (1 + np.exp(-2 * eta))),
        "gaussian": lambda: (KAAMRegressor(smoothing=smoothing), eta + 0.5 * rng.normal(size=2000)),
        "poisson": lambda: (KAAMRegressor(loss="poisson", smoothing=smoothing), rng.poisson(np.exp(eta))),
        "gamma": lambda: (KAAMRegressor(loss="gamma", smoothing=smoothing), rng.gamma(2.0, np.exp(eta) / 2.0)),
    }[response]()
    model.fit(X, y)
    factor = 2.0 if response == "binary" else 1.0
    grid = np.linspace(-0.95, 0.95, 60)
    for name, curve in CURVES.items():
        y_hat = model.shape_function(name, grid=grid).y
        truth = factor * (curve(grid) - curve(X[name].to_numpy()).mean())
        if name == "nothing":
            assert np.abs(y_hat).max() < 0.25 * factor
        else:
            assert np.corrcoef(y_hat, truth)[0, 1] > 0.95, name
            assert np.sqrt(np.mean((y_hat - truth) ** 2)) < 0.15 * factor, name
    assert model.feature_importances_[3] < 0.1


def test_a_known_multinomial_additive_model_is_recovered():
    rng = np.random.default_rng(12)
    X = rng.uniform(-2, 2, (4000, 3))
    score = np.column_stack([np.sin(2 * X[:, 0]), X[:, 1], 0.5 * X[:, 0] ** 2 - 0.7])
    truth = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    y = np.array(["a", "b", "c"])[(rng.random(4000)[:, None] > truth.cumsum(axis=1)).sum(axis=1)]
    model = KAAMClassifier().fit(X, y)
    probability = model.predict_proba(X)
    assert np.abs(probability - truth).mean() < 0.03
    for k in range(3):
        assert np.corrcoef(probability[:, k], truth[:, k])[0, 1] > 0.97
    assert model.feature_importances_[2] < 0.1


def test_levels_with_few_rows_are_pulled_to_the_middle():
    """Partial pooling: the rarer the level, the smaller its estimate for the same raw difference."""
    level = np.repeat(["common", "rare", "rest"], [200, 4, 400])
    rng = np.random.default_rng(13)
    y = np.where(level == "rest", 0.0, 1.0) + rng.normal(size=604)
    y[200:204] += 1.0 - y[200:204].mean()  # exactly the same raw mean as ...
    y[:200] += 1.0 - y[:200].mean()
    shape = KAAMRegressor().fit(pd.DataFrame({"level": level}), y).shape_function("level")
    effect = dict(zip(shape.x, shape.y, strict=True))
    assert effect["rest"] < effect["rare"] < effect["common"]
    error = dict(zip(shape.x, shape.se, strict=True))
    assert error["rare"] > 2 * error["common"]


def test_a_rare_level_of_a_long_table_keeps_its_own_effect():
    rng = np.random.default_rng(12)
    n = 120_000
    level = np.array(["a", "b", "c"], dtype=object)[rng.integers(0, 3, n)]
    level[[7, 70_001]] = "rare"
    flag = np.zeros(n)
    flag[[11, 40_001, 90_001]] = 1.0
    effect = pd.Series({"a": -1.0, "b": 0.0, "c": 1.0, "rare": 3.0})
    y = effect[level].to_numpy() + 2 * flag + 0.1 * rng.normal(size=n)
    X = pd.DataFrame({"level": pd.Categorical(level), "flag": flag})
    model = KAAMRegressor().fit(X, y)
    assert model.score(X, y) > 0.98
    shape = model.shape_function("level", ["c", "rare"])
    assert shape.y[1] - shape.y[0] == pytest.approx(2.0, abs=0.2)
    assert np.ptp(model.shape_function("flag", [0.0, 1.0]).y) == pytest.approx(2.0, abs=0.3)


def test_the_standard_error_of_a_new_level_is_the_spread_of_levels():
    rng = np.random.default_rng(13)
    names = np.array([f"site {k}" for k in range(40)], dtype=object)
    effect = 2.0 * rng.normal(size=40)
    site = rng.integers(0, 40, 2000)
    X = pd.DataFrame({"site": names[site], "x": rng.normal(size=2000)})
    y = effect[site] + X["x"].to_numpy() + rng.normal(size=2000)
    model = KAAMRegressor().fit(X, y)
    with pytest.warns(UnseenCategoryWarning, match="a new site"):
        mean, se = model.predict(pd.DataFrame({"site": ["site 3", "a new site"], "x": 0.0}), return_std=True)
    assert mean[1] == pytest.approx(model.intercept_ + model.shape_function("x", [0.0]).y[0])
    assert se[0] < 0.3 and se[1] == pytest.approx(effect.std(ddof=1), rel=0.2)
