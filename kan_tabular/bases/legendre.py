"""Orthonormal Legendre polynomials."""

from __future__ import annotations

from math import sqrt

from kan_tabular.bases.recurrence import RecurrenceBasis


class Legendre(RecurrenceBasis):
    """Legendre polynomials ``sqrt(2 n + 1) P_n``, n = 1..d, of the input scaled to [-1, 1].

    With ``(n + 1) P_{n+1} = (2 n + 1) z P_n - n P_{n-1}``. The factor makes them orthonormal for an input that is
    uniform over its range: mean 0, variance 1, uncorrelated. Outside, curves continue linearly (`IntervalBasis`).

    Parameters
    ----------
    degree : int, default=6
        Highest degree d, the number of functions. It is not lowered for columns with few distinct values: the
        roughness penalty decides among the curves that such data cannot tell apart.

    Notes
    -----
    Recurrence and norm: *NIST Digital Library of Mathematical Functions*, table 18.9.1 and table 18.3.1.
    """

    name = "legendre"

    def __init__(self, degree=6):
        super().__init__(degree)

    def _steps(self):
        # The recurrence above, with p_n = sqrt(2 n + 1) P_n put in; c of the first step multiplies P_{-1} = 0.
        return [
            (
                sqrt((2 * n + 1) * (2 * n + 3)) / (n + 1),
                0.0,
                n / (n + 1) * sqrt((2 * n + 3) / (2 * n - 1)) if n else 0.0,
            )
            for n in range(self.degree)
        ]
