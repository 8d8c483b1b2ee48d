"""`projection`: wide tables enter as straight lines, and curves begin behind them."""

import numpy as np
import pandas as pd
import pytest

from kan_tabular import KANRegressor, LogisticKAN, load

SHORT = {"max_iter": 60, "n_estimators": 2, "random_state": 0, "additive_start": False, "hidden_layer_sizes": (6,)}


def wide(n=400, p=40, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, p))).add_prefix("x")
    return X, np.tanh(X["x0"] + X["x1"] - X["x2"]).to_numpy() ** 2, rng


def test_the_first_layer_is_linear_in_what_the_front_shows():
    X, y, rng = wide()
    X["level"] = rng.choice(list("abc"), len(X))
    X.loc[::5, "x3"] = np.nan
    network = KANRegressor(projection=3, **SHORT).fit(X, y).network_
    assert [c.n_columns for c in network.inputs] == [2 if name == "x3" else 1 for name in X.columns[:-1]] + [2]
    assert network.bias.shape[1] == 3 and [layer.coefficients.shape[2] for layer in network.layers] == [3, 6]
    Z = np.zeros((5, len(X.columns)))
    Z[:, 0] = np.linspace(-2, 2, 5)
    seen = network.front(Z)[:, 0]
    slopes = np.diff(network.columns(Z)[:, 0]) / np.diff(seen)
    np.testing.assert_allclose(slopes, np.full(4, slopes[0]), rtol=1e-10)


def test_it_finds_a_curve_of_a_sum_of_many_columns(tmp_path):
    X, y, _ = wide(800)
    model = KANRegressor(projection=2, **SHORT).fit(X[:600], y[:600])
    assert model.score(X[600:], y[600:]) > 0.9
    values = model.explain(X[600:610])
    np.testing.assert_allclose(values.values.sum(1) + values.base_values, model.predict(X[600:610]), atol=1e-10)
    model.save(tmp_path / "m.kan")
    np.testing.assert_array_equal(load(tmp_path / "m.kan").predict(X), model.predict(X))


@pytest.mark.parametrize("value", [0, -1, 2.5, "auto", True])
def test_an_impossible_projection_is_refused_by_name(value):
    X, y, _ = wide(60, 3)
    with pytest.raises(ValueError, match="projection"):
        LogisticKAN(projection=value, **SHORT).fit(X, y > np.median(y))
