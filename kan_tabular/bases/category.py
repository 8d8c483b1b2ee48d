"""Levels of a category as indicator functions."""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from kan_tabular.bases.base import Basis


class Category(Basis):
    """One indicator per level; the ridge penalty pulls the levels towards each other (partial pooling).

    Inputs are level codes 0 ... K - 1; any other code (an unseen level) has the value 0 in every function.

    Parameters
    ----------
    n_levels : int
        Number of levels K.
    """

    name = "category"

    def __init__(self, n_levels):
        self.n_levels = n_levels

    def fit(self, x, weights=None):
        return self

    @property
    def n_functions(self):
        return self.n_levels

    @property
    def domain(self):
        return 0.0, float(self.n_levels - 1)

    def evaluate(self, x):
        xp = array_namespace(x)
        levels = xp.arange(self.n_levels, dtype=x.dtype, device=x.device)
        return xp.astype(x[..., None] == levels, x.dtype)

    def derivative(self, x, order=1):
        raise TypeError("a category has no derivative: its levels have no order")

    def penalty(self):
        return np.eye(self.n_levels)

    def piecewise(self, coefficients):
        """The levels as steps of the code: see `BSpline.piecewise`; codes below 0 (unseen) have the value 0."""
        breaks = np.arange(self.n_levels, dtype=float)
        table = np.concatenate([np.zeros_like(coefficients[:1]), coefficients])
        return breaks, np.concatenate([[0.0], breaks]), table[:, None]

    def to_sympy(self, coefficients, symbol):
        import sympy

        pieces = [(float(c), sympy.Eq(symbol, k)) for k, c in enumerate(coefficients)]
        return sympy.Piecewise(*pieces, (0, True))

    def to_spec(self):
        return {"name": self.name, "n_levels": self.n_levels}

    @classmethod
    def from_spec(cls, spec):
        return cls(spec["n_levels"])
