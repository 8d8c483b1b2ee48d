"""How easily the curves of the first layer bend: scales of its design columns."""

from __future__ import annotations

import numpy as np

from kan_tabular.bases import BSpline

#: Points of a column's range at which the gaps between its values are looked into.
_RANGE_POINTS = 400


def first_layer_gains(terms, settings):
    """Scale of each design column in the first layer, by setting (S, P).

    A curve's rougher columns are scaled down with the fourth root of their penalty, so that all of them together have
    the setting's `bend` as their root mean square beside the line's 1. (The square root would be the additive model's
    prior. Networks do better with a slower fall: sharp thresholds stay in reach.) All columns vary by 1 over the rows;
    those that are larger in the gaps between the rows' values are scaled down by what they are over the whole range
    (`_range_sizes`).
    """
    rows, ranges = [], [np.maximum(_range_sizes(term), 1.0) for term in terms]
    for setting in settings:
        parts = []
        for term, sizes in zip(terms, ranges, strict=True):
            start = 0
            for kind, size in term.groups:
                gain, own = np.ones(size), slice(start, start + size)
                if kind == "curvature":
                    gain = term.scale[own] ** -0.25 / sizes[own]
                    gain *= setting.bend / np.sqrt((gain**2).sum())
                parts.append(gain)
                start += size
        rows.append(np.concatenate(parts) if parts else np.zeros(0))
    return np.stack(rows)


def _range_sizes(term):
    """Root mean square of each design column over its input's range, evenly; 1 where it is no curve's.

    B-splines on their own count as 1, too: their knots follow the rows, so they have none to bend at in a gap.
    """
    basis, r = term.curves.basis, len(term.curves.center)
    sizes = np.ones(term.curves.n_columns)
    if "curvature" in dict(term.groups) and not isinstance(basis, BSpline):
        x = np.linspace(*basis.domain, _RANGE_POINTS)
        sizes[:r] = np.sqrt((term.curves.columns(x)[:, :r] ** 2).mean(0))
    return sizes
