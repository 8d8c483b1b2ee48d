"""A fitted network with hidden layers: an ensemble of networks of curves beside an additive part."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from kan_tabular.bases import Basis, basis_from_spec
from kan_tabular.encoding.encoder import Feature
from kan_tabular.fitted.base import NetworkBase
from kan_tabular.fitted.circuit import CircuitChannel
from kan_tabular.fitted.curves import InputCurves, StackedCurves
from kan_tabular.fitted.front import Front
from kan_tabular.fitted.learned import LearnedCurves, read_curves
from kan_tabular.fitted.products import multiply
from kan_tabular.likelihoods import likelihood_from_spec

#: Numbers of a block of intermediate results (8 MB).
_BLOCK_CELLS = 1_000_000
#: Random orders of the features, each used in both directions, that `explain` averages Shapley values over.
PERMUTATIONS = 8
#: Attributes that are saved as they are.
_ARRAYS = ("bias", "weights", "intercept", "scale", "shift", "mean_abs")


@dataclass
class HiddenLayer:
    """Curves from the nodes of one layer to those of the next, for M members.

    Attributes
    ----------
    coefficients : ndarray (M, K, width, outputs)
        Of the basis functions of each node's value.
    bias : ndarray (M, outputs)
    products : int
        How many nodes, the last ones, multiply two sums: ``width + products`` sums lead to the layer's nodes, first
        those of the plain nodes, then the left and the right factors.
    shapes : dict of ndarray (M, width, q)
        Nonlinear parameters of the nodes' functions, by name, where the family has any.
    """

    coefficients: np.ndarray
    bias: np.ndarray
    products: int = 0
    shapes: dict = field(default_factory=dict)

    def values(self, basis, h):
        """The basis functions at node values `h` (M, width, n): (M, K width, n)."""
        extra = [self.shapes] if self.shapes else []
        return np.concatenate(basis.functions(h, *extra), axis=1)

    def curves(self, basis, h):
        """Outputs of all edges at node values `h` (M, n, width): (M, n, width, outputs)."""
        return np.einsum("mnwk,mkwo->mnwo", self.phi(basis, h), self.coefficients)

    def phi(self, basis, h):
        """The basis functions at node values `h` (M, n, width): (M, n, width, K)."""
        if not self.shapes:
            return basis.evaluate(h)
        return basis.evaluate(h.transpose(0, 2, 1), self.shapes).transpose(0, 2, 1, 3)


@dataclass
class DeepNetwork(NetworkBase):
    """``eta = intercept + sum_j additive_j(x_j) + sum_m weight_m network_m(x)``.

    Each member's first layer sums one curve of every input into each hidden node; hidden layers sum one curve of every
    node (a node that multiplies takes the product of two such sums). All curves of the first layer are centred: over
    the training rows they average to zero.

    Attributes
    ----------
    features : list of Feature
    front : Front
    inputs : list of InputCurves
        From each input, as the front shows it, to all H sums of the first layer of all M members: coefficients
        (k_j, M H). `LearnedCurves`, where members learned the shape of the functions.
    bias : ndarray (M, H)
        Of these sums.
    layers : list of HiddenLayer
    basis : Basis
        Of the hidden nodes' curves.
    weights : ndarray (M,)
        Share of each member in the prediction.
    additive : list of InputCurves
        Curves of the additive part, in the same columns; coefficients (k_j, C).
    intercept : ndarray (C,)
    likelihood : Likelihood
    scale, shift : ndarray (C,)
        The response in its own units is ``shift + scale * eta`` for an identity link; otherwise 1 and 0.
    density, density_edges : list of ndarray
        As in `FittedNetwork`.
    mean_abs : ndarray (p,)
        Mean absolute effect of leaving a feature out, over training rows.
    sizes : list of ndarray
        Standard deviation of each edge's output over training rows: (p, M, H), then (M, width, outputs) a layer; the
        last layer's outputs are those that users see.
    ranges : list of ndarray
        Lowest and highest value of each hidden node over the same rows: (2, M, width) a layer.
    circuit : CircuitChannel, optional
        A second channel: the last of the H sums enter a circuit, whose outputs are the last nodes of the last layer.
    """

    features: list[Feature]
    front: Front
    inputs: list[InputCurves]
    bias: np.ndarray
    layers: list[HiddenLayer]
    basis: Basis
    weights: np.ndarray
    additive: list[InputCurves]
    intercept: np.ndarray
    likelihood: object
    scale: np.ndarray
    shift: np.ndarray
    density: list[np.ndarray]
    density_edges: list[np.ndarray]
    mean_abs: np.ndarray
    sizes: list[np.ndarray]
    ranges: list[np.ndarray]
    circuit: CircuitChannel | None = None

    @property
    def n_members(self):
        return len(self.weights)

    @cached_property
    def learned(self):
        """Positions of the inputs whose functions members learned for themselves."""
        return [j for j, c in enumerate(self.inputs) if isinstance(c, LearnedCurves)]

    @cached_property
    def _shared(self):
        """The curves of each input, without those in functions of the members' own."""
        nothing = np.zeros((0, self.bias.size))
        blank = InputCurves(None, np.zeros((0, 0)), np.zeros(0), 0.0, nothing)
        return [blank if j in self.learned else c for j, c in enumerate(self.inputs)]

    @cached_property
    def column_slices(self):
        """Which design columns belong to each input."""
        sizes = [c.n_columns for c in self._shared]
        return [slice(b - k, b) for b, k in zip(np.cumsum(sizes), sizes, strict=True)]

    @cached_property
    def _is_column(self):
        """Which entries of the stacked curves are design columns (p, k)."""
        sizes = np.array([c.n_columns for c in self._shared])
        return np.arange(sizes.max()) < sizes[:, None]

    @cached_property
    def _design(self):
        """The design columns as curves: each input's columns with unit coefficients."""
        units = [InputCurves(c.basis, c.transform, c.center, c.missing, np.eye(c.n_columns)) for c in self._shared]
        return StackedCurves(units)

    @cached_property
    def _first(self):
        """First-layer coefficients (P, M H)."""
        return np.concatenate([c.coefficients for c in self._shared])

    @cached_property
    def _additive(self):
        return StackedCurves(self.additive)

    def additive_curves(self, Z):
        """Values of the additive part's curves at the encoded rows `Z` (n, p): (n, p, C)."""
        return self._additive.evaluate(self.front(Z))

    def columns(self, Z):
        """Design columns (n, P) that all members share, of the encoded rows `Z` (n, p)."""
        return self._design.evaluate(self.front(Z))[:, self._is_column]

    def reader(self, Z):
        """What input j adds to the first layer's sums at the encoded rows `Z`, as a function of j: (n, M H)."""
        X, seen = self.columns(Z), self.front(Z)

        def read(j):
            if isinstance(self.inputs[j], LearnedCurves):
                return self.inputs[j].evaluate(seen[:, j])
            own = self.column_slices[j]
            return X[:, own] @ self._first[own]

        return read

    def head(self, h):
        """What members with the first layer's sums at `h` (n, M H) add to the fitted outputs: (n, C)."""
        return np.einsum("m,mnc->nc", self.weights, self.member_outputs(h))

    def member_outputs(self, h):
        """Outputs of every member: (M, n, C)."""
        if not self.n_members:
            return np.zeros((0, len(h), len(self.intercept)))
        h, beside = self.split(h.T.reshape(self.n_members, -1, len(h)), axis=1)
        for layer in self.layers:
            M, K, width, outputs = layer.coefficients.shape
            phi = layer.values(self.basis, self.nodes_of(layer, h, beside, axis=1))
            h = layer.coefficients.reshape(M, K * width, outputs).transpose(0, 2, 1) @ phi + layer.bias[:, :, None]
        return h.transpose(0, 2, 1)

    def split(self, h, axis):
        """First-layer sums, H of them along `axis` 1 or 2: those of the first hidden layer, and nodes of a circuit."""
        if self.circuit is None:
            return h, None
        parts = self.circuit.split(h if axis == 1 else h.swapaxes(1, 2))
        return [part if axis == 1 else part.swapaxes(1, 2) for part in parts]

    def nodes_of(self, layer, h, beside, axis):
        """Values of a layer's nodes from the sums `h` that lead to them, and what joins them in the last layer."""
        nodes = multiply(h, layer.products, axis)
        if beside is None or layer is not self.layers[-1]:
            return nodes
        return np.concatenate([nodes, beside], axis)

    def forward(self, Z):
        """Linear predictor (n, n_outputs)."""
        out = []
        for rows in self._blocks(len(Z)):
            eta = self.intercept + self.additive_curves(Z[rows]).sum(1)
            if self.n_members:
                eta = eta + self.head(self._sums(Z[rows]))
            out.append(self.to_user(eta))
        return out[0] if len(out) == 1 else np.concatenate(out)

    def to_user(self, eta, shift=True):
        """Fitted outputs (..., C) in the response's units, a column for each that users see; effects take no shift."""
        return (eta * self.scale + (self.shift if shift else 0.0)) @ self.output_map

    def _blocks(self, n):
        cells = max(self.bias.size * (self.basis.n_functions + 1), len(self._first) + 1)
        if self.circuit is not None:
            cells += 4 * self.n_members * 2**self.circuit.circuit.n_qubits
        step = max(_BLOCK_CELLS // cells, 1)
        return [slice(i, min(i + step, n)) for i in range(0, n, step)]

    @cached_property
    def base(self):
        """Linear predictor where every edge of the first layer has its training mean: (n_outputs,)."""
        return self.to_user(self.intercept + self.head(self.bias.reshape(1, -1)))[0]

    def effects(self, Z):
        """Each feature on its own, every other edge at its training mean: (n, p, n_outputs).

        These are main effects (functional ANOVA anchored at the mean of the edges); what they and the base leave of
        the prediction is what features do together.
        """
        nothing = self.bias.reshape(1, -1)
        base = self.head(nothing)
        return self._per_feature(Z, lambda h, own, said: self.head(nothing + own) - base)

    def sums(self, Z):
        """What the first layer adds up in the hidden nodes of all members, before any multiply: (n, M H)."""
        return np.concatenate([self._sums(Z[rows]) for rows in self._blocks(len(Z))])

    def _sums(self, Z):
        h = self.columns(Z) @ self._first + self.bias.ravel()
        if self.learned:
            seen = self.front(Z)
            for j in self.learned:
                h += self.inputs[j].evaluate(seen[:, j])
        return h

    def sums_by_feature(self, Z):
        """Each feature's part of `sums`, which the bias completes: (n, p, M H)."""
        return np.stack(list(map(self.reader(Z), range(len(self.inputs)))), axis=1)

    def left_out(self, Z):
        """Change of the linear predictor when a feature's edges are set to their training mean: (n, p, n_outputs)."""
        return self._per_feature(Z, lambda h, own, said: said - self.head(h - own))

    def _per_feature(self, Z, change):
        """`change(h, own, head(h))` of first-layer values and one feature's part, plus its additive curve."""
        out = np.empty((len(Z), len(self.inputs), self.n_outputs))
        for rows in self._blocks(len(Z)):
            h, read = self._sums(Z[rows]), self.reader(Z[rows])
            said = self.head(h) if self.n_members else None
            additive = self.additive_curves(Z[rows])
            for j in range(len(self.inputs)):
                eta = additive[:, j]
                if self.n_members:
                    eta = eta + change(h, read(j), said)
                out[rows, j] = self.to_user(eta, shift=False)
        return out

    def orders(self, n_permutations=PERMUTATIONS, rng=None):
        """Random orders of the features, each beside its reverse; by default those that `explain` uses."""
        rng = np.random.default_rng(0) if rng is None else rng
        return [o for _ in range(n_permutations) for o in _and_reverse(rng.permutation(len(self.inputs)))]

    def shapley(self, Z, n_permutations, rng):
        """Shapley values (n, p, n_outputs) of the game in which an absent feature has its edges at their training mean.

        The additive part is exact. The rest is averaged over `n_permutations` random orders of the features and their
        reverses (antithetic; Mitchell, Cooper, Frank and Holmes 2022), so values and base always sum to the prediction.
        """
        out = np.zeros((len(Z), len(self.inputs), self.n_outputs))
        orders = self.orders(n_permutations, rng)
        for rows in self._blocks(len(Z)):
            read, value = self.reader(Z[rows]), self.additive_curves(Z[rows])
            for order in orders if self.n_members else ():
                h = np.broadcast_to(self.bias.ravel(), (len(value), self.bias.size))
                before = self.head(h)
                for j in order:
                    h = h + read(j)
                    after = self.head(h)
                    value[:, j] += (after - before) / len(orders)
                    before = after
            out[rows] = self.to_user(value, shift=False)
        return out

    def node_values(self, Z):
        """Values of the hidden nodes at the encoded rows `Z`, layer by layer: (M, n, width) each."""
        h = self._sums(Z).reshape(len(Z), *self.bias.shape).transpose(1, 0, 2)
        (h, beside), values = self.split(h, axis=2), []
        for layer in self.layers:
            values.append(self.nodes_of(layer, h, beside, axis=2))
            h = layer.curves(self.basis, values[-1]).sum(2) + layer.bias[:, None]
        return values

    def node_ranges(self, Z):
        """`ranges` measured on the encoded rows `Z`."""
        return [np.stack([h.min(1), h.max(1)]) for h in self.node_values(Z)]

    def edge_sizes(self, Z):
        """`sizes` measured on the encoded rows `Z`."""
        spread = [own.std(0) for own in map(self.reader(Z), range(len(self.inputs)))]
        sizes = [np.stack(spread).reshape(len(spread), *self.bias.shape)]
        for layer, h, coefficients in zip(self.layers, self.node_values(Z), self.edge_coefficients, strict=True):
            phi = layer.phi(self.basis, h)
            phi = phi - phi.mean(1, keepdims=True)
            gram = np.einsum("mnwk,mnwl->mwkl", phi, phi) / len(Z)
            c = coefficients.transpose(0, 2, 3, 1)  # (M, width, outputs, K)
            sizes.append(np.sqrt(np.maximum(np.einsum("mwok,mwkl,mwol->mwo", c, gram, c), 0.0)))
        return sizes

    @property
    def edge_coefficients(self):
        """Coefficients (M, K, width, outputs) of each hidden layer; those of the last to the outputs that users see."""
        *hidden, last = [layer.coefficients for layer in self.layers]
        return [*hidden, last @ self.output_map]

    def to_spec(self):
        """Plain data (JSON) and named arrays; `from_spec` rebuilds the network."""
        spec = {
            "features": [f.to_spec() for f in self.features],
            "inputs": [],
            "additive": [],
            "basis": self.basis.to_spec(),
            "likelihood": self._likelihood_spec(),
            "layers": [{"products": layer.products, "shapes": list(layer.shapes)} for layer in self.layers],
        }
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays["front.center"], arrays["front.spread"] = self.front.center, self.front.spread
        for j, curves in enumerate(self.inputs):
            for name, part in (("inputs", curves), ("additive", self.additive[j])):
                own_spec, own = part.to_spec(f"{name}.{j}")
                spec[name].append(own_spec)
                arrays.update(own)
            arrays[f"density.{j}"], arrays[f"density_edges.{j}"] = self.density[j], self.density_edges[j]
        for k, layer in enumerate(self.layers):
            arrays[f"layers.{k}.coefficients"], arrays[f"layers.{k}.bias"] = layer.coefficients, layer.bias
            arrays.update({f"layers.{k}.{name}": value for name, value in layer.shapes.items()})
        if self.circuit is not None:
            spec["circuit"], arrays["circuit.angles"] = self.circuit.to_spec(), self.circuit.angles
        for name, parts in (("sizes", self.sizes), ("ranges", self.ranges)):
            arrays.update({f"{name}.{k}": part for k, part in enumerate(parts)})
        return spec, arrays

    @classmethod
    def from_spec(cls, spec, arrays):
        p, n_layers = len(spec["features"]), len(spec["layers"])
        return cls(
            features=[Feature.from_spec(f) for f in spec["features"]],
            inputs=[read_curves(s, arrays, f"inputs.{j}") for j, s in enumerate(spec["inputs"])],
            layers=[_read_layer(layer, arrays, f"layers.{k}") for k, layer in enumerate(spec["layers"])],
            basis=basis_from_spec(spec["basis"]),
            additive=[InputCurves.from_spec(s, arrays, f"additive.{j}") for j, s in enumerate(spec["additive"])],
            front=Front(arrays["front.center"], arrays["front.spread"]),
            likelihood=likelihood_from_spec(spec["likelihood"]),
            density=[arrays[f"density.{j}"] for j in range(p)],
            density_edges=[arrays[f"density_edges.{j}"] for j in range(p)],
            sizes=[arrays[f"sizes.{k}"] for k in range(n_layers + 1)],
            ranges=[arrays[f"ranges.{k}"] for k in range(n_layers)],
            circuit=CircuitChannel.from_spec(spec["circuit"], arrays["circuit.angles"]) if "circuit" in spec else None,
            **{name: arrays[name] for name in _ARRAYS},
        )


def _read_layer(spec, arrays, prefix):
    shapes = {name: arrays[f"{prefix}.{name}"] for name in spec["shapes"]}
    return HiddenLayer(arrays[f"{prefix}.coefficients"], arrays[f"{prefix}.bias"], spec["products"], shapes)


def _and_reverse(order):
    return order, order[::-1]
