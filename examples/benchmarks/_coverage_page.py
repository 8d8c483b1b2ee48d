"""The page of `coverage.py`, from its records alone."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from _common import machine_section, table

HEAD = """\
# Conformal sets and intervals: coverage

Printed by `examples/benchmarks/coverage.py report`.
"""

SIMULATED = """\
## Simulated draws

Every repetition draws training rows, calibration rows and 1000 test rows anew (300 + 300; cross: 200 rows in all;
jackknife+: 60, linear regression; else KAAM, and linear quantile regression for CQR). One row in four belongs to a
group whose outcome is noisier, so that a promise about all rows is broken for that group. Empty sets are kept empty
here, since filling them can only add coverage. `split by fit` lets `fit` choose the calibration rows (half of 600,
classes spread evenly); the others calibrate a fitted model.

Coverage of split methods is known exactly: of one calibration it is beta-distributed around
`ceil((n + 1) L) / (n + 1)`, on 1000 test rows beta-binomial. The range is that of the mean over the repetitions, 99.9%
wide. Within a class or group n is its number of calibration rows. Cross and jackknife+ promise `2 L - 1` (less a small
term for cross) and aim at L.
"""

REAL = """\
## Real tables

{splits} random splits, 30% to test (classes stratified; compositions of alloys on one side), a quarter of the rest to
calibrate; cross: the first {cross} splits. KAAM at its defaults. Mean coverage over the splits and its standard
deviation from split to split; size is the mean number of classes in a set, or the mean width in MPa. Of alloys the rows
of one composition are not independent of each other, and calibration knows fewer independent cases than rows.
"""

HEART = """\
## Heart disease, the published protocol

KACQ-DCNN ([arXiv 2410.07446](https://arxiv.org/abs/2410.07446)) conformalizes with MAPIE (LAC) on the 918 rows, 642 to
train and 276 to test. What its figures say: coverage of about .80 at a nominal .90 and of at most .90 at .98, and up to
87 of 276 empty sets (32%); the sizes of its sets are not given, so sizes cannot be compared at equal coverage, only
coverage and empty sets. The last line repeats what seems to have happened: a model calibrated on its own training rows
(here a random forest and MAPIE's LAC). {splits} stratified splits of the same sizes; 160 of the 642 rows calibrate
(cross: all).
"""

WIDTH = """\
## Interval widths

Two tables of alloys, five folds with whole compositions outside, five inside. Mean width in MPa at the nominal 90%, and
at a *measured* 90%: between the nominal levels {grid} linearly, coverage pooled over the folds. One run of five folds:
differences of a few percent are noise.
"""


JACKKNIFE = """\
## Jackknife+ around additive models, in closed form

What leaving a row out changes follows from the one fit (`leave_one_out`), with knots and smoothing parameters as all
rows have them. The formal guarantee of the jackknife+ asks for these to be chosen again without the row; how much that
matters is what the coverage shows ({rows} training rows, fresh draws of the designs above, empty sets kept empty,
standard error of the mean in brackets).
"""


def write_page(records, grid):
    """The Markdown page; parts without records are left out."""
    parts = defaultdict(list)
    for record in records:
        parts[record["part"]].append(record)
    out = [HEAD]
    writers = {"simulated": _simulated, "real": _real, "heart": _heart, "width": lambda rows: _width(rows, grid)}
    for name, write in writers.items():
        if parts[name]:
            out += write(parts[name])
    if parts["jackknife exact"]:
        out += _jackknife(parts)
    out += machine_section(records=records)
    return "\n".join(out).rstrip() + "\n"


def _short(value, digits=3):
    return f"{value:.{digits}f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.{digits}f}"


def _simulated(rows):
    out = [SIMULATED]
    judged = [r for r in rows if r["low"] == r["low"]]
    inside = sum(r["low"] <= r["coverage"] <= r["high"] for r in judged)
    repetitions = max(r["repetitions"] for r in rows)
    fewest = min(r["repetitions"] for r in rows)
    out.append(
        f"{repetitions} repetitions ({fewest} of cross and jackknife+): {inside} of {len(judged)} coverages with an "
        "exact theory lie inside their range.\n"
    )
    levels = sorted({r["level"] for r in rows})
    by_key = {(r["design"], r["option"], r["stratum"], r["level"]): r for r in rows}
    lines = []
    for r in judged:
        verdict = "inside" if r["low"] <= r["coverage"] <= r["high"] else "**outside**"
        span = f"{_short(r['low'], 4)} to {_short(r['high'], 4)}"
        lines.append([r["design"], r["option"], r["stratum"], r["level"], _short(r["coverage"], 4), span, verdict])
    out.append(table(["design", "method", "rows", "level", "coverage", "99.9% range", ""], lines))
    out.append("Without an exact theory (standard error of the mean in brackets):\n")
    lines = []
    for r in rows:
        if r["option"] in ("cross", "jackknife+"):
            promise = _short(2 * r["level"] - 1, 2)
            lines.append(
                [r["design"], r["option"], r["level"], f"{_short(r['coverage'])} ({_short(r['error'])})", promise]
            )
    out.append(table(["design", "method", "level", "coverage", "promised"], lines))
    out.append("What a promise about all rows does to the groups, and the promise for each group mends:\n")
    lines = []
    for design in dict.fromkeys(r["design"] for r in rows):
        for group in ("group common", "group rare"):
            options = [(level, option) for level in levels for option in ("split", "split, by group")]
            cells = [by_key[design, option, group, level]["coverage"] for level, option in options]
            lines.append([design, group, *map(_short, cells)])
    head = ["design", "rows", *(f"{level}, {how}" for level in levels for how in ("split", "by group"))]
    out.append(table(head, lines))
    out.append("Mean set size, empty sets filled with the most probable class:\n")
    lines = []
    for design in dict.fromkeys(r["design"] for r in rows):
        for level in levels:
            own, peer = (by_key.get((design, o, "all", level)) for o in ("split, default", "MAPIE LAC, filled"))
            if own:
                lines.append(
                    [design, level, _short(own["size"]), _short(peer["size"]), f"{own['size'] / peer['size']:.4f}"]
                )
    out.append(table(["design", "level", "ConformalClassifier", "MAPIE LAC, filled", "ratio"], lines))
    return out


def _by(rows, *keys):
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[key] for key in keys)].append(row)
    return groups


def _spread(values):
    values = np.asarray(values)
    return f"{_short(values.mean())} ± {_short(values.std(ddof=1))}"


def _real(rows):
    splits = len({r["split"] for r in rows})
    cross = len({r["split"] for r in rows if r["method"] == "cross"})
    out = [REAL.format(splits=splits, cross=cross)]
    lines = []
    for (task, method), own in _by(rows, "task", "method").items():
        cover = np.array([r["coverage"] for r in own])
        size, empty = (np.mean([r[name] for r in own], axis=0) for name in ("size", "empty"))
        sizes = " / ".join(f"{s:.0f}" if s > 10 else f"{s:.3f}" for s in size)
        classes = [r["by_class"] for r in own if r["by_class"]]
        worst = " / ".join(_short(v) for v in np.nanmean(classes, axis=0).min(0)) if classes else ""
        empties = " / ".join(f"{100 * e:.1f}" for e in empty) if classes else ""
        lines.append([task, method, *(_spread(c) for c in cover.T), worst, sizes, empties])
    head = ["table", "method", "at .8", "at .9", "at .95", "worst class", "size or width", "empty, %"]
    out.append(table(head, lines))
    return out


def _heart(rows):
    out = [HEART.format(splits=len({r["split"] for r in rows}))]
    lines = []
    for (method,), own in _by(rows, "method").items():
        cover = np.array([r["coverage"] for r in own])
        size, empty = (np.mean([r[name] for r in own], axis=0) for name in ("size", "empty"))
        classes = [r["by_class"] for r in own if r.get("by_class")]
        worst = " / ".join(_short(v) for v in np.mean(classes, axis=0).min(0)) if classes else ""
        sizes, empties = " / ".join(f"{s:.3f}" for s in size), " / ".join(f"{100 * e:.1f}" for e in empty)
        lines.append([method, *(_spread(c) for c in cover.T), worst, sizes, empties])
    out.append(table(["method", "at .8", "at .9", "at .95", "worst class", "size", "empty, %"], lines))
    return out


def _jackknife(parts):
    """Of records measured more than once, the last."""
    exact, speed = parts["jackknife exact"][-1], parts["jackknife speed"][-1]
    out = [JACKKNIFE.format(rows=parts["jackknife coverage"][-1]["n_train"])]
    n, ratio = exact["n"], speed["refits"] / speed["closed"]
    out.append(
        f"Gaussian response, {n} rows: predictions without each row differ by at most {exact['worst']:.1e} from {n} "
        "explicit solutions of the penalised equations. One fit with intervals for as many new rows takes "
        f"{1000 * speed['closed']:.0f} ms of processor time, the same with {speed['n']} fits at fixed smoothing "
        f"parameters {speed['refits']:.2f} s: {ratio:.0f} times as long.\n"
    )
    out.append("Two classes, against the penalised optimum without the row, by probability:\n")
    last = {r["table"]: r for r in parts["jackknife approximate"]}
    cells = [
        [r["table"], r["checked"], f"{r['worst']:.1e}", f"{r['median']:.1e}", _short(r["moved"])] for r in last.values()
    ]
    out.append(table(["table", "rows checked", "worst", "median", "most that leaving out a row moves"], cells))
    last = {(r["design"], r["level"]): r for r in parts["jackknife coverage"]}
    cells = [
        [design, level, r["repetitions"], f"{_short(r['coverage'])} ({_short(r['error'])})", f"{r['size']:.3f}"]
        for (design, level), r in last.items()
    ]
    out.append(table(["design", "level", "draws", "coverage", "size or width"], cells))
    return out


def _width(rows, grid):
    out = [WIDTH.format(grid=", ".join(f"{level:g}" for level in grid))]
    lines = []
    for (task, method), own in _by(rows, "task", "method").items():
        n = np.array([r["n_test"] for r in own])[:, None]
        cover, width = (np.sum(n * np.array([r[name] for r in own]), 0) / n.sum() for name in ("coverage", "width"))
        at = list(grid).index(0.9)
        order = np.argsort(cover)
        equal = np.interp(0.9, cover[order], width[order], left=np.nan, right=np.nan)
        lines.append([task, method, _short(cover[at]), f"{width[at]:.0f}", "-" if np.isnan(equal) else f"{equal:.0f}"])
    out.append(table(["table", "method", "coverage at .9", "width", "width at a measured 90%"], lines))
    return out
