"""Trainings by the clinical paper's recipe, for ``clinical_paper.py recipe``; runs in pykan's own environment.

Reads a JSON line a job: ``tables`` (paths of npz files with ``X_train``, ``y_train``, ``X_validation``,
``y_validation``, ``X_test``), and for all of them ``hidden`` (list), ``grid``, ``k``, ``lamb``, ``weight``,
``sparse_init``, ``steps``, ``plain``. Answers each with one line: for each table the probabilities of its test rows,
both losses step by step and processor seconds (the job's, shared out equally); and versions.

The recipe (arXiv 2509.16750, its public repository of August 2025): one logit a class, cross-entropy plus
``lamb`` times pykan's penalty (entropy .1), Adam on all rows at once with rate 1e-3, grids updated every 5th of the
first 50 steps, at most 10,000 steps, stopped when the validation loss has not fallen for more than 30 steps, and the
weights of the last step kept, not the best.

With ``plain`` the loop is the original's, one network after the other. Without, all tables' networks are trained at
once: pykan's initial networks, splines, grid updates and penalty, in the same steps, with the sums over rows written
anew. What changes no number is left out: checkpoints, the symbolic branch (no edge is symbolic), records of
activations, and splines of the same inputs on the same grid. ``clinical_paper.py recipe`` compares both.
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
from torch.func import vmap

layers = importlib.import_module("kan.KANLayer")  # the module: the package has a class of this name too

RATE, PATIENCE, ENTROPY = 1e-3, 30, 0.1
GRID_UPDATE_EVERY, LAST_GRID_UPDATE = 5, 50
PARTS = ("train", "validation")
TRAINED = ("coef", "scale_base", "scale_sp")
STACKED = (*TRAINED, "grid", "mask")  # of a layer


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
    """Networks of the same shape, trained together; parameters are stacked on a leading axis, layer by layer.

    Parameters
    ----------
    models : list of KAN
    X : dict of tensors (networks, rows, inputs)
        Every part's inputs, which do not change.
    """

    def __init__(self, models, X):
        self.models, self.X = models, X
        layers_of = zip(*(model.act_fun for model in models), strict=True)
        self.state = [{n: torch.stack([getattr(m, n).detach() for m in same]) for n in STACKED} for same in layers_of]
        self.trained = [layer[name].requires_grad_() for layer in self.state for name in TRAINED]
        self.refresh()

    def write_back(self, numbers):
        """Give networks of these numbers their parameters."""
        for number in numbers:
            for own, layer in zip(self.models[number].act_fun, self.state, strict=True):
                for name in STACKED:
                    getattr(own, name).data.copy_(layer[name][number].detach())

    def update_grids(self, numbers):
        """pykan's own grid update of networks of these numbers, by their training rows."""
        self.write_back(numbers)
        with torch.no_grad():
            for number in numbers:
                self.models[number].update_grid(self.X["train"][number])
                for own, layer in zip(self.models[number].act_fun, self.state, strict=True):
                    for name in STACKED:
                        layer[name][number] = getattr(own, name).data
        self.refresh()

    def refresh(self):
        """What the first layer makes of each part's inputs, and its functions' covariances over training rows."""
        self.design = {part: self.functions(x, 0) for part, x in self.X.items()}
        wide = self.design["train"].double()
        wide = wide - wide.mean(dim=1, keepdim=True)
        self.covariance = torch.einsum("fnik,fnim->fikm", wide, wide) / (wide.shape[1] - 1)

    def functions(self, x, number):
        """SiLU and splines of a layer's inputs: (networks, rows, inputs, functions)."""
        n_networks, n_rows, n_inputs = x.shape
        flat = x.permute(1, 0, 2).reshape(n_rows, -1)  # each network's inputs are further inputs to pykan
        splines = layers.B_batch(flat, self.state[number]["grid"].flatten(0, 1), k=self.models[0].act_fun[number].k)
        both = torch.cat([torch.nn.functional.silu(flat)[:, :, None], splines], dim=2)
        return both.reshape(n_rows, n_networks, n_inputs, -1).permute(1, 0, 2, 3)

    def coefficients(self, number):
        """Of a layer's functions on each edge: (networks, inputs, outputs, functions)."""
        layer = self.state[number]
        both = torch.cat([layer["scale_base"][..., None], layer["scale_sp"][..., None] * layer["coef"]], dim=3)
        return layer["mask"][..., None] * both

    def forward(self, part, *, penalty):
        """Logits (networks, rows, classes) and, where asked for, pykan's penalty of each network."""
        spreads, x = [], self.X[part]
        for number in range(len(self.state)):
            edges, first = self.coefficients(number), number == 0
            functions = self.design[part] if first else self.functions(x, number)
            if penalty:
                if first:  # the standard deviation of each edge's curve is a quadratic form: no pass over the rows
                    wide = edges.double()
                    variance = torch.einsum("fiok,fikm,fiom->foi", wide, self.covariance, wide)
                else:
                    curves = torch.einsum("fnik,fiok->fnoi", functions, edges)
                    variance = curves.var(dim=1)
                varies = variance > 0
                spread = torch.where(varies, variance, 1.0).sqrt() * varies  # without a slope where it is 0, as `std`
                spreads.append(spread.to(x.dtype) / (x.std(dim=1) + 0.1)[:, None, :])
            x = torch.bmm(functions.flatten(2), edges.transpose(2, 3).flatten(1, 2))
        return (x, vmap(self.penalty)(*spreads)) if penalty else x

    def penalty(self, *spreads):
        """pykan's own, of one network."""
        self.models[0].acts_scale_spline = spreads
        return penalty_of(self.models[0])


def train_stacked(models, tables, job):
    """The same for many networks at once; a network that has stopped keeps the weights it had."""
    X, y = ({part: torch.stack([t[f"{name}_{part}"] for t in tables]) for part in PARTS} for name in ("X", "y"))
    weights = torch.stack([class_weights(labels, job["n_classes"], job["weight"]) for labels in y["train"]])
    stack = Stack(models, X)
    optimiser = torch.optim.Adam(stack.trained, lr=RATE)
    losses, validation_losses = [[] for _ in models], [[] for _ in models]
    patience, running = [Patience() for _ in models], set(range(len(models)))
    for step in range(job["steps"]):
        if updates_grid(step):
            stack.update_grids(running)
        logits, penalty = stack.forward("train", penalty=True)
        loss = vmap(cross_entropy)(logits, y["train"], weights)
        optimiser.zero_grad()
        (loss + job["lamb"] * penalty).sum().backward()
        optimiser.step()
        with torch.no_grad():
            held_out = vmap(cross_entropy)(
                stack.forward("validation", penalty=False), y["validation"], weights
            ).tolist()
        stopped = set()
        for number, value in zip(range(len(models)), loss.tolist(), strict=True):
            if number in running:
                losses[number].append(value)
                validation_losses[number].append(held_out[number])
                if patience[number].over(held_out[number]):
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
