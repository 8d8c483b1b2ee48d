"""Stochastic training of all members at once, with the best state of each setting kept by its held-out loss."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch

#: Multiply-adds of one step below which one thread is faster than several.
_THREADED_WORK = 3e8
_WARM_UP = 20
#: How often the held-out loss is looked at, at most.
_EVALUATIONS = 25


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes
    ----------
    epochs, batch_size : int
    learning_rate : float
        At its peak; it rises over the first 20 steps and falls to zero as half a cosine.
    patience : int or None
        Epochs without a better held-out loss of any setting after which training stops.
    max_time : float or None
        Seconds after which training stops.
    sizes : tuple of int
        Sizes of the hidden nodes' basis, coarse to fine; each gets the same share of the epochs.
    selection : float or None
        Share of the epochs after which only the settings that `train`'s `select` names go on.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    patience: int | None = None
    max_time: float | None = None
    sizes: tuple = ()
    selection: float | None = None

    def finer(self, epoch):
        """The size to move to before this epoch, or None."""
        starts = {1 + i * self.epochs // len(self.sizes): size for i, size in enumerate(self.sizes) if i}
        return starts.get(epoch)


@dataclass
class Progress:
    """What a callback sees after an epoch: its number, the epochs in all, and the held-out loss of each setting."""

    epoch: int
    epochs: int
    losses: np.ndarray | None


@dataclass
class TrainingData:
    """One table for all members (tensors on one device).

    Attributes
    ----------
    X : (n, P) design columns
    y : (n,), or (n, k) for several targets
    weights : (n,) frequencies
    known : (n, 1) part of the linear predictor that is given (log exposure)
    offsets : (F, n, C) what the additive fit without that fold's rows says; (F, 0, C) when there is none
    base : (C,) constant start of members that do not begin at the additive fit
    additive : (S,) 1 for settings that begin at the additive fit, else 0
    held_out : list of F index tensors, or None to train every member on every row
    """

    X: torch.Tensor
    y: torch.Tensor
    weights: torch.Tensor
    known: torch.Tensor
    offsets: torch.Tensor
    base: torch.Tensor
    additive: torch.Tensor
    held_out: list | None

    @property
    def n_folds(self):
        return len(self.offsets)

    def starts(self, rows):
        """Start of every member at some rows: (F, S, rows, C)."""
        start = self.base + self.known[rows]
        if not self.offsets.shape[1]:
            return start.expand(self.n_folds, len(self.additive), *start.shape)
        away = (self.offsets[:, rows] - self.base)[:, None]
        return start + self.additive[None, :, None, None] * away


@dataclass
class Trained:
    """Best states, and what they say of the rows they did not see.

    Attributes
    ----------
    settings : ndarray of int (S',)
        The settings that were trained to the end.
    losses : ndarray (S,)
        Held-out loss of each setting at its best epoch (NaN without held-out rows).
    best_epoch : ndarray of int (S',)
    held_out : ndarray (S', n, C) or None
        Linear predictors at the best epoch; rows that no member left out are NaN.
    n_epochs : int
    """

    settings: np.ndarray
    losses: np.ndarray
    best_epoch: np.ndarray
    held_out: np.ndarray | None
    n_epochs: int


def train(
    network,
    data,
    likelihood,
    decay,
    schedule,
    generator,
    sparsity,
    callback: Callable | None = None,
    select: Callable | None = None,
    keep_start: bool = False,
):
    """Train in place; the network ends in the best state of each setting.

    Parameters
    ----------
    network : MemberNetwork
        Members fold by fold, within a fold setting by setting.
    data : TrainingData
    likelihood : Likelihood
    decay : ndarray (S,)
        Weight decay of each setting, decoupled from the gradient (AdamW, Loshchilov and Hutter 2019).
    schedule : Schedule
    generator : torch.Generator
        Of the order of rows.
    sparsity : EdgeSparsity
    callback : callable, optional
        Called with a `Progress` after each epoch; training stops when it returns True.
    select : callable, optional
        Given the held-out linear predictors (S, n, C) of all settings at ``schedule.selection``, the positions of
        those that are worth going on with (a list of int).
    keep_start : bool
        Whether the state before the first step is one to choose from.

    Notes
    -----
    Members share their batches: a member's held-out rows have weight 0 for it. What is minimised is the mean of the
    members' losses, not the loss of their mean. A state that is not finite is never kept.
    """
    began = time.perf_counter()
    F, S = data.n_folds, len(decay)
    n, C = len(data.X), data.base.shape[0]
    weight = _member_weights(data)
    batches = max(n // schedule.batch_size, 1)
    total = schedule.epochs * batches
    optimiser = _optimiser(network, schedule)
    shrink = torch.as_tensor(np.tile(decay, F), dtype=torch.float32, device=data.X.device)
    watch = _HeldOut(network, data, likelihood, S)
    selection = None
    if select is not None and schedule.selection and data.held_out is not None:
        selection = max(int(schedule.selection * schedule.epochs), 1)
    looks = {selection} | set(np.unique(np.ceil(np.linspace(0, schedule.epochs, _EVALUATIONS + 1)[1:]).astype(int)))
    if keep_start:
        watch.look(0)
    step = epoch = 0
    for epoch in range(1, schedule.epochs + 1):
        if network.advance((epoch - 1) / schedule.epochs):
            watch.forget(epoch - 1)
        if finer := schedule.finer(epoch):
            network.refine(finer, watch.state)
            optimiser = _optimiser(network, schedule)
        order = torch.randperm(n, generator=generator).to(data.X.device)
        for b in range(batches):
            rows = order[b * n // batches : (b + 1) * n // batches]
            rate = schedule.learning_rate * _rate(step, total)
            out = network(data.X[rows])
            eta = (out.detach().view(F, S, -1, C) + data.starts(rows)).view(-1, C)
            share = weight[:, None, rows].expand(F, S, len(rows)).reshape(-1)
            y = data.y[rows]
            y = y.repeat(F * S, *[1] * (y.dim() - 1))
            slope = likelihood.gradient(eta, y, share).view(F * S, len(rows), C)
            network.zero_grad(set_to_none=True)
            out.backward(slope * (-1.0 / len(rows)))
            for group in optimiser.param_groups:
                group["lr"] = group["share"] * rate
            optimiser.step()
            with torch.no_grad():
                for parameter, axis in network.decayed():
                    shape = [1] * parameter.dim()
                    shape[axis] = -1
                    parameter.mul_((1 - rate * shrink).clamp_(min=0).view(shape))
                sparsity.shrink(network, rate, data.X[rows])
            step += 1
        late = schedule.max_time is not None and time.perf_counter() - began > schedule.max_time
        last = epoch == schedule.epochs or late
        if last and network.advance(1.0):
            watch.forget(epoch)
        elif last or epoch in looks:
            watch.look(epoch)
            if not last and network.settled and watch.stale(epoch, schedule.patience):
                last = True
                network.advance(1.0)  # changes nothing: for the record
        if epoch == selection and not last:
            kept = select(watch.eta)
            if len(kept) < S:
                optimiser, data, shrink = _go_on_with(kept, network, watch, data, shrink, optimiser, schedule)
                S = len(kept)
        stop = callback is not None and callback(Progress(epoch, schedule.epochs, watch.last))
        if stop and not last:
            if network.advance(1.0):
                watch.forget(epoch)
            else:
                watch.look(epoch)
        if last or stop:
            break
    return watch.finish(epoch)


def _go_on_with(kept, network, watch, data, shrink, optimiser, schedule):
    """Drop all settings but the `kept` from the network and everything around it; the optimiser keeps its moments."""
    members = [f * watch.S + s for f in range(data.n_folds) for s in kept]
    moments = [(optimiser.state[parameter], axis) for parameter, axis in network.axes()]
    index = torch.as_tensor(members, device=data.X.device)
    network.select(members, watch.state)
    watch.restrict(kept)
    watch.data = data = replace(data, additive=data.additive[kept])
    new = _optimiser(network, schedule)
    for (parameter, _), (old, axis) in zip(network.axes(), moments, strict=True):
        new.state[parameter] = {k: v.index_select(axis, index) if v.dim() else v for k, v in old.items()}
    return new, data, shrink[index]


def _optimiser(network, schedule):
    groups = [{"params": parameters, "share": share} for share, parameters in network.groups() if parameters]
    return torch.optim.AdamW(groups, lr=schedule.learning_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True)


def _rate(step, total):
    """Share of the peak learning rate."""
    return min(1.0, (step + 1) / _WARM_UP) * 0.5 * (1 + np.cos(np.pi * step / total))


def _member_weights(data):
    """Weight of each row for the members of each fold (F, n), averaging to 1 over the rows they see."""
    w = data.weights.expand(data.n_folds, -1).clone()
    for f, rows in enumerate(data.held_out or []):
        w[f, rows] = 0.0
    return w / w.mean(1, keepdim=True).clamp_(min=1e-12)


class _HeldOut:
    """Held-out predictions of each setting, and the best state so far."""

    def __init__(self, network, data, likelihood, n_settings):
        self.network, self.data, self.likelihood, self.S = network, data, likelihood, n_settings
        self.best = np.full(n_settings, np.inf)
        self.settings, self.losses = np.arange(n_settings), self.best.copy()
        self.best_epoch = np.zeros(n_settings, dtype=int)
        self.state = network.state()
        self.last = None
        self.eta = None
        if data.held_out is not None:
            self.rows = torch.cat(data.held_out)
            self.eta = torch.full((n_settings, len(data.X), len(data.base)), torch.nan, device=data.X.device)
            self.total = float(data.weights[self.rows].sum())

    def _predict(self):
        eta = torch.empty_like(self.eta)
        with torch.no_grad():
            for f, rows in enumerate(self.data.held_out):
                members = slice(f * self.S, (f + 1) * self.S)
                eta[:, rows] = self.network(self.data.X[rows], members) + self.data.starts(rows)[f]
        return eta

    def look(self, epoch):
        """Measure; keep the states of the settings that are better than ever (without held-out rows: of all)."""
        if self.eta is None:
            if all(bool(torch.isfinite(p).all()) for p in self.network.parameters()):
                self.state, self.best_epoch[:] = self.network.state(), epoch
            return
        eta = self._predict()
        y, w = self.data.y[self.rows], self.data.weights[self.rows]
        losses = np.array([-self.likelihood.value(eta[s][self.rows], y, w) / self.total for s in range(self.S)])
        better = np.flatnonzero(np.isfinite(losses) & (losses < self.best))
        if len(better):
            members = (np.arange(self.data.n_folds)[:, None] * self.S + better).ravel().tolist()
            self.network.keep(self.state, members)
            self.best[better], self.best_epoch[better] = losses[better], epoch
            for s in better:
                self.eta[s] = eta[s]
        self.last = losses

    def forget(self, epoch):
        """Choose from the states of now and later only."""
        self.best[:], self.best_epoch[:] = np.inf, 0
        if self.eta is not None:
            self.eta[:] = torch.nan
        self.look(epoch)

    def restrict(self, kept):
        """Only these settings (a list of int) go on."""
        self.losses[self.settings] = self.best
        self.settings, self.best, self.best_epoch = self.settings[kept], self.best[kept], self.best_epoch[kept]
        self.eta, self.S, self.last = self.eta[kept], len(kept), self.last[kept]

    def stale(self, epoch, patience):
        return self.eta is not None and patience is not None and epoch - self.best_epoch.max() >= patience

    def finish(self, epoch):
        self.network.restore(self.state)
        seen = self.eta is not None
        lost = np.flatnonzero(~np.isfinite(self.best))
        if seen and len(lost):  # what never made sense on held-out rows says nothing
            self.network.silence((np.arange(self.data.n_folds)[:, None] * self.S + lost).ravel().tolist())
        self.losses[self.settings] = self.best
        return Trained(
            self.settings,
            np.where(np.isfinite(self.losses), self.losses, np.nan),
            self.best_epoch,
            self.eta.double().cpu().numpy() if seen else None,
            epoch,
        )


@contextmanager
def limited_threads(work):
    """One torch thread for small steps; the caller's number is restored."""
    before = torch.get_num_threads()
    if work < _THREADED_WORK:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
