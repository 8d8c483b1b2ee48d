"""How well scores rank: AUC and average precision with intervals, and the difference of two AUCs."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import norm

from kan_tabular.metrics.intervals import Difference, Interval, normal_quantile
from kan_tabular.metrics.reading import (
    check_count,
    distinct,
    read_binary,
    read_labels,
    read_numbers,
    read_scores,
    read_weights,
)
from kan_tabular.metrics.resampling import generator, percentiles, row_draws


def auc_interval(
    y_true,
    y_score,
    *,
    sample_weight=None,
    pos_label=None,
    labels=None,
    confidence_level=0.95,
    method="delong",
    n_resamples=2000,
    random_state=None,
):
    """Area under the ROC curve with its interval.

    DeLong's variance (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44) is computed by sorting, in O(n log n) (Sun
    and Xu 2014, IEEE Signal Processing Letters 21); ties count one half. The interval is symmetric on the logit scale,
    so it stays within (0, 1). Perfect separation has variance 0 without being certain: the interval is then Newcombe's
    (2006, Statistics in Medicine 25:559, method 5). A score that is the same in every row has AUC 0.5, no more and no
    less.

    Parameters
    ----------
    y_true : array-like (n,)
        Labels. Two classes, or more with `y_score` of as many columns.
    y_score : array-like (n,) or (n, n_classes)
        Scores of the positive class in any unit; for more than two classes a column a class, and the measure is the
        mean over the classes of each against the others (macro-averaged one-vs-rest), always with the bootstrap.
    sample_weight : array-like (n,), default=None
        Frequencies.
    pos_label : label, default=None
        The positive one of two classes; by default the second in order.
    labels : array-like (n_classes,), default=None
        The class of each column, for more than two; by default those in `y_true`, in order.
    confidence_level : float, default=0.95
    method : {"delong", "bootstrap"}, default="delong"
        For two classes. The bootstrap draws within each class; its interval is that of percentiles.
    n_resamples : int, default=2000
        Of the bootstrap.
    random_state : int, RandomState, Generator or None, default=None
        Of the bootstrap.

    Returns
    -------
    interval : Interval

    Raises
    ------
    ValueError
        For missing values, other lengths, one class only, or a class of fewer than two rows.
    """
    if method not in ("delong", "bootstrap"):
        raise ValueError(f"method={method!r}: expected 'delong' or 'bootstrap'.")
    if method == "bootstrap" or np.ndim(y_score) == 2:
        return _stratified(
            "auc", y_true, y_score, sample_weight, pos_label, labels, confidence_level, n_resamples, random_state
        )
    quantile = normal_quantile(confidence_level)
    event, score, weight = read_binary(y_true, y_score, sample_weight, pos_label, name="y_score")
    (auc,), ((variance,),) = _delong(event, score[None], weight)
    if score.min() == score.max():
        return Interval(0.5, 0.5, 0.5)
    if _separates(event, score):
        bound = _newcombe(weight[event].sum(), weight[~event].sum(), quantile)
        return Interval(1.0, bound, 1.0) if auc > 0.5 else Interval(0.0, 0.0, 1 - bound)
    half = quantile * np.sqrt(variance) / (auc * (1 - auc))
    return Interval(float(auc), float(expit(logit(auc) - half)), float(expit(logit(auc) + half)))


def average_precision_interval(
    y_true,
    y_score,
    *,
    sample_weight=None,
    pos_label=None,
    labels=None,
    confidence_level=0.95,
    n_resamples=2000,
    random_state=None,
):
    """Average precision (the area under the precision-recall curve) with its bootstrap interval.

    Rows are drawn within each class, so the share of the classes, on which average precision depends, stays that of
    `y_true`. With few events the interval is too narrow and too high, as repeated rows rank together.

    Parameters
    ----------
    y_true : array-like (n,)
        Labels. Two classes, or more with `y_score` of as many columns.
    y_score : array-like (n,) or (n, n_classes)
        Scores of the positive class; for more than two classes a column a class, and the measure is the mean over the
        classes of each against the others.
    sample_weight : array-like (n,), default=None
        Frequencies.
    pos_label : label, default=None
        The positive one of two classes; by default the second in order.
    labels : array-like (n_classes,), default=None
        The class of each column, for more than two; by default those in `y_true`, in order.
    confidence_level : float, default=0.95
    n_resamples : int, default=2000
    random_state : int, RandomState, Generator or None, default=None

    Returns
    -------
    interval : Interval

    Raises
    ------
    ValueError
        For missing values, other lengths, one class only, or a class of fewer than two rows.
    """
    return _stratified(
        "average_precision", y_true, y_score, sample_weight, pos_label, labels, confidence_level, n_resamples, random_state
    )


def auc_difference(y_true, score_a, score_b, *, sample_weight=None, pos_label=None, confidence_level=0.95):
    """AUC of one score minus that of another on the same rows, with DeLong's paired interval and test.

    Parameters
    ----------
    y_true : array-like (n,)
        Labels of two classes.
    score_a, score_b : array-like (n,)
        Two scores of the positive class.
    sample_weight : array-like (n,), default=None
        Frequencies.
    pos_label : label, default=None
        The positive class; by default the second in order.
    confidence_level : float, default=0.95

    Returns
    -------
    difference : Difference
        AUC of `score_a` minus AUC of `score_b`. Scores that rank alike differ by exactly 0, with p value 1.

    Raises
    ------
    ValueError
        For missing values, other lengths, one class only, a class of fewer than two rows, or AUCs that differ although
        neither varies (perfect separation against a constant score).
    """
    quantile = normal_quantile(confidence_level)
    event, first, weight = read_binary(y_true, score_a, sample_weight, pos_label, name="score_a")
    second = read_binary(y_true, score_b, sample_weight, pos_label, name="score_b").score
    aucs, covariance = _delong(event, np.stack([first, second]), weight)
    difference = float(aucs[0] - aucs[1])
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    if variance <= 1e-15:  # rounding of numbers of order 1, summed
        if abs(difference) > 1e-9:
            raise ValueError(
                f"The AUCs differ by {difference:+.3g} but have no variance (perfect separation, or a score that is the "
                "same in every row): these rows cannot say how sure the difference is."
            )
        return Difference(0.0, 0.0, 0.0, 1.0)
    error = float(np.sqrt(variance))
    low, high = np.clip([difference - quantile * error, difference + quantile * error], -1.0, 1.0)
    return Difference(difference, float(low), float(high), float(2 * norm.sf(abs(difference) / error)))


def _delong(event, scores, weight):
    """AUCs (k,) of `scores` (k, n), and their covariance (k, k)."""
    totals = weight[event].sum(), weight[~event].sum()
    for total, which in zip(totals, ("positive", "other"), strict=True):
        if total < 2:
            raise ValueError(f"The {which} class has {total:g} row{'s' * (total != 1)}: its variance needs at least 2.")
    above = np.stack([_placements(s[event], s[~event], weight[~event]) for s in scores])
    below = np.stack([_placements(s[~event], s[event], weight[event]) for s in scores])
    aucs = (above * weight[event]).sum(axis=1) / totals[0]
    covariance = np.zeros((len(scores), len(scores)))
    for placed, mean, w, total in (
        (above, aucs, weight[event], totals[0]),
        (below, 1 - aucs, weight[~event], totals[1]),
    ):
        deviation = placed - mean[:, None]
        covariance += (deviation * w) @ deviation.T / (total * (total - 1))
    return aucs, covariance


def _placements(score, others, weight):
    """Weighted share of `others` below each score, ties counting one half."""
    order = np.argsort(others)
    ends = np.concatenate([[0.0], np.cumsum(weight[order])])
    others = others[order]
    return (ends[np.searchsorted(others, score, "left")] + ends[np.searchsorted(others, score, "right")]) / (
        2 * ends[-1]
    )


def _separates(event, score):
    return score[event].min() > score[~event].max() or score[event].max() < score[~event].min()


def _newcombe(n_events, n_others, quantile):
    """Lower bound of an AUC that is 1 in the sample: where 1 is `quantile` standard errors away."""
    n = (n_events + n_others) / 2 - 1

    def excess(auc):
        scatter = auc * (1 + n * ((1 - auc) / (2 - auc) + auc / (1 + auc))) / (n_events * n_others)
        return 1 - auc - quantile**2 * scatter

    return float(brentq(excess, 0.0, 1.0))


def _stratified(
    measure, y_true, y_score, sample_weight, pos_label, labels, confidence_level, n_resamples, random_state
):
    """A ranking measure and its percentiles over resamples that keep the size of every class."""
    normal_quantile(confidence_level)
    check_count("n_resamples", n_resamples, 100)
    codes, columns, weight = _read_ranking(y_true, y_score, sample_weight, pos_label, labels)
    n_classes = codes.max() + 1
    members = [np.flatnonzero(codes == code) for code in range(n_classes)]
    # Of two classes the second is measured, of more each against the others.
    rankings = [
        _Ranking(codes == code, column)
        for code, column in zip(range(n_classes) if n_classes > 2 else [1], columns, strict=True)
    ]
    value = np.mean([getattr(ranking, measure)(weight) for ranking in rankings])
    draws = [
        row_draws(rng, weight[rows], n_resamples)
        for rng, rows in zip(generator(random_state).spawn(n_classes), members, strict=True)
    ]
    measured = []
    for drawn in zip(*draws, strict=True):
        rows = np.concatenate([own[places] for own, places in zip(members, drawn, strict=True)])
        counts = np.bincount(rows, minlength=len(codes)).astype(float)
        measured.append(np.mean([getattr(ranking, measure)(counts) for ranking in rankings]))
    return percentiles(value, measured, confidence_level)


def _read_ranking(y_true, y_score, sample_weight, pos_label, labels):
    """Classes (n,) as 0 ... K - 1, the scores to measure (a list of (n,), one for two classes, else K), weights (n,)."""
    y_score = np.asarray(y_score)
    if y_score.ndim != 2 or y_score.shape[1] < 3:
        if labels is not None:
            raise ValueError("labels names the columns of y_score for more than two classes; for two, give pos_label.")
        read = read_binary(y_true, y_score, sample_weight, pos_label, name="y_score")
        return read.event.astype(int), [read.score], read.weight
    if pos_label is not None:
        raise ValueError("pos_label is for two classes; y_score has a column for each of more.")
    y = read_labels(y_true)
    weight = read_weights(sample_weight, len(y))
    classes = distinct(y[weight > 0]) if labels is None else list(labels)
    scores = read_scores(y_score, len(y), len(classes))
    y, scores, weight = y[weight > 0], scores[weight > 0], weight[weight > 0]
    present = distinct(y)
    for label in present:
        if label not in classes:
            raise ValueError(f"y_true holds {label!r}, which is not among labels.")
    absent = [label for label in classes if label not in present]
    if absent:
        raise ValueError(f"y_true holds no row of class {absent[0]!r}: each class needs rows to be told from the others.")
    codes = np.array([classes.index(label) for label in y.tolist()])
    return codes, list(scores.T), weight


class _Ranking:
    """Rows in the order of their score, to be measured again and again under other weights.

    scikit-learn's functions give the same numbers, but sort and check in every call.
    """

    def __init__(self, event, score):
        self.order = np.argsort(-score, kind="stable")
        self.event = event[self.order]
        ranked = score[self.order]
        self.ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)  # of each group of ties

    def _found(self, weight):
        """Weight of the events, and of the others, that each threshold finds."""
        weight = weight[self.order]
        return (np.cumsum(np.where(which, weight, 0.0))[self.ends] for which in (self.event, ~self.event))

    def auc(self, weight):
        events, others = self._found(weight)
        before = np.append(0.0, events[:-1])
        return (np.diff(others, prepend=0.0) * (events + before)).sum() / (2 * events[-1] * others[-1])

    def average_precision(self, weight):
        events, others = self._found(weight)
        gained = np.diff(events, prepend=0.0)
        some = gained > 0
        return (gained[some] * events[some] / (events[some] + others[some])).sum() / events[-1]
