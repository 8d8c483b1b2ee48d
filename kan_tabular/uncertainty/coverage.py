"""How often sets and intervals contain the truth: counted, by group, and what to expect."""

from __future__ import annotations

import numpy as np
from scipy.stats import beta, betabinom

from kan_tabular.explain.intervals import rate
from kan_tabular.uncertainty._calibration import _ROUNDING, rows_needed


def covers(y, predicted, classes=None):
    """Whether sets or intervals contain the true values.

    Parameters
    ----------
    y : array-like (m,)
    predicted : ndarray
        Intervals (m, 2) or (m, 2, n_levels); with `classes` sets, bool (m, n_classes) or (m, n_classes, n_levels).
    classes : array-like (n_classes,), optional
        What the columns of sets stand for. A label that is none of them is never covered.

    Returns
    -------
    covered : ndarray of bool (m,) or (m, n_levels)
    """
    y, predicted = np.asarray(y), np.asarray(predicted)
    if y.ndim != 1 or len(y) != len(predicted):
        raise ValueError(f"y has shape {y.shape}, but predicted has {len(predicted)} rows: give one value a row.")
    if classes is not None:
        hit = y[:, None] == np.asarray(classes)[None]
        if predicted.shape[1] != hit.shape[1]:
            raise ValueError(f"predicted has {predicted.shape[1]} columns for {hit.shape[1]} classes.")
        return np.einsum("mc,mc...->m...", hit, predicted.astype(bool))
    if predicted.ndim not in (2, 3) or predicted.shape[1] != 2:
        raise ValueError(f"predicted has shape {predicted.shape}: intervals are (m, 2) or (m, 2, n_levels).")
    y = y.astype(float).reshape(-1, *[1] * (predicted.ndim - 2))
    return (predicted[:, 0] <= y) & (y <= predicted[:, 1])


def coverage_by_group(covered, groups=None, *, level=0.95):
    """Coverage of all rows, and of each group.

    Parameters
    ----------
    covered : array-like of bool (m,)
        From `covers`.
    groups : array-like (m,), optional
        A label for each row; None: all rows together only.
    level : float, default=0.95
        Of the intervals.

    Returns
    -------
    table : pandas.DataFrame
        ``group``, ``n``, ``coverage`` and Wilson's interval ``low``, ``high``; the first row, "all", is of all rows.
    """
    import pandas as pd

    covered = np.asarray(covered, dtype=bool)
    if covered.ndim != 1 or not len(covered):
        raise ValueError(f"covered has shape {covered.shape}: give one value a row, of one level.")
    rows = [("all", covered)]
    if groups is not None:
        groups = np.asarray(groups)
        if groups.shape != covered.shape:
            raise ValueError(f"groups has shape {groups.shape}, but covered has {len(covered)} rows: give one a row.")
        rows += [(label, covered[groups == label]) for label in np.unique(groups)]
    lines = [(label, len(own), *rate(int(own.sum()), len(own), level)) for label, own in rows]
    return pd.DataFrame(lines, columns=["group", "n", "coverage", "low", "high"])


def coverage_range(n_calibration, confidence_level, n_test=None, *, probability=0.99):
    """What coverage to expect of one split-conformal calibration.

    Coverage differs from calibration to calibration: over infinitely many new rows it is a draw of
    ``Beta(k, n + 1 - k)`` with ``k = ceil((n + 1) level)`` (Vovk 2012, for scores without ties), over `n_test` of them
    a beta-binomial share.

    Parameters
    ----------
    n_calibration : int
    confidence_level : float
    n_test : int, optional
        None: infinitely many.
    probability : float, default=0.99
        Of the range.

    Returns
    -------
    low, high : float
    """
    if n_calibration < rows_needed(confidence_level):
        raise ValueError(
            f"confidence_level={confidence_level:g} needs at least {rows_needed(confidence_level)} calibration rows; "
            f"got {n_calibration}."
        )
    k = int(np.ceil((n_calibration + 1) * confidence_level - _ROUNDING * n_calibration))
    tails = [(1 - probability) / 2, (1 + probability) / 2]
    if n_test is None:
        low, high = beta.ppf(tails, k, n_calibration + 1 - k)
    else:
        low, high = betabinom.ppf(tails, n_test, k, n_calibration + 1 - k) / n_test
    return float(low), float(high)
