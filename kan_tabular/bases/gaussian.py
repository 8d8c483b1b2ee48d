"""Gaussian bumps on equal steps of the training range."""

from __future__ import annotations

from math import sqrt

import numpy as np
from array_api_compat import array_namespace

from kan_tabular.bases.interval import IntervalBasis


def gaussian_derivative(v, order):
    """Derivative of the given order of ``exp(-v^2 / 2)``: ``(-1)^n He_n(v) exp(-v^2 / 2)``, He by its recurrence."""
    out = array_namespace(v).exp(-0.5 * v * v)
    before = 0 * out
    for n in range(order):
        out, before = -v * out - n * before, out
    return out


class GaussianRBF(IntervalBasis):
    """``phi_m = exp(-((z - c_m) / h)^2)``, centres c_m equispaced from -1 to 1 with step h, z the scaled input.

    There is no factor 1/2: the standard deviation of a bump is ``h / sqrt(2)``, and neighbours cross at 0.78. The bumps
    do not sum to one, so constants and lines are only approximate (the best line is off by 0.09 at the ends): give the
    layer an intercept and a linear term. Outside the training range curves continue linearly.

    Parameters
    ----------
    n_centers : int, default=8
        Number of functions K, at least 2.

    References
    ----------
    Z. Li, *Kolmogorov-Arnold Networks are Radial Basis Function Networks*, arXiv 2405.06721 (2024): the same
    bumps, there behind a LayerNorm across the columns, which makes one column's curve depend on the others.
    """

    name = "gaussian"

    def __init__(self, n_centers=8):
        if n_centers < 2:
            raise ValueError(f"n_centers={n_centers}: expected at least 2, whose distance is the width.")
        self.n_centers = n_centers
        self.centers = np.linspace(-1.0, 1.0, n_centers)
        self.width = 2 / (n_centers - 1)

    @property
    def n_functions(self):
        return self.n_centers

    def _functions(self, z, order):
        xp = array_namespace(z)
        slope = sqrt(2) / self.width
        v = slope * (z[..., None] - xp.asarray(self.centers, dtype=z.dtype, device=z.device))
        return slope**order * gaussian_derivative(v, order)

    def _expressions(self, z):
        import sympy

        return [sympy.exp(-(((z - c) / self.width) ** 2)) for c in self.centers.tolist()]
