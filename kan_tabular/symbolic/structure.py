"""Which small expressions of several columns, together with few constants, say what a network says.

Forms that are sought, with expressions u, v of an `Inventory`, constants c that least squares give, any curve h:

* ``g(y) = v (c_0 + c_1 u_1 + c_2 u_2 + ...)``, g a function that can be inverted;
* ``y = v h(u)``, where h is what `edge` finds once the rows are put in the order of u.

All are ranked by what it costs to describe them, as curves are (`edge`).
"""

from __future__ import annotations

import itertools

import numpy as np

from kan_tabular.symbolic.edge import UNIT, EdgeSearch
from kan_tabular.symbolic.forms import OUTERS, Structure
from kan_tabular.symbolic.inventory import Inventory

#: Rows on which expressions are compared; the best are measured on all.
_ROWS = 224
#: Expressions of a sum, of the small sums beside a factor, factors.
_FEW_TERMS, _MOST_FACTORS, _FEW_FACTORS = 110, 1000, 250
#: Candidates kept of each form, and for the joint fit.
_KEPT, _CURVES = 50, 16
#: Sums of each kind that grow, steps of that, and their most terms.
_SEEDS, _CLIMBS, _LONGEST = 4, 6, 4
#: The search ends when this many times the share of the variance that need not be explained is left.
_EXACT = 100.0
#: Share of the rows on which an outer function may not exist.
_LEFT_OUT = 0.03
#: Cost of a node of an expression: it is chosen among many.
_NODE = 3.0 * UNIT


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
        self.marks, self.frames = {}, {}
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
        calls = [inv.call(name, i) for i in arguments for name in ("sin", "cos", "exp", "log")]
        calls = inv.ordered([*calls, *(inv.call("exp", i, -1) for i in arguments)])
        functions = [*calls, *(inv.power(i, 2.0) for i in calls)]
        functions += [inv.power(i, e) for i in arguments for e in (2.0, 0.5, -0.5, -1.0, -2.0, 3.0, -3.0)]
        functions = inv.ordered(functions)
        few = [f for f in functions if inv.sizes[f] <= 4]
        mixed = [inv.product(f, m) for f in functions for m in narrow if inv.sizes[f] + inv.sizes[m] <= 8]
        roots = [inv.power(i, 0.5) for i in narrow if inv.sizes[i] <= 3]
        rooted = inv.ordered(inv.product(f, r) for f in calls if inv.sizes[f] <= 2 for r in roots)
        waves = inv.ordered(inv.product(f, m) for f in functions[: 2 * len(calls)] if f for m in narrow[:12])
        both = [inv.product(f, g) for k, f in enumerate(few[:60]) for g in few[k + 1 : 60]]
        both = inv.ordered(both)
        mixed = inv.ordered(mixed)
        self.more = [*wide[:110], *calls[:130], *functions[:60], *pairs, *waves[:160]]
        self.terms = [*wide[:450], *pairs, *functions[:400], *both[:450], *waves[:450], *rooted[:250], *mixed[:600]]
        self.more, self.terms = (list(dict.fromkeys(i for i in own if i)) for own in (self.more, self.terms))
        self.smallest = inv.ordered(self.terms)[:_FEW_TERMS]
        self.matrix, self.term_sizes = inv.matrix(self.terms), np.array([inv.sizes[i] for i in self.terms])
        small = inv.ordered([*narrow, *[f for f in functions if inv.sizes[f] <= 3]])[:60]
        sums = [inv.sum(a, b, s) for k, a in enumerate(small) for b in small[k + 1 :] for s in (1, -1)]
        ones = [inv.sum(0, m, s) for m in [*wide[:250], *plain, *functions[:150]] for s in (1, -1)]
        ones = inv.ordered(ones)
        sums = [*ones, *inv.ordered([*pairs, *sums])[:1500]]
        powers = [inv.power(c, e) for c in sums for e in (-1.0, 0.5, -0.5)]
        powers += [inv.power(c, e) for c in sums[:600] for e in (2.0, -2.0)]
        logs = [inv.call("log", c) for c in ones if c]
        self.factors = inv.ordered([*powers, *sums, *logs, *functions, *wide, *waves[:400]])[:7000]
        self.narrow = narrow[:30]
        self.powers = {inv.power(i, e) for i in single for e in (1, 2.0, -1.0, -2.0, 0.5)} - {None}
        self.scalars = list(dict.fromkeys([*wide[:500], *plain, *pairs, *functions[:500], *inv.ordered(sums)[:1800]]))
        self.scalars = [i for i in self.scalars if i]

    def run(self):
        """The best structures of all forms, the cheapest first; what leaves nothing ends the search."""
        allowed = {c.name for c in self.candidates}
        outers = [o for o in OUTERS if (o.needs is None or o.needs in allowed) and self._usable(o)]
        y, *others = outers
        forms = [lambda: self._products(outers), self._factor_and_one]
        forms += [lambda: self._pairs(y, 0, self.terms), self._curves]
        forms += [lambda o=o: self._pairs(o, 0, self.more) for o in others]
        forms += [lambda: self._factors(y, self.narrow, self.more)]
        forms += [lambda: self._factors(y, self.factors[:_MOST_FACTORS])]
        forms += [lambda o=o: self._triples(o, [0], self.terms) for o in outers]
        forms += [lambda o=o: self._triples(o, self.narrow, self.more[:300]) for o in outers]
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
            root, b = self._target(outer, self.y, np.sqrt(self.weights))
            v = self.inventory.evaluate(factor, self.X, cache)
            columns = [self.inventory.evaluate(u, self.X, cache) for u in terms]
            D = (v * root)[:, None] * np.column_stack([*columns, np.ones(len(b))])
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

    def _usable(self, outer):
        return np.average(outer.allowed(self.y), weights=self.weights) >= 1 - _LEFT_OUT

    def _frame(self, outer, v):
        """Weighted ones and targets (n,) of the few rows: what ``(c_0 + ...)`` has to be times v."""
        root, b = self.frames.setdefault(outer.name, self._target(outer, self.some, np.sqrt(self.w)))
        return v * root, b

    @staticmethod
    def _target(outer, y, root):
        """Square roots of weights in the scale of g(y), and g(y) times these: 0 where g may not be used."""
        with np.errstate(all="ignore"):
            own = root / outer.slope(y)
            target = outer.g(y) * own
        fine = outer.allowed(y) & np.isfinite(own) & np.isfinite(target)
        return np.where(fine, own, 0.0), np.where(fine, target, 0.0)

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
        numbers = self.more
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

    def _factors(self, outer, factors, numbers=None):
        """``g(y) = v (c_0 + c_1 u_1 + c_2 u_2)`` for pairs of the smallest u."""
        numbers = self.smallest if numbers is None else numbers
        U, found = self.inventory.matrix(numbers), []
        for factor in factors:
            found += self._best_pairs(outer, factor, numbers, U, 4)
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
        if id(numbers) not in self.marks:
            sizes = _NODE * np.array([self.inventory.sizes[i] for i in numbers])
            self.marks[id(numbers)] = np.where(np.tri(len(numbers), dtype=bool), np.inf, sizes[:, None] + sizes)
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
        cost = self._rough_cost(np.maximum(b @ b - gain, 0.0) / b0) + self.marks[id(numbers)]
        own = _NODE * self.inventory.sizes[factor]
        return [(v + own, factor, (numbers[i], numbers[j])) for v, i, j in _least(cost, kept)]

    def _triples(self, outer, factors, numbers):
        """``g(y) = v (c_0 + c_1 f_1(x_i) + c_2 f_2(x_k) + c_3 u)``: two powers of columns and any of the terms."""
        U, found = self.inventory.matrix(numbers), []
        sizes = _NODE * np.array([self.inventory.sizes[i] for i in numbers])
        singles = [k for k, i in enumerate(numbers) if i in self.powers]
        for factor in factors:
            ones, b = self._frame(outer, self.inventory.values[factor])
            q = ones / np.sqrt(ones @ ones)
            A = U * ones
            whole = np.einsum("ln,ln->l", A, A)
            A -= (A @ q)[:, None] * q
            b0, b = b @ b, b - (b @ q) * q
            norm = np.einsum("ln,ln->l", A, A)
            A *= np.where(norm > 1e-10 * whole, 1 / np.sqrt(np.maximum(norm, 1e-300)), 0.0)[:, None]
            G, c = A[singles] @ A.T, A @ b
            for one, two in itertools.combinations(range(len(singles)), 2):
                i, j = singles[one], singles[two]
                slack = 1 - G[one, j] ** 2
                if slack < 1e-8 or norm[i] == 0 or norm[j] == 0:
                    continue
                # What is orthogonal to the first of the two, then to both.
                cj, gj = (c[j] - G[one, j] * c[i]) / np.sqrt(slack), (G[two] - G[one, j] * G[one]) / np.sqrt(slack)
                left = 1 - G[one] ** 2 - gj**2
                gain = np.where(left > 1e-7, (c - G[one] * c[i] - gj * cj) ** 2 / np.maximum(left, 1e-7), 0.0)
                rest = np.maximum(b @ b - c[i] ** 2 - cj**2 - gain, 0.0)
                k = int(np.argmin(np.log(rest / b0 + 1e-11) * self.n + sizes))
                cost = self._rough_cost(rest[k] / b0) + sizes[[i, j, k]].sum() + _NODE * self.inventory.sizes[factor]
                found.append((float(cost), factor, (numbers[i], numbers[j], numbers[k])))
        for _, factor, terms in sorted(found)[:_KEPT]:
            self.measure(outer, factor, terms)

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
                fine = np.abs(root) > 1e-9 * np.abs(root).max()
                t = np.where(fine, b / np.where(fine, root, 1.0), 0.0)[order]
                spread = np.where(fine, 1 / np.where(fine, root, 1.0) ** 2, 1e100)[order]
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
        root, b = self._target(outer, self.y, np.sqrt(self.weights))
        root = root * v
        fine = np.isfinite(x) & (np.abs(root) > 1e-9 * np.abs(root).max())
        t, w = np.where(fine, b / np.where(fine, root, 1.0), 0.0), np.where(fine, root**2, 0.0)
        few = self.rows[fine[self.rows]]  # few enough not to be averaged
        if len(few) < len(self.rows) / 2 or not np.isfinite(x).all():
            return
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
