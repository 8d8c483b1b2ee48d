"""One training of the clinical paper's recipe, for ``clinical_paper.py recipe``; runs in pykan's own environment.

Usage::

    PATH_TO_PYTHON _clinical_pykan.py TABLE.npz SETTINGS.json

TABLE.npz: ``X_train``, ``y_train``, ``X_validation``, ``y_validation``, ``X_test``. SETTINGS.json: ``hidden`` (list),
``grid``, ``k``, ``lamb``, ``weight``, ``sparse_init``, ``steps``, ``plain``. Prints one JSON line: the probabilities of
the test rows, both losses step by step, processor seconds and versions.

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
from pathlib import Path

import numpy as np
import torch

RATE, PATIENCE, ENTROPY = 1e-3, 30, 0.1
GRID_UPDATE_EVERY, LAST_GRID_UPDATE = 5, 50


def remember_splines():
    """Let pykan's layers keep the B-splines of inputs without gradient, while inputs and grid stay the same."""
    from kan.spline import B_batch

    layers = importlib.import_module("kan.KANLayer")  # the package has a class of this name
    kept = []  # (inputs, grid, degree, splines), the last few: training and validation rows

    def coef2curve(x_eval, grid, coef, k, device="cpu"):
        splines = None
        if not x_eval.requires_grad:
            for x, g, degree, values in kept:
                if degree == k and x.shape == x_eval.shape and torch.equal(x, x_eval) and torch.equal(g, grid):
                    splines = values
        if splines is None:
            splines = B_batch(x_eval, grid, k=k)
            if not x_eval.requires_grad:
                kept.append((x_eval.clone(), grid.detach().clone(), k, splines))
                del kept[:-4]
        return torch.einsum("ijk,jlk->ijl", splines, coef)

    layers.coef2curve = coef2curve


def train(model, table, settings):
    """The recipe's loop; both losses of every step."""
    labels, validation_labels = table["y_train"], table["y_validation"]
    weights = None
    if settings["weight"]:
        weights = torch.tensor([len(labels) / (len(set(labels.tolist())) * n) for n in torch.bincount(labels).tolist()])
    loss_of = torch.nn.CrossEntropyLoss(weight=weights)
    optimiser = torch.optim.Adam(model.get_params(), lr=RATE)
    losses, validation_losses, best, waited = [], [], np.inf, 0
    for step in range(settings["steps"]):
        if step % GRID_UPDATE_EVERY == 0 and step < LAST_GRID_UPDATE:
            model.update_grid(table["X_train"])
        loss = loss_of(model(table["X_train"]), labels)
        penalty = model.get_reg("edge_forward_spline_n", 1.0, ENTROPY, 0.0, 0.0)
        optimiser.zero_grad()
        (loss + settings["lamb"] * penalty).backward()
        optimiser.step()
        if settings["plain"]:
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


def main(table_path, settings_path):
    from kan import KAN

    torch.set_num_threads(1)
    settings = json.loads(Path(settings_path).read_text())
    with np.load(table_path) as arrays:
        table = {name: torch.from_numpy(a) if name[0] == "y" else torch.from_numpy(a).float() for name, a in arrays.items()}
    if not settings["plain"]:
        remember_splines()
    n_classes = len(set(table["y_train"].tolist()) | set(table["y_validation"].tolist()))
    width = [table["X_train"].shape[1], *settings["hidden"], n_classes]
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        given = {name: settings[name] for name in ("grid", "k", "sparse_init")}
        slow = {"symbolic_enabled": settings["plain"], "auto_save": settings["plain"], "ckpt_path": folder}
        model = KAN(width=width, seed=0, device="cpu", **given, **slow)
        losses, validation_losses = train(model, table, settings)
    seconds = time.process_time() - start
    with torch.no_grad():
        p = torch.softmax(model(table["X_test"]), dim=1).numpy().astype(float)
    versions = {name: version(name) for name in ("pykan", "torch")}
    result = {"probabilities": p.tolist(), "losses": losses, "validation_losses": validation_losses, "cpu_s": seconds}
    print("RESULT " + json.dumps({**result, **versions}))


if __name__ == "__main__":
    main(*sys.argv[1:])
