"""A network with hidden layers as data from which ``assets/model.js`` computes the same numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kan_tabular.exceptions import LiveModelError
from kan_tabular.report.embed import packed
from kan_tabular.report.model_data import as_pieces, knots_of, pieces
from kan_tabular.report.polynomials import piecewise_polynomials

#: Hidden nodes see ``u = 3 v`` with ``v = h / sqrt(h^2 + 9)``, up to this v.
_RANGE, _END = 3.0, 1 - 1e-9


def network_data(network):
    """A `kan_tabular.fitted.deep.DeepNetwork`: its first layer, the curves of its hidden nodes, and its additive part.

    The functions of hidden nodes are piecewise polynomials of the softly clipped value. ``orders`` are those of the
    features over which `explain` averages.

    Raises
    ------
    LiveModelError
        A network with a circuit, or with columns or nodes that learnt functions of their own.
    """
    if network.circuit is not None:
        raise LiveModelError("a network with a circuit is not computed by the page")
    if network.learned or any(layer.shapes for layer in network.layers):
        raise LiveModelError("a network whose nodes learnt functions of their own is not computed by the page")
    inputs = [_used(c) for c in network.inputs]
    first = np.concatenate([coefficients for _, coefficients in inputs])
    return {
        "kind": "network",
        "base": network.base.tolist(),
        "front": {"center": network.front.center.tolist(), "spread": network.front.spread.tolist()},
        "additive": [pieces(c) for c in network.additive],
        "columns": [columns for columns, _ in inputs],
        "first": packed(first),
        "bias": packed(network.bias),
        "functions": _functions(network.basis),
        "layers": [
            {"coefficients": packed(layer.coefficients), "bias": packed(layer.bias), "products": layer.products}
            for layer in network.layers
        ],
        "weights": network.weights.tolist(),
        "orders": [order.tolist() for order in network.orders()],
        # From fitted outputs to what users see.
        "to_user": (network.scale[:, None] * network.output_map).tolist(),
    }


def _used(curves):
    """The design columns of an input that carry something, and their coefficients."""
    used = (curves.coefficients != 0).any(axis=1)
    return pieces(replace(curves, coefficients=np.eye(curves.n_columns)[:, used])), curves.coefficients[used]


def _functions(basis):
    """The functions of hidden nodes as polynomials of v, the clipped value."""
    knots = -basis.starts / basis.slopes if basis.name == "node_spline" else knots_of(getattr(basis, "family", basis))

    def function(v):
        return basis.evaluate(_RANGE * v / np.sqrt(1 - v * v))

    breaks, origins, table = piecewise_polynomials(function, -_END, _END, knots / _RANGE)
    return as_pieces(-_END, 2 * _END, breaks, origins, table, np.zeros(table.shape[2]))
