"""Edges of a network with hidden layers: what they add up to, their sizes and ranges."""

import warnings

import numpy as np
import pytest

import kan_tabular
from kan_tabular import LogisticKAN
from kan_tabular.fitted.diagram import read_diagram


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    y = np.digitize(X[:, 0] * X[:, 1] + X[:, 2], [-0.5, 0.5])
    model = LogisticKAN(hidden_layer_sizes=(3, 2), max_iter=5, n_estimators=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y), X


def test_edges_of_the_last_layer_add_up_to_each_class(fitted):
    model, X = fitted
    network = model.network_
    h = network.node_values(X)[-1]  # (M, n, width)
    each = np.einsum("mnwk,mkwo->mno", network.basis.evaluate(h), network.edge_coefficients[-1])
    each = each + (network.layers[-1].bias @ network.output_map)[:, None]
    first = network.columns(X) @ network._first + network.bias.ravel()
    np.testing.assert_allclose(each, network.member_outputs(first) @ network.output_map, atol=1e-10)


def test_sizes_and_ranges_are_those_of_the_rows(fitted):
    model, X = fitted  # 120 rows: all are measured
    network = model.network_
    for h, ranges, sizes, c in zip(
        network.node_values(X), network.ranges, network.sizes[1:], network.edge_coefficients, strict=True
    ):
        np.testing.assert_allclose(ranges, [h.min(1), h.max(1)])
        each = np.einsum("mnwk,mkwo->mnwo", network.basis.evaluate(h), c)
        np.testing.assert_allclose(sizes, each.std(1), atol=1e-9)


def test_the_diagram_survives_saving(fitted, tmp_path):
    model, _ = fitted
    model.save(tmp_path / "model.kan")
    before, after = read_diagram(model.network_, 1), read_diagram(kan_tabular.load(tmp_path / "model.kan").network_, 1)
    assert [layer.sizes.shape for layer in before.layers] == [(3, 3), (3, 2), (2, 3)]
    for a, b in zip(before.layers, after.layers, strict=True):
        np.testing.assert_array_equal(np.stack(a.x), np.stack(b.x))
        np.testing.assert_array_equal(np.stack(a.y), np.stack(b.y))
        np.testing.assert_array_equal(a.sizes, b.sizes)
