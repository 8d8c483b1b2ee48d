"""The log marginal likelihood against a multivariate normal density, and every derivative by finite differences."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import multivariate_normal

from kan_tabular.likelihoods import helmert
from kan_tabular.solvers.smoothing import Groups, HyperPrior, WorkingModel, inverse, newton_step

N = 40
RHO = np.array([0.7, -1.0, 2.0, 0.2])


def groups(n_outputs=1, penalised=True):
    """Intercept, a line, a curvature of 3 columns, a category of 2 and a second curvature of 2."""
    return Groups(
        start=np.array([1, 2, 5, 7, 9]),
        scale=np.array([0.0, 1.0, 1.5, 3.0, 20.0, 1.0, 1.0, 2.0, 6.0]),
        kind=np.array(["linear", "curvature", "level", "curvature"], dtype=object),
        feature=np.array([0, 0, 1, 2]),
        free=np.ones(4, dtype=bool),
        penalised=np.array([penalised, True, True, True]),
        n_outputs=n_outputs,
    )


def gaussian_data():
    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(N), rng.normal(size=(N, 8))])
    return X, X @ rng.normal(size=9) + rng.normal(size=N)


def gaussian_model(scale_known, b0=None):
    X, y = gaussian_data()
    b0 = np.zeros(9) if b0 is None else b0
    residual = y - X @ b0
    return WorkingModel(X.T @ X, X.T @ residual, b0, float(residual @ residual), float(N), scale_known)


def model_of_several_outputs(C=3):
    rng = np.random.default_rng(1)
    X = np.column_stack([np.ones(N), rng.normal(size=(N, 8))])
    root = rng.normal(size=(N, C, C))
    A = sum(np.kron(R @ R.T, np.outer(x, x)) for R, x in zip(root, X, strict=True))
    return WorkingModel(A, A @ rng.normal(size=9 * C) * 0.3, 0.1 * rng.normal(size=9 * C), 0.0, float(N), True)


MODELS = {
    "phi known": lambda: (gaussian_model(True), groups()),
    "phi unknown": lambda: (gaussian_model(False), groups()),
    "phi unknown, free line": lambda: (gaussian_model(False), groups(penalised=False)),
    "three outputs": lambda: (model_of_several_outputs(), groups(3)),
}


def finite_differences(f, rho, h=1e-4):
    """Derivative of f (scalar or vector) along each coordinate, stacked on the last axis."""
    steps = h * np.eye(len(rho))
    return np.stack([(f(rho + s) - f(rho - s)) / (2 * h) for s in steps], axis=-1)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("rho", [RHO, np.array([8.0, -6.0, 12.0, 3.0])], ids=["moderate", "extreme"])
def test_derivatives_of_the_marginal_likelihood(name, rho):
    model, g = MODELS[name]()
    posterior = model.solve(g, rho)
    value = finite_differences(lambda r: model.solve(g, r).value, rho)
    np.testing.assert_allclose(posterior.gradient, value, rtol=1e-5, atol=1e-6)
    slope = finite_differences(lambda r: model.solve(g, r).gradient, rho)
    np.testing.assert_allclose(posterior.hessian, slope, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scale_known", [True, False])
def test_marginal_likelihood_is_a_multivariate_normal_density(scale_known):
    """y ~ N(1 b_0, phi (I + X S^-1 X')); the intercept goes by contrasts (restricted likelihood)."""
    X, y = gaussian_data()
    K = helmert(N)

    def direct(rho):
        precision = groups().precision(rho)[1:]
        Z = K.T @ X[:, 1:]
        covariance = np.eye(N - 1) + (Z / precision) @ Z.T

        def density(phi):
            return multivariate_normal.logpdf(K.T @ y, np.zeros(N - 1), phi * covariance)

        if scale_known:
            return density(1.0)
        return -minimize_scalar(lambda t: -density(np.exp(t)), bounds=(-8, 8), options={"xatol": 1e-10}).fun

    model, other = gaussian_model(scale_known), np.array([-2.0, 1.0, 0.5, 3.0])
    own = model.solve(groups(), RHO).value - model.solve(groups(), other).value
    assert own == pytest.approx(direct(RHO) - direct(other), rel=1e-8)


def test_posterior_is_that_of_the_ridge_regression_whatever_the_working_point():
    X, y = gaussian_data()
    precision = groups().precision(RHO)
    H = X.T @ X + np.diag(precision)
    b = np.linalg.solve(H, X.T @ y)
    residual = y - X @ b
    for b0 in (None, np.random.default_rng(2).normal(size=9)):
        posterior = gaussian_model(False, b0).solve(groups(), RHO)
        np.testing.assert_allclose(posterior.b, b, atol=1e-10)
        np.testing.assert_allclose(posterior.V, np.linalg.inv(H), atol=1e-12)
        assert posterior.phi == pytest.approx((residual @ residual + precision @ b**2) / (N - 1))
    # Effective degrees of freedom: the trace of the smoother that belongs to each group's columns.
    influence = np.diag(np.linalg.inv(H) @ X.T @ X)
    np.testing.assert_allclose(posterior.edf, np.add.reduceat(influence[1:], [0, 1, 4, 6]), atol=1e-10)


def test_groups_sum_over_outputs_and_columns():
    g = groups(2)
    M = np.random.default_rng(3).normal(size=(18, 18))
    member = np.tile(np.concatenate([[-1], np.repeat(np.arange(4), g.size)]), 2)
    indicator = (member[:, None] == np.arange(4)).astype(float)
    np.testing.assert_allclose(g.sums(M[0]), indicator.T @ M[0], atol=1e-12)
    np.testing.assert_allclose(g.sums2(M), indicator.T @ M @ indicator, atol=1e-12)
    np.testing.assert_allclose(g.precision(RHO), indicator @ np.exp(RHO) * np.tile(g.scale, 2))
    assert g.n_unpenalised == 2 and groups(2, penalised=False).n_unpenalised == 4


@pytest.mark.parametrize("rho", [RHO, np.array([35.0, -25.0, 20.0, 0.0])], ids=["moderate", "at the bounds"])
def test_inverse_is_numpys(rho):
    X, _ = gaussian_data()
    precision = groups().precision(rho)
    H = X.T @ X + np.diag(precision)
    V, log_det = inverse(X.T @ X, precision)
    np.testing.assert_allclose(V @ H, np.eye(9), atol=1e-8)
    assert log_det == pytest.approx(np.linalg.slogdet(H)[1], rel=1e-10)
    np.testing.assert_array_equal(V, V.T)


def test_inverse_refuses_what_is_not_positive_definite_and_mends_rounding():
    with pytest.raises(FloatingPointError, match="positive definite"):
        inverse(np.diag([1.0, -1.0]), np.zeros(2))
    singular = np.ones((2, 2)) * (1 + 1e-16)
    assert np.isfinite(inverse(singular, np.zeros(2))[0]).all()


@pytest.mark.parametrize("pooled", [True, False])
def test_derivatives_of_the_hyper_prior(pooled):
    prior = HyperPrior(groups(), pooled, 50.0)
    prior.weight = np.array([1.3, 0.4, 1.0, 1.2])
    rho = np.array([-9.0, -7.0, 2.0, 3.0])
    _, gradient, hessian = prior.derivatives(rho)
    np.testing.assert_allclose(gradient, finite_differences(lambda r: prior.derivatives(r)[0], rho), atol=1e-7)
    np.testing.assert_allclose(hessian, finite_differences(lambda r: prior.derivatives(r)[1], rho), atol=1e-7)


def test_the_hierarchy_pulls_terms_of_one_kind_together_and_lets_outliers_go():
    prior = HyperPrior(groups(), True, 50.0)
    assert [m.tolist() for m in prior.members] == [[0], [1, 3], [2]]
    together, apart = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, -3.0, 0.0, 5.0])
    assert prior.derivatives(together)[0] > prior.derivatives(apart)[0]
    np.testing.assert_allclose(prior.center(apart), [0.0, 1.0, 0.0, 1.0])
    certain = -1e6 * np.eye(4)
    prior.learn(apart, certain)
    # E[precision] of a t with 3 degrees of freedom: (3 + 1) / (3 + squared distance / scale^2), scale^2 = 1 + 6 / 2.
    np.testing.assert_allclose(prior.weight[[1, 3]], 4 / (3 + 16 / 4), rtol=1e-4)
    np.testing.assert_allclose(prior.spread()[[1, 3]], 2 / np.sqrt(4 / 7), rtol=1e-4)


def test_newton_step_climbs_and_leaves_fixed_parameters_alone():
    gradient, hessian = np.array([1.0, -2.0, 5.0]), np.diag([-2.0, 4.0, -1.0])
    step, gain = newton_step(gradient, hessian, np.array([True, True, False]))
    # Along a convex direction it still goes uphill, as far as the curvature's size says.
    np.testing.assert_allclose(step, [0.5, -0.5, 0.0])
    assert gain == pytest.approx(1.5)
    far, _ = newton_step(1e3 * gradient, hessian, np.ones(3, dtype=bool))
    assert np.abs(far).max() == pytest.approx(4.0)
    assert newton_step(gradient, hessian, np.zeros(3, dtype=bool))[1] == 0.0
