"""What a report is about: the model, the test rows, what it says of them; read and checked once."""

from __future__ import annotations

import numbers
from dataclasses import dataclass, field

import numpy as np
from sklearn.base import is_classifier

from kan_tabular.exceptions import DataError
from kan_tabular.explain.cases import read_outcomes
from kan_tabular.source import Source, read_source


@dataclass(frozen=True)
class Subject:
    """The model and its test rows.

    Attributes
    ----------
    model : estimator or Pipeline
    source : Source
    X : table
        As given.
    frame : pandas.DataFrame
        The same, to read single cells from.
    y : ndarray (n,)
        Codes of classes, or numbers.
    predicted : ndarray (n, n_outputs)
        Probabilities of all classes, or predicted values.
    classes : list of str
        Of a classifier; empty for a regressor.
    outcome : str or None
        Name of what is predicted, where there is one.
    labels, units : dict
        By the names of the table's columns.
    min_group : int
    n_training : int or None
    threshold, confidence_level : float
    random_state : int or None
    """

    model: object
    source: Source
    X: object = field(repr=False)
    frame: object = field(repr=False)
    y: np.ndarray = field(repr=False)
    predicted: np.ndarray = field(repr=False)
    classes: list
    outcome: str | None
    labels: dict
    units: dict
    min_group: int
    n_training: int | None
    threshold: float
    confidence_level: float
    random_state: object

    @property
    def task(self):
        """ "binary", "multiclass" or "regression"."""
        return "regression" if not self.classes else "binary" if len(self.classes) == 2 else "multiclass"

    @property
    def outputs(self):
        """What has curves and contributions of its own: (class_ for the model, name), one each."""
        if self.task == "multiclass":
            return list(zip(self.source.classes, self.classes, strict=True))
        return [(None, self.classes[1] if self.classes else self.target)]

    @property
    def scale(self):
        """Name of the scale on which contributions add up."""
        return self.source.response

    def label(self, name):
        """A column as the reader calls it."""
        return str(self.labels.get(name, name))

    def with_unit(self, name):
        """The same, with its unit."""
        unit = self.units.get(name)
        return f"{self.label(name)} ({unit})" if unit else self.label(name)

    def event(self, k):
        """A class as a reader knows it: by its name, which may be no more than "1", and that of the outcome."""
        return self.classes[k] if self.outcome is None else f"{self.outcome} = {self.classes[k]}"

    @property
    def target(self):
        """What is predicted."""
        return self.outcome or "the outcome"

    def few(self, share):
        """Whether a share of the training rows is known to be a small group."""
        return self.n_training is not None and 0 < share * self.n_training < self.min_group - 0.5


def read_subject(
    model, X, y, *, outcome, labels, units, min_group, n_training, threshold, confidence_level, random_state
):
    """Check what `build_report` was given."""
    source = read_source(model, needs="explain", display="build_report")
    if source.estimator.network_.n_outputs > 1 and not is_classifier(source.estimator):
        raise DataError(
            "build_report describes models of one target; this one predicts several targets or quantiles: fit one for "
            "each of them."
        )
    _check_count("min_group", min_group, " (1 suppresses nothing)")
    if n_training is not None:
        _check_count("n_training", n_training, ", or None where it is not known")
    for name, value in (("threshold", threshold), ("confidence_level", confidence_level)):
        if not isinstance(value, numbers.Real) or not 0 < value < 1:
            raise ValueError(f"{name}={value!r}: expected a number between 0 and 1.")
    frame = _frame(X, source)
    if len(frame) == 0:
        raise DataError("X_test has no rows: give the rows that the model should be judged by.")
    name = getattr(y, "name", None) if outcome is None else outcome
    known = list(dict.fromkeys([*frame.columns, *source.shown_names]))
    _check_names("labels", labels, known)
    _check_names("units", units, known if name is None else [*known, str(name)])
    labels_known = source.estimator.classes_ if is_classifier(source.estimator) else None
    y = read_outcomes(y, labels_known, len(frame), name="y_test")
    if labels_known is not None:
        y, classes = y.astype(int), [str(c) for c in labels_known.tolist()]
        predicted = model.predict_proba(X)
    else:
        classes = []
        predicted = np.asarray(model.predict(X), dtype=float).reshape(len(frame), -1)
    return Subject(
        model=model,
        source=source,
        X=X,
        frame=frame,
        y=y,
        predicted=predicted,
        classes=classes,
        outcome=None if name is None else str(name),
        labels=dict(labels or {}),
        units=dict(units or {}),
        min_group=int(min_group),
        n_training=n_training,
        threshold=float(threshold),
        confidence_level=float(confidence_level),
        random_state=random_state,
    )


def _check_count(name, value, remark):
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}={value!r}: expected an integer of at least 1{remark}.")


def _frame(X, source):
    import pandas as pd

    if hasattr(X, "to_pandas"):
        X = X.to_pandas()
    if isinstance(X, pd.DataFrame):
        return X.rename(columns=str)
    if getattr(X, "ndim", 2) != 2 or not hasattr(X, "__len__"):
        raise DataError(f"X_test must be a table with rows and columns; got {type(X).__name__}.")
    X = np.asarray(X, dtype=object) if not isinstance(X, np.ndarray) else X
    if X.ndim != 2 or X.shape[1] != len(source.columns):
        raise DataError(
            f"X_test has shape {X.shape}, but the model was fitted to {len(source.columns)} columns: give these."
        )
    return pd.DataFrame(X, columns=source.columns)


def _check_names(argument, given, known):
    if given is None:
        return
    if not isinstance(given, dict):
        raise ValueError(f"{argument}={given!r}: give a dict of column names, such as {{{known[0]!r}: ...}}.")
    unknown = [name for name in given if name not in known]
    if unknown:
        some = f"{', '.join(known[:10])}{' ...' if len(known) > 10 else ''}"
        raise ValueError(f"{argument} names {unknown[0]!r}, which is not a column of X_test: choose from {some}.")
