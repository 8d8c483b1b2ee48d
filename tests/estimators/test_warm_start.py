"""Going on with the last fit: nothing is lost, only what was kept is trained, and other tables are taken or refused."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from tables import refused

import kan_tabular
from kan_tabular import KANRegressor, LogisticKAN

pytestmark = pytest.mark.filterwarnings("error")

N = 120
SHORT = {"hidden_layer_sizes": (4, 3), "max_iter": 6, "n_estimators": 2, "random_state": 0}
STILL = {"warm_start": True, "learning_rate_init": 1e-12}


def table(seed=0, n=N):
    rng = np.random.default_rng(seed)
    level = rng.integers(0, 3, n)
    X = pd.DataFrame(
        {
            "a": rng.normal(size=n),
            "holed": np.where(rng.random(n) < 0.2, np.nan, rng.normal(10, 2, n)),
            "level": np.where(rng.random(n) < 0.1, None, np.array(["low", "mid", "top"])[level]),
        }
    )
    eta = X["a"].to_numpy() * np.nan_to_num(X["holed"].to_numpy() - 10) / 2 + (level == 2)
    return X, eta + 0.1 * rng.normal(size=n)


CASES = {
    "regression": (KANRegressor, {}, lambda eta: 50 + 10 * eta),
    "products": (KANRegressor, {"hidden_layer_sizes": ((3, 2), (0, 2))}, lambda eta: eta),
    "no seed": (KANRegressor, {"random_state": None}, lambda eta: eta),
    "no rows held out": (KANRegressor, {"early_stopping": False}, lambda eta: eta),
    "one member": (KANRegressor, {"n_estimators": 1}, lambda eta: eta),
    "full batch": (KANRegressor, {"solver": "lbfgs"}, lambda eta: eta),
    "other basis": (KANRegressor, {"basis": kan_tabular.bases.BSpline(4, 2)}, lambda eta: eta),
    "coarse to fine": (KANRegressor, {"grid_size": (2, 4)}, lambda eta: eta),
    "learned functions": (KANRegressor, {"basis": "free_knots"}, lambda eta: eta),
    "longer circuits": (KANRegressor, {"basis": kan_tabular.bases.Daruan((1, 2, 3))}, lambda eta: eta),
    "two classes": (LogisticKAN, {}, lambda eta: eta > 0.3),
    "three classes": (LogisticKAN, {}, lambda eta: np.digitize(eta, [0.0, 0.8])),
    "two targets": (KANRegressor, {}, lambda eta: np.column_stack([eta, 7 - 100 * eta**2])),
    "counts": (KANRegressor, {"loss": "poisson"}, lambda eta: np.round(np.exp(eta))),
    "quantiles": (KANRegressor, {"loss": "quantile", "quantiles": (0.2, 0.8)}, lambda eta: eta),
}


def fitted(case, **changes):
    make, settings, respond = CASES[case]
    X, eta = table()
    np.random.seed(0)
    exposure = {"exposure": 0.5 + np.random.default_rng(1).random(N)} if case == "counts" else {}
    model = make(**{**SHORT, **settings, **changes})
    return model.fit(X, respond(eta), **exposure), X, respond(eta), exposure


def said(model, X):
    return model.decision_function(X) if isinstance(model, LogisticKAN) else model.predict(X)


def kept(model):
    """Settings with weight, and their held-out losses."""
    return {
        (c["alpha"], c["smoothness"], c["additive_start"]): c["held_out_loss"]
        for c in model.candidates_
        if c["candidate"] == "network" and c["weight"] > 0
    }


def parts(model, X):
    """What each network and the additive part say: in units of the response, or of the link."""
    network, Z = model.network_, model._encode(X)
    seen = network.front(Z)
    h = sum(c.evaluate(seen[:, j]) for j, c in enumerate(network.inputs)) + network.bias.ravel()
    additive = sum(c.evaluate(network.front(Z)[:, j]) for j, c in enumerate(network.additive))
    return [network.scale * one for one in network.member_outputs(h)], network.scale * additive


@pytest.mark.parametrize("case", [c for c in CASES if c != "full batch"])
def test_without_steps_nothing_changes(case):
    """Not even without a seed: the same rows are left out again."""
    model, X, y, exposure = fitted(case)
    before, settings, (members, _) = said(model, X), kept(model), parts(model, X)
    assert model.set_params(**STILL).fit(X, y, **exposure) is model
    assert list(kept(model)) == list(settings)
    np.testing.assert_allclose(list(kept(model).values()), list(settings.values()), rtol=1e-6)
    now = parts(model, X)[0]
    assert len(now) == len(members) > 0
    for own, expected in zip(now, members, strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())
    # The weights of those that are left are chosen anew.
    assert np.sqrt(np.mean((said(model, X) - before) ** 2)) < 0.05 * before.std()


@pytest.mark.parametrize("case", [c for c in CASES if c not in ("full batch", "no rows held out")])
def test_where_all_settings_count_the_same_predictions_are_the_same(case):
    model, X, y, exposure = fitted(case, early_stopping=False)
    before = said(model, X)
    own = said(model.set_params(**STILL).fit(X, y, **exposure), X)
    tolerance = {"rtol": 1e-6, "atol": 1e-6 * np.abs(before).max()}
    np.testing.assert_allclose(own, before, **tolerance)
    assert not np.allclose(said(clone(model).fit(X, y, **exposure), X), before, **tolerance)


def test_the_additive_fit_stays_where_no_network_begins_at_it(monkeypatch):
    from kan_tabular.training import fit as training

    def given(likelihood, start, candidates, y, weights):
        return np.array([0.4, 0.6, *np.zeros(len(candidates) - 2)])

    monkeypatch.setattr(training, "stack", given)
    model, X, y, _ = fitted("regression")
    before = model.predict(X)
    assert parts(model, X)[1].std() > 0.1 * before.std()
    model.set_params(**STILL).fit(X, y)
    assert [(c["candidate"], c["weight"]) for c in model.candidates_] == [("additive", 0.4), ("network", 0.6)]
    np.testing.assert_allclose(model.predict(X), before, rtol=1e-6)


@pytest.mark.parametrize("case", ["regression", "products", "two classes", "counts", "full batch"])
def test_more_training_makes_no_kept_setting_worse_and_trains_no_other(case):
    model, X, y, exposure = fitted(case)
    first = kept(model)
    model.set_params(warm_start=True, max_iter=15).fit(X, y, **exposure)
    networks = [c for c in model.candidates_ if c["candidate"] == "network"]
    assert [(c["alpha"], c["smoothness"], c["additive_start"]) for c in networks] == list(first)
    losses = [c["held_out_loss"] for c in networks]
    assert (np.array(losses) <= np.array(list(first.values())) + 1e-6).all()
    assert min(np.array(losses) - np.array(list(first.values()))) < -1e-3  # it did learn more
    second = kept(model)
    model.fit(X, y, **exposure)  # and once more: of those that are left
    assert list(kept(model)) == [s for s in second if s in kept(model)] and len(second) <= len(first)


def test_far_too_large_steps_cannot_spoil_it():
    said = []
    for rate in (1e-12, 1e6):
        model, X, y, _ = fitted("regression")
        said.append(model.set_params(warm_start=True, learning_rate_init=rate).fit(X, y).predict(X))
    np.testing.assert_allclose(*said, rtol=1e-6)


def test_a_first_fit_begins_anew_whatever_is_asked_for():
    X, eta = table()
    plain, warm = (KANRegressor(warm_start=w, **SHORT).fit(X, eta) for w in (False, True))
    np.testing.assert_array_equal(plain.predict(X), warm.predict(X))
    # And so does a second one that does not ask.
    np.testing.assert_array_equal(plain.fit(X, eta).predict(X), warm.predict(X))


@pytest.mark.parametrize("kind", ["subset", "other rows", "weights", "scaled target"])
def test_other_rows_of_the_same_columns_go_on(kind):
    """With the same function of the columns, in units of the response."""
    model, X, y, _ = fitted("regression", max_iter=25, early_stopping=False, additive_start=False)
    at, target, weights = X, y, np.ones(N)
    if kind == "subset":
        at, target, weights = X[::2], y[::2], weights[::2]
    elif kind == "other rows":
        at, eta = table(seed=5)
        target = 50 + 10 * eta
    elif kind == "weights":
        weights = np.where(np.arange(N) % 4, 1.0, 3.0)
    else:
        target = 1000 - 3 * y
    before = model.predict(at) - y.mean()
    model.set_params(**STILL).fit(at, target, sample_weight=weights)
    away = model.predict(at) - np.average(target, weights=weights) - before
    assert np.sqrt(np.mean(away**2)) < (1e-6 if kind == "scaled target" else 0.03) * before.std()


@pytest.mark.parametrize("case", ["regression", "products", "three classes", "counts", "quantiles"])
def test_rows_to_hold_out_go_on_with_other_rows_too(case):
    model, X, y, exposure = fitted(case, max_iter=25)
    before, losses = said(model, X), kept(model)
    rows = np.arange(N) % 4 > 0
    model.set_params(warm_start=True, max_iter=2, learning_rate_init=1e-3)
    model.fit(X[rows], y[rows], **{name: value[rows] for name, value in exposure.items()})
    own = said(model, X)
    assert np.isfinite(own).all() and np.corrcoef(own.ravel(), before.ravel())[0, 1] > 0.95
    assert len(kept(model)) <= len(losses)


def test_what_cannot_go_on_is_refused_and_the_next_fit_can():
    model, X, y, _ = fitted("regression")
    expected = fitted("regression")[0].set_params(**STILL).fit(X, y).predict(X)
    model.set_params(**STILL)
    wrong = [
        (X.rename(columns={"a": "b"}), r"'b'"),
        (X[["a", "holed"]], "level|2"),
        (X.assign(more=1.0), "4"),
        (X[["holed", "a", "level"]], "'holed'"),
        (X.assign(a=X["level"].fillna("low")), "'a'"),
        (X.assign(level=X["level"].replace("top", "other")), "'level'"),
        (X.assign(level=X["level"].replace("top", "mid")), "'level'"),
    ]
    for other, name in wrong:
        refused(lambda other=other: model.fit(other, y), "warm_start=True", f"(?:{name})")
    for changes in (
        {"hidden_layer_sizes": (5, 3)},
        {"hidden_layer_sizes": (4, 3, 2)},
        {"hidden_layer_sizes": (4,)},
        {"hidden_layer_sizes": ((2, 1), 3)},
        {"grid_size": 4},
        {"basis": kan_tabular.bases.BSpline(5)},
        {"n_estimators": 3},
    ):
        own = {name: model.get_params()[name] for name in changes}
        refused(lambda changes=changes: model.set_params(**changes).fit(X, y), "warm_start=True", *changes)
        model.set_params(**own)
    refused(lambda: model.fit(X, np.column_stack([y, y])), "warm_start=True", "targets")
    np.testing.assert_array_equal(model.fit(X, y).predict(X), expected)


def test_another_number_of_classes_is_refused():
    model, X, y, _ = fitted("three classes")
    refused(lambda: model.set_params(**STILL).fit(X, np.arange(N) % 4), "warm_start=True", "classes")
    refused(lambda: model.fit(X, y > 0), "warm_start=True", "classes")


@pytest.mark.parametrize("case", ["regression", "no seed", "products", "three classes"])
def test_a_saved_model_goes_on_where_it_was(case, tmp_path):
    model, X, y, _ = fitted(case, warm_start=True)
    model.save(tmp_path / "model.kan")
    loaded = kan_tabular.load(tmp_path / "model.kan")
    np.testing.assert_array_equal(said(loaded.fit(X, y), X), said(model.fit(X, y), X))


def test_a_pruned_model_goes_on_where_it_was():
    model, X, y, _ = fitted("regression")
    before = model.prune(X, 0.3).predict(X)
    model.set_params(**STILL).fit(X, y)
    own = model.predict(X)  # weights are chosen anew
    assert np.sqrt(np.mean((own - before) ** 2)) < 0.1 * before.std()


def test_settings_given_by_the_user_are_obeyed():
    model, X, y, _ = fitted("regression")
    n = len(kept(model))
    model.set_params(warm_start=True, alpha=0.07).fit(X, y)
    networks = [c for c in model.candidates_ if c["candidate"] == "network"]
    assert len(networks) == n and {c["alpha"] for c in networks} == {0.07}


def test_a_model_without_networks_begins_anew():
    """Training went astray and the additive fit took all the weight: there is nothing to go on with."""
    X, y = table()
    model = KANRegressor(**SHORT, learning_rate_init=1e6).fit(X, y)
    assert [c["weight"] > 0 for c in model.candidates_].count(True) == 1 and not model.network_.n_members
    model.set_params(warm_start=True, learning_rate_init=0.04).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), KANRegressor(**SHORT).fit(X, y).predict(X))
