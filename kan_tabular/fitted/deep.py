"""A fitted network with hidden layers: an ensemble of networks of curves beside an additive part."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kan_tabular.bases import Basis, basis_from_spec
from kan_tabular.encoding.encoder import Feature
from kan_tabular.fitted.base import NetworkBase
from kan_tabular.fitted.curves import InputCurves, StackedCurves
from kan_tabular.likelihoods import likelihood_from_spec

#: Numbers of a block of intermediate results (32 MB).
_BLOCK_CELLS = 4_000_000


@dataclass
class HiddenLayer:
    """Curves from the nodes of one layer to those of the next, for M members.

    Attributes
    ----------
    coefficients : ndarray (M, K, width, outputs)
        Of the basis functions of each node's value.
    bias : ndarray (M, outputs)
    """

    coefficients: np.ndarray
    bias: np.ndarray


@dataclass
class DeepNetwork(NetworkBase):
    """``eta = intercept + sum_j additive_j(x_j) + sum_m weight_m network_m(x)``.

    Each member's first layer sums one curve of every input into each hidden node; hidden layers sum one curve of every
    node. All curves of the first layer are centred: over the training rows they average to zero.

    Attributes
    ----------
    features : list of Feature
    inputs : list of InputCurves
        From each input to all H first-layer nodes of all M members: coefficients (k_j, M H).
    bias : ndarray (M, H)
        Of the first layer's nodes.
    layers : list of HiddenLayer
    basis : Basis
        Of the hidden nodes' curves.
    weights : ndarray (M,)
        Share of each member in the prediction.
    additive : list of ndarray (k_j, C)
        Coefficients of the additive part, in the columns of `inputs`.
    intercept : ndarray (C,)
    likelihood : Likelihood
    scale, shift : float
        The response in its own units is ``shift + scale * eta`` for an identity link; otherwise 1 and 0.
    density, density_edges : list of ndarray
        As in `FittedNetwork`.
    mean_abs : ndarray (p,)
        Mean absolute effect of leaving a feature out, over training rows.
    sizes : list of ndarray
        Standard deviation of each edge's output over training rows: (p, M, H), then (M, width, outputs) a layer.
    """

    features: list[Feature]
    inputs: list[InputCurves]
    bias: np.ndarray
    layers: list[HiddenLayer]
    basis: Basis
    weights: np.ndarray
    additive: list[np.ndarray]
    intercept: np.ndarray
    likelihood: object
    scale: float
    shift: float
    density: list[np.ndarray]
    density_edges: list[np.ndarray]
    mean_abs: np.ndarray
    sizes: list[np.ndarray]

    @property
    def n_members(self):
        return len(self.weights)

    @cached_property
    def _columns_of(self):
        """Which entries of the stacked curves are design columns (p, k), and the columns' slices by input."""
        sizes = np.array([c.n_columns for c in self.inputs])
        stops = np.cumsum(sizes)
        return np.arange(max(sizes.max(), 1)) < sizes[:, None], [
            slice(b - k, b) for b, k in zip(stops, sizes, strict=True)
        ]

    @cached_property
    def _design(self):
        """The design columns as curves: each input's columns with unit coefficients."""
        units = [InputCurves(c.basis, c.transform, c.center, c.missing, np.eye(c.n_columns)) for c in self.inputs]
        return StackedCurves(units)

    @cached_property
    def _edges(self):
        """First-layer coefficients (P, M H) and the additive part's (P, C)."""
        return np.concatenate([c.coefficients for c in self.inputs]), np.concatenate(self.additive)

    def columns(self, Z):
        """Design columns (n, P) of the encoded rows `Z` (n, p)."""
        return self._design.evaluate(Z)[:, self._columns_of[0]]

    def head(self, h):
        """What hidden nodes with first-layer values `h` (n, M H) add to the fitted outputs: (n, C)."""
        return np.einsum("m,mnc->nc", self.weights, self.member_outputs(h))

    def member_outputs(self, h):
        """Outputs of every member: (M, n, C)."""
        if not self.n_members:
            return np.zeros((0, len(h), len(self.intercept)))
        h = h.reshape(len(h), self.n_members, -1).transpose(1, 0, 2)
        for layer in self.layers:
            phi = np.moveaxis(self.basis.evaluate(h), -1, 2)  # (M, n, K, width)
            M, K, width, outputs = layer.coefficients.shape
            h = phi.reshape(M, -1, K * width) @ layer.coefficients.reshape(M, K * width, outputs)
            h = h + layer.bias[:, None]
        return h

    def _fitted(self, X):
        """Fitted outputs (n, C) of design columns `X` (n, P)."""
        first, additive = self._edges
        eta = self.intercept + X @ additive
        return eta + self.head(X @ first + self.bias.ravel()) if self.n_members else eta

    def forward(self, Z):
        """Linear predictor (n, n_outputs)."""
        out = [self._to_user(self._fitted(self.columns(Z[rows]))) for rows in self._blocks(len(Z))]
        return out[0] if len(out) == 1 else np.concatenate(out)

    def _to_user(self, eta, shift=True):
        return (eta * self.scale + (self.shift if shift else 0.0)) @ self.output_map

    def _blocks(self, n):
        cells = max(self.bias.size * (self.basis.n_functions + 1), len(self._edges[0]) + 1)
        step = max(_BLOCK_CELLS // cells, 1)
        return [slice(i, min(i + step, n)) for i in range(0, n, step)]

    @cached_property
    def base(self):
        """Linear predictor where every edge of the first layer has its training mean: (n_outputs,)."""
        return self._to_user(self._fitted(np.zeros((1, len(self._edges[0])))))[0]

    def effects(self, Z):
        """Each feature on its own, every other edge at its training mean: (n, p, n_outputs).

        These are main effects (functional ANOVA anchored at the mean of the edges); what they and the base leave of
        the prediction is what features do together.
        """
        first, additive = self._edges
        base = self._fitted(np.zeros((1, len(first))))
        out = np.empty((len(Z), len(self.inputs), self.n_outputs))
        for rows in self._blocks(len(Z)):
            X = self.columns(Z[rows])
            for j, own in enumerate(self._columns_of[1]):
                eta = self.intercept + X[:, own] @ additive[own]
                eta = eta + self.head(X[:, own] @ first[own] + self.bias.ravel())
                out[rows, j] = self._to_user(eta - base, shift=False)
        return out

    def shapley(self, Z, n_permutations, rng):
        """Shapley values (n, p, n_outputs) of the game in which an absent feature has its edges at their training mean.

        The additive part is exact. The rest is averaged over `n_permutations` random orders of the features and their
        reverses (antithetic; Mitchell, Cooper, Frank and Holmes 2022), so values and base always sum to the prediction.
        """
        first, additive = self._edges
        columns = self._columns_of[1]
        out = np.zeros((len(Z), len(self.inputs), self.n_outputs))
        orders = [o for _ in range(n_permutations) for o in _and_reverse(rng.permutation(len(columns)))]
        for rows in self._blocks(len(Z)):
            X = self.columns(Z[rows])
            value = np.zeros((len(X), len(columns), len(self.intercept)))
            for order in orders if self.n_members else ():
                h = np.broadcast_to(self.bias.ravel(), (len(X), self.bias.size))
                before = self.head(h)
                for j in order:
                    h = h + X[:, columns[j]] @ first[columns[j]]
                    after = self.head(h)
                    value[:, j] += (after - before) / len(orders)
                    before = after
            for j, own in enumerate(columns):
                value[:, j] += X[:, own] @ additive[own]
            out[rows] = self._to_user(value, shift=False)
        return out

    def left_out(self, Z):
        """Change of the linear predictor when a feature's edges are set to their training mean: (n, p, n_outputs)."""
        first, additive = self._edges
        out = np.empty((len(Z), len(self.inputs), self.n_outputs))
        for rows in self._blocks(len(Z)):
            X = self.columns(Z[rows])
            h = X @ first + self.bias.ravel()
            full = self.head(h)
            for j, own in enumerate(self._columns_of[1]):
                change = full - self.head(h - X[:, own] @ first[own]) + X[:, own] @ additive[own]
                out[rows, j] = self._to_user(change, shift=False)
        return out

    def edge_sizes(self, Z):
        """`sizes` measured on the encoded rows `Z`."""
        X = self.columns(Z)
        first = self._edges[0]
        sizes = [
            np.stack([(X[:, own] @ first[own]).std(0) for own in self._columns_of[1]]).reshape(-1, *self.bias.shape)
        ]
        h = (X @ first + self.bias.ravel()).reshape(len(X), *self.bias.shape).transpose(1, 0, 2)
        for layer in self.layers:
            phi = self.basis.evaluate(h)  # (M, n, width, K)
            phi = phi - phi.mean(1, keepdims=True)
            gram = np.einsum("mnwk,mnwl->mwkl", phi, phi) / len(X)
            c = layer.coefficients.transpose(0, 2, 3, 1)  # (M, width, outputs, K)
            sizes.append(np.sqrt(np.maximum(np.einsum("mwok,mwkl,mwol->mwo", c, gram, c), 0.0)))
            h = np.einsum("mnwk,mkwo->mno", self.basis.evaluate(h), layer.coefficients) + layer.bias[:, None]
        return sizes

    def to_spec(self):
        """Plain data (JSON) and named arrays; `from_spec` rebuilds the network."""
        spec = {
            "features": [f.to_spec() for f in self.features],
            "inputs": [],
            "basis": self.basis.to_spec(),
            "likelihood": self._likelihood_spec(),
            "n_layers": len(self.layers),
            "scale": self.scale,
            "shift": self.shift,
        }
        arrays = {name: getattr(self, name) for name in ("bias", "weights", "intercept", "mean_abs")}
        for j, curves in enumerate(self.inputs):
            part, own = curves.to_spec(f"inputs.{j}")
            spec["inputs"].append(part)
            arrays.update(own)
            arrays[f"additive.{j}"] = self.additive[j]
            arrays[f"density.{j}"], arrays[f"density_edges.{j}"] = self.density[j], self.density_edges[j]
        for k, layer in enumerate(self.layers):
            arrays[f"layers.{k}.coefficients"], arrays[f"layers.{k}.bias"] = layer.coefficients, layer.bias
        for k, sizes in enumerate(self.sizes):
            arrays[f"sizes.{k}"] = sizes
        return spec, arrays

    @classmethod
    def from_spec(cls, spec, arrays):
        p, layers = len(spec["features"]), range(spec["n_layers"])
        return cls(
            features=[Feature.from_spec(f) for f in spec["features"]],
            inputs=[InputCurves.from_spec(s, arrays, f"inputs.{j}") for j, s in enumerate(spec["inputs"])],
            layers=[HiddenLayer(arrays[f"layers.{k}.coefficients"], arrays[f"layers.{k}.bias"]) for k in layers],
            basis=basis_from_spec(spec["basis"]),
            additive=[arrays[f"additive.{j}"] for j in range(p)],
            likelihood=likelihood_from_spec(spec["likelihood"]),
            scale=spec["scale"],
            shift=spec["shift"],
            density=[arrays[f"density.{j}"] for j in range(p)],
            density_edges=[arrays[f"density_edges.{j}"] for j in range(p)],
            sizes=[arrays[f"sizes.{k}"] for k in range(spec["n_layers"] + 1)],
            **{name: arrays[name] for name in ("bias", "weights", "intercept", "mean_abs")},
        )


def _and_reverse(order):
    return order, order[::-1]
