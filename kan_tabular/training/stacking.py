"""How much each candidate counts in the ensemble, from what it said of rows it had not seen."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

#: Weights above 1 sharpen what held-out rows show to be too timid.
_LARGEST = 1.2
#: Spread of the weights around equal shares that is believed before the data: 1 / (2 sd^2).
_PULL = 2.0
#: A candidate that is worse than the constant model by this factor has gone astray; optimisers stumble over it.
_ABSURD = 1e6
#: A candidate that carries less than this share is dropped.
_NEGLIGIBLE = 0.02


def stack(likelihood, base, candidates, y, weights):
    """Non-negative weights of the candidates that minimise the held-out loss.

    Parameters
    ----------
    likelihood : Likelihood
    base : ndarray (n, C)
        Linear predictor that is always there (the constant model).
    candidates : ndarray (k, n, C)
        What each candidate adds to it.
    y, weights : ndarray (n,)

    Returns
    -------
    ndarray (k,)

    Notes
    -----
    Stacked regression (Breiman 1996): a convex problem in k unknowns. Non-negativity keeps it from fitting noise and
    drops what the others already say. The weights have a normal prior around equal shares with standard deviation
    1/2: with few rows, the held-out loss of a candidate is luck as much as merit.
    """
    equal = np.full(len(candidates), 1 / len(candidates))
    start = base + np.tensordot(equal, candidates, 1)
    noise = 1.0
    if not likelihood.scale_known:  # log-likelihoods are at dispersion 1
        # Of the best there is: one candidate that went astray would make all weights equal, its own among them.
        noise = min(_noise(likelihood, eta, y, weights) for eta in (start, base, *(base + candidates)))

    def loss(w):
        eta = base + np.tensordot(w, candidates, 1)
        away = w - equal
        value = -likelihood.value(eta, y, weights) + _PULL * noise * away @ away
        slope = -np.tensordot(candidates, likelihood.gradient(eta, y, weights), 2) + 2 * _PULL * noise * away
        return value / weights.sum(), slope / weights.sum()

    def solve(free):
        bounds = [(0.0, _LARGEST if f else 0.0) for f in free]
        return minimize(loss, np.where(free, equal, 0.0), jac=True, bounds=bounds, method="L-BFGS-B").x

    worst = _ABSURD * (abs(likelihood.value(base, y, weights)) + weights.sum())
    w = solve(np.array([-likelihood.value(base + part, y, weights) < worst for part in candidates]))
    return solve(w > _NEGLIGIBLE * w.sum())


def _noise(likelihood, eta, y, weights):
    """Dispersion around `eta`."""
    slope = np.clip(likelihood.gradient(eta, y, weights), -1e100, 1e100)
    return float((slope**2).mean(1) @ (1 / np.maximum(weights, 1e-50)) / weights.sum())
