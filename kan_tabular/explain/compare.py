"""How far two explanations of the same rows agree."""

from __future__ import annotations

import numbers

import numpy as np
from scipy.stats import kendalltau, spearmanr


def agreement(first, second, *, top_k=5):
    """How far two explanations of the same rows agree, row by row.

    Parameters
    ----------
    first, second : explanations
        With ``values`` (n, p) (or (p,), for one row) and ``feature_names``: what `explain` of an estimator or
        `lime_explanation` returns, or a `shap.Explanation`. For several classes, cut out one: ``explanation[..., k]``.
        Features are matched by name.
    top_k : int, default=5
        How many features count as "the most important ones"; all, where there are fewer.

    Returns
    -------
    table : pandas.DataFrame
        A row for each row explained:

        - ``spearman``, ``kendall`` (tau-b): rank correlation of the sizes ``|value|`` of all features; NaN where one of
          the explanations gives all features the same size.
        - ``top_<k>_overlap``: share of the k largest features of one that are among the k largest of the other.
        - ``top_<k>_sign_agreement``: share of the k that both have *and* push in the same direction.
        - ``local_r2``, if one of the explanations has a ``score`` (LIME): R2 of its local linear model.

    Raises
    ------
    ValueError
        If the explanations differ in rows or features, or have several classes.

    Notes
    -----
    Agreement is not correctness: two explanations can share a mistake, and a faithful one can disagree with a poor
    one. Nor is disagreement an error. Contributions, Shapley values and LIME's weights answer different questions (what
    a value adds to the average prediction; what happens if cells like it are exchanged nearby), and for correlated
    columns all of them divide up what is told only once. For an additive model the contributions are the model, so
    disagreement with LIME says how much LIME's straight lines and conditions lose; a low ``local_r2`` says that LIME
    itself does not trust its answer. Small values have arbitrary ranks and signs, which lowers the rank correlations
    where many features are weak.

    References
    ----------
    S. Krishna, T. Han, A. Gu, S. Wu, S. Jabbari and H. Lakkaraju (2024). The disagreement problem in explainable
    machine learning: a practitioner's perspective. *TMLR*. arXiv 2202.01602 (feature and sign agreement).
    """
    import pandas as pd

    a, b = _values(first, "first"), _values(second, "second")
    names = [[str(name) for name in explanation.feature_names] for explanation in (first, second)]
    if sorted(names[0]) != sorted(names[1]):
        only = next(name for name in (*names[0], *names[1]) if (name in names[0]) != (name in names[1]))
        raise ValueError(f"the explanations must be of the same features: only one of them has {only!r}.")
    b = b[:, [names[1].index(name) for name in names[0]]]
    if len(a) != len(b):
        raise ValueError(f"the explanations must be of the same rows: first has {len(a)}, second {len(b)}.")
    if not isinstance(top_k, numbers.Integral) or isinstance(top_k, bool) or top_k < 1:
        raise ValueError(f"top_k={top_k!r}: expected an integer of at least 1.")
    k = min(int(top_k), a.shape[1])
    sizes = np.abs(a), np.abs(b)
    both = _largest(sizes[0], k) & _largest(sizes[1], k)
    columns = {
        "spearman": [_correlation(spearmanr, *pair) for pair in zip(*sizes, strict=True)],
        "kendall": [_correlation(kendalltau, *pair) for pair in zip(*sizes, strict=True)],
        f"top_{k}_overlap": both.sum(1) / k,
        f"top_{k}_sign_agreement": (both & (np.sign(a) == np.sign(b))).sum(1) / k,
    }
    scores = [np.atleast_1d(e.score) for e in (first, second) if hasattr(e, "score")]
    if scores:
        columns["local_r2"] = scores[0]
    return pd.DataFrame(columns)


def _values(explanation, name):
    if not hasattr(explanation, "values") or not hasattr(explanation, "feature_names"):
        raise TypeError(f"{name} must be an explanation with values and feature_names; got {explanation!r:.80}.")
    values = np.asarray(explanation.values, dtype=float)
    if values.ndim == 1 and len(values) == np.size(explanation.feature_names):
        values = values[None]
    if values.ndim != 2:
        raise ValueError(
            f"{name} has values of shape {values.shape}: give (rows, features); of several classes, cut out one with "
            "explanation[..., k]."
        )
    return values


def _largest(sizes, k):
    """Which features are the `k` largest of each row (ties: the first)."""
    order = np.argsort(-sizes, axis=1, kind="stable")[:, :k]
    out = np.zeros(sizes.shape, dtype=bool)
    np.put_along_axis(out, order, True, axis=1)
    return out


def _correlation(measure, a, b):
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return float(measure(a, b).statistic)
