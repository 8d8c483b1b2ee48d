"""Edges shrink as whole edges, in units of what they add to a node, and vanish exactly."""

import numpy as np
import pytest
import torch

from kan_tabular.bases import NodeSpline
from kan_tabular.encoding import TableEncoder, read_table
from kan_tabular.solvers.problem import build_problem
from kan_tabular.training.network import MemberNetwork
from kan_tabular.training.sparsity import EdgeSparsity


def network(sizes, members=3, width=4, seed=0):
    gains = 0.2 + np.random.default_rng(seed).random((members, sum(sizes)))
    return MemberNetwork(gains, (width,), 1, NodeSpline(2), torch.Generator().manual_seed(seed))


def shrink(net, strength, sizes, rate=0.1):
    with torch.no_grad():
        EdgeSparsity(strength, sizes, torch.device("cpu")).shrink(net, rate)


def edges(net):
    return (net.theta * net.gain).detach().double().numpy()


def test_a_step_takes_the_same_amount_off_every_edge_and_nothing_below_zero():
    sizes, rate, strength = [2, 1, 3], 0.1, 4.0
    net = network(sizes)
    before = edges(net)
    shrink(net, strength, sizes, rate)
    after = edges(net)
    vanished = 0
    for start, stop in ((0, 2), (2, 3), (3, 6)):
        for m in range(3):
            for node in range(4):
                old, new = before[start:stop, m, node], after[start:stop, m, node]
                length = np.linalg.norm(old)
                expected = old * max(1 - rate * strength / length, 0.0)
                np.testing.assert_allclose(new, expected, rtol=1e-4, atol=1e-7)
                if length < rate * strength:
                    assert not new.any()
                    vanished += 1
    assert 0 < vanished < 36


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
        Z, encoder.features_, w, n_knots=6, smoothing="auto", select=True, n_outputs=1, device="cpu"
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
