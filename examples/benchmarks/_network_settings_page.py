"""The page that `network_settings.py report` prints, from its records alone."""

from __future__ import annotations

import _development_tasks as development
import numpy as np
from _common import bootstrap_interval, log_ratios, machine_section, table

TASKS = (*development.FULL, *development.SMALL)
GROUPS = {
    "full tables": development.FULL,
    "samples of 50 to 126 rows": tuple(development.SMALL),
    "without alloys of the benchmarks": tuple(t for t in TASKS if t not in development.BENCHMARK_ALLOYS),
    "without ckd_60, wine_50": tuple(t for t in TASKS if t not in development.SOLVED),
}

INTRODUCTION = """# Networks: the default settings against alternatives

Printed by `examples/benchmarks/network_settings.py report`.

Twelve tables outside the benchmark list and ten samples of 50 to 126 rows (`_development_tasks.py`): alloys, clinical
and simulated tables. The first {folds} of five folds, which keep groups together and are the same for all; one fit a
fold, `random_state=0`. What each alternative changes:
"""

CAVEATS = """Read with care:

* The defaults were **chosen on these tasks**, folds and this seed, so the comparison favours them.
* Four tasks (process_el, mpea_hv, phase_machaka, process_el_60) hold alloys that are also in benchmark tables: all
  rows of process_yield and process_uts, with another property; 60% of mpea_hv's rows by formula in mpea_yield, with
  another property; 45% of phase_machaka's rows by composition in phase_pei, which asks for phases as well.
* Eight samples come from the full tables, so the tasks are not independent and the intervals are too short for that.
* ckd_60 and wine_50 are almost solved: their losses are near zero, and ratios of them are chance. Hence the median, and
  the last column of the second table. That of wine is small too: it alone can move a mean by 0.01.
* `no additive start`, `one plain setting` and `lbfgs` have no setting that starts at the additive fit; then that fit is
  no candidate of the ensemble either.
* Samples have few batches an epoch and at most 200 epochs, so they can make fewer steps than asked for.
* Fit time is processor seconds, one alternative after the other on a machine that did other work. A fifth more or
  less can be the machine.
"""

CHANCE = """* `another seed` changes nothing but chance: what differs from the default no more than it does is not known
  to differ.
"""
NO_CHANCE = """* What another seed alone would change has **not been measured**, so differences of a percent or two are
  not known to be more than chance.
"""

COLUMNS = """Relative loss: the mean over tasks of log(loss / loss of the default), below 0 where the alternative has
the lower loss; -0.01 is about 1%. The interval is a 95% bootstrap over tasks. Fit time: geometric mean of the ratio to
the default.
"""

ADDITIVE_START = """Over {n} tasks, `only additive start` against `no additive start` has a relative loss of **{mean}**
({interval}; median {median}): better on {better}, worse on {worse}, and the interval {verdict} 0. By kind of task:
{kinds}. It helps most on {helped}; it hurts most on {hurt}. The default has both kinds and lets held-out rows weigh
them: its ensembles give the additive fit a mean weight of {additive:.2f}, the one setting that starts at it
{started:.2f}, and all others together {plain:.2f}. This is what the argument does, not the start alone: with
`additive_start=False` the additive fit is no candidate either.
"""


def tasks_of(alternative):
    """Full-batch training is for small tables."""
    return tuple(development.SMALL) if alternative == "lbfgs" else TASKS


def compared(losses, peers):
    """Log ratios of two alternatives' losses on the tasks that both have, ``{task: value}``: negative is better.

    `losses` and `peers` hold the losses of the folds by task; the folds that both have are averaged.
    """
    common = [(name, min(len(losses[name]), len(peers[name]))) for name in TASKS if name in losses and name in peers]
    return {name: float(log_ratios(np.mean(losses[name][:k]), np.mean(peers[name][:k]))) for name, k in common}


def summary(ratios):
    """Number of tasks, mean, its interval over tasks, median, and on how many tasks the loss is lower and higher."""
    values = np.array(list(ratios.values()))
    low, high = bootstrap_interval(values)
    interval = f"{low:+.4f} to {high:+.4f}"
    return [
        len(values),
        f"{values.mean():+.4f}",
        interval,
        f"{np.median(values):+.4f}",
        *map(sum, (values < 0, values > 0)),
    ]


def by_kind(ratios):
    """Mean over the tasks of each of the groups, as text."""
    inside = [[ratios[name] for name in names if name in ratios] for names in GROUPS.values()]
    return [f"{np.mean(values):+.4f}" if values else "-" for values in inside]


def comparison(losses, seconds):
    """Every alternative against the default: over all tasks, and by kind of task."""
    rows, parts = [], []
    for alternative in losses:
        ratios = compared(losses[alternative], losses["default"])
        if alternative == "default" or not ratios:
            continue
        faster = np.exp(np.mean(list(compared(seconds[alternative], seconds["default"]).values())))
        rows.append([alternative, *summary(ratios), f"{faster:.2f}"])
        parts.append([alternative, *by_kind(ratios)])
    head = ["alternative", "tasks", "relative loss", "95% interval", "median", "better", "worse", "fit time"]
    return [table(head, rows), "By kind of task, the mean relative loss:\n", table(["alternative", *GROUPS], parts)]


def additive_start(losses, weights):
    """What the runs say of starting at the additive fit, in one paragraph; `weights` are those of the default."""
    ratios = compared(losses.get("only additive start", {}), losses.get("no additive start", {}))
    if not ratios:
        return "Not measured yet.\n"
    names = ("n", "mean", "interval", "median", "better", "worse")
    values = dict(zip(names, summary(ratios), strict=True))
    low, high = map(float, values["interval"].split(" to "))
    order = sorted(ratios, key=ratios.get)
    ends = {"helped": order[:4], "hurt": order[:-5:-1]}
    values |= {name: ", ".join(f"{task} ({ratios[task]:+.4f})" for task in tasks) for name, tasks in ends.items()}
    values["kinds"] = ", ".join(f"{mean} {kind}" for kind, mean in zip(GROUPS, by_kind(ratios), strict=True))
    shares = {"additive": "additive", "started": "additive start", "plain": "plain start"}
    values |= {name: np.mean([w[kind] for w in weights.values()]) for name, kind in shares.items()}
    text = ADDITIVE_START.format(**values, verdict="includes" if low <= 0 <= high else "excludes")
    return " ".join(text.split()) + "\n"


def loss_table(losses):
    """Mean loss over folds of every task and alternative, the lowest in bold."""
    rows = []
    for name in TASKS:
        means = {a: np.mean(by_task[name]) for a, by_task in losses.items() if name in by_task}
        texts = {a: f"{mean:.4f}" for a, mean in means.items()}
        for alternative in [a for a in means if means[a] == min(means.values())]:
            texts[alternative] = f"**{texts[alternative]}**"
        if means:
            rows.append([name, *(texts.get(a, "-") for a in losses)])
    return table(["task", *losses], rows)


def page(records, alternatives):
    """The page as Markdown.

    Parameters
    ----------
    records : list of dict
        One for each alternative and task.
    alternatives : dict of dict
        What each changes.
    """
    by = {key: {a: {} for a in alternatives} for key in ("loss", "seconds", "weights")}
    for r in records:
        for key, values in by.items():
            values[r["alternative"]][r["task"]] = r[key]
    losses = {a: by_task for a, by_task in by["loss"].items() if by_task}
    out = [INTRODUCTION.format(folds=max((len(r["loss"]) for r in records), default=0))]
    for alternative, changes in alternatives.items():
        values = ", ".join(f"`{name}={value!r}`" for name, value in changes.items()) or "nothing"
        measured, wanted = len(losses.get(alternative, ())), len(tasks_of(alternative))
        part = f" (on {measured} of {wanted} tasks)" if measured else " (not measured yet)"
        out.append(f"* {alternative}: {values}{'' if measured == wanted else part}")
    out.append("")
    if "default" in losses:
        out += [
            CAVEATS + (CHANCE if "another seed" in losses else NO_CHANCE),
            "## Against the default\n",
            COLUMNS,
            *comparison(losses, by["seconds"]),
        ]
        out += ["## Starting at the additive fit\n", additive_start(losses, by["weights"]["default"])]
        out += ["## Losses\n", "Log loss (classes) or root mean squared error (numbers), means over folds.\n"]
        out.append(loss_table(losses))
    if records:
        out += machine_section(records=records)
    return "\n".join(out).rstrip() + "\n"
