"""Families on an interval whose shape has parameters that a node learns (class B)."""

from __future__ import annotations

from abc import abstractmethod
from copy import copy

import numpy as np
from array_api_compat import array_namespace

from kan_tabular.bases.interval import IntervalBasis


class ParametricBasis(IntervalBasis):
    """K functions on an interval whose shape has nonlinear parameters, one vector (q,) a name and node.

    ``evaluate(x, parameters)`` takes `x` (..., n) and arrays (..., q): every node, in the leading axes, has its own,
    and gradients reach them. Nodes that share parameters (groups) are given the same array, or one that broadcasts.
    `at` is the basis of one node with its learned parameters, for formulas, penalties and saving; `fit` returns to the
    start.

    A family gives `_start` and reads its parameters in `_functions` by `_values`.
    """

    linear = False
    at_ = None

    @abstractmethod
    def _start(self):
        """Starting values (q,) by name."""

    @property
    def _own(self):
        """The parameters in use, by name: learned ones or the start."""
        return self._start() if self.at_ is None else self.at_

    def fit_unique(self, values, counts):
        self.at_ = None
        return super().fit_unique(values, counts)

    def parameters(self):
        return {name: np.array(values, float) for name, values in self._own.items()}

    def at(self, parameters):
        """This basis with `parameters` in place of the start."""
        basis = copy(self)
        basis.at_ = dict(parameters)
        return basis

    def unit(self):
        """The same functions with [-1, 1] as their range: what columns of other units see by `scaled`."""
        basis = copy(self)
        basis.low_, basis.high_, basis.hold_ = -1.0, 1.0, [False, False]
        return basis

    def scaled(self, x):
        """`x` as `unit` takes it: [-1, 1] over the training range, held where an end was moved in."""
        low, high = (end if held else None for end, held in zip((-1.0, 1.0), self._constant, strict=True))
        z = self._z(x)
        return z if low is high is None else array_namespace(x).clip(z, low, high)

    def evaluate(self, x, parameters=None):
        return super().evaluate(x) if parameters is None else self.at(parameters).evaluate(x)

    def derivative(self, x, order=1, parameters=None):
        return super().derivative(x, order) if parameters is None else self.at(parameters).derivative(x, order)

    def _values(self, name, like):
        """The parameter's values as an array of the kind of `like`, in use."""
        xp, values = array_namespace(like), self._own[name]
        if isinstance(values, np.ndarray):
            values = xp.asarray(values, device=like.device)
        return xp.astype(values, like.dtype)

    @staticmethod
    def _per_node(values):
        """Split (..., q) into q arrays that meet an input (..., n)."""
        return [values[..., j] if values.ndim == 1 else values[..., j, None] for j in range(values.shape[-1])]

    def to_spec(self):
        return {**super().to_spec(), "parameters": {name: v.tolist() for name, v in self.parameters().items()}}

    @classmethod
    def from_spec(cls, spec):
        own = dict(spec)
        values = {name: np.asarray(v, float) for name, v in own.pop("parameters").items()}
        return super().from_spec(own).at(values)
