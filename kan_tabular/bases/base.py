"""The contract every basis family fulfils."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod

import numpy as np
from array_api_compat import array_namespace


class Basis(ABC):
    """K functions of one input, shared by all its outputs and linear in their coefficients.

    A basis is fitted to one column, then evaluated anywhere: it is finite for every finite input, never depends on
    the other rows of a batch, and documents what it does outside the training range. `evaluate` is written once
    against the array API, so the same code takes NumPy arrays and torch tensors (with gradients).

    Families with nonlinear parameters (class B) name them in `parameters`; their `evaluate` takes values for them.
    """

    #: name under which the family is registered and saved
    name: str
    #: False where columns and nodes of networks learn the shape of the functions (class B)
    linear = True
    #: sizes to go through while a network trains, coarse to fine (see `refined`); empty where there is only one
    sizes = ()
    #: how many sets of nonlinear parameters a hidden layer has, each shared by neighbouring nodes; None: a node its own
    n_groups = None

    @property
    @abstractmethod
    def n_functions(self) -> int:
        """Number of functions K."""

    @property
    @abstractmethod
    def domain(self) -> tuple[float, float]:
        """Interval on which the functions have their own shape; outside, the documented continuation holds."""

    @abstractmethod
    def fit(self, x: np.ndarray, weights: np.ndarray | None = None) -> Basis:
        """Place the functions for the values `x` (n,), finite, with frequencies `weights` (n,)."""

    def fit_unique(self, values: np.ndarray, counts: np.ndarray) -> Basis:
        """Fit to sorted distinct `values` (m,) with frequencies `counts` (m,)."""
        return self.fit(values, counts)

    @abstractmethod
    def evaluate(self, x):
        """Values of the K functions at `x` of any shape: array (..., K) of the same kind as `x`."""

    @abstractmethod
    def derivative(self, x, order: int = 1):
        """Derivatives of order 0 (the values), 1 or 2 at `x` of any shape: array (..., K)."""

    def parameters(self) -> dict[str, np.ndarray]:
        """Starting values (q,) of the nonlinear parameters of one node, by name; empty for linear families.

        Where there are any, ``evaluate(x, parameters)`` and ``derivative(x, order, parameters)`` take `x` of shape
        (..., n) and for each name an array (..., q): every node (leading axes) has its own; without them, the start.
        """
        return {}

    def refined(self, size, coefficients, parameters):
        """The same curves in a finer basis, for families that have `sizes`.

        Parameters
        ----------
        size : int
            Of the finer basis.
        coefficients : ndarray (..., K)
        parameters : dict of ndarray (..., q)
            Nonlinear parameters, by name; empty for linear families.

        Returns
        -------
        basis : Basis
        coefficients : ndarray (..., K')
        parameters : dict of ndarray (..., q')
            Exactly the same functions. A family with nonlinear parameters keeps its functions: K' is K.
        """
        raise ValueError(f"size={size}: {self.name} has one size only.")

    def line(self) -> np.ndarray | None:
        """Coefficients (K,) of a straight line in x (of any slope but 0, and any height); None where there is none.

        A linear family without one is used with the line beside it (`WithLine`).
        """
        return None

    @staticmethod
    def _side_by_side(parts):
        """Functions of several bases, arrays (..., K), as those of one; leading axes are broadcast."""
        xp = array_namespace(*parts)
        shape = np.broadcast_shapes(*(tuple(part.shape[:-1]) for part in parts))
        return xp.concat([xp.broadcast_to(part, (*shape, part.shape[-1])) for part in parts], axis=-1)

    @abstractmethod
    def penalty(self) -> np.ndarray:
        """Roughness matrix (K, K): ``c' S c`` is the roughness of the curve with coefficients ``c``."""

    @abstractmethod
    def to_sympy(self, coefficients, symbol):
        """The curve ``sum_k c_k phi_k(symbol)`` as a sympy expression."""

    def arguments(self) -> dict:
        """Constructor arguments: ``type(basis)(**basis.arguments())`` is the same family, not yet fitted."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.arguments().items())})"

    @abstractmethod
    def to_spec(self) -> dict:
        """Plain data from which `from_spec` rebuilds the basis."""

    @classmethod
    @abstractmethod
    def from_spec(cls, spec: dict) -> Basis:
        """Rebuild a basis from `to_spec`."""
