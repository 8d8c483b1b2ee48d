"""Pruning: what says nothing goes without a trace, weak edges go first, and nodes go with their edges."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from kan_tabular import KANRegressor
from kan_tabular.fitted.deep import HiddenLayer
from kan_tabular.fitted.pruning import pruned


@pytest.fixture(scope="module")
def fitted():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    model = KANRegressor(hidden_layer_sizes=(4, 3), n_estimators=2, max_iter=5, early_stopping=False, random_state=0)
    return model.fit(X, y), X


def test_edges_of_zero_go_without_any_change(fitted):
    model, X = fitted
    Z, network = model._encode(X), model.network_
    first = [replace(c, coefficients=c.coefficients.copy()) for c in network.inputs]
    first[2].coefficients[:] = 0.0
    hidden = network.layers[0].coefficients.copy()
    hidden[:, :, 1] = 0.0
    sparse = replace(network, inputs=first, layers=[HiddenLayer(hidden, network.layers[0].bias), *network.layers[1:]])
    result, kept = pruned(sparse, Z, 0.0)
    np.testing.assert_allclose(result.forward(Z), sparse.forward(Z), rtol=0, atol=1e-9)
    assert not kept[0][2].any() and not kept[1][:, 1].any()
    assert kept[0][[0, 1, 3]].all() and kept[1][:, [0, 2, 3]].all()


def test_a_node_that_nothing_leads_to_loses_its_edges_and_keeps_its_constant(fitted):
    model, X = fitted
    Z, network = model._encode(X), model.network_
    members, width = network.bias.shape
    first = []
    for c in network.inputs:
        coefficients = c.coefficients.reshape(-1, members, width).copy()
        coefficients[:, :, 0] = 0.0
        first.append(replace(c, coefficients=coefficients.reshape(len(coefficients), -1)))
    starved = replace(network, inputs=first, bias=network.bias + 1.0)
    result, kept = pruned(starved, Z, 0.0)
    assert not kept[1][:, 0].any() and not result.layers[0].coefficients[:, :, 0].any()
    np.testing.assert_allclose(result.forward(Z), starved.forward(Z), rtol=0, atol=1e-9)


def test_weak_edges_go_first_and_more_go_at_a_higher_threshold(fitted):
    model, X = fitted
    Z, network = model._encode(X), model.network_
    left = []
    for threshold in (0.0, 0.1, 0.5):
        result, kept = pruned(network, Z, threshold)
        left.append(sum(int(k.sum()) for k in kept))
        spread = network.edge_sizes(Z)[0]
        share = spread / spread.max(axis=(0, 2), keepdims=True)
        assert (kept[0] == (share >= threshold)).all()
        assert np.isfinite(result.forward(Z)).all()
    assert left[0] > left[1] > left[2]
    mild = pruned(network, Z, 0.05)[0].forward(Z)
    assert np.corrcoef(mild[:, 0], network.forward(Z)[:, 0])[0, 1] > 0.99


def test_the_estimator_prunes_in_place(fitted):
    model, X = fitted
    before = model.predict(X)
    assert model.prune(X, threshold=0.0) is model
    np.testing.assert_allclose(model.predict(X), before, rtol=1e-9)
    with pytest.raises(ValueError, match="threshold"):
        model.prune(X, threshold=1.5)


def test_a_product_without_factors_goes_and_one_with_a_constant_factor_stays():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    settings = {"n_estimators": 2, "max_iter": 5, "early_stopping": False, "random_state": 0}
    model = KANRegressor(hidden_layer_sizes=((1, 2),), **settings).fit(X, X[:, 0] * X[:, 1] + X[:, 2])
    network, Z = model.network_, model._encode(X)
    members = len(network.bias)
    first = []
    for c in network.inputs:  # sums: the plain node, two left factors, two right ones
        coefficients = c.coefficients.reshape(-1, members, 5).copy()
        coefficients[:, :, [1, 2, 3]] = 0.0
        first.append(replace(c, coefficients=coefficients.reshape(len(coefficients), -1)))
    starved = replace(network, inputs=first, bias=network.bias + 1.0)
    result, kept = pruned(starved, Z, 0.0)
    np.testing.assert_allclose(result.forward(Z), starved.forward(Z), rtol=0, atol=1e-9)
    assert (kept[1][:, :, 0] == [True, False, True]).all()  # the first product's factors are both constant
    assert (kept[0] == [True, False, False, False, True]).all()
    assert [layer.products for layer in result.layers] == [2]
