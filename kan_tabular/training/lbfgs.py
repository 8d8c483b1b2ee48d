"""Full-batch L-BFGS: for small tables, where a step on all rows costs no more than one on a batch."""

from __future__ import annotations

import time
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from scipy.optimize import minimize

from kan_tabular.training.trainer import Progress, Trained

#: How often the rows that a member does not see are looked at, at most.
_LOOKS = 25


def train_full_batch(network, data, likelihood, decay, schedule, callback=None):
    """Fit every member by L-BFGS, one after the other; the network ends in the best state of each setting.

    Parameters
    ----------
    network : MemberNetwork
        Members fold by fold, within a fold setting by setting.
    data : TrainingData
    likelihood : Likelihood
    decay : ndarray (S,)
        Ridge of each setting.
    schedule : Schedule
        `epochs` are the iterations of each member at most; `max_time` is for all members together.
    callback : callable, optional
        Called with a `Progress` after each member; fitting stops when it returns True.

    Returns
    -------
    trained : Trained
        As from `train`: how many iterations are best is chosen for each setting on the rows that its members do not
        see, over all folds together.
    """
    deadline = np.inf if schedule.max_time is None else time.perf_counter() + schedule.max_time
    every = max(schedule.epochs // _LOOKS, 1)
    S, stop, paths = len(decay), False, []
    for m in range(network.n_members):
        path = _Path(network, data, m, S, every, deadline)
        paths.append(path)
        if not (stop or time.perf_counter() > deadline):
            fit_full_batch(path.network, path.data, likelihood, decay[m % S], schedule.epochs, on_iteration=path.see)
            if path.iterations % every:
                path.look()
            stop = callback is not None and bool(callback(Progress(m + 1, network.n_members, None)))
    best, losses, eta = _best_looks(paths, data, likelihood, S)
    members = [[p for p, _ in path.network.axes()] for path in paths]
    for m, path in enumerate(paths):
        for p, saved in zip(members[m], path.states[min(best[m % S], len(path.states) - 1)], strict=True):
            p.data = saved
    parts = zip(zip(*members, strict=True), network.axes(), strict=True)
    network.restore([torch.cat(own, axis).detach() for own, (_, axis) in parts])
    return Trained(np.arange(S), losses, best * every, eta, int(max(path.iterations for path in paths)))


class _Path:
    """One member on its way: its state and what it says of held-out rows, every few iterations."""

    def __init__(self, network, data, m, S, every, deadline):
        self.network, self.every, self.deadline = deepcopy(network), every, deadline
        self.network.select([m])
        f, s = divmod(m, S)
        self.rows = None if data.held_out is None else data.held_out[f]
        self.data = replace(
            data,
            offsets=data.offsets[f : f + 1],
            additive=data.additive[s : s + 1],
            held_out=None if self.rows is None else [self.rows],
        )
        self.iterations, self.states, self.said = 0, [], []
        self.look()

    def see(self, _):
        self.iterations += 1
        if self.iterations % self.every == 0:
            self.look()
        return time.perf_counter() > self.deadline

    def look(self):
        self.states.append(self.network.state())
        if self.rows is not None:
            with torch.no_grad():
                self.said.append(self.network(self.data.X[self.rows])[0] + self.data.starts(self.rows)[0, 0])


def _best_looks(paths, data, likelihood, S):
    """Best number of looks of each setting (S,), the held-out losses there, and the linear predictors (S, n, C)."""
    last = max(len(path.states) for path in paths) - 1
    if data.held_out is None:
        return np.full(S, last), np.full(S, np.nan), None
    rows = torch.cat(data.held_out)
    y, w = data.y[rows], data.weights[rows]
    best, losses = np.zeros(S, dtype=int), np.full(S, np.nan)
    eta = torch.full((S, len(data.X), len(data.base)), torch.nan, dtype=data.X.dtype, device=data.X.device)
    for look in range(last + 1):
        for s in range(S):
            said = torch.cat([path.said[min(look, len(path.said) - 1)] for path in paths[s::S]])
            loss = -likelihood.value(said, y, w) / float(w.sum())
            if np.isfinite(loss) and not loss >= losses[s]:
                losses[s], best[s], eta[s, rows] = loss, look, said
    return best, losses, eta.double().cpu().numpy()


def fit_full_batch(network, data, likelihood, decay=0.0, max_iter=200, *, target=None, tol=1e-9, on_iteration=None):
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
    on_iteration : callable, optional
        Called with the network in the state that an iteration has arrived at; the fit stops when it returns True.

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

    def arrived(x):
        objective.set(x)
        if on_iteration(network):
            raise _Reached

    with suppress(_Reached):
        minimize(
            objective,
            objective.start,
            jac=True,
            method="L-BFGS-B",
            options=options,
            callback=None if on_iteration is None else arrived,
        )
    objective.restore()
    return objective.best_loss, objective.n_evaluations


class _Reached(Exception):
    """There is no need to go on."""


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
        self.y = data.y.double().repeat(members, *[1] * (data.y.dim() - 1))
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
