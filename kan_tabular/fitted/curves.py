"""All curves that leave one input of a layer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kan_tabular.bases import Basis, basis_from_spec

#: Rows up to which all inputs are looked up at once (one patient); above, input by input.
_FEW_ROWS = 64


@dataclass
class InputCurves:
    """The curves from one input to every output of its layer.

    A row of the design is ``[basis(x) @ transform - center, -missing]`` where x is known, ``[0, 1 - missing]`` where it
    is missing and 0 for an unseen category level; the last column is there only if training had missing values.
    Each column has mean zero over the training rows, so contributions are centred.

    Attributes
    ----------
    basis : Basis or None
        None when the input carries nothing (constant, or all missing).
    transform : ndarray of shape (n_functions, r)
        From the r fitted columns to the basis functions.
    center : ndarray of shape (r,)
        Mean of ``basis(x) @ transform`` over the training rows where x is known.
    missing : float
        Share of training rows in which the input is missing.
    coefficients : ndarray of shape (n_columns, n_outputs)
    """

    basis: Basis | None
    transform: np.ndarray
    center: np.ndarray
    missing: float
    coefficients: np.ndarray | None = None

    @property
    def n_columns(self) -> int:
        return self.transform.shape[1] + self.has_missing

    @property
    def has_missing(self) -> bool:
        return 0 < self.missing < 1

    def columns(self, x):
        """Design columns (n, n_columns) for values `x` (n,): NaN is missing, -1 an unseen level of a category."""
        known = ~np.isnan(x)
        out = np.zeros((len(x), self.n_columns))
        r = len(self.center)
        if r:
            out[known, :r] = self.basis.evaluate(x[known]) @ self.transform - self.center
        if self.has_missing:
            out[:, r] = np.where(known, -self.missing, 1 - self.missing)
        if self.basis is not None and self.basis.name == "category":
            out[x == -1] = 0.0
        return out

    def evaluate(self, x):
        """Contributions (n, n_outputs) of the values `x` (n,)."""
        return self.columns(x) @ self.coefficients

    def piecewise(self):
        """Low end, width, breaks, origins and polynomial table (see `BSpline.piecewise`), and the missing value."""
        r = len(self.center)
        b = self.coefficients
        at_missing = (1 - self.missing) * b[r] if self.has_missing else np.zeros(b.shape[1])
        offset = -(self.center @ b[:r]) - (self.missing * b[r] if self.has_missing else 0.0)
        if self.basis is None or not r:
            return 0.0, 1.0, np.empty(0), np.zeros(1), np.reshape(offset, (1, 1, -1)), at_missing
        breaks, origins, table = self.basis.piecewise(self.transform @ b[:r])
        table = table.copy()
        if self.basis.name == "category":
            table[1:, 0] += offset
            return 0.0, 1.0, breaks, origins, table, at_missing
        table[:, 0] += offset
        low, high = self.basis.domain
        return low, (high - low) or 1.0, breaks, origins, table, at_missing

    def to_spec(self, prefix):
        """Plain data and named arrays."""
        spec = {"basis": None if self.basis is None else self.basis.to_spec(), "missing": self.missing}
        arrays = {"transform": self.transform, "center": self.center, "coefficients": self.coefficients}
        return spec, {f"{prefix}.{k}": v for k, v in arrays.items()}

    @classmethod
    def from_spec(cls, spec, arrays, prefix):
        basis = None if spec["basis"] is None else basis_from_spec(spec["basis"])
        parts = [arrays[f"{prefix}.{k}"] for k in ("transform", "center")]
        return cls(basis, *parts, spec["missing"], arrays[f"{prefix}.coefficients"])


class StackedCurves:
    """All curves of a layer as one stack of piecewise polynomials, so that one row costs a handful of array operations.

    Inputs whose family is not piecewise polynomial are evaluated one by one.

    Parameters
    ----------
    curves : list of InputCurves
        With coefficients; inputs may have different numbers of outputs (the missing ones are 0).
    output_map : ndarray (C, n_outputs), optional
        From the fitted outputs to those wanted.
    """

    def __init__(self, curves, output_map=None):
        smooth = [c.basis is not None and not hasattr(c.basis, "piecewise") for c in curves]
        blank = InputCurves(None, np.zeros((0, 0)), np.zeros(0), 0.0)
        self.smooth = []
        for j in np.flatnonzero(smooth):
            b = curves[j].coefficients if output_map is None else curves[j].coefficients @ output_map
            self.smooth.append((j, replace(curves[j], coefficients=b)))
        parts = [
            replace(blank, coefficients=np.zeros((0, c.coefficients.shape[1]))).piecewise() if s else c.piecewise()
            for c, s in zip(curves, smooth, strict=True)
        ]
        m = max(len(part[2]) for part in parts)
        d = max(part[4].shape[1] for part in parts)
        self.n_outputs = max(part[4].shape[2] for part in parts) if output_map is None else output_map.shape[1]
        p, out = len(parts), self.n_outputs
        self.low, self.width = np.array([part[0] for part in parts]), np.array([part[1] for part in parts])
        self.breaks, self.origins = np.full((p, m), np.inf), np.zeros((p, m + 1))
        self.table, self.missing = np.zeros((p, m + 1, d, out)), np.zeros((p, out))
        for j, (_, _, b, o, t, at_missing) in enumerate(parts):
            if output_map is not None:
                t, at_missing = t @ output_map, at_missing @ output_map
            self.breaks[j, : len(b)], self.origins[j, : len(o)] = b, o
            self.table[j, : len(o), : t.shape[1], : t.shape[2]] = t
            self.missing[j, : len(at_missing)] = at_missing

    def evaluate(self, Z):
        """Values of the curves at the encoded rows `Z` (n, p): (n, p, n_outputs)."""
        n, p = Z.shape
        out = np.empty((n, p, self.n_outputs))
        z = (Z - self.low) / self.width
        if n <= _FEW_ROWS:
            interval = (z[:, :, None] >= self.breaks).sum(2)
            rows = np.arange(p)
            out[:] = _horner(self.table[rows, interval], z - self.origins[rows, interval])
        else:
            for j in range(p):
                zj = z[:, j]
                interval = np.searchsorted(self.breaks[j], zj, side="right")
                out[:, j] = _horner(self.table[j][interval], zj - self.origins[j][interval])
        unknown = np.isnan(z)
        if unknown.any():
            out[unknown] = np.broadcast_to(self.missing, out.shape)[unknown]
        for j, curves in self.smooth:
            out[:, j, : curves.coefficients.shape[1]] = curves.evaluate(Z[:, j])
        return out


def _horner(table, u):
    """Polynomials (..., degree + 1, outputs) at u (...): (..., outputs)."""
    out = table[..., -1, :]
    for d in range(table.shape[-2] - 2, -1, -1):
        out = out * u[..., None] + table[..., d, :]
    return out
