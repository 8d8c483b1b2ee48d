"""Predictions of models that have not seen the row, one model a fold or one a row."""

from __future__ import annotations

import numpy as np
from joblib import Parallel, delayed

from kan_tabular.training.folds import assign_folds
from kan_tabular.uncertainty._rows import take


class Refits:
    """The estimator fitted again without each fold.

    Whatever else predicts each row without having seen it (leave-one-out in closed form) takes this class's place by
    offering the same three things.

    Attributes
    ----------
    fold : ndarray of int (n,)
        Which of the models, 0 ... F - 1, has not seen the row.
    unseen : ndarray (n, k)
        What that model says of it.
    """

    def __init__(self, models, output, fold, unseen):
        self.models = models
        self._output = output
        self.fold = fold
        self.unseen = unseen

    def at(self, X):
        """What every model says of new rows: (F, m, k)."""
        return np.stack([self._output(model, X) for model in self.models])


def leave_out(fit, output, X, n, fold, n_jobs=None):
    """Fit once without each fold.

    Parameters
    ----------
    fit : callable
        ``fit(rows)`` gives the estimator fitted to rows at these positions.
    output : callable
        ``output(model, X)`` gives (m, k).
    X : table of n rows
    n : int
    fold : ndarray of int (n,)
    n_jobs : int, optional
        Fits at a time.

    Returns
    -------
    predictions : Refits
    """
    n_folds = int(fold.max()) + 1
    models = Parallel(n_jobs=n_jobs)(delayed(fit)(np.flatnonzero(fold != f)) for f in range(n_folds))
    unseen = None
    for f, model in enumerate(models):
        rows = np.flatnonzero(fold == f)
        said = output(model, take(X, rows))
        unseen = np.empty((n, said.shape[1])) if unseen is None else unseen
        unseen[rows] = said
    return Refits(models, output, fold, unseen)


class ClosedForm:
    """What an additive model would say without each of its rows, from the one fit there is; in the place of `Refits`.

    The smoothing parameters stay those of all rows, so the jackknife+ has its guarantee only approximately: they would
    have to be chosen again without each row. ``examples/benchmarks/coverage.py`` measures what they cover.

    Parameters
    ----------
    model : KAAMRegressor, KAAMClassifier
        Fitted to the rows.
    said : callable
        From predictions (..., m) or (..., m, n_classes) to what scores are made of (..., m, k).
    X, y, weights
        The rows, as given to its fit; they are kept.
    """

    def __init__(self, model, said, X, y, weights):
        self._model, self._said, self._rows = model, said, (X, y, weights)
        self.fold = np.arange(len(y))
        self.unseen = said(model.leave_one_out(*self._rows))

    def at(self, X):
        """What the model without each row says of new rows: (n, m, k)."""
        return self._said(np.swapaxes(self._model.leave_one_out(*self._rows, at=X)[1], 0, 1))


def leave_one_out(fit, output, X, n, groups=None, n_jobs=None):
    """`leave_out` of single rows, or of single groups: what jackknife+ needs."""
    fold = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    return leave_out(fit, output, X, n, fold, n_jobs)


def cross_validated(fit, output, X, n, n_folds, rng, classes=None, groups=None, n_jobs=None):
    """`leave_out` of random folds of equal size: classes spread evenly, groups whole."""
    return leave_out(fit, output, X, n, assign_folds(n_folds, n, rng, classes, groups), n_jobs)
