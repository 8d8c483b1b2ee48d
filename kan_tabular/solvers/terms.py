"""From a column to penalised design columns.

Each block is centred, whitened by its Gram matrix and rotated so that its penalty is diagonal (the basis of Demmler
and Reinsch, Numer. Math. 24, 1975). The units are then the same for every term: a coefficient of a numeric term is the
standard deviation of what it adds to the linear predictor.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag, eigh

from kan_tabular.bases import Category, Pool, WithLine
from kan_tabular.fitted.curves import InputCurves
from kan_tabular.likelihoods import helmert

#: Columns of a block whose variance is below this share of the largest carry nothing but rounding.
_RANK_TOLERANCE = 1e-10


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
    """Transform (K, r), column means (r,), curvature penalties (r - 1,): the line, then ever rougher curves."""
    B = basis.evaluate(values)
    share = counts / counts.sum()
    mean = share @ B
    gram = (B * share[:, None]).T @ B - np.outer(mean, mean)
    variance, axes = eigh(gram)
    kept = variance > _RANK_TOLERANCE * variance[-1]
    kept[: max(len(variance) - len(values) + 1, 0)] = False  # m centred values have rank m - 1, whatever rounding says
    white = axes[:, kept] / np.sqrt(variance[kept])
    line = white.T @ (gram @ basis.line())  # which the penalty does not see
    line /= np.linalg.norm(line)
    rest = np.linalg.qr(np.column_stack([line, np.eye(len(line))]))[0][:, 1 : len(line)]
    roughness, rotation = eigh(rest.T @ (white.T @ basis.penalty() @ white) @ rest)
    columns = np.column_stack([line, rest @ rotation])
    keep = min(len(line), max_columns)
    transform = white @ columns[:, :keep]
    roughness = roughness[: keep - 1]
    if len(roughness):
        roughness = np.maximum(roughness, 1e-12 * roughness[-1])
        roughness = roughness * (1 / roughness).sum()
    return transform, mean @ transform, roughness
