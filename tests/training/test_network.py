"""The trainer's network: its outputs against plain loops over nodes, and what must not change them."""

import numpy as np
import pytest
import torch

from kan_tabular.bases import BSpline, Clipped, NodeSpline
from kan_tabular.training.network import MemberNetwork

M, P, N, C = 3, 4, 7, 2
HIDDEN = [(5,), (4, 3), ((2, 1),), ((0, 2),), ((2, 2), (1, 1)), ((0, 1), (0, 2)), (3, (1, 2))]
BASES = {"node spline": lambda: NodeSpline(2), "any family": lambda: Clipped(BSpline(2))}


def network(hidden, basis="node spline"):
    """Members whose every parameter says something."""
    generator = torch.Generator().manual_seed(0)
    gains = 0.2 + np.random.default_rng(0).random((M, P))
    net = MemberNetwork(gains, hidden, C, BASES[basis](), generator)
    with torch.no_grad():
        for parameter, _ in net.axes():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
    return net


def rows():
    return torch.randn(N, P, generator=torch.Generator().manual_seed(1))


def joined(sums, size):
    """Values of a layer's nodes: of a pair (sums, products), first the sums, then left times right factors."""
    if isinstance(size, int):
        return list(sums)
    plain, products = size
    return [*sums[:plain], *(sums[plain + i] * sums[plain + products + i] for i in range(products))]


def by_loops(net, x, m):
    """Nodes of each hidden layer and outputs of member `m` at one row: edge by edge."""
    theta, gain, bias = (p.detach().double().numpy() for p in (net.theta, net.gain, net.bias))
    sums = [bias[m, h] + sum(x[p] * theta[p, m, h] * gain[p, m, 0] for p in range(P)) for h in range(bias.shape[1])]
    nodes = []
    for size, coefficients, shift in zip(net.hidden, net.coefficients, net.biases, strict=True):
        nodes.append(joined(sums, size))
        c, b = coefficients.detach().double().numpy()[m], shift.detach().double().numpy()[m, 0]
        phi = [net.basis.evaluate(np.array([h]))[0] for h in nodes[-1]]
        K, width = net.basis.n_functions, len(phi)
        sums = [
            b[o] + sum(phi[i][k] * c[k * width + i, o] for i in range(width) for k in range(K)) for o in range(len(b))
        ]
    return nodes, sums


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
def test_outputs_and_nodes_are_sums_and_products_over_edges(hidden, basis):
    net, X = network(hidden, basis), rows()
    with torch.no_grad():
        said, some, values = net(X), net(X, slice(1, 3)), net.nodes(X)
    assert said.shape == (M, N, C)
    for m in range(M):
        for r in range(N):
            nodes, expected = by_loops(net, X[r].double().numpy(), m)
            np.testing.assert_allclose(said[m, r], expected, rtol=1e-4, atol=1e-4)
            for h, own in zip(values, nodes, strict=True):
                np.testing.assert_allclose(h[r, m], own, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(some, said[1:3], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
def test_a_finer_grid_changes_no_function(hidden):
    net, X = network(hidden), rows()
    state = net.state()
    with torch.no_grad():
        before = net(X).numpy()
        net.refine(4, state)
        assert net.basis.grid_size == 4
        np.testing.assert_allclose(net(X), before, rtol=1e-5, atol=1e-5)
        for parameter, _ in net.axes():
            parameter.zero_()
        net.restore(state)
        np.testing.assert_allclose(net(X), before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("basis", BASES)
def test_some_members_go_on_as_they_were(basis):
    net, X, members = network(((2, 1), 3), basis), rows(), [2, 0]
    start = net.state()
    with torch.no_grad():
        before = net(X).numpy()
        for parameter, _ in net.axes():
            parameter.add_(0.1)
        moved = net(X).numpy()
    net.select(members, start)
    with torch.no_grad():
        np.testing.assert_allclose(net(X), moved[members], rtol=1e-5, atol=1e-6)
        assert net.n_members == 2 and not np.allclose(moved, before)
        net.restore(start)
        np.testing.assert_allclose(net(X), before[members], rtol=1e-5, atol=1e-6)


def test_kept_states_are_those_of_the_named_members():
    net, X = network(((2, 1), 3)), rows()
    state = net.state()
    with torch.no_grad():
        before = net(X).numpy()
        for parameter, _ in net.axes():
            parameter.add_(0.1)
        moved = net(X).numpy()
        net.keep(state, [1])
        net.restore(state)
        np.testing.assert_array_equal(net(X), np.stack([before[0], moved[1], before[2]]))
