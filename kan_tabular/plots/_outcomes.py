"""Outcomes and probabilities as the displays of predictions read them, from any fitted classifier."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from kan_tabular.metrics.reading import distinct, read_labels


def predicted_class(estimator, X, y, class_, display):
    """Outcomes and the probability of one class.

    Parameters
    ----------
    estimator : classifier or Pipeline
        Fitted, of this package or another.
    X : table of shape (n_samples, n_columns)
    y : array-like of shape (n_samples,)
        Labels.
    class_ : label or None
        By default the last class.
    display : str
        Name of the display, for messages.

    Returns
    -------
    labels : ndarray of shape (n_samples,)
    probability : ndarray of shape (n_samples,)
    class_ : label
    """
    if isinstance(estimator, type) or not hasattr(estimator, "predict_proba"):
        kind = estimator.__name__ if isinstance(estimator, type) else type(estimator).__name__
        raise TypeError(f"{display} needs a fitted classifier with predict_proba; got {kind}.")
    check_is_fitted(estimator)
    classes = np.asarray(estimator.classes_).tolist()
    if class_ is None:
        class_ = classes[-1]
    if class_ not in classes:
        raise ValueError(f"class_={class_!r} is not a class of the model; choose one of {classes}.")
    labels = read_labels(y, "y")
    unknown = [label for label in distinct(labels) if label not in classes]
    if unknown:
        raise ValueError(f"y holds {unknown[0]!r}, which is not a class of the model; its classes are {classes}.")
    return labels, np.asarray(estimator.predict_proba(X))[:, classes.index(class_)], class_


def one_against_others(labels, class_):
    """Whether each label is `class_`, where both cases occur: bool of shape (n_samples,)."""
    event = labels == class_
    if event.all() or not event.any():
        which = "only rows" if event.all() else "no row"
        raise ValueError(f"y holds {which} of class {class_!r}: rows of it and of others are needed.")
    return event


def named(values, default):
    """`values` as a dict: one that is not a dict yet gets the name `default`."""
    values = values if isinstance(values, dict) else {default: values}
    if not values:
        raise ValueError("There is nothing to draw: give at least one model.")
    return values
