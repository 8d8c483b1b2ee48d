"""Least squares of sums ``d + sum_k c_k f_k(a_k t + b_k)``, many such models at once.

The constants that enter linearly are eliminated (variable projection, Golub & Pereyra 1973, SIAM J. Numer. Anal. 10);
the others take Levenberg-Marquardt steps on what is left, with Kaufman's (1975, BIT 15) Jacobian. All models share the
points t, which run over [-1, 1], so that a step costs a handful of array operations for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kan_tabular.symbolic.candidates import bounded

#: Points on which starting values are compared.
_SCAN_POINTS = 72
_STEPS = 24
#: Log-likelihood ratio to the best model up to which others are rivals, and where the steps of the rest end.
_RIVAL, _HOPELESS = 30.0, 1e-2
#: A squared length below this share of a column's is rounding.
_TINY = 1e-20


@dataclass
class Points:
    """Points (t, y) with weights of mean one; square roots of weights and the weighted y are kept."""

    t: np.ndarray
    y: np.ndarray
    weights: np.ndarray

    def __post_init__(self):
        self.root = np.sqrt(self.weights)
        self.ys = self.root * self.y

    def coarse(self):
        """At most `_SCAN_POINTS` points, means of neighbours."""
        n = len(self.t)
        if n <= _SCAN_POINTS:
            return self
        starts = np.linspace(0, n, _SCAN_POINTS, endpoint=False).astype(int)
        w = np.add.reduceat(self.weights, starts)
        t, y = (np.add.reduceat(self.weights * v, starts) / w for v in (self.t, self.y))
        return Points(t, y, w)


def orthonormal(columns):
    """Orthonormal rows that span `columns` (L, n); dependent ones are left out."""
    rows = np.empty((0, columns.shape[1]))
    for column in columns:
        v = column - (rows @ column) @ rows
        v -= (rows @ v) @ rows
        length = v @ v
        if length > 1e-16 * max(column @ column, 1e-300):
            rows = np.vstack([rows, v / np.sqrt(length)])
    return rows


def starting_values(candidate, points, base, count):
    """The best starts (k, 2) of one more atom beside the orthonormal rows `base`, and their gains in squared length."""
    if candidate.smooth:
        a, b = candidate.bounded(*candidate.starts.T)
    else:
        a, b = _between(candidate, points.t)
    phi = candidate.value(np.clip(a[:, None] * points.t + b[:, None], *candidate.domain)) * points.root
    size = np.einsum("sn,sn->s", phi, phi)
    phi = phi - (phi @ base.T) @ base
    rest = np.einsum("sn,sn->s", phi, phi)
    gain = (phi @ points.ys) ** 2 / np.where(rest > 1e-12 * size, rest, np.inf)
    peak = np.ones(len(gain), dtype=bool)
    if candidate.n_constants and candidate.smooth:
        peak[1:] &= gain[1:] >= gain[:-1]
        peak[:-1] &= gain[:-1] > gain[1:]
    best = np.flatnonzero(peak)
    best = best[np.argsort(-gain[best], kind="stable")[:count]]
    return np.column_stack([a[best], b[best]]), gain[best]


def _between(candidate, t):
    """For a function with jumps at 0: all places between two points."""
    middles = (t[1:] + t[:-1]) / 2
    return np.ones(len(middles)), -middles


class Models:
    """B sums of K atoms each (K = 1 or 2), with or without a straight line beside them.

    Parameters
    ----------
    atoms : list of tuple of Candidate
        B tuples of length K.
    a, b : ndarray (B, K)
    points : Points
    fixed : ndarray (L, n)
        Orthonormal weighted columns that all models have: the constant, and what else is linear.

    Attributes
    ----------
    rss : ndarray (B,)
        Weighted residual sum of squares.
    """

    def __init__(self, atoms, a, b, points, fixed):
        self.atoms, self.points, self.fixed = atoms, points, fixed
        self.a, self.b = np.array(a, float), np.array(b, float)
        self.free = np.array([[["a" in c.free, "b" in c.free] for c in own] for own in atoms], dtype=bool)
        self.free &= np.array([[[c.smooth] for c in own] for own in atoms])
        self.candidates = list(dict.fromkeys(c for own in atoms for c in own))
        self.kinds = np.array([[self.candidates.index(c) for c in own] for own in atoms])
        self.limits = np.array([c.limits for c in self.candidates]).T[:, self.kinds]
        self._group()
        self.left = points.ys - (fixed @ points.ys) @ fixed
        self.a, self.b = bounded(self.limits, self.a, self.b)
        self.rss = self._residual(self._functions("value", self.a, self.b))[0]

    def _group(self):
        """Which rows of flat (B K, n) arrays are whose function."""
        flat = self.kinds.ravel()
        self.groups = [(self.candidates[k], np.flatnonzero(flat == k)) for k in np.unique(flat)]

    def _functions(self, which, a, b):
        """Weighted values, or derivatives (`which`), of all functions: (B, K, n)."""
        t, root = self.points.t, self.points.root
        u = a.reshape(-1, 1) * t + b.reshape(-1, 1)
        out = np.empty_like(u)
        for c, rows in self.groups:
            inner = u[rows]
            if not c.everywhere:  # against rounding
                inner = np.minimum(np.maximum(inner, c.domain[0]), c.domain[1])
            out[rows] = getattr(c, which)(inner)
        out *= root
        return out.reshape(*a.shape, len(t))

    def _residual(self, value):
        """Residual sums of squares, residuals, and orthonormal columns that span the values."""
        B, K, n = value.shape
        r = np.empty((B, n))
        r[:] = self.left
        q = value - (value @ self.fixed.T) @ self.fixed
        for k in range(K):
            v = q[:, k]
            size = np.einsum("bn,bn->b", value[:, k], value[:, k])
            for before in range(k):
                v -= np.einsum("bn,bn->b", v, q[:, before])[:, None] * q[:, before]
            length = np.einsum("bn,bn->b", v, v)
            scale = np.where(length > 1e-13 * size, 1 / np.sqrt(np.maximum(length, 1e-300)), 0.0)
            v *= scale[:, None]
            r -= np.einsum("bn,bn->b", r, v)[:, None] * v
        return np.einsum("bn,bn->b", r, r), r, q

    def _coefficients(self, value, r):
        """Linear constants (B, K) that leave the residuals r."""
        q = value - (value @ self.fixed.T) @ self.fixed
        gram = q @ q.transpose(0, 2, 1)
        explained = (self.left - r)[:, :, None]
        scale = np.einsum("bkk->bk", gram)
        gram = gram + 1e-14 * scale[:, :, None] * np.eye(q.shape[1]) + 1e-300 * np.eye(q.shape[1])
        return np.linalg.solve(gram, q @ explained)[:, :, 0]

    def fit(self, steps=_STEPS, tol=1e-8):
        """Levenberg-Marquardt; every model stops when a step gains less than `tol` of its residuals.

        Models that leave much more than the best one stop at `_HOPELESS` already.
        """
        t = self.points.t
        total = self.left @ self.left
        damping = np.full(len(self.a), 1e-2)
        active = np.flatnonzero(self.free.any((1, 2)) & (self.rss > 1e-24 * total))
        stalled = np.zeros(len(self.a), dtype=int)
        # Of the active models: values, residual sums of squares, residuals and orthonormal columns at their constants.
        part = self._part(active)
        value = part._functions("value", part.a, part.b)
        known = [value, *part._residual(value)]
        for _ in range(steps):
            if not len(active):
                break
            value, rss, r, q = known
            slope = part._functions("derivative", part.a, part.b)
            c = part._coefficients(value, r)
            B, K, n = value.shape
            jac = np.empty((B, K, 2, n))
            jac[:, :, 1] = c[:, :, None] * slope
            jac[:, :, 0] = jac[:, :, 1] * t
            jac *= part.free[..., None]
            jac = jac.reshape(B, 2 * K, n)
            jac -= (jac @ self.fixed.T) @ self.fixed
            jac -= (jac @ q.transpose(0, 2, 1)) @ q
            gradient = (jac @ r[:, :, None])[:, :, 0]
            H = jac @ jac.transpose(0, 2, 1)
            diagonal = np.einsum("bii->bi", H)
            eye = np.eye(2 * K)
            D = np.maximum(diagonal, 1e-12 * diagonal.max(1, keepdims=True))
            D = np.where(D > 1e-200, D, 1.0)  # nothing moves the residuals: a hinge beyond all points
            lam = np.clip(damping[active], 1e-10, 1e10)
            fixed = ~part.free.reshape(B, -1)
            step = np.linalg.solve(
                H + (lam[:, None] * D + fixed * D.max(1, keepdims=True))[:, :, None] * eye, gradient[:, :, None]
            )[:, :, 0].reshape(B, K, 2)
            a, b = bounded(part.limits, part.a + step[..., 0], part.b + step[..., 1])
            value = part._functions("value", a, b)
            tried = [value, *part._residual(value)]
            new = tried[1]
            better = new < rss
            self.rss[active] = np.where(better, new, rss)
            rival = n * np.log(np.maximum(rss, 1e-300) / max(self.rss.min(), 1e-300)) < _RIVAL
            little = (rss - new < np.where(rival, tol, _HOPELESS) * rss) & better
            for own, other in zip((part.a, part.b, *known), (a, b, *tried), strict=True):
                own[better] = other[better]
            self.a[active], self.b[active] = part.a, part.b
            damping[active] = np.where(better, lam * 0.15, lam * 6)
            stalled[active] = np.where(better, 0, stalled[active] + 1)
            done = little | (stalled[active] > 4) | (rss <= 1e-24 * total)
            if done.any():
                active = active[~done]
                part = self._part(active)
                known = [v[~done] for v in known]
        return self

    def _part(self, rows):
        new = object.__new__(Models)
        new.points, new.fixed, new.left, new.candidates = self.points, self.fixed, self.left, self.candidates
        new.a, new.b, new.free, new.kinds = self.a[rows], self.b[rows], self.free[rows], self.kinds[rows]
        new.limits = self.limits[:, rows]
        new._group()
        return new
