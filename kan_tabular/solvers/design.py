"""The design matrix, never larger than it has to be.

Every column block is a small table (distinct values x columns) and an index. Small problems gather it once into a dense
matrix. Large ones never do: the cross-products of two blocks need only the weights summed over each pair of their
distinct values, ``T_i' H_ij T_j`` (Wood, Li, Shaddick & Augustin 2017), so memory grows with n x p and the work with
n p^2. The same code runs on NumPy arrays and on torch tensors (`device`).
"""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

#: Cells of the design matrix up to which it is kept dense (320 MB).
_DENSE_CELLS = 4e7
#: Rows up to which columns keep every distinct value (if the matrix is dense), and bins a column gets above.
_EXACT_ROWS = 20_000
_MAX_BINS = 512


def is_exact(n_rows, n_columns):
    """Whether a problem of this size is solved without binning its columns."""
    return n_rows <= _EXACT_ROWS and n_rows * n_columns <= _DENSE_CELLS


def compress(x, weights, exact):
    """Distinct values of a column, their frequencies, and each row's index into them.

    Missing rows get the index ``len(values)``. Unless `exact`, columns with many values are binned at a mixture of
    quantile and equidistant edges, each bin standing at its mean (Wood, Li, Shaddick & Augustin 2017, "Generalized
    additive models for gigadata"); a value moves by less than 1/250 of its column's range or of its ranks.

    Returns
    -------
    values : ndarray (m,);  counts : ndarray (m,);  index : ndarray of int (n,)
    """
    known = ~np.isnan(x)
    complete = bool(known.all())
    v = x if complete else x[known]
    w = weights if complete else weights[known]
    if exact:
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
    if np.count_nonzero(np.diff(sample)) < _MAX_BINS:
        # Few values, it seems: keep each of them, also those that the sample missed.
        values, inverse = np.unique(v, return_inverse=True)
        if len(values) <= 2 * _MAX_BINS:
            return values, inverse
    low = v.min()
    ranks = np.linspace(0, len(sample) - 1, _MAX_BINS // 2 + 1).astype(int)
    even = np.linspace(low, v.max(), _MAX_BINS // 2 + 1)
    edges = np.unique(np.concatenate([sample[ranks], even]))[1:-1]
    inverse = np.searchsorted(edges, v, side="right")
    mass = np.bincount(inverse, w, len(edges) + 1)
    mean = np.bincount(inverse, w * (v - low), len(edges) + 1)[mass > 0] / mass[mass > 0] + low
    rank = np.cumsum(mass > 0) - 1
    return mean, rank[inverse]


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
        self._dense = self._gather() if n_rows * self.n_columns <= _DENSE_CELLS else None

    def asarray(self, array):
        """A NumPy array on this design's device."""
        if self.device == "cpu":
            return array
        import torch

        return torch.as_tensor(np.ascontiguousarray(array), device=self.device)

    def to_numpy(self, array):
        return array if self.device == "cpu" else array.cpu().numpy()

    def rows(self, selection):
        """The design of some rows (a slice, or an array of positions), sharing the tables."""
        new = object.__new__(Design)
        new.__dict__.update(self.__dict__)
        new.indices = [i[selection] for i in self.indices]
        new.n_rows = len(range(*selection.indices(self.n_rows))) if isinstance(selection, slice) else len(selection)
        new._dense = new._gather() if new.n_rows * self.n_columns <= _DENSE_CELLS else None
        return new

    def _gather(self):
        X = self._zeros(self.n_columns)
        X[:, 0] = 1.0
        for table, index, columns in self._terms():
            X[:, columns] = self.xp.take(table, index, axis=0)
        return X

    def matrix(self, dtype):
        """All columns but the intercept as one NumPy array (n, q - 1)."""
        out = np.empty((self.n_rows, self.n_columns - 1), dtype=dtype)
        for table, index, columns in self._terms():
            out[:, columns.start - 1 : columns.stop - 1] = self.to_numpy(table)[self.to_numpy(index)]
        return out

    def _zeros(self, n_columns):
        like = self.asarray(np.zeros(1))
        return self.xp.zeros((self.n_rows, n_columns), dtype=like.dtype, device=like.device)

    def linear(self, b):
        """Linear predictor (n, C) of coefficients `b` (q, C) (NumPy)."""
        if self._dense is not None:
            return self._dense @ self.asarray(b)
        eta = self._zeros(b.shape[1]) + self.asarray(b[:1])
        for table, index, columns in self._terms():
            eta += self.xp.take(table @ self.asarray(b[columns]), index, axis=0)
        return eta

    def normal_equations(self, gradient, hessian):
        """``X' gradient`` (q, C) and ``X' hessian X`` (qC, qC), in NumPy; coefficient (a, c) stands at c q + a."""
        q, C = self.n_columns, gradient.shape[1]
        score = np.stack([self._total(gradient[:, c]) for c in range(C)], axis=1)
        A = np.empty((q * C, q * C))
        for c in range(C):
            for d in range(c + 1):
                block = self._cross_products(hessian[:, c, d], c == d)
                A[c * q : (c + 1) * q, d * q : (d + 1) * q] = block
                A[d * q : (d + 1) * q, c * q : (c + 1) * q] = block.T
        return score, A

    def _total(self, weights):
        """``X' weights`` (q,)."""
        if self._dense is not None:
            return self.to_numpy(self._dense.T @ weights)
        out = np.empty(self.n_columns)
        out[0] = float(weights.sum())
        for table, index, columns in self._terms():
            out[columns] = self.to_numpy(table.T @ self.xp.bincount(index, weights, minlength=len(table)))
        return out

    def _cross_products(self, weights, variances):
        """``X' diag(weights) X`` (q, q); `variances` promises weights >= 0 up to rounding."""
        if self._dense is not None:
            if not variances:
                return self.to_numpy((self._dense * weights[:, None]).T @ self._dense)
            root = self._dense * self.xp.clip(weights, 0.0, None)[:, None] ** 0.5
            return self.to_numpy(root.T @ root)
        A = np.empty((self.n_columns, self.n_columns))
        A[0] = A[:, 0] = self._total(weights)
        for j, (table, index, columns) in enumerate(self._terms()):
            pile = self.xp.bincount(index, weights, minlength=len(table))
            A[columns, columns] = self.to_numpy((table * pile[:, None]).T @ table)
            for other, other_index, other_columns in self._terms(j):
                size = len(table) * len(other)
                pile = self.xp.bincount(index * len(other) + other_index, weights, minlength=size)
                block = self.to_numpy(table.T @ (pile.reshape(len(table), len(other)) @ other))
                A[columns, other_columns] = block
                A[other_columns, columns] = block.T
        return A

    def _terms(self, stop=None):
        """Table, index and columns of each block."""
        last = 1
        for table, index in zip(self.tables[:stop], self.indices[:stop], strict=True):
            first, last = last, last + table.shape[1]
            yield table, index, slice(first, last)
