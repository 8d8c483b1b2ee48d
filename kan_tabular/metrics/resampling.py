"""The bootstrap: percentiles of a measure over resampled rows, or resampled groups of rows."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
from sklearn import config_context
from sklearn.exceptions import UndefinedMetricWarning

from kan_tabular.metrics.intervals import Interval, normal_quantile
from kan_tabular.metrics.reading import check_count, read_labels, read_weights

_UNDEFINED = 0.05  # largest share of resamples in which a metric may be undefined


def bootstrap_interval(
    metric,
    y_true,
    y_pred,
    *,
    sample_weight=None,
    groups=None,
    confidence_level=0.95,
    n_resamples=2000,
    random_state=None,
):
    """Any metric with its percentile bootstrap interval.

    Rows are drawn with replacement, or whole groups of rows where rows of one group are alike (Efron and Tibshirani
    1993, chapters 8 and 13). The predictions stay as they are: the interval says how much the measure depends on which
    rows the test set holds, not on which rows the model was trained on.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, y_pred) -> float``, such as `sklearn.metrics.r2_score`; bind other arguments by
        `functools.partial`. Weights need a metric that takes ``sample_weight``.
    y_true : array-like (n,) or (n, n_targets)
    y_pred : array-like (n,) or (n, n_columns)
        Whatever `metric` takes: predictions, labels, probabilities.
    sample_weight : array-like (n,), default=None
        Frequencies; their sum is the number of rows drawn.
    groups : array-like (n,), default=None
        Rows that belong together, such as those of one patient: groups are drawn, with all their rows.
    confidence_level : float, default=0.95
    n_resamples : int, default=2000
    random_state : int, RandomState, Generator or None, default=None

    Returns
    -------
    interval : Interval

    Raises
    ------
    TypeError
        If `metric` is no function.
    ValueError
        For rows of other lengths, fewer than two rows or groups, or a metric that is undefined in more than 5% of the
        resamples (fewer are left out).
    """
    if not callable(metric):
        raise TypeError(
            f"metric={metric!r}: expected a function of y_true and y_pred, such as sklearn.metrics.r2_score."
        )
    normal_quantile(confidence_level)
    check_count("n_resamples", n_resamples, 100)
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    for name, values in (("y_true", y_true), ("y_pred", y_pred)):
        if not values.ndim or len(values) != len(y_true):
            raise ValueError(f"{name} has shape {values.shape}: give a value for each of the {len(y_true)} rows.")
    weight = read_weights(sample_weight, len(y_true))
    kept = weight > 0
    if groups is not None:
        groups = read_labels(groups, "groups")
        if len(groups) != len(y_true):
            raise ValueError(f"groups has {len(groups)} rows, but y_true has {len(y_true)}.")
        groups = groups[kept]
    y_true, y_pred, weight = y_true[kept], y_pred[kept], weight[kept]
    weighted = {} if sample_weight is None else {"sample_weight": weight}
    if weighted and not _takes_weights(metric):
        raise ValueError("sample_weight is given, but metric takes no sample_weight.")
    value = float(metric(y_true, y_pred, **weighted))

    rng = generator(random_state)
    if groups is None:
        draws = row_draws(rng, weight, n_resamples)
        measured = [_defined(metric, y_true[rows], y_pred[rows]) for rows in draws]
    else:
        measured = [
            _defined(metric, y_true[rows], y_pred[rows], **{name: w[rows] for name, w in weighted.items()})
            for rows in _group_draws(rng, groups, n_resamples)
        ]
    measured = np.array(measured)
    undefined = np.isnan(measured).mean()
    if undefined > _UNDEFINED:
        raise ValueError(
            f"The metric is undefined in {undefined:.0%} of the resamples, as where a class is absent: more "
            "rows are needed (auc_interval and average_precision_interval keep the sizes of the classes)."
        )
    return percentiles(value, measured[~np.isnan(measured)], confidence_level)


def percentiles(value, measured, confidence_level):
    """`value` with the percentiles of its resampled values."""
    low, high = np.quantile(measured, [(1 - confidence_level) / 2, (1 + confidence_level) / 2])
    return Interval(float(value), float(low), float(high))


def row_draws(rng, weight, n_resamples):
    """Rows drawn with replacement, each in proportion to its weight.

    Rows of weight 2 are drawn as if they stood there twice: with the same seed, the same draws.

    Yields
    ------
    rows : ndarray of int (round(sum of weights),)
    """
    ends = np.cumsum(weight)
    size = round(float(ends[-1]))
    if size < 2:
        raise ValueError(f"There are {ends[-1]:g} rows (the sum of sample_weight): resampling needs at least 2.")
    for _ in range(n_resamples):
        yield np.searchsorted(ends, rng.random(size) * ends[-1], side="right")


def generator(random_state):
    """A random generator of its own for `random_state`."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**32, dtype=np.uint64))
    return np.random.default_rng(random_state)


def _group_draws(rng, groups, n_resamples):
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise ValueError("groups holds one group: resampling needs at least 2.")
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(sizes)[:-1])
    for _ in range(n_resamples):
        yield np.concatenate([members[g] for g in rng.integers(len(sizes), size=len(sizes))])


def _defined(metric, y_true, y_pred, **weighted):
    """The metric, NaN where it is undefined; the input was checked when it was computed for all rows."""
    with config_context(assume_finite=True, skip_parameter_validation=True), warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        try:
            return float(metric(y_true, y_pred, **weighted))
        except ValueError:
            return np.nan


def _takes_weights(metric):
    parameters = inspect.signature(metric).parameters
    return "sample_weight" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())
