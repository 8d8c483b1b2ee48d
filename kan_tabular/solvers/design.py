"""The design matrix, never larger than it has to be.

Every column block is a small table (distinct values x columns) and an index. Small problems gather it once into a dense
matrix; large ones are gathered block by block while the sums are accumulated, so memory does not grow with n x q. The
same code runs on NumPy arrays and on torch tensors (`device`).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from array_api_compat import array_namespace
from threadpoolctl import ThreadpoolController

#: Cells of the design matrix up to which it is kept dense (160 MB).
_DENSE_CELLS = 2e7
#: Rows per gathered block: its matrix stays in the cache.
_BLOCK = 4096
#: Rows per task of the thread pool.
_PART = 32 * _BLOCK
#: Columns with more distinct values than this are binned above `_EXACT_ROWS` rows.
_MAX_BINS = 1024
_EXACT_ROWS = 20_000


def compress(x, weights):
    """Distinct values of a column, their frequencies, and each row's index into them.

    Missing rows get the index ``len(values)``. Long columns with many values are binned at a mixture of quantile and
    equidistant edges, each bin standing at its mean (Wood, Li, Shaddick & Augustin 2017, "Generalized additive models
    for gigadata"); the error is that of moving a value by less than 1/500 of its range or of its ranks.

    Returns
    -------
    values : ndarray (m,);  counts : ndarray (m,);  index : ndarray of int (n,)
    """
    known = ~np.isnan(x)
    complete = bool(known.all())
    v = x if complete else x[known]
    w = weights if complete else weights[known]
    if len(v) <= _EXACT_ROWS:
        values, inverse = np.unique(v, return_inverse=True)
    else:
        values, inverse = _bin(v, w)
    counts = np.bincount(inverse, w, len(values))
    if complete:
        return values, counts, inverse
    index = np.full(len(x), len(values), dtype=np.intp)
    index[known] = inverse
    return values, counts, index


def _bin(v, w):
    sample = np.sort(v[:: max(len(v) // 50_000, 1)])
    distinct = sample[np.concatenate([[True], np.diff(sample) > 0])]
    low, high = v.min(), v.max()
    if len(distinct) > _MAX_BINS:
        ranks = np.linspace(0, len(sample) - 1, _MAX_BINS // 2 + 1).astype(int)
        edges = np.unique(np.concatenate([sample[ranks], np.linspace(low, high, _MAX_BINS // 2 + 1)]))[1:-1]
    else:
        edges = (distinct[1:] + distinct[:-1]) / 2
    inverse = np.searchsorted(edges, v, side="right")
    mass = np.bincount(inverse, w, len(edges) + 1)
    mean = np.bincount(inverse, w * (v - low), len(edges) + 1)[mass > 0] / mass[mass > 0] + low
    rank = np.cumsum(mass > 0) - 1
    return mean, rank[inverse]


def _in_threads(task, arguments, threaded):
    """Results of `task` in order, on as many threads as BLAS may use, each with a BLAS of one thread."""
    if not threaded or len(arguments) == 1:
        return [task(a) for a in arguments]
    blas = ThreadpoolController().select(user_api="blas")
    workers = max([1, *(library["num_threads"] for library in blas.info())])
    if workers == 1:
        return [task(a) for a in arguments]
    with blas.limit(limits=1), ThreadPoolExecutor(workers) as pool:
        return list(pool.map(task, arguments))


class Design:
    """Intercept and blocks of columns over n rows.

    Parameters
    ----------
    tables : list of ndarray (m_j, k_j)
        Columns of each block at its distinct values (the last row: missing, if there are any).
    indices : list of ndarray of int (n,)
    device : str
        "cpu" keeps NumPy arrays; anything else is a torch device.
    """

    def __init__(self, tables, indices, n_rows, device="cpu"):
        self.n_rows, self.device = n_rows, device
        self.n_columns = 1 + sum(t.shape[1] for t in tables)
        self.tables = [self.asarray(t) for t in tables]
        self.indices = [self.asarray(i) for i in indices]
        self.xp = array_namespace(self.asarray(np.zeros(1)))
        self._dense = self._gather(slice(0, n_rows)) if n_rows * self.n_columns <= _DENSE_CELLS else None

    def asarray(self, array):
        """A NumPy array on this design's device."""
        if self.device == "cpu":
            return array
        import torch

        return torch.as_tensor(np.ascontiguousarray(array), device=self.device)

    def to_numpy(self, array):
        return array if self.device == "cpu" else array.cpu().numpy()

    def rows(self, selection):
        """The design of some rows (NumPy index or slice), sharing the tables."""
        new = object.__new__(Design)
        new.__dict__.update(self.__dict__)
        new.indices = [i[selection] for i in self.indices]
        new.n_rows = len(range(*selection.indices(self.n_rows)))
        new._dense = new._gather(slice(0, new.n_rows)) if new.n_rows * self.n_columns <= _DENSE_CELLS else None
        return new

    def _gather(self, rows):
        xp = self.xp
        n = rows.stop - rows.start
        like = self.tables[0] if self.tables else self.asarray(np.zeros(1))
        X = xp.empty((n, self.n_columns), dtype=like.dtype, device=like.device)
        X[:, 0] = 1.0
        stop = 1
        for table, index in zip(self.tables, self.indices, strict=True):
            start, stop = stop, stop + table.shape[1]
            X[:, start:stop] = xp.take(table, index[rows], axis=0)
        return X

    def _blocks(self, start, stop):
        stop = min(stop, self.n_rows)
        if self._dense is not None:
            yield slice(start, stop), self._dense[start:stop]
            return
        for first in range(start, stop, _BLOCK):
            rows = slice(first, min(first + _BLOCK, stop))
            yield rows, self._gather(rows)

    def linear(self, b):
        """Linear predictor (n, C) of coefficients `b` (q, C) (NumPy)."""
        if self._dense is not None:
            return self._dense @ self.asarray(b)
        xp = self.xp
        eta = xp.zeros(
            (self.n_rows, b.shape[1]), dtype=self.tables[0].dtype, device=self.tables[0].device
        ) + self.asarray(b[:1])
        stop = 1
        for table, index in zip(self.tables, self.indices, strict=True):
            start, stop = stop, stop + table.shape[1]
            eta += xp.take(table @ self.asarray(b[start:stop]), index, axis=0)
        return eta

    def normal_equations(self, gradient, hessian):
        """``X' gradient`` (q, C) and ``X' hessian X`` (qC, qC), as NumPy arrays; coefficient (a, c) stands at c q + a."""
        q, C = self.n_columns, gradient.shape[1]

        def part(start):
            """Sums over some blocks of rows; the same partition whatever the number of threads."""
            score, information = 0.0, [[0.0] * C for _ in range(C)]
            for rows, X in self._blocks(start, start + _PART):
                score = score + X.T @ gradient[rows]
                for c in range(C):
                    # Rounding can leave a multinomial variance a hair below zero.
                    root = X * self.xp.clip(hessian[rows, c, c, None], 0.0, None) ** 0.5
                    information[c][c] = information[c][c] + root.T @ root
                    for d in range(c):
                        information[c][d] = information[c][d] + (X * hessian[rows, c, d, None]).T @ X
            return score, information

        parts = _in_threads(part, range(0, self.n_rows, _PART), self.device == "cpu")
        score = sum(s for s, _ in parts)
        information = [[sum(i[c][d] for _, i in parts) for d in range(c + 1)] for c in range(C)]
        A = np.empty((q * C, q * C))
        for c in range(C):
            for d in range(c + 1):
                A[c * q : (c + 1) * q, d * q : (d + 1) * q] = self.to_numpy(information[c][d])
                A[d * q : (d + 1) * q, c * q : (c + 1) * q] = A[c * q : (c + 1) * q, d * q : (d + 1) * q].T
        return self.to_numpy(score), A
