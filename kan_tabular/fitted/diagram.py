"""The edges of a fitted network, as curves to be drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kan_tabular.fitted.deep import DeepNetwork

_GRID = 60


@dataclass(frozen=True)
class DiagramLayer:
    """The edges from one layer of nodes to the next.

    Attributes
    ----------
    x : list of ndarray (m,)
        For each source the values at which its curves are given: across its training range, as the network sees it, or
        all level codes of a category; empty where nothing leaves it.
    y : list of ndarray (m, n_targets)
        The curves.
    sizes : ndarray (n_sources, n_targets)
        Standard deviation of each edge's output over training rows.
    nodes : ndarray of int (n_targets,), optional
        The node that each target leads to. By default its own; a node with two targets multiplies what reaches them.
    """

    x: list[np.ndarray]
    y: list[np.ndarray]
    sizes: np.ndarray
    nodes: np.ndarray | None = None

    @property
    def node_of(self):
        """`nodes`, or each target's own position."""
        return np.arange(self.sizes.shape[1]) if self.nodes is None else self.nodes


@dataclass(frozen=True)
class Diagram:
    """One network of curves.

    Attributes
    ----------
    layers : list of DiagramLayer
        From the inputs to what users see as outputs.
    member, n_members : int or None, int
        Which network of an ensemble this is; None for a model of one layer.
    weight : float
        Its share in the prediction.
    additive : bool
        Whether the prediction has an additive part beside it.
    """

    layers: list[DiagramLayer]
    member: int | None
    n_members: int
    weight: float
    additive: bool


def read_diagram(network, member=None):
    """The edges of one network.

    Parameters
    ----------
    network : FittedNetwork or DeepNetwork
    member : int, optional
        Position of the member of an ensemble; by default (the first) one with the largest weight.

    Returns
    -------
    diagram : Diagram
        Of the additive part, where there are no members.
    """
    deep = isinstance(network, DeepNetwork)
    n_members = network.n_members if deep else 0
    if not n_members:
        if member is not None:
            raise ValueError(f"member must be None because the model is one additive network; got {member!r}.")
        return Diagram([_one_layer(network, network.additive if deep else network.inputs)], None, 0, 1.0, False)
    if member is None:
        member = int(np.argmax(network.weights))
    if member not in range(n_members):
        raise ValueError(f"member={member!r}: expected an integer from 0 to {n_members - 1}.")
    if network.circuit is not None:
        raise ValueError(
            "a network with a circuit beside its curves is no network of curves and cannot be drawn as one; use "
            "LogisticKAN, or DualChannelKAN(channels=('kan',))."
        )
    additive = any(np.any(curves.coefficients) for curves in network.additive)
    return Diagram(_member_layers(network, member), int(member), n_members, float(network.weights[member]), additive)


def _member_layers(network, m):
    width = network.bias.shape[1]
    x = [_grid(curves) for curves in network.inputs]
    own = slice(m * width, (m + 1) * width)
    y = [c.evaluate(values)[:, own] for c, values in zip(network.inputs, x, strict=True)]
    joins = [_node_of_sum(layer) for layer in network.layers] + [None]
    layers = [DiagramLayer(x, y, network.sizes[0][:, m], joins[0])]
    parts = zip(network.layers, network.ranges, network.edge_coefficients, network.sizes[1:], joins[1:], strict=True)
    for layer, ranges, coefficients, sizes, nodes in parts:
        grid = np.linspace(*ranges[:, m], _GRID)  # (m, width)
        phi = layer.phi(network.basis, np.broadcast_to(grid, (network.n_members, *grid.shape)))[m]
        y = np.einsum("gwk,kwo->wgo", phi, coefficients[m])
        layers.append(DiagramLayer(list(grid.T), list(y), sizes[m], nodes))
    return layers


def _node_of_sum(layer):
    """Which node of a hidden layer each of the sums that lead to it belongs to; None where it is one each."""
    plain = layer.coefficients.shape[2] - layer.products
    if not layer.products:
        return None
    return np.concatenate([np.arange(plain), np.tile(plain + np.arange(layer.products), 2)])


def _one_layer(network, inputs):
    """The layer of an additive model; the sizes of its edges come from the histograms of the training rows."""
    x, y, sizes = [], [], []
    for j, (curves, feature) in enumerate(zip(inputs, network.features, strict=True)):
        b = curves.coefficients @ network.output_map
        x.append(_grid(curves))
        y.append(curves.columns(x[-1]) @ b)
        edges, weight = network.density_edges[j], network.density[j]
        seen = (edges[1:] + edges[:-1]) / 2 if len(edges) else np.arange(len(weight), dtype=float)
        if isinstance(network, DeepNetwork):
            seen = network.front(np.tile(seen[:, None], len(inputs)))[:, j]
        values = curves.columns(np.append(seen, np.nan)) @ b
        weight = np.append(weight, feature.missing)
        mean = weight @ values / weight.sum()
        sizes.append(np.sqrt(weight @ (values - mean) ** 2 / weight.sum()))
    return DiagramLayer(x, y, np.stack(sizes))


def _grid(curves):
    if curves.basis is None:
        return np.empty(0)
    low, high = curves.basis.domain
    return np.arange(high + 1) if curves.basis.name == "category" else np.linspace(low, high, _GRID)
