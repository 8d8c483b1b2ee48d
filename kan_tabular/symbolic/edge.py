"""Which function a curve is: fits of all candidates to points, ranked by what it costs to describe them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kan_tabular.symbolic.atoms import Atom
from kan_tabular.symbolic.candidates import LIBRARY
from kan_tabular.symbolic.varpro import Models, Points, orthonormal, starting_values

#: Points that a fit sees at most; more are averaged.
_POINTS = 256
#: Starts that are refined for each candidate.
_STARTS, _PERIODIC_STARTS = 3, 5
#: Cost of one unit of a candidate's complexity, in the units of a log-likelihood ratio (as BIC).
UNIT = 1.0
#: A curve that never turns is rather one of a function that never does.
_TURNING = 4.0
#: Functions beside which a second one is sought, and the p-value of the lack of fit from which on.
_PARTNERS, _LACK = 3, 1e-4
_FLEXIBLE = 12
#: Residuals below this share of the total sum of squares are rounding.
_ROUNDING = 1e-22


@dataclass(frozen=True)
class EdgeFit:
    """A curve as a formula: ``constant + sum of atoms``.

    Attributes
    ----------
    atoms : tuple of Atom
    constant : float
    covariance : ndarray (q, q)
        Of the free constants: those of each atom in turn, then `constant`.
    low, high : float
        Range of the column.
    r2 : float
        Weighted share of the points' variance that it reproduces.
    cost : float
        Description cost: ``n log(residual variance) + (constants) log n`` and the complexity of the functions.
    """

    atoms: tuple
    constant: float
    covariance: np.ndarray
    low: float
    high: float
    r2: float
    cost: float

    @property
    def name(self):
        """Names of the functions."""
        return " + ".join(a.candidate.name for a in self.atoms) or "constant"

    @property
    def parameters(self):
        """The free constants, in the order of `covariance`."""
        return np.concatenate([*(a.parameters for a in self.atoms), [self.constant]])

    @property
    def standard_errors(self):
        """Of `parameters`."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def complexity(self):
        """Cost of the functions and their constants."""
        return sum(a.complexity for a in self.atoms)

    @property
    def n_constants(self):
        """Numeric constants, the additive one apart."""
        return sum(len(a.parameters) for a in self.atoms)

    def evaluate(self, x):
        """Values of the functions and the constant at `x` of any shape."""
        return self.constant + sum((a.evaluate(x) for a in self.atoms), np.zeros(np.shape(x)))

    def expression(self, symbol):
        """As a sympy expression of `symbol`, in the units of the column."""
        import sympy

        return sympy.Add(*(a.expression(symbol) for a in self.atoms), sympy.Float(self.constant))


def fit_edge(
    x, y, weights=None, *, candidates=LIBRARY, low=None, high=None, n_rows=None, scale=None, max_constants=4, top=1
):
    """Find formulas for a curve given by points.

    Parameters
    ----------
    x, y : ndarray (n,)
        Points of the curve, finite.
    weights : ndarray (n,), optional
        How much each point counts: the density of the data, or their precision.
    candidates : sequence of Candidate
    low, high : float, optional
        Range over which the formula must hold; by default that of x.
    n_rows : float, optional
        Rows that the points stand for (in ``log n``); by default the number of points.
    scale : float, optional
        Variance of a point of weight 1, where it is known.
    max_constants : int
        Constants of a formula, the additive one apart; at least 1.
    top : int
        How many formulas to return.

    Returns
    -------
    fits : list of EdgeFit
        The cheapest first; each has other functions.

    Raises
    ------
    ValueError
        For points that are not finite, or fewer than two different x.
    """
    search = EdgeSearch(x, y, weights, low=low, high=high, n_rows=n_rows, scale=scale, max_constants=max_constants)
    search.run(candidates)
    return [search.finished(found) for found in search.ranked()[:top]]


@dataclass(frozen=True)
class Found:
    """The best fit of one choice of functions.

    Attributes
    ----------
    price : float
        Cost of its constants and functions.
    rss : float
        Weighted residual sum of squares of all rows.
    candidates : tuple of Candidate
    constants : tuple of (a, b)
        Of each function, for a column that runs over [-1, 1].
    """

    price: float
    rss: float
    candidates: tuple = ()
    constants: tuple = ()


class EdgeSearch:
    """Fits of one set of points; arguments as of `fit_edge`."""

    def __init__(self, x, y, weights=None, *, low=None, high=None, n_rows=None, scale=None, max_constants=4):
        x, y = np.asarray(x, float), np.asarray(y, float)
        weights = np.ones(len(x)) if weights is None else np.asarray(weights, float)
        if not (np.isfinite(x).all() and np.isfinite(y).all() and np.isfinite(weights).all()):
            raise ValueError("x, y and weights of a curve must be finite.")
        self.n = float(np.count_nonzero(weights > 0)) if n_rows is None else float(n_rows)
        x, y, weights, self.within = _averaged(x, y, weights)
        if len(x) < 2:
            raise ValueError("a curve needs points at two different x at least.")
        self.low, self.high = (x[0] if low is None else low), (x[-1] if high is None else high)
        self.x, self.total = x, weights.sum()
        t = (2 * x - self.low - self.high) / (self.high - self.low)
        self.points = Points(t, y, weights * (len(x) / self.total))
        self.unit = self.total / len(x)  # from the points' residual sums of squares to those of all rows
        self.constant = orthonormal(self.points.root[None])
        rest = self.points.ys - (self.constant @ self.points.ys) @ self.constant
        self.tss = float(rest @ rest)
        self.scale, self.max_constants = scale, max_constants
        self.found = {(): Found(0.0, self.all_rows(self.tss))}

    def run(self, candidates):
        """Try single functions, then sums of two."""
        self.single(candidates)
        self.double(candidates)

    def all_rows(self, rss):
        """From the points' residual sum of squares to that of all rows."""
        return (rss + _ROUNDING * self.tss) * self.unit + self.within

    def cost(self, found, scale=None, presence=0.0):
        """-2 log-likelihood + log n for each constant + the complexity of the functions.

        `scale` instead of the search's own variance of a point of weight 1; `presence` is added to the price of being
        there at all.
        """
        scale = self.scale if scale is None else scale
        fit = self.n * np.log(max(found.rss, 1e-300) / self.total) if scale is None else found.rss / scale
        return fit + found.price + (presence if found.candidates else 0.0)

    def ranked(self, scale=None, presence=0.0):
        """All fits, the cheapest first."""
        return sorted(self.found.values(), key=lambda f: self.cost(f, scale, presence))

    def keep(self, models):
        for own, a, b, rss in zip(models.atoms, models.a, models.b, models.rss, strict=True):
            key = tuple(sorted(c.name for c in own))
            n_constants = sum(c.n_constants + 1 for c in own)
            price = n_constants * np.log(self.n) + UNIT * sum(c.complexity for c in own)
            if any(c.free == "ab" and not c.monotone for c in own) and len(own) == 1 and self.turnless(own[0], a, b):
                price += _TURNING
            found = Found(price, self.all_rows(rss), own, tuple(zip(a.tolist(), b.tolist(), strict=True)))
            if key not in self.found or self.cost(found) < self.cost(self.found[key]):
                self.found[key] = found

    def turnless(self, candidate, a, b):
        slope = candidate.derivative(a[0] * np.linspace(-1, 1, 41) + b[0])
        return bool((slope >= 0).all() or (slope <= 0).all())

    def single(self, candidates):
        """One function each."""
        coarse = self.points.coarse()
        base = orthonormal(coarse.root[None])
        atoms, values = [], []
        for c in candidates:
            if c.n_constants + 1 > self.max_constants:
                continue
            exact = not c.smooth
            starts, _ = starting_values(
                c,
                self.points if exact else coarse,
                self.constant if exact else base,
                _PERIODIC_STARTS if c.periodic else _STARTS,
            )
            atoms += [(c,)] * len(starts)
            values.append(starts)
        if atoms and self.tss > 0:
            values = np.concatenate(values)
            self.keep(Models(atoms, values[:, :1], values[:, 1:], self.points, self.constant).fit())

    def double(self, candidates):
        """Sums of two functions, where one leaves something that the points show."""
        if self.max_constants < 2 or not self.lacking():
            return
        singles = [f for f in self.ranked() if len(f.candidates) == 1]
        line = [f for f in singles[_PARTNERS:] if f.candidates[0].name == "linear"]
        coarse = self.points.coarse()
        atoms, a, b = [], [], []
        for partner in singles[:_PARTNERS] + line:
            first, (a0, b0) = partner.candidates[0], partner.constants[0]
            left = self.max_constants - first.n_constants - 1
            bases = [
                orthonormal(np.stack([p.root, first.value(np.clip(a0 * p.t + b0, *first.domain)) * p.root]))
                for p in (coarse, self.points)
            ]
            for c in candidates:
                if c.n_constants + 1 > left or (c is first and not c.n_constants):
                    continue
                exact = not c.smooth
                starts, _ = starting_values(c, self.points if exact else coarse, bases[exact], 2)
                atoms += [(first, c)] * len(starts)
                a += [(a0, s) for s in starts[:, 0]]
                b += [(b0, s) for s in starts[:, 1]]
        if atoms:
            self.keep(Models(atoms, a, b, self.points, self.constant).fit())

    def lacking(self):
        """Whether the best single function leaves more than noise: F test against a polynomial of degree 12."""
        best, n = self.ranked()[0], len(self.x)
        rss = (best.rss - self.within) / self.unit
        degree = min(_FLEXIBLE, n // 4)
        if degree < 3 or rss <= 1e-16 * self.tss:
            return False
        columns = np.polynomial.chebyshev.chebvander(self.points.t, degree).T * self.points.root
        q = orthonormal(columns)
        flexible = max(self.points.ys @ self.points.ys - ((q @ self.points.ys) ** 2).sum(), 1e-300)
        from scipy.special import fdtrc

        used = 1 + sum(c.n_constants + 1 for c in best.candidates)
        spare = max(len(q) - used, 1)
        within = self.within / self.unit
        rows = max(self.n, n) - len(q)
        if self.scale is not None:
            from scipy.special import chdtrc

            return bool(chdtrc(spare, (rss - flexible) * self.unit / self.scale) < _LACK)
        F = (rss - flexible) / spare / ((flexible + within) / max(rows, 1))
        return bool(F > 0 and fdtrc(spare, max(rows, 1), F) < _LACK)

    def finished(self, found, covariance=True):
        """The fit with all its constants in the units of the column."""
        own, constants = found.candidates, found.constants
        p = self.points
        if own:
            columns = np.stack(
                [c.value(np.clip(a * p.t + b, *c.domain)) for c, (a, b) in zip(own, constants, strict=True)]
            )
            design = np.column_stack([columns.T, np.ones(len(p.t))]) * p.root[:, None]
            size = np.sqrt((design**2).sum(0))
            coefficients = np.linalg.lstsq(design / size, p.ys, rcond=1e-13)[0] / size
        else:
            coefficients = [p.ys @ p.root / (p.root @ p.root)]
        atoms, constant = [], float(coefficients[-1])
        for c, (a, b), weight in zip(own, constants, coefficients[:-1], strict=True):
            atom, rest = Atom.scaled(c, a, b, weight, self.low, self.high)
            atoms.append(atom)
            constant += rest
        fit = EdgeFit(tuple(atoms), constant, np.empty((0, 0)), self.low, self.high, 0.0, float(self.cost(found)))
        if not covariance:
            return fit
        left = (p.y - fit.evaluate(self.x)) * p.root
        rss = float(left @ left)
        jac = np.column_stack([*(a.jacobian(self.x) for a in atoms), np.ones(len(self.x))]) * p.root[:, None]
        spare = max(self.n - jac.shape[1], 1)
        noise = (rss * self.unit + self.within) / spare if self.scale is None else self.scale
        size = np.sqrt((jac**2).sum(0))
        size[size == 0] = 1.0
        inverse = np.linalg.pinv((jac / size).T @ (jac / size), rcond=1e-15, hermitian=True)
        covariance = noise / self.unit * inverse / np.outer(size, size)
        object.__setattr__(fit, "covariance", covariance)
        object.__setattr__(fit, "r2", 1 - rss / self.tss if self.tss > 0 else 1.0)
        return fit


def _averaged(x, y, weights):
    """At most `_POINTS` points in increasing x: x, y, weights, and the sum of squares within those averaged."""
    keep = weights > 0
    x, y, weights = x[keep], y[keep], weights[keep]
    order = np.argsort(x, kind="stable")
    x, y, weights = x[order], y[order], weights[order]
    new = np.append(True, x[1:] > x[:-1])
    if new.sum() > _POINTS:
        # Equal weights, but never a value of x in two.
        share = (np.cumsum(weights) - weights / 2) / weights.sum()
        cell = np.minimum((share * _POINTS).astype(int), _POINTS - 1)
        cell = cell[np.maximum.accumulate(np.where(new, np.arange(len(x)), 0))]
        new = np.append(True, cell[1:] > cell[:-1])
    if new.all():
        return x, y, weights, 0.0
    starts = np.flatnonzero(new)
    w = np.add.reduceat(weights, starts)
    mean_x, mean_y = (np.add.reduceat(weights * v, starts) / w for v in (x, y))
    away = y - np.repeat(mean_y, np.diff(np.append(starts, len(x))))
    return mean_x, mean_y, w, float(weights @ away**2)
