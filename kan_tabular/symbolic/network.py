"""A formula in the place of a fitted network: predictions, contributions and shapes as of any other model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kan_tabular.fitted.base import NetworkBase
from kan_tabular.fitted.shape import Density, MissingLevel, ShapeFunction, read_grid
from kan_tabular.likelihoods import likelihood_from_spec
from kan_tabular.symbolic.formula import Formula

_SIZES = ("means", "mean_abs", "variance")


@dataclass
class FormulaNetwork(NetworkBase):
    """``eta = base + sum_j (term_j(x_j) - mean_j)``.

    Attributes
    ----------
    formula : Formula
        A sum of terms in columns for each output.
    likelihood : Likelihood
    means : ndarray (p, K)
        What each column adds on average over the training rows.
    mean_abs, variance : ndarray (p,)
        As in `FittedNetwork`.
    density, density_edges : list of ndarray
    """

    formula: Formula
    likelihood: object
    means: np.ndarray
    mean_abs: np.ndarray
    variance: np.ndarray
    density: list
    density_edges: list

    @classmethod
    def measured(cls, formula, network, Z, weights):
        """The formula of a fitted `network`, measured on encoded rows."""
        density = (network.density, network.density_edges)
        p = len(formula.features)
        self = cls(formula, network.likelihood, np.zeros((p, len(formula.outputs))), np.zeros(p), np.zeros(p), *density)
        added = self.contributions(Z)
        self.means = np.average(added, axis=0, weights=weights)
        self.mean_abs = np.average(np.abs(added - self.means), axis=0, weights=weights).mean(1)
        self.variance = np.average((added - self.means) ** 2, axis=0, weights=weights).mean(1)
        return self

    def summary(self):
        """Plain data from which `simpler` makes it again, given the network of another formula for the same columns."""
        sizes = {name: getattr(self, name).tolist() for name in _SIZES}
        return {"formula": self.formula.to_spec(), **sizes}

    def simpler(self, summary):
        """The network that `summary` describes."""
        sizes = {name: np.array(summary[name]) for name in _SIZES}
        return replace(self, formula=Formula.from_spec(summary["formula"]), **sizes)

    @property
    def features(self):
        return list(self.formula.features)

    @cached_property
    def _positions(self):
        """Columns of each output's terms."""
        names = {f.name: j for j, f in enumerate(self.formula.features)}
        return [[names[t.argument] for t in output.terms] for output in self.formula.outputs]

    @property
    def base(self):
        """Linear predictor of the average row (n_outputs,)."""
        return np.array([s.constant for s in self.formula.outputs]) + self.means.sum(0)

    def forward(self, Z):
        """Linear predictor (n, n_outputs)."""
        return self.formula.evaluate_encoded(Z)

    def contributions(self, Z):
        """What each feature adds to the linear predictor, centred: (n, p, n_outputs)."""
        out = np.zeros((len(Z), *self.means.shape))
        for k, (own, added) in enumerate(zip(self._positions, self.formula.contributions_encoded(Z), strict=True)):
            out[:, own, k] = added
        return out - self.means

    def effects(self, Z):
        """Each feature on its own, as a network of any depth has it: its contributions."""
        return self.contributions(Z)

    def contribution_sizes(self, Z):
        """Mean |contribution| and variance of the contributions over rows, averaged over outputs: two arrays (p,)."""
        c = self.contributions(Z)
        return np.abs(c).mean(0).mean(1), c.var(0).mean(1)

    def shape(self, j, output=0, grid=None):
        """The term of feature `j`, centred, as a shape; without bands."""
        feature = self.formula.features[j]
        x, codes = read_grid(feature, grid)
        Z = np.full((len(codes) + 1, len(self.formula.features)), np.nan)
        Z[:-1, j] = codes
        effect = self.contributions(Z)[:, j, output]
        missing = MissingLevel(float(effect[-1]), np.nan, feature.missing) if feature.missing else None
        edges, unknown = self.density_edges[j], np.full(len(x), np.nan)
        density = Density(edges if len(edges) else None, self.density[j])
        return ShapeFunction(feature.name, feature.kind, x, effect[:-1], unknown, unknown, np.nan, missing, density)

    def to_spec(self):
        """Plain data (JSON) and named arrays; `from_spec` rebuilds it."""
        spec = {"formula": self.formula.to_spec(), "likelihood": self._likelihood_spec()}
        arrays = {name: getattr(self, name) for name in _SIZES}
        for j, (density, edges) in enumerate(zip(self.density, self.density_edges, strict=True)):
            arrays[f"density.{j}"], arrays[f"density_edges.{j}"] = density, edges
        return spec, arrays

    @classmethod
    def from_spec(cls, spec, arrays):
        formula = Formula.from_spec(spec["formula"])
        each = [[arrays[f"{n}.{j}"] for j in range(len(formula.features))] for n in ("density", "density_edges")]
        sizes = [arrays[name] for name in _SIZES]
        return cls(formula, likelihood_from_spec(spec["likelihood"]), *sizes, *each)
