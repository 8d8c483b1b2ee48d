"""Networks as their users meet them: tables, responses, frequencies, groups, seeds, settings, what they learn."""

import io
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tables import binary, latent, numeric_table, refused

import kan_tabular
from kan_tabular import KAAMClassifier, KAAMRegressor, KANRegressor, LogisticKAN
from kan_tabular.exceptions import UnseenCategoryWarning

pytestmark = pytest.mark.filterwarnings("error")

SHORT = {"max_iter": 4, "n_estimators": 2, "random_state": 0}
N = 160
MAKE = {
    "binary": lambda **kw: LogisticKAN(**{**SHORT, **kw}),
    "multiclass": lambda **kw: LogisticKAN(**{**SHORT, **kw}),
    "gaussian": lambda **kw: KANRegressor(**{**SHORT, **kw}),
    "poisson": lambda **kw: KANRegressor(loss="poisson", **{**SHORT, **kw}),
    "gamma": lambda **kw: KANRegressor(loss="gamma", **{**SHORT, **kw}),
    "quantile": lambda **kw: KANRegressor(loss="quantile", **{**SHORT, **kw}),
}


def simulate(response, n=N, seed=0):
    """A table with a curve, holes, a flag, levels and one useless column; a response; weights."""
    rng = np.random.default_rng(seed)
    level = rng.integers(0, 3, n)
    X = pd.DataFrame(
        {
            "curve": rng.uniform(-2, 2, n),
            "holed": np.where(rng.random(n) < 0.2, np.nan, rng.normal(10, 2, n)),
            "flag": rng.random(n) < 0.3,
            "level": np.where(rng.random(n) < 0.1, None, np.array(["low", "mid", "top"])[level]),
            "useless": rng.normal(size=n),
        }
    )
    eta = np.sin(2 * X["curve"].to_numpy()) + 0.7 * np.isnan(X["holed"].to_numpy()) + 0.6 * (level == 2)
    y = {
        "binary": lambda: np.where(rng.random(n) < 1 / (1 + np.exp(-1.5 * eta)), "yes", "no"),
        "multiclass": lambda: np.array(["a", "b", "c"])[np.digitize(eta + 0.5 * rng.logistic(size=n), [0.0, 0.9])],
        "gaussian": lambda: eta + 0.3 * rng.normal(size=n),
        "quantile": lambda: eta + 0.3 * rng.normal(size=n),
        "poisson": lambda: rng.poisson(np.exp(eta)).astype(float),
        "gamma": lambda: rng.gamma(4.0, np.exp(eta) / 4.0),
    }[response]()
    return X, y, rng.integers(1, 4, n).astype(float)


def answer(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def link(model, X):
    if hasattr(model, "decision_function"):
        return model.decision_function(X)
    return np.log(model.predict(X)) if model.loss in ("poisson", "gamma") else model.predict(X)


@pytest.fixture(scope="module", params=MAKE)
def case(request):
    """(response, fitted model, X, y, weights)"""
    X, y, weight = simulate(request.param)
    return request.param, MAKE[request.param]().fit(X, y, sample_weight=weight), X, y, weight


@pytest.fixture
def caught(monkeypatch):
    """What the trainer was given, and the number of threads while it ran."""
    import torch

    from kan_tabular.training import fit

    seen, train = {}, fit.train

    def spy(network, data, *args, **kwargs):
        seen.update(network=network, data=data, threads=torch.get_num_threads())
        return train(network, data, *args, **kwargs)

    monkeypatch.setattr(fit, "train", spy)
    return seen


def reversal(n, seed=0, noise=0.0):
    """Two columns that only together say which class it is, and one that says nothing."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, ((X[:, 0] * X[:, 1] + noise * rng.normal(size=n)) > 0).astype(int)


def additive_truth(n, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, np.sin(2 * X[:, 0]) + 0.5 * X[:, 1] ** 2 + 0.5 * rng.normal(size=n)


# --------------------------------------------------------------------------------------------------------- answers


def test_answers_have_the_shape_and_range_of_the_response(case):
    response, model, X, y, _ = case
    said = model.predict(X)
    assert said.shape == (N,)
    if response in ("binary", "multiclass"):
        probability, score = model.predict_proba(X), model.decision_function(X)
        np.testing.assert_array_equal(model.classes_, np.unique(y))
        np.testing.assert_allclose(probability.sum(1), 1, atol=1e-12)
        assert set(said) <= set(y)
        if response == "binary":
            np.testing.assert_allclose(np.log(probability[:, 1] / probability[:, 0]), score, atol=1e-8)
        else:
            np.testing.assert_array_equal(said, model.classes_[score.argmax(1)])
            np.testing.assert_allclose(score.sum(1), 0, atol=1e-9)
        assert log_loss(y, probability) < log_loss(
            y, np.tile(pd.Series(y).value_counts(normalize=True).sort_index(), (N, 1))
        )
    else:
        assert np.isfinite(said).all() and np.corrcoef(said, y)[0, 1] > 0.3
        assert response in ("gaussian", "quantile") or (said > 0).all()
    assert 2 <= model.n_iter_ <= SHORT["max_iter"]


def test_contributions_and_base_add_up_to_the_prediction(case):
    response, model, X, _, _ = case
    fresh = X.iloc[:50].assign(curve=lambda t: 3 * t["curve"], level="low")  # also outside the training range
    for table in (X.iloc[:50], fresh):
        for settings in ({}, {"n_permutations": 1}):
            explanation = model.explain(table, **settings)
            total = explanation.values.sum(axis=1) + explanation.base_values
            np.testing.assert_allclose(total, link(model, table), rtol=1e-7, atol=1e-8)
    assert explanation.values.shape == (50, 5, *([3] if response == "multiclass" else []))
    assert list(explanation.feature_names) == list(X) and len(explanation.data) == 50
    np.testing.assert_array_equal(model.explain(fresh).values, model.explain(fresh).values)  # no luck in it


def test_importances_and_shares_are_shares(case):
    response, model, X, _, _ = case
    importance = model.feature_importances_
    assert importance.shape == (5,) and importance.sum() == pytest.approx(1) and (importance >= 0).all()
    share = model.non_additive_share(X)
    assert share.shape == ((N, 3) if response == "multiclass" else (N,))
    assert ((share >= 0) & (share <= 1)).all()


@pytest.mark.parametrize("response", MAKE)
def test_a_column_that_says_something_is_more_important_than_one_that_does_not(response):
    X, y, _ = simulate(response, 400)
    importance = MAKE[response](max_iter=60).fit(X, y).feature_importances_
    assert importance[0] > 2 * importance[4]


def test_candidates_tell_settings_losses_and_weights(case):
    _, model, _, _, _ = case
    networks = [c for c in model.candidates_ if c["candidate"] == "network"]
    assert networks and all(c["weight"] >= 0 and np.isfinite(c["held_out_loss"]) for c in model.candidates_)
    assert sum(c["weight"] for c in model.candidates_) > 0
    assert len({(c["alpha"], c["smoothness"], c["additive_start"]) for c in networks}) == len(networks)


def test_unseen_levels_change_nothing_and_are_counted_in_a_warning(case):
    _, model, X, _, _ = case
    table = X.iloc[:10].assign(level=["violet"] * 3 + ["low"] * 7)
    with pytest.warns(UnseenCategoryWarning, match="violet") as caught:
        values = model.explain(table).values
    assert len(caught) == 1
    assert (values[:3, 3] == 0).all() and (values[3:, 3] != 0).any()
    np.testing.assert_array_equal(model.extrapolation(table)[:, 3], np.arange(10) < 3)


def test_strange_rows_are_answered_with_numbers(case):
    _, model, X, _, _ = case
    rows = X.iloc[:6].astype({"flag": object}).copy()
    rows.iloc[0] = [np.nan, np.nan, None, None, np.nan]
    rows.iloc[1, [0, 1, 4]] = 1e30
    rows.iloc[2, [0, 1, 4]] = -1e30
    said = answer(model, rows)
    assert np.isfinite(said).all()
    np.testing.assert_allclose(answer(model, rows.iloc[[1]]), said[[1]], rtol=1e-9)
    far = answer(model, rows.iloc[[1]].assign(curve=1e60))
    np.testing.assert_allclose(far, said[[1]], rtol=1e-6)  # levels off instead of running away


def test_several_targets_share_one_network():
    X, y, weight = simulate("gaussian")
    both = np.column_stack([y, 1000 - 50 * y])
    model = MAKE["gaussian"](max_iter=20).fit(X, both, sample_weight=weight)
    said = model.predict(X)
    assert said.shape == (N, 2)
    assert np.corrcoef(said[:, 0], y)[0, 1] > 0.7 and np.corrcoef(said[:, 1], y)[0, 1] < -0.7
    assert abs(said[:, 1].mean() - both[:, 1].mean()) < 10
    explanation = model.explain(X.iloc[:5])
    np.testing.assert_allclose(explanation.values.sum(1) + explanation.base_values, said[:5])


def test_quantiles_do_not_cross_and_cover_their_share():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(400, 2))
    y = X[:, 0] + (1 + X[:, 1]) * rng.normal(size=400)
    said = KANRegressor(loss="quantile", quantiles=(0.1, 0.5, 0.9), max_iter=25, n_estimators=2, random_state=0)
    said = said.fit(X, y).predict(X)
    assert said.shape == (400, 3) and (np.diff(said, axis=1) >= 0).all()
    np.testing.assert_allclose((y[:, None] <= said).mean(0), [0.1, 0.5, 0.9], atol=0.08)
    width = said[:, 2] - said[:, 0]
    assert width[X[:, 1] > 0.5].mean() > 1.5 * width[X[:, 1] < -0.5].mean()


# ----------------------------------------------------------------------------------------------- what is learnt


def test_an_interaction_is_learnt_where_an_additive_model_sees_nothing():
    X, y = reversal(400)
    fresh, truth = reversal(1000, seed=1)
    network = LogisticKAN(max_iter=40, n_estimators=2, random_state=0).fit(X, y)
    additive = KAAMClassifier().fit(X, y)
    losses = [log_loss(truth, m.predict_proba(fresh)) for m in (network, additive)]
    assert losses[1] > 0.65 and losses[0] < 0.4, losses
    assert network.score(fresh, truth) > 0.85
    share = network.non_additive_share(fresh).mean()
    assert share > 0.4
    assert network.feature_importances_[2] < 0.5 * network.feature_importances_[:2].min()

    X, y = additive_truth(400)
    flat = KANRegressor(max_iter=40, n_estimators=2, random_state=0).fit(X, y)
    assert flat.non_additive_share(X).mean() < share / 2 and np.median(flat.non_additive_share(X)) < 0.15


def test_an_additive_truth_is_predicted_about_as_well_as_by_the_additive_model():
    X, y = additive_truth(400)
    fresh, truth = additive_truth(2000, seed=1)
    network = KANRegressor(max_iter=40, n_estimators=4, random_state=0).fit(X, y)
    losses = [np.mean((m.predict(fresh) - truth) ** 2) for m in (network, KAAMRegressor().fit(X, y))]
    assert losses[0] < 1.1 * losses[1], losses
    labels, later = (y > 0).astype(int), (truth > 0).astype(int)
    network = LogisticKAN(max_iter=40, n_estimators=4, random_state=0).fit(X, labels)
    losses = [log_loss(later, m.predict_proba(fresh)) for m in (network, KAAMClassifier().fit(X, labels))]
    assert losses[0] < losses[1] + 0.03, losses


@pytest.mark.parametrize("additive_start", [True, False, "auto"])
def test_where_members_start(additive_start):
    X, y = additive_truth(200)
    model = MAKE["gaussian"](additive_start=additive_start).fit(X, y)
    networks = [c for c in model.candidates_ if c["candidate"] == "network"]
    begun = {c["additive_start"] for c in networks}
    assert begun == ({True, False} if additive_start == "auto" else {additive_start})
    assert ("additive" in [c["candidate"] for c in model.candidates_]) == (additive_start is not False)
    # Four epochs from nothing are little, four from the additive fit are a good model.
    error = np.mean((model.predict(X) - y) ** 2) / np.var(y)
    assert error < 0.5 or additive_start is False
    if additive_start is True:
        assert max(c["held_out_loss"] for c in networks) < 0.5  # of a standardised response: 0.5 is the constant


def test_sparsity_removes_edges_altogether():
    X, y = additive_truth(300)
    X[:, 2] = np.random.default_rng(5).normal(size=300)
    dense = KANRegressor(max_iter=40, n_estimators=2, additive_start=False, random_state=0).fit(X, y)
    sparse = clone(dense).set_params(sparsity=0.15).fit(X, y)
    assert sparse.score(X, y) > dense.score(X, y) - 0.05
    gone = [[(s == 0).mean() for s in m.network_.sizes] for m in (dense, sparse)]
    assert not any(gone[0]) and all(0.05 < share < 1 for share in gone[1]), gone
    of_input = (sparse.network_.sizes[0] == 0).mean((1, 2))
    assert of_input[2] > of_input[0]  # the useless column loses more of them
    # What is gone adds nothing, so that pruning changes no prediction; the edges left are those counted.
    before, left = sparse.predict(X), [np.count_nonzero(s) for s in sparse.network_.sizes]
    np.testing.assert_allclose(sparse.prune(X, 0.0).predict(X), before, rtol=1e-9, atol=1e-12)
    after = [np.count_nonzero(s) for s in sparse.network_.sizes]
    assert all(a <= b for a, b in zip(after, left, strict=True)) and after[0] == left[0]
    coefficients = [layer.coefficients for layer in sparse.network_.layers]
    assert all((c == 0).all(1).sum() >= c[:, 0].size - n for c, n in zip(coefficients, after[1:], strict=True))
    # With everything gone, the constant is left.
    nothing = clone(dense).set_params(sparsity=1e6).fit(X, y)
    assert not any(s.any() for s in nothing.network_.sizes) and np.ptp(nothing.predict(X)) < 1e-9


# --------------------------------------------------------------------------------------- weights, classes, exposure


@pytest.mark.parametrize("response", MAKE)
def test_a_row_of_weight_zero_is_absent(response):
    X, y, weight = simulate(response)
    weight[::7] = 0.0
    X = X.copy()
    X.loc[X.index[::7], "curve"] = 1e6  # loud, if it were heard
    X.loc[X.index[::7], "level"] = "phantom"
    keep = weight > 0
    groups = np.arange(N) // 2
    with_zero = MAKE[response]().fit(X, y, sample_weight=weight, groups=groups)
    without = MAKE[response]().fit(X[keep], y[keep], sample_weight=weight[keep], groups=groups[keep])
    np.testing.assert_array_equal(answer(with_zero, X[keep]), answer(without, X[keep]))


@pytest.mark.parametrize("response", MAKE)
def test_with_one_batch_a_weight_of_two_is_the_row_twice(response):
    """Minibatches make it so in expectation only; one batch a step has no luck in it but the start."""
    X, y, weight = simulate(response, 60)
    settings = {"batch_size": 10**6, "early_stopping": False, "max_iter": 5, "additive_start": False}
    index = np.repeat(np.arange(60), weight.astype(int))
    weighted = MAKE[response](**settings).fit(X, y, sample_weight=weight)
    repeated = MAKE[response](**settings).fit(X.iloc[index], y[index])
    unweighted = MAKE[response](**settings).fit(X, y)
    tolerance = {"rtol": 1e-3, "atol": 1e-3}
    np.testing.assert_allclose(answer(weighted, X), answer(repeated, X), **tolerance)
    assert not np.allclose(answer(weighted, X), answer(unweighted, X), **tolerance)


@pytest.mark.parametrize("scale", [1e-60, 0.01, 1000.0])
def test_the_unit_of_weights_matters_little(scale):
    X, y, weight = simulate("gaussian")
    settings = {"additive_start": False, "early_stopping": False}
    once = MAKE["gaussian"](**settings).fit(X, y, sample_weight=weight)
    scaled = MAKE["gaussian"](**settings).fit(X, y, sample_weight=scale * weight)
    assert np.corrcoef(scaled.predict(X), once.predict(X))[0, 1] > 0.95  # rounding may flip a column of the design


@pytest.mark.parametrize("response", ["binary", "multiclass"])
def test_class_weight_multiplies_the_weights_of_rows(response):
    X, y, weight = simulate(response)
    classes = np.unique(y)
    factors = {label: float(k + 1) for k, label in enumerate(classes)}
    own = np.array([factors[label] for label in y])
    a = MAKE[response](class_weight=factors).fit(X, y, sample_weight=weight)
    b = MAKE[response]().fit(X, y, sample_weight=weight * own)
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))
    total = {label: weight[y == label].sum() for label in classes}
    balanced = np.array([weight.sum() / (len(classes) * total[label]) for label in y])
    a = MAKE[response](class_weight="balanced").fit(X, y, sample_weight=weight)
    b = MAKE[response]().fit(X, y, sample_weight=weight * balanced)
    np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), rtol=1e-4)
    assert a.predict_proba(X)[:, -1].mean() > MAKE[response]().fit(X, y).predict_proba(X)[:, -1].mean() - 0.1


def test_exposure_multiplies_the_mean_and_predictions_are_rates():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    exposure = rng.uniform(0.2, 5.0, 300)
    y = rng.poisson(exposure * np.exp(0.5 * X[:, 0]))
    model = KANRegressor(loss="poisson", max_iter=20, n_estimators=2, random_state=0)
    said = model.fit(X, y, exposure=exposure).predict(X)
    truth = np.exp(0.5 * X[:, 0])
    assert np.corrcoef(said, truth)[0, 1] > 0.9 and abs(said.mean() / truth.mean() - 1) < 0.15
    in_months = clone(model).fit(X, y, exposure=12 * exposure).predict(X)
    np.testing.assert_allclose(12 * in_months, said, rtol=0.1)
    refused(lambda: KANRegressor(**SHORT).fit(X, y, exposure=exposure), "exposure")
    refused(lambda: LogisticKAN(**SHORT).fit(X, y > 1, exposure=exposure), "exposure")
    refused(lambda: model.fit(X, y, exposure=np.append(exposure[1:], 0.0)), "exposure")


@pytest.mark.parametrize("shift, scale", [(0.0, 1e-6), (1e6, 1.0), (-5.0, 1e6)])
def test_the_unit_of_a_response_does_not_matter(shift, scale):
    X, y, _ = simulate("gaussian")
    once = MAKE["gaussian"]().fit(X, y).predict(X)
    moved = MAKE["gaussian"]().fit(X, shift + scale * y).predict(X)
    np.testing.assert_allclose((moved - shift) / scale, once, atol=2e-3)


# ---------------------------------------------------------------------------------------------- folds, seeds, stops


@pytest.mark.parametrize("n_estimators", [1, 3])
@pytest.mark.parametrize("names", ["numbers", "text", "mixed"])
def test_groups_are_left_out_together(names, n_estimators, caught):
    X, y, _ = simulate("binary")
    number = np.random.default_rng(3).integers(0, 20, N)
    groups = {
        "numbers": number,
        "text": np.char.add("patient ", number.astype(str)),
        "mixed": np.array([int(g) if g % 2 else f"p{g}" for g in number], dtype=object),
    }[names]
    MAKE["binary"](n_estimators=n_estimators).fit(X, y, groups=groups)
    held_out = [rows.numpy() for rows in caught["data"].held_out]
    assert len(held_out) == n_estimators
    for rows in held_out:
        inside = set(number[rows])
        assert 0 < len(rows) < N and not inside & set(np.delete(number, rows))
    MAKE["binary"](n_estimators=n_estimators).fit(X, y)
    rows = caught["data"].held_out[0].numpy()
    assert set(number[rows]) & set(np.delete(number, rows))  # without, rows of one group are separated


def test_every_row_is_left_out_once_and_a_single_member_leaves_out_a_fraction(caught):
    X, y, _ = simulate("binary")
    MAKE["binary"](n_estimators=4).fit(X, y)
    np.testing.assert_array_equal(np.sort(np.concatenate(caught["data"].held_out)), np.arange(N))
    for rows in caught["data"].held_out:  # as many of each class as everywhere
        assert abs((y[rows.numpy()] == "yes").mean() - (y == "yes").mean()) < 0.05
    MAKE["binary"](n_estimators=1, validation_fraction=0.25).fit(X, y)
    (rows,) = caught["data"].held_out
    assert len(rows) == N // 4


def test_without_early_stopping_all_rows_train_and_all_settings_count_the_same(caught):
    X, y, _ = simulate("gaussian")
    model = MAKE["gaussian"](early_stopping=False).fit(X, y)
    assert caught["data"].held_out is None
    networks = [c for c in model.candidates_ if c["candidate"] == "network"]
    np.testing.assert_allclose([c["weight"] for c in networks], 1 / len(networks))
    assert all(np.isnan(c["held_out_loss"]) for c in model.candidates_)
    assert [c["weight"] for c in model.candidates_ if c["candidate"] == "additive"] in ([], [0.0])
    MAKE["gaussian"]().fit(X[:19], y[:19])  # too few to leave any out
    assert caught["data"].held_out is None
    MAKE["gaussian"]().fit(X[:20], y[:20])
    assert caught["data"].held_out is not None


def test_a_single_group_cannot_be_left_out():
    X, y, _ = simulate("gaussian")
    model = MAKE["gaussian"]().fit(X, y, groups=np.zeros(N))
    assert np.isfinite(model.predict(X)).all() and np.isnan(model.candidates_[-1]["held_out_loss"])


@pytest.mark.parametrize("response", ["binary", "multiclass", "gaussian"])
def test_the_random_state_decides_and_nothing_else(response):
    import torch

    X, y, weight = simulate(response)

    def fit(state):
        return answer(MAKE[response](random_state=state).fit(X, y, sample_weight=weight), X)

    np.random.seed(1)
    torch.manual_seed(1)
    numpy_before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()
    once = fit(7)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)
    assert torch.equal(torch.get_rng_state(), torch_before)
    np.random.seed(2)
    torch.manual_seed(2)
    np.testing.assert_array_equal(fit(7), once)
    np.testing.assert_array_equal(fit(np.random.RandomState(7)), once)
    assert not np.allclose(fit(8), once, rtol=1e-6)


def test_fitting_again_starts_afresh():
    X, y, _ = simulate("binary")
    other, labels, _ = simulate("multiclass", seed=4)
    model = MAKE["binary"]().fit(other[["useless", "curve"]], labels)
    again, fresh = model.fit(X, y), MAKE["binary"]().fit(X, y)
    assert again is model and list(again.feature_names_in_) == list(X)
    np.testing.assert_array_equal(again.predict_proba(X), fresh.predict_proba(X))


def test_threads_are_given_back(caught):
    import torch

    X, y, _ = simulate("binary")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        MAKE["binary"]().fit(X, y)
        assert caught["threads"] == 1 and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_time_runs_out():
    X, y, _ = simulate("gaussian")
    model = MAKE["gaussian"](max_iter=100_000, max_time=0.3).fit(X, y)
    assert 1 <= model.n_iter_ < 100_000 and np.isfinite(model.predict(X)).all()


def test_patience_runs_out():
    rng = np.random.default_rng(0)
    model = KANRegressor(max_iter=400, n_iter_no_change=20, n_estimators=2, random_state=0)
    assert model.fit(rng.normal(size=(60, 2)), rng.normal(size=60)).n_iter_ < 300


def test_progress_goes_to_standard_error_and_only_when_asked(capsys):
    X, y, _ = simulate("gaussian")
    quiet = MAKE["gaussian"]().fit(X, y)
    assert capsys.readouterr() == ("", "")
    talking = MAKE["gaussian"](verbose=1).fit(X, y)
    said = capsys.readouterr()
    assert said.out == "" and "held-out loss" in said.err
    np.testing.assert_array_equal(talking.predict(X), quiet.predict(X))


@pytest.mark.parametrize("response", ["binary", "gaussian", "poisson"])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_an_absurd_learning_rate_is_survived(response, early_stopping):
    X, y, _ = simulate(response)
    model = MAKE[response](learning_rate_init=1e6, early_stopping=early_stopping).fit(X, y)
    assert np.isfinite(answer(model, X)).all() and np.isfinite(model.explain(X).values).all()
    if early_stopping and response == "gaussian":  # the additive fit is left
        assert np.mean((model.predict(X) - y) ** 2) < np.var(y)


# --------------------------------------------------------------------------------------------------- small tables


@pytest.mark.parametrize("early_stopping", ["auto", True, False])
@pytest.mark.parametrize("n", [2, 3, 4, 5, 8, 12, 19, 20])
def test_tiny_tables(n, early_stopping):
    rng = np.random.default_rng(n)
    X = np.column_stack([rng.normal(size=n), rng.integers(0, 2, n)])
    for n_estimators in (1, 8):
        settings = {"max_iter": 2, "n_estimators": n_estimators, "early_stopping": early_stopping, "random_state": 0}
        for y in (np.arange(n) % 2, np.arange(n) % min(n, 4), np.eye(n, dtype=int)[0]):
            if len(np.unique(y)) > 1:
                probability = LogisticKAN(**settings).fit(X, y).predict_proba(X)
                np.testing.assert_allclose(probability.sum(1), 1)
        y = rng.normal(size=n)
        assert np.isfinite(KANRegressor(**settings).fit(X, y).predict(X)).all()


@pytest.mark.parametrize("fill", [1.0, np.nan], ids=["constant", "missing"])
@pytest.mark.parametrize("additive_start", [True, False])
def test_a_table_without_information_gives_the_constant(fill, additive_start):
    X, (_, y, _) = np.full((N, 2), fill), simulate("gaussian")
    model = MAKE["gaussian"](additive_start=additive_start).fit(X, y)
    said = model.predict(X)
    assert np.ptp(said) == 0 and abs(said[0] - y.mean()) < 0.2 * y.std()
    assert not model.explain(X).values.any() and not model.non_additive_share(X).any()
    probability = MAKE["binary"](additive_start=additive_start).fit(X, y > 0.5).predict_proba(X)
    assert abs(probability[0, 1] - (y > 0.5).mean()) < 0.1


def test_a_constant_response_is_predicted_as_it_is():
    X, _, _ = simulate("gaussian")
    for value in (0.0, 4.25, -1e9):
        np.testing.assert_allclose(MAKE["gaussian"]().fit(X, np.full(N, value)).predict(X), value, rtol=1e-9)
    assert (MAKE["poisson"]().fit(X, np.zeros(N)).predict(X) < 1e-3).all()


# ------------------------------------------------------------------------------------------------ settings refused


@pytest.mark.parametrize(
    "parameter, value",
    [
        *[("hidden_layer_sizes", v) for v in (16, "16", None, (), (0,), (4, -1), (2.5,), (True,), ("a",))],
        *[("hidden_layer_sizes", (v,)) for v in ((0, 0), (3, -1), (-1, 3), (2.5, 1), (True, 1), (3,), (1, 2, 3), "12")],
        *[("warm_start", v) for v in (None, 1, "yes")],
        *[("basis", v) for v in ("sine", "clipped", None, 3)],
        *[("grid_size", v) for v in (0, 2.5, "five", None, ())],
        *[("n_estimators", v) for v in (0, 1.5, "auto", None)],
        *[("max_iter", v) for v in (0, -1, 2.5, "ten", None)],
        *[("batch_size", v) for v in (0, 2.5, "ten", None)],
        *[("learning_rate_init", v) for v in (0, -1.0, np.nan, np.inf, "auto")],
        *[("alpha", v) for v in (-1.0, np.nan, np.inf, "ten", None, np.ones(2))],
        *[("smoothness", v) for v in (0, -1.0, np.nan, np.inf, "ten", None)],
        *[("sparsity", v) for v in (-1.0, np.nan, np.inf, "auto", None)],
        *[("additive_start", v) for v in (None, 1, "yes")],
        *[("early_stopping", v) for v in (None, 1, "yes")],
        *[("validation_fraction", v) for v in (0, -0.1, 0.6, np.nan, None)],
        *[("n_iter_no_change", v) for v in (0, 2.5, "auto")],
        *[("max_time", v) for v in (0, -1, np.nan, "long")],
        ("device", "abacus"),
        ("categorical_features", ["nope"]),
    ],
    ids=lambda v: repr(v)[:20],
)
@pytest.mark.parametrize("make", [LogisticKAN, KANRegressor])
def test_an_impossible_setting_is_refused_by_name(make, parameter, value):
    refused(lambda: make(**{**SHORT, parameter: value}).fit(numeric_table(), binary()), parameter)


def test_an_impossible_loss_quantile_or_class_weight_is_refused_by_name():
    refused(lambda: KANRegressor(loss="hinge").fit(numeric_table(), latent()), "loss")
    for quantiles in ((), (0.0,), (0.5, 1.0), (0.9, 0.1), ("median",), (0.5, 0.5), np.nan):
        model = KANRegressor(loss="quantile", quantiles=quantiles)
        refused(lambda model=model: model.fit(numeric_table(), latent()), "quantiles")
    refused(lambda: LogisticKAN(class_weight="heavy").fit(numeric_table(), binary()), "class_weight")
    refused(lambda: LogisticKAN(class_weight={0: -1.0}).fit(numeric_table(), binary()), "class_weight")


@pytest.mark.parametrize(
    "groups",
    [
        np.zeros(3),
        7,
        np.array(["a", None, "b"] * 20, dtype=object),
        np.where(np.arange(60) == 5, np.nan, 1.0),
        pd.Series(["a", pd.NA] * 30),
        np.zeros((60, 2)),
    ],
    ids=["short", "scalar", "None", "nan", "NA", "two columns"],
)
@pytest.mark.parametrize("make", [LogisticKAN, KANRegressor, KAAMClassifier, KAAMRegressor])
def test_impossible_groups_are_refused_by_name(make, groups):
    refused(lambda: make().fit(numeric_table(), binary(), groups=groups), "groups")


def test_impossible_targets_and_weights_are_refused_by_name():
    X = numeric_table()
    refused(lambda: LogisticKAN(**SHORT).fit(X, np.zeros(60)), r"class(es)?")
    refused(lambda: KANRegressor(**SHORT).fit(X, np.where(np.arange(60) == 3, np.nan, 1.0)), "y")
    refused(lambda: KANRegressor(**SHORT, loss="gamma").fit(X, np.zeros(60)), "y", "gamma")
    refused(lambda: KANRegressor(**SHORT, loss="poisson").fit(X, -np.ones(60)), "y", "poisson")
    refused(lambda: KANRegressor(**SHORT, loss="poisson").fit(X, np.ones((60, 2))), "y")
    refused(lambda: KANRegressor(**SHORT).fit(X, latent(), sample_weight=-np.ones(60)), "sample_weight")
    refused(lambda: KANRegressor(**SHORT).fit(X, latent(), sample_weight=np.zeros(60)), "sample_weight")


def test_asking_before_fit_says_so():
    for method in ("predict", "predict_proba", "decision_function", "explain", "non_additive_share", "extrapolation"):
        with pytest.raises(NotFittedError, match="fit"):
            getattr(LogisticKAN(), method)(numeric_table())
    with pytest.raises(NotFittedError, match="fit"):
        KANRegressor().predict(numeric_table())
    with pytest.raises(NotFittedError, match="fit"):
        KANRegressor().save("model.kan")


# ------------------------------------------------------------------------------------------------------------- tools


def test_grid_search_pipeline_and_clone():
    X, y = reversal(80)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticKAN(max_iter=2, n_estimators=2, random_state=0)),
        {"logistickan__hidden_layer_sizes": [(3,), (4, 4)]},
        cv=2,
    ).fit(X, y)
    assert search.best_params_["logistickan__hidden_layer_sizes"] in [(3,), (4, 4)]
    assert np.isfinite(search.predict_proba(X)).all()
    model = LogisticKAN(hidden_layer_sizes=(3,), sparsity=0.5, class_weight={0: 2.0})
    copy = clone(model)
    assert copy.get_params() == model.get_params() and not hasattr(copy, "network_")
    assert clone(model.fit(X, y)).get_params() == model.get_params()


def test_a_pickle_and_a_file_predict_bitwise_the_same(case, tmp_path):
    _, model, X, _, _ = case
    model.save(tmp_path / "model.kan")
    for again in (pickle.load(io.BytesIO(pickle.dumps(model))), kan_tabular.load(tmp_path / "model.kan")):
        assert type(again) is type(model) and again.get_params() == model.get_params()
        np.testing.assert_array_equal(answer(again, X), answer(model, X))
        np.testing.assert_array_equal(again.explain(X[:9]).values, model.explain(X[:9]).values)
        np.testing.assert_array_equal(again.non_additive_share(X), model.non_additive_share(X))
        np.testing.assert_array_equal(again.feature_importances_, model.feature_importances_)
        assert again.candidates_ == model.candidates_ and again.n_iter_ == model.n_iter_
        assert vars(again).keys() == vars(model).keys()
    assert (tmp_path / "model.kan").read_bytes()[:2] == b"PK"


def test_models_without_held_out_rows_can_be_saved(tmp_path):
    X, y, _ = simulate("gaussian")
    model = MAKE["gaussian"](early_stopping=False).fit(X, y)
    model.save(tmp_path / "model.kan")
    again = kan_tabular.load(tmp_path / "model.kan")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert all(np.isnan(c["held_out_loss"]) for c in again.candidates_)


def test_a_saved_model_predicts_in_a_fresh_process_without_torch(tmp_path):
    X, y, _ = simulate("multiclass")
    numbers = X[["curve", "holed"]]
    model = MAKE["multiclass"]().fit(numbers, y)
    model.save(tmp_path / "model.kan")
    code = (
        "import sys, numpy as np, pandas as pd, kan_tabular\n"
        f"model = kan_tabular.load({str(tmp_path / 'model.kan')!r})\n"
        "X = pd.DataFrame({'curve': [0.5, np.nan], 'holed': [9.0, 1e9]})\n"
        "print(model.predict_proba(X).tolist())\n"
        "model.predict(X), model.non_additive_share(X), model.feature_importances_\n"
        "print([m for m in ('torch', 'matplotlib', 'sympy', 'shap') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    expected = model.predict_proba(pd.DataFrame({"curve": [0.5, np.nan], "holed": [9.0, 1e9]}))
    np.testing.assert_allclose(np.array(eval(out[0])), expected, rtol=1e-12)
    assert out[1] == "[]"


# ------------------------------------------------------------------------------- importances, grids, the additive fit


def test_importance_is_the_change_when_a_feature_is_left_out(case):
    model, X = case[1], case[2]
    measured = model.importance(X)
    change = model.network_.left_out(model._encode(X))
    np.testing.assert_allclose(measured, np.abs(change).mean(0).mean(1))
    np.testing.assert_allclose(model.importance(X, kind="variance"), change.var(0).mean(1))
    share = model.importance() / model.importance().sum()
    np.testing.assert_allclose(share, model.feature_importances_)
    summary = model.summary()
    assert (summary["importance"].diff().dropna() <= 0).all() and summary.loc["holed", "note"].endswith("missing")
    refused(lambda: model.importance(kind="variance"), "variance")
    refused(lambda: model.importance(X, kind="gain"), "kind")


def test_grids_grow_while_training():
    X, y = reversal(200)
    grown = KANRegressor(grid_size=(2, 4, 8), max_iter=6, n_estimators=2, random_state=0).fit(X, y)
    assert grown.network_.basis.grid_size == 8
    assert grown.network_.layers[0].coefficients.shape[1] == grown.network_.basis.n_functions
    assert np.isfinite(grown.predict(X)).all()
    for sizes in [(2, 3), (4, 2), (), (2, 2)]:
        refused(lambda sizes=sizes: KANRegressor(grid_size=sizes).fit(X, y), "grid_size")


@pytest.mark.parametrize("response", ["gaussian", "multiclass"])
def test_weak_settings_are_given_up_midway_where_that_is_asked_for(response, monkeypatch, caught, tmp_path):
    from kan_tabular.estimators import _network

    X, y, _ = simulate(response)
    monkeypatch.setattr(_network, "_SELECTION", None)
    whole = MAKE[response](max_iter=10).fit(X, y)
    assert caught["network"].n_members == 2 * 6
    monkeypatch.setattr(_network, "_SELECTION", 0.5)
    model = MAKE[response](max_iter=10).fit(X, y)
    assert caught["network"].n_members == 2 * 3  # the three most useful ones
    own, all_of_them = ([c for c in m.candidates_ if c["candidate"] == "network"] for m in (model, whole))
    assert [c["alpha"] for c in own] == [c["alpha"] for c in all_of_them] and len(own) == 6
    assert np.isfinite([c["held_out_loss"] for c in own]).all()
    weighed = [c for c in own if c["weight"] > 0]
    assert 1 <= len(weighed) <= 3 and len(model.network_.weights) == 2 * len(weighed)
    for c, other in zip(own, all_of_them, strict=True):  # none is better for fewer epochs
        assert c["held_out_loss"] >= other["held_out_loss"] - 1e-3
    np.testing.assert_allclose(model.explain(X).values.sum(1) + model.explain(X).base_values, link(model, X))
    model.save(tmp_path / "model.kan")
    np.testing.assert_array_equal(answer(kan_tabular.load(tmp_path / "model.kan"), X), answer(model, X))
    model.set_params(warm_start=True).fit(X, y)  # with those that were left, none of which is given up again
    assert caught["network"].n_members == 2 * len(weighed)


def test_a_wide_table_of_many_classes_has_no_additive_fit():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(150, 30)), np.arange(150) % 6
    model = LogisticKAN(max_iter=1, n_estimators=2, hidden_layer_sizes=(3,), random_state=0).fit(X, y)
    assert all(c["candidate"] == "network" and not c["additive_start"] for c in model.candidates_)
    settings = [(c["alpha"], c["smoothness"]) for c in model.candidates_]
    assert len(set(settings)) == len(settings)
