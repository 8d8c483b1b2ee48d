"""Full-batch fits: they descend, arrive where long training arrives, and keep only finite states."""

import time
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from kan_tabular.bases import NodeSpline
from kan_tabular.likelihoods import Bernoulli, Gaussian, Multinomial
from kan_tabular.training.lbfgs import fit_full_batch, train_full_batch
from kan_tabular.training.network import MemberNetwork
from kan_tabular.training.trainer import Schedule, TrainingData


def problem(likelihood, members=1, n=60, held_out=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(n, 3, generator=generator)
    score = torch.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.5 * torch.randn(n, generator=generator)
    y = {"squared_error": score, "log_loss": (score > 0).float(), "multinomial": (score > 0).float() + (score > 1)}
    folds = len(held_out) if held_out is not None else 1
    data = TrainingData(
        X=X,
        y=y[likelihood.name],
        weights=torch.ones(n),
        known=torch.zeros(n, 1),
        offsets=torch.zeros(folds, 0, likelihood.n_outputs),
        base=torch.zeros(likelihood.n_outputs),
        additive=torch.zeros(members // folds),
        held_out=held_out,
    )
    network = MemberNetwork(np.ones((members, 3)), (4,), likelihood.n_outputs, NodeSpline(2), generator)
    return network, data


def objective(network, data, likelihood, decay):
    """Sum over members of mean loss and ridge, plainly."""
    total = 0.0
    for eta in network(data.X).detach():
        total += -likelihood.value(eta.double() + data.base, data.y.double(), data.weights.double()) / len(data.X)
    return total + 0.5 * decay * sum(float(p.detach().double().square().sum()) for p, _ in network.decayed())


@pytest.mark.parametrize("likelihood", [Gaussian(), Bernoulli(), Multinomial(3)], ids=lambda like: like.name)
def test_more_iterations_never_end_higher(likelihood):
    values = []
    for steps in (1, 2, 4, 8, 16, 32):
        network, data = problem(likelihood)
        before = objective(network, data, likelihood, 1e-3)
        loss, _ = fit_full_batch(network, data, likelihood, 1e-3, steps)
        values.append(objective(network, data, likelihood, 1e-3))
        assert values[-1] < before
        assert loss == pytest.approx(objective(network, data, likelihood, 0.0), abs=1e-6)
    assert (np.diff(values) <= 1e-7).all() and values[-1] < 0.7 * values[0]


def test_it_arrives_where_adam_arrives():
    """A strong ridge leaves one optimum near the start; Adam in double precision finds it in many small steps."""
    likelihood, decay = Bernoulli(), 0.05
    network, data = problem(likelihood)
    fit_full_batch(network, data, likelihood, decay, 500, tol=1e-12)
    found = objective(network, data, likelihood, decay)

    other, data = problem(likelihood)
    other = other.double()
    optimiser = torch.optim.Adam(other.parameters(), lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 3000)
    shrunk = [p for p, _ in other.decayed()]
    for _ in range(3000):
        optimiser.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(other(data.X.double())[0, :, 0], data.y.double())
        (loss + 0.5 * decay * sum(p.square().sum() for p in shrunk)).backward()
        optimiser.step()
        schedule.step()
    assert found == pytest.approx(objective(other.float(), data, likelihood, decay), abs=2e-5)


def test_members_are_fitted_each_on_its_own_rows():
    """Two folds at once end as good as each alone on the rows it sees."""
    likelihood, decay = Bernoulli(), 0.05
    folds = [torch.arange(0, 30), torch.arange(30, 60)]
    network, data = problem(likelihood, members=2, held_out=folds)
    fit_full_batch(network, data, likelihood, decay, 500, tol=1e-12)
    eta = network(data.X).detach()
    for member, rows in enumerate(folds):
        seen = np.setdiff1d(np.arange(60), rows)
        loss = -likelihood.value(eta[member, seen].double(), data.y[seen].double(), torch.ones(30).double()) / 30
        alone, part = problem(likelihood)
        with torch.no_grad():
            for (p, axis), (q, _) in zip(alone.axes(), problem(likelihood, members=2)[0].axes(), strict=True):
                p.copy_(q.narrow(axis, member, 1))
        for name in ("X", "y", "weights", "known"):
            setattr(part, name, getattr(part, name)[seen])
        expected, _ = fit_full_batch(alone, part, likelihood, decay, 500, tol=1e-12)
        assert loss == pytest.approx(expected, abs=2e-3)


def test_the_target_ends_the_fit():
    likelihood = Bernoulli()
    network, data = problem(likelihood)
    loss, n = fit_full_batch(network, data, likelihood, target=0.3)
    assert loss <= 0.3 and loss == pytest.approx(objective(network, data, likelihood, 0.0), abs=1e-6)
    again, data = problem(likelihood)
    assert fit_full_batch(again, data, likelihood)[1] > n


class Poisoned(Bernoulli):
    """Not a number from the fourth evaluation on."""

    calls = 0

    def value(self, eta, y, weights):
        self.calls += 1
        return float("nan") if self.calls > 3 else super().value(eta, y, weights)


def test_a_state_that_is_not_finite_is_never_kept():
    network, data = problem(Bernoulli())
    before = objective(network, data, Bernoulli(), 0.0)
    loss, _ = fit_full_batch(network, data, Poisoned())
    assert all(torch.isfinite(p).all() for p in network.parameters())
    assert loss == pytest.approx(objective(network, data, Bernoulli(), 0.0), abs=1e-6) and loss <= before


def test_global_random_state_is_left_alone():
    torch.manual_seed(3)
    np.random.seed(3)
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    network, data = problem(Bernoulli())
    fit_full_batch(network, data, Bernoulli(), 1e-3, 5)
    assert torch.equal(torch.get_rng_state(), torch_before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)


# ------------------------------------------------------------------------------------- members, each left a fold out

FOLDS = [torch.arange(f, 60, 3) for f in range(3)]
RIDGES = np.array([1e-4, 0.03])


def members_of(likelihood, held=True):
    """Two settings, the second of which begins at an offset, for three folds."""
    network, data = problem(likelihood, members=6, held_out=FOLDS)
    generator = torch.Generator().manual_seed(7)
    offsets = 0.3 * torch.randn(3, 60, likelihood.n_outputs, generator=generator)
    additive = torch.tensor([0.0, 1.0])
    return network, replace(data, offsets=offsets, additive=additive, held_out=FOLDS if held else None)


def after(network, data, likelihood, m, iterations):
    """Outputs (n, C) of member `m` for the rows after some iterations from the start, with what it begins at."""
    f, s = divmod(m, 2)
    own = deepcopy(network)
    own.select([m])
    weights = data.weights.clone()
    if data.held_out is not None:
        weights[data.held_out[f]] = 0.0  # the same as not to see these rows
    start = data.offsets[f] if s else data.base.expand(60, -1)
    alone = replace(data, weights=weights, offsets=start[None], additive=torch.ones(1), held_out=None)
    if iterations:
        fit_full_batch(own, alone, likelihood, RIDGES[s], iterations)
    with torch.no_grad():
        return (own(data.X)[0] + start).double().numpy()


@pytest.mark.parametrize(
    "likelihood, iterations",
    [(Gaussian(), 15), (Bernoulli(), 15), (Multinomial(3), 15), (Bernoulli(), 55)],
    ids=lambda v: getattr(v, "name", str(v)),
)
def test_each_setting_gets_the_number_of_iterations_that_is_best_over_all_folds(likelihood, iterations):
    """From its definition: every number of iterations is a fit of its own from the start."""
    network, data = members_of(likelihood)
    start = deepcopy(network)
    trained = train_full_batch(network, data, likelihood, RIDGES, Schedule(iterations, 1, 0.1))
    step = 1 if iterations == 15 else 2  # at most about 25 looks
    y = data.y.double().numpy()
    numbers = [*range(0, iterations, step), iterations]
    said = {k: [after(start, data, likelihood, m, k) for m in range(6)] for k in numbers}
    with torch.no_grad():
        outputs = network(data.X).double().numpy()
    for s in range(2):
        losses, held_out = [], {}
        for k in numbers:
            held_out[k] = np.empty((60, likelihood.n_outputs))
            for f, rows in enumerate(FOLDS):
                held_out[k][rows] = said[k][2 * f + s][rows]
            losses.append(-likelihood.value(held_out[k], y, np.ones(60)) / 60)
        best = numbers[int(np.argmin(losses))]
        assert trained.losses[s] == pytest.approx(min(losses), rel=1e-5)
        assert abs(trained.best_epoch[s] - best) < step
        np.testing.assert_allclose(trained.held_out[s], held_out[best], rtol=1e-4, atol=1e-4)
        for f in range(3):  # the network is left in these states
            begun = (data.offsets[f] if s else data.base.expand(60, -1)).double().numpy()
            np.testing.assert_allclose(begun + outputs[2 * f + s], said[best][2 * f + s], rtol=1e-4, atol=1e-4)
    assert trained.best_epoch.min() > 0 and trained.best_epoch[0] < iterations - step  # there was something to choose
    np.testing.assert_array_equal(trained.settings, [0, 1])
    assert trained.n_epochs == iterations


def test_without_held_out_rows_every_member_goes_to_the_end():
    network, data = members_of(Gaussian(), held=False)
    start = deepcopy(network)
    trained = train_full_batch(network, data, Gaussian(), RIDGES, Schedule(51, 1, 0.1))  # a look every other iteration
    assert np.isnan(trained.losses).all() and trained.held_out is None
    with torch.no_grad():
        said = network(data.X)
    for m in range(6):
        begun = data.offsets[m // 2] if m % 2 else data.base
        np.testing.assert_allclose(said[m] + begun, after(start, data, Gaussian(), m, 51), rtol=1e-4, atol=1e-4)


def test_a_callback_sees_every_member_and_may_stop():
    network, data = members_of(Gaussian())
    start, seen = deepcopy(network), []

    def callback(progress):
        seen.append((progress.epoch, progress.epochs))
        return progress.epoch == 3

    trained = train_full_batch(network, data, Gaussian(), RIDGES, Schedule(5, 1, 0.1), callback)
    assert seen == [(1, 6), (2, 6), (3, 6)] and np.isfinite(trained.losses).all()
    with torch.no_grad():
        same = [torch.equal(a, b) for a, b in zip(network(data.X), start(data.X), strict=True)]
    assert same[3:] == [True] * 3 and not same[0] and not same[2]


def test_time_runs_out():
    network, data = members_of(Gaussian())
    began = time.perf_counter()
    trained = train_full_batch(network, data, Gaussian(), RIDGES, Schedule(10**6, 1, 0.1, max_time=0.2))
    assert time.perf_counter() - began < 5 and trained.n_epochs < 10**6 and np.isfinite(trained.losses).all()
    network, data = members_of(Gaussian(), held=False)
    before = network.state()
    trained = train_full_batch(network, data, Gaussian(), RIDGES, Schedule(10, 1, 0.1, max_time=1e-9))
    assert trained.n_epochs <= 1
    for (parameter, axis), saved in zip(network.axes(), before, strict=True):  # nothing of the later members moved
        assert torch.equal(parameter.narrow(axis, 1, 5), saved.narrow(axis, 1, 5))
