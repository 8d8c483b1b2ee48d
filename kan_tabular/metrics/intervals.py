"""What the measures return, and what is said about levels."""

from __future__ import annotations

import numbers
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri


class Interval(NamedTuple):
    """A measure with its confidence interval.

    Parameters
    ----------
    value : float
    low, high : float
        Ends of the interval.
    """

    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """A difference with its confidence interval, and the two-sided p value of "there is none".

    Parameters
    ----------
    value : float
    low, high : float
        Ends of the interval.
    p_value : float
    """

    value: float
    low: float
    high: float
    p_value: float


def normal_quantile(confidence_level):
    """How many standard errors on either side make an interval of this level."""
    if not isinstance(confidence_level, numbers.Real) or not 0 < confidence_level < 1:
        raise ValueError(f"confidence_level={confidence_level!r}: expected a number between 0 and 1, such as 0.95.")
    return float(ndtri((1 + confidence_level) / 2))


def wilson(share, total, confidence_level):
    """Interval (low, high) of a share of `total` rows, which need not be a whole number (Wilson 1927, JASA 22).

    Parameters
    ----------
    share, total : ndarray
        Of the same shape, `total` above 0.
    confidence_level : float
    """
    z2 = normal_quantile(confidence_level) ** 2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = np.sqrt(z2 * (share * (1 - share) / total + z2 / (4 * total**2))) / (1 + z2 / total)
    # Where nobody or everybody has the outcome, the interval ends there; rounding must not move it.
    return np.where(share == 0, 0.0, middle - half), np.where(share == 1, 1.0, middle + half)
