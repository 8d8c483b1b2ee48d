"""Networks fitted by L-BFGS: every response, when it stops, what it leaves alone, and what it is for."""

import re
import time

import numpy as np
import pytest
from tables import numeric_table, refused

from kan_tabular import KANRegressor, LogisticKAN

pytestmark = pytest.mark.filterwarnings("error")

N = 90
SHORT = {"solver": "lbfgs", "hidden_layer_sizes": (4,), "max_iter": 20, "n_estimators": 2, "random_state": 0}
MAKE = {
    "regression": lambda **kw: KANRegressor(**{**SHORT, **kw}),
    "two targets": lambda **kw: KANRegressor(**{**SHORT, **kw}),
    "counts": lambda **kw: KANRegressor(loss="poisson", **{**SHORT, **kw}),
    "amounts": lambda **kw: KANRegressor(loss="gamma", **{**SHORT, **kw}),
    "two classes": lambda **kw: LogisticKAN(**{**SHORT, **kw}),
    "three classes": lambda **kw: LogisticKAN(**{**SHORT, **kw}),
}


def table(response, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(N, 3))
    X[::11, 2] = np.nan
    eta = np.sin(3 * X[:, 0]) + X[:, 0] * X[:, 1]
    y = {
        "regression": lambda: 5 + 2 * eta + 0.05 * rng.normal(size=N),
        "two targets": lambda: np.column_stack([eta, 100 - 30 * X[:, 0]]),
        "counts": lambda: rng.poisson(5 * np.exp(eta)),
        "amounts": lambda: rng.gamma(10.0, np.exp(eta) / 10),
        "two classes": lambda: np.where(eta + 0.2 * rng.normal(size=N) > 0.2, "ill", "well"),
        "three classes": lambda: np.digitize(eta + 0.1 * rng.normal(size=N), [-0.4, 0.4]),
    }[response]()
    return X, y


@pytest.mark.parametrize("early_stopping", ["auto", False])
@pytest.mark.parametrize("response", MAKE)
def test_every_response_is_learnt_and_the_seed_decides(response, early_stopping):
    import torch

    X, y = table(response)
    np.random.seed(1)
    torch.manual_seed(1)
    before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()
    once, again, other = (
        MAKE[response](early_stopping=early_stopping, random_state=seed).fit(X, y) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert torch.equal(torch.get_rng_state(), torch_before)
    if response in ("two classes", "three classes"):
        assert once.score(X, y) > 0.85
        said = [m.predict_proba(X) for m in (once, again, other)]
    else:
        said = [m.predict(X) for m in (once, again, other)]
        assert np.corrcoef(said[0].ravel(), np.ravel(y))[0, 1] > 0.8
    np.testing.assert_array_equal(said[0], said[1])
    assert not np.allclose(said[0], said[2], rtol=1e-6)
    networks = [c for c in once.candidates_ if c["candidate"] == "network"]
    losses = np.array([c["held_out_loss"] for c in networks])
    if early_stopping:
        assert np.isfinite(losses).all() and len(set(losses)) == len(losses)
    else:
        assert np.isnan(losses).all()
        np.testing.assert_allclose([c["weight"] for c in networks], 1 / len(networks))
    assert 1 <= once.n_iter_ <= 20


def test_it_fits_a_smooth_relation_without_noise_closer_than_as_many_steps_of_adam_on_all_rows():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(80, 2))
    y = np.exp(np.sin(3 * X[:, 0]) + X[:, 1] ** 2)
    settings = {"n_estimators": 1, "early_stopping": False, "additive_start": False, "hidden_layer_sizes": (5, 3)}
    settings |= {"alpha": 0.0, "smoothness": 1.0, "max_iter": 200, "batch_size": 80, "random_state": 0}
    errors = []
    for solver in ("lbfgs", "adam"):
        model = KANRegressor(solver=solver, **settings).fit(X, y)
        errors.append(np.mean((model.predict(X) - y) ** 2) / y.var())
    assert errors[0] < 1e-4 and errors[0] < errors[1] / 10, errors


def test_iterations_are_counted_and_bounded():
    X, y = table("regression")
    few, many = (MAKE["regression"](max_iter=n, early_stopping=False).fit(X, y) for n in (2, 40))
    assert few.n_iter_ == 2 < many.n_iter_ <= 40
    errors = [np.mean((m.predict(X) - y) ** 2) for m in (few, many)]
    assert errors[1] < 0.5 * errors[0]


def test_time_runs_out():
    X, y = table("regression")
    began = time.perf_counter()
    model = MAKE["regression"](max_iter=10**6, max_time=0.3, alpha=0.0).fit(X, y)
    assert time.perf_counter() - began < 10
    assert model.n_iter_ < 10**6 and np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("n_estimators", [1, 3])
def test_the_bar_counts_members_to_the_end(n_estimators, capsys):
    X, y = table("regression")
    model = MAKE["regression"](n_estimators=n_estimators, verbose=1, max_iter=3).fit(X, y)
    said = capsys.readouterr()
    total = n_estimators * sum(c["candidate"] == "network" for c in model.candidates_)
    done = re.findall(r"(\d+)/(\d+)", said.err)[-1]
    assert said.out == "" and done == (str(total), str(total))


def test_what_needs_stochastic_steps_is_refused_by_name():
    y = numeric_table()["score"]
    for name, value in (("loss", "quantile"), ("sparsity", 0.1), ("grid_size", (3, 6))):
        refused(
            lambda name=name, value=value: KANRegressor(**SHORT, **{name: value}).fit(numeric_table(), y),
            name,
            "solver",
        )
    for value in ("newton", None, 3):
        for make in (KANRegressor, LogisticKAN):
            refused(lambda value=value, make=make: make(solver=value).fit(numeric_table(), y > 0), "solver")
    KANRegressor(**SHORT, grid_size=(4,)).fit(numeric_table(), y)
