"""Nodes that multiply: how the values that edges add up become the values of a layer's nodes."""

from __future__ import annotations

from array_api_compat import array_namespace


def n_sums(layer):
    """Values that the edges into a hidden layer add up: ``layer`` is a number of nodes, or (sums, products)."""
    return layer if isinstance(layer, int) else layer[0] + 2 * layer[1]


def n_nodes(layer):
    """Nodes of a hidden layer."""
    return layer if isinstance(layer, int) else sum(layer)


def n_products(layer):
    """Nodes of a hidden layer that multiply two sums."""
    return 0 if isinstance(layer, int) else layer[1]


def multiply(sums, products, axis):
    """Values of the nodes from the sums along `axis`: first the plain ones, then the left and the right factors."""
    if not products:
        return sums
    xp = array_namespace(sums)
    plain = sums.shape[axis] - 2 * products

    def part(start, stop):
        return sums[(slice(None),) * (axis % sums.ndim) + (slice(start, stop),)]

    left, right = part(plain, plain + products), part(plain + products, plain + 2 * products)
    return xp.concat([part(0, plain), left * right], axis=axis)
