"""What InteractionDisplay draws: the effect of a pair of features on a grid, and where the data are."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter

from kan_tabular.fitted.effects import pair_effects
from kan_tabular.plots._style import write_value

#: Numbers with at most so many different values are shown value by value.
FEW = 5
#: Most levels of a category, the most common ones.
MAX_LEVELS = 12
_CELLS = 24
#: Share of the rows between the ends of a numeric axis.
_SHOWN = 0.98


@dataclass(frozen=True)
class PairAxis:
    """One feature of a pair.

    Attributes
    ----------
    name : str
    labels : list of str, or None
        Of the levels; None for numbers.
    edges : ndarray (n + 1,), or None
        Of the cells of a numeric axis, in the units shown.
    values : ndarray (n_rows,)
        Of the rows, in these units or as positions of levels; NaN where the axis does not show them.
    n_levels : int
        How many levels there are, with those not shown.
    """

    name: str
    labels: list | None
    edges: np.ndarray | None
    values: np.ndarray
    n_levels: int = 0

    @property
    def n(self):
        return len(self.edges) - 1 if self.labels is None else len(self.labels)

    @property
    def centers(self):
        return (self.edges[:-1] + self.edges[1:]) / 2 if self.labels is None else np.arange(self.n)

    def cells(self):
        """In which cell each row lies (n_rows,); -1 where in none."""
        known = ~np.isnan(self.values)
        out = np.full(len(self.values), -1)
        if self.labels is not None:
            out[known] = self.values[known].astype(int)
            return out
        turned = self.edges[0] > self.edges[-1]
        edges = self.edges[::-1] if turned else self.edges
        at = np.clip(np.searchsorted(edges, self.values[known], side="right") - 1, 0, self.n - 1)
        out[known] = self.n - 1 - at if turned else at
        inside = (self.values >= edges[0]) & (self.values <= edges[-1])
        return np.where(inside, out, -1)


@dataclass(frozen=True)
class PairEffect:
    """The effect of two features together, beyond what each does alone.

    Attributes
    ----------
    first, second : PairAxis
        A numeric feature beside a category comes first.
    effect : ndarray (first.n, second.n)
        At the middle of each cell, on the linear predictor.
    counts : ndarray of int (first.n, second.n)
        Rows in each cell.
    """

    first: PairAxis
    second: PairAxis
    effect: np.ndarray
    counts: np.ndarray

    @property
    def supported(self):
        """Which cells the data speak for: those with rows; along numbers, their neighbours, too."""
        size = tuple(3 if axis.labels is None else 1 for axis in (self.first, self.second))
        return maximum_filter(self.counts, size=size, mode="constant") > 0


def pair_effect(source, Z, j, k, output):
    """The `PairEffect` of features `j` and `k` on an output, with the encoded rows `Z` (n, p) as the data."""
    network = source.estimator.network_
    (first, at_first), (second, at_second) = _axis(source, Z, j), _axis(source, Z, k)
    if first.labels is not None and second.labels is None:
        (first, at_first, j), (second, at_second, k) = (second, at_second, k), (first, at_first, j)
    grid = np.zeros((len(at_first) * len(at_second), Z.shape[1]))  # of other features nothing is read
    grid[:, j], grid[:, k] = np.repeat(at_first, len(at_second)), np.tile(at_second, len(at_first))
    effect = pair_effects(network, grid, [(j, k)])[:, 0, output].reshape(len(at_first), len(at_second))
    rows, columns = first.cells(), second.cells()
    inside = (rows >= 0) & (columns >= 0)
    counts = np.zeros(effect.shape, dtype=int)
    np.add.at(counts, (rows[inside], columns[inside]), 1)
    return PairEffect(first, second, effect, counts)


def _axis(source, Z, j):
    """The axis of a feature, and the encoded values at the middle of its cells or at its levels."""
    feature, x = source.estimator.network_.features[j], Z[:, j]
    known = x[~np.isnan(x)]
    if feature.kind == "category":
        codes, labels, name = np.arange(len(feature.levels)), list(feature.levels), source.shown_names[j]
    elif len(np.unique(known)) > FEW:
        return _numeric_axis(source, x, known, j)
    else:
        codes = np.unique(known)
        name, (shown,) = source.in_units(j, codes)
        labels = [write_value(value) for value in shown]
    counts = (x[:, None] == codes).sum(0)
    kept = np.sort(np.argsort(-counts, kind="stable")[:MAX_LEVELS])
    at, labels, n_levels = codes[kept].astype(float), [labels[i] for i in kept], len(codes)
    values = np.full(len(x), np.nan)
    for position, code in enumerate(at):
        values[x == code] = position
    if np.isnan(x).any():
        values[np.isnan(x)] = len(labels)
        at, labels, n_levels = np.append(at, np.nan), [*labels, "missing"], n_levels + 1
    return PairAxis(name, labels, None, values, n_levels), at


def _numeric_axis(source, x, known, j):
    rare = 50 * (1 - _SHOWN)
    low, high = np.percentile(known, [rare, 100 - rare])
    if low == high:
        low, high = known.min(), known.max()
    edges = np.linspace(low, high, _CELLS + 1)
    name, (shown_edges, shown) = source.in_units(j, edges, known)
    values = np.full(len(x), np.nan)
    values[~np.isnan(x)] = shown
    return PairAxis(name, None, shown_edges, values), (edges[:-1] + edges[1:]) / 2
