"""Sines and cosines over half a period."""

from __future__ import annotations

from math import pi

from array_api_compat import array_namespace

from kan_tabular.bases.interval import IntervalBasis


def harmonics(angle, slope, n, order):
    """Derivatives in z of ``cos(k angle)`` and ``sin(k angle)``, k = 1..n: a list of n pairs.

    `angle` is linear in z with `slope`. One cosine and one sine are computed, the others follow by angle addition.
    """
    xp = array_namespace(angle)
    cosine, sine = first_cosine, first_sine = xp.cos(angle), xp.sin(angle)
    out = []
    for k in range(1, n + 1):
        if k > 1:
            cosine, sine = cosine * first_cosine - sine * first_sine, sine * first_cosine + cosine * first_sine
        c, s = cosine, sine
        for _ in range(order):
            c, s = -k * slope * s, k * slope * c
        out.append((c, s))
    return out


class Fourier(IntervalBasis):
    """``cos(k w z)`` and ``sin(k w z)``, k = 1..n, of the input z scaled to [-1, 1], with ``w = pi / 2``.

    The slowest pair goes through half a period over the training range, so the two ends of a curve are free of each
    other. Outside, curves continue linearly (`IntervalBasis`) and do not repeat. The constant is left to the layer's
    bias.

    Parameters
    ----------
    n_frequencies : int, default=5
        Number n of frequencies; each gives two functions, sorted by frequency, the cosine first.
    half_period : bool, default=True
        If False, ``w = pi``: the range is one whole period and both ends of a curve have the same value and slope, for
        columns such as an hour or an angle.

    Notes
    -----
    Over half a period the functions are not orthogonal (a *Fourier extension*: Huybrechs 2010, *SIAM Journal on
    Numerical Analysis* 47): with n their design becomes collinear at an exponential rate. Keep n small or use `Cosine`.
    Values and derivatives of all frequencies take one cosine and one sine.
    """

    name = "fourier"

    def __init__(self, n_frequencies=5, half_period=True):
        self.n_frequencies = n_frequencies
        self.half_period = half_period

    @property
    def n_functions(self):
        return 2 * self.n_frequencies

    def _functions(self, z, order):
        slope = pi / 2 if self.half_period else pi
        pairs = harmonics(slope * z, slope, self.n_frequencies, order)
        return array_namespace(z).stack([f for pair in pairs for f in pair], axis=-1)

    def _expressions(self, z):
        import sympy

        angle = sympy.pi * z / 2 if self.half_period else sympy.pi * z
        return [f(k * angle) for k in range(1, self.n_frequencies + 1) for f in (sympy.cos, sympy.sin)]
