"""S-KAN as its users meet it: responses, tables, who chose what, saving, settings, and that it chooses sensibly."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

import kan_tabular
from kan_tabular import KANRegressor, SKANClassifier, SKANRegressor
from kan_tabular.bases import BSpline, Cosine, Daruan, Rational

pytestmark = pytest.mark.filterwarnings("error")

SHORT = {"max_iter": 5, "n_estimators": 2, "hidden_layer_sizes": (4,), "random_state": 0}
AUTO = ["bspline", "chebyshev", "cosine", "piecewise_linear", "wavelet"]
N = 160
MAKE = {
    "binary": lambda **kw: SKANClassifier(**{**SHORT, **kw}),
    "multiclass": lambda **kw: SKANClassifier(**{**SHORT, **kw}),
    "gaussian": lambda **kw: SKANRegressor(**{**SHORT, **kw}),
    "targets": lambda **kw: SKANRegressor(**{**SHORT, **kw}),
    "poisson": lambda **kw: SKANRegressor(loss="poisson", **{**SHORT, **kw}),
    "gamma": lambda **kw: SKANRegressor(loss="gamma", **{**SHORT, **kw}),
    "quantile": lambda **kw: SKANRegressor(loss="quantile", quantiles=(0.2, 0.8), **{**SHORT, **kw}),
}
CHOOSERS, IDLE = ["curve", "holed", "useless"], ["flag", "level", "constant"]


def simulate(response, n=N, seed=0):
    """Curves, holes, a flag, levels, and columns that say nothing; a response."""
    rng = np.random.default_rng(seed)
    level = rng.integers(0, 3, n)
    X = pd.DataFrame(
        {
            "curve": rng.uniform(-2, 2, n),
            "flag": rng.random(n) < 0.3,
            "holed": np.where(rng.random(n) < 0.2, np.nan, rng.normal(10, 2, n)),
            "level": np.where(rng.random(n) < 0.1, None, np.array(["low", "mid", "top"])[level]),
            "useless": rng.normal(size=n),
            "constant": 7.0,
        }
    )
    eta = np.sin(2 * X["curve"].to_numpy()) + 0.7 * np.isnan(X["holed"].to_numpy()) + 0.6 * (level == 2)
    y = {
        "binary": lambda: np.where(rng.random(n) < 1 / (1 + np.exp(-2 * eta)), "yes", "no"),
        "multiclass": lambda: np.array(["a", "b", "c"])[np.digitize(eta + 0.3 * rng.logistic(size=n), [0.0, 0.9])],
        "gaussian": lambda: eta + 0.3 * rng.normal(size=n),
        "targets": lambda: np.column_stack([eta, 1000 - 50 * eta]) + 0.3 * rng.normal(size=(n, 2)),
        "quantile": lambda: eta + 0.3 * rng.normal(size=n),
        "poisson": lambda: rng.poisson(np.exp(eta)).astype(float),
        "gamma": lambda: rng.gamma(4.0, np.exp(eta) / 4.0),
    }[response]()
    return X, y


def answer(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


@pytest.fixture(scope="module", params=MAKE)
def case(request):
    """(response, fitted model, X, y)"""
    X, y = simulate(request.param)
    return request.param, MAKE[request.param]().fit(X, y), X, y


@pytest.fixture(scope="module")
def nodes():
    return MAKE["gaussian"](choose="nodes", hidden_layer_sizes=((3, 1), 2)).fit(*simulate("gaussian"))


@pytest.fixture(scope="module")
def edges():
    return MAKE["gaussian"](choose="edges").fit(*simulate("gaussian"))


# --------------------------------------------------------------------------------------------------------- answers


def test_answers_have_the_shape_of_the_response(case):
    response, model, X, y = case
    said = answer(model, X)
    assert np.isfinite(said).all()
    shape = {"binary": (N, 2), "multiclass": (N, 3), "targets": (N, 2), "quantile": (N, 2)}.get(response, (N,))
    assert said.shape == shape
    if response in ("binary", "multiclass"):
        np.testing.assert_allclose(said.sum(1), 1)
        assert (model.predict(X) == y).mean() > 0.6
    elif response in ("gaussian", "targets"):
        assert model.score(X, y) > 0.4
    else:
        assert response == "quantile" or (said > 0).all()
        assert np.corrcoef(said.reshape(N, -1)[:, 0], y)[0, 1] > 0.3


def test_strange_rows_are_answered_with_numbers(case):
    _, model, X, _ = case
    rows = X.iloc[:5].astype({"flag": object}).copy()
    rows.iloc[0] = [np.nan, None, np.nan, None, np.nan, np.nan]
    rows.iloc[1, [0, 2, 4]] = 1e30
    rows.iloc[2, [0, 2, 4]] = -1e30
    said = answer(model, rows)
    assert np.isfinite(said).all()
    np.testing.assert_allclose(answer(model, rows.iloc[[1]]), said[[1]], rtol=1e-9)


def test_explanations_add_up(case):
    response, model, X, _ = case
    explanation = model.explain(X.iloc[:30])
    total = explanation.values.sum(1) + explanation.base_values
    if response in ("binary", "multiclass"):
        expected = model.decision_function(X.iloc[:30])
    else:
        expected = model.predict(X.iloc[:30])
        expected = np.log(expected) if response in ("poisson", "gamma") else expected
    np.testing.assert_allclose(total, expected, rtol=1e-7, atol=1e-8)
    shape = model.shape_function("curve")
    assert np.isfinite(shape.y).all() and np.ptp(shape.y) > 0


def test_a_curve_and_an_interaction_are_learnt():
    rng = np.random.default_rng(0)
    X, fresh = rng.normal(size=(400, 3)), rng.normal(size=(1000, 3))
    y, later = (table[:, 0] * table[:, 1] + np.sin(2 * table[:, 2]) for table in (X, fresh))
    model = SKANRegressor(max_iter=60, n_estimators=2, random_state=0).fit(X, y)
    assert model.score(fresh, later) > 0.9


# -------------------------------------------------------------------------------------------------- who chose what


def test_every_column_of_every_network_that_counts_has_one_space(case):
    _, model, _, _ = case
    table, network = model.spaces_, model.network_
    assert network.n_members > 0
    assert list(table) == ["layer", "node", "member", "weight", "space"]
    assert (table["layer"] == 0).all() and set(table["space"]) <= set(AUTO)
    assert sorted(zip(table["node"], table["member"], strict=True)) == sorted(
        (name, m) for name in CHOOSERS for m in range(network.n_members)
    )
    np.testing.assert_array_equal(table["weight"], network.weights[table["member"]])


def test_spaces_are_those_whose_curves_the_network_has(case):
    _, model, _, _ = case
    network, table = model.network_, model.spaces_.set_index(["node", "member"])["space"]
    for name, curves in zip(network.feature_names, network.inputs, strict=True):
        if name not in CHOOSERS:
            continue
        parts = curves.basis.spaces_
        assert len(parts) == 5
        c = curves.coefficients.reshape(len(curves.coefficients), network.n_members, -1)
        used = curves.transform != 0  # (functions, columns)
        for m in range(network.n_members):
            live = {
                int(s)
                for k in range(1, curves.transform.shape[1])
                if c[k, m].any()
                for s in curves.basis.owner[used[:, k]]
            }
            assert [AUTO[s] for s in live] == [table[name, m]]


def test_shares_are_weights_of_networks(case):
    _, model, _, _ = case
    shares = model.space_shares()
    assert list(shares.columns) == AUTO and list(shares.index) == model.network_.feature_names
    assert shares.loc[IDLE].isna().all().all()
    np.testing.assert_allclose(shares.loc[CHOOSERS].sum(axis=1), 1)
    for name in CHOOSERS:
        own = model.spaces_[model.spaces_["node"] == name]
        for space in AUTO:
            expected = own.loc[own["space"] == space, "weight"].sum() / own["weight"].sum()
            assert shares.loc[name, space] == pytest.approx(expected)


def test_the_summary_names_the_space_of_most_networks(case):
    _, model, _, _ = case
    table, shares = model.summary(), model.space_shares()
    assert list(table) == ["kind", "importance", "space", "share", "note"]
    assert list(table.index) == [model.network_.feature_names[j] for j in np.argsort(-model.feature_importances_)]
    assert table.loc[IDLE, ["space", "share"]].isna().all().all()
    for name in CHOOSERS:
        assert table.loc[name, "share"] == shares.loc[name].max() == shares.loc[name, table.loc[name, "space"]]


def test_the_path_tells_how_the_choice_came_about(case):
    _, model, _, _ = case
    (path,) = model.space_path_
    np.testing.assert_allclose(path["progress"], np.arange(6) / 5)
    weights = path["weights"]
    assert weights.shape == (6, 6, 5) and np.isnan(weights[:, [1, 3, 5]]).all()
    np.testing.assert_allclose(weights[:, [0, 2, 4]].sum(2), 1, rtol=1e-5)
    np.testing.assert_allclose(weights[0, [0, 2, 4]], 0.2, rtol=1e-6)
    np.testing.assert_array_equal(weights[-1], weights[2])  # the last stage begins at 0.4
    assert (weights[-1] != weights[1]).any()


def test_nodes_choose_in_every_layer(nodes):
    table, M = nodes.spaces_, nodes.network_.n_members
    assert table.groupby("layer").size().to_dict() == {0: 3 * M, 1: 4 * M, 2: 2 * M}
    assert sorted(table.loc[table["layer"] == 1, "node"].unique()) == [0, 1, 2, 3]
    assert [path["weights"].shape[1:] for path in nodes.space_path_] == [(6, 5), (4, 5), (2, 5)]
    np.testing.assert_allclose(nodes.space_shares().loc[CHOOSERS].sum(axis=1), 1)
    assert nodes.network_.basis.name == "clipped" and nodes.network_.basis.family.name == "pool"


def test_edges_choose_for_every_hidden_node(edges):
    table, M = edges.spaces_, edges.network_.n_members
    assert list(table) == ["layer", "node", "target", "member", "weight", "space"]
    assert sorted(zip(table["node"], table["target"], table["member"], strict=True)) == sorted(
        (name, target, m) for name in CHOOSERS for target in range(4) for m in range(M)
    )
    shares = edges.space_shares()
    own = table[table["node"] == "curve"]
    expected = own.groupby("space")["weight"].sum() / own["weight"].sum()
    np.testing.assert_allclose(shares.loc["curve", expected.index], expected)
    assert edges.network_.basis.name == "node_spline"
    lone = MAKE["gaussian"](choose="edges", hidden_layer_sizes=(1,)).fit(*simulate("gaussian"))
    assert (lone.spaces_["target"] == 0).all()


def test_every_second_setting_has_the_first_space_throughout():
    X, y = simulate("gaussian")
    model = SKANRegressor(**{**SHORT, "spaces": ["cosine", "bspline", "wavelet"], "additive_start": False}).fit(X, y)
    networks = [c for c in model.candidates_ if c["candidate"] == "network"]
    assert [c["space"] for c in networks] == [None, "cosine", None, "cosine", None]
    assert all("space" in c for c in model.candidates_)
    counted = np.repeat([c["space"] for c in networks if c["weight"] > 0], 1)
    weights = [c["weight"] for c in networks if c["weight"] > 0]
    per_fold = model.spaces_.groupby("member")["space"].agg(lambda s: set(s) == {"cosine"}).to_numpy()
    assert per_fold.reshape(2, -1)[:, counted == "cosine"].all() and len(weights) == per_fold.size // 2


def test_without_held_out_rows_all_settings_choose():
    X, y = simulate("gaussian")
    model = SKANRegressor(**SHORT, early_stopping=False).fit(X, y)
    assert all(c["space"] is None for c in model.candidates_)
    one = SKANRegressor(**SHORT, alpha=0.1, smoothness=1.0, additive_start=False).fit(X, y)
    assert [c["space"] for c in one.candidates_ if c["candidate"] == "network"] == [None]


def test_two_instances_of_a_family_are_two_spaces():
    X, y = simulate("gaussian")
    model = MAKE["gaussian"](spaces=[BSpline(3), "cosine", BSpline(15)]).fit(X[["curve", "useless"]], y)
    names = ["BSpline(n_knots=3, degree=3)", "cosine", "BSpline(n_knots=15, degree=3)"]
    shares = model.space_shares()
    assert list(shares) == names and set(model.spaces_["space"]) <= set(names)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert model.spaces[0].__dict__ == BSpline(3).__dict__  # not fitted in place


def test_without_networks_there_are_no_shares():
    X, y = simulate("gaussian")
    model = MAKE["gaussian"]().fit(X[["flag", "level", "constant"]], y)
    assert len(model.spaces_) == 0
    shares, summary = model.space_shares(), model.summary()
    assert shares.shape == (3, 5) and shares.isna().all().all()
    assert summary[["space", "share"]].isna().all().all()
    tiny = MAKE["gaussian"]().fit(X.iloc[:2], y[:2])
    assert np.isfinite(tiny.predict(X.iloc[:2])).all() and tiny.space_shares().isna().all().all()


# ---------------------------------------------------------------------------------------------------- what it chooses


def shares_of(truth, spaces, seed):
    """Of the column that carries `truth`, the other is noise."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, size=(400, 2))
    y = truth(X[:, 0]) + 0.1 * rng.normal(size=400)
    settings = {"max_iter": 40, "n_estimators": 4, "hidden_layer_sizes": (6,), "smoothness": 1.0, "random_state": 0}
    model = SKANRegressor(spaces=spaces, additive_start=False, **settings).fit(X, y)
    assert model.score(X, y) > 0.9
    return model.space_shares().iloc[0]


def test_a_step_is_drawn_by_local_curves():
    spaces = ("bspline", "chebyshev", "cosine", "piecewise_linear")
    total = sum(shares_of(lambda x: np.where(x > 0.3, 1.0, -1.0), spaces, seed) for seed in range(3))
    assert total[["piecewise_linear", "bspline"]].sum() > 2 * total[["cosine", "chebyshev"]].sum(), total


def test_a_fast_wave_is_drawn_by_cosines():
    total = sum(shares_of(lambda x: np.sin(9 * x), "auto", seed) for seed in range(2))
    assert total["cosine"] > 0.5 * total.sum(), total


# -------------------------------------------------------------------------------------------------- saving and luck


def same_fit(a, b, X):
    np.testing.assert_array_equal(answer(a, X), answer(b, X))
    pd.testing.assert_frame_equal(a.spaces_, b.spaces_)
    pd.testing.assert_frame_equal(a.space_shares(), b.space_shares())
    pd.testing.assert_frame_equal(a.summary(), b.summary())
    assert len(a.space_path_) == len(b.space_path_)
    for one, other in zip(a.space_path_, b.space_path_, strict=True):
        assert list(one) == list(other) == ["progress", "weights"]
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
            assert one[name].dtype == other[name].dtype


def test_a_saved_model_is_the_same(case, tmp_path):
    _, model, X, _ = case
    model.save(tmp_path / "model.kan")
    again = kan_tabular.load(tmp_path / "model.kan")
    assert type(again) is type(model) and again.get_params() == model.get_params()
    same_fit(again, model, X)


@pytest.mark.parametrize("choose", ["nodes", "edges"])
def test_a_model_of_choosing_nodes_or_edges_can_be_saved(choose, request, tmp_path):
    model, X = request.getfixturevalue(choose), simulate("gaussian")[0]
    model.save(tmp_path / "model.kan")
    same_fit(kan_tabular.load(tmp_path / "model.kan"), model, X)


def test_models_without_a_choice_and_with_instances_can_be_saved(tmp_path):
    X, y = simulate("gaussian")
    for spaces, columns in (("auto", ["level", "flag"]), ((Cosine(6), BSpline(4)), ["curve", "level"])):
        model = MAKE["gaussian"](spaces=spaces).fit(X[columns], y)
        model.save(tmp_path / "model.kan")
        again = kan_tabular.load(tmp_path / "model.kan")
        same_fit(again, model, X[columns])
        assert repr(again.spaces) == repr(model.spaces)


@pytest.mark.parametrize("choose", ["inputs", "nodes", "edges"])
def test_the_random_state_decides_bit_by_bit(choose):
    X, y = simulate("gaussian")
    fit = [MAKE["gaussian"](choose=choose, max_iter=8, random_state=seed).fit(X, y) for seed in (1, 1, 2)]
    same_fit(*fit[:2], X)
    assert (fit[0].predict(X) != fit[2].predict(X)).any()


def test_fitting_again_starts_afresh():
    X, y = simulate("gaussian")
    model, other = MAKE["gaussian"]().fit(X[["useless"]], -y), MAKE["gaussian"]().fit(X, y)
    same_fit(model.fit(X, y), other, X)


# --------------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize("make", [SKANClassifier, SKANRegressor])
@pytest.mark.parametrize(
    "parameter, value, says",
    [
        ("spaces", "bspline", "at least two"),
        ("spaces", ["bspline"], "at least two"),
        ("spaces", (), "at least two"),
        ("spaces", None, "at least two"),
        ("spaces", 3, "at least two"),
        ("spaces", {"bspline", "cosine"}, "list"),  # without an order, the same seed gives another model
        ("spaces", ["bspline", "sine"], "'sine'"),
        ("spaces", ["bspline", Daruan((1, 3))], r"n_repetitions=\(1, 3\).*one size"),
        ("spaces", ["bspline", Rational(n_groups=2)], "n_groups=2"),
        ("spaces", ["bspline", "category"], "category"),
        ("spaces", ["bspline", "pool"], "pool"),
        ("spaces", ["cosine", "cosine"], "twice"),
        ("spaces", [BSpline(4), BSpline(4)], "twice"),
        ("choose", "columns", "'inputs', 'nodes' or 'edges'"),
        ("choose", None, "'inputs', 'nodes' or 'edges'"),
        ("choose", True, "'inputs', 'nodes' or 'edges'"),
        ("hidden_layer_sizes", (), "hidden_layer_sizes"),
        ("learning_rate_init", 0.0, "above 0"),
    ],
)
def test_an_impossible_setting_is_refused_by_name(make, parameter, value, says):
    model = make(**{**SHORT, parameter: value})
    with pytest.raises(ValueError, match=says) as caught:
        model.fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1])
    assert str(caught.value).startswith(f"{parameter}=")


def test_only_splines_of_hidden_nodes_have_grids():
    X, y = simulate("gaussian")
    grown = MAKE["gaussian"](grid_size=(2, 4)).fit(X, y)
    assert grown.network_.basis.grid_size == 4
    for model in (
        MAKE["gaussian"](grid_size=(2, 4), choose="nodes"),
        KANRegressor(grid_size=(2, 4), basis="cosine", **SHORT),
    ):
        with pytest.raises(ValueError, match=r"grid_size=\(2, 4\): only the default B-splines"):
            model.fit(X, y)


@pytest.mark.parametrize("parameter", ["basis", "projection", "solver", "warm_start"])
@pytest.mark.parametrize("make", [SKANClassifier, SKANRegressor])
def test_what_it_does_not_offer_is_no_parameter(make, parameter):
    assert parameter not in make().get_params()
    with pytest.raises(TypeError, match=parameter):
        make(**{parameter: "bspline"})
    with pytest.raises(ValueError, match="Invalid parameter"):
        make().set_params(**{parameter: "bspline"})


@pytest.mark.parametrize("make", [SKANClassifier, SKANRegressor])
def test_parameters_are_kept_cloned_and_searched(make):
    model = make(spaces=("cosine", BSpline(7)), choose="edges", sparsity=0.2, max_iter=3)
    parameters = model.get_params()
    assert parameters["choose"] == "edges" and parameters["spaces"][1].n_knots == 7 and parameters["sparsity"] == 0.2
    twin = clone(model)
    assert repr(twin.get_params()) == repr(parameters) and twin.spaces is not model.spaces
    documented = make.__doc__
    assert all(name in documented for name in parameters)


def test_a_grid_search_chooses_the_pool():
    X, y = simulate("gaussian")
    search = GridSearchCV(MAKE["gaussian"](), {"spaces": ["auto", ["cosine", "bspline"]]}, cv=2).fit(X, y)
    assert search.best_params_["spaces"] in ("auto", ["cosine", "bspline"])


def test_asking_before_fit_says_so():
    for make in (SKANClassifier, SKANRegressor):
        for ask in (lambda model: model.predict([[1.0]]), lambda model: model.summary()):
            with pytest.raises(NotFittedError):
                ask(make())
        with pytest.raises(NotFittedError):
            make().space_shares()


def test_time_and_patience_may_run_out():
    X, y = simulate("gaussian")
    model = MAKE["gaussian"](max_iter=50, max_time=1e-9).fit(X, y)
    assert model.n_iter_ == 1 and np.isfinite(model.predict(X)).all()
    np.testing.assert_array_equal(model.space_path_[0]["progress"], [0.0, 1.0])
    assert len(model.spaces_) == 3 * model.network_.n_members > 0
    rng = np.random.default_rng(0)
    model = MAKE["gaussian"](max_iter=50, n_iter_no_change=1, learning_rate_init=0.3).fit(X, rng.normal(size=N))
    assert 15 < model.n_iter_ < 50  # only once the spaces are chosen, which is after 30%


def test_rows_of_weight_zero_are_absent():
    X, y = simulate("gaussian")
    weight = np.ones(N)
    weight[::5] = 0.0
    loud = X.copy()
    loud.loc[X.index[::5], "curve"] = 1e6
    groups = np.arange(N) // 2
    keep = weight > 0
    heard = MAKE["gaussian"]().fit(X[keep], y[keep], groups=groups[keep])
    same_fit(MAKE["gaussian"]().fit(loud, y, sample_weight=weight, groups=groups), heard, X)


def test_exposure_multiplies_the_mean():
    X, y = simulate("poisson")
    exposure = np.where(np.arange(N) % 2, 100.0, 1.0)
    model = MAKE["poisson"]().fit(X, y * exposure, exposure=exposure)
    assert 0.5 < model.predict(X).mean() / y.mean() < 2
