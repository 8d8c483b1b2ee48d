"""Reading outcomes, scores, probabilities and weights, with errors worded for the user."""

from __future__ import annotations

import numbers
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from sklearn.utils import column_or_1d


class Binary(NamedTuple):
    """Outcomes of two classes beside one score each, without the rows of weight 0.

    Attributes
    ----------
    event : ndarray of bool (n,)
        Whether the row is of the positive class.
    score : ndarray (n,)
    weight : ndarray (n,)
        Frequencies, above 0.
    """

    event: np.ndarray
    score: np.ndarray
    weight: np.ndarray


def read_binary(y_true, score, sample_weight, pos_label, *, name, probability=False):
    """Outcomes of two classes and the scores, or probabilities, of the positive one.

    Parameters
    ----------
    y_true : array-like (n,)
        Two labels, both present.
    score : array-like (n,)
        Called `name` in messages; within [0, 1] if it is a `probability`.
    sample_weight : array-like (n,) or None
    pos_label : label or None
        The positive class; None is the second in order, the one of ``predict_proba(X)[:, 1]``.

    Returns
    -------
    read : Binary

    Raises
    ------
    ValueError
        For missing or infinite values, other lengths, one class only or more than two, or values outside [0, 1].
    """
    labels = read_labels(y_true)
    score = read_numbers(score, name, len(labels))
    if probability:
        refuse_beyond(score, name)
    weight = read_weights(sample_weight, len(labels))
    kept = weight > 0
    labels, score, weight = labels[kept], score[kept], weight[kept]
    event = labels == positive_class(labels, pos_label)
    return Binary(event, score, weight)


def positive_class(labels, pos_label=None):
    """The label that counts as the event: `pos_label`, or the second of the two in order."""
    classes = distinct(labels)
    if len(classes) == 1:
        raise ValueError(f"y_true holds only the class {classes[0]!r}: rows of both classes are needed.")
    if len(classes) > 2:
        raise ValueError(
            f"y_true holds {len(classes)} classes ({', '.join(map(repr, classes[:3]))} ...): two are needed. For one "
            "class against the others, give y_true == class, and the probabilities of that class."
        )
    if pos_label is None:
        return classes[1]
    if pos_label not in classes:
        raise ValueError(f"pos_label={pos_label!r} is not in y_true, which holds {classes[0]!r} and {classes[1]!r}.")
    return pos_label


def distinct(labels):
    """The different labels in order, as a list of Python values."""
    try:
        return np.unique(labels).tolist()
    except TypeError:
        kinds = sorted({type(label).__name__ for label in labels.tolist()})
        raise ValueError(f"y_true mixes labels of several kinds ({', '.join(kinds)}): make them of one.") from None


def read_labels(y_true, name="y_true"):
    """Labels (n,), none missing."""
    labels = column_or_1d(y_true)
    _refuse_missing(labels, name)
    if not len(labels):
        raise ValueError(f"{name} is empty: there is nothing to measure.")
    return labels


def read_numbers(values, name, n_rows):
    """Finite numbers (n,), one a row."""
    values = np.asarray(values)
    if values.ndim == 2 and values.shape[1] > 1:
        raise ValueError(
            f"{name} has {values.shape[1]} columns: give one number a row, such as predict_proba(X)[:, 1]."
        )
    values = column_or_1d(values)
    _refuse_length(values, name, n_rows)
    _refuse_missing(values, name)
    if values.dtype.kind not in "fiub":
        others = [value for value in values.tolist() if not isinstance(value, (numbers.Real, Decimal))]
        if others:
            raise ValueError(f"{name} holds {others[0]!r}, which is not a number: give one number a row.")
    return values.astype(float)


def read_points(values, name):
    """Probabilities (m,) to measure at."""
    values = np.atleast_1d(values)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"{name} has shape {values.shape}: give a list of probabilities.")
    values = read_numbers(values, name, len(values))
    refuse_beyond(values, name)
    return values


def read_scores(scores, n_rows, n_classes):
    """Finite scores (n, n_classes), a column a class."""
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 2 or scores.shape[1] != n_classes:
        raise ValueError(
            f"y_score has shape {scores.shape}, but there are {n_classes} classes: give a column a class, such as "
            "predict_proba(X), and labels=model.classes_ if a class is missing in y_true."
        )
    _refuse_length(scores, "y_score", n_rows)
    _refuse_missing(scores, "y_score")
    return scores


def read_weights(sample_weight, n_rows):
    """Frequencies (n,): finite, 0 or more, not all 0."""
    if sample_weight is None:
        return np.ones(n_rows)
    weight = read_numbers(sample_weight, "sample_weight", n_rows)
    if (weight < 0).any():
        row = int(weight.argmin())
        raise ValueError(f"sample_weight holds {weight[row]:g} in row {row}: weights are frequencies, 0 or more.")
    if not weight.any():
        raise ValueError("sample_weight is 0 in every row: no row counts.")
    return weight


def refuse_few(weight, which):
    """Refuse a class of fewer than two rows, by the `weight` of its rows: how much it varies is not seen."""
    total = float(weight.sum())
    if total < 2:
        raise ValueError(
            f"The {which} has {total:g} row{'s' * (total != 1)}: an interval needs at least 2 of each class."
        )


def refuse_beyond(values, name):
    """Refuse values outside [0, 1]."""
    bad = (values < 0) | (values > 1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"{name} holds {values[row]:g} in row {row}: probabilities lie between 0 and 1 (predict_proba, not "
            "decision_function)."
        )


def check_count(name, value, least):
    """Refuse an argument that is not a whole number of at least `least`."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name}={value!r}: expected a whole number of at least {least}.")


def _refuse_length(values, name, n_rows):
    if len(values) != n_rows:
        raise ValueError(f"{name} has {len(values)} rows, but y_true has {n_rows}.")


def _refuse_missing(values, name):
    import pandas as pd

    bad = ~np.isfinite(values) if values.dtype.kind == "f" else pd.isna(values)
    if bad.any():
        row = int(np.argwhere(bad)[0][0])
        raise ValueError(f"{name} is missing or not finite in row {row}: drop such rows, or find out why.")
