"""From an encoded table to the pieces of the convex problem."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from kan_tabular.solvers.design import Design, compress, is_exact
from kan_tabular.solvers.smoothing import Groups
from kan_tabular.solvers.terms import Term, build_term

#: Design columns in all: cubic work stays within seconds. Wide tables keep the smoothest columns of each term.
_MAX_COLUMNS = 2000
#: log lambda at the start, by kind: moderate lines, smaller curvatures.
_START = {"linear": 1.0, "curvature": 2.0, "level": 1.0, "missing": 1.0}
#: Precision of columns that are not to be shrunk: a proper prior all the same (separable classes).
_WEAK = np.log(1e-4)


@dataclass
class Problem:
    """Design, penalty groups, terms (one a feature), the start of log lambda, and what each column looked like.

    `distinct` gives, by feature, the design columns at its distinct values (m, k) and their frequencies (m,).
    """

    design: Design
    groups: Groups
    terms: list[Term]
    rho: np.ndarray
    distinct: dict

    def grams(self):
        """Inner products of each term's design columns over the rows (mean of the products), a list of (k, k)."""
        grams = []
        for j, term in enumerate(self.terms):
            table, counts = self.distinct.get(j, (np.zeros((1, term.curves.n_columns)), np.ones(1)))
            grams.append((table.T * (counts / counts.sum())) @ table)
        return grams


def columns_of(family):
    """Design columns that a numeric column gets from a basis (the largest of several), the missing one left out."""
    if isinstance(family, list):
        return max(map(columns_of, family))
    basis = deepcopy(family).fit(np.linspace(0.0, 1.0, 1000))
    return basis.n_functions - 1 if basis.line() is not None else basis.n_functions + 1


def build_problem(encoded, features, weights, *, family, smoothing, select, n_outputs, device):
    """Set up the additive model of the columns of `encoded` (n, p).

    Parameters
    ----------
    family : Basis or list of Basis
        Of numeric columns: one for all, or one each.
    smoothing : str, float or dict
        A number (or a number for a feature's name) fixes that term's curvature or level parameter; the rest is free.
    select : bool
        Whether lines and missing levels are shrunk too (free parameters) or left alone.
    """
    n, p = encoded.shape
    budget = max(min(max(10 * n, 300), _MAX_COLUMNS) // p, 1)
    total = weights.sum()
    exact = is_exact(n, p * (min(budget, columns_of(family)) + 1))
    terms, distinct, indices = [], {}, []
    for j, feature in enumerate(features):
        values, counts, index = compress(encoded[:, j], weights, exact or feature.kind == "category")
        term = build_term(
            feature.kind,
            len(feature.levels),
            values,
            counts,
            1 - counts.sum() / total if feature.missing else 0.0,
            family=family[j] if isinstance(family, list) else family,
            max_columns=budget,
        )
        terms.append(term)
        if term.curves.n_columns:
            rows = np.append(values, np.nan) if feature.missing else values
            weight = np.append(counts, total - counts.sum()) if feature.missing else counts
            distinct[j] = term.curves.columns(rows), weight
            indices.append(index)
    groups, rho = _groups(terms, features, smoothing, select, n_outputs)
    design = Design([table for table, _ in distinct.values()], indices, n, device)
    return Problem(design, groups, terms, rho, distinct)


def _groups(terms, features, smoothing, select, n_outputs):
    sizes, kinds, owner, free, penalised, rho = [], [], [], [], [], []
    for j, term in enumerate(terms):
        fixed = (
            smoothing.get(features[j].name)
            if isinstance(smoothing, dict)
            else smoothing
            if not isinstance(smoothing, str)
            else None
        )
        for kind, size in term.groups:
            shape = kind in ("curvature", "level")
            free.append(fixed is None if shape else select)
            penalised.append(shape or select)
            start = _START[kind]
            if shape and fixed is not None:
                start = np.log(max(fixed, 1e-10))
            elif not shape and not select:
                start = _WEAK
            sizes.append(size)
            kinds.append(kind)
            owner.append(j)
            rho.append(start)
    scale = np.concatenate([[0.0]] + [t.scale for t in terms])
    start = np.concatenate([[1], 1 + np.cumsum(sizes, dtype=int)]).astype(int)
    groups = Groups(
        start,
        scale,
        np.array(kinds, dtype=object),
        np.array(owner, dtype=int),
        np.array(free, dtype=bool),
        np.array(penalised, dtype=bool),
        n_outputs,
    )
    return groups, np.array(rho, dtype=float)
