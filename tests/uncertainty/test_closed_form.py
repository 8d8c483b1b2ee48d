"""Jackknife+ around additive models, by one fit in closed form, against fits without each row."""

import numpy as np
import pandas as pd
import pytest
from mapie.regression import CrossConformalRegressor
from scipy.special import expit
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import LeaveOneOut

from kan_tabular import KAAMClassifier, KAAMRegressor
from kan_tabular.uncertainty import ConformalClassifier, ConformalRegressor
from kan_tabular.uncertainty._out_of_fold import ClosedForm, Refits

N = 80


@pytest.fixture(scope="module")
def flags():
    """Two-valued columns: their lines without penalty are those of ordinary regression, knots or not."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({name: rng.integers(0, 2, 2 * N).astype(float) for name in "abc"})
    eta = X["a"].to_numpy() - 0.5 * X["b"].to_numpy()
    return X, eta + 0.5 * rng.normal(size=2 * N), np.where(rng.random(2 * N) < expit(2 * eta), "up", "down")


def test_intervals_are_those_of_mapie_around_least_squares(flags):
    X, y, _ = flags
    levels = (0.8, 0.9)
    own = ConformalRegressor(KAAMRegressor(select=False), method="jackknife+", confidence_level=levels)
    own.fit(X[:N], y[:N])
    peer = CrossConformalRegressor(LinearRegression(), levels, cv=LeaveOneOut()).fit_conformalize(X[:N], y[:N])
    assert isinstance(own.out_of_fold_, ClosedForm)
    np.testing.assert_allclose(own.predict_interval(X[N:]), peer.predict_interval(X[N:])[1], atol=1e-4)


def test_sets_are_those_of_refits_of_logistic_regression(flags):
    X, _, y = flags
    own = ConformalClassifier(KAAMClassifier(select=False), method="jackknife+").fit(X[:N], y[:N])
    peer = ConformalClassifier(LogisticRegression(C=np.inf, tol=1e-8), method="jackknife+").fit(X[:N], y[:N])
    assert isinstance(own.out_of_fold_, ClosedForm)
    assert isinstance(peer.out_of_fold_, Refits)
    np.testing.assert_allclose(own.out_of_fold_.unseen, peer.out_of_fold_.unseen, atol=2e-3)
    # p-values count rows that are at least as strange: ties of flags fall to either side by rounding
    np.testing.assert_allclose(own.p_values(X[N:]), peer.p_values(X[N:]), atol=0.05)


def test_intervals_are_quantiles_of_leave_one_out_predictions_and_residuals():
    rng = np.random.default_rng(1)
    X = rng.uniform(-1, 1, (150, 2))
    y = np.sin(3 * X[:, 0]) + 0.3 * rng.normal(size=150)
    own = ConformalRegressor(KAAMRegressor(), method="jackknife+", confidence_level=0.9).fit(X[:100], y[:100])
    unseen, others = KAAMRegressor().fit(X[:100], y[:100]).leave_one_out(X[:100], y[:100], at=X[100:])
    residual = np.abs(y[:100] - unseen)
    k = int(np.ceil(0.9 * 101))
    expected = np.stack(
        [np.sort(others - residual, axis=1)[:, 100 - k], np.sort(others + residual, axis=1)[:, k - 1]], axis=1
    )
    np.testing.assert_allclose(own.predict_interval(X[100:]), expected, rtol=1e-10)
    np.testing.assert_array_equal(own.predict_interval(X[100:].tolist()), own.predict_interval(X[100:]))


@pytest.mark.parametrize("settings, groups", [({"conformity_score": "normalized"}, None), ({}, np.arange(30) // 3)])
def test_models_are_fitted_again_where_the_closed_form_does_not_apply(settings, groups):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(30, 1))
    own = ConformalRegressor(KAAMRegressor(n_knots=3), method="jackknife+", **settings)
    own.fit(X, X[:, 0] + rng.normal(size=30), groups=groups)
    assert isinstance(own.out_of_fold_, Refits)
    assert len(own.out_of_fold_.models) == (30 if groups is None else 10)


def test_weights_reach_the_closed_form():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 1))
    y = X[:, 0] + rng.normal(size=60)
    weights = rng.integers(0, 3, 60).astype(float)
    own = ConformalRegressor(KAAMRegressor(), method="jackknife+").fit(X, y, sample_weight=weights)
    counted = weights > 0
    expected = KAAMRegressor().fit(X, y, weights).leave_one_out(X, y, weights)[counted]
    np.testing.assert_allclose(own.out_of_fold_.unseen[:, 0], expected, atol=1e-9)
