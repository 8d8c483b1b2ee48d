"""Fitted networks with hidden layers: against torch, against plain loops over edges, and against all coalitions."""

import json
from dataclasses import replace
from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import pytest

from kan_tabular import KANRegressor, LogisticKAN
from kan_tabular.fitted import curves as curves_module
from kan_tabular.fitted import deep as module
from kan_tabular.fitted.curves import InputCurves
from kan_tabular.fitted.deep import DeepNetwork
from kan_tabular.fitted.effects import main_effect, pair_effects

N = 150
SHORT = {"max_iter": 4, "n_estimators": 2, "random_state": 0}
MAKE = {
    "binary": lambda **kw: LogisticKAN(**SHORT, **kw),
    "multiclass": lambda **kw: LogisticKAN(**SHORT, **kw),
    "gaussian": lambda **kw: KANRegressor(**SHORT, **kw),
    "poisson": lambda **kw: KANRegressor(loss="poisson", **SHORT, **kw),
    "products": lambda **kw: KANRegressor(hidden_layer_sizes=((3, 2), (0, 2)), **SHORT, **kw),
}


def table():
    rng = np.random.default_rng(0)
    a = rng.normal(size=N)
    return pd.DataFrame(
        {
            "a": a,
            "holes": np.where(rng.random(N) < 0.2, np.nan, a + rng.exponential(size=N)),
            "level": np.where(rng.random(N) < 0.1, None, rng.choice(list("xyz"), N)),
            "constant": 7.0,
            "empty": np.nan,
        }
    )


def response(name, X):
    rng = np.random.default_rng(1)
    eta = X["a"].to_numpy() * np.nan_to_num(X["holes"].to_numpy()) + (X["level"] == "x").to_numpy()
    return {
        "binary": lambda: eta + rng.normal(size=N) > 0.5,
        "multiclass": lambda: np.digitize(eta + 0.5 * rng.normal(size=N), [0.0, 1.0]),
        "gaussian": lambda: 50 + 10 * eta,
        "products": lambda: 50 + 10 * eta,
        "poisson": lambda: rng.poisson(np.exp(np.clip(eta, -3, 2))),
    }[name]()


@pytest.fixture(scope="module", params=MAKE)
def fitted(request):
    """A network after a few epochs, its hidden curves then shaken so that features interact, and its encoded rows."""
    X = table()
    model = MAKE[request.param]().fit(X, response(request.param, X))
    return shaken(model.network_), model._encode(X)


def shaken(network):
    rng = np.random.default_rng(2)
    layers = []
    for layer in network.layers:
        coefficients = 0.7 * rng.normal(size=layer.coefficients.shape)
        layers.append(replace(layer, coefficients=coefficients, bias=rng.normal(size=layer.bias.shape)))
    return replace(network, layers=layers)


def strange(Z):
    """Training rows, then values far outside, missing everywhere, and unseen levels."""
    rows = Z[:30].copy()
    rows[0] = np.nan
    rows[1, :2], rows[2, :2] = 1e6, -1e6
    rows[1:3, 2] = -1
    rows[4:9, 2] = [0, 1, 2, np.nan, -1]
    return rows


# ------------------------------------------------------------------------------------------------ plain loops


def features_at_first_layer(network, Z):
    """Each feature's part of the first layer's values (p, n, M, H), curve by curve."""
    seen = network.front(Z)
    parts = [c.evaluate(seen[:, j]) for j, c in enumerate(network.inputs)]
    return np.stack(parts).reshape(len(parts), len(Z), *network.bias.shape)


def nodes_of(sums, products):
    """Values of a layer's nodes: the plain sums, then each left factor times its right factor."""
    plain = sums.shape[-1] - 2 * products
    nodes = [sums[..., i] for i in range(plain)]
    nodes += [sums[..., plain + i] * sums[..., plain + products + i] for i in range(products)]
    return np.stack(nodes, axis=-1)


def eta(network, Z, present=None):
    """Linear predictor of the fitted outputs with only some features present, node by node and member by member."""
    p = len(network.inputs)
    present = range(p) if present is None else present
    parts = features_at_first_layer(network, Z)
    out = np.tile(network.intercept, (len(Z), 1))
    for j in present:
        out = out + network.additive[j].evaluate(network.front(Z)[:, j])
    for m, share in enumerate(network.weights):
        h = network.bias[m] + sum((parts[j, :, m] for j in present), np.zeros((len(Z), network.bias.shape[1])))
        for layer in network.layers:
            h = nodes_of(h, layer.products)
            after = np.tile(layer.bias[m], (len(Z), 1))
            for node in range(h.shape[1]):
                after = after + network.basis.evaluate(h[:, node]) @ layer.coefficients[m, :, node, :]
            h = after
        out = out + share * h
    return out


def users(network, eta, shift=True):
    return (eta * network.scale + (network.shift if shift else 0.0)) @ network.output_map


def between(network, Z, first, second):
    return users(network, eta(network, Z, first) - eta(network, Z, second), shift=False)


def test_forward_is_the_sum_over_edges(fitted):
    network, Z = fitted
    rows = strange(Z)
    expected = users(network, eta(network, rows))
    np.testing.assert_allclose(network.forward(rows), expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())
    assert np.isfinite(expected).all()
    # Curves that do nothing would agree with anything.
    assert np.std(users(network, eta(network, Z) - eta(replace(network, weights=0 * network.weights), Z), False)) > 0.1
    if network.n_outputs > 1:
        np.testing.assert_allclose(network.forward(rows).sum(1), 0.0, atol=1e-9)


def test_base_is_the_prediction_with_every_feature_absent(fitted):
    network, Z = fitted
    np.testing.assert_allclose(network.base, users(network, eta(network, Z[:1], []))[0], rtol=1e-10)


def test_first_layer_curves_are_centred_over_the_training_rows(fitted):
    network, Z = fitted
    parts = features_at_first_layer(network, Z)
    np.testing.assert_allclose(parts.mean(1), 0.0, atol=1e-9)
    assert np.abs(parts[:3]).max((1, 2, 3)).min() > 0.01 and not parts[3:].any()


def test_effects_and_left_out_are_what_one_feature_changes(fitted):
    network, Z = fitted
    rows, everything = strange(Z), range(5)
    effects, left_out = network.effects(rows), network.left_out(rows)
    assert effects.shape == left_out.shape == (30, 5, network.n_outputs)
    for j in everything:
        rest = [k for k in everything if k != j]
        tolerance = {"rtol": 1e-8, "atol": 1e-9 * np.abs(effects).max()}
        np.testing.assert_allclose(effects[:, j], between(network, rows, [j], []), **tolerance)
        np.testing.assert_allclose(left_out[:, j], between(network, rows, everything, rest), **tolerance)
    assert not np.allclose(effects, left_out)


def test_pair_effects_are_what_two_features_change_beyond_what_each_changes(fitted):
    network, Z = fitted
    rows, pairs = strange(Z), [(0, 1), (2, 0), (1, 2), (0, 3)]
    for own in (network, replace(network, additive=with_curves(network))):  # the additive part has no pairs
        effects = pair_effects(own, rows, pairs)
        assert effects.shape == (30, 4, network.n_outputs)
        for k, (i, j) in enumerate(pairs):
            both = between(own, rows, [i, j], [])
            expected = both - between(own, rows, [i], []) - between(own, rows, [j], [])
            np.testing.assert_allclose(effects[:, k], expected, rtol=1e-7, atol=1e-9 * np.abs(both).max())
    assert np.abs(effects[:, :3]).max((0, 2)).min() > 0.01 and np.abs(effects[:, 3]).max() < 1e-9


def test_the_main_effect_of_a_feature_as_a_curve_is_its_effect_on_rows(fitted):
    network, Z = fitted
    network = replace(network, additive=with_curves(network))
    effects = network.effects(Z)
    tolerance = {"rtol": 1e-8, "atol": 1e-9 * np.abs(effects).max()}
    for output in range(network.n_outputs):
        for j, name in enumerate(["a", "holes", "level", "constant"]):
            shape, known = main_effect(network, j, output), ~np.isnan(Z[:, j])
            assert shape.feature == name and shape.kind == ("category" if name == "level" else "numeric")
            if name == "level":
                assert list(shape.x) == ["x", "y", "z"]
                said = shape.y[Z[known, j].astype(int)]
            else:
                said = main_effect(network, j, output, Z[known, j]).y
                assert (shape.x[0], shape.x[-1]) == (Z[known, j].min(), Z[known, j].max())
            np.testing.assert_allclose(said, effects[known, j, output], **tolerance)
            assert (shape.missing is not None) == (name in ("holes", "level"))
            if shape.missing:
                assert shape.missing.weight == pytest.approx(1 - known.mean())
                np.testing.assert_allclose(effects[~known, j, output], shape.missing.value, **tolerance)


# ------------------------------------------------------------------------------------------------------- Shapley


def exact_shapley(network, Z, players):
    """From the definition: every coalition."""
    p = len(network.inputs)
    others = [j for j in range(p) if j not in players]  # features without curves: they change nothing
    value = {
        frozenset(s): users(network, eta(network, Z, [*s, *others]))
        for r in range(len(players) + 1)
        for s in combinations(players, r)
    }
    out = np.zeros((len(Z), p, network.n_outputs))
    n = len(players)
    for j in players:
        for s, v in value.items():
            if j not in s:
                share = factorial(len(s)) * factorial(n - len(s) - 1) / factorial(n)
                out[:, j] += share * (value[s | {j}] - v)
    return out


def test_shapley_values_and_base_sum_to_the_prediction(fitted):
    network, Z = fitted
    rows = strange(Z)
    for n_permutations in (1, 3):
        values = network.shapley(rows, n_permutations, np.random.default_rng(0))
        expected = network.forward(rows)
        np.testing.assert_allclose(
            network.base + values.sum(1), expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max()
        )
        assert not values[:, 3:].any()


def test_shapley_values_approach_the_average_over_all_coalitions(fitted):
    network, Z = fitted
    rows = strange(Z)
    exact = exact_shapley(network, rows, [0, 1, 2])
    size = np.abs(exact).max()
    errors = [np.abs(network.shapley(rows, k, np.random.default_rng(0)) - exact).max() / size for k in (1, 150)]
    assert errors[1] < 0.03 and errors[1] < errors[0] / 3, errors


def test_shapley_values_of_two_features_are_exact(fitted):
    """Any order and its reverse are all orders of two features."""
    network, Z = fitted
    silent = replace(network.inputs[2], coefficients=0 * network.inputs[2].coefficients)
    two = replace(network, inputs=[*network.inputs[:2], silent, *network.inputs[3:]])
    values = two.shapley(Z[:20], 1, np.random.default_rng(0))
    exact = exact_shapley(two, Z[:20], [0, 1, 2])
    np.testing.assert_allclose(values, exact, rtol=1e-8, atol=1e-9 * np.abs(exact).max())
    # They interact: neither the lone nor the last effect alone would do.
    assert np.abs(values[:, 0] - two.effects(Z[:20])[:, 0]).max() > 0.01 * np.abs(exact).max()


# ------------------------------------------------------------------------------------------- additive parts alone


def without_members(network):
    inputs = [replace(c, coefficients=c.coefficients[:, :0]) for c in network.inputs]
    layers = [replace(layer, coefficients=layer.coefficients[:0], bias=layer.bias[:0]) for layer in network.layers]
    return replace(
        network, inputs=inputs, bias=network.bias[:0], layers=layers, weights=np.zeros(0), additive=with_curves(network)
    )


def with_curves(network):
    """Additive parts that say something, in the columns of the first layer's own curves."""
    rng, C = np.random.default_rng(3), len(network.intercept)
    return [replace(c, coefficients=rng.normal(size=(c.n_columns, C))) for c in network.inputs]


def test_a_network_without_members_is_an_additive_model(fitted):
    network, Z = fitted
    rows, alone = strange(Z), without_members(network)
    contributions = np.stack([c.evaluate(alone.front(rows)[:, j]) for j, c in enumerate(alone.additive)], axis=1)
    contributions = users(alone, contributions, shift=False)
    assert np.abs(contributions).max() > 0.1
    for own in (alone.effects(rows), alone.left_out(rows), alone.shapley(rows, 1, np.random.default_rng(0))):
        np.testing.assert_allclose(own, contributions, rtol=1e-9, atol=1e-9 * np.abs(contributions).max())
    np.testing.assert_allclose(alone.base, users(alone, alone.intercept[None])[0])
    np.testing.assert_allclose(alone.forward(rows), alone.base + contributions.sum(1), rtol=1e-9, atol=1e-9)
    assert [s.size for s in alone.edge_sizes(Z)] == [0] * (1 + len(alone.layers))
    spec, arrays = alone.to_spec()
    again = DeepNetwork.from_spec(json.loads(json.dumps(spec)), arrays)
    np.testing.assert_array_equal(again.forward(rows), alone.forward(rows))


def test_the_additive_part_is_exact_in_shapley_values(fitted):
    network, Z = fitted
    rows, both = strange(Z), replace(network, additive=with_curves(network))
    expected = users(both, eta(both, rows))
    np.testing.assert_allclose(both.forward(rows), expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
    silent = replace(both, additive=[replace(c, coefficients=0 * c.coefficients) for c in both.additive])
    added = np.stack([c.evaluate(both.front(rows)[:, j]) for j, c in enumerate(both.additive)], axis=1)
    difference = both.shapley(rows, 1, np.random.default_rng(0)) - silent.shapley(rows, 1, np.random.default_rng(0))
    added = users(both, added, shift=False)
    np.testing.assert_allclose(difference, added, rtol=1e-8, atol=1e-9 * np.abs(expected).max())


# ----------------------------------------------------------------------------------------------- sizes, paths, spec


def test_sizes_are_standard_deviations_of_edges(fitted):
    network, Z = fitted
    rows = Z[:60]
    sizes = network.edge_sizes(rows)
    assert [s.ndim for s in sizes] == [3] * (1 + len(network.layers))
    parts = features_at_first_layer(network, rows)
    np.testing.assert_allclose(sizes[0], parts.std(1), rtol=1e-8, atol=1e-9)
    h = network.bias + parts.sum(0)  # (n, M, H)
    for layer, own in zip(network.layers, sizes[1:], strict=True):
        edge = np.einsum("nmwk,mkwo->nmwo", network.basis.evaluate(nodes_of(h, layer.products)), layer.coefficients)
        said = edge if layer is not network.layers[-1] else edge @ network.output_map  # to what users see
        np.testing.assert_allclose(own, said.std(0), rtol=1e-7, atol=1e-8)
        h = edge.sum(2) + layer.bias
    assert max(s.max() for s in sizes) > 0.1


def test_one_row_and_many_rows_and_blocks_of_rows_agree(fitted, monkeypatch):
    network, Z = fitted
    network = replace(network, additive=with_curves(network))

    def answers(rows):
        rng = np.random.default_rng(0)
        return network.forward(rows), network.effects(rows), network.left_out(rows), network.shapley(rows, 1, rng)

    rows = np.concatenate([strange(Z), Z[30:]])
    assert len(rows) > curves_module._FEW_ROWS
    whole = answers(rows)
    for i in (0, 1, 2, 5, 8, 77):
        for own, expected in zip(answers(rows[i : i + 1]), whole, strict=True):
            np.testing.assert_allclose(own, expected[i : i + 1], rtol=1e-9, atol=1e-9 * np.abs(whole[0]).max())
    cells = network.bias.size * (network.basis.n_functions + 1)
    monkeypatch.setattr(module, "_BLOCK_CELLS", 11 * cells)
    assert len(network._blocks(len(rows))) > 10
    for own, expected in zip(answers(rows), whole, strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-9, atol=1e-9 * np.abs(whole[0]).max())


def test_a_network_survives_its_spec(fitted):
    network, Z = fitted
    spec, arrays = network.to_spec()
    assert all(isinstance(a, np.ndarray) for a in arrays.values())
    again = DeepNetwork.from_spec(json.loads(json.dumps(spec, allow_nan=False)), arrays)
    rows = strange(Z)
    np.testing.assert_array_equal(again.forward(rows), network.forward(rows))
    np.testing.assert_array_equal(again.effects(rows), network.effects(rows))
    np.testing.assert_array_equal(again.base, network.base)
    assert again.feature_names == network.feature_names and again.kinds == network.kinds
    for name in ("density", "density_edges", "sizes"):
        for own, expected in zip(getattr(again, name), getattr(network, name), strict=True):
            np.testing.assert_array_equal(own, expected)
    np.testing.assert_array_equal(again.mean_abs, network.mean_abs)
    assert json.loads(json.dumps(again.to_spec()[0])) == json.loads(json.dumps(spec))


# --------------------------------------------------------------------------------------------------- against torch


@pytest.mark.parametrize("additive_start", [False, True, "auto"])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("name", ["multiclass", "gaussian", "products"])
def test_members_are_those_that_torch_trained(name, early_stopping, additive_start, monkeypatch):
    import torch

    from kan_tabular.training import fit as training

    caught = {}
    train = training.train

    def spy(network, data, *args, **kwargs):
        trained = train(network, data, *args, **kwargs)
        caught.update(network=network, data=data, settings=trained.settings)
        return trained

    monkeypatch.setattr(training, "train", spy)
    X = table()
    model = MAKE[name](early_stopping=early_stopping, additive_start=additive_start).fit(X, response(name, X))
    fitted, Z, data = model.network_, model._encode(X), caught["data"]
    np.testing.assert_allclose(fitted.columns(Z), data.X.numpy(), atol=1e-5)

    network = caught["network"].double()
    with torch.no_grad():
        said = network(torch.tensor(fitted.columns(Z))).numpy()  # (F S, n, C)
    weight = np.array([c["weight"] for c in model.candidates_ if c["candidate"] == "network"])
    S, F = len(weight), data.n_folds
    share = np.tile(weight[caught["settings"]] / F, F)  # those given up midway have no weight
    assert weight.sum() == pytest.approx(share.sum())
    expected = np.tensordot(share, said, 1)
    h = fitted.columns(Z) @ np.concatenate([c.coefficients for c in fitted.inputs]) + fitted.bias.ravel()
    np.testing.assert_allclose(fitted.head(h), expected, rtol=1e-6, atol=1e-6)
    assert np.abs(expected).max() > 0.01 or (early_stopping and additive_start)  # else four epochs may add nothing

    # Beside them: the constant, or the additive fits that members began at, in the same shares.
    base, starts = data.base.double().numpy(), data.offsets.double().numpy()
    beside = np.tile(base, (len(Z), 1))
    began = data.additive.numpy() @ weight
    if began:
        beside = beside + began * (starts.mean(0) - base)
    own = fitted.intercept + sum(c.evaluate(fitted.front(Z)[:, j]) for j, c in enumerate(fitted.additive))
    additive = [c["weight"] for c in model.candidates_ if c["candidate"] == "additive"]
    assert len(additive) == (additive_start is not False)
    if additive and additive[0]:
        # The additive fit of all rows: where members begin when none of them leaves rows out.
        MAKE[name](early_stopping=False, additive_start=True).fit(X, response(name, X))
        whole = caught["data"].offsets[0].double().numpy()
        np.testing.assert_allclose(own, beside + additive[0] * (whole - base), rtol=1e-5, atol=1e-5)
    else:
        np.testing.assert_allclose(own, beside, rtol=1e-5, atol=1e-5)
    assert len(data.additive) == S


def test_curves_of_different_families_stack():
    """A network whose inputs all say nothing still has a shape."""
    nothing = InputCurves(None, np.zeros((0, 0)), np.zeros(0), 0.0, np.zeros((0, 2)))
    stacked = curves_module.StackedCurves([nothing, nothing])
    assert stacked.evaluate(np.array([[1.0, np.nan], [-1.0, 2.0]])).tolist() == [[[0.0] * 2] * 2] * 2
