"""Which curves tell much the same story as others."""

from __future__ import annotations

import numpy as np


def concurvity_of(terms, b, A, n):
    """How much of each fitted curve the other terms can imitate (adjusted R2), and which one does it best.

    Parameters
    ----------
    terms : list of Term
    b : ndarray (q, C)
        Fitted coefficients.
    A : ndarray (q C, q C)
        Information of the final working model: its metric is where the fit weighs the rows.
    n : float
        Number of rows.

    Returns
    -------
    concurvity : ndarray (p,)
    related : ndarray of int (p,)
        The feature whose contribution is most correlated, -1 where there is none.

    Notes
    -----
    The others are represented by their smoothest columns: with all of them, a table with few rows could imitate
    anything.
    """
    p = len(terms)
    q = 1 + sum(t.curves.n_columns for t in terms)
    C = b.shape[1]
    gram = np.mean([A[c * q : (c + 1) * q, c * q : (c + 1) * q] for c in range(C)], axis=0)
    value, related = np.zeros(p), np.full(p, -1)
    live = [j for j in range(p) if terms[j].curves.n_columns]
    if len(live) < 2:
        return value, related
    stops = 1 + np.cumsum([t.curves.n_columns for t in terms])
    starts = stops - [t.curves.n_columns for t in terms]
    smooth = 3 if 4 * len(live) < n / 4 else 1
    columns, owner = [], []
    for j in live:
        for kind, size, k in _spans(terms[j], starts[j]):
            kept = range(k, k + (size if kind in ("level", "linear", "missing") else min(size, smooth - 1)))
            columns.extend(kept)
            owner.extend([j] * len(kept))
    columns, owner = np.array(columns), np.array(owner)
    curve = np.zeros((q, len(live)))
    for i, j in enumerate(live):
        block = slice(starts[j], stops[j])
        own = b[block] @ np.linalg.svd(b[block], full_matrices=False)[2][0]
        if np.abs(own).max() < 1e-6:  # shrunk away: judge its smoothest column
            own = np.eye(len(own))[0]
        curve[block, i] = own
    centred = gram - np.outer(gram[0], gram[0]) / gram[0, 0]
    cross = curve.T @ centred @ curve
    spread = np.sqrt(np.maximum(np.diag(cross), 1e-300))
    correlation = np.abs(cross / spread[:, None] / spread)
    np.fill_diagonal(correlation, -1)
    G = centred[np.ix_(columns, columns)]
    G[np.diag_indices_from(G)] *= 1 + 1e-6
    K = np.linalg.pinv(G, hermitian=True)
    toward = centred[columns] @ curve
    for i, j in enumerate(live):
        own = owner == j
        g = np.where(own, 0.0, toward[:, i])
        h = K @ g
        r2 = (g @ h - h[own] @ np.linalg.lstsq(K[np.ix_(own, own)], h[own])[0]) / max(cross[i, i], 1e-300)
        left = n - (~own).sum() - 1
        value[j] = np.clip(1 - (1 - min(r2, 1.0)) * (n - 1) / left, 0.0, 1.0) if left > 0 else 1.0
        related[j] = live[int(correlation[i].argmax())]
    return value, related


def _spans(term, start):
    for kind, size in term.groups:
        yield kind, size, start
        start += size
