"""Integrals of products of functions, piece by piece."""

from __future__ import annotations

from functools import cache

import numpy as np

#: Nodes and weights on [-1, 1], computed once: every column of a table asks for the same.
_gauss_legendre = cache(np.polynomial.legendre.leggauss)


def integrated_products(functions, breaks, n_nodes):
    """Matrix (K, K) of the integrals of ``f_i f_j`` over [breaks[0], breaks[-1]].

    Parameters
    ----------
    functions : callable
        Values (m, K) at points (m,).
    breaks : array of shape (n_breaks,)
        Increasing points between which the functions are smooth.
    n_nodes : int
        Gauss-Legendre nodes between neighbouring breaks; exact for polynomials up to degree ``n_nodes - 1``.
    """
    breaks = np.asarray(breaks, float)
    nodes, weights = _gauss_legendre(n_nodes)
    half = np.diff(breaks)[:, None] / 2
    values = functions((breaks[:-1, None] + half * (1 + nodes)).ravel())
    return (values * (half * weights).reshape(-1, 1)).T @ values
