"""Small expressions of several columns, enumerated from the bottom up, each kept once.

Two expressions with the same values (up to a factor) on the rows are one: the smaller stays.
"""

from __future__ import annotations

import itertools

import numpy as np

#: Numbers of smaller size than this share of a column's largest count as zero, where a power would have a pole.
_POLE = 1e-3
#: Largest expression of a table: more would only be rounding.
_LARGEST = 1e12
#: Functions of one argument that expressions are made of: sympy name, NumPy function, name of the candidate it needs.
_CALLS = {
    "exp": (np.exp, "exp"),
    "log": (np.log, "log"),
    "sin": (np.sin, "sin"),
    "cos": (np.cos, "sin"),
}
#: Exponents, and the candidates they need.
_POWERS = {2.0: "square", -1.0: "1/x", -2.0: "1/x^2", 0.5: "sqrt", -0.5: "1/sqrt", 3.0: "cube", -3.0: "1/x^3"}


class Inventory:
    """Expressions by number; 0 is the number 1.

    Parameters
    ----------
    X : ndarray (n, p)
        Rows on which they are compared.
    names : set of str
        Names of the candidates (`kan_tabular.symbolic.candidates`) that may be used.
    """

    def __init__(self, X, names):
        self.X, self.names = X, names
        self.trees, self.values, self.sizes = ["one"], [np.ones(len(X))], [0]
        self._known = {self._key(self.values[0]): 0}

    def add(self, tree, values, size):
        """The number of an expression, None if it is not finite or constant."""
        with np.errstate(all="ignore"):
            top = np.abs(values).max()
            if not (1e-12 < top < _LARGEST) or np.ptp(values) < 1e-9 * top:
                return None
        key = self._key(values)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = len(self.trees)
            self.trees.append(tree)
            self.values.append(values)
            self.sizes.append(size)
        return found

    @staticmethod
    def _key(values):
        scaled = values / values[np.abs(values).argmax()]
        return np.round(scaled, 8).tobytes()

    def column(self, j):
        return self.add(("column", j), self.X[:, j], 1)

    def power(self, i, p):
        """Expression i to the power p; None where it does not exist."""
        if p == 1:
            return i
        if _POWERS.get(p) not in self.names:
            return None
        v = self.values[i]
        if (p % 1 and v.min() < 0) or (p < 0 and np.abs(v).min() < _POLE * np.abs(v).max()):
            return None
        return self.add(("power", i, p), v**p, self.sizes[i] + 1)

    def product(self, i, k):
        if i is None or k is None:
            return None
        if 0 in (i, k):
            return i + k
        return self.add(("product", i, k), self.values[i] * self.values[k], self.sizes[i] + self.sizes[k] + 1)

    def sum(self, i, k, sign=1):
        return self.add(("sum", i, k, sign), self.values[i] + sign * self.values[k], self.sizes[i] + self.sizes[k] + 1)

    def call(self, name, i, sign=1):
        """A function of an expression (of its negative for sign -1)."""
        function, candidate = _CALLS[name]
        v = self.values[i]
        if candidate not in self.names or (name == "log" and v.min() <= 0) or (name == "exp" and np.abs(v).max() > 50):
            return None
        return self.add(("call", name, i, sign), function(sign * v), self.sizes[i] + 1)

    def evaluate(self, i, X, cache=None):
        """Values of an expression at other rows (n, p); NaN or infinite where it does not exist."""
        cache = {} if cache is None else cache
        if i not in cache:
            with np.errstate(all="ignore"):
                cache[i] = self._evaluate(self.trees[i], X, cache)
        return cache[i]

    def _evaluate(self, tree, X, cache):
        if tree == "one":
            return np.ones(len(X))
        kind, *rest = tree
        if kind == "column":
            return X[:, rest[0]]
        if kind == "power":
            return self.evaluate(rest[0], X, cache) ** rest[1]
        if kind == "call":
            name, i, sign = rest
            return _CALLS[name][0](sign * self.evaluate(i, X, cache))
        a, b = (self.evaluate(k, X, cache) for k in rest[:2])
        return a * b if kind == "product" else a + rest[2] * b

    def expression(self, i, symbols):
        """As a sympy expression."""
        import sympy

        tree = self.trees[i]
        if tree == "one":
            return sympy.Integer(1)
        kind, *rest = tree
        if kind == "column":
            return symbols[rest[0]]
        if kind == "power":
            return self.expression(rest[0], symbols) ** sympy.Rational(rest[1])
        if kind == "call":
            name, i, sign = rest
            return getattr(sympy, name)(sign * self.expression(i, symbols))
        a, b = (self.expression(k, symbols) for k in rest[:2])
        return a * b if kind == "product" else a + rest[2] * b

    # ---- families

    def monomials(self, columns, degree, exponents=(1, -1, 2, -2)):
        """Products of whole powers whose sizes sum to at most `degree`, small ones first."""
        powers = {j: {e: self.power(self.column(j), float(e)) for e in exponents} for j in columns}
        out = []
        for chosen in itertools.product((0, *exponents), repeat=len(columns)):
            own = [(j, e) for j, e in zip(columns, chosen, strict=True) if e]
            if not own or sum(abs(e) for _, e in own) > degree:
                continue
            parts = [powers[j][e] for j, e in own]
            i = 0
            for part in parts:
                i = self.product(i, part)
            if i:
                out.append(i)
        return self.ordered(out)

    def ordered(self, numbers):
        """Without repetitions, the smallest first."""
        return sorted({i for i in numbers if i}, key=lambda i: (self.sizes[i], i))

    def matrix(self, numbers):
        return np.stack([self.values[i] for i in numbers]) if len(numbers) else np.zeros((0, len(self.X)))
