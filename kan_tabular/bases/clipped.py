"""Any family on a hidden node: softly clipped values, a line, and functions of one scale."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
from array_api_compat import array_namespace

from kan_tabular.bases.pool import Pool
from kan_tabular.bases.with_line import BesideLine

#: The clip sends every real number into (-_RANGE, _RANGE).
_RANGE = 3.0
_GRID = 601


class Clipped(BesideLine):
    """A family of functions of ``u = h / sqrt(1 + (h / 3)^2)``, beside the line ``u / 3``.

    The clip sends every real number into (-3, 3), on which the family is placed, so no continuation is ever needed.
    Each function is centred and scaled to the standard deviation of the line (over that interval, evenly), so that one
    strength of weight decay means the same for every family. The line comes first: networks start with it. A family
    with nonlinear parameters is centred and scaled at their start.

    Parameters
    ----------
    family : Basis
        A copy is placed; a function of the family that is itself the line is left out.
    """

    name = "clipped"

    def __init__(self, family):
        grid = np.linspace(-_RANGE, _RANGE, _GRID)
        self.family = deepcopy(family).fit(grid)
        values = self.family.evaluate(grid)
        centred, unit = values - values.mean(0), grid / np.linalg.norm(grid)
        spread, along = values.std(0), np.abs(unit @ centred) / np.sqrt(_GRID)
        moves = spread > 1e-9 * max(spread.max(initial=0.0), 1e-300)
        straight = along > (1 - 1e-9) * spread
        straight &= _stays_straight(self.family)
        self.kept = np.flatnonzero(moves & ~straight)
        self.means = values.mean(0)[self.kept]
        self.scales = (grid / _RANGE).std() / spread[self.kept]

    def fit(self, x, weights=None):
        return self

    @property
    def n_functions(self):
        return 1 + len(self.kept)

    @property
    def domain(self):
        return -np.inf, np.inf

    @property
    def n_groups(self):
        return self.family.n_groups

    def _own(self, values):
        """The functions that are used, centred and scaled."""
        xp = array_namespace(values)
        kind = {"dtype": values.dtype, "device": values.device}
        if len(self.kept) < values.shape[-1]:
            values = xp.take(values, xp.asarray(self.kept, device=values.device), axis=-1)
        return (values - xp.asarray(self.means, **kind)) * xp.asarray(self.scales, **kind)

    def evaluate(self, x, parameters=None):
        """Values at `x` of any shape: (..., K)."""
        xp = array_namespace(x)
        v = x / xp.sqrt(x * x + _RANGE**2)
        values = self.family.evaluate(_RANGE * v, *([parameters] if parameters else []))
        return xp.concat([v[..., None], self._own(values)], axis=-1)

    def functions(self, x, parameters=None):
        """Values at `x` of any shape, a list of K arrays of that shape."""
        values = self.evaluate(x, parameters)
        return [values[..., k] for k in range(self.n_functions)]

    def derivative(self, x, order=1, parameters=None):
        if order != 1:
            raise ValueError(f"order={order}: only the first derivative of a hidden node's curves is offered")
        xp = array_namespace(x)
        root = 1 / xp.sqrt(1 + (x / _RANGE) ** 2)
        slopes = self.family.derivative(x * root, 1, *([parameters] if parameters else []))
        scales = xp.asarray(self.scales, dtype=x.dtype, device=x.device)
        if len(self.kept) < slopes.shape[-1]:
            slopes = xp.take(slopes, xp.asarray(self.kept, device=x.device), axis=-1)
        line = xp.ones_like(x)[..., None] / _RANGE
        return xp.concat([line, slopes * scales], axis=-1) * (root**3)[..., None]

    def penalty(self):
        """The family's own roughness; the line has none."""
        S = np.zeros((self.n_functions, self.n_functions))
        S[1:, 1:] = self.family.penalty()[np.ix_(self.kept, self.kept)] * np.outer(self.scales, self.scales)
        return S

    def gram(self, parameters=None):
        """Inner products of the functions over the clipped values, evenly: (K, K), or (..., K, K) with (..., q)."""
        u = np.linspace(-_RANGE, _RANGE, _GRID)
        own = self._own(self.family.evaluate(u, *([parameters] if parameters else [])))
        values = self._side_by_side([u[:, None] / _RANGE, own])
        return np.swapaxes(values, -1, -2) @ values / len(u)

    def to_sympy(self, coefficients, symbol):
        import sympy

        u = symbol / sympy.sqrt(1 + (symbol / 3) ** 2)
        own = np.zeros(self.family.n_functions)
        own[self.kept] = np.asarray(coefficients[1:]) * self.scales
        constant = float(np.asarray(coefficients[1:]) @ (self.means * self.scales))
        return float(coefficients[0]) * u / 3 + self.family.to_sympy(own, u) - constant

    def to_spec(self):
        return {
            "name": self.name,
            "family": self.family.to_spec(),
            "kept": self.kept.tolist(),
            "means": self.means.tolist(),
            "scales": self.scales.tolist(),
        }

    @classmethod
    def from_spec(cls, spec):
        from kan_tabular.bases import basis_from_spec

        basis = object.__new__(cls)
        basis.family = basis_from_spec(spec["family"])
        basis.kept = np.asarray(spec["kept"], int)
        basis.means, basis.scales = np.asarray(spec["means"], float), np.asarray(spec["scales"], float)
        return basis


def _stays_straight(family):
    """Which functions (K,) are straight for good if they are so now: those with nothing to learn, and the line."""
    if isinstance(family, Pool):
        return np.concatenate([_stays_straight(space) for space in family.spaces_])
    if family.linear:
        return np.ones(family.n_functions, dtype=bool)
    line = family.line()
    return np.zeros(family.n_functions, dtype=bool) if line is None else line != 0
