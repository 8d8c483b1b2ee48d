"""Members with a circuit beside their hidden layers: against a computation by hand, and through the trainer's steps."""

import numpy as np
import pytest
import torch

from kan_tabular.bases import Clipped, Cosine, NodeSpline
from kan_tabular.fitted.circuit import Circuit
from kan_tabular.training.circuit import DualNetwork
from kan_tabular.training.network import MemberNetwork
from kan_tabular.training.sparsity import EdgeSparsity

pytestmark = pytest.mark.filterwarnings("error")

M, P, N, C = 3, 5, 7, 2
CIRCUITS = [Circuit(2, 1, "angle"), Circuit(2, 2, "amplitude")]
HIDDEN = [(4, 3), (3,), (0,), ((1, 1), (2, 1))]


def network(hidden=(4, 3), circuit=CIRCUITS[0], basis=None, seed=0):
    """Members moved away from their start, so that every curve counts."""
    generator = torch.Generator().manual_seed(seed)
    gains = np.random.default_rng(seed).uniform(0.5, 2, (M, P))
    net = DualNetwork(gains, hidden, C, basis or NodeSpline(2), generator, circuit)
    with torch.no_grad():
        for parameter, _ in net.axes():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return net


def rows():
    return torch.randn(N, P, generator=torch.Generator().manual_seed(1))


def by_hand(net, x, m):
    """Values of the last layer's nodes, and outputs, of one row (P,) and member, in double precision."""
    numbers = [p.detach().double().numpy() for p in (net.theta, net.gain, net.bias, net.angles)]
    theta, gain, bias, angles = numbers
    sums = x @ (theta[:, m] * gain[:, m]) + bias[m]
    own = net.circuit.n_inputs
    inputs = sums[-own:, None]
    u = 3 * inputs / np.sqrt(inputs**2 + 9)
    beside = 3 * net.circuit.expectations(u[None], net.circuit.matrix(angles[[m]]))[0, :, 0]
    h = sums[:-own]
    last = len(net.hidden) - 1
    for layer, (size, coefficients, shift) in enumerate(zip(net.hidden, net.coefficients, net.biases, strict=True)):
        if not isinstance(size, int):
            plain, pairs = size
            h = np.concatenate([h[:plain], h[plain : plain + pairs] * h[plain + pairs :]])
        if layer == last:
            h = nodes = np.concatenate([h, beside])
        c = coefficients.detach().double().numpy()[m].reshape(net.basis.n_functions, len(h), -1)
        h = np.einsum("ik,kio->o", net.basis.evaluate(h), c) + shift.detach().double().numpy()[m, 0]
    return nodes, h


@pytest.mark.parametrize("circuit", CIRCUITS, ids=str)
@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
def test_outputs_are_those_by_hand(hidden, circuit):
    net, X = network(hidden, circuit), rows()
    with torch.no_grad():
        said, nodes, some = net(X), net.nodes(X)[-1], net(X, slice(1, 3))
    assert said.shape == (M, N, C) and nodes.shape == (N, M, net.sizes(C)[-1][0])
    for m in range(M):
        for r in range(N):
            values, expected = by_hand(net, X[r].double().numpy(), m)
            np.testing.assert_allclose(nodes[r, m], values, rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(said[m, r], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(some, said[1:3], rtol=1e-5, atol=1e-6)


def test_training_starts_at_the_constant_and_every_parameter_learns():
    generator = torch.Generator().manual_seed(0)
    net, X = DualNetwork(np.ones((M, P)), (4, 3), C, NodeSpline(2), generator, CIRCUITS[0]), rows()
    assert (net(X) == 0).all() and (net.angles >= 0).all() and (net.angles <= 2 * np.pi).all()
    with torch.no_grad():
        net.coefficients[-1].normal_(generator=generator)
    net(X).square().sum().backward()
    trained = [parameter for _, group in net.groups() for parameter in group]
    assert {id(p) for p in trained} == {id(p) for p, _ in net.axes()} == {id(p) for p in net.parameters()}
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in trained)
    assert all(parameter is not net.angles for parameter, _ in net.decayed())


def test_the_first_sums_and_the_circuit_start_with_about_the_same_spread():
    """So neither channel drowns the other: both lead to nodes of the last layer that vary by about 1."""
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(500, P, generator=generator)
    net = DualNetwork(np.ones((50, P)), (4,), C, NodeSpline(2), generator, Circuit(4, 1, "angle"))
    with torch.no_grad():
        spread = net.nodes(X)[-1].std(0).mean(0)
    assert spread[:4].mean() == pytest.approx(1, abs=0.2) and 0.3 < spread[4:].mean() < 1.5


@pytest.mark.parametrize("basis", [NodeSpline(2), Clipped(Cosine(3))], ids=lambda b: b.name)
def test_some_members_go_on_as_they_were(basis):
    net, X, members = network((3, 2), CIRCUITS[1], basis), rows(), [2, 0]
    start = net.state()
    with torch.no_grad():
        before = net(X).numpy()
        for parameter, _ in net.axes():
            parameter.add_(0.1)
        moved = net(X).numpy()
    net.keep(start, [1])
    net.select(members, start)
    with torch.no_grad():
        np.testing.assert_allclose(net(X), moved[members], rtol=1e-5, atol=1e-6)
        net.restore(start)
        np.testing.assert_allclose(net(X), before[members], rtol=1e-5, atol=1e-6)
    assert net.angles.shape[0] == 2 and not np.allclose(moved, before)


def test_kept_states_include_the_angles():
    net, X = network(), rows()
    state = net.state()
    with torch.no_grad():
        before = net(X).numpy()
        net.angles.add_(0.5)
        moved = net(X).numpy()
        net.keep(state, [1])
        net.restore(state)
        said = net(X).numpy()
    np.testing.assert_allclose(said, np.stack([before[0], moved[1], before[2]]), rtol=1e-5, atol=1e-6)
    assert not np.allclose(before[1], moved[1])


@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
def test_a_finer_grid_changes_no_function(hidden):
    net, X = network(hidden), rows()
    state = net.state()
    with torch.no_grad():
        before = net(X).numpy()
        net.refine(4, state)
        np.testing.assert_allclose(net(X), before, rtol=1e-5, atol=1e-5)
        net.restore(state)
        np.testing.assert_allclose(net(X), before, rtol=1e-5, atol=1e-5)


def test_edges_into_and_out_of_the_circuit_can_vanish():
    net, X = network((3, 2)), rows()
    with torch.no_grad():
        EdgeSparsity(1e3, [1] * P, torch.device("cpu")).shrink(net, 1.0, X)
    assert not net.theta.any() and not any(c.any() for c in net.coefficients)


def test_without_a_circuit_nothing_stands_beside_the_layers():
    net = MemberNetwork(np.ones((M, P)), (4, 3), C, NodeSpline(2), torch.Generator().manual_seed(0))
    assert net.circuit is None and net.sizes(C) == [(4, 3), (3, C)] and net.n_first == 4
    dual = DualNetwork(np.ones((M, P)), (4, 3), C, NodeSpline(2), torch.Generator().manual_seed(0), CIRCUITS[1])
    assert dual.sizes(C) == [(4, 3), (5, C)] and dual.n_first == 8
