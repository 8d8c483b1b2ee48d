"""Polynomials by a three-term recurrence: values, derivatives, zeros, and the families that are no more than that."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from array_api_compat import array_namespace
from scipy.linalg import eigvalsh_tridiagonal

from kan_tabular.bases.interval import IntervalBasis


def polynomials(z, steps, order=0):
    """Derivatives of ``P_1 .. P_d`` at `z` of any shape: (..., d).

    `steps` holds d triples ``(a, b, c)``: ``P_{n+1} = (a z + b) P_n - c P_{n-1}`` from ``P_0 = 1``. The derivatives
    follow from the same line, differentiated.
    """
    xp = array_namespace(z)
    if not steps:
        return xp.zeros((*z.shape, 0), dtype=z.dtype, device=z.device)
    zero = xp.zeros_like(z)
    before, now = [zero] * (order + 1), [zero + 1.0, *[zero] * order]  # derivatives of orders 0, 1, ...
    out = []
    for a, b, c in steps:
        factor = a * z + b
        after = [factor * p - c * q for p, q in zip(now, before, strict=True)]
        for r in range(1, order + 1):
            after[r] = after[r] + r * a * now[r - 1]
        before, now = now, after
        out.append(now[order])
    return xp.stack(out, axis=-1)


def zeros(steps):
    """Zeros of the last polynomial, sorted: eigenvalues of the symmetric tridiagonal matrix of the recurrence."""
    a, b, c = np.asarray(steps, float).T
    found = eigvalsh_tridiagonal(-b / a, np.sqrt(c[1:] / (a[1:] * a[:-1])))
    return found if b.any() else (found - found[::-1]) / 2  # even or odd polynomials: a zero at 0 is exactly 0


class RecurrenceBasis(IntervalBasis):
    """Polynomials ``P_1`` to ``P_d`` of one three-term recurrence; the constant ``P_0`` is left to the layer's bias.

    A family gives `_steps`. Formulas are products over the zeros: unlike sums of powers they lose no digits at high
    degrees.
    """

    def __init__(self, degree):
        self.degree = degree

    @abstractmethod
    def _steps(self):
        """The triples of `polynomials`, as plain numbers."""

    @property
    def n_functions(self):
        return len(self._steps())

    def line(self):
        """The first polynomial."""
        return np.eye(self.n_functions)[0] if self.n_functions else None

    def _functions(self, z, order):
        return polynomials(z, self._steps(), order)

    def _expressions(self, z):
        import sympy

        steps, leading, out = self._steps(), 1.0, []
        for n, (a, _, _) in enumerate(steps, start=1):
            leading *= a
            out.append(sympy.Mul(leading, *(z - float(root) for root in zeros(steps[:n]))))
        return out
