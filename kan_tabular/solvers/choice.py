"""Which family draws a column's curve: the one that marginal likelihood asks for."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

#: log smoothing parameters at which a space is tried.
_RHO = np.linspace(-12.0, 12.0, 49)


def choose_spaces(pool, problem, fit):
    """The space of each column, from a fit with all spaces of a `Pool`: one Basis a column.

    Everything but the column's own curve stays where that fit has it. What remains of the working response is then
    explained by the straight line and the curves of one space alone, whose smoothing parameter is at its best: the
    space with the largest marginal likelihood (of the working model, Wood 2011) is chosen. All that is needed are the
    fit's own cross-products.

    Parameters
    ----------
    pool : Pool
    problem : Problem
        With pooled terms.
    fit : AdditiveFit
    """
    model, q, C = fit.model, problem.design.n_columns, fit.b.shape[1]
    b, phi = fit.b.T.ravel(), fit.posterior.phi
    precision = problem.groups.precision(fit.rho)
    response = model.score + model.A @ model.b0  # X'W z
    families, stop = [], 1
    for term in problem.terms:
        start, stop = stop, stop + term.curves.n_columns
        owner = np.repeat(term.spaces, [size for _, size in term.groups])
        own = (np.arange(start, stop) + q * np.arange(C)[:, None]).ravel()
        rest = np.delete(np.arange(len(b)), own)
        evidence = np.full(len(pool.spaces), -np.inf)
        for space in np.unique(owner[owner >= 0]).astype(int):
            mine = np.tile((owner == space) | (owner == -1), C)
            columns, curved = own[mine], np.tile(owner, C)[mine] == space
            target = response[columns] - model.A[np.ix_(columns, rest)] @ b[rest]
            scale = np.tile(term.scale, C)[mine]
            A = model.A[np.ix_(columns, columns)]
            for rho in _RHO:
                S = np.where(curved, np.exp(rho) * scale, precision[columns])
                evidence[space] = max(evidence[space], _evidence(A, S, target, phi))
        families.append(pool.spaces[int(evidence.argmax())])
    return families


def _evidence(A, S, target, phi):
    """Log marginal likelihood, up to a constant: cross-products `A`, X'Wz `target`, prior precisions `S` / phi."""
    factor = cho_factor(A + np.diag(S))
    fitted = target @ cho_solve(factor, target)
    return 0.5 * (np.log(S).sum() + fitted / phi) - np.log(np.diag(factor[0])).sum()
