"""Orthonormal Hermite polynomials (probabilists')."""

from __future__ import annotations

from math import sqrt

from kan_tabular.bases.recurrence import RecurrenceBasis

#: The training range is mapped to (-_RANGE, _RANGE): three standard deviations to each side.
_RANGE = 3.0


class Hermite(RecurrenceBasis):
    """Probabilists' Hermite polynomials ``He_n(t) / sqrt(n!)``, n = 1..d, of the input scaled to [-3, 3].

    With ``He_{n+1} = t He_n - n He_{n-1}``. ``t = 3 z`` is -3 and 3 at the ends of the training range, so a bell-shaped
    column comes out close to standard normal, for which the functions are orthonormal: mean 0, variance 1,
    uncorrelated. Outside, curves continue linearly (`IntervalBasis`), where the polynomials themselves would explode.

    Parameters
    ----------
    degree : int, default=5
        Highest degree d, the number of functions. It is not lowered for columns with few distinct values: the
        roughness penalty decides among the curves that such data cannot tell apart.

    Notes
    -----
    Recurrence and norm: *NIST Digital Library of Mathematical Functions*, table 18.9.1 and table 18.3.1. Without the
    division by ``sqrt(n!)`` the fifth function would be eleven times the size of the first.
    """

    name = "hermite"

    def __init__(self, degree=5):
        super().__init__(degree)

    def _steps(self):
        return [(_RANGE / sqrt(n + 1), 0.0, sqrt(n / (n + 1))) for n in range(self.degree)]
