"""Edges shrink as whole edges, in units of what they add to a node, and vanish exactly."""

import numpy as np
import pytest
import torch

from kan_tabular.bases import BSpline, NodeSpline
from kan_tabular.encoding import TableEncoder, read_table
from kan_tabular.solvers.problem import build_problem
from kan_tabular.training.network import MemberNetwork
from kan_tabular.training.sparsity import EdgeSparsity

N_ROWS = 80


def network(sizes, members=3, hidden=(4, 3), seed=0):
    gains = 0.2 + np.random.default_rng(seed).random((members, sum(sizes)))
    generator = torch.Generator().manual_seed(seed)
    net = MemberNetwork(gains, hidden, 1, NodeSpline(2), generator)
    with torch.no_grad():
        for coefficients in net.coefficients:
            coefficients.copy_(0.5 * torch.randn(coefficients.shape, generator=generator))
    return net


def rows(sizes):
    return torch.randn(N_ROWS, sum(sizes), generator=torch.Generator().manual_seed(3))


def shrink(net, strength, sizes, rate=0.1):
    with torch.no_grad():
        EdgeSparsity(strength, sizes, torch.device("cpu")).shrink(net, rate, rows(sizes))


def edges(net):
    return (net.theta * net.gain).detach().double().numpy()


def first_norms(net, sizes):
    """Length of each edge's coefficients: (inputs, M, nodes)."""
    return np.stack([np.linalg.norm(part, axis=0) for part in np.split(edges(net), np.cumsum(sizes)[:-1])])


def hidden_norms(net, sizes):
    """Standard deviation over the rows of what each edge of each hidden layer adds, (M, width, out)."""
    out = []
    with torch.no_grad():
        for h, coefficients in zip(net.nodes(rows(sizes)), net.coefficients, strict=True):
            phi = net.basis.evaluate(h.double().numpy())  # (rows, M, width, K)
            c = coefficients.double().numpy().reshape(net.n_members, net.basis.n_functions, h.shape[2], -1)
            out.append(np.einsum("nmwk,mkwo->nmwo", phi, c).std(0))
    return out


def penalty(norms):
    """From the definition, for the edges of one member's layer."""
    shares = norms.ravel() / norms.sum()
    entropy = -(shares * np.log(shares)).sum()
    return norms.sum() * (1 + entropy / np.log(norms.size)) / 2


def amounts(norms, step=1e-6):
    """Slope of the penalty in each edge, by differences."""
    out = np.empty(norms.shape)
    for e in np.ndindex(norms.shape):
        up, down = norms.copy(), norms.copy()
        up[e] += step
        down[e] -= step
        out[e] = (penalty(up) - penalty(down)) / (2 * step)
    return out


def test_a_step_takes_the_slope_of_the_penalty_off_every_edge_and_nothing_below_zero():
    sizes, rate, strength = [2, 1, 3], 0.1, 4.0
    net = network(sizes)
    layers = [first_norms(net, sizes).transpose(1, 0, 2), *hidden_norms(net, sizes)]
    before = [edges(net), *(c.detach().double().numpy().copy() for c in net.coefficients)]
    shrink(net, strength, sizes, rate)
    after = [edges(net), *(c.detach().double().numpy() for c in net.coefficients)]
    vanished = 0
    for k, norms in enumerate(layers):
        for m in range(3):
            left = np.maximum(1 - rate * strength * amounts(norms[m]) / norms[m], 0.0)
            vanished += (left == 0).sum()
            if k == 0:
                factor = np.repeat(left, sizes, axis=0)
                np.testing.assert_allclose(after[0][:, m], before[0][:, m] * factor, rtol=1e-4, atol=1e-6)
            else:
                factor = np.tile(left, (net.basis.n_functions, 1))
                np.testing.assert_allclose(after[k][m], before[k][m] * factor, rtol=1e-3, atol=1e-5)
    assert 0 < vanished < sum(norms.size for norms in layers)


def test_no_sparsity_changes_nothing_and_strong_sparsity_leaves_nothing():
    for strength, left in ((0.0, True), (1e4, False)):
        net = network([2, 2])
        before = edges(net)
        shrink(net, strength, [2, 2])
        assert edges(net).any() == left
        if left:
            np.testing.assert_array_equal(edges(net), before)


def test_inputs_without_columns_are_passed_over():
    net, plain = network([2, 0, 1]), network([2, 1])
    shrink(net, 1.0, [2, 0, 1])
    shrink(plain, 1.0, [2, 1])
    np.testing.assert_array_equal(edges(net), edges(plain))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_norm_of_an_edge_is_the_standard_deviation_of_what_it_adds(weighted):
    rng = np.random.default_rng(2)
    n = 250
    table = np.column_stack([rng.normal(size=n), rng.exponential(size=n), rng.integers(0, 4, n)])
    w = rng.integers(1, 4, n).astype(float) if weighted else np.ones(n)
    encoder = TableEncoder()
    Z = encoder.fit_transform(read_table(table), w)
    problem = build_problem(
        Z, encoder.features_, w, family=BSpline(6), smoothing="auto", select=True, n_outputs=1, device="cpu"
    )
    sizes = [t.curves.n_columns for t in problem.terms]
    X, edge = problem.design.matrix(np.float64), edges(network(sizes))
    stop = 0
    for size in sizes:
        start, stop = stop, stop + size
        added = np.einsum("nk,kmh->nmh", X[:, start:stop], edge[start:stop])
        mean = np.average(added, axis=0, weights=w)
        spread = np.sqrt(np.average((added - mean) ** 2, axis=0, weights=w))
        np.testing.assert_allclose(spread, np.linalg.norm(edge[start:stop], axis=0), rtol=1e-8)


def test_a_table_of_constants_has_no_edges_to_shrink():
    net = network([0, 0])
    before = hidden_norms(net, [0, 0])
    shrink(net, 0.5, [0, 0])
    for old, new in zip(before, hidden_norms(net, [0, 0]), strict=True):
        assert np.isfinite(new).all() and (new <= old + 1e-12).all()
