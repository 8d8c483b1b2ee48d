"""Full-batch L-BFGS: for small tables, where a step on all rows costs no more than one on a batch."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import torch
from scipy.optimize import minimize


def fit_full_batch(network, data, likelihood, decay=0.0, max_iter=200, *, target=None, tol=1e-9):
    """Minimise ``mean loss + decay / 2 |theta|^2`` over all rows, in place.

    Parameters
    ----------
    network : MemberNetwork
        Members are independent problems; what is minimised is the sum of theirs.
    data : TrainingData
        Held-out rows of a fold do not count for its members.
    likelihood : Likelihood
    decay : float or ndarray (S,)
        Ridge on what weight decay shrinks (not on biases), of each setting.
    max_iter : int
    target : float, optional
        Stop as soon as the members' mean loss (without the ridge) is at most that.
    tol : float
        Stop when an iteration improves the objective by less than this part of ``max(its value, 1)``.

    Returns
    -------
    loss : float
        Mean loss of the members (without the ridge) in the state that the network is left in: the best one seen.
    n_evaluations : int

    Notes
    -----
    The network keeps its precision; loss, ridge and the algorithm's own arithmetic are in double precision. A state
    whose objective is not finite is never kept. Nothing random is drawn.
    """
    objective = _Objective(network, data, likelihood, decay, target)
    options = {"maxiter": max_iter, "maxfun": 4 * max_iter + 20, "ftol": tol, "gtol": 0.0, "maxcor": 10}
    with suppress(_Reached):
        minimize(objective, objective.start, jac=True, method="L-BFGS-B", options=options)
    objective.restore()
    return objective.best_loss, objective.n_evaluations


class _Reached(Exception):
    """The target was reached within the line search."""


class _Objective:
    """The objective and its gradient as functions of one flat vector."""

    def __init__(self, network, data, likelihood, decay, target):
        self.network, self.data, self.likelihood, self.target = network, data, likelihood, target
        F, members = data.n_folds, network.n_members
        self.shape = F, members // F, len(data.X), len(data.base)
        self.parameters = [p for p, _ in network.axes()]
        self.sizes = [p.numel() for p in self.parameters]
        decay = np.tile(np.broadcast_to(np.asarray(decay, float), members // F), F)
        shrunk = {id(p): axis for p, axis in network.decayed()}
        ridges = []
        for p in self.parameters:
            shape = [1] * p.dim()
            if id(p) in shrunk:
                shape[shrunk[id(p)]] = -1
                ridges.append(np.broadcast_to(decay.reshape(shape), p.shape).ravel())
            else:
                ridges.append(np.zeros(p.numel()))
        self.ridge = np.concatenate(ridges)
        weight = data.weights.double().expand(F, -1).clone()
        for f, rows in enumerate(data.held_out or []):
            weight[f, rows] = 0.0
        weight /= weight.sum(1, keepdim=True)
        S, n = self.shape[1:3]
        self.weight = weight[:, None].expand(F, S, n).reshape(-1)
        self.y = data.y.double().repeat(members)
        self.offset = data.starts(slice(None)).double()
        self.start = torch.cat([p.detach().reshape(-1) for p in self.parameters]).double().cpu().numpy()
        self.best, self.best_value, self.best_loss, self.n_evaluations = self.start, np.inf, np.nan, 0

    def set(self, x):
        parts = torch.from_numpy(np.asarray(x)).to(self.parameters[0]).split(self.sizes)
        with torch.no_grad():
            for p, part in zip(self.parameters, parts, strict=True):
                p.copy_(part.view_as(p))

    def restore(self):
        """The best state seen."""
        self.set(self.best)
        self.network.zero_grad(set_to_none=True)

    def __call__(self, x):
        self.set(x)
        self.network.zero_grad(set_to_none=True)
        F, S, n, C = self.shape
        out = self.network(self.data.X)
        eta = (out.detach().double().reshape(F, S, n, C) + self.offset).view(-1, C)
        loss = -self.likelihood.value(eta, self.y, self.weight)
        out.backward(-self.likelihood.gradient(eta, self.y, self.weight).view(F * S, n, C).to(out.dtype))
        slope = torch.cat([p.grad.reshape(-1) for p in self.parameters]).double().cpu().numpy()
        value = loss + 0.5 * float(self.ridge @ x**2)
        slope = slope + self.ridge * x
        self.n_evaluations += 1
        if not (np.isfinite(value) and np.isfinite(slope).all()):
            # A wall, from which the line search steps back.
            return max(1e10, 1e3 * abs(self.best_value)) if np.isfinite(self.best_value) else 1e10, np.zeros_like(x)
        if value < self.best_value:
            self.best, self.best_value, self.best_loss = x.copy(), value, loss / (F * S)
        if self.target is not None and loss / (F * S) <= self.target:
            self.best, self.best_loss = x.copy(), loss / (F * S)
            raise _Reached
        return value, slope
