"""Forms of formulas in which columns meet: a function of the whole, and what is inside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Numbers below this share of the largest count as zero where that has no inverse.
_SMALL = 1e-7


def _sympy(name):
    def of(s, sign):
        import sympy

        return getattr(sympy, name)(s)

    return of


@dataclass(frozen=True)
class Outer:
    """A function g, its derivative, rows where it may be used, and y from ``s = g(y)`` (`sign`: that of most y)."""

    name: str
    g: object
    slope: object
    allowed: object
    inverse: object
    needs: str | None
    size: int = 1


def _one_sign(y):
    sign = 1 if y.mean() >= 0 else -1
    return sign * y > _SMALL * np.abs(y).max()


OUTERS = (
    Outer("y", lambda y: y, np.ones_like, lambda y: np.isfinite(y), lambda s, sign: s, None, 0),
    Outer("1/y", lambda y: 1 / y, lambda y: y**-2.0, _one_sign, lambda s, sign: 1 / s, "1/x"),
    Outer("y^2", lambda y: y**2, lambda y: 2 * np.abs(y), _one_sign, lambda s, sign: sign * s**_half(), "sqrt"),
    Outer("1/y^2", lambda y: y**-2.0, lambda y: 2 * np.abs(y) ** -3.0, _one_sign,
          lambda s, sign: sign * s ** -_half(), "1/sqrt"),
    Outer("log", lambda y: np.log(np.abs(y)), lambda y: 1 / np.abs(y), _one_sign,
          lambda s, sign: sign * _sympy("exp")(s, sign), "exp"),
    Outer("exp", np.exp, np.exp, lambda y: np.abs(y) < 12, _sympy("log"), "log"),
    Outer("sqrt", lambda y: np.sqrt(np.abs(y)), lambda y: 0.5 / np.sqrt(np.abs(y)), _one_sign,
          lambda s, sign: sign * s**2, "square"),
    Outer("sin", np.sin, lambda y: np.maximum(np.cos(y), 1e-3), lambda y: np.abs(y) <= np.pi / 2,
          _sympy("asin"), "arcsin"),
    Outer("cos", np.cos, lambda y: np.maximum(np.sin(y), 1e-3),
          lambda y: (y >= 0) & (y <= np.pi), _sympy("acos"), "arcsin"),
    Outer("tan", np.tan, lambda y: 1 + np.tan(y) ** 2, lambda y: np.abs(y) < 1.55, _sympy("atan"), "arctan"),
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
