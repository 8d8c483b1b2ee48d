"""How good the predictions of the test rows are, with intervals, in figures and pictures."""

from __future__ import annotations

from functools import partial

import numpy as np
from sklearn import metrics as skm

from kan_tabular import metrics
from kan_tabular.report.numbers import Disclosure, figure, fixed, signed, span
from kan_tabular.report.svg import Chart

N_RESAMPLES = 1000
N_GROUPS = 10
#: Fewest rows in a point of a calibration or residual curve, whatever `min_group` is: fewer say nothing.
GROUP_ROWS = 20
#: Most classes whose confusion matrix is shown.
MOST_CLASSES = 12
#: Fewest rows of a class on which ranking and calibration are judged.
FEWEST = 2


def performance(subject):
    """What the section shows.

    Returns
    -------
    section : dict
        ``measures`` (name, value, interval, explanation), ``pictures`` (title, picture by class, note), ``confusion``,
        ``notes``.
    """
    parts = {"binary": _binary, "multiclass": _multiclass, "regression": _regression}[subject.task](subject)
    return {"confusion": None, "notes": [], **parts}


def _measure(name, interval, explanation, write=fixed):
    """A measure with its interval, as text."""
    bounds = span(write(interval.low), write(interval.high)) if np.isfinite([interval.low, interval.high]).all() else ""
    return {"name": name, "value": write(interval.value), "interval": bounds, "explanation": explanation}


def _plain(name, value, interval, explanation):
    return {"name": name, "value": value, "interval": interval, "explanation": explanation}


def _mean(_, own):
    """A metric that is a mean over rows, of their own losses: drawn again in a tenth of the time of the metric."""
    return own.mean()


def _log_losses(y, probabilities):
    own = probabilities[np.arange(len(y)), y]
    return -np.log(np.clip(own, np.finfo(float).eps, None))  # clipped as sklearn.metrics.log_loss does


def _bootstrap(subject):
    return partial(
        metrics.bootstrap_interval,
        confidence_level=subject.confidence_level,
        n_resamples=N_RESAMPLES,
        random_state=subject.random_state,
    )


# ---- two classes ----


def _binary(subject):
    y, p = subject.y, subject.predicted[:, 1]
    told = {"confusion": _confusion(subject), "pictures": [], "notes": []}
    counts = np.bincount(y, minlength=2)
    if counts.min() < FEWEST:
        few = subject.event(int(counts.argmin()))
        note = f"Too few test rows are {few}: how well the model tells the classes apart cannot be judged on them."
        return {**told, "measures": _at_threshold(subject), "notes": [note]}
    level, bootstrap = subject.confidence_level, _bootstrap(subject)
    chance, parts = f"; chance would reach {fixed(y.mean())}", _brier_parts(y, p)
    if Disclosure(subject.min_group).small(counts.min()):
        chance = parts = ""  # either gives the share of the class away
    precision = metrics.average_precision_interval(
        y, p, confidence_level=level, n_resamples=N_RESAMPLES, random_state=subject.random_state
    )
    measures = [
        _measure(
            "AUC",
            metrics.auc_interval(y, p, confidence_level=level),
            "how often a case is ranked above a non-case; 0.5 is chance, 1 is perfect",
        ),
        _measure("Average precision", precision, f"area under precision and recall{chance}"),
        _measure("Brier score", bootstrap(_mean, y, (p - y) ** 2), f"mean squared error of the probabilities{parts}"),
        _measure("Log loss", bootstrap(_mean, y, _log_losses(y, subject.predicted)), "penalises confident errors most"),
        *_calibration_measures(subject),
        *_at_threshold(subject),
    ]
    return {**told, "measures": measures, "pictures": [_calibration_picture(subject), _decision_picture(subject)]}


def _brier_parts(y, p):
    parts = metrics.brier_decomposition(y, p)
    return (
        f"; reliability {fixed(parts.reliability, 4)}, resolution {fixed(parts.resolution, 4)}, uncertainty "
        f"{fixed(parts.uncertainty, 4)}"
    )


def _calibration_measures(subject):
    measured = metrics.calibration_measures(
        subject.y, subject.predicted[:, 1], confidence_level=subject.confidence_level
    )
    return [
        _measure("Calibration slope", measured.slope, "1 is ideal; below 1 the predictions are too extreme"),
        _measure(
            "Calibration intercept",
            measured.intercept,
            "0 is ideal; above 0 the predictions are too low on average (log-odds)",
            write=signed,
        ),
        _plain(
            "ICI",
            fixed(measured.ici),
            "",
            "mean distance between predicted and smoothed observed risk; "
            f"half of the rows are within {fixed(measured.e50)}, nine in ten within {fixed(measured.e90)}",
        ),
    ]


def _at_threshold(subject):
    told = Disclosure(subject.min_group)
    cut = subject.threshold
    y, flagged = subject.y == 1, subject.predicted[:, 1] >= cut
    at = f"at a threshold of {100 * cut:.3g}%"
    rates = [
        ("Accuracy", (y == flagged).sum(), len(y), f"share predicted correctly {at}"),
        ("Sensitivity", (y & flagged).sum(), y.sum(), f"share of {subject.event(1)} found {at}"),
        ("Specificity", (~y & ~flagged).sum(), (~y).sum(), f"share of {subject.event(0)} cleared {at}"),
        ("Positive predictive value", (y & flagged).sum(), flagged.sum(), f"share of alarms that are right {at}"),
        ("Negative predictive value", (~y & ~flagged).sum(), (~flagged).sum(), f"share of all-clears right {at}"),
    ]
    # The rows of the confusion matrix are told; where one holds a small group, rates over both give it away.
    coarse = bool(told.small(_counts(subject)).any())
    return [
        _plain(name, *told.rate(int(k), int(n), subject.confidence_level, coarse), explanation)
        for name, k, n, explanation in rates
    ]


def _counts(subject):
    """How many rows of each class (rows) are predicted as each (columns)."""
    if subject.task == "binary":
        guess = (subject.predicted[:, 1] >= subject.threshold).astype(int)
    else:
        guess = subject.predicted.argmax(1)
    return skm.confusion_matrix(subject.y, guess, labels=range(len(subject.classes)))


def _confusion(subject):
    """The confusion matrix as texts, row by row: its rows' totals are those of the model card."""
    if len(subject.classes) > MOST_CLASSES:
        return None
    told = Disclosure(subject.min_group)
    return {"classes": subject.classes, "rows": [told.counts(row) for row in _counts(subject)]}


def _groups(subject, scores):
    """Test rows in groups of similar scores, none smaller than may be shown: list of index arrays."""
    smallest = max(subject.min_group, GROUP_ROWS)
    n_groups = int(np.clip(len(scores) // smallest, 1, N_GROUPS))
    return np.array_split(np.argsort(scores, kind="stable"), n_groups)


def _shown_histogram(subject, values, edges):
    """Densities of a histogram without the bars of small groups."""
    counts = np.histogram(values, edges)[0]
    return np.where(counts >= subject.min_group, counts, 0) / np.diff(edges)


def _calibration_chart(subject, y, p, name):
    groups = metrics.grouped_calibration(y, p, len(_groups(subject, p)), confidence_level=subject.confidence_level)
    groups = groups[groups["weight"] >= subject.min_group]
    top = min(1.0, 1.08 * max(groups["predicted"].max(), groups["high"].max()))
    limits = (0.0, 1.0 if top > 0.5 else top)
    chart = Chart(
        limits,
        limits,
        label=f"Calibration of the probability of {name}: {len(groups)} groups of test rows, and a smooth curve",
        x_label="predicted probability",
        y_label="observed share",
        height=290,
        grid=False,
    )
    edges = np.linspace(*limits, 41)
    chart.histogram(edges, _shown_histogram(subject, p, edges), "density", share=0.1)
    chart.line(limits, limits, "ideal")
    inner = np.quantile(p, [0.01, 0.99])  # beyond, single rows would be seen, and little is known
    if inner[1] > inner[0]:
        grid = np.linspace(*inner, 60)
        smooth = metrics.smooth_calibration(y, p, grid=grid, confidence_level=subject.confidence_level)
        shown = grid <= limits[1]
        chart.band(grid[shown], smooth.low[shown], smooth.high[shown], "band")
        chart.line(grid[shown], smooth.observed[shown], "line-1")
    for row in groups.itertuples():
        chart.interval(row.predicted, row.low, row.high, "whisker-thin")
        chart.dot(row.predicted, row.observed, "dot-1")
    return chart


def _calibration_picture(subject):
    """One chart for two classes, one for each of more; none where a class, or all others, are too few."""
    charts = []
    for k in [1] if subject.task == "binary" else range(len(subject.classes)):
        event = (subject.y == k).astype(int)
        if FEWEST <= event.sum() <= len(event) - FEWEST:
            chart = _calibration_chart(subject, event, subject.predicted[:, k], subject.event(k))
            charts.append((None if subject.task == "binary" else k, chart.markup()))
    return {
        "title": "Calibration",
        "pictures": charts,
        "note": "On the dashed line, as many had the outcome as predicted. Points: groups of test rows with similar "
        "predictions, with intervals; line and band: the same without groups. Grey: where the predictions are.",
    }


def _decision_picture(subject):
    y, p = subject.y, subject.predicted[:, 1]
    table = metrics.net_benefit(y, p, np.linspace(0.01, 0.99, 99))
    best = max(table["model"].max(), y.mean())
    chart = Chart(
        (0.0, 1.0),
        (-0.15 * best, 1.08 * best),
        label="Decision curve: net benefit of the model, of treating all and of treating none, by threshold",
        x_label="threshold probability",
        y_label="net benefit",
        height=290,
    )
    shown = table["treat_all"].where(table["treat_all"] >= -0.15 * best)
    chart.line(table["threshold"], np.zeros(len(table)), "line-none")
    chart.line(table["threshold"], shown, "line-2")
    chart.line(table["threshold"], table["model"], "line-1")
    chart.key([("line-1", "model"), ("line-2", "treat all"), ("line-none", "treat none")])
    return {
        "title": "Decision curve",
        "pictures": [(None, chart.markup())],
        "note": "The threshold is the risk from which one would act. Where the model's line is the highest, acting on "
        "its predictions does more good than acting on everyone or on no one.",
    }


# ---- more classes ----


def _multiclass(subject):
    y, p = subject.y, subject.predicted
    bootstrap = _bootstrap(subject)
    codes = list(range(len(subject.classes)))
    measures, notes = [], []
    rare = [subject.classes[k] for k in codes if (y == k).sum() < FEWEST]
    if rare:
        notes.append(f"Too few test rows are {' or '.join(rare)}: there is no AUC over all classes.")
    else:
        measures.append(
            _measure(
                "AUC (macro)",
                metrics.auc_interval(
                    y,
                    p,
                    confidence_level=subject.confidence_level,
                    n_resamples=N_RESAMPLES,
                    random_state=subject.random_state,
                ),
                "each class against the others, averaged; 0.5 is chance, 1 is perfect",
            )
        )
    measures.append(_measure("Log loss", bootstrap(_mean, y, _log_losses(y, p)), "penalises confident errors most"))
    right = int((p.argmax(1) == y).sum())
    told = Disclosure(subject.min_group)
    coarse = bool(told.small(_counts(subject)).any())
    rate = told.rate(right, len(y), subject.confidence_level, coarse)
    measures.append(_plain("Accuracy", *rate, "share whose most probable class is right"))
    return {
        "measures": measures,
        "pictures": [picture for picture in [_calibration_picture(subject)] if picture["pictures"]],
        "confusion": _confusion(subject),
        "notes": notes,
    }


# ---- numbers ----


def _regression(subject):
    y, mean = subject.y, subject.predicted[:, 0]
    notes = []
    if len(y) < 2 or np.ptp(y) == 0:
        note = "The test rows all have the same value: how well the model predicts cannot be judged on them."
        return {"measures": [], "pictures": [], "notes": [note]}
    bootstrap = _bootstrap(subject)
    measures = [
        _measure("R\N{SUPERSCRIPT TWO}", bootstrap(skm.r2_score, y, mean), "share of the variance explained"),
        _measure(
            "RMSE", bootstrap(skm.root_mean_squared_error, y, mean), "typical error, large ones weigh more", figure
        ),
        _measure("MAE", bootstrap(_mean, y, np.abs(y - mean)), "mean absolute error", figure),
    ]
    return {"measures": measures, "pictures": _residual_pictures(subject, y, mean), "notes": notes}


def _residual_pictures(subject, y, mean):
    groups = _groups(subject, mean)
    unit = subject.units.get(subject.outcome)
    unit = f" ({unit})" if unit else ""
    x = np.array([mean[rows].mean() for rows in groups])
    spread = np.array([np.quantile(y[rows], [0.1, 0.25, 0.5, 0.75, 0.9]) for rows in groups])
    limits = (min(x.min(), spread.min()), max(x.max(), spread.max()))
    observed = Chart(
        limits,
        limits,
        label=f"Observed values in {len(groups)} groups of test rows with similar predictions",
        x_label=f"predicted{unit}",
        y_label=f"observed{unit}",
        height=290,
        grid=False,
    )
    observed.line(limits, limits, "ideal")
    residual = np.array([np.quantile(y[rows] - mean[rows], [0.1, 0.25, 0.5, 0.75, 0.9]) for rows in groups])
    reach = 1.1 * np.abs(residual).max()
    residuals = Chart(
        limits,
        (-reach, reach),
        label=f"Residuals in {len(groups)} groups of test rows with similar predictions",
        x_label=f"predicted{unit}",
        y_label=f"observed minus predicted{unit}",
        height=290,
    )
    residuals.line(limits, (0, 0), "ideal")
    for chart, parts in ((observed, spread), (residuals, residual)):
        for at, (low, lower, middle, upper, high) in zip(x, parts, strict=True):
            chart.interval(at, low, high, "whisker-thin")
            chart.interval(at, lower, upper, "whisker-1")
            chart.dot(at, middle, "dot-1")
    note = "Each mark is a group of test rows with similar predictions: median, middle half, and middle 80%."
    return [
        {"title": "Observed and predicted", "pictures": [(None, observed.markup())], "note": note},
        {"title": "Residuals", "pictures": [(None, residuals.markup())], "note": note},
    ]
