"""Ranking measures of resampled rows."""

from __future__ import annotations

import numpy as np

from kan_tabular.metrics.intervals import normal_quantile
from kan_tabular.metrics.reading import (
    check_count,
    distinct,
    read_binary,
    read_labels,
    read_scores,
    read_weights,
    refuse_few,
)
from kan_tabular.metrics.resampling import generator, percentiles, row_draws


def stratified_interval(
    measure, y_true, y_score, *, sample_weight, pos_label, labels, confidence_level, n_resamples, random_state
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
    """Classes (n,) as 0 ... K - 1, the columns to measure (one for two classes, K for more), and weights (n,)."""
    y_score = np.asarray(y_score)
    if y_score.ndim != 2 or y_score.shape[1] < 3:
        if labels is not None:
            raise ValueError("labels names the columns of y_score for more than two classes; for two, give pos_label.")
        read = read_binary(y_true, y_score, sample_weight, pos_label, name="y_score")
        refuse_few(read.weight[read.event], "positive class")
        refuse_few(read.weight[~read.event], "other class")
        return read.event.astype(int), [read.score], read.weight
    if pos_label is not None:
        raise ValueError("pos_label is for two classes; y_score has a column for each of more.")
    y = read_labels(y_true)
    weight = read_weights(sample_weight, len(y))
    classes = distinct(y[weight > 0]) if labels is None else list(labels)
    scores = read_scores(y_score, len(y), len(classes))
    y, scores, weight = y[weight > 0], scores[weight > 0], weight[weight > 0]
    unknown = [label for label in distinct(y) if label not in classes]
    if unknown:
        raise ValueError(f"y_true holds {unknown[0]!r}, which is not among labels.")
    codes = np.array([classes.index(label) for label in y.tolist()])
    for code, label in enumerate(classes):
        refuse_few(weight[codes == code], f"class {label!r}")
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
