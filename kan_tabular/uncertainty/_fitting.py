"""Any estimator or pipeline, cloned and fitted; any table, made ready for picking rows."""

from __future__ import annotations

import inspect

from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import indexable

from kan_tabular.encoding import as_frame


def readable(X):
    """A table whose rows can be picked: what cannot be indexed becomes an array."""
    (X,) = indexable(as_frame(X))
    return X


def fit_clone(estimator, X, y, weights=None, groups=None):
    """A clone of any estimator or pipeline, fitted; weights and groups reach the last step if it takes them.

    Raises
    ------
    ValueError
        If weights are given to an estimator that takes none.
    """
    estimator = clone(estimator)
    last, prefix = last_step(estimator)
    takes = inspect.signature(last.fit).parameters
    given = {}
    if weights is not None:
        if "sample_weight" not in takes and not any(p.kind is p.VAR_KEYWORD for p in takes.values()):
            raise ValueError(f"sample_weight: {type(last).__name__}.fit takes none; leave it out.")
        given[f"{prefix}sample_weight"] = weights
    if groups is not None and "groups" in takes:
        given[f"{prefix}groups"] = groups
    return estimator.fit(X, y, **given)


def last_step(estimator):
    """The estimator that predicts, and what names of its parameters begin with from outside."""
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inner, prefix = last_step(last)
        return inner, f"{name}__{prefix}"
    return estimator, ""
