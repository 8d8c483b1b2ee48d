"""Integrated smoothing parameters against numerical integration of the same posterior."""

import numpy as np
import pytest
from scipy.integrate import quad_vec
from scipy.stats import multivariate_normal, norm

from kan_tabular.fitted.smoothing import SmoothingPosterior, TermSmoothing


def term(rho, *, sizes=(1,), scale=(1.0,), kinds=("linear",), free=None, center=None, spread=0.0):
    n = len(sizes)
    rho = np.broadcast_to(rho, n).astype(float).tolist()
    return TermSmoothing(
        kinds=list(kinds),
        sizes=list(sizes),
        scale=list(scale),
        rho=rho,
        free=[True] * n if free is None else list(free),
        center=rho if center is None else list(np.broadcast_to(center, n)),
        spread=[spread] * n,
    )


def at_mode(information, estimate, smoothing, phi, n_outputs=1):
    """Posterior of a term at the chosen parameters: data say N(estimate, information^-1)."""
    group = np.tile(np.repeat(np.arange(len(smoothing.sizes)), smoothing.sizes), n_outputs)
    prior = np.exp(smoothing.rho)[group] * np.tile(smoothing.scale, n_outputs) / phi
    V = np.linalg.inv(information + np.diag(prior))
    return SmoothingPosterior(V, V @ information @ estimate, phi, smoothing, n_outputs)


def integrated(information, estimate, smoothing, phi, n_outputs=1):
    """E[V] + Cov[m] over the one smoothing parameter, by quadrature of Gaussian densities."""
    (center,), (spread,) = smoothing.center, smoothing.spread
    scale, data = np.tile(smoothing.scale, n_outputs), np.linalg.inv(information)

    def moments(rho):
        prior = np.diag(phi / (np.exp(rho) * scale))
        evidence = multivariate_normal.pdf(estimate, np.zeros(len(estimate)), prior + data)
        weight = evidence * norm.pdf(rho, center, spread)
        gain = prior @ np.linalg.inv(prior + data)
        mean, V = gain @ estimate, prior - gain @ prior
        return weight * np.concatenate([[1.0], mean, (V + np.outer(mean, mean)).ravel()])

    total = quad_vec(moments, center - 8 * spread, center + 8 * spread, epsrel=1e-9)[0]
    k = len(estimate)
    mean, second = total[1 : k + 1] / total[0], total[k + 1 :].reshape(k, k) / total[0]
    return second - np.outer(mean, mean)


@pytest.mark.parametrize("phi", [1.0, 0.3])
@pytest.mark.parametrize("estimate", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("rho", [0.5, 3.0])
def test_one_coefficient(rho, estimate, phi):
    case = np.array([[20.0]]), np.array([estimate]), term(rho, spread=1.0), phi
    np.testing.assert_allclose(at_mode(*case).covariance(), integrated(*case), rtol=0.03)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_several_coefficients_of_one_parameter(n_outputs):
    rng = np.random.default_rng(0)
    k = 3 * n_outputs
    root = rng.normal(size=(k, k))
    information = 10 * (root @ root.T + np.eye(k))
    smoothing = term(2.0, sizes=(3,), scale=(1.5, 4.0, 12.0), kinds=("curvature",), spread=1.0)
    # A draw from the prior at the chosen parameter: the grid stands where the posterior is.
    estimate = rng.normal(size=k) * np.sqrt(0.7 / (np.exp(2.0) * np.tile(smoothing.scale, n_outputs)))
    case = information, estimate, smoothing, 0.7, n_outputs
    own, expected = at_mode(*case).covariance(), integrated(*case)
    np.testing.assert_allclose(own, expected, atol=0.02 * np.diag(expected).max())


def two_groups(rho, **settings):
    return term(rho, sizes=(1, 4), scale=(1.0, 1.5, 6.0, 20.0, 70.0), kinds=("linear", "curvature"), **settings)


def information():
    root = np.random.default_rng(1).normal(size=(5, 5))
    return 30 * (root @ root.T + np.eye(5))


@pytest.mark.parametrize("rho", [-20.0, 0.0, 5.0, 15.0, 25.0])
@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_the_covariance_is_symmetric_and_positive_definite(rho, spread):
    estimate = np.random.default_rng(2).normal(size=5)
    V = at_mode(information(), estimate, two_groups(rho, spread=spread), 1.0).covariance()
    np.testing.assert_allclose(V, V.T, rtol=1e-8, atol=1e-14)
    assert np.linalg.eigvalsh(V).min() > 0


def test_a_term_that_was_shrunk_away_keeps_a_width():
    posterior = at_mode(information(), np.full(5, 0.01), two_groups(25.0), 1.0)
    assert np.trace(posterior.V) < 1e-9
    V = posterior.covariance()
    # Not more than the data alone would leave, not less than a hundredth of it.
    free = np.diag(np.linalg.inv(information()))
    assert (np.diag(V) < free).all() and (np.diag(V) > 0.01 * free).all()


def test_the_width_of_a_dead_term_does_not_depend_on_how_dead_it_is():
    widths = [np.diag(at_mode(information(), np.zeros(5), two_groups(r), 1.0).covariance()) for r in (15.0, 20.0, 25.0)]
    np.testing.assert_allclose(widths[1], widths[0], rtol=0.01)
    np.testing.assert_allclose(widths[2], widths[0], rtol=0.05)


def test_parameters_that_were_given_are_certain():
    estimate = np.random.default_rng(3).normal(size=5)
    fixed = at_mode(information(), estimate, two_groups(2.0, free=[False, False]), 1.0)
    np.testing.assert_array_equal(fixed.covariance(), fixed.V)
    # With one of two given, it is a term of one parameter: the line as if it had a certain prior of its own.
    case = information(), estimate, two_groups(2.0, free=[False, True], spread=1.0), 1.0
    alone = at_mode(*case).covariance()
    both = at_mode(information(), estimate, two_groups(2.0, spread=1.0), 1.0).covariance()
    assert not np.allclose(alone, both, rtol=1e-4)
    assert np.linalg.eigvalsh(alone).min() > 0


def test_a_certain_hierarchy_leaves_the_posterior_as_it_was():
    """With a narrow spread around the chosen values nothing is left to integrate: the grid's middle has all weight."""
    posterior = at_mode(information(), np.random.default_rng(4).normal(size=5), two_groups(2.0, spread=1e-3), 1.0)
    np.testing.assert_allclose(posterior.covariance(), posterior.V, rtol=1e-6, atol=1e-12)


def test_smoothing_survives_its_spec():
    smoothing = two_groups([1.0, 2.0], spread=0.5)
    assert TermSmoothing.from_spec(smoothing.to_spec()) == smoothing
