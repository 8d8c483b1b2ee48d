"""Which small expressions of several columns, together with few constants, say what a network says.

Forms that are sought, with expressions u, v of an `Inventory`, constants c that least squares give, any curve h:

* ``g(y) = v (c_0 + c_1 u_1 + c_2 u_2 + ...)``, g a function that can be inverted;
* ``y = v h(u)``, where h is what `edge` finds once the rows are put in the order of u.

All are ranked by what it costs to describe them, as curves are (`edge`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kan_tabular.symbolic.edge import UNIT, EdgeSearch
from kan_tabular.symbolic.inventory import Inventory

#: Rows on which expressions are compared; the best are measured on all.
_ROWS = 224
#: Expressions of a sum, of the small sums beside a factor, factors.
_MOST_TERMS, _MORE_TERMS, _FEW_TERMS, _MOST_FACTORS, _FEW_FACTORS = 2000, 500, 110, 1000, 250
#: Candidates kept of each form, and for the joint fit.
_KEPT, _CURVES = 12, 16
#: Sums of each kind that grow, steps of that, and their most terms.
_SEEDS, _CLIMBS, _LONGEST = 4, 6, 4
#: The search ends when this many times the share of the variance that need not be explained is left.
_EXACT = 100.0
#: Cost of a node of an expression: it is chosen among many.
_NODE = 3.0 * UNIT


def _sympy(name):
    def of(s, sign):
        import sympy

        return getattr(sympy, name)(s)

    return of


@dataclass(frozen=True)
class Outer:
    """A function g, its derivative, where it may be used, and y from ``s = g(y)`` (`sign`: that of all y)."""

    name: str
    g: object
    slope: object
    allowed: object
    inverse: object
    needs: str | None
    size: int = 1


def _one_sign(y):
    return np.abs(y).min() > 1e-3 * np.abs(y).max() and (y.min() > 0) == (y.max() > 0)


OUTERS = (
    Outer("y", lambda y: y, np.ones_like, lambda y: True, lambda s, sign: s, None, 0),
    Outer("1/y", lambda y: 1 / y, lambda y: y**-2.0, _one_sign, lambda s, sign: 1 / s, "1/x"),
    Outer("y^2", lambda y: y**2, lambda y: 2 * np.abs(y), _one_sign, lambda s, sign: sign * s**_half(), "sqrt"),
    Outer("1/y^2", lambda y: y**-2.0, lambda y: 2 * np.abs(y) ** -3.0, _one_sign,
          lambda s, sign: sign * s ** -_half(), "1/sqrt"),
    Outer("log", lambda y: np.log(np.abs(y)), lambda y: 1 / np.abs(y), _one_sign,
          lambda s, sign: sign * _sympy("exp")(s, sign), "exp"),
    Outer("exp", np.exp, np.exp, lambda y: np.abs(y).max() < 12, _sympy("log"), "log"),
    Outer("sqrt", lambda y: np.sqrt(np.abs(y)), lambda y: 0.5 / np.sqrt(np.abs(y)), _one_sign,
          lambda s, sign: sign * s**2, "square"),
    Outer("sin", np.sin, lambda y: np.maximum(np.cos(y), 1e-3), lambda y: np.abs(y).max() <= np.pi / 2 + 0.02,
          _sympy("asin"), "arcsin"),
    Outer("cos", np.cos, lambda y: np.maximum(np.sin(y), 1e-3),
          lambda y: y.min() > -0.02 and y.max() < np.pi + 0.02, _sympy("acos"), "arcsin"),
    Outer("tan", np.tan, lambda y: 1 + np.tan(y) ** 2, lambda y: np.abs(y).max() < 1.55, _sympy("atan"), "arctan"),
)  # fmt: skip


def _half():
    import sympy

    return sympy.Rational(1, 2)


@dataclass(frozen=True)
class Structure:
    """A form with its constants.

    Attributes
    ----------
    outer : Outer
    factor : int
        v, a number of the inventory.
    terms : tuple of int
        u_1, ...; 0 is the constant 1.
    coefficients : tuple of float
    curve : EdgeFit, optional
        h, a function of the only term.
    cost : float
    """

    outer: Outer
    factor: int
    terms: tuple
    coefficients: tuple = ()
    curve: object = None
    cost: float = np.inf
    unexplained: float = 1.0
    sign: int = 1
    nodes_price: float = 0.0

    @property
    def name(self):
        """What kind it is."""
        if self.curve is not None:
            return self.curve.name
        return {"y": "sum" if len(self.terms) > 1 else "product"}.get(self.outer.name, f"{self.outer.name} is a sum")


class StructureSearch:
    """Structures for the values `y` at complete numeric rows `X`.

    Parameters
    ----------
    X : ndarray (n, p)
    y, weights : ndarray (n,)
    candidates : tuple of Candidate
    max_constants : int
        Of a curve.
    n_rows : float
        Rows that these stand for.
    floor : float
        Share of the variance that nobody asks to explain.
    """

    def __init__(self, X, y, weights, candidates, max_constants, n_rows, floor):
        self.X, self.y, self.weights = X, y, weights
        self.candidates, self.max_constants, self.n, self.floor = candidates, max_constants, n_rows, floor
        self.rows = keep = np.random.default_rng(0).permutation(len(y))[:_ROWS]
        self.few, self.some, self.w = X[keep], y[keep], weights[keep] / weights[keep].mean()
        self.inventory = Inventory(self.few, {c.name for c in candidates})
        self.sign = 1 if np.average(y, weights=weights) >= 0 else -1
        mean = np.average(y, weights=weights)
        self.tss = float(weights @ (y - mean) ** 2)
        self.found = {}
        self.marks = {}
        self._fill()

    # ---- what is enumerated

    def _fill(self):
        inv, p = self.inventory, self.X.shape[1]
        columns = list(range(p))
        single = [inv.column(j) for j in columns]
        wide = inv.monomials(columns, {1: 4, 2: 6, 3: 5, 4: 5}.get(p, 4))
        narrow = inv.monomials(columns, 3 if p <= 3 else 2)
        plain = inv.monomials(columns, p, (1, -1))
        pairs = [inv.sum(i, k, s) for a, i in enumerate(single) for k in single[a + 1 :] for s in (1, -1)]
        arguments = inv.ordered([*narrow, *plain, *pairs])[:160]
        functions = [inv.call(name, i) for i in arguments for name in ("sin", "cos", "exp", "log")]
        functions += [inv.call("exp", i, -1) for i in arguments]
        functions += [inv.power(i, e) for i in arguments for e in (2.0, 0.5, -0.5, -1.0, -2.0, 3.0, -3.0)]
        functions += [inv.power(i, 2.0) for i in functions if i]
        functions = inv.ordered(functions)
        few = [f for f in functions if inv.sizes[f] <= 4]
        mixed = [inv.product(f, m) for f in functions for m in narrow if inv.sizes[f] + inv.sizes[m] <= 8]
        mixed += [inv.product(f, g) for k, f in enumerate(few[:60]) for g in few[k + 1 : 60]]
        self.terms = inv.ordered([*wide, *functions, *pairs, *mixed])[:_MOST_TERMS]
        self.matrix, self.term_sizes = inv.matrix(self.terms), np.array([inv.sizes[i] for i in self.terms])
        small = inv.ordered([*narrow, *[f for f in functions if inv.sizes[f] <= 3]])[:60]
        sums = [inv.sum(a, b, s) for k, a in enumerate(small) for b in small[k + 1 :] for s in (1, -1)]
        ones = [inv.sum(0, m, s) for m in [*wide[:250], *plain, *functions[:150]] for s in (1, -1)]
        ones = inv.ordered(ones)
        sums = [*ones, *inv.ordered([*pairs, *sums])[:1500]]
        powers = [inv.power(c, e) for c in sums for e in (-1.0, 0.5, -0.5)]
        powers += [inv.power(c, e) for c in sums[:600] for e in (2.0, -2.0)]
        logs = [inv.call("log", c) for c in ones if c]
        self.factors = inv.ordered([*powers, *sums, *logs, *functions, *wide])[:7000]
        self.narrow = narrow[:30]
        self.scalars = list(dict.fromkeys([*wide[:500], *plain, *pairs, *functions[:500], *inv.ordered(sums)[:1800]]))
        self.scalars = [i for i in self.scalars if i]

    def run(self):
        """The best structures of all forms, the cheapest first; what leaves nothing ends the search."""
        allowed = {c.name for c in self.candidates}
        outers = [o for o in OUTERS if (o.needs is None or o.needs in allowed) and o.allowed(self.y)]
        y, *others = outers
        forms = [lambda: self._products(outers), self._factor_and_one, lambda: self._pairs(y, 0, self.terms), self._curves]
        forms += [lambda o=o: self._pairs(o, 0, self.terms[: _MOST_TERMS // 2]) for o in others]
        forms += [lambda: self._factors(y, self.narrow, _MORE_TERMS), lambda: self._factors(y, self.factors[:_MOST_FACTORS])]
        forms += [self._longer]
        forms += [lambda o=o: self._curves(o) for o in others]
        forms += [lambda o=o: self._factors(o, self.factors[:_FEW_FACTORS]) for o in others]
        forms += [self._longer]
        for form in forms:
            form()
            if any(s.unexplained < _EXACT * self.floor for s in self.found.values()):
                break
        return self.ranked()

    def ranked(self):
        return sorted((s for s in self.found.values() if np.isfinite(s.cost)), key=lambda s: s.cost)

    # ---- measuring

    def price(self, outer, factor, terms, curve=None):
        """Cost of the nodes and functions; constants cost log n each beside."""
        inv = self.inventory
        nodes = outer.size + (inv.sizes[factor] + 1 if factor else 0) + sum(inv.sizes[u] + 1 for u in terms if u)
        complexity = 0 if curve is None else sum(a.candidate.complexity for a in curve.atoms)
        return _NODE * nodes + UNIT * complexity

    def misfit(self, rss):
        return self.n * np.log(max(rss, 0.0) / self.tss + self.floor)

    def measure(self, outer, factor, terms):
        """Least squares on all rows, with and without a constant."""
        terms = tuple(sorted({t for t in terms if t}))
        key = (outer.name, factor, terms)
        if key in self.found:
            return self.found[key]
        self.found[key] = Structure(outer, factor, terms)
        cache = {}
        with np.errstate(all="ignore"):
            t, r = outer.g(self.y), 1 / outer.slope(self.y)
            v = self.inventory.evaluate(factor, self.X, cache)
            columns = [self.inventory.evaluate(u, self.X, cache) for u in terms]
            D = (v * r * np.sqrt(self.weights))[:, None] * np.column_stack([*columns, np.ones(len(t))])
            b = t * r * np.sqrt(self.weights)
        if not (np.isfinite(D).all() and np.isfinite(b).all()):
            return self.found[key]
        for own, columns in (((*terms, 0), D), (terms, D[:, :-1])):
            if not own:
                continue
            size = np.sqrt((columns**2).sum(0)) + 1e-300
            c = np.linalg.lstsq(columns / size, b, rcond=1e-12)[0] / size
            rss = float(((b - columns @ c) ** 2).sum())
            cost = self.misfit(rss) + self.price(outer, factor, own) + np.log(self.n) * len(own)
            if cost < self.found[key].cost:
                nodes = self.price(outer, factor, own)
                self.found[key] = Structure(
                    outer, factor, own, tuple(c.tolist()), None, cost, rss / self.tss, self.sign, nodes
                )
        return self.found[key]

    def _frame(self, outer, v):
        """Weighted ones and targets (n,) of the few rows: what ``(c_0 + ...)`` has to be times v."""
        with np.errstate(all="ignore"):
            root = np.sqrt(self.w) / outer.slope(self.some)
            return v * root, outer.g(self.some) * root

    # ---- forms

    def _products(self, outers):
        """``g(y)`` as a sum of products of different columns, which loses what it does not need."""
        single = [self.inventory.column(j) for j in range(self.X.shape[1])]
        products = [0]
        for i in single:
            products += [self.inventory.product(p, i) for p in products]
        for outer in outers:
            s = self.measure(outer, 0, products)
            while len(s.terms) > 1:
                fewer = [self.measure(outer, 0, s.terms[:k] + s.terms[k + 1 :]) for k in range(len(s.terms))]
                best = min(fewer, key=lambda o: o.cost)
                if best.cost >= s.cost:
                    break
                s = best

    def _factor_and_one(self):
        """``y = v (c_0 + c_1 u)`` for all factors and small u at once."""
        inv, root = self.inventory, np.sqrt(self.w)
        numbers = self.terms[:300]
        U, b = inv.matrix(numbers), self.some * root
        U2, own = U**2, np.array([inv.sizes[i] for i in numbers])
        found = []
        for start in range(0, len(self.factors), 500):
            factors = self.factors[start : start + 500]
            V = inv.matrix(factors) * root
            # Moments of the two columns v and v u of each pair.
            V2 = V**2
            a, ab, bb = V2.sum(1)[:, None], V2 @ U.T, V2 @ U2.T
            ay, by = (V @ b)[:, None], (V * b) @ U.T
            q = bb - ab**2 / a
            with np.errstate(all="ignore"):
                gain = ay**2 / a + np.where(q > 1e-9 * bb, (by - ab * ay / a) ** 2 / q, 0.0)
                rest = np.maximum(b @ b - np.maximum(gain, by**2 / bb), 0.0)
            cost = self._rough_cost(rest / (b @ b)) + _NODE * (np.array([inv.sizes[i] for i in factors])[:, None] + own)
            found += [(c, factors[f], numbers[u]) for c, f, u in _least(cost, 2 * _KEPT)]
        for _, factor, u in sorted(found)[: 4 * _KEPT]:
            self.measure(OUTERS[0], factor, (u,))

    def _rough_cost(self, share, floor=1e-11):
        """Of what the few rows leave unexplained; sums of squares know it no better than the floor."""
        cost = self.n * np.log(share + max(floor, self.floor))
        return np.where(np.isfinite(cost), cost, np.inf)

    def _factors(self, outer, factors, count=_FEW_TERMS):
        """``g(y) = v (c_0 + c_1 u_1 + c_2 u_2)`` for pairs of the smallest u."""
        numbers = self.terms[:count]
        U, found = self.inventory.matrix(numbers), []
        for factor in factors:
            found += self._best_pairs(outer, factor, numbers, U, 2)
        for _, factor, terms in sorted(found)[: 2 * _KEPT]:
            self.measure(outer, factor, terms)

    def _pairs(self, outer, factor, numbers):
        """``g(y) = v (c_0 + c_1 u_1 + c_2 u_2)`` for one v."""
        for _, _, terms in self._best_pairs(outer, factor, numbers, self.inventory.matrix(numbers), 2 * _KEPT):
            self.measure(outer, factor, terms)

    def _best_pairs(self, outer, factor, numbers, U, kept):
        ones, b = self._frame(outer, self.inventory.values[factor])
        if not (np.isfinite(ones).all() and np.isfinite(b).all()):
            return []
        if len(numbers) not in self.marks:
            sizes = _NODE * np.array([self.inventory.sizes[i] for i in numbers])
            self.marks[len(numbers)] = np.where(np.tri(len(numbers), dtype=bool), np.inf, sizes[:, None] + sizes)
        q = ones / np.sqrt(ones @ ones)
        A = U * ones
        whole = np.einsum("ln,ln->l", A, A)
        A -= (A @ q)[:, None] * q
        b0, b = b @ b, b - (b @ q) * q
        norm = np.einsum("ln,ln->l", A, A)
        A *= np.where(norm > 1e-10 * whole, 1 / np.sqrt(np.maximum(norm, 1e-300)), 0.0)[:, None]
        G, c = A @ A.T, A @ b
        slack = 1 - G**2
        gain = c[:, None] ** 2 + c**2 - 2 * c[:, None] * c * G
        with np.errstate(all="ignore"):
            gain = np.where(slack > 1e-8, gain / slack, np.maximum(c[:, None] ** 2, c**2))
        cost = self._rough_cost(np.maximum(b @ b - gain, 0.0) / b0) + self.marks[len(numbers)]
        own = _NODE * self.inventory.sizes[factor]
        return [(v + own, factor, (numbers[i], numbers[j])) for v, i, j in _least(cost, kept)]

    def _longer(self):
        """Sums that are best of their kind grow, exchange and lose terms, one at a time, while that pays."""
        kinds = {}
        for s in self.ranked():
            if s.curve is None:
                kinds.setdefault(s.outer.name, []).append(s)
        seeds = [s for own in kinds.values() for s in own[:_SEEDS]]
        seeds += [s for own in kinds.values() for s in own if not s.factor][: 2 * _SEEDS]
        for s in seeds:
            self._climb(s)

    def _climb(self, s):
        for _ in range(_CLIMBS):
            terms = [t for t in s.terms if t]
            best = s
            if len(terms) < _LONGEST:
                best = min(best, self._beside(s, terms), key=lambda o: o.cost)
            for k in range(len(terms)):
                rest = terms[:k] + terms[k + 1 :]
                best = min(best, self._beside(s, rest), self.measure(s.outer, s.factor, rest), key=lambda o: o.cost)
            if best.cost >= s.cost - 1e-9:
                return
            s = best

    def _beside(self, s, terms):
        """The best structure with one more of all terms beside these."""
        ones, b = self._frame(s.outer, self.inventory.values[s.factor])
        base, _ = np.linalg.qr(np.column_stack([ones, *(self.inventory.values[t] * ones for t in terms)]))
        A = self.matrix * ones
        whole = np.einsum("ln,ln->l", A, A)
        b0, b = b @ b, b - base @ (base.T @ b)
        on = A @ base
        norm = whole - np.einsum("lk,lk->l", on, on)
        gain = np.where(norm > 1e-9 * whole, (A @ b) ** 2 / np.maximum(norm, 1e-300), 0.0)
        cost = self._rough_cost(np.maximum(b @ b - gain, 0.0) / b0) + _NODE * self.term_sizes
        return min((self.measure(s.outer, s.factor, (*terms, self.terms[k])) for _, k in _least(cost, 3)),
                   key=lambda o: o.cost)  # fmt: skip

    def _curves(self, outer=OUTERS[0]):
        """``g(y) = v h(u)``: g(y) / v is smooth in the order of u (v is 1 unless g is the identity)."""
        inv, found = self.inventory, []
        factors = [0, *self.narrow] if outer.needs is None else [0]
        for start in range(0, len(self.scalars), 500):
            numbers = self.scalars[start : start + 500]
            U = inv.matrix(numbers)
            order = np.argsort(U, axis=1)
            x = np.take_along_axis(U, order, 1)
            gap = x[:, 2:] - x[:, :-2]
            with np.errstate(all="ignore"):
                left = np.where(gap > 0, (x[:, 2:] - x[:, 1:-1]) / gap, 0.5)
            sizes = np.array([inv.sizes[i] for i in numbers])
            for factor in factors:
                root, b = self._frame(outer, inv.values[factor])
                t, spread = (b / root)[order], (1 / root**2)[order]
                with np.errstate(all="ignore"):
                    e = t[:, 1:-1] - left * t[:, :-2] - (1 - left) * t[:, 2:]
                    e2 = e**2 / (spread[:, 1:-1] + left**2 * spread[:, :-2] + (1 - left) ** 2 * spread[:, 2:])
                cost = self._rough_cost(e2.mean(1) / self.some.var(), 1e-6) + _NODE * (sizes + inv.sizes[factor])
                found += [(c, factor, numbers[k]) for c, k in _least(cost, 4)]
        for _, factor, u in sorted(found)[: _CURVES if outer.needs is None else _CURVES // 4]:
            self._curve(outer, factor, u)

    def _curve(self, outer, factor, u):
        cache = {}
        v, x = (self.inventory.evaluate(i, self.X, cache) for i in (factor, u))
        with np.errstate(all="ignore"):
            t, w = outer.g(self.y) / v, self.weights * (v / outer.slope(self.y)) ** 2
        if not (np.isfinite(t).all() and np.isfinite(x).all() and np.isfinite(w).all()):
            return
        few = self.rows  # few enough not to be averaged
        search = EdgeSearch(x[few], t[few], w[few], low=x.min(), high=x.max(), max_constants=self.max_constants)
        search.run(self.candidates)
        for found in search.ranked()[:5]:
            fit = search.finished(found, covariance=False)
            rss = float(w @ (t - fit.evaluate(x)) ** 2)
            nodes = self.price(outer, factor, (u,), fit)
            cost = self.misfit(rss) + nodes + np.log(self.n) * (fit.n_constants + 1)
            key = ("curve", outer.name, factor, u, fit.name)
            self.found[key] = Structure(outer, factor, (u,), (), fit, cost, rss / self.tss, self.sign, nodes)


def _least(cost, count):
    """The `count` smallest finite entries, and where they are: tuples (value, position, ...)."""
    flat = np.argpartition(cost, min(count, cost.size - 1), axis=None)[:count]
    places = np.unravel_index(flat, cost.shape)
    return [(float(cost.flat[k]), *map(int, at)) for k, *at in zip(flat, *places, strict=True) if cost.flat[k] < np.inf]
