"""The parts of a formula: terms, and the sums and products they form."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy

from kan_tabular.exceptions import FormulaError
from kan_tabular.symbolic.enclosure import LARGEST_ARGUMENT, check_reach, check_real, find_reach, largest_value
from kan_tabular.symbolic.expressions import T, complexity, from_data, read_expression, to_data

#: Products beyond this could overflow.
_LARGEST_PRODUCT = 1e300


class Node:
    """Equality and hash by content."""

    @cached_property
    def _key(self):
        return json.dumps(self.to_spec(), sort_keys=True)

    def __eq__(self, other):
        return type(self) is type(other) and self._key == other._key

    def __hash__(self):
        return hash(self._key)


@dataclass(frozen=True, eq=False)
class Term(Node):
    """One function of one argument.

    Parameters
    ----------
    argument : str, Sum or Product
        Name of a column, or a hidden node.
    expression : sympy.Expr, optional
        In the symbol `T`, the value of the argument in its own units. Thresholds and pieces are ordinary Piecewise, Min
        and Max expressions. Real and finite over the whole `domain`.
    domain : (float, float), optional
        Lowest and highest value of the argument in training; needed with `expression`.
    missing : float, optional
        What the term adds where the column is missing. None: training had no missing values; one then adds `other`.
    levels : dict of {str: float}, optional
        What the term adds for each level of a category, instead of `expression`.
    other : float, default=0.0
        What the term adds where training tells nothing: a level that is not among `levels`, or a missing value of a
        column that was complete. The fitted networks have 0 here, the average effect of their centred curves. Terms
        whose constant went elsewhere have to say what is neutral now.
    reach : (float, float), optional
        Values beyond count as its ends, in evaluation and in every language: beyond, the expression would overflow. By
        default the widest range around `domain`, at most (-1e30, 1e30), in which it is certain not to
        (`enclosure.find_reach`). It is no guard for logarithms, roots and poles just outside the domain: put those into
        the expression, as in ``log(Max(T + 3, 0.01))``, so that readers see them.

    Raises
    ------
    FormulaError
        An expression that is not real and finite over its domain, or parts that do not go together.
    """

    argument: str | Sum | Product
    expression: sympy.Expr | None = None
    domain: tuple[float, float] | None = None
    missing: float | None = None
    levels: Mapping[str, float] | None = None
    other: float = 0.0
    reach: tuple[float, float] | None = None

    def __post_init__(self):
        hidden = not isinstance(self.argument, str)
        if hidden and not isinstance(self.argument, Sum | Product):
            raise FormulaError(f"argument must be the name of a column, a Sum or a Product, not {self.argument!r}.")
        if (self.expression is None) == (self.levels is None):
            raise FormulaError("a term has either an expression (numbers) or levels (a category).")
        if hidden and (self.levels is not None or self.missing is not None):
            raise FormulaError("a hidden node is a number and never missing: give its term an expression only.")
        for name in ("missing", "other"):
            value = getattr(self, name)
            if value is not None:
                self._set(name, _finite(value, name))
        if self.levels is not None:
            self._set("levels", {str(k): _finite(v, f"level {k!r}") for k, v in self.levels.items()})
            return
        if self.domain is None:
            raise FormulaError("a term with an expression needs its domain: the (lowest, highest) value in training.")
        low, high = (float(v) for v in self.domain)
        self._set("expression", read_expression(self.expression))
        self._set("domain", (low, high))
        if self.reach is None:
            check_real(self.expression, low, high)
            self._set("reach", find_reach(self.expression, low, high, self._limit))
        else:
            self._set("reach", tuple(float(v) for v in self.reach))
            if not self.reach[0] <= low <= high <= self.reach[1]:
                raise FormulaError(f"reach {self.reach} must hold the domain {self.domain}.")
            check_reach(self.expression, self.domain, self.reach)

    def _set(self, name, value):
        object.__setattr__(self, name, value)

    @property
    def _limit(self):
        return LARGEST_ARGUMENT if isinstance(self.argument, str) else self.argument.bound

    @property
    def at_missing(self):
        """What a missing value adds."""
        return self.other if self.missing is None else self.missing

    @property
    def guard(self):
        """Ends of the reach that an argument might pass: (low or None, high or None). Columns are below 1e30."""
        limit = self._limit
        low, high = self.reach
        return (None if low <= -limit else low), (None if high >= limit else high)

    @cached_property
    def bound(self):
        """A number that the term does not exceed in size."""
        own = [*self.levels.values()] if self.levels is not None else [largest_value(self.expression, *self.reach)]
        return max(map(abs, [*own, self.other, self.at_missing]))

    def __getstate__(self):
        """Without the compiled function, which cannot be pickled."""
        return {name: value for name, value in self.__dict__.items() if name != "_function"}

    @cached_property
    def _function(self):
        return sympy.lambdify(T, self.expression, "numpy")

    def at(self, x):
        """Values (n,) at the argument's values `x` (n,), or level codes; NaN is missing."""
        if self.levels is not None:
            raise TypeError("a term of a category is evaluated by its formula, which knows the codes of the levels")
        missing = np.isnan(x)
        # A Piecewise evaluates all its branches, also where others hold.
        with np.errstate(all="ignore"):
            value = np.broadcast_to(self._function(np.clip(x, *self.reach)), x.shape)
        return np.where(missing, self.at_missing, value) if missing.any() else np.array(value, dtype=float)

    @property
    def complexity(self):
        """Operations and constants; a category counts one constant a level and one choice, a missing value likewise."""
        own = complexity(self.expression) if self.levels is None else 1 + len(self.levels)
        return own + (2 if self.missing is not None else 0)

    def to_spec(self):
        """Plain data, for JSON."""
        spec = {"argument": self.argument if isinstance(self.argument, str) else self.argument.to_spec()}
        if self.levels is None:
            spec |= {"expression": to_data(self.expression), "domain": list(self.domain), "reach": list(self.reach)}
        else:
            spec |= {"levels": [[k, v] for k, v in self.levels.items()]}
        return spec | {"missing": self.missing, "other": self.other}

    @classmethod
    def from_spec(cls, spec):
        """The term of such data."""
        argument = spec["argument"] if isinstance(spec["argument"], str) else node_from_spec(spec["argument"])
        rest = {"missing": spec["missing"], "other": spec["other"]}
        if "levels" in spec:
            return cls(argument, levels=dict(spec["levels"]), **rest)
        return cls(argument, from_data(spec["expression"]), spec["domain"], reach=spec["reach"], **rest)


@dataclass(frozen=True, eq=False)
class Sum(Node):
    """``constant + sum of terms``.

    Parameters
    ----------
    constant : float, default=0.0
    terms : tuple of Term
    """

    constant: float = 0.0
    terms: tuple[Term, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "constant", _finite(self.constant, "constant"))
        object.__setattr__(self, "terms", tuple(self.terms))
        if not all(isinstance(t, Term) for t in self.terms):
            raise FormulaError("the terms of a Sum must be Terms.")

    @property
    def arguments(self):
        """Arguments of the terms, in order."""
        return [t.argument for t in self.terms]

    @cached_property
    def bound(self):
        """A number that the sum does not exceed in size."""
        return abs(self.constant) + sum(t.bound for t in self.terms)

    @property
    def own_complexity(self):
        """Operations and constants, those of hidden nodes left out."""
        summands = len(self.terms) + (self.constant != 0)
        additions = max(summands - 1, 0)
        return additions + (self.constant != 0) + sum(t.complexity for t in self.terms)

    def to_spec(self):
        """Plain data, for JSON."""
        return {"sum": [t.to_spec() for t in self.terms], "constant": self.constant}


@dataclass(frozen=True, eq=False)
class Product(Node):
    """The product of at least two sums.

    Parameters
    ----------
    factors : tuple of Sum
    """

    factors: tuple[Sum, ...]

    def __post_init__(self):
        object.__setattr__(self, "factors", tuple(self.factors))
        if len(self.factors) < 2 or not all(isinstance(f, Sum) for f in self.factors):
            raise FormulaError("a Product needs at least two factors, each a Sum.")
        if self.bound > _LARGEST_PRODUCT:
            raise FormulaError(
                f"a product could grow to {self.bound:.3g}: limit its factors by Min and Max, or nest them in terms."
            )

    @property
    def arguments(self):
        """Its factors."""
        return list(self.factors)

    @cached_property
    def bound(self):
        """A number that the product does not exceed in size (infinite beyond 1e308)."""
        logs = sum(math.log10(f.bound) if f.bound else -math.inf for f in self.factors)
        return 10**logs if logs < 308 else math.inf

    @property
    def own_complexity(self):
        """Multiplications; the factors are nodes of their own."""
        return len(self.factors) - 1

    def to_spec(self):
        """Plain data, for JSON."""
        return {"product": [f.to_spec() for f in self.factors]}


def node_from_spec(spec):
    """A `Sum` or a `Product` from what its ``to_spec`` gave."""
    if "product" in spec:
        return Product([node_from_spec(f) for f in spec["product"]])
    return Sum(spec["constant"], [Term.from_spec(t) for t in spec["sum"]])


def _finite(value, name):
    value = float(value)
    if not math.isfinite(value):
        raise FormulaError(f"{name} must be a finite number, not {value}.")
    return value
