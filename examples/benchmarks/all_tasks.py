"""All staged tasks, five times five folds, networks and additive models beside tuned peers: ranks with intervals.

Run the models (resumes from the cache; one thread each; a peer of another environment runs there)::

    python examples/benchmarks/all_tasks.py run
    python examples/benchmarks/all_tasks.py run --models realmlp --repeats 1

Print the report as Markdown, and write it::

    python examples/benchmarks/all_tasks.py report --out docs/benchmarks/all-tasks.md

The tasks are read from ``../shared/bench``, beside the project.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before NumPy is imported

import argparse
import time
from pathlib import Path

import numpy as np
from _all_tasks_page import RESULTS, page
from _common import append_line, code_version, folds, read_lines, staged_tasks
from _peers import fit_fold

#: In the order they are run, the dear ones last.
MODELS = ("kaam", "linear", "extratreest", "rft", "catboost", "xgbt", "hgbt", "mlpt", "kan", "realmlp", "ebm")
PACKAGES = (
    *("kan-tabular", "numpy", "scipy", "pandas", "scikit-learn", "torch"),
    *("xgboost", "catboost", "interpret-core", "pytabkit"),
)
ADDITIVE = RESULTS.with_name("additive.jsonl")
N_FOLDS, N_REPEATS = 5, 5


def kept():
    """All records; those of EBM on the clinical tasks are kept by ``additive.py``: same folds, same preparation."""
    own = read_lines(RESULTS)
    done = {(r["task"], r["model"], r["repeat"]) for r in own}
    ebm = [r for r in read_lines(ADDITIVE) if r["model"] == "ebm" and "folds" in r]
    return own + [r for r in ebm if (r["task"], "ebm", r["repeat"]) not in done]


def run(args):
    """Fill the cache: the first repeat of everything, then the second."""
    makers = staged_tasks().ALL
    tasks = {name: makers[name]() for name in args.tasks or makers}
    done = {(r["task"], r["model"], r["repeat"]) for r in kept()}
    jobs = [(repeat, model, name) for repeat in range(args.repeats) for model in args.models for name in tasks]
    jobs.sort(key=lambda job: (job[0], MODELS.index(job[1]), tasks[job[2]].X.size))
    for repeat, model, name in jobs:
        if (name, model, repeat) in done:
            continue
        task = tasks[name]
        outer = folds(task.y, task.groups, N_FOLDS, repeat, stratify=task.is_classification)
        parts = [fit_fold(model, task, train, test, clock=time.process_time) for train, test in outer]
        values = {key: [float(part[key]) for part in parts] for key in parts[0]}
        record = {"task": name, "model": model, "repeat": repeat, "commit": code_version(), "folds": values}
        append_line(RESULTS, record, PACKAGES)
        means = "  ".join(f"{key} {np.mean(value):.4f}" for key, value in values.items())
        print(f"{name:18s} {model:12s} repeat {repeat}  {means}", flush=True)


def report(args):
    """Print the page, from the cache alone."""
    text = page(kept(), staged_tasks().ALL, MODELS)
    print(text)
    if args.out:
        args.out.write_text(text, encoding="utf-8")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    names = {"type": lambda text: text.split(",")}
    command = commands.add_parser("run", help="cross-validate, into the cache")
    command.add_argument("--models", **names, default=MODELS, help=", ".join(MODELS))
    command.add_argument("--tasks", **names, help="names separated by commas (default: all)")
    command.add_argument("--repeats", type=int, default=N_REPEATS)
    command.set_defaults(do=run)
    printed = commands.add_parser("report", help="print the page as Markdown")
    printed.add_argument("--out", type=Path)
    printed.set_defaults(do=report)
    args = parser.parse_args(argv)
    unknown = set(getattr(args, "models", ())) - set(MODELS)
    if unknown:
        parser.error(f"unknown models {sorted(unknown)}; there are {', '.join(MODELS)}")
    args.do(args)


if __name__ == "__main__":
    main()
