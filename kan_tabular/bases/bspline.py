"""B-splines on unique quantile knots, evaluated through their local polynomials."""

from __future__ import annotations

from math import factorial

import numpy as np
from array_api_compat import array_namespace
from scipy.interpolate import BSpline as _SciPySpline

from kan_tabular.bases.base import Basis

#: A tail is outlying when it lies this many widths of the central 90% away from it.
_OUTLYING = 30.0


def distinct(x, weights=None):
    """Sorted distinct values (m,) of `x` (n,), and their frequencies (m,)."""
    x = np.asarray(x, float)
    weights = np.ones_like(x) if weights is None else np.asarray(weights, float)
    values, inverse = np.unique(x, return_inverse=True)
    return values, np.bincount(inverse, weights, len(values))


def weighted_quantiles(values, weights, probabilities):
    """Quantiles of distinct sorted `values` (m,) with frequencies `weights` (m,).

    Mid-point rule: value i stands at ``(C_i - w_i / 2) / C_m``, linear in between, so repeating a row and doubling
    its weight are the same thing.
    """
    cumulative = np.cumsum(weights)
    return np.interp(probabilities, (cumulative - weights / 2) / cumulative[-1], values)


def trimmed_range(values, counts):
    """Range of distinct sorted `values` (m,) without absurd tails: low, high, and whether each end was moved in."""
    low, high = float(values[0]), float(values[-1])
    q05, q95 = weighted_quantiles(values, counts, [0.05, 0.95])
    reach = _OUTLYING * (q95 - q05)
    if not (reach > 0 and len(values) > 4):
        return low, high, [False, False]
    hold = [bool(low < q05 - reach), bool(high > q95 + reach)]
    return max(low, float(q05 - reach)), min(high, float(q95 + reach)), hold


class BSpline(Basis):
    """B-splines of degree at most 3 with interior knots at quantiles of the training values.

    The boundary knots are the training range. Columns with few distinct values get what they can carry: two values a
    line, three a parabola. **Outside the training range the curve continues linearly** with its slope at the end. A
    tail that lies more than 30 central widths (5% to 95%) away is trimmed: the boundary knot moves in and the curve is
    held constant beyond it, in training and in prediction, so that one absurd value cannot bend the rest.

    Parameters
    ----------
    n_knots : int
        Number of interior knots wanted.
    degree : int, default=3
        Degree wanted; lowered when there are too few distinct values.

    Notes
    -----
    With knots ``t_0 <= ... <= t_{K+d}`` the functions follow Cox and de Boor's recursion (de Boor, *A Practical Guide
    to Splines*, chapter IX). On each interval between knots they are polynomials in the distance from its left end;
    those coefficients are stored once, so an evaluation is one look-up and d multiplications.
    """

    name = "bspline"

    def __init__(self, n_knots=10, degree=3):
        self.n_knots = n_knots
        self.degree = degree

    def fit(self, x, weights=None):
        return self.fit_unique(*distinct(x, weights))

    def fit_unique(self, values, counts):
        """Fit to sorted distinct `values` (m,) with frequencies `counts` (m,)."""
        low, high, hold = trimmed_range(values, counts)
        degree = min(self.degree, len(values) - 1)
        inner = np.empty(0)
        n_knots = min(self.n_knots, len(values) - degree - 1)
        if n_knots > 0:
            inner = weighted_quantiles(values, counts, np.arange(1, n_knots + 1) / (n_knots + 1))
            inner = spaced(inner, (high - low) * 1e-6, low, high)
        self._set(low, high, (inner - low) / ((high - low) or 1.0), degree, hold)
        return self

    def _set(self, low, high, inner, degree, hold):
        self.low_, self.high_, self.hold_, self.degree_ = low, high, list(hold), degree
        self.width_ = (high - low) or 1.0
        self.knots_ = np.concatenate([np.zeros(degree + 1), inner, np.ones(degree + 1)])
        left = np.concatenate([[0.0], inner])
        k = len(self.knots_) - degree - 1
        table = np.zeros((len(left) + 2, degree + 1, k))
        spline = _SciPySpline(self.knots_, np.eye(k), degree)
        for d in range(degree + 1):
            table[1:-1, d] = spline(left, nu=d) / factorial(d)
        # The two outer intervals: value and slope at the end (or the value alone where a tail was trimmed).
        for row, end, held in ((0, 0.0, hold[0]), (-1, 1.0, hold[1])):
            table[row, 0] = spline(end)
            if degree and not held:
                table[row, 1] = spline(end, nu=1)
        self.breaks_ = np.concatenate([left, [1.0]])
        self.origins_ = np.concatenate([[0.0], left, [1.0]])
        self.table_ = table

    @property
    def n_functions(self):
        return self.table_.shape[2]

    @property
    def domain(self):
        return self.low_, self.high_

    def evaluate(self, x):
        return self._horner(x, 0)

    def derivative(self, x, order=1):
        return self._horner(x, order)

    def _horner(self, x, order):
        xp = array_namespace(x)
        if not xp.isdtype(x.dtype, "real floating"):
            x = xp.astype(x, xp.float64)
        kind = {"dtype": x.dtype, "device": x.device}
        z = (xp.reshape(x, (-1,)) - self.low_) / self.width_
        interval = xp.searchsorted(xp.asarray(self.breaks_, **kind), z, side="right")
        u = z - xp.take(xp.asarray(self.origins_, **kind), interval)
        out = xp.zeros((*z.shape, self.n_functions), **kind)
        for d in range(self.degree_, order - 1, -1):
            scale = factorial(d) / factorial(d - order) / self.width_**order
            out = out * u[:, None] + scale * xp.take(xp.asarray(self.table_[:, d], **kind), interval, axis=0)
        return xp.reshape(out, (*x.shape, self.n_functions))

    def line(self):
        """Greville's abscissae: the spline coefficients of ``z`` itself."""
        if not self.degree_:
            return None
        return np.array([self.knots_[k + 1 : k + self.degree_ + 1].mean() for k in range(self.n_functions)])

    def penalty(self):
        """Integrated squared second derivative over the domain, in units of the domain's width."""
        if self.degree_ < 2:
            return np.zeros((self.n_functions, self.n_functions))
        h = np.diff(self.breaks_)[:, None, None]
        c2 = 2 * self.table_[1:-1, 2]
        c3 = 6 * self.table_[1:-1, 3] if self.degree_ > 2 else np.zeros_like(c2)
        cross = c2[:, :, None] * c3[:, None, :]
        parts = h * c2[:, :, None] * c2[:, None] + h**2 / 2 * (cross + cross.transpose(0, 2, 1))
        return (parts + h**3 / 3 * c3[:, :, None] * c3[:, None]).sum(0)

    def piecewise(self, coefficients):
        """The curves as polynomials of ``z = (x - low) / width``.

        Returns breaks (m,), origins (m + 1,) and table (m + 1, degree + 1, ...): with ``i`` the number of breaks
        at or below z, the curve is ``sum_d table[i, d] (z - origins[i])**d``.
        """
        return self.breaks_, self.origins_, np.tensordot(self.table_, coefficients, 1)

    def to_sympy(self, coefficients, symbol):
        import sympy

        breaks, origins, table = self.piecewise(np.asarray(coefficients, float))
        x = [self.low_ + self.width_ * o for o in origins]
        pieces = [
            sum(float(c / self.width_**d) * (symbol - float(o)) ** d for d, c in enumerate(row))
            for o, row in zip(x, table, strict=True)
        ]
        conditions = [symbol < float(self.low_ + self.width_ * b) for b in breaks] + [True]
        return sympy.Piecewise(*zip(pieces, conditions, strict=True))

    def to_spec(self):
        inner = self.knots_[self.degree_ + 1 : -self.degree_ - 1]
        return {
            "name": self.name,
            "low": self.low_,
            "high": self.high_,
            "inner": inner.tolist(),
            "degree": self.degree_,
            "hold": self.hold_,
        }

    @classmethod
    def from_spec(cls, spec):
        basis = cls(len(spec["inner"]), spec["degree"])
        basis._set(spec["low"], spec["high"], np.asarray(spec["inner"], float), spec["degree"], spec["hold"])
        return basis


def spaced(knots, gap, low, high):
    """Knots at least `gap` apart and away from both ends."""
    kept = []
    last = low
    for t in knots:
        if t - last > gap and high - t > gap:
            kept.append(t)
            last = t
    return np.asarray(kept)
