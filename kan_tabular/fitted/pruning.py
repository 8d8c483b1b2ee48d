"""Edges that say little become constants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np


def pruned(network, Z, threshold):
    """The network without its weakest edges, and how many it has left.

    Layer by layer, an edge whose output varies by less than `threshold` times the most varying edge of its member's
    layer is replaced by its mean, which goes into the bias of the node it led to. A node that nothing leads to any more
    is constant, so its own edges go in turn: nodes are pruned with their edges. An edge of zero goes without any change
    of the predictions. A circuit beside the layers loses edges that lead to it or leave it, but no gates.

    Parameters
    ----------
    network : DeepNetwork
    Z : ndarray (n, p)
        Encoded rows on which outputs are measured.
    threshold : float
        Between 0 (only constant edges) and 1.

    Returns
    -------
    network : DeepNetwork
    kept : list of ndarray of bool
        Edges left: (p, M, H), then (M, width, outputs) a layer.
    """
    M, H = network.bias.shape
    first, shift, kept = [], network.bias.copy(), []
    outputs = [own.reshape(-1, M, H) for own in map(network.reader(Z), range(len(network.inputs)))]
    spread = np.stack([out.std(0) for out in outputs])
    keep = _strong(spread, threshold, axis=(0, 2))
    for c, out, own in zip(network.inputs, outputs, keep, strict=True):
        first.append(replace(c, coefficients=c.coefficients * own.ravel()))
        shift += np.where(own, 0.0, out.mean(0))
    kept.append(keep)
    h = (sum(np.where(own, out, 0.0) for own, out in zip(keep, outputs, strict=True)) + shift).transpose(1, 0, 2)
    (h, beside), layers = network.split(h, axis=2), []
    for layer in network.layers:
        out = layer.curves(network.basis, network.nodes_of(layer, h, beside, axis=2))
        keep = _strong(out.std(1), threshold, axis=(1, 2))
        bias = layer.bias + np.where(keep, 0.0, out.mean(1)).sum(1)
        layers.append(replace(layer, coefficients=layer.coefficients * keep[:, None], bias=bias))
        kept.append(keep)
        h = np.where(keep[:, None], out, 0.0).sum(2) + bias[:, None]
    new = replace(network, inputs=first, bias=shift, layers=layers)
    new.sizes, new.ranges = new.edge_sizes(Z), new.node_ranges(Z)
    return new, kept


def _strong(spread, threshold, axis):
    """Edges that vary by at least `threshold` times the largest of their member's layer, and at all."""
    largest = spread.max(axis=axis, keepdims=True, initial=0.0)
    return (spread >= threshold * largest) & (spread > 1e-12 * largest)
