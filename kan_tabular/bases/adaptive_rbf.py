"""Gaussian bumps whose centres and widths are trained."""

from __future__ import annotations

from math import sqrt

import numpy as np
from array_api_compat import array_namespace

from kan_tabular.bases.bspline import spaced, weighted_quantiles
from kan_tabular.bases.gaussian import gaussian_derivative
from kan_tabular.bases.parametric import ParametricBasis
from kan_tabular.bases.quadrature import integrated_products

#: Neighbouring centres stay at least this part of their mean distance apart.
_CLOSEST = 0.005
#: Widths stay above this part of the local spacing: a narrower bump would see single rows.
_NARROWEST = 0.3


class AdaptiveRBF(ParametricBasis):
    """``phi_m = exp(-((z - c_m) / h_m)^2)`` with centres and widths of every node as nonlinear parameters (class B).

    Centres start at unique quantiles of the training values (scaled to [-1, 1]); where ties leave too few, the widest
    gaps are halved until there are as many as wanted or as distinct values. Widths start at half the distance between
    the neighbours (the ends of the range are the neighbours of the first and last centre). Training cannot merge,
    reorder or push out centres, nor shrink a bump to a spike. Outside the range curves continue linearly.

    Parameters
    ----------
    n_centers : int, default=8
        Number of functions K wanted; lowered to the number of distinct values.

    Notes
    -----
    Nonlinear parameters of a node, all real numbers allowed:

    - ``increments`` (K + 1): with ``s = softplus(increments) + 1e-6``, the gaps between -1, the centres and 1 are
      ``f + (2 - (K + 1) f) s_i / sum(s)``, f being 0.5% of the mean gap. One more gap than centres: with K of them the
      last centre would be pinned to the end.
    - ``log_widths`` (K): ``h_m = l_m (0.3 + exp(log_widths_m))``, where l_m is the mean of the two gaps beside c_m (and
      the exponent is at most 5).

    References
    ----------
    Z. Chen et al., *NeuRBF*, ICCV 2023 (bumps placed by the data, then trained); *Free-RBF-KAN*, arXiv
    2601.07760 (centres and widths of a Kolmogorov-Arnold network as parameters). The bounds are this package's.
    """

    name = "adaptive_rbf"

    def __init__(self, n_centers=8):
        self.n_centers = n_centers

    def _place(self, z, counts):
        n = min(self.n_centers, len(z))
        floor = _CLOSEST * 2 / (n + 1)
        centers = spaced(weighted_quantiles(z, counts, np.arange(1, n + 1) / (n + 1)), 2 * floor, -1.0, 1.0)
        edges = np.concatenate([[-1.0], centers, [1.0]])
        while len(edges) < n + 2:
            widest = np.diff(edges).argmax()
            edges = np.insert(edges, widest + 1, edges[widest : widest + 2].mean())
        share = (np.diff(edges) - floor) / (2 - (n + 1) * floor)
        self.start_ = {
            "increments": np.log(np.expm1(share * (n + 1) - 1e-6)),
            "log_widths": np.full(n, np.log(1 - _NARROWEST)),
        }

    @property
    def n_functions(self):
        return self._own["log_widths"].shape[-1]

    def _start(self):
        return self.start_

    def shapes(self, like=None):
        """Centres and widths (..., K) in [-1, 1], arrays of the kind of `like` (NumPy's unless told)."""
        like = np.zeros(0) if like is None else like
        xp = array_namespace(like)
        increments, log_widths = self._values("increments", like), self._values("log_widths", like)
        floor = _CLOSEST * 2 / increments.shape[-1]
        parts = xp.logaddexp(increments, xp.zeros_like(increments)) + 1e-6
        gaps = floor + (2 - increments.shape[-1] * floor) * parts / xp.sum(parts, axis=-1, keepdims=True)
        spacing = (gaps[..., :-1] + gaps[..., 1:]) / 2
        widths = spacing * (_NARROWEST + xp.exp(xp.clip(log_widths, None, 5.0)))
        return -1 + xp.cumulative_sum(gaps, axis=-1)[..., :-1], widths

    def _functions(self, z, order):
        centers, widths = self.shapes(z)
        if centers.ndim > 1:  # each node has its own, for all its rows
            centers, widths = centers[..., None, :], widths[..., None, :]
        slope = sqrt(2) / widths
        return slope**order * gaussian_derivative(slope * (z[..., None] - centers), order)

    def penalty(self):
        """Integrated squared second derivative over the domain, in units of the domain's width."""
        centers, widths = self.shapes()
        breaks = centers + widths * np.arange(-6, 7, 2)[:, None]  # every bump needs nodes of its own, however narrow
        breaks = np.unique(np.clip(np.append(breaks, [-1.0, 1.0]), -1.0, 1.0))
        return 8 * integrated_products(lambda z: self._functions(z, 2), breaks, 24)

    def _expressions(self, z):
        import sympy

        return [sympy.exp(-(((z - c) / h) ** 2)) for c, h in zip(*(p.tolist() for p in self.shapes()), strict=True)]
