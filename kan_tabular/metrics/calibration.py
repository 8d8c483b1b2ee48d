"""Whether probabilities are right: slope and intercept, a smooth curve, and distances from the diagonal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit, xlogy

from kan_tabular.metrics.binning import bin_rows
from kan_tabular.metrics.intervals import Interval, normal_quantile, wilson
from kan_tabular.metrics.reading import read_binary, read_points

#: Probabilities closer to 0 or 1 are moved here where a logit is taken: no finite logit is certainty.
CLOSEST = 1e-6
#: Logits that differ by less are those of one probability, computed in several ways.
_SAME = 1e-9


@dataclass(frozen=True)
class SmoothCalibration:
    """The frequency of the event as a smooth function of the predicted probability.

    Attributes
    ----------
    predicted : ndarray (m,)
        Probabilities.
    observed : ndarray (m,)
        Smoothed frequency among rows of that probability.
    low, high : ndarray (m,)
        Pointwise band.
    """

    predicted: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class CalibrationMeasures:
    """How far probabilities are off.

    Attributes
    ----------
    slope : Interval
        Slope of the outcome's log-odds on the logit of the probability, 1 if right; below 1 the probabilities are too
        extreme. Infinite where the probabilities separate the classes; NaN, between infinities, where they are all
        equal.
    intercept : Interval
        Calibration in the large: the intercept when the slope is held at 1, 0 if right; above 0 the probabilities are
        too low on the whole.
    ici : float
        Mean absolute distance between probability and smoothed frequency.
    e50, e90, emax : float
        Median, 90th percentile and maximum of that distance.
    """

    slope: Interval
    intercept: Interval
    ici: float
    e50: float
    e90: float
    emax: float


def calibration_measures(y_true, y_prob, *, sample_weight=None, pos_label=None, confidence_level=0.95):
    """Calibration slope and intercept (Cox 1958) with intervals, and the integrated calibration index.

    Intervals are those of the likelihood ratio: where the classes are separated and the slope is infinite, its interval
    still has a lower end. The distances (Austin and Steyerberg 2019, Statistics in Medicine 38) are taken from
    `smooth_calibration`, not from loess; they are never 0 for finite data, and larger for fewer rows.

    Parameters
    ----------
    y_true : array-like (n,)
        Labels of two classes.
    y_prob : array-like (n,)
        Probability of the positive class. Closer to 0 or 1 than 1e-6 counts as 1e-6 away.
    sample_weight : array-like (n,), default=None
        Frequencies.
    pos_label : label, default=None
        The positive class; by default the second in order.
    confidence_level : float, default=0.95
        Of the intervals.

    Returns
    -------
    measures : CalibrationMeasures

    Raises
    ------
    ValueError
        For missing values, other lengths, one class only, or probabilities outside [0, 1].
    """
    drop = normal_quantile(confidence_level) ** 2 / 2  # of the log-likelihood, at the ends of the interval
    read = read_binary(y_true, y_prob, sample_weight, pos_label, name="y_prob", probability=True)
    distance = np.abs(read.score - _Curve(read).frequency(read.score))
    e50, e90 = np.quantile(distance, [0.5, 0.9], weights=read.weight, method="inverted_cdf")
    line = _Line(_logits_of(read), read.event.astype(float), read.weight)
    return CalibrationMeasures(
        slope=line.slope(drop),
        intercept=line.intercept(drop),
        ici=float(np.average(distance, weights=read.weight)),
        e50=float(e50),
        e90=float(e90),
        emax=float(distance.max()),
    )


def smooth_calibration(y_true, y_prob, *, grid=None, sample_weight=None, pos_label=None, confidence_level=0.95):
    """The calibration curve without bins: an additive model of the outcome on the logit of the probability.

    One curve, smooth to the degree that marginal likelihood supports, whose straight part is not shrunk (shrinking it
    would bend the curve to the horizontal).

    Parameters
    ----------
    y_true : array-like (n,)
        Labels of two classes.
    y_prob : array-like (n,)
        Probability of the positive class. Closer to 0 or 1 than 1e-6 counts as 1e-6 away.
    grid : array-like (m,), default=None
        Probabilities to read the curve at; by default 200 from the lowest to the highest of `y_prob`.
    sample_weight : array-like (n,), default=None
        Frequencies.
    pos_label : label, default=None
        The positive class; by default the second in order.
    confidence_level : float, default=0.95
        Of the pointwise band.

    Returns
    -------
    curve : SmoothCalibration

    Raises
    ------
    ValueError
        For missing values, other lengths, one class only, or probabilities outside [0, 1].
    """
    quantile = normal_quantile(confidence_level)
    read = read_binary(y_true, y_prob, sample_weight, pos_label, name="y_prob", probability=True)
    grid = np.linspace(read.score.min(), read.score.max(), 200) if grid is None else read_points(grid, "grid")
    return _Curve(read).read(grid, quantile)


def grouped_calibration(
    y_true, y_prob, n_bins=10, *, strategy="quantile", sample_weight=None, pos_label=None, confidence_level=0.95
):
    """The calibration curve by groups: `sklearn.calibration.calibration_curve` with weights and intervals.

    Parameters
    ----------
    y_true : array-like (n,)
        Labels of two classes.
    y_prob : array-like (n,)
        Probability of the positive class.
    n_bins : int, default=10
    strategy : {"uniform", "quantile"}, default="quantile"
        Groups of equal width, or of (about) equal numbers of rows.
    sample_weight : array-like (n,), default=None
        Frequencies.
    pos_label : label, default=None
        The positive class; by default the second in order.
    confidence_level : float, default=0.95
        Of Wilson's intervals.

    Returns
    -------
    table : pandas.DataFrame
        A row a group: ``predicted`` (mean probability), ``observed`` (frequency) with ``low`` and ``high``, ``weight``.

    Raises
    ------
    ValueError
        For missing values, other lengths, one class only, or probabilities outside [0, 1].
    """
    import pandas as pd

    read = read_binary(y_true, y_prob, sample_weight, pos_label, name="y_prob", probability=True)
    bins = bin_rows(read, n_bins, strategy)
    low, high = wilson(bins.observed, bins.weight, confidence_level)
    return pd.DataFrame(
        {"predicted": bins.predicted, "observed": bins.observed, "low": low, "high": high, "weight": bins.weight}
    )


class _Curve:
    """The smooth curve of `read`, to be evaluated."""

    def __init__(self, read):
        from kan_tabular import KAAMClassifier

        model = KAAMClassifier(smoothing="reml", select=False, max_iter=1000)
        self.model = model.fit(_logits_of(read)[:, None], read.event, sample_weight=read.weight)

    def frequency(self, probability):
        """Frequencies (m,) at probabilities (m,)."""
        return self.model.predict_proba(_logit(probability)[:, None])[:, 1]

    def read(self, probability, quantile):
        """The curve at probabilities (m,), with a band of `quantile` standard errors of the log-odds."""
        z = _logit(probability)[:, None]
        log_odds = self.model.decision_function(z)
        half = quantile * self.model.network_.standard_error(z)[:, 0]
        return SmoothCalibration(probability, expit(log_odds), expit(log_odds - half), expit(log_odds + half))


class _Line:
    """The logistic regression of the outcome on the logit x of the probability, by its profile likelihood.

    In one dimension everything is the root of a monotone function: no iteration can diverge.
    """

    def __init__(self, x, y, w):
        self.x, self.y, self.w = x, y, w

    def intercept(self, drop):
        """Intercept at slope 1, and where the log-likelihood is `drop` below its maximum."""
        best = self._level(1.0)
        target = self._likelihood(best, 1.0) - drop
        low, high = (_root(lambda level: self._likelihood(level, 1.0) - target, best, side) for side in (-1, 1))
        return Interval(best, low, high)

    def slope(self, drop):
        """Slope, and where the profile log-likelihood is `drop` below its maximum."""
        if self.x.min() == self.x.max():
            return Interval(np.nan, -np.inf, np.inf)
        if self.x[self.y == 1].max() <= self.x[self.y == 0].min():
            value, low, high = _Line(-self.x, self.y, self.w).slope(drop)
            return Interval(-value, -high, -low)
        if self.x[self.y == 0].max() <= self.x[self.y == 1].min():
            target = self._supremum() - drop
            side = -1 if self._profile(0.0) > target else 1
            return Interval(np.inf, _root(lambda slope: self._profile(slope) - target, 0.0, side), np.inf)
        best = _root(self._score, 0.0, 1 if self._score(0.0) > 0 else -1)
        target = self._profile(best) - drop
        low, high = (_root(lambda slope: self._profile(slope) - target, best, side) for side in (-1, 1))
        return Interval(best, low, high)

    def _level(self, slope):
        """The best intercept for a slope: the one that predicts as many events as there are."""
        line = slope * self.x
        start = logit((self.w * self.y).sum() / self.w.sum())
        low, high = start - line.max(), start - line.min()
        if low == high:
            return float(low)

        def missing(level):
            return (self.w * (self.y - expit(level + line))).sum()

        # Between the two the sign must change; rounding may hide that where the line hardly moves.
        if missing(low) <= 0 or missing(high) >= 0:
            return float(low if missing(low) <= 0 else high)
        return float(brentq(missing, low, high))

    def _likelihood(self, level, slope):
        log_odds = level + slope * self.x
        return float((self.w * (self.y * log_odds - np.logaddexp(0.0, log_odds))).sum())

    def _profile(self, slope):
        return self._likelihood(self._level(slope), slope)

    def _score(self, slope):
        """Derivative of the profile log-likelihood."""
        return float((self.w * self.x * (self.y - expit(self._level(slope) + slope * self.x))).sum())

    def _supremum(self):
        """What the log-likelihood approaches where an infinite slope separates all rows but those on the border."""
        border = self.x[self.y == 1].min()
        events, others = (self.w[(self.x == border) & (self.y == outcome)].sum() for outcome in (1, 0))
        rows = events + others
        return float(xlogy(events, events / rows) + xlogy(others, others / rows))


def _root(function, start, side):
    """Root of a function on one side (1 or -1) of `start`, at which it is not 0, that it crosses once."""
    at_start = function(start)
    near, step = start, 1.0
    while True:
        far = near + side * step
        if (function(far) > 0) != (at_start > 0):
            return float(brentq(function, near, far))
        near, step = far, 2 * step


def _logits_of(read):
    """The logits (n,) of the probabilities, all the same if they differ by rounding only."""
    x = _logit(read.score)
    return np.full(len(x), x.mean()) if np.ptp(x) < _SAME else x


def _logit(probability):
    return logit(np.clip(probability, CLOSEST, 1 - CLOSEST))
