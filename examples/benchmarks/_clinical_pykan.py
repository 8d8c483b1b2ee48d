"""Trainings by the clinical paper's recipe, for ``clinical_paper.py recipe``; runs in pykan's own environment.

Reads a JSON line a job: ``tables`` (paths of npz files with ``X_train``, ``y_train``, ``X_validation``,
``y_validation``, ``X_test``), and for all of them ``hidden`` (list), ``grid``, ``k``, ``lamb``, ``weight``,
``sparse_init``, ``steps``, ``plain``. Answers each with one line: for each table the probabilities of its test rows,
both losses step by step and processor seconds (the job's, shared out equally); and versions.

The recipe (arXiv 2509.16750, its public repository of August 2025): one logit a class, cross-entropy plus
``lamb`` times pykan's penalty (entropy .1), Adam on all rows at once with rate 1e-3, grids updated every 5th of the
first 50 steps, at most 10,000 steps, stopped when the validation loss has not fallen for more than 30 steps, and the
weights of the last step kept, not the best.

With ``plain`` the loop is the original's, one network after the other. Without, pykan's own forward pass and penalty
run for all tables at once (`torch.func.vmap`), and what changes no number is left out: checkpoints, the symbolic branch
(no edge is symbolic), gradients and records of the validation rows, and splines of the same inputs on the same grid.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
import tempfile
import time
from importlib.metadata import version

import numpy as np
import torch
from kan import KAN
from torch.func import functional_call, vmap

layers = importlib.import_module("kan.KANLayer")  # the module: the package has a class of this name too

RATE, PATIENCE, ENTROPY = 1e-3, 30, 0.1
GRID_UPDATE_EVERY, LAST_GRID_UPDATE = 5, 50
TRAINED = ("coef", "scale_base", "scale_sp")


def class_weights(y, n_classes, balanced):
    """Weights of classes in the loss: ones, or n / (n_classes * rows of the class)."""
    counts = torch.bincount(y, minlength=n_classes)
    return len(y) / (n_classes * counts) if balanced else torch.ones(n_classes)


def cross_entropy(logits, y, weights):
    """`torch.nn.CrossEntropyLoss(weight=weights)`, which does not vectorise over weights."""
    one_hot = torch.nn.functional.one_hot(y, len(weights)).to(logits.dtype) * weights
    return -(one_hot * torch.log_softmax(logits, dim=1)).sum() / one_hot.sum()


def penalty_of(model):
    return model.get_reg("edge_forward_spline_n", 1.0, ENTROPY, 0.0, 0.0)


class Patience:
    """Counts steps since the best validation loss."""

    def __init__(self):
        self.best, self.waited = np.inf, 0

    def over(self, loss):
        self.waited = 0 if loss < self.best else self.waited + 1
        self.best = min(self.best, loss)
        return self.waited > PATIENCE


def updates_grid(step):
    return step % GRID_UPDATE_EVERY == 0 and step < LAST_GRID_UPDATE


# ----------------------------------------------------------------------------------------------------- the original


def train_plain(model, table, job):
    """The original loop; both losses of every step."""
    weights = class_weights(table["y_train"], job["n_classes"], job["weight"])
    loss_of = torch.nn.CrossEntropyLoss(weight=weights)
    optimiser = torch.optim.Adam(model.get_params(), lr=RATE)
    losses, validation_losses, patience = [], [], Patience()
    for step in range(job["steps"]):
        if updates_grid(step):
            model.update_grid(table["X_train"])
        loss = loss_of(model(table["X_train"]), table["y_train"])
        optimiser.zero_grad()
        (loss + job["lamb"] * penalty_of(model)).backward()
        optimiser.step()
        losses.append(loss.item())
        validation_losses.append(loss_of(model(table["X_validation"]), table["y_validation"]).item())
        if patience.over(validation_losses[-1]):
            break
    return losses, validation_losses


# -------------------------------------------------------------------------------------------------------- all at once


class Stack:
    """Networks of the same shape, their parameters stacked, evaluated together by the first one's code."""

    def __init__(self, models):
        self.models, self.model = models, models[0]
        states = [dict(model.act_fun.named_parameters(prefix="act_fun")) for model in models]
        self.state = {name: torch.stack([state[name].detach() for state in states]) for name in states[0]}
        for name in self.trained():
            self.state[name].requires_grad_()

    def trained(self):
        return [name for name in self.state if name.rsplit(".", 1)[1] in TRAINED]

    def write_back(self, numbers):
        """Give networks of these numbers their parameters."""
        for number in numbers:
            for name, own in self.models[number].act_fun.named_parameters(prefix="act_fun"):
                own.data.copy_(self.state[name][number].detach())

    def update_grids(self, X, numbers):
        """pykan's own grid update of networks of these numbers."""
        self.write_back(numbers)
        with torch.no_grad():
            for number in numbers:
                model = self.models[number]
                model.update_grid(X[number])
                for name, own in model.act_fun.named_parameters(prefix="act_fun"):
                    self.state[name][number] = own.data

    def first_splines(self, X):
        """Splines of the inputs: (networks, rows, inputs, functions)."""
        layer = self.model.act_fun[0]
        return torch.stack(
            [layers.B_batch(x, g, k=layer.k) for x, g in zip(X, self.state["act_fun.0.grid"], strict=True)]
        )

    def losses(self, X, y, weights, splines, *, penalty):
        """Cross-entropy, and pykan's penalty where asked for, of each network."""

        def one(state, x, y, weights, splines):
            waiting = [splines]  # the first layer asks first

            def coef2curve(x_eval, grid, coef, k, device="cpu"):
                found = waiting.pop() if waiting else layers.B_batch(x_eval, grid, k=k)
                return torch.einsum("ijk,jlk->ijl", found, coef)

            original, layers.coef2curve = layers.coef2curve, coef2curve
            self.model.save_act = penalty
            try:
                loss = cross_entropy(functional_call(self.model, state, (x,)), y, weights)
            finally:
                layers.coef2curve, self.model.save_act = original, True
            return (loss, penalty_of(self.model)) if penalty else loss

        return vmap(one)(self.state, X, y, weights, splines)


def train_stacked(models, tables, job):
    """The same for many networks at once; a network that has stopped keeps the weights it had."""
    arrays = {name: torch.stack([table[name] for table in tables]) for name in tables[0] if name != "X_test"}
    X, y, X_validation, y_validation = (arrays[f"{a}_{b}"] for b in ("train", "validation") for a in ("X", "y"))
    weights = torch.stack([class_weights(labels, job["n_classes"], job["weight"]) for labels in y])
    stack = Stack(models)
    optimiser = torch.optim.Adam([stack.state[name] for name in stack.trained()], lr=RATE)
    losses, validation_losses = [[] for _ in models], [[] for _ in models]
    patience, running = [Patience() for _ in models], set(range(len(models)))
    for step in range(job["steps"]):
        if updates_grid(step):
            stack.update_grids(X, running)
        if updates_grid(step) or step == 0:
            splines, validation_splines = stack.first_splines(X), stack.first_splines(X_validation)
        loss, penalty = stack.losses(X, y, weights, splines, penalty=True)
        optimiser.zero_grad()
        (loss + job["lamb"] * penalty).sum().backward()
        optimiser.step()
        with torch.no_grad():
            held_out = stack.losses(X_validation, y_validation, weights, validation_splines, penalty=False)
        stopped = set()
        for number in running:
            losses[number].append(loss[number].item())
            validation_losses[number].append(held_out[number].item())
            if patience[number].over(held_out[number].item()):
                stopped.add(number)
        stack.write_back(stopped)
        running -= stopped
        if not running:
            break
    stack.write_back(running)
    return list(zip(losses, validation_losses, strict=True))


# ------------------------------------------------------------------------------------------------------------- jobs


def read_table(path):
    with np.load(path) as arrays:
        table = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return {name: array if name.startswith("y") else array.float() for name, array in table.items()}


def answer(job):
    """A dict a table."""
    tables = [read_table(path) for path in job["tables"]]
    job["n_classes"] = len(set(tables[0]["y_train"].tolist()))
    width = [tables[0]["X_train"].shape[1], *job["hidden"], job["n_classes"]]
    given = {name: job[name] for name in ("grid", "k", "sparse_init")}
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        slow = {"symbolic_enabled": job["plain"], "auto_save": job["plain"], "ckpt_path": folder}
        models = [KAN(width=[*width], seed=0, device="cpu", **given, **slow) for _ in tables]
        if job["plain"]:
            curves = [train_plain(model, table, job) for model, table in zip(models, tables, strict=True)]
        else:
            curves = train_stacked(models, tables, job)
    seconds = (time.process_time() - start) / len(tables)
    out = []
    for model, table, (losses, validation_losses) in zip(models, tables, curves, strict=True):
        with torch.no_grad():
            p = torch.softmax(model(table["X_test"]), dim=1).numpy().astype(float)
        out.append({"p": p.tolist(), "losses": losses, "validation_losses": validation_losses, "cpu_s": seconds})
    return out


def main():
    torch.set_num_threads(1)
    versions = {name: version(name) for name in ("pykan", "torch")}
    for line in sys.stdin:
        print(json.dumps([{**one, **versions} for one in answer(json.loads(line))]), flush=True)


if __name__ == "__main__":
    main()
