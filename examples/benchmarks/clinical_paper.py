"""The clinical paper's table (arXiv 2509.16750): reproduced on its one split, then judged by repeated cross-validation.

Every part keeps its records in ``results/clinical_paper.jsonl`` and goes on where it was stopped; one thread::

    python examples/benchmarks/clinical_paper.py published
    python examples/benchmarks/clinical_paper.py repeated
    python examples/benchmarks/clinical_paper.py repeated --models ebm --repeats 2
    python examples/benchmarks/clinical_paper.py recipe --pykan-python PATH    # an environment with pykan 0.2.8
    python examples/benchmarks/clinical_paper.py report --out docs/benchmarks/clinical-paper.md

`published`: the paper's own split, its logistic regression and forest again, this library's models at their defaults,
and tuned peers. `repeated`: ten times five stratified folds, preparation fitted on the training rows. `recipe`: the
paper's networks by pykan, with the settings its search found best, on its split and in the same folds, ten at once.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before NumPy is imported

import argparse
import json
import subprocess
import tempfile
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from _clinical_page import RESULTS, page
from _clinical_tables import (
    HABITS,
    PUBLISHED,
    TABLES,
    PaperScaler,
    paper_model,
    paper_scores,
    published_split,
    read_table,
)
from _common import append_line, code_version, fold_scores, folds, read_lines
from _peers import PEERS, inner_folds, own_model
from sklearn.base import clone
from sklearn.model_selection import train_test_split

PACKAGES = ("kan-tabular", "numpy", "scipy", "pandas", "scikit-learn", "torch", "interpret-core")
#: In the order they are run, the dear ones last.
MODELS = ("kaam", "lr", "rf", "linear", "kan", "mlpt", "hgbt", "ebm")
HABITS_MODELS = ("kaam", "linear", "kan", "hgbt")
#: The paper's networks: their records' name, and the row of its table.
RECIPES = {"kaam_recipe": "kaam", "kan_recipe": "logistic_kan"}
N_FOLDS, N_REPEATS = 5, 10
ROUNDS, SEEDS = 3, 20
PLAIN_STEPS = 200
REPEATS_AT_ONCE = 2


class Records:
    """What has been measured, by part, table, model and the part's own keys."""

    KEYS = ("part", "table", "model", "repeat", "fold")

    def __init__(self):
        self.done = {self._key(record) for record in read_lines(RESULTS)}

    def _key(self, record):
        return tuple(record.get(name) for name in self.KEYS)

    def has(self, **keys):
        return self._key(keys) in self.done

    def add(self, **record):
        append_line(RESULTS, {**record, "commit": code_version()}, PACKAGES)
        self.done.add(self._key(record))
        shown = [f"{record.get(name)}" for name in self.KEYS] + [f"{record.get('scores', '')}"]
        print("  ".join(shown), flush=True)


def make(name, table, y):
    """A model by its name, unfitted; `y` are the training rows' classes, for the folds of those that tune."""
    if name in ("lr", "rf"):
        return paper_model(name, table)
    return PEERS[name](inner_folds(y, None), table.n_classes) if name in PEERS else own_model(name, table.n_classes)


def fitted(name, table, X, y):
    """A fitted model and the processor seconds of its fit, tuning included."""
    with warnings.catch_warnings():
        if name not in ("kaam", "kan"):
            warnings.simplefilter("ignore")  # peers' own convergence notes; scores tell what matters
        model = make(name, table, y)
        start = time.process_time()
        model.fit(X, y)
        return model, time.process_time() - start


# ----------------------------------------------------------------------------------------------------- published


def missed_indices(model, table):
    """Body mass index of the test rows of the paper's split of `table` that a model gets wrong."""
    X, X_test, y, y_test = published_split(table)
    wrong = X_test.index[fitted(model, table, X, y)[0].predict(X_test) != y_test]
    return (table.X.loc[wrong, "Weight"] / table.X.loc[wrong, "Height"] ** 2).tolist()


def run_published(args):
    """Each model on the paper's split: its five scores, and the median processor seconds of a few fits."""
    records = Records()
    for name in args.tables or TABLES:
        table = read_table(name)
        X, X_test, y, y_test = published_split(table)
        for model in args.models or [m for m in MODELS if m != "ebm"]:
            keys = {"part": "published", "table": name, "model": model}
            if records.has(**keys):
                continue
            rounds = [fitted(model, table, X, y) for _ in range(1 if model in PEERS else ROUNDS)]
            scores = paper_scores(y_test, rounds[0][0].predict_proba(X_test))
            records.add(**keys, scores=scores, cpu_s=float(np.median([seconds for _, seconds in rounds])))
        keys = {"part": "published", "table": name, "model": "rf_seeds"}
        if not records.has(**keys):
            forests = [clone(paper_model("rf", table)).set_params(random_state=seed) for seed in range(SEEDS)]
            parts = [paper_scores(y_test, forest.fit(X, y).predict_proba(X_test)) for forest in forests]
            records.add(**keys, scores={key: [part[key] for part in parts] for key in parts[0]})
        keys = {"part": "missed", "table": name, "model": "kaam"}
        if name == "obesity_bin" and not records.has(**keys):
            records.add(**keys, indices=missed_indices("kaam", table))


# ------------------------------------------------------------------------------------------------------ repeated


def outer_folds(table, repeat):
    """(train, test) of the five folds of a repeat, the same for every model."""
    return folds(table.y, None, N_FOLDS, repeat)


def scaled_fold(table, train, test):
    """The paper's scaling, fitted on the training rows."""
    X = table.X.iloc[train].reset_index(drop=True)
    scaler = PaperScaler().fit(X)
    return scaler.transform(X), scaler.transform(table.X.iloc[test].reset_index(drop=True))


def test_scores(table, test, p):
    """Accuracy, AUC, log loss and Brier score of one test fold."""
    scores = fold_scores(table.y[test], p, table.n_classes)
    return {
        "accuracy": float(np.mean(np.argmax(p, axis=1) == table.y[test])),
        **{k: float(v) for k, v in scores.items()},
    }


def run_repeated(args):
    """A record a fold: the cheap models' ten repeats first."""
    records, tables = Records(), {name: read_table(name) for name in args.tables or (*TABLES, *HABITS)}
    models = args.models or [m for m in MODELS if m != "ebm"]
    jobs = [(m, n, r) for m in models for r in range(args.repeats) for n in tables if n in TABLES or m in HABITS_MODELS]
    for model, name, repeat in jobs:
        table = tables[name]
        for fold, (train, test) in enumerate(outer_folds(table, repeat)):
            keys = {"part": "repeated", "table": name, "model": model, "repeat": repeat, "fold": fold}
            if records.has(**keys):
                continue
            X, X_test = scaled_fold(table, train, test)
            estimator, seconds = fitted(model, table, X, table.y[train])
            records.add(**keys, scores=test_scores(table, test, estimator.predict_proba(X_test)), cpu_s=seconds)


# -------------------------------------------------------------------------------------------------------- recipe


@contextmanager
def pykan_trainer(python):
    """A function that trains by the recipe in pykan's environment: tables and settings -> the peer's answers.

    A table is (X, y, X_test); a fifth of its rows are held out to stop by, as the paper does. All tables of a call have
    the same number of rows.
    """
    peer = Path(__file__).with_name("_clinical_pykan.py")
    command = [str(Path(python).absolute()), str(peer)]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder) as process,
    ):

        def train(tables, settings, *, plain=False, steps=None):
            paths = [str(Path(folder) / f"{number}.npz") for number in range(len(tables))]
            for path, (X, y, X_test) in zip(paths, tables, strict=True):
                rows = train_test_split(X.to_numpy(), y, test_size=0.2, random_state=0)
                names = ("X_train", "X_validation", "y_train", "y_validation")
                np.savez(path, X_test=X_test.to_numpy(), **dict(zip(names, rows, strict=True)))
            hidden = settings["hidden_dim"]
            job = {name: settings[name] for name in ("grid", "k", "lamb", "weight", "sparse_init")}
            job |= {"hidden": hidden if isinstance(hidden, list) else [hidden] if hidden else []}
            job |= {"tables": paths, "plain": plain, "steps": steps or settings["steps"]}
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"{peer.name} stopped; its message is above")
            return json.loads(line)

        yield train
        process.stdin.close()


def summary(answer):
    """Of a training: its length, its time, and with what."""
    versions = {name: answer[name] for name in ("pykan", "torch")}
    return {"steps": len(answer["losses"]), "cpu_s": answer["cpu_s"], "peer": versions}


def run_plain(records, train):
    """Whether the quick loop gives the original's losses: the original twice, then the quick one."""
    for name, model in (("breast", "kaam_recipe"), ("obesity_bin", "kan_recipe")):
        keys = {"part": "plain", "table": name, "model": model}
        if records.has(**keys):
            continue
        X, X_test, y, _ = published_split(read_table(name))
        settings = PUBLISHED[name][RECIPES[model]]["settings"]
        tables = [(X, y, X_test)]
        answers = [train(tables, settings, plain=plain, steps=PLAIN_STEPS)[0] for plain in (True, True, False)]
        losses = [np.array([answer["losses"], answer["validation_losses"]]) for answer in answers]
        apart = {
            "again": np.abs(losses[1] - losses[0]).max(),
            "quick": max(np.abs(losses[2] - original).max() for original in losses[:2]),
        }
        seconds = {"plain_s": answers[1]["cpu_s"], "quick_s": answers[2]["cpu_s"]}
        records.add(**keys, **{key: float(value) for key, value in apart.items()}, **seconds, steps=PLAIN_STEPS)


def batches(records, table, model, repeats):
    """Folds still to be trained, as lists of (keys, training rows, test rows) of equal size."""
    for first in range(0, repeats, REPEATS_AT_ONCE):
        by_size = {}
        for repeat in range(first, min(first + REPEATS_AT_ONCE, repeats)):
            for fold, (rows, test) in enumerate(outer_folds(table, repeat)):
                keys = {"part": "repeated", "table": table.name, "model": model, "repeat": repeat, "fold": fold}
                if not records.has(**keys):
                    by_size.setdefault(len(rows), []).append((keys, rows, test))
        yield from by_size.values()


def run_recipe(args):
    """The paper's networks on its split, then fold by fold."""
    if args.pykan_python is None:
        print("recipe: SKIPPED, no --pykan-python (the interpreter of an environment with pykan 0.2.8).")
        return
    records = Records()
    wanted = [(m, n) for n in args.tables or TABLES for m in args.models or RECIPES]
    wanted.sort(key=lambda job: (job[1] == "obesity", list(RECIPES).index(job[0])))
    with pykan_trainer(args.pykan_python) as train:
        run_plain(records, train)
        for model, name in wanted:
            table, settings = read_table(name), PUBLISHED[name][RECIPES[model]]["settings"]
            keys = {"part": "original" if args.original else "published", "table": name, "model": model}
            if not records.has(**keys):
                X, X_test, y, y_test = published_split(table)
                (answer,) = train([(X, y, X_test)], settings, plain=args.original)
                records.add(**keys, scores=paper_scores(y_test, np.array(answer["p"])), **summary(answer))
            for batch in batches(records, table, model, 0 if args.original else args.repeats):
                scaled = [scaled_fold(table, rows, test) for _, rows, test in batch]
                answers = train(
                    [(X, table.y[b[1]], X_test) for b, (X, X_test) in zip(batch, scaled, strict=True)], settings
                )
                for (keys, _, test), answer in zip(batch, answers, strict=True):
                    records.add(**keys, scores=test_scores(table, test, np.array(answer["p"])), **summary(answer))


# -------------------------------------------------------------------------------------------------------- report


def report(args):
    """Print the page, from the records alone."""
    text = page(read_lines(RESULTS))
    print(text)
    if args.out:
        args.out.write_text(text, encoding="utf-8")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    names = {"type": lambda text: text.split(",")}
    for part, do, models in (
        ("published", run_published, MODELS),
        ("repeated", run_repeated, MODELS),
        ("recipe", run_recipe, RECIPES),
    ):
        command = commands.add_parser(part, help=do.__doc__)
        command.add_argument("--tables", **names, help="names separated by commas (default: all)")
        command.add_argument("--models", **names, help=", ".join(models))
        command.add_argument("--repeats", type=int, default=N_REPEATS)
        command.set_defaults(do=do, known=models)
        if part == "recipe":
            command.add_argument("--pykan-python", help="the interpreter of an environment with pykan 0.2.8")
            command.add_argument("--original", action="store_true", help="the paper's split only, by the original loop")
    printed = commands.add_parser("report", help=report.__doc__)
    printed.add_argument("--out", type=Path)
    printed.set_defaults(do=report)
    args = parser.parse_args(argv)
    for given, known in (
        (getattr(args, "models", None), getattr(args, "known", ())),
        (getattr(args, "tables", None), (*TABLES, *HABITS)),
    ):
        if unknown := set(given or ()) - set(known):
            parser.error(f"unknown {sorted(unknown)}; there are {', '.join(known)}")
    args.do(args)


if __name__ == "__main__":
    main()
