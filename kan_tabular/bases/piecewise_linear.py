"""Hat functions on unique quantile knots."""

from __future__ import annotations

import numpy as np

from kan_tabular.bases.bspline import BSpline


class PiecewiseLinear(BSpline):
    """Hat functions (B-splines of degree 1): curves are broken lines with corners at quantiles of the training values.

    The function of a knot is 1 there and 0 at all other knots, so a coefficient is the height of the curve at its knot.
    Knots, ties, trimmed tails and the linear continuation outside are those of `BSpline`.

    Parameters
    ----------
    n_knots : int, default=10
        Number of interior knots wanted.

    Notes
    -----
    A broken line has no curvature but in its corners. The natural roughness is the sum over the interior knots of
    ``(change of slope)^2 / (mean length of the two pieces)``: each corner's change of slope spread over its share of
    the range, which tends to the integrated squared second derivative as knots are added, and is 0 for straight lines.

    References
    ----------
    Y. Gorishniy, I. Rubachev and A. Babenko, *On Embeddings for Numerical Features in Tabular Deep Learning*, NeurIPS
    2022, section 3.2: their piecewise linear encoding on quantile bins spans the same curves.
    """

    name = "piecewise_linear"

    def __init__(self, n_knots=10):
        super().__init__(n_knots, degree=1)

    def penalty(self):
        """Squared changes of slope over the spacing of the knots, in units of the domain's width."""
        if self.degree_ < 1:
            return np.zeros((1, 1))
        change = np.diff(self.table_[1:-1, 1], axis=0)
        spacing = (self.breaks_[2:] - self.breaks_[:-2]) / 2
        return (change / spacing[:, None]).T @ change

    @classmethod
    def from_spec(cls, spec):
        basis = cls(len(spec["inner"]))
        basis._set(spec["low"], spec["high"], np.asarray(spec["inner"], float), spec["degree"], spec["hold"])
        return basis
