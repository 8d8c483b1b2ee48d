"""Chebyshev polynomials of the first kind."""

from __future__ import annotations

from kan_tabular.bases.recurrence import RecurrenceBasis


class Chebyshev(RecurrenceBasis):
    """Chebyshev polynomials ``T_1`` to ``T_d`` of the input scaled to [-1, 1].

    ``T_{n+1} = 2 z T_n - T_{n-1}``, so ``T_n(cos t) = cos(n t)``: no function exceeds 1 inside the range. Outside,
    curves continue linearly (`IntervalBasis`), where the polynomials themselves would explode.

    Parameters
    ----------
    degree : int, default=6
        Highest degree d, the number of functions. It is not lowered for columns with few distinct values: the
        roughness penalty decides among the curves that such data cannot tell apart.

    Notes
    -----
    Recurrence: Trefethen, *Approximation Theory and Approximation Practice*, chapter 3. As activations: Sidharth et
    al. (2024), arXiv:2405.07200; as ``cos(n acos(tanh x))`` their gradient is NaN once tanh rounds to 1. The recurrence
    needs neither function.
    """

    name = "chebyshev"

    def __init__(self, degree=6):
        super().__init__(degree)

    def _steps(self):
        return [(2.0 if n else 1.0, 0.0, 1.0 if n else 0.0) for n in range(self.degree)]
