"""A fitted network of curves: plain arrays, no estimator, no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from kan_tabular.encoding.encoder import Feature
from kan_tabular.fitted.base import NetworkBase
from kan_tabular.fitted.curves import InputCurves, StackedCurves
from kan_tabular.fitted.smoothing import SmoothingPosterior, TermSmoothing
from kan_tabular.likelihoods import likelihood_from_spec

_BLOCK_CELLS = 4_000_000


@dataclass
class FittedNetwork(NetworkBase):
    """One layer of curves: ``eta = intercept + sum_j curve_j(x_j)``.

    Inputs are encoded tables (n, p): numbers, level codes (-1 unseen), NaN where missing. With C outputs, coefficient
    (a, c) of the design stands at ``c q + a`` in `covariance`; column 0 is the intercept.

    Attributes
    ----------
    features : list of Feature
    inputs : list of InputCurves
    intercept : ndarray (C,)
    likelihood : Likelihood
    covariance : ndarray (q C, q C)
        Posterior covariance of all coefficients at the chosen smoothing parameters, dispersion included.
    dispersion : float
    smoothing : list of TermSmoothing
        What was chosen for each feature, and the prior it was chosen under.
    density : list of ndarray
        Share of the training rows in each of the bins of `density_edges` (or of each level).
    density_edges : list of ndarray
    mean_abs, variance : ndarray (p,)
        Mean absolute contribution and its variance over the training rows (averaged over classes).
    concurvity, related : ndarray (p,)
        Share of each term that the others can imitate, and the index of the nearest one (-1: none).
    """

    features: list[Feature]
    inputs: list[InputCurves]
    intercept: np.ndarray
    likelihood: object
    covariance: np.ndarray
    dispersion: float
    smoothing: list[TermSmoothing]
    density: list[np.ndarray]
    density_edges: list[np.ndarray]
    mean_abs: np.ndarray
    variance: np.ndarray
    concurvity: np.ndarray
    related: np.ndarray
    _cache: dict = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def columns_of(self):
        """Slice of design columns of each input."""
        stops = 1 + np.cumsum([c.n_columns for c in self.inputs])
        return [slice(int(b - c.n_columns), int(b)) for b, c in zip(stops, self.inputs, strict=True)]

    @cached_property
    def _curves(self):
        return StackedCurves(self.inputs, self.output_map)

    def design(self, Z):
        """The columns whose coefficients were fitted, a column of ones first: (n, q)."""
        X = np.ones((len(Z), self._n_columns))
        for j, (columns, curves) in enumerate(zip(self.columns_of, self.inputs, strict=True)):
            X[:, columns] = curves.columns(Z[:, j])
        return X

    def contributions(self, Z):
        """What each feature adds to the linear predictor: (n, p, n_outputs)."""
        return self._curves.evaluate(Z)

    def effects(self, Z):
        """Each feature on its own, as a network of any depth has it: in one layer, its contributions."""
        return self.contributions(Z)

    @cached_property
    def base(self):
        """Linear predictor of the average row: (n_outputs,)."""
        return self.intercept @ self.output_map

    def forward(self, Z):
        """Linear predictor (n, n_outputs)."""
        step = max(_BLOCK_CELLS // (Z.shape[1] * self.n_outputs), 1)
        if len(Z) <= step:
            return self.base + self.contributions(Z).sum(1)
        return np.concatenate([self.forward(Z[i : i + step]) for i in range(0, len(Z), step)])

    def contribution_sizes(self, Z):
        """Mean |contribution| and variance of the contributions over rows, averaged over classes: two arrays (p,)."""
        first, second, size = 0.0, 0.0, 0.0
        for i in range(0, len(Z), step := max(_BLOCK_CELLS // (Z.shape[1] * self.n_outputs), 1)):
            c = self.contributions(Z[i : i + step])
            first, second, size = first + c.sum(0), second + (c**2).sum(0), size + np.abs(c).sum(0)
        variance = np.maximum(second / len(Z) - (first / len(Z)) ** 2, 0.0)
        return (size / len(Z)).mean(1), variance.mean(1)

    def standard_error(self, Z):
        """Standard error of the linear predictor (n, n_outputs), smoothing uncertainty included.

        A category level that training did not have may do what any other level of its column could: it adds the
        variance of the levels' prior.
        """
        q, C = self._n_columns, len(self.intercept)
        V, new = self.corrected_covariance, self.unseen_variance
        out = np.empty((len(Z), self.n_outputs))
        step = max(_BLOCK_CELLS // q, 1)
        for i in range(0, len(Z), step):
            block = Z[i : i + step]
            X = self.design(block)
            unseen = (block == -1.0) @ new  # numbers have none
            # Variance of each pair of fitted outputs, row by row, then of what users see.
            pairs = np.stack(
                [[((X @ V[c * q : (c + 1) * q, d * q : (d + 1) * q]) * X).sum(1) for d in range(C)] for c in range(C)]
            )
            variance = np.einsum("ck,cdn,dk->nk", self.output_map, pairs, self.output_map)
            variance += np.outer(unseen, (self.output_map**2).sum(0))
            out[i : i + step] = np.sqrt(np.maximum(variance, 0.0))
        return out

    @property
    def _n_columns(self):
        return 1 + sum(c.n_columns for c in self.inputs)

    def term_covariance(self, j, corrected=True):
        """Posterior covariance (k C, k C) of the coefficients of feature j."""
        key = ("V", j, corrected)
        if key not in self._cache:
            index = self._index(j)
            V = self.covariance[np.ix_(index, index)]
            if corrected and len(V):
                V = SmoothingPosterior(
                    V, self.inputs[j].coefficients.T.ravel(), self.dispersion, self.smoothing[j], len(self.intercept)
                ).covariance()
            self._cache[key] = V
        return self._cache[key]

    def _index(self, j):
        columns, q = self.columns_of[j], self._n_columns
        return np.concatenate([np.arange(columns.start, columns.stop) + c * q for c in range(len(self.intercept))])

    @cached_property
    def unseen_variance(self):
        """Variance that a level which training did not have adds to each fitted output (p,); 0 for numbers."""
        out = np.zeros(len(self.inputs))
        for j, s in enumerate(self.smoothing):
            if "level" in s.kinds:
                out[j] = self.dispersion * np.exp(-s.rho[s.kinds.index("level")])
        return out

    @cached_property
    def corrected_covariance(self):
        """`covariance` with what not knowing the smoothing parameters adds (q C, q C)."""
        V = self.covariance.copy()
        for j in range(len(self.inputs)):
            index = self._index(j)
            V[np.ix_(index, index)] = self.term_covariance(j)
        return V

    def to_spec(self):
        """Plain data (JSON) and named arrays; `from_spec` rebuilds the network."""
        spec = {
            "features": [f.to_spec() for f in self.features],
            "inputs": [],
            "dispersion": self.dispersion,
            "likelihood": self._likelihood_spec(),
            "smoothing": [s.to_spec() for s in self.smoothing],
        }
        names = ("intercept", "covariance", "mean_abs", "variance", "concurvity", "related")
        arrays = {name: getattr(self, name) for name in names}
        for j, curves in enumerate(self.inputs):
            part, own = curves.to_spec(f"inputs.{j}")
            spec["inputs"].append(part)
            arrays.update(own)
            arrays[f"density.{j}"], arrays[f"density_edges.{j}"] = self.density[j], self.density_edges[j]
        return spec, arrays

    @classmethod
    def from_spec(cls, spec, arrays):
        p = len(spec["features"])
        names = ("intercept", "covariance", "mean_abs", "variance", "concurvity", "related")
        return cls(
            features=[Feature.from_spec(f) for f in spec["features"]],
            inputs=[InputCurves.from_spec(s, arrays, f"inputs.{j}") for j, s in enumerate(spec["inputs"])],
            likelihood=likelihood_from_spec(spec["likelihood"]),
            dispersion=spec["dispersion"],
            smoothing=[TermSmoothing.from_spec(s) for s in spec["smoothing"]],
            density=[arrays[f"density.{j}"] for j in range(p)],
            density_edges=[arrays[f"density_edges.{j}"] for j in range(p)],
            **{name: arrays[name] for name in names},
        )
