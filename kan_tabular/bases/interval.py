"""Families that live on an interval: scaling, continuation outside, roughness and formulas in one place."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from array_api_compat import array_namespace

from kan_tabular.bases.base import Basis
from kan_tabular.bases.bspline import distinct, trimmed_range
from kan_tabular.bases.quadrature import integrated_products


class IntervalBasis(Basis):
    """K functions of ``z = (2 x - low - high) / (high - low)``, which is in [-1, 1] over the training range.

    **Outside the range curves continue linearly** with their slope at the end. A tail that lies more than 30 central
    widths (5% to 95%) away is trimmed as in `BSpline`: the end moves in, and curves are constant beyond it.

    A family gives `_functions` (values and derivatives in z) and `_expressions` (sympy), and what it needs beside its
    constructor's arguments by `_arguments`. One that places its functions by the data extends `_place`.
    """

    #: Whether the functions are constant beyond both ends, by their nature.
    flat_ends = False

    def fit(self, x, weights=None):
        return self.fit_unique(*distinct(x, weights))

    def fit_unique(self, values, counts):
        """Fit to sorted distinct `values` (m,) with frequencies `counts` (m,)."""
        self.low_, self.high_, self.hold_ = trimmed_range(values, counts)
        self._place(np.clip(self._z(values), -1.0, 1.0), counts)
        return self

    def _place(self, z, counts):
        """Choose what depends on the training values (m,), now in [-1, 1], with frequencies `counts` (m,)."""

    @abstractmethod
    def _functions(self, z, order):
        """Derivatives in z of the given order (0: values) at `z` in [-1, 1] of any shape: (..., K)."""

    def _expressions(self, z):
        """The K functions as sympy expressions of the sympy expression `z`; not needed where `_curve` is given."""
        raise NotImplementedError

    def _curve(self, coefficients, symbol):
        """The curve inside the range as a sympy expression."""
        expressions = self._expressions(self._scaled(symbol))
        return sum(float(c) * f for c, f in zip(coefficients, expressions, strict=True))

    def _scaled(self, symbol):
        low, high = float(self.low_), float(self.high_)
        return (2 * symbol - (low + high)) / ((high - low) or 1.0)

    def _arguments(self):
        """Constructor arguments and placed quantities that `_from_arguments` takes, as plain data."""
        return self.arguments()

    @property
    def domain(self):
        return self.low_, self.high_

    def _z(self, x):
        # Both differences are exact near the ends, so these map to -1 and 1 exactly, also with an offset of 1e6.
        return ((x - self.low_) - (self.high_ - x)) / ((self.high_ - self.low_) or 1.0)

    def evaluate(self, x):
        xp = array_namespace(x)
        z = self._z(x)
        inside = xp.clip(z, -1.0, 1.0)
        out = self._functions(inside, 0)
        beyond = self._beyond(z, inside)
        if xp.any(beyond != 0):
            out = out + self._functions(inside, 1) * beyond[..., None]
        return out

    @property
    def _constant(self):
        """Whether curves are constant beyond each end."""
        return [held or self.flat_ends for held in self.hold_]

    def _beyond(self, z, inside):
        """How far `z` lies outside, 0 where curves are held constant."""
        away = z - inside
        for end, held in zip((-1, 1), self._constant, strict=True):
            if held:
                away = away * (away * end <= 0)
        return away

    def derivative(self, x, order=1):
        if order not in (0, 1, 2):
            raise ValueError(f"order={order}: expected 0, 1 or 2.")
        if order == 0:
            return self.evaluate(x)
        z = self._z(x)
        inside = array_namespace(x).clip(z, -1.0, 1.0)
        keep = z == inside
        if order == 1:
            keep = keep | (self._beyond(z, inside) != 0)
        scale = (2 / ((self.high_ - self.low_) or 1.0)) ** order
        return scale * self._functions(inside, order) * keep[..., None]

    def penalty(self):
        """Integrated squared second derivative over the domain, in units of the domain's width."""
        return 8 * integrated_products(lambda z: self._functions(z, 2), [-1.0, 1.0], 8 * self.n_functions + 64)

    def to_sympy(self, coefficients, symbol):
        import sympy

        low, high = float(self.low_), float(self.high_)
        z, curve, ends = self._scaled(symbol), self._curve(coefficients, symbol), []
        for end, held in zip((-1.0, 1.0), self._constant, strict=True):
            at = np.array([end])
            value = float((self._functions(at, 0) @ coefficients)[0])
            slope = 0.0 if held else float((self._functions(at, 1) @ coefficients)[0])
            ends.append(value + slope * (z - end))
        return sympy.Piecewise((ends[0], symbol < low), (ends[1], symbol > high), (curve, True))

    def to_spec(self):
        return {"name": self.name, "low": self.low_, "high": self.high_, "hold": list(self.hold_), **self._arguments()}

    @classmethod
    def from_spec(cls, spec):
        own = {k: v for k, v in spec.items() if k not in ("name", "low", "high", "hold")}
        basis = cls._from_arguments(own)
        basis.low_, basis.high_, basis.hold_ = spec["low"], spec["high"], list(spec["hold"])
        return basis

    @classmethod
    def _from_arguments(cls, arguments):
        return cls(**arguments)
