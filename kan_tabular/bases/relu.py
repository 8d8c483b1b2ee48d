"""Bumps made of products of two rectifiers."""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from kan_tabular.bases.interval import IntervalBasis
from kan_tabular.bases.quadrature import integrated_products


class ReLUKAN(IntervalBasis):
    """``[r relu(e_i - z) relu(z - s_i)]^power``, with peak 1 on ``[s_i, e_i]`` and 0 elsewhere; z the scaled input.

    The grid has step ``h = 2 / grid_size``; ``s_i = -1 + (i - order) h``, ``e_i = s_i + (order + 1) h``,
    ``r = (2 / (e_i - s_i))^2``, for i = 0 ... grid_size + order - 1. With v the distance from the bump's middle in half
    supports, that is ``max(0, 1 - v^2)^power``: one rectifier instead of two, and start and end cannot cross. The curve
    has ``power - 1`` continuous derivatives. Outside the training range it continues linearly (the original is zero
    there, and its inputs dead).

    Parameters
    ----------
    grid_size : int, default=5
        Intervals of the training range.
    order : int, default=3
        A bump spans ``order + 1`` intervals.
    power : int, default=2
        Exponent, at least 2: with 1 the slope would jump. 3 makes the curvature continuous as well.

    References
    ----------
    Q. Qiu et al., *ReLU-KAN*, arXiv 2406.02075 (2024), equation 6 (power 2); C. C. So and S. P. Yung, *Higher-order-
    ReLU-KANs*, arXiv 2409.14248 (2024).
    """

    name = "relu"

    def __init__(self, grid_size=5, order=3, power=2):
        if power < 2:
            raise ValueError(f"power={power}: expected at least 2, for a continuous slope.")
        self.grid_size, self.order, self.power = grid_size, order, power
        step = 2 / grid_size
        self.half = (order + 1) * step / 2
        self.centers = -1 + (np.arange(grid_size + order) - order) * step + self.half

    @property
    def n_functions(self):
        return self.grid_size + self.order

    def _functions(self, z, order):
        xp, p = array_namespace(z), self.power
        v = (z[..., None] - xp.asarray(self.centers, dtype=z.dtype, device=z.device)) * (1 / self.half)
        bump = xp.clip(1 - v * v, 0.0, None)
        powers = [xp.astype(bump > 0, z.dtype)]  # bump^0; products, as pow() would be slower
        for _ in range(p):
            powers.append(powers[-1] * bump)
        if order == 0:
            return powers[p]
        if order == 1:
            return -2 * p / self.half * v * powers[p - 1]
        return 2 * p / self.half**2 * (2 * (p - 1) * v * v * powers[p - 2] - powers[p - 1])

    def penalty(self):
        """Integrated squared second derivative over the domain, in units of the domain's width."""
        grid = np.linspace(-1.0, 1.0, self.grid_size + 1)  # bumps start and end on it, polynomials in between
        return 8 * integrated_products(lambda z: self._functions(z, 2), grid, 2 * self.power)

    def _expressions(self, z):
        import sympy

        return [sympy.Max(0, 1 - ((z - c) / self.half) ** 2) ** self.power for c in self.centers.tolist()]
