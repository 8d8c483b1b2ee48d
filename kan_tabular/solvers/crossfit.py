"""The additive fit without some of its rows: what it would have said of rows that it did not see."""

from __future__ import annotations

import numpy as np

from kan_tabular.solvers.smoothing import inverse

_STEPS = 4


def cross_fit(design, likelihood, y, weights, offset, precision, b, held_out, *, tol=1e-3):
    """Coefficients of the fits that leave each set of rows out, at the whole table's smoothing parameters.

    Parameters
    ----------
    design : Design
    y, weights : arrays (n,) on the design's device
    offset : array (n, 1) or 0.0
    precision : ndarray (q C,)
        Penalty at the chosen smoothing parameters, the dispersion left out.
    b : ndarray (q, C)
        Coefficients of the whole table: the start.
    held_out : list of ndarray of int
        Rows to leave out, one set a fit.

    Returns
    -------
    ndarray (len(held_out), q, C)

    Notes
    -----
    Newton steps on the penalised likelihood, halved where they would lower it. For a Gaussian response the first one
    is exact; for others one or two are enough, since a fold moves the mode by little.
    """
    everything = np.arange(design.n_rows)
    fits = []
    for rows in held_out:
        keep = np.delete(everything, rows)
        part, y_part, w_part = design.rows(keep), y[keep], weights[keep]
        o_part = offset[keep] if hasattr(offset, "shape") else offset
        fits.append(_newton(part, likelihood, y_part, w_part, o_part, precision, b, tol))
    return np.stack(fits)


def _newton(design, likelihood, y, weights, offset, precision, b, tol):
    eta = design.linear(b) + offset
    value = likelihood.value(eta, y, weights) - 0.5 * precision @ b.T.ravel() ** 2
    for _ in range(_STEPS):
        score, A = design.normal_equations(likelihood.gradient(eta, y, weights), likelihood.hessian(eta, y, weights))
        pull = score.T.ravel() - precision * b.T.ravel()
        move = inverse(A, precision)[0] @ pull
        gain = float(pull @ move)
        change, step = move.reshape(b.shape[1], -1).T, 1.0
        while True:
            trial = b + step * change
            trial_eta = design.linear(trial) + offset
            after = likelihood.value(trial_eta, y, weights) - 0.5 * precision @ trial.T.ravel() ** 2
            if after >= value - 1e-9 * abs(value) or step < 1e-3:
                break
            step /= 2
        b, eta, value = trial, trial_eta, after
        if gain < tol * (1 + abs(value)) * 1e-2 or likelihood.quadratic:
            break
    return b
