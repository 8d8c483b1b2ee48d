"""Splines trained as B-splines and reported as a polynomial plus truncated powers."""

from __future__ import annotations

from math import comb

import numpy as np

from kan_tabular.bases.bspline import BSpline, spaced

#: Knots are at least this share of the range apart: a jump at a knot grows like the inverse cube of the distance.
_GAP = 0.02


class TruncatedPower(BSpline):
    """Splines ``s(x) = sum_n a_n (x - m)^n + sum_j b_j max(0, x - t_j)^k`` on the training range.

    Truncated powers are nearly dependent (the condition number grows like the fourth power of the number of knots), so
    nothing is computed in them: the functions are the B-splines on the same knots, which span the same space, and
    `truncated_powers` is the exact linear change to ``a`` and ``b``. The origin m is the middle of the range, so that
    the column's offset costs no digits. Range, few distinct values, trimmed tails and **linear continuation outside**
    are as in `BSpline`.

    Parameters
    ----------
    n_knots : int, default=6
        Number of interior knots J wanted; fewer when there are too few distinct values or distinct quantiles.
    degree : int, default=3
        Degree k wanted; lowered when there are too few distinct values.
    knots : {"uniform", "quantile"}, default="uniform"
        Equidistant knots on the range, or unique quantiles of the training values, of which those nearer than 2% of
        the range to the one before or to an end are dropped.

    References
    ----------
    TruKAN: truncated power functions in Kolmogorov-Arnold networks, arXiv 2602.03879 ("shared knots").
    """

    name = "truncated_power"

    def __init__(self, n_knots=6, degree=3, knots="uniform"):
        super().__init__(n_knots, degree)
        self.knots = knots

    def fit_unique(self, values, counts):
        if self.knots not in ("uniform", "quantile"):
            raise ValueError(f"knots={self.knots!r}: expected 'uniform' or 'quantile' (FreeKnots learns its knots).")
        super().fit_unique(values, counts)
        if self.knots == "uniform":
            n_knots = max(0, min(self.n_knots, len(values) - self.degree_ - 1))
            inner = np.arange(1, n_knots + 1) / (n_knots + 1)
        else:
            inner = spaced(self.breaks_[1:-1], _GAP, 0.0, 1.0)
        self._set(self.low_, self.high_, inner, self.degree_, self.hold_)
        return self

    @property
    def origin(self):
        """The point m in whose powers the polynomial part is written: the middle of the training range."""
        return float(self.low_ + self.width_ / 2)

    def truncated_powers(self, coefficients):
        """The curves inside the training range in powers of ``x - origin`` and of ``max(0, x - t_j)``.

        Parameters
        ----------
        coefficients : ndarray (K, ...)
            Of the B-splines.

        Returns
        -------
        polynomial : ndarray (k + 1, ...)
            Coefficients ``a_0 .. a_k``: the polynomial left of the first knot, continued.
        knots : ndarray (J,)
            In the units of x.
        jumps : ndarray (J, ...)
            Coefficients ``b_j``: the k-th derivative jumps by ``k! b_j`` at ``t_j``.
        """
        k, table = self.degree_, self.piecewise(np.asarray(coefficients, float))[2]
        # Taylor's shift of the first piece from the left end to the middle, in units of the range.
        shift = np.array([[comb(d, n) * 0.5 ** (d - n) if d >= n else 0.0 for d in range(k + 1)] for n in range(k + 1)])
        units = self.width_ ** -np.arange(k + 1.0)
        polynomial = np.tensordot(units[:, None] * shift, table[1], 1)
        jumps = np.diff(table[1:-1, k], axis=0) * units[k]
        return polynomial, self.low_ + self.width_ * self.breaks_[1:-1], jumps

    def to_sympy(self, coefficients, symbol):
        import sympy

        curve = as_formula(*self.truncated_powers(coefficients), self.origin, symbol)
        low, high = float(self.low_), float(self.low_ + self.width_)
        table = self.piecewise(np.asarray(coefficients, float))[2]
        before, after = (
            sum(float(c / self.width_**d) * (symbol - end) ** d for d, c in enumerate(row[:2]))
            for row, end in ((table[0], low), (table[-1], high))
        )
        return sympy.Piecewise((before, symbol < low), (curve, symbol < high), (after, True))

    def to_spec(self):
        return {**super().to_spec(), "knots": self.knots}

    @classmethod
    def from_spec(cls, spec):
        basis = super().from_spec(spec)
        basis.knots = spec["knots"]
        return basis


def as_formula(polynomial, knots, jumps, origin, symbol):
    """``sum_n a_n (symbol - origin)^n + sum_j b_j max(0, symbol - t_j)^k`` in sympy; `polynomial` has degree k."""
    import sympy

    curve = sum(float(a) * (symbol - origin) ** n for n, a in enumerate(polynomial))
    for t, b in zip(knots, jumps, strict=True):
        curve += float(b) * sympy.Max(0, symbol - float(t)) ** (len(polynomial) - 1)
    return curve
