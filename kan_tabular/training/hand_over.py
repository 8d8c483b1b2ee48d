"""Between training and the fitted network: members as plain arrays, and back into a trainer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from kan_tabular.fitted.circuit import CircuitChannel
from kan_tabular.fitted.curves import InputCurves
from kan_tabular.fitted.deep import HiddenLayer
from kan_tabular.fitted.products import n_products

#: Rows on which old curves are expressed in new columns, at most.
_ROWS = 4096


def read_members(network, share, terms):
    """What members with a positive `share` (M,) are, as arguments of `DeepNetwork`."""
    kept = np.flatnonzero(share > 0)

    def array(tensor):
        return tensor.detach().double().cpu().numpy()

    first = array(network.edges())[:, kept]
    K, n_outputs = network.basis.n_functions, network.coefficients[-1].shape[2]
    curves = [network.curves(layer) for layer in range(len(network.hidden))]
    parts = (curves, network.biases, [network.node_shapes(layer) for layer in range(len(network.hidden))])
    layers = [
        HiddenLayer(
            array(c)[kept].reshape(len(kept), K, *size),
            array(b)[kept, 0],
            n_products(nodes),
            {name: array(value)[kept] for name, value in shapes.items()},
        )
        for nodes, size, c, b, shapes in zip(network.hidden, network.sizes(n_outputs), *parts, strict=True)
    ]
    circuit = network.circuit
    if circuit is not None:
        circuit = CircuitChannel(circuit, array(network.angles)[kept])
    return {
        "inputs": with_coefficients(terms, first.reshape(len(first), len(kept) * first.shape[2])),
        "bias": array(network.bias)[kept],
        "layers": layers,
        "basis": network.basis,
        "weights": share[kept],
        "circuit": circuit,
    }


def with_coefficients(terms, coefficients):
    """The terms' curves, each with its own rows of `coefficients`."""
    out, stop = [], 0
    for term in terms:
        start, stop = stop, stop + term.curves.n_columns
        out.append(replace(term.curves, coefficients=coefficients[start:stop]))
    return out


def no_curves(n_outputs):
    """Curves of an input that carries nothing."""
    return InputCurves(None, np.zeros((0, 0)), np.zeros(0), 0.0, np.zeros((0, n_outputs)))


def where_it_ended(previous, basis, sizes):
    """The basis that a fitted network ended with, and the `sizes` from there on; `basis` is at the first of them.

    Where it is none of them, they are returned as they are: `continue_from` refuses that.
    """
    reached, before = basis, previous.basis.to_spec()
    for i, size in enumerate(sizes):
        if i:
            reached = reached.refined(size, np.zeros(reached.n_functions), reached.parameters())[0]
        if reached.to_spec() == before:
            return reached, sizes[i:]
    return basis, sizes


def continue_from(network, previous, problem, encoded, weights, scale):
    """Start the members of `network` where those of a fitted network ended.

    Curves of the first layer are expressed in the new design columns by least squares over the training rows (exactly,
    where the rows are the same as before); everything else is copied. `scale` (C,) is what outputs are now divided by.
    """
    old = [
        previous.bias.shape,
        previous.basis.to_spec(),
        *((x.products, x.coefficients.shape) for x in previous.layers),
    ]
    n_outputs = network.coefficients[-1].shape[2]
    own = [(network.n_members, network.bias.shape[1]), network.basis.to_spec()]
    for nodes, size in zip(network.hidden, network.sizes(n_outputs), strict=True):
        own.append((n_products(nodes), (network.n_members, network.basis.n_functions, *size)))
    if own != old:
        raise ValueError(
            "warm_start=True goes on with networks of the same kind: hidden_layer_sizes, basis, grid_size, "
            "n_estimators and the number of classes or targets must be as in the last fit; use warm_start=False to "
            "begin anew."
        )
    rows = np.linspace(0, len(encoded) - 1, min(len(encoded), _ROWS)).astype(int)
    before, columns = previous.columns(encoded[rows]), problem.design.matrix(np.float64)[rows]
    root, shape = np.sqrt(weights[rows])[:, None], previous.bias.shape
    first, shift, stop = np.zeros((columns.shape[1], shape[0] * shape[1])), np.zeros(shape[0] * shape[1]), 0
    for term, curves, mine in zip(problem.terms, previous.inputs, previous.column_slices, strict=True):
        start, stop = stop, stop + term.curves.n_columns
        design = np.column_stack([np.ones(len(rows)), columns[:, start:stop]])
        solution = np.linalg.lstsq(root * design, root * (before[:, mine] @ curves.coefficients), rcond=1e-9)[0]
        shift += solution[0]
        first[start:stop] = solution[1:]
    n_layers, ratio = len(previous.layers), previous.scale / scale

    def tensor(array):
        return torch.as_tensor(np.ascontiguousarray(array), dtype=network.theta.dtype, device=network.theta.device)

    state = [
        tensor(first.reshape(-1, *shape)) / network.gain.clamp(min=1e-12),
        tensor(previous.bias + shift.reshape(shape)),
    ]
    state += [
        tensor(layer.coefficients.reshape(shape[0], -1, layer.coefficients.shape[3])) for layer in previous.layers
    ]
    state += [tensor(layer.bias[:, None]) for layer in previous.layers]
    for k, layer in enumerate(previous.layers):
        first = network.takes(k).argmax(0).cpu().numpy()  # of the nodes that share a set
        state += [tensor(value[:, first]) for value in layer.shapes.values()]
    for k in (1 + n_layers, 1 + 2 * n_layers):  # the last layer's coefficients and bias
        state[k] *= tensor(ratio)
    network.restore(state)
