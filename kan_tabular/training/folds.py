"""Which rows each member does not see."""

from __future__ import annotations

import numpy as np


def assign_folds(n_folds, n_rows, rng, classes=None, groups=None):
    """A fold for every row: equal sizes, classes spread evenly, groups kept together.

    Parameters
    ----------
    n_folds : int
    n_rows : int
    rng : numpy.random.Generator
    classes : ndarray of int (n_rows,), optional
    groups : array (n_rows,), optional

    Returns
    -------
    fold : ndarray of int (n_rows,)
        0 ... F - 1 with ``F = min(n_folds, number of groups)``.

    Notes
    -----
    Largest group first, each goes where it leaves the class counts most even (ties at random): the rule of
    scikit-learn's StratifiedGroupKFold, without its demands on the size of classes.
    """
    unit = np.arange(n_rows) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1].ravel()
    n_units = int(unit.max()) + 1
    n_folds = min(n_folds, n_units)
    classes = np.zeros(n_rows, dtype=int) if classes is None else classes
    if groups is None:
        order = rng.permutation(n_rows)
        order = order[np.argsort(classes[order], kind="stable")]
        fold = np.empty(n_rows, dtype=int)
        fold[order] = np.arange(n_rows) % n_folds
        return rng.permutation(n_folds)[fold]
    counts = np.zeros((n_units, int(classes.max()) + 1))
    np.add.at(counts, (unit, classes), 1.0)
    share = counts / np.maximum(counts.sum(0), 1.0)  # rare classes count as much as common ones
    order = rng.permutation(n_units)
    order = order[np.argsort(-counts[order].sum(1), kind="stable")]
    load, of_unit = np.zeros((n_folds, counts.shape[1])), np.empty(n_units, dtype=int)
    size = np.zeros(n_folds)
    for u in order:
        # Sum of squares after the move, up to what is the same for all folds.
        cost = 2 * load @ share[u] + 1e-9 * size
        of_unit[u] = f = int(cost.argmin())
        load[f] += share[u]
        size[f] += counts[u].sum()
    return of_unit[unit]
