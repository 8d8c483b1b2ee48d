"""Several families side by side, of which one is to be chosen."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
from scipy.linalg import block_diag

from kan_tabular.bases.base import Basis


class Pool(Basis):
    """The functions of all `spaces`, one after the other.

    Nonlinear parameters are named ``"<position of the space>_<name>"``.

    Parameters
    ----------
    spaces : sequence of Basis
        The pool fits copies of its own.

    Attributes
    ----------
    owner : ndarray of int (K,)
        The space that each function belongs to.
    """

    name = "pool"

    def __init__(self, spaces):
        self.spaces = spaces
        self.spaces_ = list(spaces)

    def fit(self, x, weights=None):
        self.spaces_ = [deepcopy(space).fit(x, weights) for space in self.spaces]
        return self

    @property
    def linear(self):
        return all(space.linear for space in self.spaces_)

    def parameters(self):
        return {f"{s}_{name}": v for s, space in enumerate(self.spaces_) for name, v in space.parameters().items()}

    def at(self, parameters):
        """This pool with `parameters` in place of the start."""
        pool = Pool(self.spaces)
        pool.spaces_ = [
            space if space.linear else space.at({name: parameters[f"{s}_{name}"] for name in space.parameters()})
            for s, space in enumerate(self.spaces_)
        ]
        return pool

    @property
    def owner(self):
        return np.repeat(np.arange(len(self.spaces_)), [space.n_functions for space in self.spaces_])

    @property
    def n_functions(self):
        return sum(space.n_functions for space in self.spaces_)

    @property
    def domain(self):
        low, high = zip(*(space.domain for space in self.spaces_), strict=True)
        return min(low), max(high)

    def evaluate(self, x, parameters=None):
        return self._functions("evaluate", x, parameters)

    def derivative(self, x, order=1, parameters=None):
        return self._functions("derivative", x, parameters, order)

    def _functions(self, method, x, parameters, *order):
        spaces = self.at(parameters).spaces_ if parameters else self.spaces_
        return self._side_by_side([getattr(space, method)(x, *order) for space in spaces])

    def penalty(self):
        return block_diag(*(space.penalty() for space in self.spaces_))

    def to_sympy(self, coefficients, symbol):
        cuts = np.cumsum([space.n_functions for space in self.spaces_])[:-1]
        parts = np.split(np.asarray(coefficients, float), cuts)
        return sum(space.to_sympy(c, symbol) for space, c in zip(self.spaces_, parts, strict=True) if np.any(c))

    def to_spec(self):
        return {"name": self.name, "spaces": [space.to_spec() for space in self.spaces_]}

    @classmethod
    def from_spec(cls, spec):
        from kan_tabular.bases import basis_from_spec

        return cls([basis_from_spec(s) for s in spec["spaces"]])
