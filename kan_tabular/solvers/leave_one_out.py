"""The additive fit without one row, for every row at once: what it says of that row, and of any other.

With the mode ``b``, the penalised information ``P = X'HX + S`` and row i's own score ``g_i`` and curvature ``H_i``, the
fit without row i, at the same smoothing parameters, basis and encoding, is

    b_(i) = b - P^-1 X_i' u_i,      u_i = (I - H_i A_i)^-1 g_i,      A_i = X_i P^-1 X_i'

by one Newton step and the Woodbury identity. For a Gaussian response the step is exact (Wood 2017, *Generalized
Additive Models*, 2nd ed., section 6.2.1); for others it is approximate leave-one-out (Rad & Maleki 2020, JRSS-B 82),
whose error falls with the square of the step. The few rows that move their own prediction far are left out by Newton's
method instead.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from kan_tabular.solvers.crossfit import cross_fit
from kan_tabular.solvers.design import Design

#: Part of the rows' pull on a coefficient that an optimum of the penalised likelihood may leave unbalanced.
_UNBALANCED = 0.01
#: A row that moves its own linear predictor further than this by one step gets as many as it needs.
_INFLUENTIAL = 0.15
_TOL = 1e-6


class LeaveOneOut:
    """The n fits that leave one training row out.

    Parameters
    ----------
    network : FittedNetwork
    Z : ndarray (n, p)
        The encoded rows that the network was fitted to.
    y : ndarray (n,)
        Their target as the likelihood wants it.
    weights : ndarray (n,)
        Frequencies; a row is left out with all of its weight.
    offset : ndarray (n,) or float, default=0.0
        Log exposure.

    Attributes
    ----------
    own : ndarray (n, n_outputs)
        Linear predictor of each row by the fit without it, exposure left out.

    Raises
    ------
    ValueError
        If the network is not at the optimum of these rows: they are not those it was fitted to.
    """

    def __init__(self, network, Z, y, weights, offset=0.0):
        self.network = network
        likelihood, C = network.likelihood, len(network.intercept)
        self._X = X = network.design(Z)
        eta = X @ self._coefficients
        shifted = eta + np.reshape(offset, (-1, 1))
        score, curvature = likelihood.gradient(shifted, y, weights), likelihood.hessian(shifted, y, weights)
        self._check_optimum(score)
        A = np.stack([(self._spread(X, c) * X[:, None]).sum(2) for c in range(C)], axis=1)
        self._pull = np.linalg.solve(np.eye(C) - curvature @ A, score[:, :, None])[:, :, 0]
        own = eta - np.einsum("ncd,nd->nc", A, self._pull)
        self._influential, self._refits = np.empty(0, int), np.empty((0, *self._coefficients.shape))
        if not likelihood.quadratic:
            self._influential = np.flatnonzero(np.abs(own - eta).max(1) > _INFLUENTIAL)
        if len(self._influential):
            self._refits = self._refit(y, weights, offset)
            own[self._influential] = np.einsum("kq,kqc->kc", X[self._influential], self._refits)
        self.own = own @ network.output_map

    def predict(self, Z):
        """Linear predictor of other rows by each of the fits: (m, n, n_outputs), exposure left out.

        Parameters
        ----------
        Z : ndarray (m, p)
            Encoded rows; the result takes 8 m n n_outputs bytes.
        """
        X = self.network.design(Z)
        outputs = range(len(self.network.intercept))
        pulls = (self._X[:, None] * self._pull[:, :, None]).reshape(len(self._X), -1)
        moved = [self._spread(X, c).reshape(len(X), -1) @ pulls.T for c in outputs]
        eta = (X @ self._coefficients)[:, None] - np.stack(moved, axis=2)
        eta[:, self._influential] = np.einsum("mq,kqc->mkc", X, self._refits, optimize=True)
        return eta @ self.network.output_map

    def _refit(self, y, weights, offset):
        """Coefficients without each influential row: (k, q, C)."""
        design = Design([self._X[:, 1:]], [np.arange(len(self._X))], len(self._X))
        offset = np.reshape(offset, (-1, 1)) if np.ndim(offset) else offset
        precision = np.tile(self._prior, self._coefficients.shape[1])
        likelihood, held_out = self.network.likelihood, self._influential[:, None]
        return cross_fit(design, likelihood, y, weights, offset, precision, self._coefficients, held_out, tol=_TOL)

    @cached_property
    def _coefficients(self):
        """Coefficients in the order of the design (q, C)."""
        return np.vstack([self.network.intercept, *(curves.coefficients for curves in self.network.inputs)])

    @cached_property
    def _prior(self):
        """Penalty of each coefficient of an output (q,)."""
        own = [np.repeat(np.exp(s.rho), s.sizes) * s.scale for s in self.network.smoothing]
        return np.concatenate([[0.0], *own])

    @cached_property
    def _inverse(self):
        """``P^-1`` by outputs: (C, q, C, q)."""
        q, C = self._coefficients.shape
        return (self.network.covariance / self.network.dispersion).reshape(C, q, C, q)

    def _spread(self, X, c):
        """``x' P^-1`` for output `c` of each row of a design: (n, C, q)."""
        return np.einsum("na,adb->ndb", X, self._inverse[c], optimize=True)

    def _check_optimum(self, score):
        """Whether the penalty balances what the rows pull at: ``X'g = S b``."""
        pull, held = self._X.T @ score, self._prior[:, None] * self._coefficients
        most = np.abs(self._X).T @ np.abs(score) + np.abs(held)
        if (np.abs(pull - held) > _UNBALANCED * most + 1e-8).any():
            raise ValueError(
                "leave-one-out needs the rows, weights and exposure that the model was fitted to; with the given ones "
                "its coefficients are not at their optimum."
            )
