"""Any smooth function as piecewise polynomials, to (nearly) the last bit: one way to compute every family of curves."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import chebyshev

from kan_tabular.exceptions import LiveModelError

#: Degree of the pieces; a function is compared with its piece at this many points between the nodes.
_DEGREE, _CHECKS = 11, 25
#: Largest error, as a share of the largest value; families round off at up to a third of that.
_TOLERANCE = 3e-11
#: A power whose part is smaller everywhere, in the same share, is left out.
_NEGLIGIBLE = 1e-12
#: Pieces are halved this often at most: a jump of the second derivative is then caught to 1e-12.
_DEPTH = 30

#: Where a piece is read: first at its nodes, then between them.
_POINTS = np.concatenate([chebyshev.chebpts1(_DEGREE + 1), np.linspace(-1.0, 1.0, _CHECKS)])
#: From Chebyshev coefficients to powers.
_POWERS = np.stack([np.pad(chebyshev.cheb2poly(row), (0, _DEGREE + 1))[: _DEGREE + 1] for row in np.eye(_DEGREE + 1)])


def piecewise_polynomials(function, low, high, knots=()):
    """Interpolate functions near the Chebyshev nodes, halving intervals until the error is negligible.

    Parameters
    ----------
    function : callable
        From points (n,) to values (n, k), continuous on [low, high].
    low, high : float
    knots : array-like
        Where pieces are known to begin. Those outside do not matter.

    Returns
    -------
    breaks : ndarray (m - 1,)
        Between the pieces, in ``z = (x - low) / (high - low)``.
    origins : ndarray (m,)
    table : ndarray (m, degree + 1, k)
        On piece i the functions are ``sum_d table[i, d] (z - origins[i])**d``.

    Raises
    ------
    LiveModelError
        A function that jumps, or has corners.
    """
    width = high - low
    scale = np.abs(function(np.linspace(low, high, 513))).max(0, initial=0.0) + 1e-300
    cuts = np.unique((np.asarray(knots, dtype=float) - low) / width)
    ends = [0.0, *cuts[(cuts > 0) & (cuts < 1)].tolist(), 1.0]
    todo, pieces = [(a, b, 0) for a, b in zip(ends[:-1], ends[1:], strict=True)][::-1], []
    while todo:
        a, b, depth = todo.pop()
        middle, half = (a + b) / 2, (b - a) / 2
        # Far from 0 a point x is not quite where it should be: the piece goes through the values where it is.
        x = np.clip(low + width * (middle + half * _POINTS), low, high)
        rows = chebyshev.chebvander(((x - low) / width - middle) / half, _DEGREE)
        values = function(x)
        coefficients = np.linalg.solve(rows[: _DEGREE + 1], values[: _DEGREE + 1])
        error = np.abs(rows @ coefficients - values).max(0)
        if (error <= _TOLERANCE * scale).all():
            pieces.append((a, middle, half, _POWERS.T @ coefficients))
        elif depth == _DEPTH:
            raise LiveModelError("a curve of the model jumps or has corners, so the page cannot compute it")
        else:
            todo += [(middle, b, depth + 1), (a, middle, depth + 1)]
    starts, origins, halves, tables = map(np.array, zip(*pieces, strict=True))
    # Powers that no piece needs; the others in units of z.
    needed = np.flatnonzero((np.abs(tables) > _NEGLIGIBLE * scale).any(axis=(0, 2)))
    degree = int(needed.max(initial=0))
    powers = tables[:, : degree + 1] / halves[:, None, None] ** np.arange(degree + 1.0)[:, None]
    return starts[1:], origins, powers
