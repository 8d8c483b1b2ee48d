"""A formula of any shape with its constants: joint fit, digits, and its parts as a `Formula`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import sympy

from kan_tabular.exceptions import FormulaError
from kan_tabular.symbolic.formula import Product, Sum, T, Term
from kan_tabular.symbolic.refit import covariance, refit
from kan_tabular.symbolic.rounding import NEGLIGIBLE, SNAP, rounded

#: Share of the largest value of a hidden node below which its smallest is near zero.
_NEAR_ZERO = 0.1


@dataclass(frozen=True)
class Shape:
    """An expression of columns and constants.

    Attributes
    ----------
    expression : sympy.Expr
        In `symbols`, `constants` and the keys of `inner`.
    symbols : tuple of Symbol
        One a column of the rows it is evaluated on.
    constants : tuple of Symbol
    inner : dict
        {symbol: expression in `symbols`}: arguments of curves, which a formula keeps as nodes of their own.
    summands : tuple of bool
        Which constants are added to something, so that 0 leaves them out.
    """

    expression: sympy.Expr
    symbols: tuple
    constants: tuple
    inner: dict = field(default_factory=dict)
    summands: tuple = ()

    @property
    def whole(self):
        return self.expression.xreplace(self.inner)

    @cached_property
    def function(self):
        """Of the columns and constants: value and derivatives by the constants."""
        derivatives = [sympy.diff(self.whole, c) for c in self.constants]
        return sympy.lambdify([*self.symbols, *self.constants], [self.whole, *derivatives], "numpy", cse=True)

    def evaluate(self, X, values):
        """Values (n,) and their derivatives by the constants (n, q)."""
        with np.errstate(all="ignore"):
            found = self.function(*X.T, *values)
        found = [np.broadcast_to(np.asarray(v, dtype=float), len(X)) for v in found]
        return found[0], np.stack(found[1:], axis=1) if found[1:] else np.zeros((len(X), 0))

    def filled(self, values):
        """The expression with numbers for its constants, arguments of curves apart."""
        return self.expression.xreplace({c: _number(v) for c, v in zip(self.constants, values, strict=True)})


def _number(value):
    return sympy.Integer(int(value)) if value == int(value) and abs(value) < 1e15 else sympy.Float(value, 17)


@dataclass
class Joint:
    """One expression an output, fitted as `Additive` is (`refit`).

    Attributes
    ----------
    shapes : list of Shape
    values : list of ndarray
        Constants of each.
    X : ndarray (n, p)
    held : list of ndarray of bool
        Constants that are final.
    """

    shapes: list
    values: list
    X: np.ndarray
    held: list

    @classmethod
    def of(cls, shapes, values, X):
        values = [np.asarray(v, dtype=float) for v in values]
        return cls(shapes, values, X, [np.zeros(len(v), dtype=bool) for v in values])

    @cached_property
    def _evaluated(self):
        return [s.evaluate(self.X, v) for s, v in zip(self.shapes, self.values, strict=True)]

    def predictor(self):
        """Linear predictors (n, K)."""
        return np.stack([value for value, _ in self._evaluated], axis=1)

    def objective(self, response):
        eta = self.predictor()
        return -response.value(eta) if np.isfinite(eta).all() else np.inf

    def system(self, response):
        """Gradient of the log-likelihood and its negative Hessian (Gauss-Newton) by the constants that are free."""
        gradient, hessian = response.derivatives(self.predictor())
        J = [j[:, ~h] for (_, j), h in zip(self._evaluated, self.held, strict=True)]
        g = np.concatenate([j.T @ gradient[:, k] for k, j in enumerate(J)])
        H = np.block([[(J[k] * hessian[:, k, m, None]).T @ J[m] for m in range(len(J))] for k in range(len(J))])
        return g, H

    def moved(self, step):
        values, start = [], 0
        for v, h in zip(self.values, self.held, strict=True):
            v, n = v.copy(), int((~h).sum())
            v[~h] += step[start : start + n]
            values.append(v)
            start += n
        return replace(self, values=values)

    def rows(self, selection):
        return replace(self, X=self.X[selection])

    def like(self, other):
        """With the constants of the other."""
        return replace(self, values=other.values)

    @property
    def n_constants(self):
        return sum(map(len, self.values))


def rounded_joint(model, response, dispersion, digits="auto", tightness=1.0):
    """Constants one after the other, the best known first, get the digits they deserve; the rest is fitted again."""
    if digits is None:
        return model
    if digits == "auto":
        for k, i, error in _errors(model, response, dispersion * tightness**2):
            if model.shapes[k].summands[i] and abs(model.values[k][i]) < SNAP * error:
                model = _held(model, k, i, 0.0, response)
    while not all(h.all() for h in model.held):
        errors = _errors(model, response, dispersion * tightness**2)
        k, i, error = min(errors, key=lambda e: e[2] / max(abs(model.values[e[0]][e[1]]), 1e-300))
        value = model.values[k][i]
        model = _held(model, k, i, rounded(value, max(error, NEGLIGIBLE * abs(value)), digits), response)
    return model


def _errors(model, response, dispersion):
    """Output, position and standard error of each free constant."""
    places = [(k, int(i)) for k, held in enumerate(model.held) for i in np.flatnonzero(~held)]
    V = covariance(model, response, dispersion)
    return [(*place, float(e)) for place, e in zip(places, np.sqrt(np.maximum(np.diag(V), 0.0)), strict=True)]


def _held(model, k, i, value, response):
    """The model with one constant final and the others fitted again."""
    values, held = [v.copy() for v in model.values], [h.copy() for h in model.held]
    values[k][i], held[k][i] = value, True
    model = replace(model, values=values, held=held)
    if not all(h.all() for h in held) and np.isfinite(model.objective(response)):
        model, _ = refit(model, response, 6)
    return model


class Writer:
    """Expressions of columns as sums and products of univariate terms.

    Parameters
    ----------
    names : list of str
        Of the columns.
    symbols : tuple of Symbol
    X : ndarray (n, p)
        Rows that say over which values each term has to hold.
    """

    def __init__(self, names, symbols, X):
        self.names, self.symbols, self.X = dict(zip(symbols, names, strict=True)), symbols, X

    def sum(self, expression, inner=None):
        """The `Sum` that an expression is."""
        inner = inner or {}
        constant, of_columns, terms = 0.0, {}, []
        for part in sympy.Add.make_args(expression):
            free = sorted(part.free_symbols, key=str)
            if not free:
                constant += float(part)
            elif len(free) == 1:
                of_columns[free[0]] = of_columns.get(free[0], 0) + part.xreplace({free[0]: T})
            else:
                terms.append(self._term(part, inner))
        own = [self._of_symbol(s, e, inner) for s, e in of_columns.items()]
        return Sum(constant, [*own, *terms])

    def _of_symbol(self, symbol, expression, inner):
        """A term in a column, or in the argument of a curve."""
        if symbol not in inner:
            return self._of_column(symbol, expression)
        return self._of_node(inner[symbol], expression)

    def _of_column(self, symbol, expression):
        """A term in a column; a missing value adds what the mean does, since training had none."""
        x = self.X[:, self.symbols.index(symbol)]
        neutral = float(expression.xreplace({T: sympy.Float(x.mean())}))
        return Term(self.names[symbol], expression, (float(x.min()), float(x.max())), other=float(f"{neutral:.6g}"))

    def _of_node(self, argument, expression):
        """A term ``expression(T)`` in what `argument` is."""
        if argument in self.names:
            return self._of_column(argument, expression)
        factor, rest = argument.as_coeff_Mul()
        if factor != 1:
            return self._of_node(rest, expression.xreplace({T: factor * T}))
        if len(argument.free_symbols) == 1:
            (symbol,) = argument.free_symbols
            return self._of_column(symbol, expression.xreplace({T: argument.xreplace({symbol: T})}))
        node = self._product(argument, {}) if isinstance(argument, sympy.Mul) else self.sum(argument)
        return self._of_hidden(node, expression, self._range(argument))

    @staticmethod
    def _of_hidden(node, expression, domain):
        """A term in a hidden node: down to zero if that is near and allowed, since new rows may be nearer."""
        low, high = domain
        if 0 < low < _NEAR_ZERO * high:
            try:
                return Term(node, expression, (0.0, high))
            except FormulaError:
                pass  # a pole or the like
        return Term(node, expression, domain)

    def _term(self, part, inner):
        """A term of several columns."""
        factor, rest = part.as_coeff_Mul()
        if isinstance(rest, sympy.Mul):
            return Term(self._product(rest, inner), factor * T, self._range(rest, inner))
        if isinstance(rest, sympy.Add):
            return Term(self.sum(rest, inner), factor * T, self._range(rest, inner))
        (argument,) = [a for a in rest.args if a.free_symbols]
        outer = factor * rest.func(*(T if a is argument else a for a in rest.args))
        if argument.free_symbols & set(inner):
            node = self._product(argument, inner) if isinstance(argument, sympy.Mul) else self.sum(argument, inner)
            return self._of_hidden(node, outer, self._range(argument, inner))
        return self._of_node(argument, outer)

    def _product(self, expression, inner):
        """The `Product` of what the factors are, those of one column together."""
        alone, factors = {}, []
        for part in sympy.Mul.make_args(expression):
            free = part.free_symbols
            if len(free) == 1:
                alone.setdefault(next(iter(free)), []).append(part)
            elif free:
                factors.append(self.sum(part, inner))
            else:
                factors.append(Sum(float(part)))
        own = [Sum(0.0, [self._of_symbol(s, sympy.Mul(*p).xreplace({s: T}), inner)]) for s, p in sorted(
            alone.items(), key=lambda item: str(item[0]))]  # fmt: skip
        factors = [*own, *factors]
        return Product(factors) if len(factors) > 1 else factors[0]

    def _range(self, expression, inner=None):
        values = sympy.lambdify(self.symbols, expression.xreplace(inner or {}), "numpy")(*self.X.T)
        return float(np.min(values)), float(np.max(values))
