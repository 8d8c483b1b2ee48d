"""One curve as a reader sees it: values, bands, data density."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtri

#: Pointwise 95% bands: this many standard errors.
_Z = float(ndtri(0.975))
_GRID = 200
_DRAWS = 4000


@dataclass(frozen=True)
class MissingLevel:
    """Effect of a missing value: `value`, its standard error, 95% interval, and the share of training rows."""

    value: float
    se: float
    weight: float

    @property
    def lower(self):
        return self.value - _Z * self.se

    @property
    def upper(self):
        return self.value + _Z * self.se


@dataclass(frozen=True)
class Density:
    """Where the training rows were: shares `weight` (m,) of bins with `edges` (m + 1,), or of levels (edges None)."""

    edges: np.ndarray | None
    weight: np.ndarray


@dataclass(frozen=True)
class ShapeFunction:
    """Effect of one feature on the linear predictor, centred on the training data.

    Attributes
    ----------
    feature : str
    kind : "numeric" or "category"
    x : ndarray
        Values, or the names of the levels.
    y : ndarray
        Effect at `x`.
    se, se_conditional : ndarray
        Standard errors with and without the uncertainty of the smoothing parameters.
    lower, upper : ndarray
        Pointwise 95% band: ``y -+ 1.96 se``. It means to cover 95% of the curve, on average along it.
    lower_simultaneous, upper_simultaneous : ndarray
        95% band for the whole curve at once, by simulation from the posterior.
    missing : MissingLevel or None
    density : Density
    """

    feature: str
    kind: str
    x: np.ndarray
    y: np.ndarray
    se: np.ndarray
    se_conditional: np.ndarray
    critical: float
    missing: MissingLevel | None
    density: Density

    @property
    def lower(self):
        return self.y - _Z * self.se

    @property
    def upper(self):
        return self.y + _Z * self.se

    @property
    def lower_simultaneous(self):
        return self.y - self.critical * self.se

    @property
    def upper_simultaneous(self):
        return self.y + self.critical * self.se


def read_grid(feature, grid=None):
    """Values of a feature to read its shape at, and their codes: `grid` (values, or level names), or the default."""
    if feature.kind == "category":
        names = feature.levels if grid is None else [str(g) for g in grid]
        codes = {v: float(k) for k, v in enumerate(feature.levels)}
        return np.array(names, dtype=object), np.array([codes.get(v, -1.0) for v in names])
    if grid is None:
        low, high = (0.0, 1.0) if np.isnan(feature.low) else (feature.low, feature.high)
        grid = np.linspace(low, high, _GRID)
    grid = np.asarray(grid, float)
    if grid.ndim != 1 or not np.isfinite(grid).all():
        raise ValueError(f"grid for {feature.name!r} must be a one-dimensional array of finite numbers.")
    return grid, grid


class ShapeReader:
    """Reads the shape of feature `j` for one output off a fitted network."""

    def __init__(self, network, j, output=0):
        self.network, self.j = network, j
        self.curves, self.feature = network.inputs[j], network.features[j]
        self.map = network.output_map[:, output]

    def read(self, grid=None):
        """The shape at `grid` (values, or level names); by default across the training range, or all levels."""
        x, z = read_grid(self.feature, grid)
        R = self.curves.columns(z)
        se = self._se(R, True)
        missing = None
        if self.curves.has_missing:
            row = self.curves.columns(np.array([np.nan]))
            missing = MissingLevel(float((row @ self._b)[0]), float(self._se(row, True)[0]), self.feature.missing)
        edges = self.network.density_edges[self.j]
        density = Density(edges if len(edges) else None, self.network.density[self.j])
        return ShapeFunction(
            self.feature.name,
            self.feature.kind,
            x,
            R @ self._b,
            se,
            self._se(R, False),
            self._critical,
            missing,
            density,
        )

    @property
    def _b(self):
        return self.curves.coefficients @ self.map

    def _covariance(self, corrected):
        """Covariance (k, k) of the columns of this output."""
        k, C = self.curves.n_columns, len(self.map)
        V = self.network.term_covariance(self.j, corrected).reshape(C, k, C, k)
        return np.einsum("c,cadb,d->ab", self.map, V, self.map)

    def _se(self, R, corrected):
        V = self._covariance(corrected)
        return np.sqrt(np.maximum(((R @ V) * R).sum(1), 0.0))

    @cached_property
    def _critical(self):
        """Quantile of the largest standardised deviation over the default grid."""
        key = ("critical", self.j, tuple(self.map))
        cache = self.network._cache
        if key not in cache:
            R = self.curves.columns(read_grid(self.feature, None)[1])
            values, axes = np.linalg.eigh(self._covariance(True)) if R.shape[1] else (np.zeros(0), np.zeros((0, 0)))
            root = R @ (axes * np.sqrt(np.maximum(values, 0.0)))
            norm = np.sqrt((root**2).sum(1))
            seen = norm > 1e-12 * norm.max(initial=0.0)
            root = root[seen] / norm[seen, None]
            draws = np.random.default_rng(0).standard_normal((root.shape[1], _DRAWS))
            largest = np.abs(root @ draws).max(0) if len(root) else np.zeros(1)
            cache[key] = max(float(np.quantile(largest, 0.95)), _Z)
        return cache[key]
