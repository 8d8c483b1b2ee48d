"""Rows of a table: picked, split, recognised, sorted into groups."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom
from sklearn.utils import _safe_indexing

from kan_tabular.encoding import read_table
from kan_tabular.encoding.table import Text
from kan_tabular.training.folds import assign_folds

#: A sample's share of rows is met to about a twentieth.
_PARTS = 20


def take(X, rows):
    """The rows at some positions of any table."""
    return _safe_indexing(X, rows)


def choose_calibration(size, n, rng, classes=None, groups=None):
    """Positions of about `size` (share or number) of the rows: classes spread evenly, groups whole; sorted.

    A class that would have no row left to learn from keeps its rows for that.
    """
    share = size / n if size >= 1 else size
    fold = assign_folds(max(_PARTS, round(1 / share)), n, rng, classes, groups)
    n_parts = int(fold.max()) + 1
    chosen = fold < min(max(round(share * n_parts), 1), n_parts - 1)
    if classes is not None:
        lost = np.setdiff1d(classes, classes[~chosen])
        chosen &= ~np.isin(classes, lost)
    return np.flatnonzero(chosen)


def row_keys(X, y):
    """A hash of each row with its target (n,), or None for a table that cannot be read cell by cell."""
    from pandas.util import hash_array

    try:
        table = read_table(X)
    except (TypeError, ValueError):  # dates, sparse matrices, ...: the estimator may take them all the same
        return None
    keys = np.zeros(table.n_rows, dtype=np.uint64)
    for column in [*table.columns, np.asarray(y)]:
        if isinstance(column, Text):
            column = np.array([*column.labels, None], dtype=object)[column.codes]
        keys = keys * np.uint64(1_000_003) ^ hash_array(column)
    return np.sort(keys)


def same_rows(keys, training):
    """How many of the rows are training rows, and whether that is more than chance.

    Parameters
    ----------
    keys, training : ndarray of uint64
        From `row_keys`.

    Returns
    -------
    n_same : int
    suspicious : bool
        Whether so many agree with probability below 0.001 if a new row is as likely to have a twin in the training
        table as a training row is to have one (coarse tables repeat themselves).
    """
    n_same = int(np.isin(keys, training).sum())
    _, place, count = np.unique(training, return_inverse=True, return_counts=True)
    twins = int((count[place] > 1).sum())
    rate = (twins + 1) / (len(training) + 1)
    return n_same, bool(n_same and binom.sf(n_same - 1, len(keys), rate) < 1e-3)


def read_groups(conditional_on, X, n):
    """Group labels (n,) for a guarantee in each group, of a column's name or an array; None without any."""
    if conditional_on is None:
        return None
    import pandas as pd

    name = "conditional_on"
    if isinstance(conditional_on, str):
        columns = [str(c) for c in getattr(X, "columns", [])]
        if conditional_on not in columns:
            some = f"its columns are {', '.join(columns[:10])}" if columns else "it has no column names"
            raise ValueError(f"conditional_on={conditional_on!r} is not a column of X: {some}.")
        name, conditional_on = f"column {conditional_on!r}", X[conditional_on]
    labels = np.asarray(conditional_on)
    if labels.shape != (n,):
        raise ValueError(f"conditional_on has shape {labels.shape}: give one group for each of the {n} rows of X.")
    missing = np.flatnonzero(pd.isna(labels))
    if len(missing):
        raise ValueError(f"{name} is missing in row {missing[0]}: give every row a group, such as 'unknown'.")
    return labels


def positive(values, name, n):
    """Likelihood ratios (n,): finite, at least 0, not all 0."""
    try:
        values = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must hold numbers: likelihood ratios, one a row.") from None
    if values.shape != (n,):
        raise ValueError(f"{name} has shape {values.shape}: give one likelihood ratio for each of the {n} rows of X.")
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"{name} must be finite and at least 0 in every row: it is a ratio of densities.")
    return values
