"""Weights of candidates against a plain search, and what they do with few and with many rows."""

import numpy as np
import pytest
from scipy.optimize import minimize

from kan_tabular.likelihoods import Bernoulli, Gaussian, Multinomial, Poisson
from kan_tabular.training import stacking
from kan_tabular.training.stacking import stack


def simulate(likelihood, n, seed=0):
    """A constant start, three candidates of different worth, and the response of their truth."""
    rng = np.random.default_rng(seed)
    C = likelihood.n_outputs
    truth = 0.8 * rng.normal(size=(n, C))
    candidates = np.stack([truth + 0.6 * rng.normal(size=(n, C)), truth + 0.9 * rng.normal(size=(n, C)), 0.4 * truth])
    base = np.full((n, C), 0.1)
    eta = base + truth
    y = {
        "squared_error": lambda: eta[:, 0] + 0.7 * rng.normal(size=n),
        "log_loss": lambda: (rng.random(n) < 1 / (1 + np.exp(-2 * eta[:, 0]))) * 1.0,
        "poisson": lambda: rng.poisson(np.exp(eta[:, 0])) * 1.0,
        "multinomial": lambda: (likelihood.inverse_link(2 * eta).cumsum(1) < rng.random((n, 1))).sum(1) * 1.0,
    }[likelihood.name]()
    return base, candidates, y, rng.integers(1, 4, n).astype(float)


LIKELIHOODS = [Gaussian(), Bernoulli(), Poisson(), Multinomial(3)]


@pytest.mark.parametrize("n", [30, 400])
@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=lambda v: v.name)
def test_weights_minimise_the_held_out_loss_and_its_prior(likelihood, n):
    base, candidates, y, weights = simulate(likelihood, n)
    w = stack(likelihood, base, candidates, y, weights)
    dispersion = 1.0
    if likelihood.name == "squared_error":
        models = [base, *(base + candidates), base + candidates.mean(0)]
        dispersion = min(np.average((y - eta[:, 0]) ** 2, weights=weights) for eta in models)

    def objective(v):
        eta = base + sum(share * part for share, part in zip(v, candidates, strict=True))
        away = v - 1 / 3
        return -likelihood.value(eta, y, weights) / dispersion + stacking._PULL * away @ away

    kept = w > 0
    assert kept.any() and (w >= 0).all()
    # No other weights of the candidates that count are better: by a search without derivatives, from elsewhere.
    start = np.where(kept, 0.2, 0.0)
    bounds = [(0.0, stacking._LARGEST if k else 0.0) for k in kept]
    found = minimize(objective, start, method="Powell", bounds=bounds, options={"xtol": 1e-7, "ftol": 1e-13})
    assert objective(w) < found.fun + 0.02  # in units of the log-likelihood: nothing
    assert n == 30 or objective(np.full(3, 1 / 3)) > objective(w) + 0.5


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=lambda v: v.name)
def test_weights_are_never_negative_and_a_useless_candidate_gets_none_with_many_rows(likelihood):
    base, candidates, y, weights = simulate(likelihood, 4000)
    noise = 0.8 * np.random.default_rng(5).normal(size=candidates[:1].shape)
    against = -candidates[1:2]  # regression would give it a negative weight
    w = stack(likelihood, base, np.concatenate([candidates[:1], noise, against]), y, weights)
    assert (w >= 0).all() and w[0] > 0.5
    assert w[1] < 0.1 and w[2] == 0.0


def test_duplicates_share_the_weight_of_one():
    likelihood = Bernoulli()
    base, candidates, y, weights = simulate(likelihood, 4000)
    once = stack(likelihood, base, candidates[:2], y, weights)
    twice = stack(likelihood, base, candidates[[0, 0, 1]], y, weights)
    assert twice[0] == pytest.approx(twice[1], abs=1e-4)
    assert twice[0] + twice[1] == pytest.approx(once[0], abs=0.03) and twice[2] == pytest.approx(once[1], abs=0.03)
    only = stack(likelihood, base, candidates[:1], y, weights)
    assert only.shape == (1,) and only[0] > 0.5


def test_few_rows_leave_equal_shares_and_many_do_not():
    likelihood, away = Bernoulli(), []
    for n in (3, 3000):
        ws = []
        for seed in range(8):
            base, candidates, y, weights = simulate(likelihood, n, seed)
            candidates = np.stack([candidates[0], -0.1 * candidates[0], 0 * candidates[0]])
            ws.append(stack(likelihood, base, candidates, y, np.ones(n)))
        away.append(np.abs(np.array(ws) - 1 / 3).max(1).mean())
    assert away[0] < 0.25 and away[1] > 0.5, away
    # What no row can judge stays at its share.
    assert stack(likelihood, base, 0 * candidates, y, weights) == pytest.approx(np.full(3, 1 / 3), abs=1e-6)


def test_the_unit_of_a_gaussian_response_does_not_matter():
    base, candidates, y, weights = simulate(Gaussian(), 60)
    w = stack(Gaussian(), base, candidates, y, weights)
    scaled = stack(Gaussian(), 1e3 * base, 1e3 * candidates, 1e3 * y, weights)
    np.testing.assert_allclose(scaled, w, atol=1e-3)


def test_frequencies_are_rows():
    likelihood = Poisson()
    base, candidates, y, weights = simulate(likelihood, 60)
    index = np.repeat(np.arange(60), weights.astype(int))
    repeated = stack(likelihood, base[index], candidates[:, index], y[index], np.ones(len(index)))
    np.testing.assert_allclose(stack(likelihood, base, candidates, y, weights), repeated, atol=1e-5)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=lambda v: v.name)
@pytest.mark.parametrize("far", [10.0, 1e3, 1e8])
def test_a_candidate_that_went_astray_gets_nothing_and_harms_nobody(likelihood, far):
    base, candidates, y, weights = simulate(likelihood, 60)
    astray = far * np.random.default_rng(7).normal(size=candidates[:1].shape)
    w = stack(likelihood, base, np.concatenate([candidates[:2], astray]), y, weights)
    assert w[2] < 0.1 / far and w[:2].sum() > 0.2
