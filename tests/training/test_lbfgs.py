"""Full-batch fits: they descend, arrive where long training arrives, and keep only finite states."""

import numpy as np
import pytest
import torch

from kan_tabular.bases import NodeSpline
from kan_tabular.likelihoods import Bernoulli, Gaussian, Multinomial
from kan_tabular.training.lbfgs import fit_full_batch
from kan_tabular.training.network import MemberNetwork
from kan_tabular.training.trainer import TrainingData


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
