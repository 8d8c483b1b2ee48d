"""All curves that leave one input of a layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kan_tabular.bases import Basis, basis_from_spec


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
        return len(self.center) + self.has_missing

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
