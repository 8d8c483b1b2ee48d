"""Likelihoods against SciPy's densities, scikit-learn's metrics and finite differences."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import log_loss, mean_gamma_deviance, mean_pinball_loss, mean_poisson_deviance, mean_squared_error

from kan_tabular.likelihoods import (
    REGISTRY,
    Bernoulli,
    Gamma,
    Gaussian,
    MultiGaussian,
    Multinomial,
    Poisson,
    Quantile,
    helmert,
    likelihood_from_spec,
)

N = 12
ALL = {
    "gaussian": Gaussian(),
    "bernoulli": Bernoulli(),
    "multinomial": Multinomial(4),
    "poisson": Poisson(),
    "gamma": Gamma(),
    "targets": MultiGaussian(2),
}


def case(name):
    """A likelihood, two predictors, a target and weights."""
    rng = np.random.default_rng(0)
    likelihood = ALL[name]
    eta, other = rng.normal(size=(2, N, likelihood.n_outputs))
    y = {
        "gaussian": rng.normal(size=N),
        "bernoulli": rng.integers(0, 2, N).astype(float),
        "multinomial": np.arange(N) % 4 * 1.0,
        "poisson": rng.poisson(2.0, N).astype(float),
        "gamma": rng.gamma(2.0, 1.0, N),
        "targets": rng.normal(size=(N, 2)),
    }[name]
    return likelihood, eta, other, y, rng.uniform(0.5, 3.0, N)


def density(name, likelihood, eta, y):
    """Log density of each row at dispersion 1, from SciPy."""
    mean = likelihood.inverse_link(eta)
    if name == "multinomial":
        return stats.multinomial.logpmf(np.eye(4)[y.astype(int)], 1, mean)
    if name == "targets":
        return stats.norm.logpdf(y, mean).sum(1)
    mean = mean[:, 0]
    return {
        "gaussian": lambda: stats.norm.logpdf(y, mean),
        "bernoulli": lambda: stats.bernoulli.logpmf(y, mean),
        "poisson": lambda: stats.poisson.logpmf(y, mean),
        "gamma": lambda: stats.gamma.logpdf(y, 1.0, scale=mean),
    }[name]()


def finite_difference(f, eta, h=1e-5):
    """Derivative of f(eta) (scalar or rows) with respect to each cell of eta: last axis the cell's column."""
    columns = []
    for c in range(eta.shape[1]):
        step = np.zeros_like(eta)
        step[:, c] = h
        columns.append((f(eta + step) - f(eta - step)) / (2 * h))
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("name", ALL)
def test_value_is_the_log_density_up_to_a_constant(name):
    likelihood, eta, other, y, w = case(name)
    expected = w @ (density(name, likelihood, eta, y) - density(name, likelihood, other, y))
    assert likelihood.value(eta, y, w) - likelihood.value(other, y, w) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", ALL)
def test_gradient_by_finite_differences(name):
    likelihood, eta, _, y, w = case(name)

    rows = [slice(i, i + 1) for i in range(N)]

    def values(e):
        return np.array([likelihood.value(e[i], y[i], w[i]) for i in rows])

    gradient = likelihood.gradient(eta, y, w)
    assert gradient.shape == eta.shape
    np.testing.assert_allclose(gradient, finite_difference(values, eta), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", ALL)
def test_hessian_by_finite_differences(name):
    likelihood, eta, _, y, w = case(name)
    if name == "gamma":
        # Fisher information: the curvature is linear in y, so its expectation is the curvature at y = mean.
        y = likelihood.inverse_link(eta)[:, 0]
    hessian = likelihood.hessian(eta, y, w)
    assert hessian.shape == (N, eta.shape[1], eta.shape[1])
    expected = -finite_difference(lambda e: likelihood.gradient(e, y, w), eta)
    np.testing.assert_allclose(hessian, expected, rtol=1e-6, atol=1e-8)
    assert np.linalg.eigvalsh(hessian).min() > 0


@pytest.mark.parametrize("name", ALL)
def test_weights_are_frequencies(name):
    likelihood, eta, _, y, _ = case(name)
    repeats = np.arange(N) % 3
    ones = np.ones(repeats.sum())
    assert likelihood.value(eta, y, repeats) == pytest.approx(
        likelihood.value(np.repeat(eta, repeats, 0), np.repeat(y, repeats, 0), ones)
    )
    np.testing.assert_allclose(
        likelihood.initial(y, repeats), likelihood.initial(np.repeat(y, repeats, 0), ones), atol=1e-12
    )


@pytest.mark.parametrize("name", ALL)
def test_links_are_inverse_and_initial_is_the_best_intercept(name):
    likelihood, eta, _, y, w = case(name)
    np.testing.assert_allclose(likelihood.link(likelihood.inverse_link(eta)), eta, atol=1e-12)
    start = np.tile(likelihood.initial(y, w), (N, 1))
    np.testing.assert_allclose(likelihood.gradient(start, y, w).sum(0), 0.0, atol=1e-10)


def test_initial_poisson_intercept_counts_the_exposure():
    likelihood, _, other, y, w = case("poisson")
    eta = likelihood.initial(y, w, other[:, 0]) + other
    assert abs(likelihood.gradient(eta, y, w).sum()) < 1e-10
    assert np.isfinite(likelihood.initial(np.zeros(N), w)).all()


@pytest.mark.parametrize(
    "name, metric",
    [
        ("gaussian", lambda y, mean, w: w.sum() * mean_squared_error(y, mean, sample_weight=w)),
        ("bernoulli", lambda y, mean, w: 2 * w.sum() * log_loss(y, mean, sample_weight=w)),
        ("multinomial", lambda y, mean, w: 2 * w.sum() * log_loss(y, mean, sample_weight=w)),
        ("poisson", lambda y, mean, w: w.sum() * mean_poisson_deviance(y, mean, sample_weight=w)),
        ("gamma", lambda y, mean, w: w.sum() * mean_gamma_deviance(y, mean, sample_weight=w)),
        ("targets", lambda y, mean, w: 2 * w.sum() * mean_squared_error(y, mean, sample_weight=w)),
    ],
)
def test_deviance_is_scikit_learns(name, metric):
    likelihood, eta, _, y, w = case(name)
    mean = likelihood.inverse_link(eta)
    mean = mean if mean.shape[1] > 1 else mean[:, 0]
    assert likelihood.deviance(mean, y, w) == pytest.approx(metric(y, mean, w), rel=1e-10)


@pytest.mark.parametrize("name", ["gaussian", "bernoulli", "multinomial", "poisson"])
def test_deviance_differs_as_twice_the_log_likelihood(name):
    likelihood, eta, other, y, w = case(name)
    shape = (lambda m: m) if name == "multinomial" else (lambda m: m[:, 0])
    difference = [likelihood.deviance(shape(likelihood.inverse_link(e)), y, w) for e in (eta, other)]
    gain = likelihood.value(other, y, w) - likelihood.value(eta, y, w)
    assert difference[0] - difference[1] == pytest.approx(2 * gain)


@pytest.mark.parametrize("k", [2, 3, 7])
def test_helmert_contrasts_are_orthonormal_and_sum_to_zero(k):
    c = helmert(k)
    np.testing.assert_allclose(c.T @ c, np.eye(k - 1), atol=1e-14)
    np.testing.assert_allclose(c.sum(0), 0.0, atol=1e-14)
    np.testing.assert_allclose(c @ c.T, np.eye(k) - 1 / k, atol=1e-14)


def test_multinomial_does_not_depend_on_the_order_of_the_classes():
    likelihood, eta, _, y, w = case("multinomial")
    c, order = likelihood.contrasts, np.array([2, 0, 3, 1])
    turn = c[order].T @ c  # class k stands where order[k] stood
    eta2, y2 = eta @ turn, np.argsort(order)[y.astype(int)].astype(float)
    np.testing.assert_allclose(likelihood.inverse_link(eta2), likelihood.inverse_link(eta)[:, order], atol=1e-12)
    np.testing.assert_allclose((eta2**2).sum(1), (eta**2).sum(1))  # the ridge
    assert likelihood.value(eta2, y2, w) == pytest.approx(likelihood.value(eta, y, w))
    np.testing.assert_allclose(likelihood.gradient(eta2, y2, w), likelihood.gradient(eta, y, w) @ turn, atol=1e-12)
    hessian = turn.T @ likelihood.hessian(eta, y, w) @ turn
    np.testing.assert_allclose(likelihood.hessian(eta2, y2, w), hessian, atol=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_torch_tensors_give_numpys_numbers(name):
    import torch

    likelihood, eta, _, y, w = case(name)
    tensors = [torch.tensor(a) for a in (eta, y, w)]
    assert likelihood.value(*tensors) == pytest.approx(likelihood.value(eta, y, w), rel=1e-13)
    for method in (likelihood.gradient, likelihood.hessian):
        own = method(*tensors)
        assert isinstance(own, torch.Tensor)
        np.testing.assert_allclose(own.numpy(), method(eta, y, w), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("weight", [1.0, 1e12])
def test_extreme_predictors_stay_finite(name, kind, weight):
    import torch

    likelihood, eta, _, y, w = case(name)
    w = weight * w
    eta = np.where(np.arange(N)[:, None] % 2, 1e3, -1e3) * np.where(np.arange(eta.shape[1]) % 2, -1.0, 1.0)
    arguments = [torch.tensor(a) for a in (eta, y, w)] if kind == "torch" else [eta, y, w]
    assert np.isfinite(likelihood.value(*arguments))
    assert np.isfinite(np.asarray(likelihood.gradient(*arguments))).all()
    hessian = np.asarray(likelihood.hessian(*arguments))
    assert np.isfinite(hessian).all() and np.linalg.eigvalsh(hessian).min() >= -1e-12 * weight
    assert np.isfinite(likelihood.inverse_link(eta)).all()


def test_a_certain_and_right_prediction_has_no_gradient_a_wrong_one_has_all():
    w, eta = np.ones(2), np.array([[1e3], [-1e3]])
    np.testing.assert_allclose(Bernoulli().gradient(eta, np.array([1.0, 0.0]), w), 0.0, atol=1e-12)
    np.testing.assert_allclose(Bernoulli().gradient(eta, np.array([0.0, 1.0]), w)[:, 0], [-1.0, 1.0])
    assert Bernoulli().value(eta, np.array([0.0, 1.0]), w) == -2000.0


@pytest.mark.parametrize("name", ALL)
def test_a_likelihood_is_rebuilt_from_its_spec(name):
    likelihood = ALL[name]
    spec = {"name": likelihood.name, **{argument: getattr(likelihood, argument) for argument in likelihood.arguments}}
    again = likelihood_from_spec(spec)
    assert type(again) is type(likelihood) is REGISTRY[likelihood.name] and again.n_outputs == likelihood.n_outputs


LEVELS = (0.1, 0.5, 0.8)


def quantile_case():
    rng = np.random.default_rng(3)
    return Quantile(LEVELS), rng.normal(size=(N, 3)), rng.normal(size=N), rng.uniform(0.5, 3.0, N)


def test_quantile_loss_is_the_pinball_loss_up_to_its_rounded_corner():
    likelihood, eta, y, w = quantile_case()
    expected = sum(mean_pinball_loss(y, eta[:, k], alpha=t, sample_weight=w) for k, t in enumerate(LEVELS)) * w.sum()
    assert likelihood.deviance(eta, y, w) == pytest.approx(2 * expected)
    corner = len(LEVELS) * w.sum() * likelihood.corner * np.log(2)
    assert 0 <= -likelihood.value(eta, y, w) - expected <= corner


def test_quantile_derivatives_by_finite_differences():
    likelihood, eta, y, w = quantile_case()
    eta[:4] = y[:4, None] + 0.01 * np.arange(4)[:, None]  # where the corner is

    def values(e):
        return np.array([likelihood.value(e[i : i + 1], y[i : i + 1], w[i : i + 1]) for i in range(N)])

    np.testing.assert_allclose(
        likelihood.gradient(eta, y, w), finite_difference(values, eta, 1e-6), rtol=1e-5, atol=1e-7
    )
    curvature = -finite_difference(lambda e: likelihood.gradient(e, y, w), eta, 1e-6)
    np.testing.assert_allclose(likelihood.hessian(eta, y, w), curvature, rtol=1e-4, atol=1e-5)


def test_constant_quantiles_are_the_best_constants_and_never_cross():
    rng = np.random.default_rng(4)
    y, w = rng.gamma(2.0, 0.5, 4000), np.ones(4000)
    likelihood = Quantile(LEVELS)
    start = likelihood.initial(y, w)
    np.testing.assert_allclose(start, np.quantile(y, LEVELS), atol=2e-3)
    slope = likelihood.gradient(np.tile(start, (4000, 1)), y, w).mean(0)
    np.testing.assert_allclose(slope, 0.0, atol=0.01)
    assert (likelihood.inverse_link(np.array([[3.0, 1.0, 2.0]])) == [1.0, 2.0, 3.0]).all()


def test_quantiles_in_torch_and_from_their_spec():
    import torch

    likelihood, eta, y, w = quantile_case()
    tensors = [torch.tensor(a) for a in (eta, y, w)]
    assert likelihood.value(*tensors) == pytest.approx(likelihood.value(eta, y, w), rel=1e-12)
    np.testing.assert_allclose(likelihood.gradient(*tensors).numpy(), likelihood.gradient(eta, y, w), rtol=1e-12)
    again = likelihood_from_spec({"name": "quantile", "levels": list(LEVELS)})
    assert again.levels == LEVELS and again.n_outputs == 3


def test_quantiles_of_the_constant_model_take_weights_as_frequencies():
    rng = np.random.default_rng(2)
    y, repeats = np.round(rng.normal(size=60), 1), rng.integers(1, 5, 60)  # with ties
    repeated = Quantile(LEVELS).initial(np.repeat(y, repeats), np.ones(repeats.sum()))
    np.testing.assert_allclose(Quantile(LEVELS).initial(y, repeats.astype(float)), repeated)
    distinct = rng.permutation(60) * 1.0
    expected = np.quantile(distinct, LEVELS, method="hazen")
    np.testing.assert_allclose(Quantile(LEVELS).initial(distinct, np.ones(60)), expected)
