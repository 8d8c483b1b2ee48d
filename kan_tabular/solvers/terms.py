"""From a column to penalised design columns.

Each block is centred, made orthonormal over the rows and rotated so that its penalty is diagonal (the basis of Demmler
and Reinsch, Numer. Math. 24, 1975). The units are then the same for every term: a coefficient of a numeric term is the
standard deviation of what it adds to the linear predictor.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag, eigh, solve_triangular

from kan_tabular.bases import Category, Pool, WithLine
from kan_tabular.fitted.curves import InputCurves
from kan_tabular.likelihoods import helmert

#: Directions whose standard deviation over the rows is below this share of the largest function's are not seen.
_RANK_TOLERANCE = 1e-5


@dataclass
class Term:
    """Design columns of one feature, in groups that share one smoothing parameter.

    Attributes
    ----------
    curves : InputCurves
        Without coefficients yet.
    groups : list of (kind, n_columns)
        Kinds: "linear" (the part the curvature penalty does not see), "curvature", "level", "missing".
    scale : ndarray of shape (n_columns,)
        Penalty of each column at smoothing parameter 1. A curvature group has ``sum(1 / scale) = 1``: with smoothing
        parameter lambda, the prior variance of the curved part is 1 / lambda.
    spaces : list of int
        For each group the space of a `Pool` that it comes from; -1 for what all spaces share.
    """

    curves: InputCurves
    groups: list[tuple[str, int]]
    scale: np.ndarray
    spaces: list[int]


def build_term(kind, n_levels, values, counts, missing, *, family, max_columns):
    """The term of a column with sorted distinct `values` (m,), frequencies `counts` (m,) and a `missing` share.

    `family` is the basis of numeric columns; each gets its own copy.
    """
    basis, transform, center, groups, scale = None, np.zeros((0, 0)), np.zeros(0), [], np.zeros(0)
    spaces = []
    if kind == "category" and n_levels > 1 and len(values) > 1:
        basis = Category(n_levels)
        # Contrasts of the levels: the overall level is the intercept's.
        transform = helmert(n_levels)
        center = counts @ transform[values.astype(int)] / counts.sum()
        groups, scale = [("level", n_levels - 1)], np.ones(n_levels - 1)
    elif kind == "numeric" and len(values) > 1:
        pool = family.spaces if isinstance(family, Pool) else [family]
        parts = [_curves(space, values, counts, 1 + (max_columns - 1) // len(pool)) for space in pool]
        basis, transform, center, _ = parts[0]
        scale = np.concatenate([[1.0], *(part[3] for part in parts)])
        groups, spaces = [("linear", 1)], [-1]
        for s, part in enumerate(parts):
            if len(part[3]):
                groups, spaces = [*groups, ("curvature", len(part[3]))], [*spaces, s]
        if isinstance(family, Pool):
            basis = Pool([part[0] for part in parts])
            # One line for all: that of the first.
            transform = block_diag(transform, *(part[1][:, 1:] for part in parts[1:]))
            center = np.concatenate([center, *(part[2][1:] for part in parts[1:])])
    if 0 < missing < 1:
        groups, scale = [*groups, ("missing", 1)], np.append(scale, 1.0)
    spaces = spaces + [-1] * (len(groups) - len(spaces))
    return Term(InputCurves(basis, transform, center, missing), groups, scale, spaces)


def _curves(family, values, counts, max_columns):
    """A copy of the family on a column, and its columns: basis, transform, center, curvature penalties."""
    basis = deepcopy(family).fit_unique(values, counts)
    if basis.line() is None:
        basis = WithLine(basis)
    return basis, *_diagonalise(basis, values, counts, max_columns)


def _diagonalise(basis, values, counts, max_columns):
    """Transform (K, r), column means (r,), curvature penalties (r - 1,): the line, then ever rougher curves.

    Where the rows cannot tell functions apart (a family that keeps its size on few values, or is nearly dependent on
    them), each column is the smoothest of the curves that are the same over the rows.
    """
    B, share, penalty = basis.evaluate(values), counts / counts.sum(), basis.penalty()
    mean = share @ B
    A = np.sqrt(share)[:, None] * (B - mean)
    line = basis.line()  # which the penalty does not see
    line = line / np.linalg.norm(A @ line)
    rest = np.eye(len(line)) - np.outer(line, (A @ line) @ A)  # the functions without their part along the line
    sizes, axes = np.linalg.svd(np.linalg.qr(A @ rest, mode="r"))[1:]
    rank = np.count_nonzero(sizes > _RANK_TOLERANCE * np.linalg.norm(A, axis=0).max())
    rank = min(rank, len(values) - 2)  # what m centred values have beside a line, whatever rounding says
    if rank == 0 < len(values) - 2 and not basis.linear:
        # Functions that are straight now and will learn not to be: each for itself, and none smoother than another.
        curved = np.diag(1 / np.linalg.norm(A, axis=0))[:, line == 0][:, : max(max_columns - 1, 0)]
        transform = np.column_stack([line, curved])
        return transform, mean @ transform, np.full(curved.shape[1], float(curved.shape[1]))
    seen, unseen = axes[:rank].T, axes[rank:].T
    cross = unseen.T @ penalty
    seen = seen - unseen @ (_inverse(cross @ unseen, np.linalg.norm(penalty)) @ (cross @ seen))
    curved = rest @ seen
    curved = solve_triangular(np.linalg.qr(A @ curved, mode="r"), curved.T, trans="T").T
    roughness, rotation = eigh(curved.T @ penalty @ curved)
    keep = max(min(rank, max_columns - 1), 0)
    transform = np.column_stack([line, (curved @ rotation)[:, :keep]])
    roughness = roughness[:keep]
    if keep:
        # A family without roughness of its own (broken lines as B-splines of degree 1): all its curves alike.
        roughness = np.maximum(roughness, 1e-12 * roughness[-1]) if roughness[-1] > 0 else np.ones(keep)
        roughness = roughness * (1 / roughness).sum()
    return transform, mean @ transform, roughness


def _inverse(matrix, size):
    """Inverse of a positive semi-definite matrix on the directions in which it is not nothing compared to `size`."""
    values, axes = eigh(matrix)
    kept = values > 1e-12 * size
    return (axes[:, kept] / values[kept]) @ axes[:, kept].T
