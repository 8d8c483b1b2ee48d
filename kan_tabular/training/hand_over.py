"""Between training and the fitted network: members as plain arrays, and back into a trainer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from kan_tabular.fitted.circuit import CircuitChannel
from kan_tabular.fitted.curves import InputCurves
from kan_tabular.fitted.deep import HiddenLayer
from kan_tabular.fitted.learned import LearnedCurves
from kan_tabular.fitted.products import n_products

#: Rows on which old curves are expressed in new columns, at most.
_ROWS = 4096


def read_members(network, share, terms, seen, weights):
    """What members with a positive `share` (M,) are, as arguments of `DeepNetwork`.

    Curves are centred over the training rows that the front shows, `seen` (n, p), with frequencies `weights` (n,).
    """
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
    inputs = with_coefficients(terms, first.reshape(len(first), len(kept) * first.shape[2]))
    bias = array(network.bias)[kept]
    learned = {} if network.learned is None or not len(kept) else network.learned.bases()
    for j, (basis, shapes) in learned.items():
        if not inputs[j].coefficients[network.learned.own_columns(j)].any():
            continue  # no member chose such a space
        own = {name: array(value)[kept] for name, value in shapes.items()}
        known = ~np.isnan(seen[:, j])
        inputs[j], moved = LearnedCurves.of(inputs[j], basis, own, seen[known, j], weights[known])
        bias += moved * (1 - inputs[j].missing)
        if inputs[j].has_missing:
            inputs[j].coefficients[-1] -= moved.ravel()
    return {
        "inputs": inputs,
        "bias": bias,
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


def continue_from(network, previous, terms, seen, encoded, weights, scale, sizes):
    """Start the members of `network` where those of a fitted network ended.

    Curves of the first layer are expressed in the new design columns by least squares over the training rows (exactly,
    where the rows are the same as before), with the functions that the inputs learned, where there are equally many;
    everything else is copied. `seen` (n, p) is what the new front shows of `encoded`, `scale` (C,) what outputs are now
    divided by; the functions are at the first of the `sizes`, if there are any.
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
    inputs = [] if network.learned is None else _learned_before(network.learned, previous, sizes)
    first, shift = _first_layer(network, previous, terms, seen[rows], encoded[rows], np.sqrt(weights[rows])[:, None])
    shape = previous.bias.shape
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
    network.restore(state + inputs)


def _learned_before(learned, previous, sizes):
    """Parameters of the inputs' functions (list of tensors), set to a fitted network's where it has equally many."""
    for group in learned.groups:
        if sizes:
            group.refine(sizes[0], list(group.shapes.values()))
        for i, place in enumerate(group.places):
            part = learned.parts[place]
            before = getattr(previous.inputs[part.input], "shapes", {})
            for name, own in group.shapes.items():
                value = before.get(part.prefix + name)
                if value is not None and value.shape == own[:, i].shape:
                    own.data[:, i] = own.new_tensor(value)
    return [p.detach().clone() for p in learned.parameters()]


def _first_layer(network, previous, terms, seen, encoded, root):
    """Coefficients (P, M H) of a fitted network's curves in the new columns, and what they leave for the bias (M H)."""
    read, M = previous.reader(encoded), network.n_members
    learned = {} if network.learned is None else network.learned.bases()
    first, shift = [], np.zeros(previous.bias.size)
    for j, term in enumerate(terms):
        curves, target = term.curves, root * read(j)
        if j in learned:
            basis, shapes = learned[j]
            shapes = {name: value.detach().double().cpu().numpy() for name, value in shapes.items()}
            center = np.tile(curves.center, (M, 1))
            own = LearnedCurves(basis, curves.transform, center, curves.missing, None, shapes)
            designs, targets = own.columns(seen[:, j]), np.split(target, M, axis=1)
        else:
            designs, targets = [curves.columns(seen[:, j])], [target]
        solutions = [
            np.linalg.lstsq(root * np.column_stack([np.ones(len(seen)), design]), own, rcond=1e-9)[0]
            for design, own in zip(designs, targets, strict=True)
        ]
        solution = np.concatenate(solutions, axis=1)
        shift += solution[0]
        first.append(solution[1:])
    return np.concatenate(first), shift
