"""Additive models against their peers on the clinical tasks: repeated cross-validation, same folds for all.

Run the models (resumes from the cache; one thread each)::

    python examples/benchmarks/additive.py run
    python examples/benchmarks/additive.py run --models kaam --refresh
    python examples/benchmarks/additive.py timing

Print the report as Markdown, and write it::

    python examples/benchmarks/additive.py report --out docs/benchmarks/additive.md

The folds are stratified, keep the rows of one group together where the task has groups, and are repeated 10 times
below 500 rows. The tasks are read from ``../shared/bench``, beside the project.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before NumPy is imported

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _common import (
    append_line,
    bootstrap_interval,
    folds,
    log_ratios,
    machine_section,
    mean_ranks,
    read_lines,
    staged_tasks,
    table,
)
from _peers import Ebm, fit_fold

RESULTS = Path(__file__).resolve().parent / "results"
SCORES = RESULTS / "additive.jsonl"
TIMES = RESULTS / "additive_timing.jsonl"
MODELS = ("kaam", "linear", "rf", "xgbt", "pygam", "ebm", "hgbt")  # in the order they are run
GLASSBOX = ("linear", "ebm", "pygam")
PACKAGES = ("kan-tabular", "numpy", "scipy", "pandas", "scikit-learn", "interpret-core", "xgboost", "pygam")
N_FOLDS = 5


def clinical_tasks():
    """The staged clinical tasks by name."""
    return {make.__name__: make for make in staged_tasks().CLINICAL}


# ----------------------------------------------------------------------------------------------------------- run


def read_scores():
    """The cache as {(task, model, repeat): record}; a later record of the same key replaces an earlier one."""
    return {(r["task"], r["model"], r["repeat"]): r for r in read_lines(SCORES)}


def run(args):
    """Fill the cache, the first repeat of everything first, and EBM's further repeats last."""
    makers = clinical_tasks()
    tasks = {name: makers[name]() for name in args.tasks or makers}
    n_repeats = {name: args.repeats or (10 if len(task.y) < 500 else 1) for name, task in tasks.items()}
    jobs = [
        (name, model, repeat)
        for name, task in tasks.items()
        for model in args.models
        for repeat in range(n_repeats[name])
    ]
    # dear jobs late: (EBM again?, repeat, model, rows)
    jobs.sort(key=lambda j: (j[1] == "ebm" and j[2] > 0, j[2], MODELS.index(j[1]), tasks[j[0]].X.size))
    done = set() if args.refresh else {key for key, record in read_scores().items() if "folds" in record}
    for name, model, repeat in jobs:
        if (name, model, repeat) in done:
            continue
        task = tasks[name]
        record = {"task": name, "model": model, "repeat": repeat}
        try:
            outer = folds(task.y, task.groups, N_FOLDS, repeat)
            parts = [fit_fold(model, task, train, test) for train, test in outer]
            record["folds"] = {key: [float(part[key]) for part in parts] for key in parts[0]}
            loss, fit_s = np.mean(record["folds"]["log_loss"]), np.median(record["folds"]["fit_s"])
            note = f"log loss {loss:.4f}  fit {fit_s:.3f} s"
        except Exception as error:  # a model that cannot run on a task is a result, and is reported as one
            record["error"] = note = f"{type(error).__name__}: {str(error)[:200]}"
        append_line(SCORES, record, PACKAGES)
        print(f"{name:18s} {model:7s} repeat {repeat}  {note}", flush=True)


def timing(args):
    """Fits on the full data of each task, KAAM and EBM with its defaults in turn, wall and processor seconds."""
    from kan_tabular import KAAMClassifier

    makers = clinical_tasks()
    done = set() if args.refresh else {(r["task"], r["round"]) for r in read_lines(TIMES)}
    warm = makers["birthwt"]()
    for model in (KAAMClassifier(), Ebm()):  # imports and first-call work are not part of a fit
        model.fit(warm.X, warm.y)
    for number in range(args.rounds):
        for name in args.tasks or makers:
            if (name, number) in done:
                continue
            task, record = makers[name](), {"task": name, "round": number}
            for key, model in (("kaam", KAAMClassifier()), ("ebm", Ebm())):
                extra = {"groups": task.groups} if key == "kaam" else {}
                wall, cpu = time.perf_counter(), time.process_time()
                model.fit(task.X, task.y, **extra)
                record[f"{key}_s"], record[f"{key}_cpu_s"] = time.perf_counter() - wall, time.process_time() - cpu
            append_line(TIMES, record, PACKAGES)
            print(f"{name:18s} round {number}  KAAM {record['kaam_s']:.3f} s  EBM {record['ebm_s']:.2f} s", flush=True)


# -------------------------------------------------------------------------------------------------------- report


def collect(scores, tasks, models):
    """Means over folds and over the repeats that all models with results on the task have.

    Returns
    -------
    values : dict
        {(task, model): {score: mean}}; seconds are medians. A model without results on a task has no entry.
    repeats : dict
        {task: number of repeats used}.
    """
    values, repeats = {}, {}
    for task in tasks:
        have = {m: {r for (t, k, r), rec in scores.items() if (t, k) == (task, m) and "folds" in rec} for m in models}
        have = {m: r for m, r in have.items() if r}
        shared = sorted(set.intersection(*have.values())) if have else []
        repeats[task] = len(shared)
        for model in have if shared else ():
            parts = [scores[task, model, r]["folds"] for r in shared]
            joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
            values[task, model] = {k: (np.median if k.endswith("_s") else np.mean)(v) for k, v in joined.items()}
    return values, repeats


def score_table(values, repeats, models, key, digits, lowest):
    """One score, a row a task; the lowest in bold where asked for."""
    rows = []
    for task in repeats:
        found = {m: values[task, m][key] for m in models if (task, m) in values}
        best = min(found.values()) if lowest and found else None
        shown = {m: f"**{v:.{digits}f}**" if v == best else f"{v:.{digits}f}" for m, v in found.items()}
        cells = [shown.get(m, "-") for m in models]
        rows.append([task, repeats[task], *cells])
    return table(["task", "repeats", *models], rows)


def interval_text(values):
    lower, upper = bootstrap_interval(values)
    return f"{lower:+.4f} to {upper:+.4f}"


def rank_tables(loss, tasks, models):
    """Mean ranks among all models, and among the glassbox ones, over the tasks that all of them have."""
    out = []
    for title, group in (("all models", models), ("glassbox models", [m for m in models if m in ("kaam", *GLASSBOX)])):
        full = [t for t in tasks if all((t, m) in loss for m in group)]
        if full:
            ranks = mean_ranks([[loss[t, m] for m in group] for t in full])
            out.append(f"Mean rank by log loss, {title}, {len(full)} tasks (1 is best):\n")
            out.append(table(["", *group], [["mean rank", *(f"{r:.2f}" for r in ranks)]]))
    return out


def relative_tables(loss, tasks, models):
    """KAAM's relative log loss against each peer, and without each single task against the best glassbox one."""
    ratios, rows = {}, []
    for peer in (m for m in models if m != "kaam"):
        both = [t for t in tasks if (t, "kaam") in loss and (t, peer) in loss]
        values = log_ratios([loss[t, "kaam"] for t in both], [loss[t, peer] for t in both])
        ratios[peer] = dict(zip(both, values, strict=True))
        won = f"{np.sum(values < 0)} of {len(both)}"
        rows.append([peer, f"{values.mean():+.4f}", interval_text(values), f"{np.median(values):+.4f}", won])
    out = [
        "KAAM's relative log loss, the mean over tasks of log(loss of KAAM / loss of the peer): negative is better, "
        "-0.01 is about 1% lower. The interval is a 95% bootstrap over tasks.\n",
        table(["peer", "relative log loss", "95% interval", "median over tasks", "tasks won"], rows),
    ]
    full = [t for t in tasks if all((t, m) in loss for m in GLASSBOX)]
    if not full:
        return out
    means = {m: np.mean([loss[t, m] for t in full]) for m in GLASSBOX}
    best = min(means, key=means.get)
    own = ratios[best]
    listed = ", ".join(f"{m} {v:.4f}" for m, v in means.items())
    rows = []
    for left_out, ratio in own.items():
        rest = [v for task, v in own.items() if task != left_out]
        rows.append([left_out, f"{ratio:+.4f}", f"{np.mean(rest):+.4f}", interval_text(rest)])
    out += [
        f"The best glassbox peer by mean log loss over {len(full)} tasks is **{best}** ({listed}). Against it KAAM's "
        f"relative log loss is **{np.mean(list(own.values())):+.4f}** ({interval_text(list(own.values()))}). "
        "Task by task, and without each single task:\n",
        table(["task", "relative log loss on it", "mean without it", "95% interval without it"], rows),
    ]
    return out


def timing_section():
    """EBM's time to fit over KAAM's, from the cache of `timing`."""
    rounds = pd.DataFrame(read_lines(TIMES))
    if rounds.empty:
        return ["Not run (`additive.py timing`).\n"]
    rounds = rounds.drop_duplicates(["task", "round"], keep="last")
    counts = rounds["task"].value_counts()
    median = rounds.groupby("task", sort=False)[["kaam_s", "ebm_s", "kaam_cpu_s", "ebm_cpu_s"]].median()
    ratio, cpu_ratio = median["ebm_s"] / median["kaam_s"], median["ebm_cpu_s"] / median["kaam_cpu_s"]
    rows = [
        [task, counts[task], f"{row.kaam_s:.3f}", f"{row.ebm_s:.2f}", f"{ratio[task]:.0f}"]
        for task, row in median.iterrows()
    ]
    return [
        "Fits on each task's full data, KAAM and EBM with its defaults in turn in one process, one thread each; "
        "medians of the rounds.\n",
        table(["task", "rounds", "KAAM, s", "EBM, s", "EBM / KAAM"], rows),
        f"Median over {len(median)} tasks of EBM / KAAM: **{ratio.median():.0f}** (wall time; by processor time "
        f"{cpu_ratio.median():.0f}); smallest {ratio.min():.0f}, largest {ratio.max():.0f}.\n",
    ]


METHOD = """\
Stratified 5-fold cross-validation, the same folds for all models, 10 repeats below 500 rows and 1 from there on; a task
with groups (the same patient, or equal rows) keeps a group on one side. A task's score is the mean over folds and over
the repeats that every model shown has. Probabilities are clipped at 1e-6. With several classes AUC is one-vs-rest
weighted by prevalence, and Brier the sum over classes.

* `kaam`: `KAAMClassifier()`, the raw table.
* `linear`: L2 logistic regression (median imputation and missing indicators, scaling, one-hot), its strength by inner
  3-fold log loss.
* `ebm`: `ExplainableBoostingClassifier` with its defaults, so its own early stopping does not know the groups; missing
  text is a level.
* `pygam`: `LogisticGAM`, splines and factors, median imputation and missing indicators, smoothness by its own
  `gridsearch`, at most 25 iterations a fit (R's limit for `glm`); several classes one against the rest, normalised.
* `hgbt`, `xgbt`: histogram boosting and XGBoost, 12 random draws of their parameters by inner 3-fold log loss.
* `rf`: random forest, 300 trees, leaves of at least two rows.

Inner folds respect the groups. Seconds include each model's own tuning and preparation, one thread, on a machine that
did other work meanwhile: they show the order of size, and the last table compares times under like conditions.
"""
SECTIONS = (  # title, key, digits, is the lowest marked
    ("Log loss", "log_loss", 4, True),
    ("AUC", "auc", 4, False),
    ("Brier score", "brier", 4, True),
    ("Seconds to fit, median over folds", "fit_s", 3, False),
    ("Seconds to predict a test fold, median over folds", "predict_s", 4, False),
)


def report(args):
    """Print the Markdown page, from the caches alone."""
    tasks, scores = list(clinical_tasks()), read_scores()
    models = [m for m in args.models if any(k == m and "folds" in r for (_, k, _), r in scores.items())]
    values, repeats = collect(scores, tasks, models)
    loss = {key: value["log_loss"] for key, value in values.items()}
    used = list(scores.values()) + read_lines(TIMES)
    out = ["# Additive models: accuracy and time\n", "Printed by `examples/benchmarks/additive.py report`.\n", METHOD]
    out += ["## Comparison\n", *rank_tables(loss, tasks, models)]
    out += relative_tables(loss, tasks, models) if "kaam" in models else ["KAAM has not been run.\n"]
    out += [f"Failed: {m} on {t}: {r['error']}\n" for (t, m, _), r in scores.items() if "error" in r and m in models]
    for title, key, digits, lowest in SECTIONS:
        out += [f"## {title}\n", score_table(values, repeats, models, key, digits, lowest)]
    out += ["## Time to fit against EBM\n", *timing_section()]
    if used:
        out += machine_section(records=used)
    text = "\n".join(out).rstrip() + "\n"
    print(text)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    names = {"type": lambda text: text.split(","), "help": "names separated by commas (default: all clinical tasks)"}
    command = commands.add_parser("run", help="cross-validate, into the cache")
    command.add_argument("--repeats", type=int, help="default: 10 below 500 rows, otherwise 1")
    command.set_defaults(do=run)
    timed = commands.add_parser("timing", help="time KAAM against EBM on the full data of each task")
    timed.add_argument("--rounds", type=int, default=3)
    timed.set_defaults(do=timing)
    for part in (command, timed):
        part.add_argument("--tasks", **names)
        part.add_argument("--refresh", action="store_true", help="compute again what the cache already has")
    printed = commands.add_parser("report", help="print the report as Markdown")
    printed.add_argument("--out", type=Path)
    printed.set_defaults(do=report)
    for part in (command, printed):
        part.add_argument("--models", type=lambda text: text.split(","), default=MODELS, help=", ".join(MODELS))
    args = parser.parse_args(argv)
    unknown = set(getattr(args, "models", ())) - set(MODELS)
    if unknown:
        parser.error(f"unknown models {sorted(unknown)}; there are {', '.join(MODELS)}")
    args.do(args)


if __name__ == "__main__":
    main()
