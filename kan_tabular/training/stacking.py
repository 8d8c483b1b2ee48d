"""How much each candidate counts in the ensemble, from what it said of rows it had not seen."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

#: Weights above 1 sharpen what held-out rows show to be too timid.
_LARGEST = 1.2
#: A candidate that carries less than this is dropped.
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
    drops what the others already say.
    """
    total = weights.sum()

    def loss(w):
        eta = base + np.tensordot(w, candidates, 1)
        slope = likelihood.gradient(eta, y, weights)
        return -likelihood.value(eta, y, weights) / total, -np.tensordot(candidates, slope, 2) / total

    k = len(candidates)
    w = minimize(loss, np.full(k, 1 / k), jac=True, bounds=[(0.0, _LARGEST)] * k, method="L-BFGS-B").x
    small = (w > 0) & (w < _NEGLIGIBLE * w.sum())
    if small.any():
        kept = ~small & (w > 0)
        w[small] = 0.0
        w[kept] = minimize(
            lambda v: _among(loss, kept, v),
            w[kept],
            jac=True,
            bounds=[(0.0, _LARGEST)] * int(kept.sum()),
            method="L-BFGS-B",
        ).x
    return w


def _among(loss, kept, values):
    w = np.zeros(len(kept))
    w[kept] = values
    value, slope = loss(w)
    return value, slope[kept]
