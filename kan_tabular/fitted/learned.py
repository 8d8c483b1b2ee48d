"""Curves from one input to the members of a network, in functions whose shape every member learned for itself."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kan_tabular.fitted.curves import InputCurves


@dataclass
class LearnedCurves(InputCurves):
    """As `InputCurves`, but for a basis with nonlinear parameters, of which each of M members has its own.

    Attributes
    ----------
    center : ndarray (M, r)
        Mean of ``basis(x) @ transform`` over the training rows where x is known, with each member's parameters.
    coefficients : ndarray (n_columns, M H)
        To the H outputs of the first member, then of the second, ...
    shapes : dict of ndarray (M, q)
        Nonlinear parameters, by name.
    """

    shapes: dict = field(default_factory=dict)

    @classmethod
    def of(cls, curves, basis, shapes, values, counts):
        """The `curves` of the start with learned `shapes`, centred on `values` (m,) with frequencies `counts` (m,).

        Coefficients are those of `curves`. What centring takes from the members' outputs (M, H) where the input is
        known is returned beside them.
        """
        M = len(next(iter(shapes.values())))
        share, center = counts / counts.sum(), np.zeros((M, curves.transform.shape[1]))
        for m in range(M):
            own = {name: value[m] for name, value in shapes.items()}
            center[m] = share @ basis.evaluate(values, own) @ curves.transform
        new = cls(basis, curves.transform, center, curves.missing, curves.coefficients, shapes)
        b = new.by_member(curves.coefficients)[:, : center.shape[1]]
        return new, np.einsum("mr,mrh->mh", center - curves.center, b)

    def by_member(self, coefficients):
        """Coefficients (n_columns, M H) as (M, n_columns, H)."""
        M = len(self.center)
        return coefficients.reshape(len(coefficients), M, -1).transpose(1, 0, 2)

    def columns(self, x):
        """Design columns (M, n, n_columns) of every member for values `x` (n,): NaN is missing."""
        known, r = ~np.isnan(x), self.transform.shape[1]
        out = np.zeros((len(self.center), len(x), self.n_columns))
        out[:, known, :r] = self.basis.evaluate(x[known], self.shapes) @ self.transform - self.center[:, None]
        if self.has_missing:
            out[:, :, r] = np.where(known, -self.missing, 1 - self.missing)
        return out

    def evaluate(self, x):
        """Contributions (n, M H) of the values `x` (n,)."""
        if not self.coefficients.size:
            return np.zeros((len(x), self.coefficients.shape[1]))
        out = self.columns(x) @ self.by_member(self.coefficients)
        return out.transpose(1, 0, 2).reshape(len(x), -1)

    def to_spec(self, prefix):
        spec, arrays = super().to_spec(prefix)
        return {**spec, "shapes": list(self.shapes)}, {
            **arrays,
            **{f"{prefix}.shapes.{name}": value for name, value in self.shapes.items()},
        }

    @classmethod
    def from_spec(cls, spec, arrays, prefix):
        curves = super().from_spec(spec, arrays, prefix)
        curves.shapes = {name: arrays[f"{prefix}.shapes.{name}"] for name in spec["shapes"]}
        return curves


def read_curves(spec, arrays, prefix):
    """Curves from what their `to_spec` gave."""
    return (LearnedCurves if spec.get("shapes") else InputCurves).from_spec(spec, arrays, prefix)
