"""Nodes that multiply: what they can say, and that everything around networks takes them."""

import numpy as np
import pandas as pd
import pytest

import kan_tabular
from kan_tabular import KANRegressor, LogisticKAN

pytestmark = pytest.mark.filterwarnings("error")

SHORT = {"max_iter": 5, "n_estimators": 2, "random_state": 0}
SIZES = [((3, 2),), ((0, 2),), ((2, 1), (1, 2)), (3, (0, 1))]


def table(n=120):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "level": rng.choice(list("xyz"), n)})
    X.loc[::9, "b"] = np.nan
    return X, (X["a"] * X["b"].fillna(0.5) + (X["level"] == "x")).to_numpy()


@pytest.fixture(scope="module", params=SIZES, ids=str)
def fitted(request):
    X, y = table()
    return KANRegressor(hidden_layer_sizes=request.param, **SHORT).fit(X, y), X


@pytest.mark.parametrize("sizes", [((0, 1),), ((1, 1),)], ids=str)
def test_one_product_says_what_is_a_product(sizes):
    rng = np.random.default_rng(0)
    X, fresh = rng.uniform(-1, 1, size=(400, 2)), rng.uniform(-1, 1, size=(400, 2))
    y, truth = X.prod(1), fresh.prod(1)
    settings = {"n_estimators": 2, "max_iter": 60, "additive_start": False, "random_state": 0}
    model = KANRegressor(hidden_layer_sizes=sizes, **settings).fit(X, y)
    assert model.score(fresh, truth) > 0.97
    # As many sums without a product say little with one node, which is a function of a sum of curves.
    plain = KANRegressor(hidden_layer_sizes=(1,), **settings).fit(X, y)
    assert plain.score(fresh, truth) < model.score(fresh, truth) - 0.02


def test_a_saved_model_says_the_same(fitted, tmp_path):
    model, X = fitted
    model.save(tmp_path / "model.kan")
    again = kan_tabular.load(tmp_path / "model.kan")
    assert again.get_params() == model.get_params()
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.explain(X).values, model.explain(X).values)


def test_contributions_add_up(fitted):
    model, X = fitted
    explanation = model.explain(X)
    np.testing.assert_allclose(explanation.values.sum(1) + explanation.base_values, model.predict(X), rtol=1e-8)


def test_pruning_nothing_changes_nothing_and_pruning_more_stays_close(fitted, tmp_path):
    model, X = fitted
    model.save(tmp_path / "model.kan")
    copy, before = kan_tabular.load(tmp_path / "model.kan"), model.predict(X)
    sizes = [s.copy() for s in copy.network_.sizes]
    np.testing.assert_allclose(copy.prune(X, 0.0).predict(X), before, rtol=1e-9, atol=1e-12)
    left = [np.count_nonzero(s) for s in copy.network_.sizes]
    assert left == [np.count_nonzero(s) for s in sizes]  # there was nothing to remove
    own = copy.prune(X, 0.02).predict(X)
    assert sum(np.count_nonzero(s) for s in copy.network_.sizes) <= sum(left)
    assert np.sqrt(np.mean((own - before) ** 2)) < 0.1 * before.std()


def test_classes_and_quantiles_take_products():
    X, y = table()
    probability = LogisticKAN(hidden_layer_sizes=((2, 2),), **SHORT).fit(X, np.digitize(y, [0.0, 1.0])).predict_proba(X)
    np.testing.assert_allclose(probability.sum(1), 1)
    levels = KANRegressor(hidden_layer_sizes=((2, 2),), loss="quantile", quantiles=(0.1, 0.9), **SHORT).fit(X, y)
    assert (np.diff(levels.predict(X)) >= 0).all()


def test_lists_are_taken_like_tuples():
    X, y = table()
    once = KANRegressor(hidden_layer_sizes=((2, 1), 3), **SHORT).fit(X, y)
    same = KANRegressor(hidden_layer_sizes=[[2, 1], np.int64(3)], **SHORT).fit(X, y)
    np.testing.assert_array_equal(once.predict(X), same.predict(X))
