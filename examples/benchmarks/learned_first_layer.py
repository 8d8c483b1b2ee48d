"""Do families whose functions are learned earn their place on the columns, or would B-splines there do as well?

Run the fits (resumes from the cache; one thread), and print the page::

    python examples/benchmarks/learned_first_layer.py run
    python examples/benchmarks/learned_first_layer.py report --out docs/benchmarks/learned-first-layer.md

Each family twice: on columns and hidden nodes, as the estimators have it, and on hidden nodes alone, with B-splines on
the columns. Log loss on new rows of tables (three folds), and the errors of `function_fitting.py` at equal size.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before NumPy is imported

import argparse
import time
from pathlib import Path
from unittest import mock

import function_fitting
import numpy as np
from _common import append_line, folds, log_ratios, read_lines, table
from scipy.stats import t as student_t
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.metrics import log_loss

RESULTS = Path(__file__).resolve().parent / "results" / "learned_first_layer.jsonl"
PACKAGES = ("kan-tabular", "numpy", "scikit-learn", "torch")
FAMILIES = ("free_knots", "adaptive_rbf", "daruan", "rational")
FUNCTIONS = ("oscillating", "sharp peak", "discontinuous", "multiplicative")
FOLDS, SEEDS, ROWS = 3, 3, 600
#: Of the tables; smaller than the defaults, which take eight times as long.
SETTINGS = {"n_estimators": 3, "max_iter": 40, "random_state": 0}


def tables():
    """Three tables of scikit-learn and two made-up ones, as (X, classes) by name."""
    rng = np.random.default_rng(0)
    X, target = load_diabetes(return_X_y=True)
    made = rng.uniform(-1, 1, (ROWS, 4))
    waves = 3 * np.sin(8 * made[:, 0]) + 4 * made[:, 1] * made[:, 2]
    steps = 4 * (made[:, 0] > 0.3) * np.sign(made[:, 1] + 0.2) - 1
    drawn = {
        name: (rng.random(ROWS) < 1 / (1 + np.exp(-eta))).astype(int)
        for name, eta in (("waves", waves), ("steps", steps))
    }
    return {
        "breast cancer": load_breast_cancer(return_X_y=True),
        "wine": load_wine(return_X_y=True),
        "diabetes, above the median": (X, (target > np.median(target)).astype(int)),
        **{name: (made, y) for name, y in drawn.items()},
    }


def on_hidden_nodes_alone(family):
    """While this holds, ``basis="bspline"`` means B-splines on the columns and `family` on hidden nodes."""
    from kan_tabular.bases import REGISTRY, Clipped

    return mock.patch("kan_tabular.training.fit._hidden_basis", lambda options: Clipped(REGISTRY[family]()))


def fitted(make, family, learned, *data):
    """A network with the family on its columns, or without, and processor seconds."""
    start = time.process_time()
    if learned:
        model = make(family).fit(*data)
    else:
        with on_hidden_nodes_alone(family):
            model = make("bspline").fit(*data)
    return model, time.process_time() - start


def run_tables(done):
    from kan_tabular import LogisticKAN

    def make(basis):
        return LogisticKAN(basis=basis, **SETTINGS)

    for name, (X, y) in tables().items():
        for family in FAMILIES:
            for fold, (train, test) in enumerate(folds(y, None, FOLDS, 0)):
                for learned in (True, False):
                    if (name, family, fold, learned) in done:
                        continue
                    model, seconds = fitted(make, family, learned, X[train], y[train])
                    loss = log_loss(y[test], model.predict_proba(X[test]))
                    keep("table", name, family, fold, learned, loss, seconds)


def run_functions(done):
    from kan_tabular import KANRegressor

    ours = function_fitting.SETTINGS | {"batch_size": function_fitting.BATCH}

    def network(basis, width, seed, epochs):
        return KANRegressor(basis=basis, hidden_layer_sizes=(width,), random_state=seed, max_iter=epochs, **ours)

    for task in FUNCTIONS:
        for family in FAMILIES:
            for learned in (True, False):
                width = None
                for seed in range(SEEDS):
                    if (task, family, seed, learned) in done:
                        continue
                    X, y, X_new, y_new = function_fitting.draw(task, seed)
                    if width is None:  # parameters grow evenly with it
                        sizes = [
                            function_fitting.n_parameters(
                                fitted(lambda b, w=w: network(b, w, 0, 1), family, learned, X, y)[0]
                            )
                            for w in (2, 4)
                        ]
                        width = round(2 + 2 * (function_fitting.TASKS[task][2] - sizes[0]) / (sizes[1] - sizes[0]))
                    make = lambda basis, w=width, s=seed: network(basis, w, s, function_fitting.EPOCHS)  # noqa: E731
                    model, seconds = fitted(make, family, learned, X, y)
                    error = float(np.sqrt(np.mean((model.predict(X_new) - y_new) ** 2)))
                    keep("function", task, family, seed, learned, error, seconds)


def keep(kind, name, family, draw, learned, loss, seconds):
    line = {"kind": kind, "name": name, "family": family, "draw": draw, "learned": learned}
    append_line(RESULTS, {**line, "loss": float(loss), "seconds": seconds}, PACKAGES)


def run(args):
    done = {(r["name"], r["family"], r["draw"], r["learned"]) for r in read_lines(RESULTS)}
    run_tables(done)
    run_functions(done)


def means(lines, kind, names):
    """Mean loss by name, family, and whether columns learn: (names, families, 2), and the seconds."""
    out = np.full((2, len(names), len(FAMILIES), 2), np.nan)
    for i, name in enumerate(names):
        for j, family in enumerate(FAMILIES):
            for k, learned in enumerate((True, False)):
                own = [r for r in lines if (r["name"], r["family"], r["learned"]) == (name, family, learned)]
                own = [r for r in own if r["kind"] == kind]
                if own:
                    out[:, i, j, k] = np.mean([r["loss"] for r in own]), np.mean([r["seconds"] for r in own])
    return out


def section(lines, kind, names):
    losses, seconds = means(lines, kind, names)
    rows = [[name, *(f"{a:.4f} / {b:.4f}" for a, b in own)] for name, own in zip(names, losses, strict=True)]
    ratios = log_ratios(losses[..., 0], losses[..., 1])
    half = student_t.ppf(0.975, len(names) - 1) * ratios.std(0, ddof=1) / np.sqrt(len(names))
    middle = ratios.mean(0)
    rows.append(
        [
            "ratio",
            *(f"{np.exp(m):.2f} [{np.exp(m - h):.2f}, {np.exp(m + h):.2f}]" for m, h in zip(middle, half, strict=True)),
        ]
    )
    took = np.exp(log_ratios(seconds[..., 0], seconds[..., 1]).mean(0))
    rows.append(["time, ratio", *(f"{v:.2f}" for v in took)])
    return table(["", *FAMILIES], rows)


def report(args):
    """The page, from the cache alone."""
    lines = read_lines(RESULTS)
    text = "\n".join(
        [
            "# Learned functions on the columns\n",
            "Printed by `examples/benchmarks/learned_first_layer.py report`.\n",
            "Families whose functions are learned, on the columns and hidden nodes of a network (left of the bar: what "
            "the estimators do) and on hidden nodes alone, with B-splines on the columns (right). Ratios are geometric "
            "means over the rows of the table, with 95% t-intervals over them; below 1, learning is better.\n",
            f"## Tables\n\nLog loss of `LogisticKAN` on new rows, mean of {FOLDS} folds; "
            f"{', '.join(f'{k}={v}' for k, v in SETTINGS.items())}. `waves` and `steps` have {ROWS} rows and four even "
            "columns: a wave of one column beside a product of two, and a step of one whose sign another decides.\n",
            section(lines, "table", list(tables())),
            "## Functions without noise, at equal size\n\nErrors as in [function fitting](function-fitting.md) (one "
            f"network, its width chosen for equal parameters), mean of {SEEDS} seeds.\n",
            section(lines, "function", FUNCTIONS),
            "A column has one set of functions for all the curves that leave it: with `daruan` and `rational` that is "
            "one function beside the line, where B-splines have twelve.\n",
        ]
    )
    print(text)
    if args.out:
        args.out.write_text(text.rstrip() + "\n", encoding="utf-8")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("run", help="fit what the cache does not have").set_defaults(do=run)
    prints = commands.add_parser("report", help="print the page from the cache")
    prints.set_defaults(do=report)
    prints.add_argument("--out", type=Path)
    args = parser.parse_args(argv)
    args.do(args)


if __name__ == "__main__":
    main()
