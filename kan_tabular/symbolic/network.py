"""A formula in the place of a fitted network: predictions, contributions and shapes as of any other model."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kan_tabular.exceptions import FormulaError
from kan_tabular.fitted.base import NetworkBase
from kan_tabular.fitted.shape import Density, MissingLevel, ShapeFunction, read_grid
from kan_tabular.likelihoods import likelihood_from_spec
from kan_tabular.symbolic.formula import Formula

#: Columns that meet in one term, at most.
_MOST_PLAYERS = 12
_SIZES = ("means", "mean_abs", "variance")


@dataclass
class FormulaNetwork(NetworkBase):
    """``eta = base + sum_j (contribution_j - mean_j)``.

    The contribution of a column is what its terms add. Where columns meet in a hidden node, they share what that term
    adds as their Shapley values: exact over the columns that meet in it, an absent one being at its `reference`. Less
    their means, terms of single columns get what they add themselves in either case.

    Attributes
    ----------
    formula : Formula
        A sum of terms in columns for each output.
    likelihood : Likelihood
    means : ndarray (p, K)
        Contribution of each column, on average over the training rows.
    mean_abs, variance : ndarray (p,)
        As in `FittedNetwork`.
    density, density_edges : list of ndarray
    reference : ndarray (p,)
        Where columns are absent: their training means; NaN for those that meet no other.
    """

    formula: Formula
    likelihood: object
    means: np.ndarray
    mean_abs: np.ndarray
    variance: np.ndarray
    density: list
    density_edges: list
    reference: np.ndarray

    @classmethod
    def measured(cls, formula, network, Z, weights):
        """The formula of a fitted `network`, measured on encoded rows."""
        density = (network.density, network.density_edges)
        p = len(formula.features)
        sizes = np.zeros((p, len(formula.outputs))), np.zeros(p), np.zeros(p)
        meet = [feature.name in formula.joint_columns for feature in formula.features]
        reference = np.full(p, np.nan)
        reference[meet] = np.average(Z[:, meet], axis=0, weights=weights)
        self = cls(formula, network.likelihood, *sizes, *density, reference)
        added = self.contributions(Z)
        self.means = np.average(added, axis=0, weights=weights)
        self.mean_abs = np.average(np.abs(added - self.means), axis=0, weights=weights).mean(1)
        self.variance = np.average((added - self.means) ** 2, axis=0, weights=weights).mean(1)
        return self

    def summary(self):
        """Plain data from which `simpler` makes it again, given the network of another formula for the same columns."""
        sizes = {name: getattr(self, name).tolist() for name in (*_SIZES, "reference")}
        return {"formula": self.formula.to_spec(), **sizes}

    def simpler(self, summary):
        """The network that `summary` describes."""
        sizes = {name: np.array(summary[name], dtype=float) for name in (*_SIZES, "reference") if name in summary}
        return replace(self, formula=Formula.from_spec(summary["formula"]), **sizes)

    @property
    def features(self):
        return list(self.formula.features)

    @cached_property
    def base(self):
        """Linear predictor of the average row (n_outputs,)."""
        at_reference = self.formula.evaluate_joint(self.reference[None])[0]
        return np.array([s.constant for s in self.formula.outputs]) + at_reference + self.means.sum(0)

    def forward(self, Z):
        """Linear predictor (n, n_outputs)."""
        return self.formula.evaluate_encoded(Z)

    def contributions(self, Z):
        """What each feature adds to the linear predictor, centred: (n, p, n_outputs)."""
        names = {f.name: j for j, f in enumerate(self.formula.features)}
        out = np.zeros((len(Z), *self.means.shape))
        for k, output in enumerate(self.formula.outputs):
            for term in output.terms:
                players = [names[c] for c in self.formula.columns_of(term)]
                out[:, players, k] += self._shares(term, players, Z)
        return out - self.means

    def _shares(self, term, players, Z):
        """Shapley values (n, p) of the columns `players` of a term (Shapley 1953), exact: 2^p evaluations."""
        if isinstance(term.argument, str):
            return self.formula.term_encoded(term, Z)[:, None]
        p, out = len(players), np.zeros((len(Z), len(players)))
        if p > _MOST_PLAYERS:
            raise FormulaError(f"{p} columns meet in one term: contributions are for at most {_MOST_PLAYERS}.")
        value = {}
        for present in itertools.product((False, True), repeat=p):
            at = np.broadcast_to(self.reference, Z.shape).copy()
            own = [j for j, here in zip(players, present, strict=True) if here]
            at[:, own] = Z[:, own]
            value[present] = self.formula.term_encoded(term, at)
        for present, worth in value.items():
            size = sum(present)
            for i, here in enumerate(present):
                # Orders in which the others here come before i, and those in which i is among those before another.
                share = math.factorial(size - here) * math.factorial(p - size - 1 + here) / math.factorial(p)
                out[:, i] += share * worth if here else -share * worth
        return out

    def effects(self, Z):
        """Each feature on its own, as a network of any depth has it: its contributions."""
        return self.contributions(Z)

    def contribution_sizes(self, Z):
        """Mean |contribution| and variance of the contributions over rows, averaged over outputs: two arrays (p,)."""
        c = self.contributions(Z)
        return np.abs(c).mean(0).mean(1), c.var(0).mean(1)

    def shape(self, j, output=0, grid=None):
        """What feature `j` contributes where those it meets are at their reference, as a shape; without bands."""
        feature = self.formula.features[j]
        x, codes = read_grid(feature, grid)
        Z = np.broadcast_to(self.reference, (len(codes) + 1, len(self.reference))).copy()
        Z[:, j] = [*codes, np.nan]
        effect = self.contributions(Z)[:, j, output]
        missing = MissingLevel(float(effect[-1]), np.nan, feature.missing) if feature.missing else None
        edges, unknown = self.density_edges[j], np.full(len(x), np.nan)
        density = Density(edges if len(edges) else None, self.density[j])
        return ShapeFunction(feature.name, feature.kind, x, effect[:-1], unknown, unknown, np.nan, missing, density)

    def to_spec(self):
        """Plain data (JSON) and named arrays; `from_spec` rebuilds it."""
        spec = {"formula": self.formula.to_spec(), "likelihood": self._likelihood_spec()}
        arrays = {name: getattr(self, name) for name in (*_SIZES, "reference")}
        for j, (density, edges) in enumerate(zip(self.density, self.density_edges, strict=True)):
            arrays[f"density.{j}"], arrays[f"density_edges.{j}"] = density, edges
        return spec, arrays

    @classmethod
    def from_spec(cls, spec, arrays):
        formula = Formula.from_spec(spec["formula"])
        each = [[arrays[f"{n}.{j}"] for j in range(len(formula.features))] for n in ("density", "density_edges")]
        sizes = [arrays[name] for name in _SIZES]
        reference = arrays.get("reference", np.full(len(formula.features), np.nan))  # older files hold sums only
        return cls(formula, likelihood_from_spec(spec["likelihood"]), *sizes, *each, reference)
