"""Whether decisions by a model do more good than harm: net benefit."""

from __future__ import annotations

import numpy as np

from kan_tabular.metrics.reading import read_binary, read_points


def net_benefit(y_true, y_prob, thresholds=None, *, sample_weight=None, pos_label=None):
    """Net benefit of treating those whose probability reaches a threshold.

    At threshold t it is ``TP / n - FP / n * t / (1 - t)``. True positives count 1; t says what false ones cost, since
    who treats from a risk of t on accepts (1 - t) / t needless treatments for a needed one (Vickers and Elkin 2006,
    Medical Decision Making 26).

    Parameters
    ----------
    y_true : array-like (n,)
        Labels of two classes.
    y_prob : array-like (n,)
        Probability of the positive class.
    thresholds : array-like (m,), default=None
        From 0 to below 1; by default 0.01, 0.02, ..., 0.99.
    sample_weight : array-like (n,), default=None
        Frequencies.
    pos_label : label, default=None
        The positive class; by default the second in order.

    Returns
    -------
    table : pandas.DataFrame
        A row a threshold: ``threshold``, and the net benefit of treating by the ``model``, of ``treat_all`` and of
        ``treat_none`` (0). The unit is true positives per person.

    Raises
    ------
    ValueError
        For missing values, other lengths, one class only, probabilities outside [0, 1] or thresholds outside [0, 1).
    """
    import pandas as pd

    read = read_binary(y_true, y_prob, sample_weight, pos_label, name="y_prob", probability=True)
    thresholds = _read_thresholds(thresholds)
    order = np.argsort(read.score)
    first = np.searchsorted(read.score[order], thresholds, side="left")  # the lowest probability that reaches it
    total = read.weight.sum()

    def reached(which):
        weight = np.where(which, read.weight, 0.0)[order]
        return np.append(np.cumsum(weight[::-1])[::-1], 0.0) / total

    events, others = reached(read.event), reached(~read.event)
    odds = thresholds / (1 - thresholds)
    return pd.DataFrame(
        {
            "threshold": thresholds,
            "model": events[first] - odds * others[first],
            "treat_all": events[0] - odds * others[0],
            "treat_none": 0.0,
        }
    )


def _read_thresholds(thresholds):
    """Thresholds (m,) within [0, 1); None is 0.01, 0.02, ..., 0.99."""
    if thresholds is None:
        return np.arange(1, 100) / 100
    thresholds = read_points(thresholds, "thresholds")
    if thresholds.max() == 1:
        raise ValueError("thresholds holds 1: whoever treats only at certainty never accepts a needless treatment.")
    return thresholds
