"""Half-period cosines."""

from __future__ import annotations

from math import pi

from array_api_compat import array_namespace

from kan_tabular.bases.fourier import harmonics
from kan_tabular.bases.interval import IntervalBasis


class Cosine(IntervalBasis):
    """``cos(pi m u)``, m = 1..M, of the input u scaled to [0, 1]: the cosine series of the even extension.

    Nothing wraps, since the even extension of a continuous curve is continuous, and the functions are orthogonal for an
    input that is uniform over its range. All are flat at both ends, so the linear continuation **outside the training
    range is constant**. The constant is left to the layer's bias.

    Parameters
    ----------
    n_functions : int, default=8
        Number M of functions.

    Notes
    -----
    Strang (1999), "The discrete cosine transform", *SIAM Review* 41. All functions take one cosine and one sine.
    """

    name = "cosine"

    flat_ends = True  # say so, rather than multiply a rounded slope of 1e-8 by 1e6
    n_functions = 8  # an attribute in place of the contract's property: here it is an argument

    def __init__(self, n_functions=8):
        self.n_functions = n_functions

    def _functions(self, z, order):
        slope = pi / 2
        pairs = harmonics(slope * (z + 1.0), slope, self.n_functions, order)
        return array_namespace(z).stack([cosine for cosine, _ in pairs], axis=-1)

    def _expressions(self, z):
        import sympy

        return [sympy.cos(m * sympy.pi * (z + 1) / 2) for m in range(1, self.n_functions + 1)]
