"""Default settings of the networks against alternatives, on tasks outside the benchmarks.

Run the alternatives (resumes from ``results/network_settings.jsonl``; one thread), then write the page::

    python examples/benchmarks/network_settings.py run
    python examples/benchmarks/network_settings.py run --alternatives "default,steps 400" --tasks fr1,wine
    python examples/benchmarks/network_settings.py report --out docs/benchmarks/network-settings.md

The tasks are those of `_development_tasks`; the ones that need the staged tables are skipped where these are absent.
What was measured with other settings than the present ones is not used, and is measured again.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before NumPy is imported

import argparse
import hashlib
import json
import time
import warnings
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import _development_tasks as development
import numpy as np
from _common import append_line, clip_probabilities, folds, read_lines
from _network_settings_page import TASKS, page, tasks_of
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold, KFold

from kan_tabular import KANRegressor, LogisticKAN
from kan_tabular.estimators import _network as network
from kan_tabular.exceptions import UnseenCategoryWarning
from kan_tabular.training import fit as training

RESULTS = Path(__file__).resolve().parent / "results" / "network_settings.jsonl"
PACKAGES = ("kan-tabular", "numpy", "scipy", "scikit-learn", "torch")
N_FOLDS = 5

#: What each alternative changes, in the order they are run: constants (of the modules below) or arguments.
ALTERNATIVES = {
    "default": {},
    "all settings to the end": {"_SELECTION": None},
    "steps 400": {"_STEPS": 400},
    "steps 600": {"_STEPS": 600},
    "two finalists": {"_FINALISTS": 2},
    "one plain setting": {"_PORTFOLIO": ((0.5, 0.2, False),)},
    "no additive start": {"additive_start": False},
    "only additive start": {"additive_start": True},
    "one layer": {"hidden_layer_sizes": (24,)},
    "lbfgs": {"solver": "lbfgs"},
    "wide": {"hidden_layer_sizes": (48, 16)},
    "another seed": {"random_state": 1},
}
CONSTANTS = {
    **dict.fromkeys(("_PORTFOLIO", "_RIDGES", "_ITERATIONS", "_STEPS", "_FEWEST_EPOCHS", "_MOST_EPOCHS"), network),
    **dict.fromkeys(("_HOLD_OUT_ROWS", "_SELECTION"), network),
    **dict.fromkeys(("_KNOTS", "_MOST_ADDITIVE", "_FINALISTS"), training),
}


# ----------------------------------------------------------------------------------------------------------- run


def arguments(alternative):
    """Arguments of the estimator."""
    changes = ALTERNATIVES[alternative].items()
    return {"random_state": 0, **{name: value for name, value in changes if name not in CONSTANTS}}


def fingerprint(alternative):
    """Changes with any setting or default that could change a result of this alternative."""
    constants = {name: ALTERNATIVES[alternative].get(name, getattr(module, name)) for name, module in CONSTANTS.items()}
    defaults = {**LogisticKAN().get_params(), **KANRegressor().get_params()}
    settings = json.dumps([constants, {**defaults, **arguments(alternative)}], sort_keys=True)
    return hashlib.sha256(settings.encode()).hexdigest()[:12]


def splits(task):
    """Five folds that keep groups together; classes stratified."""
    if task.kind != "regression":
        return folds(task.y, task.groups, N_FOLDS, 0)
    splitter = KFold if task.groups is None else GroupKFold
    return list(splitter(N_FOLDS, shuffle=True, random_state=0).split(task.y, groups=task.groups))


def fit_fold(task, train, test, arguments):
    """One fit: its loss on the test rows, processor seconds, and the weight of the candidates with an additive part."""
    classes = task.kind != "regression"
    model = (LogisticKAN if classes else KANRegressor)(**arguments)
    X, groups = task.X.iloc[train], None if task.groups is None else task.groups[train]
    start = time.process_time()
    model.fit(X, task.y[train], groups=groups)
    seconds = time.process_time() - start
    if classes:
        p = np.zeros((len(test), len(np.unique(task.y))))  # a class of few rows can be absent from training
        p[:, model.classes_] = model.predict_proba(task.X.iloc[test])
        loss = log_loss(task.y[test], clip_probabilities(p), labels=np.arange(p.shape[1]))
    else:
        loss = np.sqrt(np.mean((task.y[test] - model.predict(task.X.iloc[test])) ** 2))
    weight = {"additive": 0.0, "additive start": 0.0, "plain start": 0.0}
    for c in model.candidates_:
        start = {None: "additive", True: "additive start", False: "plain start"}[c["additive_start"]]
        weight[start] += c["weight"]
    return {"loss": float(loss), "seconds": seconds, "weight": weight}


def measure(alternative, name, n_folds):
    """Fit the first folds of one task and keep the record; False where the task's table is absent."""
    task = development.load(name)
    if task is None:
        return False
    with ExitStack() as stack:
        for constant, module in CONSTANTS.items():
            if constant in ALTERNATIVES[alternative]:
                stack.enter_context(patch.object(module, constant, ALTERNATIVES[alternative][constant]))
        fits = [fit_fold(task, *rows, arguments(alternative)) for rows in splits(task)[:n_folds]]
    losses, seconds = [f["loss"] for f in fits], [f["seconds"] for f in fits]
    weights = {kind: float(np.mean([f["weight"][kind] for f in fits])) for kind in fits[0]["weight"]}
    values = {"alternative": alternative, "task": name, "loss": losses, "seconds": seconds, "weights": weights}
    append_line(RESULTS, {**values, "fingerprint": fingerprint(alternative)}, PACKAGES)
    print(f"{alternative:24s} {name:14s} loss {np.mean(losses):9.4f}  fit {np.mean(seconds):5.1f} s", flush=True)
    return True


def run(args):
    """Every alternative on every task that is not in the cache."""
    done = {key for key, r in current(read_lines(RESULTS)).items() if len(r["loss"]) >= args.folds}
    task = development.load("wine")
    fit_fold(task, np.arange(0, 178, 4), np.arange(1, 178, 4), {"max_iter": 1})  # loads the libraries
    warnings.filterwarnings("ignore", category=UnseenCategoryWarning)
    absent = {}
    for alternative in args.alternatives:
        for name in args.tasks:
            if (alternative, name) in done or name not in tasks_of(alternative):
                continue
            if not measure(alternative, name, args.folds):
                absent[name] = True
    if absent:
        print(f"SKIPPED, need the staged tables (../shared/bench/tasks.py beside the project): {', '.join(absent)}.")


def current(records):
    """The newest record of each (alternative, task) that was measured with the present settings."""
    now = {alternative: fingerprint(alternative) for alternative in ALTERNATIVES}
    return {(r["alternative"], r["task"]): r for r in records if now.get(r["alternative"]) == r["fingerprint"]}


# -------------------------------------------------------------------------------------------------------- report


def report(args):
    """The page, from the cache alone."""
    lines = read_lines(RESULTS)
    records = current(lines)
    text = page(list(records.values()), ALTERNATIVES)
    print(text)
    if stale := {(r["alternative"], r["task"]) for r in lines} - set(records):
        print(f"{len(stale)} results were measured with other settings than the present ones and are left out.")
    if args.out:
        args.out.write_text(text, encoding="utf-8")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    def names(known):
        def read(text):
            unknown = [name for name in text.split(",") if name not in known]
            if unknown:
                raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
            return text.split(",")

        return read

    command = commands.add_parser("run", help=run.__doc__)
    command.add_argument("--alternatives", type=names(ALTERNATIVES), default=list(ALTERNATIVES))
    command.add_argument("--tasks", type=names(TASKS), default=TASKS)
    command.add_argument("--folds", type=int, default=3, choices=range(1, N_FOLDS + 1))
    command.set_defaults(do=run)
    command = commands.add_parser("report", help=report.__doc__)
    command.add_argument("--out", type=Path)
    command.set_defaults(do=report)
    args = parser.parse_args(argv)
    args.do(args)


if __name__ == "__main__":
    main()
