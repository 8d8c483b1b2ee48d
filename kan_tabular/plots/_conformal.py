"""What the displays of uncertainty read from a conformal estimator: its public predictions at one level."""

from dataclasses import dataclass

import numpy as np
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class Conformal:
    """A calibrated estimator, the table as it takes it, and what goes with its rows.

    Attributes
    ----------
    estimator : ConformalClassifier or ConformalRegressor
    X : table of shape (m, n_features)
        As the estimator takes it.
    table : table
        As the user knows it: before the steps of a pipeline.
    given : dict
        ``conditional_on`` and ``weights`` of the rows.
    """

    estimator: object
    X: object
    table: object
    given: dict

    @property
    def levels(self):
        """The estimator's levels of confidence, as a list."""
        return np.atleast_1d(self.estimator.confidence_level).tolist()

    @property
    def classifies(self):
        return is_classifier(self.estimator)

    def predict(self):
        """Sets (m, n_classes, n_levels), or intervals (m, 2, n_levels)."""
        model = self.estimator
        found = (model.predict_set if self.classifies else model.predict_interval)(self.X, **self.given)
        return found if found.ndim == 3 else found[:, :, None]

    def position(self, confidence_level):
        """Which of the levels is meant; by default the first."""
        if confidence_level is None:
            return 0
        near = np.flatnonzero(np.isclose(self.levels, confidence_level))
        if not len(near):
            raise ValueError(f"confidence_level={confidence_level!r} is not a level of the estimator: {self.levels}.")
        return int(near[0])


def read_conformal(estimator, X, display, conditional_on=None, weights=None):
    """The `Conformal` of an estimator, or of a pipeline that ends in one.

    Raises
    ------
    TypeError
        If it predicts neither sets nor intervals.
    """
    model, taken = estimator, X
    if isinstance(estimator, Pipeline):
        model = estimator.steps[-1][1]
        taken = estimator[:-1].transform(X) if len(estimator.steps) > 1 else X
    if not hasattr(model, "predict_set") and not hasattr(model, "predict_interval"):
        raise TypeError(
            f"{display} needs a ConformalClassifier or ConformalRegressor, or a pipeline that ends in one; "
            f"{type(model).__name__} predicts neither sets nor intervals."
        )
    return Conformal(model, taken, X, {"conditional_on": conditional_on, "weights": weights})


def column(table, values, m, argument):
    """Name and values (m,) of a column of the table, given by name, or as an array."""
    if not isinstance(values, str):
        array = np.asarray(values)
        if array.shape != (m,):
            raise ValueError(f"{argument} has shape {array.shape}: give one value for each of the {m} rows of X.")
        return str(getattr(values, "name", None) or argument), array
    names = [str(name) for name in getattr(table, "columns", [])]
    if values not in names:
        some = f"choose from {', '.join(names[:10])}" if names else "X has no column names: give the values"
        raise ValueError(f"{argument}={values!r} is not a column of X: {some}.")
    return values, np.asarray(table[values])


def is_numeric(values):
    return np.asarray(values).dtype.kind in "fiu"


def percent(level):
    """A level as text, as in 90%."""
    return f"{100 * level:g}%"
