"""A family beside the straight line, for families that cannot draw one."""

from __future__ import annotations

from copy import copy

import numpy as np
from array_api_compat import array_namespace

from kan_tabular.bases.base import Basis


class BesideLine(Basis):
    """A line, then functions of `family`: what is learned, and how it is refined, is the family's."""

    family: Basis

    @property
    def linear(self):
        return self.family.linear

    @property
    def sizes(self):
        return self.family.sizes

    def parameters(self):
        return self.family.parameters()

    def at(self, parameters):
        """This basis with `parameters` in place of the start."""
        return self._of(self.family.at(parameters))

    def refined(self, size, coefficients, parameters):
        """As the family's; what was done to its functions stays (see `Basis.refined`)."""
        family, own, parameters = self.family.refined(size, coefficients[..., 1:], parameters)
        return self._of(family), np.concatenate([coefficients[..., :1], own], axis=-1), parameters

    def _of(self, family):
        basis = copy(self)
        basis.family = family
        return basis


class WithLine(BesideLine):
    """The line ``z = (2 x - low - high) / (high - low)``, then the functions of a family placed on [low, high].

    What the additive model's penalty leaves alone is the line, and a network's first layer starts with it; so every
    family gets one. It is held constant where the family trimmed a tail.

    Parameters
    ----------
    family : Basis
        Fitted.
    """

    name = "with_line"

    def __init__(self, family):
        self.family = family

    def fit(self, x, weights=None):
        self.family.fit(x, weights)
        return self

    @property
    def n_functions(self):
        return 1 + self.family.n_functions

    @property
    def domain(self):
        return self.family.domain

    @property
    def hold_(self):
        """Whether each end was moved in (see `IntervalBasis`)."""
        return self.family.hold_

    def _line(self, x):
        low, high = self.domain
        held_low, held_high = self.hold_
        if held_low or held_high:
            x = array_namespace(x).clip(x, low if held_low else None, high if held_high else None)
        return ((x - low) - (high - x)) / ((high - low) or 1.0)  # exact at both ends

    def evaluate(self, x, parameters=None):
        family = self.family.at(parameters) if parameters else self.family
        return self._side_by_side([self._line(x)[..., None], family.evaluate(x)])

    def derivative(self, x, order=1, parameters=None):
        if order == 0:
            return self.evaluate(x, parameters)
        xp = array_namespace(x)
        low, high = self.domain
        held_low, held_high = self.hold_
        moves = xp.ones_like(x) * (2 / ((high - low) or 1.0) if order == 1 else 0.0)
        if held_low:
            moves = moves * (x >= low)
        if held_high:
            moves = moves * (x <= high)
        family = self.family.at(parameters) if parameters else self.family
        return self._side_by_side([moves[..., None], family.derivative(x, order)])

    def penalty(self):
        S = np.zeros((self.n_functions, self.n_functions))
        S[1:, 1:] = self.family.penalty()
        return S

    def line(self):
        return np.eye(self.n_functions)[0]

    def to_sympy(self, coefficients, symbol):
        import sympy

        low, high = map(float, self.domain)
        held_low, held_high = self.hold_
        x = sympy.Max(symbol, low) if held_low else symbol
        x = sympy.Min(x, high) if held_high else x
        z = (2 * x - (low + high)) / ((high - low) or 1.0)
        return float(coefficients[0]) * z + self.family.to_sympy(coefficients[1:], symbol)

    def to_spec(self):
        return {"name": self.name, "family": self.family.to_spec()}

    @classmethod
    def from_spec(cls, spec):
        from kan_tabular.bases import basis_from_spec

        return cls(basis_from_spec(spec["family"]))
