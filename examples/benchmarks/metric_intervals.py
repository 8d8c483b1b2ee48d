"""Coverage of the 95% intervals of `kan_tabular.metrics` on simulated test sets.

Ranking
    Scores of events are normal around a distance, those of others around 0, with variance 1: AUC and average precision
    of the population are known. Compared are `auc_interval` (DeLong's variance, logit scale, Student's t), the textbook
    interval from the same variance (AUC -+ 1.96 standard errors), the percentile bootstrap, and the bootstrap of
    average precision.
Calibration
    Outcomes follow a line, or a bend, of the logit of the predicted probability. Measured are the slope, the intercept
    at slope 1 (where the true slope is 1: elsewhere its true value is not known), and the pointwise band of
    `smooth_calibration` at 20 quantiles of the predictions.

Intervals of the coverages are Wilson's, of the band (whose points in one draw are not independent) normal over draws.

Run ``python examples/benchmarks/metric_intervals.py --out docs/benchmarks/metric-intervals.md``.
"""

import argparse
from pathlib import Path

import numpy as np
from _common import machine_section
from bands import mean_interval, wilson_interval
from scipy.special import expit, logit
from scipy.stats import norm

from kan_tabular.metrics import (
    auc_interval,
    average_precision_interval,
    calibration_measures,
    smooth_calibration,
)

Z = norm.ppf(0.975)

#: Events, others, AUC.
RANKING = [(5, 100, 0.75), (10, 90, 0.8), (20, 20, 0.9), (20, 400, 0.95), (50, 150, 0.75), (100, 900, 0.8)]

#: Rows, share of events (about), true log-odds as a function of the predicted ones.
CALIBRATION = {
    "right": lambda x: x,
    "too extreme": lambda x: 0.6 * x,
    "bent": lambda x: x - 0.15 * (x + 2) ** 2 + 0.4,
}
SIZES = [(100, 0.3), (500, 0.1), (2000, 0.1)]


def average_precision(distance, events, others):
    """Average precision of the population whose share of events is that of the sample."""
    recall = (np.arange(200_000) + 0.5) / 200_000
    threshold = distance - norm.ppf(recall)
    return np.mean(events * recall / (events * recall + others * norm.sf(threshold)))


def delong_error(y, score):
    """DeLong's standard error of the AUC, from all pairs of an event and another row without ties."""
    pairs = score[y == 1][:, None] > score[y == 0][None, :]
    return np.sqrt(sum(pairs.mean(axis=k).var(ddof=1) / pairs.shape[1 - k] for k in (0, 1)))


def ranking(events, others, auc, draws, resampled, seed=0):
    """Whether each interval holds the truth, by draw: a dict of bool arrays.

    Parameters
    ----------
    events, others : int
    auc : float
        Of the population.
    draws, resampled : int
        Test sets, and those of them for which the bootstrap is computed.
    """
    distance = np.sqrt(2) * norm.ppf(auc)
    truth = average_precision(distance, events, others)
    y = np.repeat([1, 0], [events, others])
    held = {"delong": [], "textbook": [], "bootstrap": [], "average precision": []}
    for i in range(draws):
        score = np.random.default_rng([seed, i]).normal(size=len(y)) + distance * y
        found = auc_interval(y, score)
        held["delong"].append(found.low <= auc <= found.high)
        held["textbook"].append(abs(found.value - auc) <= Z * delong_error(y, score))
        if i < resampled:
            settings = {"n_resamples": 500, "random_state": i}
            found = auc_interval(y, score, method="bootstrap", **settings)
            held["bootstrap"].append(found.low <= auc <= found.high)
            found = average_precision_interval(y, score, **settings)
            held["average precision"].append(found.low <= truth <= found.high)
    return {name: np.array(values) for name, values in held.items()}


def calibration(truth, n, share, draws, seed=0):
    """Whether the intervals of slope and intercept, and the band, hold the truth.

    Returns
    -------
    slope, intercept : ndarray of bool (draws,)
        Of a straight truth only; else None. `intercept` only where the slope is 1.
    band : ndarray (draws,)
        Share of the 20 points that the band holds.
    """
    straight = truth(np.array([-2.0, 0.0, 2.0]))
    true_slope = (straight[2] - straight[0]) / 4
    is_line = np.isclose(straight[0] + straight[2], 2 * straight[1])
    slope, intercept, band = [], [], []
    for i in range(draws):
        rng = np.random.default_rng([seed, i])
        x = logit(share) - 0.3 + rng.normal(size=n)
        y = rng.random(n) < expit(truth(x))
        if not 0 < y.sum() < n:
            continue
        p = expit(x)
        curve = smooth_calibration(y, p, grid=np.quantile(p, (np.arange(20) + 0.5) / 20))
        real = expit(truth(logit(curve.predicted)))
        band.append(np.mean((curve.low <= real) & (real <= curve.high)))
        if is_line:
            measures = calibration_measures(y, p)
            slope.append(measures.slope.low <= true_slope <= measures.slope.high)
            if true_slope == 1:
                intercept.append(measures.intercept.low <= straight[1] <= measures.intercept.high)
    return np.array(slope), np.array(intercept), np.array(band)


def _cell(held):
    if not len(held):
        return ""
    figure = wilson_interval(held.sum(), len(held)) if held.dtype == bool else mean_interval(held)
    mean, low, high = (f"{value:.3f}".removeprefix("0") for value in figure)
    return f"{mean} ({low} to {high})"


def report(draws, resampled):
    """All designs, as Markdown."""
    lines = [
        "# Coverage of the intervals of measures",
        "",
        f"Share of simulated test sets whose nominal 95% interval holds the true value: {draws} sets a row, "
        f"{resampled} for the bootstrap (95% intervals in brackets).",
        "Written by `examples/benchmarks/metric_intervals.py`.",
        "",
        "## Ranking",
        "",
        "The first column is `auc_interval`, the second the textbook interval from the same variance, AUC -+ 1.96",
        'standard errors. "AP" is `average_precision_interval`.',
        "",
        "| events | others | AUC | DeLong, logit and t | DeLong, textbook | bootstrap | AP, bootstrap |",
        "|---|---|---|---|---|---|---|",
    ]
    for events, others, auc in RANKING:
        held = ranking(events, others, auc, draws, resampled)
        lines.append(f"| {events} | {others} | {auc:g} | " + " | ".join(_cell(h) for h in held.values()) + " |")
        print(lines[-1], flush=True)
    lines += [
        "",
        "## Calibration",
        "",
        "| probabilities are | rows | events, about | slope | intercept | smooth curve, pointwise |",
        "|---|---|---|---|---|---|",
    ]
    for name, truth in CALIBRATION.items():
        for n, share in SIZES:
            cells = [_cell(h) for h in calibration(truth, n, share, draws)]
            lines.append(f"| {name} | {n} | {share:.0%} | " + " | ".join(cells) + " |")
            print(lines[-1], flush=True)
    lines += ["", *machine_section(("kan-tabular", "numpy", "scipy", "scikit-learn"))]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--resampled", type=int, default=300)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    text = report(arguments.draws, arguments.resampled)
    if arguments.out:
        arguments.out.write_text(text)
