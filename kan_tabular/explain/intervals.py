"""Estimates from a few cases, each with its interval: (estimate, lower, upper)."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest, ttest_1samp


def rate(count, n, level):
    """Rate with Wilson's interval (1927, JASA 22); of nothing, anything is possible."""
    if not n:
        return np.nan, 0.0, 1.0
    interval = binomtest(count, n).proportion_ci(level, method="wilson")
    return count / n, interval.low, interval.high


def mean(values, level):
    """Mean with Student's interval; unbounded for fewer than two values."""
    if len(values) < 2:
        return (values[0] if len(values) else np.nan), -np.inf, np.inf
    center = values.mean()
    if values.std() <= 1e-14 * np.abs(values).max():  # all the same, where SciPy warns of lost digits
        return center, center, center
    interval = ttest_1samp(values, 0.0).confidence_interval(level)
    return center, interval.low, interval.high
