"""Wavelets on a shared dyadic lattice of scales and shifts."""

from __future__ import annotations

from math import exp, pi, sqrt

import numpy as np
from array_api_compat import array_namespace

from kan_tabular.bases.gaussian import gaussian_derivative
from kan_tabular.bases.interval import IntervalBasis
from kan_tabular.bases.jet import Jet

#: Frequency of the Morlet wavelet, and the constant that makes its mean zero.
_OMEGA = 5.0
_MEAN = exp(-(_OMEGA**2) / 2)
#: Factors that give every mother wavelet unit norm: the integral of its square over the real line is 1.
_NORM = {
    "mexican_hat": 2 / (sqrt(3) * pi**0.25),
    "dog": sqrt(2) / pi**0.25,
    "morlet": pi**-0.25 / sqrt((1 + exp(-(_OMEGA**2))) / 2 - 2 * _MEAN * exp(-(_OMEGA**2) / 4) + _MEAN**2),
}


class Wavelet(IntervalBasis):
    """``psi((z - t) / s) / sqrt(s)`` for scales s = 1, 1/2, 1/4, ... and shifts t across [-1, 1]; z the scaled input.

    The mother wavelets ``psi(u)``, each with mean zero and unit norm on the real line:

    - ``"mexican_hat"``: ``2 / (sqrt(3) pi^(1/4)) (1 - u^2) exp(-u^2 / 2)``, minus the second derivative of a Gaussian;
    - ``"dog"``: ``-sqrt(2) / pi^(1/4) u exp(-u^2 / 2)``, the first derivative of a Gaussian;
    - ``"morlet"``: ``C (cos(5 u) - exp(-25 / 2)) exp(-u^2 / 2)``, C from the norm.

    Scales and shifts are shared by all edges and fixed, so curves are linear in their coefficients and no scale can
    cross zero. Level j has scale ``2^-j``. The first two kinds have one wavelet in each of the 2^j cells of width
    ``2^(1-j)``, at its middle: K = 2^n_scales - 1. The Morlet wavelet oscillates within a cell, and needs shifts a
    scale apart, both ends included: K = 2^(n_scales + 1) + n_scales - 2. Outside the range curves continue linearly.

    Parameters
    ----------
    kind : {"mexican_hat", "morlet", "dog"}, default="mexican_hat"
    n_scales : int, default=3
        Number of levels.

    References
    ----------
    Z. Bozorgasl and H. Chen, *Wav-KAN*, arXiv 2405.12832 (2024): one wavelet with its own scale and shift an edge.
    I. Daubechies, *Ten Lectures on Wavelets* (1992), sections 3.3.5: the wavelets and their lattices.
    """

    name = "wavelet"

    def __init__(self, kind="mexican_hat", n_scales=3):
        if kind not in _NORM:
            raise ValueError(f"kind={kind!r}: expected one of {sorted(_NORM)}.")
        self.kind = kind
        self.n_scales = n_scales
        scales, shifts = [], []
        for s in 0.5 ** np.arange(n_scales):
            cells = round(1 / s)
            level = np.linspace(-1, 1, 2 * cells + 1) if kind == "morlet" else s * (1 + 2 * np.arange(cells)) - 1
            scales.append(np.full(len(level), s))
            shifts.append(level)
        self.scales, self.shifts = np.concatenate(scales), np.concatenate(shifts)

    @property
    def n_functions(self):
        return len(self.scales)

    def _functions(self, z, order):
        xp = array_namespace(z)
        kind = {"dtype": z.dtype, "device": z.device}
        u = (z[..., None] - xp.asarray(self.shifts, **kind)) * xp.asarray(1 / self.scales, **kind)
        factors = _NORM[self.kind] * self.scales ** (-0.5 - order)
        return xp.asarray(factors, **kind) * self._mother(xp, u, order)

    def _mother(self, xp, u, order):
        """Derivative of the mother wavelet at u, but for its norm."""
        if self.kind == "mexican_hat":
            return -gaussian_derivative(u, 2 + order)
        if self.kind == "dog":
            return gaussian_derivative(u, 1 + order)
        wave = [xp.cos(_OMEGA * u) - _MEAN, -_OMEGA * xp.sin(_OMEGA * u), -(_OMEGA**2) * xp.cos(_OMEGA * u)]
        bell = [gaussian_derivative(u, d) for d in range(order + 1)]
        return (Jet(wave[: order + 1]) * Jet(bell)).parts[order]

    def _expressions(self, z):
        import sympy

        mother = {
            "mexican_hat": lambda u: 1 - u**2,
            "dog": lambda u: -u,
            "morlet": lambda u: sympy.cos(_OMEGA * u) - _MEAN,
        }[self.kind]
        places = [((z - t) / s, _NORM[self.kind] / sqrt(s)) for s, t in zip(self.scales, self.shifts, strict=True)]
        return [factor * mother(u) * sympy.exp(-(u**2) / 2) for u, factor in places]
