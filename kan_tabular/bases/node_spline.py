"""Cubic splines of a hidden node: any real input, softly clipped into a fixed range."""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from kan_tabular.bases.base import Basis
from kan_tabular.bases.quadrature import integrated_products

#: The clip sends every real number into (-_RANGE, _RANGE).
_RANGE = 3.0


class NodeSpline(Basis):
    """Cubic splines on `grid_size` equal intervals of the softly clipped input.

    ``u = h / sqrt(1 + (h / 3)^2)`` lies in (-3, 3) for every h (Holzmueller, Grinsztajn and Steinwart 2024, RealMLP),
    so nothing ever leaves the grid and the curve levels off far outside: no grid updates and no batch statistics.
    The functions are ``v, v^2, v^3`` with ``v = u / 3`` and one *bend* a knot: ``((t - u) / (3 + t))_+^3`` for knots t
    left of the centre, ``((u - t) / (3 - t))_+^3`` for the others. With the constants (a layer's bias) they span all
    cubic splines with those knots. One-sided powers of both sides are well conditioned, unlike those of one side, and
    cost three products each: no recursion, no scatter, no gather.

    Parameters
    ----------
    grid_size : int, default=5
        Intervals between -3 and 3.
    """

    name = "node_spline"

    def __init__(self, grid_size=5):
        self.grid_size = grid_size
        knots = -_RANGE + 2 * _RANGE * np.arange(1, grid_size) / grid_size
        #: Slope of each bend's argument in u (its sign is the side it grows to) and the argument at u = 0.
        self.slopes = np.where(knots < -1e-9, -1.0, 1.0) / (_RANGE - np.abs(knots))
        self.starts = -self.slopes * knots

    def fit(self, x, weights=None):
        return self

    @property
    def n_functions(self):
        return 3 + len(self.slopes)

    @property
    def domain(self):
        return -np.inf, np.inf

    def functions(self, x):
        """Values at `x` of any shape, a list of K arrays of that shape."""
        xp = array_namespace(x)
        v = x / xp.sqrt(x * x + _RANGE**2)
        out = [v, v * v, v * v * v]
        for a, b in zip((_RANGE * self.slopes).tolist(), self.starts.tolist(), strict=True):
            reach = xp.clip(a * v + b, 0.0, None)
            out.append(reach * reach * reach)  # a power would call pow() for every number
        return out

    def evaluate(self, x):
        """Values at `x` of any shape: (..., K)."""
        return array_namespace(x).stack(self.functions(x), axis=-1)

    def derivative(self, x, order=1):
        if order != 1:
            raise ValueError(f"order={order}: only the first derivative of a hidden node's curves is offered")
        xp = array_namespace(x)
        root = 1 / xp.sqrt(1 + (x / _RANGE) ** 2)
        u, du = x * root, root**3
        v = u / _RANGE
        bends = [
            3 * float(a) * xp.clip(float(a) * u + float(b), 0.0, None) ** 2
            for a, b in zip(self.slopes, self.starts, strict=True)
        ]
        parts = [xp.ones_like(v) / _RANGE, 2 * v / _RANGE, 3 * v**2 / _RANGE, *bends]
        return xp.stack(parts, axis=-1) * du[..., None]

    def penalty(self):
        """Integrated squared second derivative in u over (-3, 3)."""

        def second(u):
            bends = [6 * a**2 * np.clip(a * u + b, 0.0, None) for a, b in zip(self.slopes, self.starts, strict=True)]
            return np.stack([0 * u, 0 * u + 2 / _RANGE**2, 6 * u / _RANGE**3, *bends], axis=-1)

        # Second derivatives are linear between knots.
        return integrated_products(second, np.linspace(-_RANGE, _RANGE, self.grid_size + 1), 2)

    def refined(self, size, coefficients, parameters):
        """The same curves on a finer grid, a multiple of this one: every knot is kept (see `Basis.refined`)."""
        if size % self.grid_size:
            raise ValueError(f"grid_size={size}: expected a multiple of {self.grid_size}, which keeps its knots.")
        basis, step = NodeSpline(size), size // self.grid_size
        kept = np.concatenate([np.arange(3), 3 + step * np.arange(1, self.grid_size) - 1])
        out = np.zeros((*coefficients.shape[:-1], basis.n_functions))
        out[..., kept] = coefficients
        return basis, out, parameters

    def to_sympy(self, coefficients, symbol):
        import sympy

        u = symbol / sympy.sqrt(1 + (symbol / 3) ** 2)
        v = u / 3
        bends = [sympy.Max(0, float(a) * u + float(b)) ** 3 for a, b in zip(self.slopes, self.starts, strict=True)]
        return sum(float(c) * f for c, f in zip(coefficients, [v, v**2, v**3, *bends], strict=True))

    def to_spec(self):
        return {"name": self.name, "grid_size": self.grid_size}

    @classmethod
    def from_spec(cls, spec):
        return cls(spec["grid_size"])
