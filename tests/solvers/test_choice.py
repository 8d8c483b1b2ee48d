"""The family of each column by marginal likelihood: against the density of the response itself."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

from kan_tabular import KAAMClassifier, KAAMRegressor, load
from kan_tabular.bases import BSpline, Cosine, PiecewiseLinear
from kan_tabular.solvers.choice import _evidence

POOL = (BSpline(8), Cosine(13), PiecewiseLinear(12))


@pytest.mark.parametrize("phi", [1.0, 0.3])
def test_evidence_is_the_log_density_of_the_response_up_to_a_constant(phi):
    rng = np.random.default_rng(0)
    n = 12
    z = rng.normal(size=n)
    differences = []
    for k in (1, 3, 6):
        X, S, w = rng.normal(size=(n, k)), rng.uniform(0.2, 4.0, k), np.ones(n)
        evidence = _evidence(X.T @ (w[:, None] * X), S, X.T @ (w * z), phi)
        cov = phi * (np.eye(n) + X @ np.diag(1 / S) @ X.T)
        differences.append(evidence - multivariate_normal(np.zeros(n), cov).logpdf(z))
    np.testing.assert_allclose(differences, differences[0], atol=1e-10)


def table(n=600, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"wave": rng.uniform(-1, 1, n), "step": rng.uniform(-1, 1, n), "k": rng.choice(list("ab"), n)})
    X["constant"] = 1.0
    X.loc[::9, "step"] = np.nan
    truth = 1.5 * np.sin(15 * X["wave"]) + 3.0 * (X["step"] > 0.3) + (X["k"] == "a")
    return X, truth.to_numpy(float), rng


def test_each_column_gets_the_family_that_suits_it():
    X, truth, rng = table()
    y = truth + 0.3 * rng.normal(size=len(truth))
    model = KAAMRegressor(basis=POOL).fit(X, y)
    assert model.spaces_["wave"] == "cosine" and list(model.spaces_) == ["wave", "step"]
    models = [model, *(KAAMRegressor(basis=alone).fit(X, y) for alone in POOL)]
    error, *alone = (np.sqrt(np.mean((m.predict(X) - truth) ** 2)) for m in models)
    assert error < 1.05 * min(alone) and error < 0.5 * max(alone)


def test_a_chosen_family_fits_as_it_does_alone():
    """After the choice the model is the plain one of those families, bands and all."""
    X, truth, rng = table()
    y = truth + 0.3 * rng.normal(size=len(truth))
    pooled = KAAMRegressor(basis=(Cosine(13), BSpline(1))).fit(X[["wave"]], y)
    alone = KAAMRegressor(basis=Cosine(13)).fit(X[["wave"]], y)
    assert pooled.spaces_ == {"wave": "cosine"}
    for name in ("y", "se", "upper_simultaneous"):
        a, b = (getattr(m.shape_function("wave"), name) for m in (pooled, alone))
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("classes", [2, 3])
def test_classes(classes, tmp_path):
    X, truth, rng = table(1200)
    score = 2 * truth + rng.logistic(size=len(truth))
    y = np.digitize(score, np.quantile(score, np.arange(1, classes) / classes))
    model = KAAMClassifier(basis=("bspline", Cosine(13), PiecewiseLinear(12))).fit(X, y)
    assert model.spaces_["wave"] == "cosine"
    model.save(tmp_path / "m.kan")
    loaded = load(tmp_path / "m.kan")
    assert loaded.spaces_ == model.spaces_ and json.dumps(loaded.spaces_)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("basis", [("bspline",), ("bspline", "rational"), ("bspline", 3), ()])
def test_a_pool_needs_two_linear_families(basis):
    X, truth, _ = table(100)
    with pytest.raises(ValueError, match="basis"):
        KAAMRegressor(basis=basis).fit(X, truth)
