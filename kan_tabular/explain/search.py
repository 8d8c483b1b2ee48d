"""Exact nearest neighbours: brute force in blocks, ties in the order of the rows."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.spatial.distance import cdist
from threadpoolctl import ThreadpoolController

METRICS = ("euclidean", "manhattan")

#: Rows of a block; its coordinates and distances stay in the cache.
_BLOCK = 4096
#: Points that are searched for together.
_BATCH = 64
#: Distances that differ by less, relative to the size of the coordinates, are equal: the last digits of what a network
#: says about a row depend on the rows beside it.
_EQUAL = 1e-12


class ExactSearch:
    """The nearest of many rows to a few points.

    A fast pass finds all rows that could be among the nearest given its rounding errors: for Euclidean distances
    ``|c|^2 - 2 c'x``, one matrix product. Their distances are then computed from the differences themselves, right to
    the last digits; those that differ by rounding errors alone count as equal.

    Parameters
    ----------
    rows : ndarray (n, q)
        Finite.
    metric : {"euclidean", "manhattan"}
    """

    def __init__(self, rows, metric):
        self.rows, self.metric = np.ascontiguousarray(rows, dtype=float), metric
        self._sizes = self._size(self.rows)
        self._largest = self._sizes.max(initial=0.0)

    def _size(self, points):
        return np.einsum("nq,nq->n", points, points) if self.metric == "euclidean" else np.abs(points).sum(1)

    def nearest(self, points, k, own=None):
        """The `k` nearest rows to each of the `points` (m, q), nearest first, equal distances in the rows' order.

        Parameters
        ----------
        own : ndarray of int (m,), optional
            A row that each point shall not find: itself.

        Returns
        -------
        distances : ndarray (m, k)
        indices : ndarray of int (m, k)
        """
        distances, indices = np.empty((len(points), k)), np.empty((len(points), k), dtype=np.intp)
        for start in range(0, len(points), _BATCH):
            batch = slice(start, start + _BATCH)
            # Threads gain nothing on blocks of this size, and lose much on a busy machine.
            with _blas().limit(limits=1, user_api="blas"):
                candidates = self._candidates(points[batch], k, None if own is None else own[batch])
            for i, at in enumerate(candidates, start):
                found = self._in_order(at, points[i])
                distances[i], indices[i] = found[0][:k], found[1][:k]
        return distances, indices

    def _in_order(self, at, point):
        """Distances of the rows `at` from a point, nearest first, and these rows; of equal ones the first row first."""
        d = self._distances(self.rows[at] - point)
        by_distance = np.argsort(d, kind="stable")
        d, at = d[by_distance], at[by_distance]
        equal = _EQUAL * self._reach(point[None])[0]
        begins = np.diff(d, prepend=-np.inf) > equal
        group = np.cumsum(begins) - 1
        d = np.where(d[begins] <= equal, 0.0, d[begins])[group]
        return d, at[np.lexsort((at, group))]

    def _reach(self, points):
        """What no distance from the points exceeds (m,)."""
        power = 0.5 if self.metric == "euclidean" else 1.0
        return self._largest**power + self._size(points) ** power

    def _distances(self, differences):
        if self.metric == "euclidean":
            return np.sqrt((differences**2).sum(1))
        return np.abs(differences).sum(1)

    def _candidates(self, points, k, own):
        """Rows that may be among the `k` nearest, for each point."""
        # Rounding errors of a sum of q products, twice (both sides of a comparison) and with a margin; and what counts
        # as equal: (d + e)^2 - d^2 on the scale of squares.
        slack = 8 * (points.shape[1] + 4) * np.finfo(float).eps * (self._largest + self._size(points))
        reach = self._reach(points)
        slack += 2 * _EQUAL * (reach**2 if self.metric == "euclidean" else reach)
        best = np.full((len(points), k), np.inf)
        found = [[] for _ in points]
        for start in range(0, len(self.rows), _BLOCK):
            rough = self._rough(points, slice(start, start + _BLOCK))
            if own is not None:
                at = own - start
                inside = np.flatnonzero((at >= 0) & (at < rough.shape[1]))
                rough[inside, at[inside]] = np.inf
            for i in np.flatnonzero(rough.min(1) <= best[:, -1] + slack):
                hit = np.flatnonzero(rough[i] <= best[i, -1] + slack[i])
                best[i] = np.sort(np.partition(np.append(best[i], rough[i, hit]), k - 1)[:k])
                hit = hit[rough[i, hit] <= best[i, -1] + slack[i]]
                found[i].append((start + hit, rough[i, hit]))
        return [self._kept(parts, limit) for parts, limit in zip(found, best[:, -1] + slack, strict=True)]

    def _rough(self, points, block):
        """What orders the rows of a block as their distances do, up to rounding: (m, rows)."""
        if self.metric == "euclidean":
            rough = (-2 * points) @ self.rows[block].T
            rough += self._sizes[block]
            return rough
        return cdist(points, self.rows[block], "cityblock")

    @staticmethod
    def _kept(parts, limit):
        at, rough = (np.concatenate(values) for values in zip(*parts, strict=True))
        return at[(rough <= limit) & (rough < np.inf)]


@cache
def _blas():
    """The BLAS libraries of this process; looking them up takes milliseconds, so once."""
    return ThreadpoolController()
