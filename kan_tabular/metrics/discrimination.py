"""How well scores rank: AUC and average precision with intervals, and the difference of two AUCs."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import t as student_t

from kan_tabular.metrics.intervals import Difference, Interval, normal_quantile
from kan_tabular.metrics.ranking import stratified_interval
from kan_tabular.metrics.reading import read_binary, refuse_few


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
    so it stays within (0, 1), and takes its width from Student's t with Satterthwaite's degrees of freedom, as the
    variance of few events is itself uncertain (Brunner and Munzel 2000, Biometrical Journal 42).

    Perfect separation has variance 0 without being certain: the interval is then Newcombe's (2006, Statistics in
    Medicine 25:559, method 5). A score that is the same in every row has AUC 0.5, no more and no less.

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
        return stratified_interval(
            "auc",
            y_true,
            y_score,
            sample_weight=sample_weight,
            pos_label=pos_label,
            labels=labels,
            confidence_level=confidence_level,
            n_resamples=n_resamples,
            random_state=random_state,
        )
    quantile = normal_quantile(confidence_level)
    event, score, weight = read_binary(y_true, y_score, sample_weight, pos_label, name="y_score")
    auc, error, freedom = _mean_and_error(_placements(event, score, weight), event, weight)
    if auc in (0.0, 1.0):  # exactly, where the scores separate the classes
        bound = _newcombe(weight[event].sum(), weight[~event].sum(), quantile)
        return Interval(1.0, bound, 1.0) if auc > 0.5 else Interval(0.0, 0.0, 1 - bound)
    half = student_t.ppf((1 + confidence_level) / 2, freedom) * error / (auc * (1 - auc))
    return Interval(auc, float(expit(logit(auc) - half)), float(expit(logit(auc) + half)))


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
    `y_true`. Below a hundred events the interval covers too seldom (measured in docs/benchmarks/metric-intervals.md).

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
    return stratified_interval(
        "average_precision",
        y_true,
        y_score,
        sample_weight=sample_weight,
        pos_label=pos_label,
        labels=labels,
        confidence_level=confidence_level,
        n_resamples=n_resamples,
        random_state=random_state,
    )


def auc_difference(y_true, score_a, score_b, *, sample_weight=None, pos_label=None, confidence_level=0.95):
    """AUC of one score minus that of another on the same rows, with DeLong's paired variance.

    Interval and test are those of Student's t with Satterthwaite's degrees of freedom, which tend to the normal ones of
    DeLong, DeLong and Clarke-Pearson (1988, Biometrics 44) with the number of rows.

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
    normal_quantile(confidence_level)
    event, first, weight = read_binary(y_true, score_a, sample_weight, pos_label, name="score_a")
    second = read_binary(y_true, score_b, sample_weight, pos_label, name="score_b").score
    gains = _placements(event, first, weight) - _placements(event, second, weight)
    difference, error, freedom = _mean_and_error(gains, event, weight)
    if not gains.any():
        return Difference(0.0, 0.0, 0.0, 1.0)
    if error <= 1e-9 * abs(difference):  # 0, but for rounding
        raise ValueError(
            f"The AUCs differ by {difference:+.3g} but have no variance (perfect separation, or a score that is the "
            "same in every row): these rows cannot say how sure the difference is."
        )
    half = error * student_t.ppf((1 + confidence_level) / 2, freedom)
    low, high = np.clip([difference - half, difference + half], -1.0, 1.0)
    p_value = 2 * student_t.sf(abs(difference) / error, freedom)
    return Difference(difference, float(low), float(high), float(p_value))


def _placements(event, score, weight):
    """The part of each row in the AUC (n,), ties counting one half: their mean over either class is the AUC.

    Of an event, the share of the other rows below it; of another row, the share of the events above it.
    """
    parts = np.empty(len(score))
    parts[event] = _share_below(score[event], score[~event], weight[~event])
    parts[~event] = 1 - _share_below(score[~event], score[event], weight[event])
    return parts


def _share_below(score, others, weight):
    order = np.argsort(others)
    ends = np.concatenate([[0.0], np.cumsum(weight[order])])
    first, last = (ends[np.searchsorted(others[order], score, side)] for side in ("left", "right"))
    return (first + last) / (2 * ends[-1])


def _mean_and_error(parts, event, weight):
    """The mean of `parts` (n,), an AUC or a difference of two, DeLong's standard error, and its degrees of freedom."""
    variances, freedom = [], []
    for name, which in (("other class", ~event), ("positive class", event)):
        own, w = parts[which], weight[which]
        refuse_few(w, name)
        total = w.sum()
        mean = (w * own).sum() / total
        variances.append((w * (own - mean) ** 2).sum() / (total * (total - 1)))
        freedom.append(total - 1)
    variance, squares = sum(variances), (np.square(variances) / freedom).sum()
    return float(mean), float(np.sqrt(variance)), float(variance**2 / squares) if squares > 0 else np.inf


def _newcombe(n_events, n_others, quantile):
    """Lower bound of an AUC that is 1 in the sample: where 1 is `quantile` standard errors away."""
    n = (n_events + n_others) / 2 - 1

    def excess(auc):
        scatter = auc * (1 + n * ((1 - auc) / (2 - auc) + auc / (1 + auc))) / (n_events * n_others)
        return 1 - auc - quantile**2 * scatter

    return float(brentq(excess, 0.0, 1.0))
