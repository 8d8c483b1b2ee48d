"""Are networks of curves better than MLPs and trees of the same size, or given the same time?

Asked by Yu, Yu and Wang (2024, arXiv 2407.16674) and by Jacobs et al. (2026, arXiv 2601.20097). The protocol is on the
page; in short, every model fits the same folds, chooses its settings inside the training part, and one record a fold
keeps all it tried, so that equal sizes and equal times are read from the same fits::

    python examples/benchmarks/critical_assessment.py run         # resumes from results/critical_assessment.jsonl
    python examples/benchmarks/critical_assessment.py run --repeats 2 --tables wine,pima_diabetes
    python examples/benchmarks/critical_assessment.py report --out docs/benchmarks/critical-assessment.md

Tables that have to be fetched are read through `kan_tabular.datasets` (offline from the folder that
``KAN_TABULAR_DATA`` names), and are left out, with a word, where they cannot be had.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before NumPy is imported

import argparse
import warnings
from functools import cache
from pathlib import Path

import _critical_models as models
import numpy as np
from _common import append_line, code_version, read_lines
from _critical_page import page
from _development_tasks import Task
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss, r2_score

from kan_tabular.datasets import fetch_dataset, list_datasets, make_additive, make_interaction, make_steps
from kan_tabular.exceptions import DatasetError, UnseenCategoryWarning

RESULTS = Path(__file__).resolve().parent / "results" / "critical_assessment.jsonl"
PACKAGES = ("kan-tabular", "numpy", "scipy", "pandas", "scikit-learn", "torch")
#: Rows of the fetched tables.
FEWEST, MOST = 500, 800
#: Which digits are told apart: those that look alike. (With ten classes the additive fit alone takes minutes.)
DIGITS = (3, 5, 8)


# ------------------------------------------------------------------------------------------------------------ tables


def from_bunch(name, bunch, kind):
    groups = getattr(bunch, "groups", None)
    groups = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    y = np.asarray(bunch.target, float if kind == "regression" else int)
    return Task(name, kind, bunch.data.reset_index(drop=True), y, groups)


def few_digits():
    digits = load_digits(as_frame=True)
    some = digits.target.isin(DIGITS)
    y = np.searchsorted(DIGITS, digits.target[some])
    return Task("digits", "multiclass", digits.data[some].reset_index(drop=True), y)


def made(name, maker, kind, **shape):
    response = "binary" if kind == "binary" else "gaussian"
    return from_bunch(name, maker(n_irrelevant=4, response=response, random_state=0, **shape), kind)


OFFLINE = {
    "breast_cancer": lambda: from_bunch("breast_cancer", load_breast_cancer(as_frame=True), "binary"),
    "wine": lambda: from_bunch("wine", load_wine(as_frame=True), "multiclass"),
    "digits": few_digits,
    "diabetes": lambda: from_bunch("diabetes", load_diabetes(as_frame=True), "regression"),
    "additive": lambda: made("additive", make_additive, "regression", n_samples=600, n_features=6, noise=0.5),
    "interaction": lambda: made("interaction", make_interaction, "binary", n_samples=800, n_features=4, share=0.6),
    "steps": lambda: made("steps", make_steps, "regression", n_samples=600, n_features=4, noise=0.5),
}


@cache
def fetched_names():
    """All data sets with 500 to 800 rows; by the cards, so nothing is downloaded."""
    cards = list_datasets()
    return tuple(cards.index[cards["rows"].between(FEWEST, MOST) & ~cards.index.isin(["breast_cancer_wdbc"])])


def load(name):
    """The task, or None where its table cannot be had; the first target of the card."""
    if name in OFFLINE:
        return OFFLINE[name]()
    try:
        bunch = fetch_dataset(name, n_retries=0)
    except DatasetError as error:
        print(f"SKIPPED {name}: {str(error).splitlines()[0]}", flush=True)
        return None
    return from_bunch(name, bunch, bunch.card.targets[0].task)


# --------------------------------------------------------------------------------------------------------------- run


def scores(task, test, said, n_train):
    """Loss and score of the test rows: log loss and accuracy, or root mean squared error and R2.

    Probabilities are mixed with one row's worth of equal shares, ``(n p + 1 / K) / (n + 1)``: some models say 0 or 1,
    and one row must not decide their loss.
    """
    y = task.y[test]
    if task.kind == "regression":
        return {"loss": float(np.sqrt(np.mean((y - said) ** 2))), "score": float(r2_score(y, said))}
    K = said.shape[1]
    p = (n_train * said / said.sum(axis=1, keepdims=True) + 1 / K) / (n_train + 1)
    loss = log_loss(y, p, labels=np.arange(K))
    return {"loss": float(loss), "score": float(accuracy_score(y, p.argmax(axis=1)))}


def try_all(task, train, test, candidates):
    """What each candidate of one model did on one fold, in their order; those that do not fit the size are left out."""
    known, later, out = models.part(task, train), task.X.iloc[test].reset_index(drop=True), []
    for size, setting, call in candidates:
        fit = call(known)
        if fit is None:
            continue
        found = {"asked": size, "setting": str(setting), "size": fit.size}
        found |= {"held_out": fit.held_out, "seconds": fit.seconds, "refit_s": fit.refit_s}
        out.append(found | scores(task, test, fit.predict(later), len(train)))
    return out


def run(args):
    """Fill the cache, a repetition after the other."""
    done = {key(r) for r in read_lines(RESULTS)}
    warnings.filterwarnings("ignore", category=UnseenCategoryWarning)
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    tasks = {name: task for name in args.tables if (task := load(name)) is not None}
    wine, some = OFFLINE["wine"](), np.arange(0, 178, 2)
    models.single_kan(models.part(wine, some), 1000, models.KAN_SETTINGS[0], 2)  # loads the libraries
    version = code_version()
    for repeat in range(args.repeats):
        for fold in range(models.N_FOLDS):  # one fold of every table first: an interrupted run is the same for all
            for name, task in tasks.items():
                train, test = models.splits(task, models.N_FOLDS, repeat)[fold]
                for model, candidates in models.candidates().items():
                    if (name, repeat, fold, model) in done:
                        continue
                    tried = try_all(task, train, test, candidates)
                    about = {"table": name, "kind": task.kind, "rows": len(task.y), "columns": task.X.shape[1]}
                    about |= {"repeat": repeat, "fold": fold, "model": model, "commit": version}
                    append_line(RESULTS, about | {"tried": tried}, PACKAGES)
                print(f"{name} {repeat}.{fold}", flush=True)


def key(record):
    return tuple(record[k] for k in ("table", "repeat", "fold", "model"))


# ------------------------------------------------------------------------------------------------------------ report


def report(args):
    """Print the page, from the cache alone."""
    records = list({key(r): r for r in read_lines(RESULTS)}.values())
    text = page(records, [*OFFLINE, *fetched_names()])
    print(text)
    if args.out:
        args.out.write_text(text, encoding="utf-8")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("run", help=run.__doc__)
    command.add_argument("--repeats", type=int, default=1)
    command.add_argument("--tables", type=lambda text: text.split(","), default=[*OFFLINE, *fetched_names()])
    command.set_defaults(do=run)
    command = commands.add_parser("report", help=report.__doc__)
    command.add_argument("--out", type=Path)
    command.set_defaults(do=report)
    args = parser.parse_args(argv)
    unknown = set(getattr(args, "tables", ())) - {*OFFLINE, *fetched_names()}
    if unknown:
        parser.error(f"unknown tables {sorted(unknown)}; there are {', '.join([*OFFLINE, *fetched_names()])}")
    args.do(args)


if __name__ == "__main__":
    main()
