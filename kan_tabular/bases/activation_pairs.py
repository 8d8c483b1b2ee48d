"""Pairs of shifted activations, combined."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np
from array_api_compat import array_namespace

from kan_tabular.bases.interval import IntervalBasis
from kan_tabular.bases.jet import Jet
from kan_tabular.bases.quadrature import integrated_products

#: Combinations of ``a = act(z - s)`` and ``b = act(e - z)``, for numbers, jets and sympy expressions alike.
COMBINATIONS = {
    "quad1": lambda a, b: (a * b) * (a * b),
    "quad2": lambda a, b: a * b + a * a + b * b,
    "sum": lambda a, b: a + b,
    "prod": lambda a, b: a * b,
    "sum_prod": lambda a, b: a + b + a * b,
    "cubic1": lambda a, b: (a + b) * (a * a + b * b),
    "cubic2": lambda a, b: (a * b) * (a * b) * (a * b),
}
#: GELU's usual approximation ``u sigmoid(c (u + d u^3))``: the array API has no erf.
_GELU = sqrt(8 / pi), 0.044715


def _sigmoid(xp, q, order):
    """Derivatives of the logistic function at `q` up to the given order."""
    s = 1 / (1 + xp.exp(-q))
    return [s, s * (1 - s), s * (1 - s) * (1 - 2 * s)][: order + 1]


def _silu(xp, u, order):
    return (Jet([u, 1.0, 0.0][: order + 1]) * Jet(_sigmoid(xp, u, order))).parts


def _gelu(xp, u, order):
    c, d = _GELU
    s = [*_sigmoid(xp, c * (u + d * u * u * u), order), 0.0, 0.0]
    q1, q2 = c * (1 + 3 * d * u * u), 6 * c * d * u
    gate = [s[0], s[1] * q1, s[2] * q1 * q1 + s[1] * q2][: order + 1]
    return (Jet([u, 1.0, 0.0][: order + 1]) * Jet(gate)).parts


def _softplus(xp, u, order):
    # u is never below -2 here, so exp(-u) cannot overflow.
    return [u + xp.log1p(xp.exp(-u)), *_sigmoid(xp, u, 1)][: order + 1]


def _relu(xp, u, order):
    # >=: at the ends of the range, where corners lie too, the slope is the one inside, with which curves continue.
    return [xp.clip(u, 0.0, None), xp.astype(u >= 0, u.dtype), 0 * u][: order + 1]


_ACTIVATIONS = {"silu": _silu, "gelu": _gelu, "softplus": _softplus, "relu": _relu}


class ActivationPairs(IntervalBasis):
    """Combinations of ``a_i = act(z - s_i)`` and ``b_i = act(e_i - z)``, each scaled to maximum 1; z the scaled input.

    ``s_i = -1 + (i - order) h`` and ``e_i = s_i + (order + 1) h`` with ``h = 2 / grid_size``, for i = 0 ...
    grid_size + order - 1: fixed, and shared by all inputs. The combinations: ``quad1 = (a b)^2``,
    ``quad2 = a b + a^2 + b^2``, ``sum = a + b``, ``prod = a b``, ``sum_prod = a + b + a b``,
    ``cubic1 = (a + b) (a^2 + b^2)``, ``cubic2 = (a b)^3``. Each function is divided by its largest absolute value on
    [-1, 1], a constant of the formula. (The public code scales by norms of the batch, so that a row's prediction
    depends on the rows beside it.) Outside the training range curves continue linearly.

    Parameters
    ----------
    grid_size : int, default=3
    order : int, default=3
    activation : {"silu", "gelu", "softplus", "relu"}, default="silu"
        ``gelu`` is the tanh approximation.
    combination : str, default="quad1"

    References
    ----------
    H.-T. Ta and A. Tran, *AF-KAN*, arXiv 2503.06112 (2025); there on [0, 1], here on [-1, 1]. Its attention
    across inputs, which leaves no curve of one input, is not part of this basis.
    """

    name = "activation_pairs"

    def __init__(self, grid_size=3, order=3, activation="silu", combination="quad1"):
        if activation not in _ACTIVATIONS:
            raise ValueError(f"activation={activation!r}: expected one of {sorted(_ACTIVATIONS)}.")
        if combination not in COMBINATIONS:
            raise ValueError(f"combination={combination!r}: expected one of {sorted(COMBINATIONS)}.")
        self.grid_size, self.order = grid_size, order
        self.activation, self.combination = activation, combination
        places = np.arange(grid_size + order)
        # Grid points are written as 2 j / g - 1 everywhere: exact at the ends, and corners on them to the last bit.
        self.starts = 2 * (places - order) / grid_size - 1
        self.ends = 2 * (places + 1) / grid_size - 1
        self.scales = np.ones(grid_size + order)
        self.scales = 1 / self._peaks()

    @property
    def n_functions(self):
        return len(self.scales)

    def _peaks(self):
        """Largest absolute value of each function on [-1, 1]: a grid, then a finer one around the best point."""
        grid = np.linspace(-1.0, 1.0, 2001)[:, None]
        z = grid * np.ones(self.n_functions)
        for step in (1e-3, 1e-6):
            best = np.abs(self._combined(z, 0)).argmax(0)
            z = np.clip(np.take_along_axis(z, best[None], 0) + step * grid, -1.0, 1.0)
        return np.abs(self._combined(z, 0)).max(0)

    def _functions(self, z, order):
        return self._combined(z[..., None], order)

    def _combined(self, z, order):
        """The functions at `z` (..., 1), or each at its own points (..., K)."""
        xp = array_namespace(z)
        starts, ends, scales = (
            xp.asarray(p, dtype=z.dtype, device=z.device) for p in (self.starts, self.ends, self.scales)
        )
        act = _ACTIVATIONS[self.activation]
        a = Jet(act(xp, z - starts, order))
        b = Jet((-1) ** d * part for d, part in enumerate(act(xp, ends - z, order)))
        return scales * COMBINATIONS[self.combination](a, b).parts[order]

    def penalty(self):
        """Integrated squared second derivative over the domain, in units of the domain's width.

        With ``relu``, whose curves have corners at the grid points, plus each corner's squared change of slope over the
        step of the grid, as in `PiecewiseLinear`.
        """
        if self.activation != "relu":
            return super().penalty()
        grid = 2 * np.arange(self.grid_size + 1) / self.grid_size - 1
        corners = grid[1:-1]
        change = self._functions(np.nextafter(corners, 2), 1) - self._functions(np.nextafter(corners, -2), 1)
        smooth = integrated_products(lambda z: self._functions(z, 2), grid, 8)
        return 8 * (smooth + change.T @ change * (self.grid_size / 2))

    def _expressions(self, z):
        import sympy

        c, d = _GELU
        act = {
            "silu": lambda u: u / (1 + sympy.exp(-u)),
            "gelu": lambda u: u / (1 + sympy.exp(-c * (u + d * u**3))),
            "softplus": lambda u: sympy.log(1 + sympy.exp(u)),
            "relu": lambda u: sympy.Max(0, u),
        }[self.activation]
        combine = COMBINATIONS[self.combination]
        places = zip(self.starts.tolist(), self.ends.tolist(), self.scales.tolist(), strict=True)
        return [scale * combine(act(z - s), act(e - z)) for s, e, scale in places]
