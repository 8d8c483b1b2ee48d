"""Do conformal sets and intervals hold what they promise? Counted on simulated and real rows, beside MAPIE::

    python examples/benchmarks/coverage.py simulated    # 500 draws a design; resumes results/coverage.jsonl
    python examples/benchmarks/coverage.py real         # 100 random splits of six tables
    python examples/benchmarks/coverage.py heart        # the published heart-disease protocol
    python examples/benchmarks/coverage.py width        # interval widths on two tables of alloys
    python examples/benchmarks/coverage.py jackknife      # around additive models, in closed form
    python examples/benchmarks/coverage.py report --out docs/benchmarks/coverage.md

All but the first read the staged tables (``../shared/bench``, beside the project). One thread (``OMP_NUM_THREADS=1``).
A record is computed again where the code of the method has changed since (comments and docstrings aside).
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import warnings
from pathlib import Path

import _coverage_jackknife
from _common import append_line, read_lines, staged_tasks
from _coverage_page import write_page
from _coverage_simulated import DESIGNS, LEVELS, simulate
from mapie.classification import SplitConformalClassifier
from mapie.regression import CrossConformalRegressor
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import kan_tabular.uncertainty as uncertainty
from kan_tabular import KAAMClassifier, KAAMRegressor, KANRegressor
from kan_tabular.exceptions import UnseenCategoryWarning
from kan_tabular.uncertainty import ConformalClassifier, ConformalRegressor, covers

RESULTS = Path(__file__).resolve().parent / "results" / "coverage.jsonl"
PACKAGES = ("kan-tabular", "numpy", "scipy", "scikit-learn", "MAPIE")
REPETITIONS, FOLDED, JACKKNIFED = 500, 100, 300
SPLITS, CROSS_SPLITS = 100, 20
TASKS = ("heart918", "pima", "ilpd", "breast", "mpea_yield", "process_yield")
STRENGTHS = ("mpea_yield", "process_yield")
TEST_SHARE = 0.3
#: Modules whose code decides what is counted.
CODE = (
    *("_base", "_calibration", "_fitting", "_out_of_fold", "_quantiles", "_rows", "_scores"),
    *("classifier", "regressor", "spread"),
)


def fingerprint():
    """Changes with the code of the methods and of the designs, not with their comments or docstrings."""
    folder = Path(uncertainty.__file__).parent
    files = [*(folder / f"{name}.py" for name in CODE), Path(__file__).parent / "_coverage_simulated.py"]
    digest = hashlib.sha256()
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
                value = body[0].value
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    value.value = ""
        digest.update(ast.dump(tree).encode())
    return digest.hexdigest()[:12]


class Cache:
    """Records of the present code by their keys."""

    def __init__(self):
        self.code = fingerprint()
        self.records = [r for r in read_lines(RESULTS) if r["fingerprint"] == self.code]

    def has(self, **keys):
        return any(all(r.get(name) == value for name, value in keys.items()) for r in self.records)

    def add(self, record):
        append_line(RESULTS, {**record, "fingerprint": self.code}, PACKAGES)
        print("  ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{v}" for k, v in record.items()), flush=True)


def simulated(cache, args):
    for design in DESIGNS:
        if not cache.has(part="simulated", design=design):
            for record in simulate(design, args.repetitions or REPETITIONS, FOLDED):
                cache.add({"part": "simulated", **record})


# ------------------------------------------------------------------------------------------------- real tables


def splits(task, n_splits):
    """Random training and test rows: classes stratified, groups whole."""
    if task.groups is not None:
        return GroupShuffleSplit(n_splits, test_size=TEST_SHARE, random_state=0).split(task.y, groups=task.groups)
    return StratifiedShuffleSplit(n_splits, test_size=TEST_SHARE, random_state=0).split(task.y, task.y)


def real_models(task, seed):
    """The models by name, and on how many splits they are fitted."""
    common = {"confidence_level": LEVELS, "random_state": seed}
    if task.kind == "regression":
        model = KAAMRegressor()
        return {
            "split": (ConformalRegressor(model, **common), SPLITS),
            "normalized": (ConformalRegressor(model, conformity_score="normalized", **common), SPLITS),
            "cross": (ConformalRegressor(model, method="cross", **common), CROSS_SPLITS),
        }
    model = KAAMClassifier()
    return {
        "split": (ConformalClassifier(model, **common), SPLITS),
        "empty allowed": (ConformalClassifier(model, empty="allow", **common), SPLITS),
        "by class": (ConformalClassifier(model, conditional="class", **common), SPLITS),
        "cross": (ConformalClassifier(model, method="cross", **common), CROSS_SPLITS),
    }


def measure(model, X, y):
    """Coverage (of all rows, then of each class), mean size or width, and share of empty sets, at each level."""
    if hasattr(model, "predict_set"):
        sets = model.predict_set(X)
        hit, size = covers(y, sets, model.classes_), sets.sum(1)
        by_class = [hit[y == c].mean(0).tolist() for c in model.classes_]
    else:
        interval = model.predict_interval(X)
        hit, size, by_class = covers(y, interval), interval[:, 1] - interval[:, 0], []
    return {
        "coverage": hit.mean(0).tolist(),
        "by_class": by_class,
        "size": size.mean(0).tolist(),
        "empty": (size == 0).mean(0).tolist(),
    }


def real(cache, args):
    for name in args.tasks:
        task = staged_tasks().load(name)
        for i, (train, test) in enumerate(splits(task, SPLITS)):
            groups = None if task.groups is None else task.groups[train]
            for method, (model, n_splits) in real_models(task, i).items():
                if i >= n_splits or cache.has(part="real", task=name, split=i, method=method):
                    continue
                model.fit(task.X.iloc[train], task.y[train], groups=groups)
                record = {"part": "real", "task": name, "method": method, "split": i, "n_test": len(test)}
                record |= {"n_calibration": len(model.calibration_.scores)}
                cache.add({**record, **measure(model, task.X.iloc[test], task.y[test])})


# ------------------------------------------------------------------------------------------------- heart disease


def heart(cache, args):
    """918 rows, 642 to train and calibrate, 276 to test, as published; and the mistake that seems to have been made."""
    task = staged_tasks().load("heart918")
    sizes = StratifiedShuffleSplit(SPLITS, test_size=276, random_state=1).split(task.y, task.y)
    for i, (train, test) in enumerate(sizes):
        if cache.has(part="heart", split=i):
            continue
        X, y, Xt, yt = task.X.iloc[train], task.y[train], task.X.iloc[test], task.y[test]
        common = {"confidence_level": LEVELS, "random_state": i}
        models = {
            "KAAM, by class": ConformalClassifier(KAAMClassifier(), conditional="class", **common),
            "KAAM, split": ConformalClassifier(KAAMClassifier(), **common),
            "KAAM, cross, by class": ConformalClassifier(
                KAAMClassifier(), method="cross", conditional="class", **common
            ),
        }
        for method, model in models.items():
            cache.add({"part": "heart", "split": i, "method": method, **measure(model.fit(X, y), Xt, yt)})
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
        forest = make_pipeline(encoder, RandomForestClassifier(100, random_state=i)).fit(X, y)
        wrong = SplitConformalClassifier(_Numbered(forest), LEVELS).conformalize(X, y)
        sets = wrong.predict_set(Xt)[1]
        hit, size = covers(yt, sets, [0, 1]), sets.sum(1)
        found = {"coverage": hit.mean(0).tolist(), "size": size.mean(0).tolist(), "empty": (size == 0).mean(0).tolist()}
        cache.add({"part": "heart", "split": i, "method": "forest, calibrated on training rows", **found})


class _Numbered:
    """A fitted classifier without `n_features_in_`: MAPIE would try it on a row of zeros, which has no text."""

    def __init__(self, fitted):
        self.classes_, self.predict, self.predict_proba = fitted.classes_, fitted.predict, fitted.predict_proba
        self.coef_ = None  # what MAPIE takes for a sign of being fitted


# ------------------------------------------------------------------------------------------------- widths

GRID = (0.8, 0.85, 0.9, 0.925, 0.95)


def width_models():
    boosting = HistGradientBoostingRegressor(categorical_features="from_dtype", random_state=0)
    common = {"method": "cross", "confidence_level": GRID, "random_state": 0}
    return {
        "MAPIE cross, histogram boosting": CrossConformalRegressor(boosting, GRID, cv=GroupKFold(5)),
        "ConformalRegressor cross, histogram boosting": ConformalRegressor(boosting, **common),
        "ConformalRegressor cross, KAAM": ConformalRegressor(KAAMRegressor(), **common),
        "ConformalRegressor cross, KANRegressor": ConformalRegressor(KANRegressor(random_state=0), **common),
    }


def width(cache, args):
    """Five folds that keep compositions whole, outside and inside."""
    for name in STRENGTHS:
        task = staged_tasks().load(name)
        outer = GroupKFold(5, shuffle=True, random_state=0).split(task.y, groups=task.groups)
        for fold, (train, test) in enumerate(outer):
            X, y, groups = task.X.iloc[train].reset_index(drop=True), task.y[train], task.groups[train]
            for method, model in width_models().items():
                if cache.has(part="width", task=name, fold=fold, method=method):
                    continue
                if isinstance(model, CrossConformalRegressor):
                    model.fit_conformalize(X, y, groups=groups)
                    interval = model.predict_interval(task.X.iloc[test])[1]
                else:
                    interval = model.fit(X, y, groups=groups).predict_interval(task.X.iloc[test])
                hit = covers(task.y[test], interval)
                widths = interval[:, 1] - interval[:, 0]
                record = {"part": "width", "task": name, "fold": fold, "method": method, "n_test": len(test)}
                cache.add({**record, "coverage": hit.mean(0).tolist(), "width": widths.mean(0).tolist()})


def jackknife(cache, args):
    for measure_one in (_coverage_jackknife.exactness, _coverage_jackknife.approximation, _coverage_jackknife.speed):
        for record in measure_one():
            cache.add(record)
    for design in DESIGNS:
        for record in _coverage_jackknife.covered(design, args.repetitions or JACKKNIFED):
            cache.add(record)


def report(cache, args):
    text = write_page(cache.records, GRID)
    print(text)
    if args.out:
        args.out.write_text(text, encoding="utf-8")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for do in (simulated, real, heart, width, jackknife, report):
        command = commands.add_parser(do.__name__)
        command.set_defaults(do=do)
        if do in (simulated, jackknife):
            command.add_argument("--repetitions", type=int)
        if do is real:
            command.add_argument("--tasks", type=lambda text: text.split(","), default=TASKS, help=", ".join(TASKS))
        if do is report:
            command.add_argument("--out", type=Path)
    args = parser.parse_args(argv)
    with warnings.catch_warnings():
        # About single folds of small tables, not about coverage.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UnseenCategoryWarning)
        args.do(Cache(), args)


if __name__ == "__main__":
    main()
