"""Arbitrary polynomial chaos: polynomials that are orthonormal on the training data."""

from __future__ import annotations

import numpy as np

from kan_tabular.bases.recurrence import RecurrenceBasis

#: Where the rest of z^n is smaller than this (z has range 2), the data cannot tell it from lower degrees.
_SMALLEST = 1e-6
#: A degree is kept while the recurrence gives a function that is orthonormal on the data to this,
_ORTHONORMAL = 1e-11
#: and that is at most this many times as large between training values as on them.
_SWING = 100.0


class PolynomialChaos(RecurrenceBasis):
    """Polynomials ``P_1`` to ``P_d``, orthonormal on the training data, whatever its distribution.

    ``beta_{n+1} P_{n+1} = (z - alpha_n) P_n - beta_n P_{n-1}`` for the input z scaled to [-1, 1], with ``P_0 = 1``.
    Over the training rows (by their weights) every function has mean 0 and variance 1, and no two are correlated: the
    squared coefficients of a curve are the parts of its variance (`variance_shares`). Outside, curves continue linearly
    (`IntervalBasis`), where the polynomials themselves would explode.

    Parameters
    ----------
    degree : int, default=4
        Highest degree d wanted. It is lowered to the number of distinct values less one, and further where a function
        would not be orthonormal in double precision, or would exceed, in a gap between training values, a hundred times
        what it is on them. A constant column gets no function.

    Attributes
    ----------
    alpha_, beta_ : list of float
        ``alpha_0 .. alpha_{d-1}`` and ``beta_1 .. beta_d``: means and sizes, in the units of z.

    Notes
    -----
    Oladyshkin and Nowak (2012), *Reliability Engineering & System Safety* 106, define the polynomials by the moments of
    the data. Those determine them badly in floating point (an offset of 1000 is enough), so the recurrence comes from
    the Lanczos process on the data itself: Gautschi, *Orthogonal Polynomials: Computation and Approximation*, section
    2.2. As activations: arXiv:2306.14753.
    """

    name = "polynomial_chaos"

    def __init__(self, degree=4):
        super().__init__(degree)

    def _place(self, z, counts):
        z, inverse = np.unique(z, return_inverse=True)  # the values of a trimmed tail are one now
        weights = np.bincount(inverse, counts, len(z))
        weights /= weights.sum()
        self.alpha_, self.beta_ = _lanczos(z, weights, min(self.degree, len(z) - 1))

        functions, between = self._functions(z, 0), self._functions(np.linspace(-1, 1, 1001), 0)
        lower = np.column_stack([np.ones_like(z), functions])
        gram = (lower * weights[:, None]).T @ functions
        error = np.triu(np.abs(gram - np.eye(len(gram))[:, 1:]), -1).max(0)  # each against itself and lower degrees
        sound = (error <= _ORTHONORMAL) & (np.abs(between).max(0) <= _SWING * np.abs(functions).max(0))
        d = int(np.logical_and.accumulate(sound).sum())
        self.alpha_, self.beta_ = self.alpha_[:d], self.beta_[:d]

    def _steps(self):
        before = [0.0, *self.beta_]
        return [
            (1 / size, -mean / size, last / size)
            for mean, size, last in zip(self.alpha_, self.beta_, before[:-1], strict=True)
        ]

    def variance_shares(self, coefficients):
        """Parts of a curve's variance by degree.

        Parameters
        ----------
        coefficients : array (..., K)

        Returns
        -------
        shares : array (..., K)
            Squared coefficients. They add up to the variance of the curve over the training rows. Where the inputs of
            an additive model are independent, these sums add up to the variance of the model: divided by that, they are
            Sobol's first-order indices.
        """
        return coefficients * coefficients

    def _arguments(self):
        return {**self.arguments(), "alpha": list(self.alpha_), "beta": list(self.beta_)}

    @classmethod
    def _from_arguments(cls, arguments):
        basis = cls(arguments["degree"])
        basis.alpha_, basis.beta_ = list(arguments["alpha"]), list(arguments["beta"])
        return basis


def _lanczos(z, weights, degree):
    """Recurrence coefficients (alpha, beta) of polynomials orthonormal on `z` (m,) with `weights` (m,) of sum 1."""
    vectors = np.sqrt(weights)[None]
    alpha, beta = [], []
    for _ in range(degree):
        rest = z * vectors[-1]
        mean = vectors[-1] @ rest
        rest = rest - (vectors @ rest) @ vectors  # all before, not just two: rounding errors would grow with n
        size = np.linalg.norm(rest)
        if size < _SMALLEST:
            break
        alpha.append(float(mean))
        beta.append(float(size))
        vectors = np.vstack([vectors, rest / size])
    return alpha, beta
