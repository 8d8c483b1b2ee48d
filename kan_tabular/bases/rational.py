"""Rational functions of degrees 5 and 4 that every node learns."""

from __future__ import annotations

import numbers

import numpy as np
from array_api_compat import array_namespace

from kan_tabular.bases.parametric import ParametricBasis
from kan_tabular.bases.quadrature import integrated_products

#: The training range is [-_RANGE, _RANGE] in u, where the presets were fitted.
_RANGE = 3.0

#: Numerator (6) and denominator (4): least squares on [-3, 3]. Their denominators are even and without a sign change,
#: so the starting functions are smooth. tests/bases/test_rational.py reproduces them.
PRESETS = {
    "gelu": (
        [-4.99620462175e-4, 0.5, 0.403178088889, 0.0769648298306, -0.0107625726758, -3.35348109864e-3],
        [0.0, 0.153929659661, 0.0, -6.70696219727e-3],
    ),
    "identity": ([0.0, 1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]),
    "sigmoid": (
        [0.5, 0.249999992528, 0.0554363778162, 6.88487712756e-3, 4.84264641773e-4, 1.559905507e-5],
        [0.0, 0.110872755632, 0.0, 9.68529283546e-4],
    ),
    "swish": (
        [4.62679900299e-7, 0.5, 0.2499965567, 0.0532442569913, 5.79281411366e-3, 2.73830897545e-4],
        [0.0, 0.106488513983, 0.0, 5.47661795091e-4],
    ),
    "tanh": (
        [0.0, 0.999992135993, 0.0, 0.107472288218, 0.0, 8.60713877257e-4],
        [0.0, 0.440769875713, 0.0, 0.0144977101051],
    ),
}


class Rational(ParametricBasis):
    """One function a node, ``F(u) = P(u) / (1 + |Q(u)|)``, with ``u = 3 z`` in [-3, 3] over the training range.

    ``P = a_0 + a_1 u + ... + a_5 u^5`` and ``Q = b_1 u + ... + b_4 u^4``: the safe Pade form without poles. A basis
    fitted to (-3, 3) thus takes u itself, which is the scale of standardised values. The node's parameters are
    ``numerator`` (6,) and ``denominator`` (4,), its own or its group's; there is K = 1 function, whose weight is the
    edge. Where Q changes sign
    F has a kink, which no preset has. **Outside the training range F continues linearly** (see `IntervalBasis`), so u
    to the fifth never overflows.

    Parameters
    ----------
    preset : {"gelu", "identity", "sigmoid", "swish", "tanh"}, default="swish"
        Function at the start, to within 5e-4 on [-3, 3] (the others than gelu to 2e-6).
    n_groups : int or None, default=None
        Functions of a hidden layer: its nodes, in that many groups of neighbours, share one a group (GR-KAN; 8 in
        KAT). None: every node has its own.

    Notes
    -----
    The implementations in circulation start from coefficients fitted to this denominator and compute
    ``1 + sum_j |b_j| |u|^j``, which turns their gelu into another function (it is off by 1.5). That form, with b of
    any value, comes no nearer to gelu than 1.3e-3.

    References
    ----------
    Yang and Wang, *Kolmogorov-Arnold Transformer*, arXiv 2409.10594 (GR-KAN); Molina, Schramowski and
    Kersting, *Pade Activation Units*, arXiv 1907.06732 (safe form).
    """

    name = "rational"

    def __init__(self, preset="swish", n_groups=None):
        if preset not in PRESETS:
            raise ValueError(f"preset={preset!r}: expected one of {', '.join(sorted(PRESETS))}.")
        whole = isinstance(n_groups, numbers.Integral) and not isinstance(n_groups, bool)
        if n_groups is not None and not (whole and n_groups > 0):
            raise ValueError(f"n_groups={n_groups!r}: expected None or an integer of at least 1.")
        self.preset = preset
        self.n_groups = n_groups

    @property
    def n_functions(self):
        return 1

    def _start(self):
        return {n: np.asarray(v) for n, v in zip(("numerator", "denominator"), PRESETS[self.preset], strict=True)}

    @property
    def gain(self):
        """``Var(u) / E[F(u)^2]`` for u ~ N(0, 1): weights of variance ``gain / n_inputs`` keep the variance."""
        unit = type(self)(self.preset).fit(np.array([-_RANGE, _RANGE])).at(self.parameters())

        def weighted(u):  # by the root of the normal density
            return np.exp(-(u**2) / 4)[:, None] / (2 * np.pi) ** 0.25 * unit.evaluate(u)

        return float(1 / integrated_products(weighted, [-12.0, -_RANGE, 0.0, _RANGE, 12.0], 64)[0, 0])

    def _functions(self, z, order):
        xp = array_namespace(z)
        u = _RANGE * z
        a = self._per_node(self._values("numerator", z))
        b = [0.0, *self._per_node(self._values("denominator", z))]
        q = _horner(b, u)
        # Not abs: its gradient is 0 at 0, and a denominator that starts at 0 would stay there.
        sign = xp.where(q < 0, -xp.ones_like(q), xp.ones_like(q))
        below = 1 + sign * q
        values = _horner(a, u) / below
        if order > 0:
            # P = F D gives P' = F' D + F D' and P'' = F'' D + 2 F' D' + F D''.
            a, b = _slope(a), _slope(b)
            first = sign * _horner(b, u)
            slopes = (_horner(a, u) - values * first) / below
            if order == 1:
                values = slopes
            else:
                second = sign * _horner(_slope(b), u)
                values = (_horner(_slope(a), u) - 2 * slopes * first - values * second) / below
        return (_RANGE**order * values)[..., None]

    def _expressions(self, z):
        import sympy

        u, values = _RANGE * z, self.parameters()
        q = sum(b * u**j for j, b in enumerate(values["denominator"].tolist(), 1) if b)
        return [sum(a * u**j for j, a in enumerate(values["numerator"].tolist()) if a) / (1 + sympy.Abs(q))]


def _horner(coefficients, u):
    value = coefficients[-1]
    for c in coefficients[-2::-1]:
        value = value * u + c
    return value


def _slope(coefficients):
    """Coefficients of the derivative."""
    return [j * c for j, c in enumerate(coefficients)][1:]
