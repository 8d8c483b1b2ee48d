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
        return np.sqrt(np.diag(self.covariance))

    @property
    def complexity(self):
        return sum(a.complexity for a in self.atoms)

    @property
    def n_constants(self):
        """Numeric constants, the additive one apart."""
        return sum(len(a.parameters) for a in self.atoms)

    def evaluate(self, x):
        return self.constant + sum((a.evaluate(x) for a in self.atoms), np.zeros(np.shape(x)))

    def expression(self, symbol):
        """As a sympy expression of `symbol`, in the units of the column."""
        return sum((a.expression(symbol) for a in self.atoms), 0) + self.constant


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
    search = _Search(x, y, weights, low, high, n_rows, scale, max_constants)
    search.single(candidates)
    search.double(candidates)
    return search.best(top)


class _Search:
    """Fits so far to one set of points."""

    def __init__(self, x, y, weights, low, high, n_rows, scale, max_constants):
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
        self.found = {(): (self.cost(self.tss, 0, 0.0), self.tss, (), ())}  # functions -> cost, rss, candidates, (a, b)

    def cost(self, rss, n_constants, complexity):
        """-2 log-likelihood + log n for each constant + the complexity of the functions."""
        rss = (rss + _ROUNDING * self.tss) * self.unit + self.within
        fit = self.n * np.log(max(rss, 1e-300) / self.total) if self.scale is None else rss / self.scale
        return fit + (1 + n_constants) * np.log(self.n) + UNIT * complexity

    def keep(self, models):
        for own, a, b, rss in zip(models.atoms, models.a, models.b, models.rss, strict=True):
            key = tuple(sorted(c.name for c in own))
            cost = self.cost(rss, sum(c.n_constants + 1 for c in own), sum(c.complexity for c in own))
            if any(c.free == "ab" and not c.monotone for c in own) and len(own) == 1 and self.turnless(own[0], a, b):
                cost += _TURNING
            if key not in self.found or cost < self.found[key][0]:
                self.found[key] = (cost, rss, own, tuple(zip(a.tolist(), b.tolist(), strict=True)))

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
        singles = sorted((v for v in self.found.values() if len(v[2]) == 1), key=lambda v: v[0])
        line = [v for v in self.found.values() if [c.name for c in v[2]] == ["linear"]]
        partners = singles[:_PARTNERS] + [v for v in line if v not in singles[:_PARTNERS]]
        coarse = self.points.coarse()
        atoms, a, b = [], [], []
        for _, _, own, constants in partners:
            first, (a0, b0) = own[0], constants[0]
            left = self.max_constants - first.n_constants - 1
            bases = [
                orthonormal(np.stack([p.root, first.value(np.clip(a0 * p.t + b0, *first.domain)) * p.root])) for p in (coarse, self.points)
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
        best = min(self.found.values(), key=lambda v: v[0])
        n, (_, rss, own, _) = len(self.x), best
        degree = min(_FLEXIBLE, n // 4)
        if degree < 3 or rss <= 1e-16 * self.tss:
            return False
        columns = np.polynomial.chebyshev.chebvander(self.points.t, degree).T * self.points.root
        q = orthonormal(columns)
        flexible = max(self.points.ys @ self.points.ys - ((q @ self.points.ys) ** 2).sum(), 1e-300)
        from scipy.special import fdtrc

        used = 1 + sum(c.n_constants + 1 for c in own)
        spare = max(len(q) - used, 1)
        within = self.within / self.unit
        rows = max(self.n, n) - len(q)
        if self.scale is not None:
            from scipy.special import chdtrc

            return bool(chdtrc(spare, (rss - flexible) * self.unit / self.scale) < _LACK)
        F = (rss - flexible) / spare / ((flexible + within) / max(rows, 1))
        return bool(F > 0 and fdtrc(spare, max(rows, 1), F) < _LACK)

    def best(self, top):
        ranked = sorted(self.found.values(), key=lambda v: v[0])[:top]
        return [self.finished(*v) for v in ranked]

    def finished(self, cost, rss, own, constants):
        """The fit with all its constants in the units of the column."""
        p = self.points
        if own:
            columns = np.stack([c.value(np.clip(a * p.t + b, *c.domain)) for c, (a, b) in zip(own, constants, strict=True)])
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
        fit = EdgeFit(tuple(atoms), constant, np.empty((0, 0)), self.low, self.high, 0.0, float(cost))
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
