"""Trainings by the clinical paper's recipe, for ``clinical_paper.py recipe``; runs in pykan's own environment.

Reads a JSON line a training: ``table`` (the path of an npz file with ``X_train``, ``y_train``, ``X_validation``,
``y_validation``, ``X_test``), ``hidden`` (list), ``grid``, ``k``, ``lamb``, ``weight``, ``sparse_init``, ``steps``,
``plain``. Answers each with one: the probabilities of the test rows, both losses step by step, processor seconds,
versions.

The recipe (arXiv 2509.16750, its public repository of August 2025): one logit a class, cross-entropy plus
``lamb`` times pykan's penalty (entropy .1), Adam on all rows at once with rate 1e-3, grids updated every 5th of the
first 50 steps, at most 10,000 steps, stopped when the validation loss has not fallen for more than 30 steps, and the
weights of the last step kept, not the best. With ``plain`` the loop is as slow as the original; without, four things
are left out that cannot change a number: checkpoints, the symbolic branch (no edge is symbolic), gradients and records
of the validation rows, and computing B-splines again of the same inputs on the same grid.
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

layers = importlib.import_module("kan.KANLayer")  # the module: the package has a class of this name too

RATE, PATIENCE, ENTROPY = 1e-3, 30, 0.1
GRID_UPDATE_EVERY, LAST_GRID_UPDATE = 5, 50


def remembering_curves():
    """pykan's `coef2curve`, but B-splines of inputs without gradient are kept while inputs and grid stay the same."""
    kept = []  # (inputs, grid, degree, splines), the last few: training and validation rows

    def coef2curve(x_eval, grid, coef, k, device="cpu"):
        splines = None
        if not x_eval.requires_grad:
            for x, g, degree, values in kept:
                if degree == k and x.shape == x_eval.shape and torch.equal(x, x_eval) and torch.equal(g, grid):
                    splines = values
        if splines is None:
            splines = layers.B_batch(x_eval, grid, k=k)
            if not x_eval.requires_grad:
                kept.append((x_eval.clone(), grid.detach().clone(), k, splines))
                del kept[:-4]
        return torch.einsum("ijk,jlk->ijl", splines, coef)

    return coef2curve


def train(model, table, job):
    """The recipe's loop; both losses of every step."""
    labels, validation_labels = table["y_train"], table["y_validation"]
    weights = None
    if job["weight"]:
        weights = torch.tensor([len(labels) / (len(set(labels.tolist())) * n) for n in torch.bincount(labels).tolist()])
    loss_of = torch.nn.CrossEntropyLoss(weight=weights)
    optimiser = torch.optim.Adam(model.get_params(), lr=RATE)
    losses, validation_losses, best, waited = [], [], np.inf, 0
    for step in range(job["steps"]):
        if step % GRID_UPDATE_EVERY == 0 and step < LAST_GRID_UPDATE:
            model.update_grid(table["X_train"])
        loss = loss_of(model(table["X_train"]), labels)
        penalty = model.get_reg("edge_forward_spline_n", 1.0, ENTROPY, 0.0, 0.0)
        optimiser.zero_grad()
        (loss + job["lamb"] * penalty).backward()
        optimiser.step()
        if job["plain"]:
            validation_loss = loss_of(model(table["X_validation"]), validation_labels).item()
        else:
            model.save_act = False
            with torch.no_grad():
                validation_loss = loss_of(model(table["X_validation"]), validation_labels).item()
            model.save_act = True
        losses.append(loss.item())
        validation_losses.append(validation_loss)
        waited = 0 if validation_loss < best else waited + 1
        best = min(best, validation_loss)
        if waited > PATIENCE:
            break
    return losses, validation_losses


def answer(job):
    """One training and its test rows."""
    with np.load(job["table"]) as arrays:
        table = {name: torch.from_numpy(array) for name, array in arrays.items()}
    table = {name: array if name.startswith("y") else array.float() for name, array in table.items()}
    n_classes = len(set(table["y_train"].tolist()) | set(table["y_validation"].tolist()))
    width = [table["X_train"].shape[1], *job["hidden"], n_classes]
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        given = {name: job[name] for name in ("grid", "k", "sparse_init")}
        slow = {"symbolic_enabled": job["plain"], "auto_save": job["plain"], "ckpt_path": folder}
        model = KAN(width=width, seed=0, device="cpu", **given, **slow)
        losses, validation_losses = train(model, table, job)
    seconds = time.process_time() - start
    with torch.no_grad():
        p = torch.softmax(model(table["X_test"]), dim=1).numpy().astype(float)
    return {"p": p.tolist(), "losses": losses, "validation_losses": validation_losses, "cpu_s": seconds}


def main():
    torch.set_num_threads(1)
    original = layers.coef2curve
    for line in sys.stdin:
        job = json.loads(line)
        layers.coef2curve = original if job["plain"] else remembering_curves()
        versions = {name: version(name) for name in ("pykan", "torch")}
        print(json.dumps({**answer(job), **versions}), flush=True)


if __name__ == "__main__":
    main()
