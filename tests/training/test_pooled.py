"""Networks over a pool of spaces: what they compute, their three stages, what is kept, and what is handed over."""

import numpy as np
import pandas as pd
import pytest
import torch

from kan_tabular import SKANRegressor
from kan_tabular.bases import BSpline, Chebyshev, Clipped, Cosine, NodeSpline, Pool
from kan_tabular.fitted.products import n_sums
from kan_tabular.likelihoods import Gaussian, Poisson
from kan_tabular.training import fit
from kan_tabular.training.pooled import FULL, SELECTIVE, PooledNetwork
from kan_tabular.training.sparsity import EdgeSparsity
from kan_tabular.training.trainer import Schedule, TrainingData, train

OWNERS = np.array([-1, 0, 0, 1, 2, -1, 2, 0, -1])  # space of each design column; lines and levels have none
INPUTS = np.array([0, 0, 0, 0, 0, 1, 1, 1, 2])
GRAMS = [np.eye(5), np.eye(3), np.eye(1)]  # nothing in one space looks like anything in another
P, S, N = len(OWNERS), 3, 90
EPOCHS, FIRST, SECOND = 20, 2, 6  # epochs in all, and after which the first two stages end
DECAY = np.array([0.01, 0.5])
POOL = Pool([BSpline(3), Chebyshev(4), Cosine(3)])
POOL_OWNER = Clipped(POOL).family.owner[Clipped(POOL).kept]
KINDS = {
    "inputs": {},
    "edges": {"per_edge": True},
    "nodes": {"hidden": (3, 2), "basis": Clipped(POOL)},
    "edges of nodes that multiply": {"hidden": ((2, 1), 2), "basis": Clipped(POOL), "per_edge": True},
}


def network(members=4, hidden=(4,), n_outputs=1, basis=None, per_edge=False, seed=0, gains=None, grams=GRAMS, only=()):
    gains = np.ones((members, P)) if gains is None else gains
    generator = torch.Generator().manual_seed(seed)
    places = {"owners": OWNERS, "grams": grams, "n_spaces": S, "per_edge": per_edge, "only": only}
    return PooledNetwork(gains, hidden, n_outputs, basis or NodeSpline(3), generator, **places)


def scattered(net, seed=1):
    """The same, with every parameter somewhere else."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter, _ in net.axes():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return net


def array(tensor):
    return tensor.detach().double().numpy()


def data_of(y, folds=2, held=True):
    rng = np.random.default_rng(0)
    return TrainingData(
        X=torch.tensor(rng.normal(size=(N, P)), dtype=torch.float32),
        y=torch.tensor(y, dtype=torch.float32),
        weights=torch.ones(N),
        known=torch.zeros(N, 1),
        offsets=torch.zeros(folds, 0, 1),
        base=torch.zeros(1),
        additive=torch.zeros(2),
        held_out=[torch.as_tensor(np.arange(f, N, folds)) for f in range(folds)] if held else None,
    )


def signal(noise=0.5):
    X = np.random.default_rng(0).normal(size=(N, P))
    return X[:, 1] * X[:, 4] + noise * np.random.default_rng(1).normal(size=N)


def run(y=None, likelihood=None, net=None, held=True, select=None, callback=None, epochs=EPOCHS, **schedule):
    data, net = data_of(signal() if y is None else y, held=held), net or network()
    settings = Schedule(**{"epochs": epochs, "batch_size": 30, "learning_rate": 0.05, **schedule})
    sparsity, generator = EdgeSparsity(0.0, [5, 3, 1], torch.device("cpu")), torch.Generator().manual_seed(0)
    trained = train(net, data, likelihood or Gaussian(), DECAY, settings, generator, sparsity, callback, select)
    return net, trained, data


def held_out_losses(net, data, likelihood):
    eta = np.full((2, N), np.nan)
    with torch.no_grad():
        out = array(net(data.X))[:, :, 0]
    for f, rows in enumerate(data.held_out):
        for s in range(2):
            eta[s, rows] = out[2 * f + s, rows]
    y = array(data.y)
    return np.array([-likelihood.value(e[:, None], y, np.ones(N)) / N for e in eta])


def is_pruned(net):
    weights = [array(net.weights(layer)) for layer in range(len(net.gates))]
    return all(set(np.unique(w)) == {0.0, 1.0} and (w.sum(2) == 1).all() for w in weights)


# ------------------------------------------------------------------------------------------------- what is computed


def softmax(logits, closed, temperature):
    """Of the open spaces, in plain numbers."""
    e = [0.0 if shut else np.exp(v / temperature) for v, shut in zip(logits, closed, strict=True)]
    return [v / sum(e) for v in e] + [1.0]  # the last: what is no space's (owner -1)


def loops(net, X):
    """Outputs (members, rows, outputs), node by node and space by space."""
    theta, gain, basis, T = array(net.theta), array(net.gain), net.basis, net.temperature
    gates, closed = [array(g) for g in net.gates], [c.numpy() for c in net.closed]
    out = []
    for m in range(net.n_members):
        for x in X:
            h = array(net.bias)[m].copy()
            for k in range(P):
                for target in range(len(h)):
                    t = target if net.per_edge else 0
                    w = softmax(gates[0][INPUTS[k], m, :, t], closed[0][INPUTS[k], m, :, t], T)
                    h[target] += w[OWNERS[k]] * theta[k, m, target] * gain[k, m, 0] * x[k]
            for layer, size in enumerate(net.hidden):
                sums, products = size if isinstance(size, tuple) else (size, 0)
                nodes = [*h[:sums], *(h[sums + i] * h[sums + products + i] for i in range(products))]
                phi = basis.evaluate(np.array(nodes))  # (width, K)
                c = array(net.coefficients[layer])[m].reshape(basis.n_functions, len(nodes), -1)
                h = array(net.biases[layer])[m, 0].copy()
                for node in range(len(nodes)):
                    for k in range(basis.n_functions):
                        for target in range(len(h)):
                            w = 1.0
                            if len(gates) > 1 and k > 0:  # the first function is the line
                                t = target if net.per_edge else 0
                                own = gates[1 + layer][m, node, :, t], closed[1 + layer][m, node, :, t]
                                w = softmax(*own, T)[basis.family.owner[basis.kept[k - 1]]]
                            h[target] += w * c[k, node, target] * phi[node, k]
            out.append(h)
    return np.array(out).reshape(net.n_members, len(X), -1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_is_its_curves_weighted_by_the_softmax_of_their_spaces(kind):
    rng = np.random.default_rng(0)
    net = scattered(network(2, n_outputs=2, gains=rng.uniform(0.2, 1, (2, P)), **KINDS[kind])).double()
    X = rng.normal(size=(3, P))
    layers = 1 + len(net.hidden) * ("nodes" in kind)
    first = (3, 2, S, n_sums(net.hidden[0]) if net.per_edge else 1)
    assert len(net.gates) == layers and net.gates[0].shape == first
    for temperature, shut in ((1.0, False), (0.3, True)):
        net.temperature = temperature
        for closed in net.closed:
            closed[:, :, 1, 0] = shut
        out = net(torch.tensor(X)).detach().numpy()
        np.testing.assert_allclose(out, loops(net, X), rtol=1e-9, atol=1e-9)
        np.testing.assert_array_equal(net(torch.tensor(X), slice(1, 2)).detach().numpy(), out[1:])


def test_all_spaces_weigh_the_same_at_first():
    for kind in KINDS.values():
        net = network(**kind)
        assert net.stage == 1 and all((array(net.weights(layer)) == np.float32(1 / 3)).all() for layer in (0,))
        assert all(bool((gate == 0).all()) for gate in net.gates)


# -------------------------------------------------------------------------------------------------- the three stages


@pytest.mark.parametrize("kind", KINDS)
def test_stages_come_at_their_epochs(kind):
    net, seen = network(**KINDS[kind]), []

    def callback(progress):
        open_ = [int((~closed).sum(2).max()) for closed in net.closed]
        seen.append((net.stage, net.temperature, any(bool(c.any()) for c in net.closed), max(open_), is_pruned(net)))

    run(net=net, callback=callback)
    lengths = [FIRST, SECOND - FIRST, EPOCHS - SECOND]
    assert (FIRST / EPOCHS, SECOND / EPOCHS) == (FULL, SELECTIVE)
    assert [entry[0] for entry in seen] == np.repeat([1, 2, 3], lengths).tolist()
    temperatures = [0.1 ** ((e / EPOCHS - FULL) / (SELECTIVE - FULL)) for e in range(FIRST, SECOND)]
    np.testing.assert_allclose([entry[1] for entry in seen], [1.0] * FIRST + temperatures + [1.0] * lengths[2])
    assert not any(entry[2] for entry in seen[:FIRST])
    assert [entry[4] for entry in seen] == [False] * SECOND + [True] * lengths[2]


def test_falling_temperature_sharpens_the_weights():
    net = scattered(network())
    with torch.no_grad():
        net.gates[0].mul_(0.4)  # so that nothing is closed at once
    before = [array(net.weights(0)).max(2)]
    for progress in np.linspace(FULL, SELECTIVE, 6)[:-1]:
        net.advance(progress)
        before.append(array(net.weights(0)).max(2))
    np.testing.assert_allclose(before[0], before[1], rtol=1e-6)
    assert all((late >= early - 1e-7).all() for early, late in zip(before[1:-1], before[2:], strict=True))
    assert (before[-1] > before[0] + 0.02).mean() > 0.9
    heaviest = [array(net.gates[0]).argmax(2), array(net.weights(0)).argmax(2)]
    np.testing.assert_array_equal(*heaviest)


@pytest.mark.parametrize("kind", KINDS)
def test_a_space_whose_weight_is_lost_is_closed_for_good_and_learns_nothing(kind):
    net = scattered(network(**KINDS[kind]))
    last = len(net.gates) - 1
    with torch.no_grad():
        for gate in net.gates:
            gate.mul_(0.01)
        net.gates[0][0, 1, 0] = np.log(0.034 / 2)  # a weight just below a tenth of a third: 0.0167...
        net.gates[last][(0, 2, 1) if last == 0 else (2, 0, 1)] = -9.0
    net.advance(FULL / 2)
    assert not any(bool(closed.any()) for closed in net.closed)
    assert net.advance(FULL)
    expected = [np.zeros(gate.shape, bool) for gate in net.gates]
    expected[0][0, 1, 0] = True
    expected[last][(0, 2, 1) if last == 0 else (2, 0, 1)] = True
    for closed, shut in zip(net.closed, expected, strict=True):
        np.testing.assert_array_equal(closed.numpy(), shut)

    with torch.no_grad():
        net.gates[0][0, 1, 0] = 50.0  # it does not come back
    assert not net.advance(FULL + 0.01)
    w = array(net.weights(0))
    assert (w[0, 1, 0] == 0).all()
    np.testing.assert_allclose(w.sum(2), 1, rtol=1e-6)
    net(torch.randn(20, P, generator=torch.Generator().manual_seed(0))).square().sum().backward()
    for gate, shut in zip(net.gates, expected, strict=True):
        assert not gate.grad.numpy()[shut].any() and (gate.grad.numpy()[~shut] != 0).mean() > 0.5
        assert np.isfinite(gate.grad.numpy()).all()
    of_space = (INPUTS == 0) & (OWNERS == 0)
    slope = net.theta.grad.numpy()
    assert not slope[of_space, 1].any() and slope[~of_space, 1].all() and slope[of_space, 0].all()


@pytest.mark.parametrize("weight, closes", [(0.1 / 3 - 1e-4, True), (0.1 / 3 + 1e-4, False)])
def test_lost_is_a_tenth_of_an_equal_share(weight, closes):
    net = network()
    with torch.no_grad():
        net.gates[0][1, 0, 2] = np.log(2 * weight / (1 - weight))
    net.advance(FULL)
    assert bool(net.closed[0][1, 0, 2]) == closes and int(net.closed[0].sum()) == closes


@pytest.mark.parametrize("before", [FULL / 2, (FULL + SELECTIVE) / 2])
@pytest.mark.parametrize("kind", KINDS)
def test_in_the_end_every_node_has_its_heaviest_space_alone(kind, before):
    net = scattered(network(**KINDS[kind]))
    with torch.no_grad():
        net.gates[0][0, 0, 2] = -30.0
    net.advance(FULL if before > FULL else 0.0)
    net.advance(before)
    if before > FULL:
        with torch.no_grad():
            net.gates[0][0, 0, 2] = 30.0  # heaviest, but it was closed
    weights = [array(net.weights(layer)) for layer in range(len(net.gates))]
    assert net.advance(0.7) and net.stage == 3 and net.temperature == 1.0
    assert is_pruned(net)
    for layer, w in enumerate(weights):
        np.testing.assert_array_equal(array(net.weights(layer)).argmax(2), w.argmax(2))
        own = net.chosen()[layer]
        assert own.shape == (w.shape[:2] if not net.per_edge else (*w.shape[:2], w.shape[3]))
        np.testing.assert_array_equal(own.reshape(w.argmax(2).shape), w.argmax(2))
    assert not (net.chosen()[0][0, 0] == 2).any()
    scattered(net, seed=5)  # whatever the logits do now
    assert not net.advance(0.8) and not net.advance(1.0) and is_pruned(net)
    for layer, w in enumerate(weights):
        np.testing.assert_array_equal(array(net.weights(layer)).argmax(2), w.argmax(2))


@pytest.mark.parametrize("kind", KINDS)
def test_pruning_spaces_of_no_weight_changes_no_function(kind):
    net, X = scattered(network(n_outputs=2, **KINDS[kind])).double(), torch.randn(50, P).double()
    with torch.no_grad():
        for gate in net.gates:
            gate[:, :, 1] += 40.0
    before = net(X).detach()
    net.advance(FULL / 2)
    assert torch.equal(net(X), before)
    assert net.advance(0.9) and is_pruned(net)
    np.testing.assert_allclose(net(X).detach().numpy(), before.numpy(), rtol=1e-6, atol=1e-6)


def test_pruning_spaces_without_curves_changes_no_function():
    net, X = scattered(network()).double(), torch.randn(50, P).double()
    with torch.no_grad():
        net.theta[OWNERS >= 0] = 0.0  # lines are left
    before = net(X).detach()
    net.advance(1.0)
    np.testing.assert_allclose(net(X).detach().numpy(), before.numpy(), rtol=0, atol=1e-12)


def test_the_space_that_stays_draws_what_all_drew_as_nearly_as_it_can():
    """Least squares over the rows, for the lines and levels that all spaces share, too."""
    rows = np.random.default_rng(0).normal(size=(200, P)) @ np.random.default_rng(1).normal(size=(P, P))
    columns = [rows[:, j == INPUTS] for j in range(3)]
    net = scattered(network(2, grams=[c.T @ c / 200 for c in columns])).double()
    drawn = [np.einsum("rk,kmh->rmh", c, array(net.edges())[j == INPUTS]) for j, c in enumerate(columns)]
    net.advance(1.0)
    edges, chosen = array(net.edges()), net.chosen()[0]
    for j, c in enumerate(columns):
        for m in range(2):
            kept = np.isin(OWNERS[j == INPUTS], [-1, chosen[j, m]])
            nearest = c[:, kept] @ np.linalg.lstsq(c[:, kept], drawn[j][:, m], rcond=None)[0]
            np.testing.assert_allclose(c @ edges[j == INPUTS, m], nearest, rtol=1e-4, atol=1e-4 * np.abs(nearest).max())
            assert not edges[j == INPUTS, m][~kept].any()
    assert all(np.abs(d).max() > 0.1 for d in drawn)


def test_a_hidden_node_that_chooses_keeps_its_curves_as_nearly_as_it_can():
    basis = Clipped(POOL)
    net = scattered(network(2, hidden=(3, 2), basis=basis)).double()
    u = np.linspace(-2.999, 2.999, 2001)
    phi = basis.evaluate(u / np.sqrt(1 - (u / 3) ** 2))
    owner = np.concatenate([[-1], POOL_OWNER])
    before = [array(net.curves(layer)).reshape(2, len(owner), width, -1) for layer, width in enumerate((3, 2))]
    net.advance(1.0)
    for layer, (c, chosen) in enumerate(zip(before, net.chosen()[1:], strict=True)):
        after = array(net.curves(layer)).reshape(c.shape)
        for m, node in np.ndindex(chosen.shape):
            kept = np.isin(owner, [-1, chosen[m, node]])
            drawn, now = phi @ c[m, :, node], phi @ after[m, :, node]
            nearest = phi[:, kept] @ np.linalg.lstsq(phi[:, kept], drawn, rcond=None)[0]
            assert np.abs(now - nearest).max() < 0.03 * np.abs(drawn).max()
            assert not after[m, ~kept, node].any()


def test_members_of_one_space_have_it_from_the_start():
    for kind in KINDS.values():
        net = scattered(network(only=[None, 2, None, 0], **kind))
        assert net.choosing.tolist() == [True, False, True, False]
        for layer in range(len(net.gates)):
            w = np.moveaxis(array(net.weights(layer)), 1 if layer == 0 else 0, 0)
            assert (w[1, :, 2] == 1).all() and (w[3, :, 0] == 1).all() and (w[[0, 2]] > 0).all()
        net.advance(0.0)
        net.select([2, 1])
        net.advance(0.01)
        for layer in range(len(net.gates)):  # the path is that of the members that choose
            w = np.moveaxis(array(net.weights(layer)), 1 if layer == 0 else 0, 0).mean(3)
            np.testing.assert_allclose(net.path[1][1 + layer], w[0], rtol=1e-6)
        net.select([1])
        net.advance(1.0)
        assert is_pruned(net) and all((chosen == 2).all() for chosen in net.chosen())


# ----------------------------------------------------------------------------------------------------- what is kept


def test_the_best_state_is_one_of_the_last_stage():
    """Noise: every epoch of training makes it worse, and the earlier stages would win."""
    noise, seen = np.random.default_rng(3).normal(size=N), []
    net, trained, data = run(noise, learning_rate=0.2, callback=lambda progress: seen.append(progress.losses) and None)
    seen = np.array(seen)
    assert (seen[:SECOND].min(0) < seen[SECOND:].min(0)).all()
    # The state that pruning left counts, too.
    assert (trained.best_epoch >= SECOND).all() and (trained.losses <= seen[SECOND:].min(0) + 1e-6).all()
    assert (trained.losses > seen[:SECOND].min(0)).all()
    assert is_pruned(net)
    np.testing.assert_allclose(held_out_losses(net, data, Gaussian()), trained.losses, rtol=1e-5)


def stop_at(epoch):
    return {"callback": lambda progress: progress.epoch == epoch}


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize(
    "how, epochs", [({"max_time": 1e-9}, 1), (stop_at(3), 3), (stop_at(6), 6), (stop_at(EPOCHS), EPOCHS)]
)
def test_training_that_is_stopped_ends_pruned_and_in_numbers(how, epochs, held):
    net, trained, data = run(held=held, **how)
    assert trained.n_epochs == epochs and net.stage == 3 and is_pruned(net)
    with torch.no_grad():
        assert torch.isfinite(net(data.X)).all()
    progress = [entry[0] for entry in net.path]
    np.testing.assert_allclose(progress, [*(e / EPOCHS for e in range(epochs)), 1.0])
    assert set(np.unique(net.path[-1][1] * 4 % 1)) == {0.0}  # of one choice each, averaged over four members
    if held:
        np.testing.assert_allclose(held_out_losses(net, data, Gaussian()), trained.losses, rtol=1e-5)
        assert (trained.best_epoch == epochs).all() or epochs == EPOCHS
    assert not torch.equal(net.theta, network().theta)


def test_patience_counts_in_the_last_stage_only():
    noise = np.random.default_rng(3).normal(size=N)
    net, trained, _ = run(noise, learning_rate=0.3, patience=2, epochs=100)
    assert 30 + 2 <= trained.n_epochs < 100 and net.stage == 3 and is_pruned(net)
    assert trained.best_epoch.max() >= 30
    assert len(net.path) == trained.n_epochs + 1 and net.path[-1][0] == 1.0


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("rate", [1e6, 1e30])
def test_what_diverges_is_never_kept(rate, held):
    for likelihood, y in ((Poisson(), np.round(np.exp(signal()))), (Gaussian(), signal())):
        net, trained, data = run(y, likelihood, held=held, learning_rate=rate)
        with torch.no_grad():
            assert torch.isfinite(net(data.X)).all() and all(bool(torch.isfinite(p).all()) for p in net.parameters())
        assert is_pruned(net) and not np.isinf(trained.losses).any()
        if held:  # what was said of held-out rows is what the network says, or nothing at all
            lost = ~np.isfinite(trained.losses)
            assert np.isnan(trained.held_out[lost]).all() and np.isfinite(trained.held_out[~lost]).all()
            with torch.no_grad():
                assert not net(data.X).reshape(2, 2, N)[:, lost].any()


def test_a_setting_that_diverges_midway_says_nothing():
    """Its best state is from a stage whose weights are no more: nobody knows what it would say pruned."""
    net = network()

    def callback(progress):
        if progress.epoch == FIRST:
            with torch.no_grad():
                net.theta[:, 0::2] = torch.nan  # the first setting of each fold

    _, trained, data = run(net=net, callback=callback)
    with torch.no_grad():
        out = array(net(data.X)).reshape(2, 2, N)
    assert not out[:, 0].any() and out[:, 1].all()
    assert np.isnan(trained.losses[0]) and np.isnan(trained.held_out[0]).all()
    assert np.isfinite(trained.losses[1]) and np.isfinite(trained.held_out[1]).all()
    assert is_pruned(net) and all(bool(torch.isfinite(p).all()) for p in net.parameters())


def test_settings_that_are_given_up_leave_the_others_alone():
    asked = []

    def select(eta):
        asked.append(tuple(eta.shape))
        return [1]

    alone, trained, _ = run(select=select, selection=FULL)
    both, whole, _ = run()
    assert asked == [(2, N, 1)] and alone.n_members == 2 and both.n_members == 4
    assert trained.settings.tolist() == [1] and alone.gates[0].shape[1] == 2
    for (mine, axis), (other, _) in zip(alone.axes(), both.axes(), strict=True):
        np.testing.assert_allclose(array(mine), array(other).take([1, 3], axis), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(alone.chosen()[0], both.chosen()[0][:, [1, 3]])
    np.testing.assert_allclose(trained.losses[1], whole.losses[1], rtol=1e-4)
    assert len(alone.path) == len(both.path) == EPOCHS + 1
    for e, (mine, other) in enumerate(zip(alone.path, both.path, strict=True)):
        assert mine[0] == other[0] and np.allclose(mine[1], other[1], rtol=1e-5) == (e < FIRST)


def test_selected_members_keep_their_closed_spaces():
    net = scattered(network(hidden=(3, 2), basis=Clipped(POOL)))
    net.advance(FULL)
    net.advance(0.99 * SELECTIVE)
    weights = [array(net.weights(layer)) for layer in range(3)]
    net.select([3, 0])
    np.testing.assert_array_equal(array(net.weights(0)), weights[0][:, [3, 0]])
    for layer in (1, 2):
        np.testing.assert_array_equal(array(net.weights(layer)), weights[layer][[3, 0]])


@pytest.mark.parametrize("kind", KINDS)
def test_the_path_has_an_entry_for_every_epoch_and_one_for_the_end(kind):
    net, _, _ = run(net=network(**KINDS[kind]))
    np.testing.assert_allclose([entry[0] for entry in net.path], np.arange(EPOCHS + 1) / EPOCHS)
    for layer in range(len(net.gates)):
        path = np.stack([entry[1 + layer] for entry in net.path])
        width = 3 if layer == 0 else net.gates[layer].shape[1]
        assert path.shape == (EPOCHS + 1, width, S)
        np.testing.assert_allclose(path.sum(2), 1, rtol=1e-5)
        np.testing.assert_allclose(path[0], 1 / 3, rtol=1e-6)
        last = array(net.weights(layer)).mean(3).mean(1 if layer == 0 else 0)
        np.testing.assert_allclose(path[-1], last, rtol=1e-6, atol=1e-7)
        np.testing.assert_array_equal(path[SECOND:], np.broadcast_to(path[SECOND], path[SECOND:].shape))
    # Only what has curves learns weights.
    path = np.stack([entry[1] for entry in net.path])
    np.testing.assert_allclose(path[:SECOND, 2], 1 / 3, rtol=1e-6)
    assert (np.abs(path[SECOND - 1, :2] - 1 / 3) > 1e-3).any()


def test_the_seed_decides_bit_by_bit():
    once, again = (run()[0] for _ in range(2))
    other = run(net=network(seed=1))[0]
    assert all(torch.equal(a, b) for a, b in zip(once.state(), again.state(), strict=True))
    assert all((a[1] == b[1]).all() for a, b in zip(once.path, again.path, strict=True))
    assert not torch.equal(once.gates[0], other.gates[0])


# --------------------------------------------------------------------------------------------------- the hand-over


@pytest.mark.parametrize("choose", ["inputs", "nodes", "edges"])
def test_the_fitted_network_is_the_trained_one(choose, monkeypatch):
    caught, own = {}, fit.train

    def spy(network, data, *args, **kwargs):
        caught.update(network=network, X=data.X)
        return own(network, data, *args, **kwargs)

    monkeypatch.setattr(fit, "train", spy)
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=80), "b": rng.uniform(size=80), "c": rng.choice(list("xyz"), 80)})
    X.loc[::9, "a"] = np.nan
    y = np.where(X["c"] == "x", 1.0, 0.0) + np.sin(6 * X["b"])
    settings = {"hidden_layer_sizes": ((3, 1), 3), "max_iter": 5, "n_estimators": 2, "random_state": 0}
    # Without held-out rows every member counts.
    model = SKANRegressor(choose=choose, spaces=("bspline", "cosine", "wavelet"), early_stopping=False, **settings)
    model.fit(X, y)
    net, fitted = caught["network"], model.network_
    Z = fitted.columns(model._encode(X))
    np.testing.assert_allclose(Z, array(caught["X"]), atol=1e-5)
    said = fitted.member_outputs(Z @ fitted._first + fitted.bias.ravel())
    trained = net.double()(torch.tensor(Z)).detach().numpy()
    assert said.shape == trained.shape == (net.n_members, 80, 1) and is_pruned(net)
    np.testing.assert_allclose(said, trained, rtol=1e-6, atol=1e-6)
    # Coefficients of the spaces that were not chosen are zero.
    chosen = net.chosen()[0]
    for j, place in enumerate(fitted.column_slices[:2]):
        owner = net.owners.numpy()[place]
        c = fitted._first[place].reshape(len(owner), net.n_members, -1)
        for m, h in np.ndindex(*c.shape[1:]):
            kept = chosen[j, m, h] if choose == "edges" else chosen[j, m]
            assert not c[(owner >= 0) & (owner != kept), m, h].any() and c[owner == kept, m, h].all()


def test_sparsity_takes_whole_edges_off():
    data, net = data_of(signal()), network()
    schedule, generator = Schedule(epochs=EPOCHS, batch_size=30, learning_rate=0.05), torch.Generator().manual_seed(0)
    train(net, data, Gaussian(), DECAY, schedule, generator, EdgeSparsity(0.3, [5, 3, 1], torch.device("cpu")))
    assert is_pruned(net)
    zero = array(net.theta) == 0
    for j, m in np.ndindex(3, net.n_members):
        own = zero[(j == INPUTS) & np.isin(OWNERS, [-1, net.chosen()[0][j, m]]), m]
        np.testing.assert_array_equal(own.any(0), own.all(0))
    assert 0.05 < zero.mean() < 0.95
