"""NetworkDisplay: which edges, nodes and names are drawn."""

import io
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_hex
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kan_tabular import KAAMClassifier, KAAMRegressor, KANRegressor, LogisticKAN
from kan_tabular.fitted.diagram import DiagramLayer
from kan_tabular.plots import NetworkDisplay

from .known_model import HOSTILE_NAMES

SETTINGS = {"max_iter": 5, "n_estimators": 2, "random_state": 0}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    n = 150
    X = pd.DataFrame({f"column {i}": rng.normal(size=n) for i in range(5)})
    X["ward"] = rng.choice(["cardiology", "general", "surgery"], n)
    X.loc[::9, "column 1"] = np.nan
    eta = 2 * X["column 0"] + X["column 2"] * X["column 3"] + 2 * (X["ward"] == "general")
    return X, eta.to_numpy() + rng.normal(size=n)


@pytest.fixture(scope="module")
def binary(table):
    X, eta = table
    return fit(LogisticKAN(hidden_layer_sizes=(5,), **SETTINGS), X, np.where(eta > 0, "ill", "well"))


@pytest.fixture(scope="module")
def multiclass(table):
    X, eta = table
    return fit(LogisticKAN(hidden_layer_sizes=(4, 3), **SETTINGS), X, np.digitize(eta, [-1, 1.5]))


def fit(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y)


def known(*shapes, seed=0):
    """Layers of edges with curves from (sources, targets)."""
    rng = np.random.default_rng(seed)
    layers = []
    for sources, targets in shapes:
        x = [np.linspace(0, 1, 7)] * sources
        y = [rng.normal(size=(7, targets)) for _ in range(sources)]
        layers.append(DiagramLayer(x, y, rng.uniform(0.2, 1.0, (sources, targets))))
    return layers


def display_of(layers, names=None, kinds=None, outputs=None):
    p, n_outputs = layers[0].sizes.shape[0], layers[-1].sizes.shape[1]
    return NetworkDisplay(
        layers=layers,
        feature_names=names or [f"a name of middle length {i}" for i in range(p)],
        feature_kinds=kinds or ["numeric"] * p,
        importances=np.arange(p, 0, -1),
        output_names=outputs or [f"class {k}" for k in range(n_outputs)],
    )


def texts(display):
    return [text.get_text() for text in display.ax_.texts]


def test_every_edge_above_the_threshold_has_its_curve(binary):
    network = binary.network_
    m = int(network.weights.argmax())
    display = NetworkDisplay.from_estimator(binary, min_size=0.2, max_edges=None)
    for drawn, sizes in zip(display.edges_, [network.sizes[0][:, m], network.sizes[1][m]], strict=True):
        large = sizes >= 0.2 * sizes.max()
        assert set(drawn) <= set(zip(*map(list, np.nonzero(large)), strict=True))
        fades = [drawn[edge].get_alpha() for edge in sorted(drawn, key=lambda edge: sizes[edge])]
        assert fades == sorted(fades) and fades[-1] == pytest.approx(1.0)
    nodes = set(display.nodes_[1])  # edges of nodes that lead nowhere are left out
    sizes = network.sizes[0][:, m]
    expected = [(i, j) for i, j in np.argwhere(sizes >= 0.2 * sizes.max()) if j in nodes]
    assert sorted(display.edges_[0]) == sorted(expected)


def test_the_curve_is_the_members(binary):
    network = binary.network_
    display = NetworkDisplay.from_estimator(binary, member=1, min_size=0.0, max_edges=None)
    line = display.edges_[1][2, 0]
    h = np.linspace(network.ranges[0][0, 1, 2], network.ranges[0][1, 1, 2], 60)
    curve = network.basis.evaluate(h) @ network.layers[0].coefficients[1, :, 2, 0]
    assert np.corrcoef(line.get_ydata(), curve)[0, 1] > 1 - 1e-9


def test_title_and_names(binary):
    display = NetworkDisplay.from_estimator(binary, member=1)
    network = binary.network_
    assert display.ax_.get_title() == f"member 1 of {network.n_members}, weight {network.weights[1]:.2g}"
    assert {"ward", "column 0", "log-odds of well"} <= set(texts(display))
    default = NetworkDisplay.from_estimator(binary)
    assert default.ax_.get_title().startswith(f"member {network.weights.argmax()} of ")


def test_what_is_not_drawn_is_said():
    display = display_of(known((12, 4), (4, 1))).plot(max_features=3, min_size=0.0)
    assert display.caption_ == "Not drawn: 9 of 12 inputs, 36 of 52 edges"
    assert display.caption_ in texts(display)
    assert sum(map(len, display.edges_)) == 16
    assert len(display.plot(max_features=12, max_edges=10).edges_[0]) <= 10
    whole = display.plot(max_features=12, min_size=0.0, max_edges=None)
    assert whole.caption_ == "" and sum(map(len, whole.edges_)) == 52


def test_nodes_that_lead_nowhere_are_left_out():
    layers = known((3, 2), (2, 1))
    layers[1].sizes[1, 0] = 0.001
    display = display_of(layers).plot()
    assert list(display.nodes_[1]) == [0] and all(target == 0 for _, target in display.edges_[0])
    assert display.caption_ == "Not drawn: 1 of 2 hidden nodes, 4 of 8 edges"


def test_each_class_has_its_colour(multiclass):
    display = NetworkDisplay.from_estimator(multiclass, min_size=0.0, max_edges=None)
    colours = {target: to_hex(line.get_color()) for (_, target), line in display.edges_[-1].items()}
    assert len(set(colours.values())) == 3 and len(display.edges_) == 3
    assert texts(display)[6:9] == ["0", "1", "2"]


def test_categories_are_bars(table, binary):
    names = list(table[0].columns)
    display = NetworkDisplay.from_estimator(binary, min_size=0.0, max_edges=None)
    for (source, _), artist in display.edges_[0].items():
        assert isinstance(artist, PolyCollection) == (names[source] == "ward")
        if names[source] == "ward":
            assert len(artist.get_paths()) == 3


def test_an_additive_model_is_one_layer(table):
    X, eta = table
    model = fit(KAAMRegressor(), X, eta)
    display = NetworkDisplay.from_estimator(model, min_size=0.0)
    assert len(display.edges_) == 1 and "mean" in texts(display) and display.ax_.get_title() == ""
    line, curve = display.edges_[0][2, 0], model.shape_function("column 2")
    at = np.linspace(curve.x[0], curve.x[-1], len(line.get_ydata()))
    assert np.corrcoef(line.get_ydata(), np.interp(at, curve.x, curve.y))[0, 1] > 0.9999
    spread = model.explain(X).values.std(0)
    np.testing.assert_allclose(display.layers[0].sizes[:, 0], spread, rtol=0.05, atol=0.01)
    with pytest.raises(ValueError, match="member must be None"):
        NetworkDisplay.from_estimator(model, member=0)
    classes = fit(KAAMClassifier(), X, np.digitize(eta, [-1, 1.5]))
    display = NetworkDisplay.from_estimator(classes)
    assert {target for _, target in display.edges_[0]} == {0, 1, 2}


def test_without_members_the_additive_part_is_drawn(table):
    X, eta = table
    model = fit(KANRegressor(hidden_layer_sizes=(3,), additive_start=True, early_stopping=False, **SETTINGS), X, eta)
    network = model.network_
    network.weights = np.zeros(0)
    display = NetworkDisplay.from_estimator(model)
    spread = network.effects(model._encode(X))[:, :, 0].std(0) / network.scale
    np.testing.assert_allclose(display.layers[0].sizes[:, 0], spread, rtol=0.05, atol=0.01)
    assert len(display.edges_) == 1 and len(display.edges_[0])
    assert display.ax_.get_title() == "the additive part alone (no network has weight)"


def test_the_additive_part_beside_a_network_is_mentioned(table):
    X, eta = table
    model = fit(KANRegressor(hidden_layer_sizes=(3,), additive_start=True, early_stopping=False, **SETTINGS), X, eta)
    assert "the additive part of the model" in NetworkDisplay.from_estimator(model).caption_
    model = fit(KANRegressor(hidden_layer_sizes=(3,), additive_start=False, **SETTINGS), X, eta)
    assert "additive" not in NetworkDisplay.from_estimator(model).caption_


def test_outputs_of_other_regressions(table):
    X, eta = table
    settings = {"hidden_layer_sizes": (3,), **SETTINGS}
    counts = fit(KANRegressor(loss="poisson", **settings), X, np.round(np.abs(eta)))
    assert "log of mean" in texts(NetworkDisplay.from_estimator(counts))
    levels = fit(KANRegressor(loss="quantile", quantiles=(0.1, 0.9), **settings), X, eta)
    assert {"quantile 0.1", "quantile 0.9"} <= set(texts(NetworkDisplay.from_estimator(levels)))
    targets = fit(KANRegressor(**settings), X, np.column_stack([eta, -eta]))
    assert {"mean of target 0", "mean of target 1"} <= set(texts(NetworkDisplay.from_estimator(targets)))


@pytest.fixture(scope="module")
def products(table):
    X, eta = table
    return fit(KANRegressor(hidden_layer_sizes=((2, 2), (0, 1)), additive_start=False, **SETTINGS), X, eta)


def test_the_factors_of_a_product_end_at_its_place(products):
    network = products.network_
    display = NetworkDisplay.from_estimator(products, min_size=0.0, max_edges=None)
    assert [layer.sizes.shape for layer in display.layers] == [(6, 6), (4, 2), (1, 1)]
    leads_to = [[0, 1, 2, 3, 2, 3], [0, 0], [0]]  # of the sums of each layer: plain ones, left factors, right ones
    wires = [c for c in display.ax_.collections if isinstance(c, LineCollection)]
    for k, (edges, lines) in enumerate(zip(display.edges_, wires, strict=True)):
        assert len(edges) == len(lines.get_segments()) == display.layers[k].sizes.size
        for (source, target), wire in zip(edges, lines.get_segments(), strict=True):
            np.testing.assert_allclose(wire[0], display.nodes_[k][source])
            np.testing.assert_allclose(wire[-1], display.nodes_[k + 1][leads_to[k][target]])
    # Every factor has its own curve.
    m = int(network.weights.argmax())
    h = np.linspace(*network.ranges[0][:, m, 3], 60)  # of the last product
    for target in range(2):
        curve = network.basis.evaluate(h) @ network.layers[0].coefficients[m, :, 3, target]
        assert np.corrcoef(display.edges_[1][3, target].get_ydata(), curve)[0, 1] > 1 - 1e-9
    # Three nodes carry a cross, at their places.
    crosses = [
        c.get_offsets() for c in display.ax_.collections if isinstance(c, PathCollection) and len(c.get_offsets()) < 4
    ]
    places = {tuple(place) for offsets in crosses for place in np.round(offsets, 9)}
    expected = [display.nodes_[1][2], display.nodes_[1][3], display.nodes_[2][0]]
    assert places == {tuple(np.round(place, 9)) for place in expected}


def test_nodes_are_counted_not_their_factors():
    layers = known((3, 5), (3, 1))
    layers[0] = replace(layers[0], nodes=np.array([0, 1, 2, 1, 2]))
    layers[1].sizes[2, 0] = 0.001
    display = display_of(layers).plot()
    assert set(display.nodes_[1]) == {0, 1} and {t for _, t in display.edges_[0]} == {0, 1, 3}
    assert display.caption_ == "Not drawn: 1 of 3 hidden nodes, 7 of 18 edges"
    layers[0].sizes[:, 3] = 0.0  # a product with one factor left is still drawn
    assert {t for _, t in display_of(layers).plot().edges_[0]} == {0, 1}


def test_pipelines_are_taken(table):
    X, eta = table
    X = X.drop(columns="ward")
    pipeline = make_pipeline(StandardScaler(), LogisticKAN(hidden_layer_sizes=(3,), **SETTINGS))
    assert {"column 0", "column 4"} <= set(texts(NetworkDisplay.from_estimator(fit(pipeline, X, eta > 0))))


def test_axes_can_be_given(binary):
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    display = NetworkDisplay.from_estimator(binary, ax=ax)
    assert display.ax_ is ax and display.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    assert ax.texts[0].get_fontsize() < NetworkDisplay.from_estimator(binary).ax_.texts[0].get_fontsize()


@pytest.mark.parametrize("max_edges", [48, None])
@pytest.mark.parametrize(
    "shapes",
    [[(3, 1)], [(10, 3)], [(3, 5), (5, 1)], [(30, 16), (16, 1)], [(30, 5), (5, 12)], [(12, 16), (16, 16), (16, 3)]],
    ids=str,
)
def test_nothing_collides(shapes, max_edges):
    layers = known(*shapes)
    layers[0].sizes[1:, 1:] *= 0.01  # inputs with a single edge stand closest
    display = display_of(layers).plot(max_features=30, max_edges=max_edges)
    figure = display.figure_
    figure.savefig(io.BytesIO())
    labels = [text.get_window_extent() for text in display.ax_.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(labels) for b in labels[:i])
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in labels)
    for k, edges in enumerate(display.edges_):
        extents = [line.get_window_extent() for line in edges.values()]
        assert not any(a.overlaps(b) for i, a in enumerate(extents) for b in extents[:i]), k


def test_hostile_names_render():
    names = list(HOSTILE_NAMES)
    display = display_of(known((len(names), 2), (2, 2)), names=names, outputs=["$no$", "yes \N{GRINNING FACE}"]).plot()
    png = io.BytesIO()
    display.figure_.savefig(png, format="png")
    assert png.getvalue().startswith(b"\x89PNG")


def test_a_network_without_any_effect_is_drawn():
    layers = known((3, 2))
    layers[0].sizes[:] = 0.0
    display = display_of(layers).plot()
    display.figure_.savefig(io.BytesIO())
    assert display.edges_ == [{}] and len(display.nodes_[0]) == 3
    assert display.caption_ == "Not drawn: 6 of 6 edges"


def test_wrong_arguments_are_named(binary):
    for name, value in (("max_features", 0), ("max_edges", 0), ("min_size", 1.5)):
        with pytest.raises(ValueError, match=f"{name} must be"):
            NetworkDisplay.from_estimator(binary, **{name: value})
    with pytest.raises(ValueError, match="member=99: expected an integer from 0 to"):
        NetworkDisplay.from_estimator(binary, member=99)
    with pytest.raises(TypeError, match="LogisticRegression has no method explain"):
        NetworkDisplay.from_estimator(LogisticRegression())
    with pytest.raises(NotFittedError, match="call fit on this LogisticKAN"):
        NetworkDisplay.from_estimator(LogisticKAN())
