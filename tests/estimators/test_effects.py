"""What features do alone, in pairs, and beside background rows: against brute force."""

from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import pytest
from tables import refused

from kan_tabular import KANRegressor, LogisticKAN
from kan_tabular.fitted import explanation as module

pytestmark = pytest.mark.filterwarnings("error")

SHORT = {"hidden_layer_sizes": (4, 3), "max_iter": 20, "n_estimators": 2, "random_state": 0}
N = 150
MAKE = {
    "regression": (lambda: KANRegressor(**SHORT), lambda eta: 50 + 10 * eta),
    "products": (lambda: KANRegressor(**{**SHORT, "hidden_layer_sizes": ((2, 2),)}), lambda eta: eta),
    "two classes": (lambda: LogisticKAN(**SHORT), lambda eta: np.where(eta > 0.3, "ill", "well")),
    "three classes": (lambda: LogisticKAN(**SHORT), lambda eta: np.array(list("abc"))[np.digitize(eta, [0.0, 0.8])]),
    "two targets": (lambda: KANRegressor(**SHORT), lambda eta: np.column_stack([eta, 7 - 100 * eta**2])),
    "counts": (lambda: KANRegressor(loss="poisson", additive_start=False, **SHORT), lambda eta: np.round(np.exp(eta))),
}


def table():
    rng = np.random.default_rng(0)
    level = rng.integers(0, 3, N)
    X = pd.DataFrame(
        {
            "a": rng.normal(size=N),
            "holed": np.where(rng.random(N) < 0.2, np.nan, rng.normal(10, 2, N)),
            "level": np.where(rng.random(N) < 0.1, None, np.array(["low", "mid", "top"])[level]),
            "b": rng.uniform(size=N),
        }
    )
    return X, X["a"].to_numpy() * np.nan_to_num(X["holed"].to_numpy() - 10) / 2 + (level == 2) * X["b"].to_numpy()


@pytest.fixture(scope="module", params=MAKE)
def fitted(request):
    make, respond = MAKE[request.param]
    X, eta = table()
    return make().fit(X, respond(eta)), X


def link(model, X):
    """What contributions add up to: (n, outputs)."""
    said = model.decision_function(X) if isinstance(model, LogisticKAN) else model.predict(X)
    said = np.log(said) if getattr(model, "loss", None) == "poisson" else said
    return said.reshape(len(X), -1)


# ------------------------------------------------------------------------------------------------------------- pairs


def coalition(model, X, present):
    """The linear predictor of users with the other features' curves at their training means: (n, outputs)."""
    network, Z = model.network_, model._encode(X)
    columns, first = network.columns(Z), np.concatenate([c.coefficients for c in network.inputs])
    h, eta, stop = np.tile(network.bias.ravel(), (len(X), 1)), network.intercept, 0
    for j, curves in enumerate(network.inputs):
        start, stop = stop, stop + curves.n_columns
        if j in present:
            h = h + columns[:, start:stop] @ first[start:stop]
            eta = eta + network.additive[j].evaluate(network.front(Z)[:, j])
    return ((eta + network.head(h)) * network.scale + network.shift) @ network.output_map


def test_pairs_are_what_two_features_do_beyond_each(fitted):
    model, X = fitted
    names, base = list(X), coalition(model, X, [])
    alone = [coalition(model, X, [j]) - base for j in range(4)]
    strengths = {}
    for i, j in combinations(range(4), 2):
        effect = coalition(model, X, [i, j]) - base - alone[i] - alone[j]
        strengths[names[i], names[j]] = np.sqrt(effect.var(0).mean())
    total = sum(s**2 for s in strengths.values()) + sum(effect.var(0).mean() for effect in alone)
    found = model.interactions(X)
    assert list(found) == ["feature_1", "feature_2", "strength", "share"] and len(found) == 6
    assert (np.diff(found["strength"]) <= 0).all() and list(found.index) == list(range(6))
    for row in found.itertuples():
        expected = strengths[row.feature_1, row.feature_2]
        assert row.strength == pytest.approx(expected, rel=1e-6)
        assert row.share == pytest.approx(expected**2 / total, rel=1e-6)
    assert found["strength"].iloc[0] > 0.01 * link(model, X).std(0).max()
    # Of the most important features only: the same pairs, the others left out.
    top = set(np.array(names)[np.argsort(-model.feature_importances_)[:3]])
    few = model.interactions(X, max_features=3)
    assert {frozenset(pair) for pair in zip(few["feature_1"], few["feature_2"], strict=True)} == {
        frozenset(pair) for pair in combinations(top, 2)
    }
    for row in few.itertuples():
        assert row.strength == pytest.approx(strengths[row.feature_1, row.feature_2], rel=1e-6)
    assert model.interactions(X, max_features=1).empty


def test_the_pair_of_a_product_comes_first_and_carries_nearly_everything():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(400, 4))
    model = KANRegressor(max_iter=40, n_estimators=2, random_state=0).fit(X, X[:, 0] * X[:, 1] + X[:, 2])
    found = model.interactions(X)
    assert (found.loc[0, "feature_1"], found.loc[0, "feature_2"]) == ("x0", "x1")
    variances = found["strength"] ** 2
    assert variances[0] > 0.9 * variances.sum()
    # The truth: variance 1/9 of the product, 1/3 of the line.
    assert found.loc[0, "strength"] == pytest.approx(1 / 3, rel=0.15)
    assert found.loc[0, "share"] == pytest.approx((1 / 9) / (1 / 9 + 1 / 3), rel=0.2)


def test_many_rows_are_sampled_the_same_way_every_time():
    X, eta = table()
    model = KANRegressor(**SHORT).fit(X, eta)
    many = pd.concat([X] * 10, ignore_index=True)
    pd.testing.assert_frame_equal(model.interactions(many), model.interactions(many))
    np.testing.assert_allclose(model.interactions(many)["strength"], model.interactions(X)["strength"], rtol=0.2)


# ------------------------------------------------------------------------------------------------------------ shapes


def test_shapes_are_the_main_effects(fitted):
    model, X = fitted
    base, outputs = coalition(model, X, []), link(model, X).shape[1]
    if outputs == 1:
        choices = [None]
    else:
        choices = list(model.classes_) if isinstance(model, LogisticKAN) else list(range(outputs))
    for k, class_ in enumerate(choices):
        for j, name in enumerate(X):
            effect = (coalition(model, X, [j]) - base)[:, k]
            tolerance = {"rtol": 1e-7, "atol": 1e-9 * np.abs(effect).max()}
            missing, column = X[name].isna().to_numpy(), X[name]
            shape = model.shape_function(name, class_=class_)
            if name == "level":
                assert shape.kind == "category" and list(shape.x) == ["low", "mid", "top"]
                values = dict(zip(shape.x, shape.y, strict=True))
                np.testing.assert_allclose([values[v] for v in column[~missing]], effect[~missing], **tolerance)
                grid = ["top", "low"]
                np.testing.assert_allclose(model.shape_function(name, grid, class_).y, shape.y[[2, 0]])
            else:
                assert shape.kind == "numeric" and len(shape.x) == 200
                assert (shape.x[0], shape.x[-1]) == (column.min(), column.max())
                at = model.shape_function(j, grid=column[~missing], class_=class_)
                np.testing.assert_allclose(at.y, effect[~missing], **tolerance)
            assert (shape.missing is not None) == missing.any()
            if missing.any():
                np.testing.assert_allclose(effect[missing], shape.missing.value, **tolerance)
                assert np.isnan([shape.missing.se, shape.missing.lower, shape.missing.upper]).all()
            for part in ("se", "lower", "upper", "lower_simultaneous", "upper_simultaneous"):
                assert np.isnan(getattr(shape, part)).all() and getattr(shape, part).shape == shape.y.shape
            assert shape.feature == name and np.ptp(shape.y) > 0
    if outputs > 1:
        np.testing.assert_array_equal(model.shape_function("a").y, model.shape_function("a", class_=choices[-1]).y)
        refused(lambda: model.shape_function("a", class_="nope"), "class_")
    else:
        refused(lambda: model.shape_function("a", class_=0), "class_")
    refused(lambda: model.shape_function("nope"), "nope")
    refused(lambda: model.shape_function(4), "4")
    refused(lambda: model.shape_function("a", grid=[0.0, np.nan]), "grid")


def test_an_additive_part_alone_has_shapes_but_no_pairs():
    """Networks that went astray have no weight."""
    X, eta = table()
    model = KANRegressor(**SHORT, learning_rate_init=1e6).fit(X, eta)
    assert not model.network_.n_members
    at = model.shape_function("a", grid=X["a"]).y
    np.testing.assert_allclose(at, model.explain(X).values[:, 0], rtol=1e-8, atol=1e-12)
    assert (model.interactions(X)["strength"] == 0).all()


# ---------------------------------------------------------------------------------------------------- background rows


def interventional(model, rows, background):
    """Shapley values (n, p, outputs) from the definition: all subsets, absent features from every background row."""
    p = rows.shape[1]
    value = {}
    for size in range(p + 1):
        for present in combinations(range(p), size):
            said = []
            for i in range(len(rows)):
                mixed = background.copy()
                for j in present:
                    mixed[mixed.columns[j]] = [rows.iloc[i, j]] * len(background)
                said.append(link(model, mixed.astype(rows.dtypes)).mean(0))
            value[present] = np.stack(said)
    out = np.zeros((len(rows), p, value[()].shape[1]))
    for j in range(p):
        for present, v in value.items():
            if j not in present:
                share = factorial(len(present)) * factorial(p - len(present) - 1) / factorial(p)
                out[:, j] += share * (value[tuple(sorted((*present, j)))] - v)
    return out


@pytest.fixture
def untouched():
    np.random.seed(4)
    before = np.random.get_state()[1].copy()
    yield
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_background_rows_stand_in_for_absent_features(fitted, untouched):
    model, X = fitted
    rows, background = X.iloc[:4].reset_index(drop=True), X.iloc[40:47].reset_index(drop=True)
    rows.loc[1, "holed"], rows.loc[2, "level"], background.loc[3, "holed"] = np.nan, None, np.nan
    exact = interventional(model, rows, background)
    found = model.explain(rows, background=background, n_permutations=150)
    assert type(found).__module__.startswith("shap") and list(found.feature_names) == list(X)
    values, base = found.values.reshape(exact.shape), found.base_values.reshape(4, -1)
    np.testing.assert_allclose(base, np.tile(link(model, background).mean(0), (4, 1)), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(values.sum(1) + base, link(model, rows), rtol=1e-8, atol=1e-9 * np.abs(values).max())
    size = np.abs(exact).max()
    assert np.abs(values - exact).max() < 0.02 * size
    # The default says something else.
    assert np.abs(model.explain(rows).values.reshape(exact.shape) - exact).max() > 0.02 * size
    again = model.explain(rows, background=background, n_permutations=150)
    np.testing.assert_array_equal(again.values, found.values)


@pytest.mark.parametrize("unit, offset", [(1e-12, 0.0), (1.0, 1e9), (1e12, 0.0)])
def test_background_values_of_any_unit_are_told_apart(unit, offset, untouched):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2))
    y, table = X[:, 0] * X[:, 1] + X[:, 0], np.column_stack([offset + unit * X[:, 0], X[:, 1]])
    model = KANRegressor(**SHORT).fit(table, y)
    found = model.explain(table[:5], background=table[50:60], n_permutations=1)
    np.testing.assert_allclose(found.values.sum(1) + found.base_values, model.predict(table[:5]), rtol=1e-8)
    assert np.abs(found.values[:, 0]).max() > 0.1
    frame = [pd.DataFrame(part) for part in (table[:5], table[50:60])]
    exact = interventional(model, *frame)[:, :, 0]  # two features: both orders are all there are
    np.testing.assert_allclose(found.values, exact, rtol=1e-6, atol=1e-6 * np.abs(exact).max())


def test_background_rows_need_shap_and_say_so(monkeypatch):
    X, eta = table()
    model = KANRegressor(**SHORT).fit(X, eta)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"shap.*pip install 'kan-tabular\[explain\]'"):
        model.explain(X[:3], background=X[3:6])
    assert isinstance(model.explain(X[:3]), module.Explanation)
