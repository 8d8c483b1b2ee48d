"""Cubic splines whose knots every node learns."""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from kan_tabular.bases.parametric import ParametricBasis
from kan_tabular.bases.quadrature import integrated_products
from kan_tabular.bases.truncated_power import as_formula

#: Knots keep at least this share of their equidistant spacing.
_LEAST_SHARE = 0.1


class FreeKnots(ParametricBasis):
    """Cubic splines in ``z`` in [-1, 1] (the scaled input) with increasing knots ``t_1`` to ``t_J`` of each node's own.

    The functions are ``z, z^2, z^3`` and a bend a knot: ``((t - z) / (1 + t))_+^3`` for the first half of the knots,
    ``((z - t) / (1 - t))_+^3`` for the others. With the constants (a layer's bias) they span the cubic splines with
    those knots; powers of both sides that end at 1 stay well conditioned, and so each knot moves without rescaling its
    function. Sides are fixed by the order of the knots, so a curve changes smoothly while a knot passes the centre.

    The J + 1 intervals are proportional to ``softplus`` of the node's ``increments``, after a least length of a tenth
    of the equal one: knots stay in order, apart from each other and inside both ends, so no function dies.
    **Outside the training range curves continue linearly** (see `IntervalBasis`).

    Formulas are in truncated powers, ``sum_n a_n (x - m)^n + sum_j b_j max(0, x - t_j)^3``, m the middle of the range:
    an exact linear change of basis (`truncated_powers`), as for `TruncatedPower`, whose knots are shared.

    Parameters
    ----------
    n_knots : int, default=6
        Number of knots J.

    References
    ----------
    TruKAN, arXiv 2602.03879 ("individual knots"). J increments there pin the last knot to the upper end, where its
    function is zero; J + 1 do not.
    """

    name = "free_knots"

    def __init__(self, n_knots=6):
        self.n_knots = n_knots

    @property
    def n_functions(self):
        return 3 + self.n_knots

    def line(self):
        return np.eye(self.n_functions)[0]

    def _start(self):
        return {"increments": np.zeros(self.n_knots + 1)}

    def knots(self, parameters=None):
        """Knots in z: array (..., J), of the kind of the parameters and with gradients to them."""
        increments = (self.parameters() if parameters is None else parameters)["increments"]
        return self._knots(increments)

    @staticmethod
    def _knots(increments):
        xp, n = array_namespace(increments), increments.shape[-1]
        # softplus; the small constant leaves equal intervals where all increments underflow
        length = xp.logaddexp(increments, xp.zeros_like(increments)) + 1e-6
        share = _LEAST_SHARE / n + (1 - _LEAST_SHARE) * length / xp.sum(length, axis=-1, keepdims=True)
        return 2 * xp.cumulative_sum(share, axis=-1)[..., :-1] - 1

    def _functions(self, z, order):
        xp = array_namespace(z)
        factor, power = ((1, 3), (3, 2), (6, 1))[order]
        zero = xp.zeros_like(z)
        parts = [
            (z, z * z, z * z * z),
            (zero + 1, 2 * z, 3 * z * z),
            (zero, zero + 2, 6 * z),
        ][order]
        bends = []
        for j, t in enumerate(self._per_node(self._knots(self._values("increments", z)))):
            slope = -1 / (1 + t) if j < self.n_knots // 2 else 1 / (1 - t)
            reach = xp.clip(slope * (z - t), 0.0, None)
            bend = factor * reach
            for _ in range(power - 1):
                bend = bend * reach
            for _ in range(order):
                bend = bend * slope
            bends.append(bend)
        return xp.stack(xp.broadcast_arrays(*parts, *bends), axis=-1)

    def penalty(self):
        """Integrated squared second derivative over the domain, in units of the domain's width."""
        edges = np.concatenate([[-1.0], self.knots(), [1.0]])
        return 8 * integrated_products(lambda z: self._functions(z, 2), edges, 2)  # linear between knots

    @property
    def origin(self):
        """The point m in whose powers the polynomial part is written: the middle of the training range."""
        return float(self.low_ + (self.high_ - self.low_) / 2)

    def truncated_powers(self, coefficients):
        """The curves inside the training range in powers of ``x - origin`` and of ``max(0, x - t_j)``.

        Parameters
        ----------
        coefficients : ndarray (K, ...)

        Returns
        -------
        polynomial : ndarray (4, ...)
            Coefficients ``a_0 .. a_3``: the polynomial left of the first knot, continued.
        knots : ndarray (J,)
            In the units of x.
        jumps : ndarray (J, ...)
            Coefficients ``b_j``: the third derivative jumps by ``6 b_j`` at ``t_j``.
        """
        c, t = np.asarray(coefficients, float), self.knots()
        left = np.arange(self.n_knots) < self.n_knots // 2
        jumps = (np.where(left, 1 + t, 1 - t) ** -3 * c[3:].T).T
        polynomial = np.concatenate([0 * c[:1], c[:3]])
        # (t - z)_+^3 is (z - t)_+^3 - (z - t)^3.
        cubes = np.stack([t**3, -3 * t**2, 3 * t, -np.ones_like(t)])
        polynomial += np.tensordot(cubes[:, left], jumps[left], 1)
        half = ((self.high_ - self.low_) or 1.0) / 2
        polynomial = (polynomial.T * half ** -np.arange(4.0)).T
        return polynomial, self.origin + half * t, jumps * half**-3

    def _curve(self, coefficients, symbol):
        return as_formula(*self.truncated_powers(coefficients), self.origin, symbol)
