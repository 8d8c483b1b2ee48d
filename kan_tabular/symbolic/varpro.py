"""Least squares of sums ``d + sum_k c_k f_k(a_k t + b_k)``, many such models at once.

The constants that enter linearly are eliminated (variable projection, Golub & Pereyra 1973, SIAM J. Numer. Anal. 10);
the others take Levenberg-Marquardt steps on what is left, with Kaufman's (1975, BIT 15) Jacobian. All models share the
points t, which run over [-1, 1], so that a step costs a handful of array operations for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
        self.groups = []
        flat = [c for own in atoms for c in own]
        for c in dict.fromkeys(flat):
            self.groups.append((c, np.array([i for i, other in enumerate(flat) if other is c])))
        self.left = points.ys - (fixed @ points.ys) @ fixed
        self._bound()
        self.rss = self._residual(*self._functions(self.a, self.b, derivative=False))[0]

    def _bound(self):
        self.a, self.b = self._bounded(self.a, self.b)

    def _bounded(self, a, b):
        a, b, shape = a.ravel().copy(), b.ravel().copy(), a.shape
        for c, rows in self.groups:
            a[rows], b[rows] = c.bounded(a[rows], b[rows])
        return a.reshape(shape), b.reshape(shape)

    def _functions(self, a, b, derivative=True):
        """Weighted values and slopes (B, K, n)."""
        t, root = self.points.t, self.points.root
        u = a.reshape(-1, 1) * t + b.reshape(-1, 1)
        value = np.empty_like(u)
        slope = np.empty_like(u) if derivative else None
        for c, rows in self.groups:
            inner = u[rows] if np.isinf(c.domain).all() else np.clip(u[rows], *c.domain)  # against rounding
            value[rows] = c.value(inner)
            if derivative:
                slope[rows] = c.derivative(inner)
        value *= root
        shape = (*a.shape, len(t))
        if derivative:
            slope *= root
            slope = slope.reshape(shape)
        return value.reshape(shape), slope

    def _residual(self, value, _=None):
        """Residual sums of squares, residuals, orthonormal columns and the triangle that led to them."""
        B, K, n = value.shape
        r = np.broadcast_to(self.left, (B, n)).copy()
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
        for _ in range(steps):
            if not len(active):
                break
            part = self._part(active)
            value, slope = part._functions(part.a, part.b)
            rss, r, q = part._residual(value)
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
            a, b = part._bounded(part.a + step[..., 0], part.b + step[..., 1])
            new = part._residual(part._functions(a, b, derivative=False)[0])[0]
            better = new < rss
            rows = active[better]
            self.a[rows], self.b[rows], self.rss[rows] = a[better], b[better], new[better]
            damping[active] = np.where(better, lam * 0.15, lam * 6)
            rival = n * np.log(np.maximum(rss, 1e-300) / max(self.rss.min(), 1e-300)) < _RIVAL
            little = (rss - new < np.where(rival, tol, _HOPELESS) * rss) & better
            stalled[active] += np.where(better, 0, 1)
            stalled[rows] = 0
            done = little | (stalled[active] > 4) | (self.rss[active] <= 1e-24 * total)
            active = active[~done]
        return self

    def _part(self, rows):
        new = object.__new__(Models)
        new.points, new.fixed, new.left = self.points, self.fixed, self.left
        new.atoms = [self.atoms[i] for i in rows]
        new.a, new.b, new.free = self.a[rows], self.b[rows], self.free[rows]
        K = self.a.shape[1]
        position = np.full(len(self.atoms), -1)
        position[rows] = np.arange(len(rows))
        new.groups = []
        for c, own in self.groups:
            where = position[own // K]
            kept = where >= 0
            if kept.any():
                new.groups.append((c, where[kept] * K + own[kept] % K))
        return new
