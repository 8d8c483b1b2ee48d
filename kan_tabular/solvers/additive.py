"""The convex fit: penalised IRLS with the smoothing parameters moving along."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from kan_tabular.solvers.smoothing import RHO_MAX, RHO_MIN, WorkingModel, newton_step

#: Smoothing steps per IRLS step: the weights move too, so more precision than this is lost anyway.
_INNER_STEPS = 3
#: After this many IRLS steps the smoothing parameters move less with each step: they can cycle with the weights.
_PATIENCE, _DAMPING = 8, 0.85
#: From this many rows on, a sample of them finds the start.
_SAMPLE_ROWS = 40_000


@dataclass
class AdditiveFit:
    """Result: coefficients (q, C), log smoothing parameters (G,), and the final working model and posterior."""

    b: np.ndarray
    rho: np.ndarray
    eta: np.ndarray
    model: WorkingModel
    posterior: object
    n_iter: int


def fit_additive(design, likelihood, y, weights, offset, groups, prior, rho, *, max_iter, tol, b=None, report=None):
    """Maximise the penalised likelihood and, with it, the marginal likelihood of the smoothing parameters.

    Parameters
    ----------
    design : Design
    y, weights, offset : arrays (n,), on the design's device; `offset` may be 0.0
    groups : Groups
    prior : HyperPrior
    rho : ndarray (G,)
        Start; groups that are not free keep it.
    b : ndarray (q, C), optional
        Start.
    report : callable, optional
        Called with (iteration, log posterior) after each step.

    Notes
    -----
    Wood (2011), "Fast stable restricted maximum likelihood ... of semiparametric generalized linear models", with the
    weights held during a smoothing step ("performance iteration"). A step that lowers the penalised likelihood is
    halved until it does not: with nearly separable classes the plain iteration diverges.
    """
    C = likelihood.n_outputs
    n = float(weights.sum())
    if b is None:
        b = np.zeros((design.n_columns, C))
        shift = design.to_numpy(offset)[:, 0] if hasattr(offset, "shape") else offset
        b[0] = likelihood.initial(design.to_numpy(y), design.to_numpy(weights), shift)
        if design.n_rows >= 2 * _SAMPLE_ROWS:
            part = slice(None, None, design.n_rows // _SAMPLE_ROWS)
            small = design.rows(part)
            shift = offset[part] if hasattr(offset, "shape") else offset
            settings = {"max_iter": max_iter, "tol": 1e-2, "report": report}
            start = fit_additive(small, likelihood, y[part], weights[part], shift, groups, prior, rho, **settings)
            b, rho = start.b, start.rho

    eta = design.linear(b) + offset
    log_likelihood = likelihood.value(eta, y, weights)
    posterior = model = None
    for iteration in range(1, max_iter + 1):
        gradient, hessian = likelihood.gradient(eta, y, weights), likelihood.hessian(eta, y, weights)
        score, A = design.normal_equations(gradient, hessian)
        rss0 = 0.0 if likelihood.scale_known else float((gradient[:, 0] ** 2 / hessian[:, 0, 0]).sum())
        model = WorkingModel(A, score.T.ravel(), b.T.ravel(), rss0, n, likelihood.scale_known)
        previous = rho
        rho, posterior, gain = _smooth(model, groups, prior, rho, 100 if likelihood.quadratic else _INNER_STEPS, tol)
        if iteration > _PATIENCE and not likelihood.quadratic:
            # Weights and smoothing parameters chase each other: let the latter come to rest.
            share = _DAMPING ** (iteration - _PATIENCE)
            rho, gain = previous + share * (rho - previous), share * gain
            posterior = model.solve(groups, rho)

        prior.learn(rho, posterior.hessian)
        target = posterior.b.reshape(C, -1).T
        change = target - b
        decrement = float(change.T.ravel() @ (A @ change.T.ravel())) / posterior.phi
        precision, move, step = groups.precision(rho), design.linear(change), 1.0
        before = log_likelihood - 0.5 * precision @ b.T.ravel() ** 2
        while True:
            trial, trial_eta = b + step * change, eta + step * move
            log_likelihood = likelihood.value(trial_eta, y, weights)
            after = log_likelihood - 0.5 * precision @ trial.T.ravel() ** 2
            if after >= before - 1e-9 * abs(before) - 1e-3 * tol * posterior.phi or step < 1e-4:
                break
            step /= 2
        b, eta = trial, trial_eta
        if report:
            report(iteration, after)
        # Both in log-likelihood units, for a model with that many effective parameters.
        enough = tol * (1 + posterior.edf.sum())
        close = enough if likelihood.canonical else 0.01 * enough  # quadratic convergence, or linear
        if step == 1.0 and decrement < close and gain < 10 * enough:
            break
    else:
        warnings.warn(
            f"The fit stopped at max_iter={max_iter} before its changes fell below tol={tol}; raise max_iter.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return AdditiveFit(b, rho, eta, model, posterior, iteration)


def _smooth(model, groups, prior, rho, steps, tol):
    """Newton steps on log marginal likelihood + log hyper-prior within one working model: rho, posterior, gain."""

    def at(rho):
        posterior = model.solve(groups, rho)
        value, gradient, hessian = prior.derivatives(rho)
        return posterior, posterior.value + value, posterior.gradient + gradient, posterior.hessian + hessian

    posterior, value, gradient, hessian = at(rho)
    start = value
    for _ in range(steps):
        step, gain = newton_step(gradient, hessian, groups.free)
        if gain < tol:
            break
        while True:
            trial = np.clip(rho + step, RHO_MIN, RHO_MAX)
            new = at(trial)
            if new[1] >= value or np.abs(step).max() < 1e-3:
                break
            step = step / 3
        if new[1] < value:
            break
        rho, (posterior, value, gradient, hessian) = trial, new
    return rho, posterior, value - start
