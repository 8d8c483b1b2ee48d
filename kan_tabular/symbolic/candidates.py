"""The functions that a curve may turn out to be.

A curve is sought as ``c f(a x + b) + d``. For many f one of the four constants says nothing new (``exp(x + b)`` is a
multiple of ``exp(x)``), so each candidate names the constants that are *free*: what is left is identified, and has
standard errors. Sine and cosine are one candidate, and so are tanh and the sigmoid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

__all__ = ["LIBRARY", "Candidate", "read_candidates"]

#: The free constants a candidate may have.
_FREE = ("", "a", "b", "ab")
_UNBOUNDED = (-np.inf, np.inf)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A function f for ``c f(a x + b) + d``.

    A new one takes its formula, and whether a and b are both free::

        import sympy
        from kan_tabular.symbolic import Candidate

        softsign = Candidate("softsign", lambda u: u / (1 + sympy.Abs(u)), monotone=True)

    Parameters
    ----------
    name : str
    formula : callable
        From a sympy expression u to the sympy expression f(u).
    value, derivative : callable, optional
        f and its derivative on arrays; by default what sympy makes of `formula`.
    free : {"ab", "a", "b", ""}
        Which constants inside f are sought; "" is for the straight line. Without "a", a is 1 or (with `mirrored`) -1,
        which needs a `scale`; without "b", b is 0.
    domain : (float, float)
        Where f may be asked: ``a x + b`` stays inside it over the range of the column.
    margin : float
        Distance that ``a x + b`` keeps from the ends of the domain; for a free "b" alone as a share of half the range
        of the column. Poles want one.
    mirrored : bool
        Whether f(-u) is another shape than a multiple of f(u).
    scale : float or "log", optional
        For a free "b": f(k u) is k^scale f(u), or f(u) plus a constant.
    parity : {"odd", "even"}, optional
        With it a free "a" is positive.
    monotone : bool
        Whether f never turns over its domain.
    periodic : bool
    smooth : bool
        Whether its constants can be found by following derivatives; otherwise all of `grid` is tried.
    complexity : int
        Cost of naming the function, in the units of `kan_tabular.symbolic.edge` (about that of a digit).
    steepest : float
        Largest size of a, for arguments scaled to [-1, 1].
    """

    name: str
    formula: Callable
    value: Callable | None = None
    derivative: Callable | None = None
    free: str = "ab"
    domain: tuple[float, float] = _UNBOUNDED
    margin: float = 0.0
    mirrored: bool = False
    scale: float | str | None = None
    parity: str | None = None
    monotone: bool = False
    periodic: bool = False
    smooth: bool = True
    complexity: int = 2
    steepest: float = 30.0
    _made: dict = field(default_factory=dict, repr=False)

    def __post_init__(self):
        if self.free not in _FREE:
            raise ValueError(f"candidate {self.name!r}: free={self.free!r}, expected one of {', '.join(_FREE)}.")
        if (self.free == "") != (self.name == "linear"):
            raise ValueError(f"candidate {self.name!r}: free='' is for 'linear' only.")
        if self.free == "b" and self.scale is None:
            raise ValueError(f"candidate {self.name!r}: free='b' needs scale, so that a says nothing new; or use 'ab'.")
        if self.value is None or self.derivative is None:
            import sympy

            u = sympy.Symbol("u", real=True)
            expression = self.formula(u)
            if expression.free_symbols - {u}:
                raise ValueError(f"candidate {self.name!r}: its formula must hold no other symbol than its argument.")
            for name, e in (("value", expression), ("derivative", sympy.diff(expression, u))):
                if getattr(self, name) is None:
                    object.__setattr__(self, name, _vectorised(u, e))

    @property
    def n_constants(self):
        """Constants inside f."""
        return len(self.free)

    @cached_property
    def everywhere(self):
        """Whether f exists for every argument."""
        return bool(np.isinf(self.domain).all())

    @cached_property
    def starts(self):
        """Values of (a, b) to start from where the column runs over [-1, 1]: (S, 2)."""
        signs = (1.0, -1.0) if self.mirrored else (1.0,)
        if self.free == "":
            return np.array([(s, 0.0) for s in signs])
        if self.free == "a":
            return np.array([(s * a, 0.0) for s in signs for a in np.geomspace(0.1, 12, 16)])
        if self.free == "b":
            low, high = self.domain
            if np.isinf(low) and np.isinf(high):
                inside = np.linspace(-0.98, 0.98, 33)
                shifts = inside if not self.smooth else np.concatenate([inside, [-3, -2, -1.4, -1.1, 1.1, 1.4, 2, 3]])
            else:
                shifts = low + 1 + self.margin + np.concatenate([[0.0], np.geomspace(0.01, 6, 17)])
            return np.array([(s, b) for s in signs for b in shifts])
        if self.periodic:
            phases = np.arange(4) * np.pi / 4
            return np.array([(a, p) for a in (0.8, 1.3, *np.arange(2, self.steepest, 0.8)) for p in phases])
        if np.isfinite(self.domain).all():
            low, high = self.domain[0] + self.margin, self.domain[1] - self.margin
            half, middle = (high - low) / 2, (high + low) / 2
            shares = [(r, o) for r in (0.2, 0.4, 0.6, 0.8, 0.9, 0.97, 1.0) for o in np.linspace(-1, 1, 9)]
            return np.array([(s * half * r, middle + half * (1 - r) * o) for s in signs for r, o in shares])
        slopes, centers = np.geomspace(0.4, 24, 9), np.linspace(-1.5, 1.5, 16)
        return np.array([(s * a, -s * a * t) for s in signs for a in slopes for t in centers])

    def bounded(self, a, b):
        """The nearest (a, b) with ``a t + b`` in the domain for all t in [-1, 1]; neither absurdly steep nor far."""
        return bounded(self.limits, a, b)

    @cached_property
    def limits(self):
        """What `bounded` keeps to: steepest a, lowest and highest argument, how far b may be at a = 0, its growth."""
        low, high = self.domain[0] + self.margin, self.domain[1] - self.margin
        steep = min(self.steepest, (high - low) / 2) if "a" in self.free else np.inf
        if "b" not in self.free:
            return steep, -np.inf, np.inf, np.inf, 0.0
        return steep, low, high, 8.0, 0.0 if self.free == "b" else 3.0


def bounded(limits, a, b):
    """The nearest (a, b) within the limits of candidates: `limits` (5, ...), a and b (...)."""
    steep, low, high, far, growth = limits
    a = np.minimum(np.maximum(a, -steep), steep)
    reach = np.abs(a)
    far = far + growth * reach
    b = np.minimum(np.maximum(b, np.maximum(low + reach, -far)), np.minimum(high - reach, far + np.maximum(low, 0)))
    return a, b


def _vectorised(u, expression):
    """A NumPy function of one array, also where the expression is constant."""
    import sympy

    function = sympy.lambdify(u, expression, modules=["scipy", "numpy"])
    return lambda x: np.broadcast_to(np.asarray(function(x), dtype=float), np.shape(x))


def _power(name, p, complexity, **options):
    def formula(u):
        import sympy

        return u ** (int(p) if p == int(p) else sympy.Rational(p))

    def value(u):
        """By multiplication: powers are slow."""
        root = np.sqrt(u) if p % 1 else 1.0
        whole = int(np.floor(abs(p)))
        out = root
        for _ in range(whole):
            out = out * u
        return out if p > 0 else 1.0 / out

    derivative = _DERIVATIVES.get(p, lambda u: p * value(u) / u)
    return Candidate(name, formula, value, derivative, "b", scale=float(p), complexity=complexity, **options)


#: Where the argument may be zero. A root ends with a vertical slope, which would be all that a fit sees.
_DERIVATIVES = {
    2: lambda u: 2 * u,
    3: lambda u: 3 * u * u,
    4: lambda u: 4 * u * u * u,
    5: lambda u: 5 * (u * u) ** 2,
    0.5: lambda u: 0.5 / np.sqrt(np.maximum(u, 1e-4)),
    1.5: lambda u: 1.5 * np.sqrt(u),
}


def _sympy(name):
    def formula(u):
        import sympy

        return getattr(sympy, name)(u)

    return formula


def _hinge(u):
    import sympy

    return sympy.Max(u, 0)


def _step(u):
    import sympy

    return sympy.Piecewise((1, u > 0), (0, True))


def _gaussian(u):
    import sympy

    return sympy.exp(-(u**2))


_POSITIVE = {"domain": (0.0, np.inf), "mirrored": True, "monotone": True}
_HALF_PI = np.pi / 2

#: The candidates tried by default.
LIBRARY = (
    Candidate("linear", lambda u: u, lambda u: u, np.ones_like, "", monotone=True, complexity=1),
    _power("square", 2, 2),
    _power("cube", 3, 3, monotone=True),
    _power("power 4", 4, 4),
    _power("power 5", 5, 4, monotone=True),
    _power("sqrt", 0.5, 2, margin=0.0, **_POSITIVE),
    _power("power 1.5", 1.5, 3, margin=0.0, **_POSITIVE),
    _power("1/x", -1.0, 2, margin=0.08, **_POSITIVE),
    _power("1/x^2", -2.0, 3, margin=0.08, **_POSITIVE),
    _power("1/x^3", -3.0, 4, margin=0.08, **_POSITIVE),
    _power("1/sqrt", -0.5, 3, margin=0.04, **_POSITIVE),
    Candidate("log", _sympy("log"), np.log, lambda u: 1 / u, "b", margin=0.01, scale="log", **_POSITIVE),
    Candidate("exp", _sympy("exp"), np.exp, np.exp, "a", mirrored=True, monotone=True, steepest=20.0),
    Candidate("sin", _sympy("sin"), np.sin, np.cos, parity="odd", periodic=True, steepest=25.0, complexity=3),
    Candidate(
        "tan", _sympy("tan"), np.tan, lambda u: 1 + np.tan(u) ** 2, domain=(-_HALF_PI, _HALF_PI), margin=0.1,
        parity="odd", monotone=True, complexity=4,
    ),
    Candidate("tanh", _sympy("tanh"), np.tanh, lambda u: 1 - np.tanh(u) ** 2, parity="odd", monotone=True),
    Candidate(
        "arctan", _sympy("atan"), np.arctan, lambda u: 1 / (1 + u * u), parity="odd", monotone=True, complexity=4,
    ),
    Candidate(
        "arcsin", _sympy("asin"), np.arcsin, lambda u: 1 / np.sqrt(np.maximum(1 - u * u, 1e-9)), domain=(-1.0, 1.0),
        parity="odd", monotone=True, complexity=5,
    ),
    Candidate(
        "arctanh", _sympy("atanh"), np.arctanh, lambda u: 1 / (1 - u * u), domain=(-1.0, 1.0), margin=0.002,
        parity="odd", monotone=True, complexity=5,
    ),
    Candidate(
        "gaussian", _gaussian, lambda u: np.exp(-u * u), lambda u: -2 * u * np.exp(-u * u), parity="even", complexity=3,
    ),
    Candidate("abs", _sympy("Abs"), np.abs, np.sign, "b", scale=1.0, complexity=3),
    Candidate(
        "hinge", _hinge, lambda u: np.maximum(u, 0.0), lambda u: (u > 0) * 1.0, "b", mirrored=True, scale=1.0,
        monotone=True,
    ),
    Candidate(
        "step", _step, lambda u: (u > 0) * 1.0, np.zeros_like, "b", scale=0.0, monotone=True, smooth=False,
    ),
)  # fmt: skip

_BY_NAME = {c.name: c for c in LIBRARY}


def read_candidates(candidates):
    """The candidates that a user asked for: None (all of `LIBRARY`), or names and instances of `Candidate`.

    Raises
    ------
    ValueError
        For a name that is not in `LIBRARY`, something else, or none at all.
    """
    if candidates is None:
        return LIBRARY
    if isinstance(candidates, (str, Candidate)) or not hasattr(candidates, "__iter__"):
        raise ValueError(f"candidates={candidates!r}: expected a list of names or of Candidate instances.")
    chosen = []
    for c in candidates:
        if not isinstance(c, Candidate):
            if c not in _BY_NAME:
                raise ValueError(f"candidates names {c!r}: expected a Candidate, or one of {', '.join(_BY_NAME)}.")
            c = _BY_NAME[c]
        chosen.append(c)
    if not chosen:
        raise ValueError("candidates is empty: give at least one, such as 'linear'.")
    return tuple(chosen)
