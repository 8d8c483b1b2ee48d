"""Training: who sees which rows, which state is kept, when it stops, and that it leaves no traces."""

import dataclasses
import time

import numpy as np
import pytest
import torch

from kan_tabular.bases import NodeSpline
from kan_tabular.likelihoods import Bernoulli, Gaussian, Multinomial, Poisson
from kan_tabular.training.network import MemberNetwork
from kan_tabular.training.sparsity import EdgeSparsity
from kan_tabular.training.trainer import Schedule, TrainingData, limited_threads, train

N, P = 90, 5
DECAY = np.array([0.01, 0.5])


def data_of(y, folds=3, held=True, C=1, weights=None):
    """Random columns; member f does not see rows f, f + folds, ...; its second setting begins at an offset."""
    rng = np.random.default_rng(0)
    held_out = [torch.as_tensor(np.arange(f, N, folds)) for f in range(folds)] if held else None
    return TrainingData(
        X=torch.tensor(rng.normal(size=(N, P)), dtype=torch.float32),
        y=torch.tensor(y, dtype=torch.float32),
        weights=torch.ones(N) if weights is None else torch.tensor(weights, dtype=torch.float32),
        known=torch.zeros(N, 1),
        offsets=torch.tensor(0.3 * rng.normal(size=(folds, N, C)), dtype=torch.float32),
        base=torch.full((C,), 0.2),
        additive=torch.tensor([0.0, 1.0]),
        held_out=held_out,
    )


def signal(noise=0.5, seed=1):
    X = np.random.default_rng(0).normal(size=(N, P))
    return X[:, 0] * X[:, 1] + noise * np.random.default_rng(seed).normal(size=N)


def fresh(data, seed=0, hidden=(4,)):
    members = data.n_folds * len(DECAY)
    return MemberNetwork(
        np.ones((members, P)), hidden, len(data.base), NodeSpline(3), torch.Generator().manual_seed(seed)
    )


def run(
    data,
    likelihood=None,
    schedule=None,
    callback=None,
    seed=0,
    net=None,
    sparsity=0.0,
    select=None,
    keep_start=False,
    **changes,
):
    schedule = schedule or Schedule(epochs=6, batch_size=16, learning_rate=0.05)
    schedule = dataclasses.replace(schedule, **changes)
    net = net or fresh(data, seed)
    penalty = EdgeSparsity(sparsity, [P], torch.device("cpu"))
    generator = torch.Generator().manual_seed(seed)
    trained = train(
        net, data, likelihood or Gaussian(), DECAY, schedule, generator, penalty, callback, select, keep_start
    )
    return net, trained


def of_member(net, m):
    return [p.detach().select(axis, m).numpy() for p, axis in net.axes()]


def held_out_losses(net, data, likelihood):
    """Mean negative log-likelihood of each setting on the rows that its members did not see, from the definition."""
    S = len(DECAY)
    eta = np.full((S, N, len(data.base)), np.nan)
    with torch.no_grad():
        out = net(data.X).double().numpy()
    base, offsets = data.base.double().numpy(), data.offsets.double().numpy()
    for f, rows in enumerate(data.held_out):
        for s in range(S):
            start = offsets[f] if data.additive[s] else base
            eta[s, rows] = (start + out[f * S + s])[rows]
    y, w = data.y.double().numpy(), data.weights.double().numpy()
    return eta, np.array([-likelihood.value(eta[s], y, w) / w.sum() for s in range(S)])


# ------------------------------------------------------------------------------------------------- held-out rows


def test_held_out_rows_do_not_influence_their_members():
    y = signal()
    other = y.copy()
    other[0::3] += 5.0  # the rows that fold 0 leaves out
    # One epoch: a look at the held-out loss has nothing to choose from.
    net, _ = run(data_of(y), epochs=1)
    changed, _ = run(data_of(other), epochs=1)
    for m in range(2):
        for a, b in zip(of_member(net, m), of_member(changed, m), strict=True):
            np.testing.assert_array_equal(a, b)
    for m in range(2, 6):
        assert any((a != b).any() for a, b in zip(of_member(net, m), of_member(changed, m), strict=True))
    start = fresh(data_of(y))
    assert any((a != b).any() for a, b in zip(of_member(net, 0), of_member(start, 0), strict=True))


def test_without_held_out_rows_every_member_learns_from_every_row():
    y = signal()
    other = y.copy()
    other[0::3] += 5.0
    (net, trained), (changed, _) = (run(data_of(v, held=False), epochs=1) for v in (y, other))
    assert trained.held_out is None and np.isnan(trained.losses).all()
    for m in range(6):
        assert any((a != b).any() for a, b in zip(of_member(net, m), of_member(changed, m), strict=True))


@pytest.mark.parametrize(
    "likelihood, C",
    [(Gaussian(), 1), (Bernoulli(), 1), (Poisson(), 1), (Multinomial(3), 2)],
    ids=lambda v: getattr(v, "name", str(v)),
)
def test_the_best_state_of_each_setting_is_kept(likelihood, C):
    y = signal(2.0)
    y = {
        "squared_error": y,
        "log_loss": (y > 0) * 1.0,
        "poisson": np.round(np.abs(y)),
        "multinomial": np.digitize(y, [-1.0, 1.0]) * 1.0,
    }[likelihood.name]
    weights = np.random.default_rng(2).integers(1, 4, N).astype(float)
    data, seen = data_of(y, C=C, weights=weights), []
    net, trained = run(
        data, likelihood, epochs=20, learning_rate=0.3, callback=lambda progress: seen.append(progress.losses) and None
    )
    seen = np.array(seen)
    assert seen.shape == (20, 2) and trained.n_epochs == 20
    np.testing.assert_allclose(trained.losses, seen.min(0))
    np.testing.assert_array_equal(trained.best_epoch, seen.argmin(0) + 1)
    assert (trained.best_epoch < 20).all()  # noise is overfitted: otherwise there would be nothing to choose
    eta, losses = held_out_losses(net, data, likelihood)
    np.testing.assert_allclose(losses, trained.losses, rtol=1e-5)
    np.testing.assert_allclose(trained.held_out, eta, rtol=1e-4, atol=1e-5)


def test_the_start_is_the_constant_or_the_offset():
    """The last layer starts at zero; one step of no length leaves it there."""
    data = data_of(signal())
    _, trained = run(data, epochs=1, learning_rate=1e-12)
    for f, rows in enumerate(data.held_out):
        np.testing.assert_allclose(trained.held_out[0][rows], 0.2, atol=1e-6)
        np.testing.assert_allclose(trained.held_out[1][rows], data.offsets[f][rows], atol=1e-6)


def test_training_learns_what_members_share():
    data = data_of(signal(0.1))
    net, trained = run(data, epochs=60, learning_rate=0.05)
    _, before = held_out_losses(fresh(data), data, Gaussian())
    assert (trained.losses < 0.8 * before).all()
    assert not np.allclose(*(of_member(net, m)[0] for m in (0, 2)))


# --------------------------------------------------------------------------------------------- what must not happen


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("likelihood", [Gaussian(), Bernoulli(), Poisson()], ids=lambda v: v.name)
def test_an_absurd_learning_rate_never_leaves_anything_but_numbers(likelihood, held):
    y = signal()
    y = {"squared_error": y, "log_loss": (y > 0) * 1.0, "poisson": np.round(np.exp(y))}[likelihood.name]
    net, trained = run(data_of(y, held=held), likelihood, learning_rate=1e6)
    assert all(bool(torch.isfinite(p).all()) for p in net.parameters())
    assert not np.isinf(trained.losses).any()
    with torch.no_grad():
        assert torch.isfinite(net(data_of(y).X)).all()


def test_numbers_that_overflow_are_never_kept():
    """A response that single precision cannot square: every look is infinite, and the start remains."""
    data = data_of(1e30 * signal())
    net, trained = run(data)
    for a, b in zip(net.state(), fresh(data).state(), strict=True):
        assert torch.equal(a, b)
    assert np.isnan(trained.losses).all() and np.isnan(trained.held_out).all()


# ---------------------------------------------------------------------------------------------------- when it stops


def test_time_runs_out():
    began = time.perf_counter()
    _, trained = run(data_of(signal()), epochs=10_000, max_time=0.2)
    assert 1 <= trained.n_epochs < 10_000 and time.perf_counter() - began < 10
    assert np.isfinite(trained.losses).all()
    _, trained = run(data_of(signal()), epochs=10_000, max_time=1e-9)
    assert trained.n_epochs == 1 and np.isfinite(trained.losses).all()


def test_patience_runs_out_and_only_counts_held_out_losses():
    noise = np.random.default_rng(3).normal(size=N)
    _, trained = run(data_of(noise), epochs=300, learning_rate=0.3, patience=20)
    assert trained.best_epoch.max() + 20 <= trained.n_epochs < 150
    _, trained = run(data_of(noise, held=False), epochs=30, learning_rate=0.3, patience=2)
    assert trained.n_epochs == 30
    _, trained = run(data_of(noise), epochs=60, learning_rate=0.3, patience=None)
    assert trained.n_epochs == 60


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("epochs", [10, 500])
def test_a_callback_sees_every_epoch_and_may_stop(epochs, held):
    """Also where the held-out loss is not looked at every epoch: what was learnt until then is kept."""
    seen = []

    def callback(progress):
        seen.append(progress.epoch)
        assert progress.epochs == epochs
        return progress.epoch == 3

    data = data_of(signal(), held=held)
    net, trained = run(data, epochs=epochs, callback=callback)
    assert seen == [1, 2, 3] and trained.n_epochs == 3
    assert (trained.best_epoch > 0).all() and np.isfinite(trained.losses).all() == held
    assert not torch.equal(net.state()[0], fresh(data).state()[0])


# -------------------------------------------------------------------------------------------------------- no traces


def test_the_seed_decides_and_global_generators_are_left_alone():
    torch.manual_seed(5)
    np.random.seed(5)
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    once, _ = run(data_of(signal()), seed=1)
    assert torch.equal(torch.get_rng_state(), torch_before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)
    torch.manual_seed(6)
    again, _ = run(data_of(signal()), seed=1)
    other, _ = run(data_of(signal()), seed=2)
    assert all(torch.equal(a, b) for a, b in zip(once.state(), again.state(), strict=True))
    assert not torch.equal(once.state()[0], other.state()[0])


def test_threads_are_limited_for_small_work_and_given_back():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with limited_threads(1.0):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with pytest.raises(KeyError), limited_threads(1.0):
            raise KeyError
        assert torch.get_num_threads() == 2
        with limited_threads(1e15):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_members_do_not_see_each_other():
    """A member's path does not depend on what the others' rows or regularisation are."""
    y = signal()
    data = data_of(y)
    net, _ = run(data, epochs=1)
    alone = dataclasses.replace(data, offsets=data.offsets[:1], held_out=data.held_out[:1])
    first = MemberNetwork(np.ones((2, P)), (4,), 1, NodeSpline(3), torch.Generator().manual_seed(0))
    with torch.no_grad():
        for (small, axis), (large, _) in zip(first.axes(), fresh(data).axes(), strict=True):
            small.copy_(large.narrow(axis, 0, 2))
    single, _ = run(alone, net=first, epochs=1)
    for m in range(2):
        for a, b in zip(of_member(net, m), of_member(single, m), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_stronger_decay_leaves_smaller_edges():
    net, _ = run(data_of(signal(), held=False), epochs=40)
    weak, strong = (np.linalg.norm(of_member(net, m)[0]) for m in (0, 1))
    assert strong < 0.9 * weak


# ------------------------------------------------------------------------------------------------- going on with some

PATHS = {
    "plain": {},
    "sparsity": {"sparsity": 0.3},
    "grids": {"sizes": (3, 6)},
    "sparsity and grids": {"sparsity": 0.3, "sizes": (3, 6, 12)},
}


@pytest.mark.parametrize("kept", [[0], [1], [0, 1]], ids=str)
@pytest.mark.parametrize("path", PATHS)
def test_settings_that_are_given_up_do_not_change_the_path_of_the_others(path, kept):
    settings = {"epochs": 16, "learning_rate": 0.01, **PATHS[path]}
    X = np.random.default_rng(0).normal(size=(N, P))
    data, seen, seen_alone = data_of(X[:, 0] - X[:, 1]), [], []
    net, trained = run(data, callback=lambda progress: seen.append(progress.losses.copy()) and None, **settings)
    alone, rest = run(
        data,
        callback=lambda progress: seen_alone.append(progress.losses.copy()) and None,
        selection=0.25,
        select=lambda eta: kept,
        **settings,
    )
    assert (trained.best_epoch[kept] > 8).all()  # else there would be no path to compare
    tolerance = {"rtol": 2e-3, "atol": 2e-3}  # sums of other sizes are rounded differently
    for f in range(3):
        for own, s in enumerate(kept):
            pairs = zip(of_member(alone, f * len(kept) + own), of_member(net, f * 2 + s), strict=True)
            for a, b in pairs:
                np.testing.assert_allclose(a, b, **tolerance)
    assert alone.n_members == 3 * len(kept) and rest.n_epochs == 16
    np.testing.assert_array_equal(rest.settings, kept)
    np.testing.assert_array_equal(rest.best_epoch, trained.best_epoch[kept])
    np.testing.assert_allclose(rest.held_out, trained.held_out[kept], **tolerance)
    # Losses: of all settings, those given up as good as they had become.
    seen = np.array(seen)
    for s in range(2):
        until = 16 if s in kept else 4
        np.testing.assert_allclose(rest.losses[s], seen[:until, s].min(), rtol=2e-3)
    # A callback sees those of the settings that go on.
    assert [len(losses) for losses in seen_alone] == [2] * 3 + [len(kept)] * 13
    np.testing.assert_allclose(np.array(seen_alone[3:]), seen[3:, kept], rtol=5e-3)


def test_the_choice_is_made_once_on_what_was_best_until_then():
    data, asked = data_of(signal(2.0)), []

    def select(eta):
        asked.append(eta.clone())
        return [1]

    settings = {"epochs": 20, "learning_rate": 0.3}
    run(data, selection=0.5, select=select, **settings)
    _, until = run(data, callback=lambda progress: progress.epoch == 10, **settings)
    assert len(asked) == 1 and (until.best_epoch < 10).any()
    np.testing.assert_allclose(asked[0], until.held_out, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "settings, held",
    [
        ({"callback": lambda progress: progress.epoch == 2}, True),
        ({"max_time": 1e-9}, True),
        ({"patience": 1, "learning_rate": 1e6}, True),
        ({"selection": None}, True),
        ({"selection": 1.0}, True),  # nothing is left to save
        ({}, False),
    ],
    ids=["callback", "time", "patience", "no time for it", "the end", "no held-out rows"],
)
def test_without_a_choice_all_settings_are_trained(settings, held):
    def select(eta):
        raise AssertionError("there is nothing to choose")

    data = data_of(signal(), held=held)
    net, trained = run(data, **{"epochs": 8, "selection": 0.5, "select": select, **settings})
    np.testing.assert_array_equal(trained.settings, [0, 1])
    assert net.n_members == 6 and len(trained.best_epoch) == 2
    assert (trained.held_out is None) == (not held)
    expected = held_out_losses(net, data, Gaussian())[1] if held else np.full(2, np.nan)
    if "learning_rate" not in settings:
        np.testing.assert_allclose(trained.losses, expected, rtol=1e-5)


def test_the_start_is_a_state_to_choose_from_where_it_is_to_be_kept():
    data = data_of(signal())
    start = fresh(data)
    with torch.no_grad():
        start.coefficients[-1].normal_(generator=torch.Generator().manual_seed(5))
    _, losses = held_out_losses(start, data, Gaussian())
    before = start.state()
    net, trained = run(data, net=start, learning_rate=1e6, keep_start=True)
    assert all(torch.equal(a, b) for a, b in zip(net.state(), before, strict=True))
    np.testing.assert_array_equal(trained.best_epoch, 0)
    np.testing.assert_allclose(trained.losses, losses, rtol=1e-5)
    _, better = run(data, epochs=20, keep_start=True)
    assert (better.best_epoch > 0).all()
