"""Tasks, folds, scores of one fold, comparisons over tasks, cached records and Markdown tables for the benchmarks."""

from __future__ import annotations

import importlib
import json
import os
import platform
import subprocess
import sys
import warnings
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from scipy.stats import rankdata
from scipy.stats import t as student_t
from sklearn.metrics import log_loss, r2_score, roc_auc_score, root_mean_squared_error
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

PROBABILITY_FLOOR = 1e-6


def staged_tasks():
    """The module of the staged tasks, or a clean exit where it is absent."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "bench"
    if not (folder / "tasks.py").exists():
        print("skipped: needs the staged tasks (../shared/bench/tasks.py beside the project)")
        raise SystemExit(0)
    sys.path.insert(0, str(folder))
    return importlib.import_module("tasks")


def folds(y, groups, n_folds, seed, *, stratify=True):
    """Folds that never split a group, stratified for classes, as a list of (train, test) positions."""
    whole, grouped = (StratifiedKFold, StratifiedGroupKFold) if stratify else (KFold, GroupKFold)
    splitter = whole if groups is None else grouped
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")  # obesity7 has a class of three rows
        return list(splitter(n_folds, shuffle=True, random_state=seed).split(np.zeros(len(y)), y, groups))


def clip_probabilities(p):
    """Probabilities of shape (n, n_classes) clipped at ``PROBABILITY_FLOOR`` and summing to one again."""
    p = np.clip(np.asarray(p, float), PROBABILITY_FLOOR, 1.0)
    return p / p.sum(axis=1, keepdims=True)


def fold_scores(y, p, n_classes):
    """Log loss, AUC and Brier score of one test fold.

    Parameters
    ----------
    y : array of int, shape (n,)
        Classes 0, ..., n_classes - 1.
    p : array, shape (n, n_classes)
        Predicted probabilities.
    n_classes : int

    Returns
    -------
    dict
        ``log_loss`` (nats a row, after clipping), ``auc`` (several classes: one-vs-rest, weighted by prevalence, over
        the classes the fold has), ``brier`` (two classes: mean squared error of the second one's probability; more:
        summed over classes).
    """
    y, p = np.asarray(y, int), clip_probabilities(p)
    hit = np.eye(n_classes)[y]
    loss = log_loss(y, p, labels=np.arange(n_classes))
    if n_classes == 2:
        return {"log_loss": loss, "auc": roc_auc_score(y, p[:, 1]), "brier": np.mean((p[:, 1] - y) ** 2)}
    present = np.flatnonzero((hit.sum(axis=0) > 0) & (hit.sum(axis=0) < len(y)))
    auc = np.average([roc_auc_score(hit[:, k], p[:, k]) for k in present], weights=hit[:, present].sum(axis=0))
    return {"log_loss": loss, "auc": auc, "brier": np.mean(np.sum((p - hit) ** 2, axis=1))}


def regression_scores(y, predicted):
    """Root mean squared error and R2 of one test fold."""
    return {"rmse": root_mean_squared_error(y, predicted), "r2": r2_score(y, predicted)}


def mean_ranks(losses):
    """Mean rank of each model over tasks (1 is the lowest loss; ties share their mean rank).

    ``losses`` has shape (n_tasks, n_models); so has the result's order of models.
    """
    return rankdata(np.asarray(losses, float), axis=1).mean(axis=0)


def log_ratios(own, peer):
    """Log of the ratio of losses per task: negative where ``own`` is better; -0.01 is about 1% lower loss."""
    return np.log(np.asarray(own, float)) - np.log(np.asarray(peer, float))


def bootstrap_interval(values, *, n_draws=10_000, level=0.95, seed=0):
    """Percentile interval of the mean under resampling of the tasks.

    Parameters
    ----------
    values : array, shape (n_tasks,)
    n_draws : int
    level : float
        Coverage aimed at.
    seed : int

    Returns
    -------
    tuple of float
        Lower and upper end.
    """
    values = np.asarray(values, float)
    rows = np.random.default_rng(seed).integers(0, len(values), (n_draws, len(values)))
    lower, upper = np.quantile(values[rows].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(lower), float(upper)


def corrected_interval(values, n_train, n_test, level=0.95):
    """t interval of a mean over random splits of one table (Nadeau and Bengio 2003, section 4).

    Parameters
    ----------
    values : array, shape (n_splits,)
        Scores, or differences of two models' scores, one a split.
    n_train, n_test : int
        Rows of each split. Splits share rows, so the variance of the mean is ``(1/n_splits + n_test/n_train) s^2``.
    level : float

    Returns
    -------
    tuple of float
        Lower and upper end.
    """
    values = np.asarray(values, float)
    variance = (1 / len(values) + n_test / n_train) * values.var(ddof=1)
    half = student_t.ppf((1 + level) / 2, len(values) - 1) * np.sqrt(variance)
    return float(values.mean() - half), float(values.mean() + half)


def code_version():
    """The commit of the installed `kan_tabular`, with ``+`` where it has been changed since; "" outside a checkout."""
    import kan_tabular

    command = ["git", "-C", str(Path(kan_tabular.__file__).parent), "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip()


def environment(packages):
    """Machine and versions of ``packages`` in one line."""
    cpu = platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    found = [f"Python {platform.python_version()}"]
    for name in packages:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} absent")
    threads = {"1": "one thread", None: "all threads"}.get(n := os.environ.get("OMP_NUM_THREADS"), f"{n} threads")
    return f"{cpu}, {os.cpu_count()} cores, {threads}; " + ", ".join(found)


def machine_section(packages=(), records=None, *, notes=()):
    """The end of a page: when, where and with what its numbers came about, as a list of Markdown lines.

    Parameters
    ----------
    packages : tuple of str
        For a page without records: those in use now.
    records : list of dict, optional
        With the dates and environments that `append_line` wrote.
    notes : iterable of str
        Further lines.
    """
    if records is None:
        records = [{"date": str(date.today()), "environment": environment(packages)}]
    days = sorted({r["date"] for r in records})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    lines = [f"* {line}" for line in [*sorted({r["environment"] for r in records}), *notes]]
    return ["## Machine and versions\n", f"Run {when}, on a shared machine.\n", *lines]


def read_lines(path):
    """Records of a JSON lines file; a last line cut short by an interruption is left out."""
    records = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records


def append_line(path, record, packages):
    """Append ``record`` with today's date, the machine and the versions of ``packages``."""
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps({**record, "date": str(date.today()), "environment": environment(packages)}) + "\n")


def table(head, rows):
    """A Markdown table, numbers to the right."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"
