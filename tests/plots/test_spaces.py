"""SpacesDisplay: which columns, bars and paths are drawn, and what is said where there is nothing to draw."""

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kan_tabular import KANRegressor, SKANClassifier, SKANRegressor
from kan_tabular.plots import SpacesDisplay
from kan_tabular.training.stages import FULL, SELECTIVE, STAGES

from .known_model import HOSTILE_NAMES

SETTINGS = {"max_iter": 20, "n_estimators": 2, "hidden_layer_sizes": (4,), "random_state": 0}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "useless": rng.normal(size=120),
            "ward": rng.choice(["cardiology", "general"], 120),
            "wave": rng.uniform(-2, 2, 120),
            "constant": 1.0,
        }
    )
    return X, np.sin(4 * X["wave"]).to_numpy() + 0.5 * (X["ward"] == "general") + 0.1 * rng.normal(size=120)


@pytest.fixture(scope="module")
def model(table):
    return SKANRegressor(**SETTINGS).fit(*table)


def display_of(n_features=3, n_spaces=2, progress=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0), names=None, spaces=None, **changes):
    rng = np.random.default_rng(1)
    parts = {
        "shares": rng.dirichlet(np.ones(n_spaces), n_features),
        "progress": np.array(progress),
        "weights": rng.dirichlet(np.ones(n_spaces), (len(progress), n_features)),
        "space_names": spaces or [f"space {s}" for s in range(n_spaces)],
        "feature_names": names or [f"column {j}" for j in range(n_features)],
        "importances": np.arange(n_features, 0, -1.0),
        "stages": list(STAGES),
    }
    return SpacesDisplay(**{**parts, **changes})


def widths(display):
    return np.array([[bar.get_width() for bar in bars] for bars in display.bars_]).T


def rows(display):
    return [tick.get_text() for tick in display.axes_[0].get_yticklabels()]


def texts(ax):
    return [text.get_text().replace("\n", " ") for text in ax.texts]


def saved(display):
    png = io.BytesIO()
    display.figure_.savefig(png)
    return png.getvalue().startswith(b"\x89PNG")


def test_bars_are_the_shares_of_the_columns_that_choose_most_important_first(model):
    display = SpacesDisplay.from_estimator(model)
    assert rows(display) == ["wave", "useless"] and display.features_ == [2, 0]
    shares = model.space_shares().loc[["wave", "useless"]].to_numpy()
    np.testing.assert_allclose(widths(display), shares, atol=1e-12)
    for bars, before in zip(display.bars_, np.cumsum(shares, axis=1).T - shares.T, strict=True):
        np.testing.assert_allclose([bar.get_x() for bar in bars], before, atol=1e-12)
    heights = [display.axes_[0].transData.transform((0, bar.get_y()))[1] for bar in display.bars_[0]]
    assert heights[0] > heights[1]


def test_lines_are_the_mean_weights_of_the_shown_columns(model):
    path = model.space_path_[0]
    for max_features, shown in ((8, [2, 0]), (1, [2])):
        display = SpacesDisplay.from_estimator(model, max_features=max_features)
        assert len(display.lines_) == 5
        for s, line in enumerate(display.lines_):
            np.testing.assert_array_equal(line.get_xdata(), path["progress"])
            np.testing.assert_allclose(line.get_ydata(), path["weights"][:, shown, s].mean(1), rtol=1e-6)
    assert display.axes_[1].get_ylabel() == "weight"


def test_a_space_has_one_colour_and_the_key_names_it():
    display = display_of(n_spaces=7).plot()
    colours = [to_hex(line.get_color()) for line in display.lines_]
    assert len(set(colours)) == 7
    assert [to_hex(bars[0].get_facecolor()) for bars in display.bars_] == colours
    (key,) = display.figure_.legends
    assert [text.get_text() for text in key.get_texts()] == display.space_names
    assert [to_hex(line.get_color()) for line in key.get_lines()] == colours
    assert all(not bar.get_hatch() for bars in display.bars_ for bar in bars)


def test_spaces_beyond_the_colours_have_marks_of_their_own():
    display = display_of(n_spaces=8).plot()
    looks = {(to_hex(bars[0].get_facecolor()), bars[0].get_hatch()) for bars in display.bars_}
    styles = {(line.get_color(), line.get_linestyle()) for line in display.lines_}
    assert len(looks) == len(styles) == 8
    assert len(display.figure_.legends[0].get_patches()) == 8 and saved(display)


def test_stages_are_marked_and_named():
    ax = display_of().plot().axes_[1]
    marks = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == ":"]
    assert marks == [FULL, SELECTIVE]
    assert texts(ax) == ["full training", "selective training", "pruning and fine-tuning"]
    for text, low, high in zip(ax.texts, (0, FULL, SELECTIVE), (FULL, SELECTIVE, 1), strict=True):
        assert text.get_position()[0] == pytest.approx((low + high) / 2)
    # Lines stay below the names.
    ax.figure.canvas.draw()
    lowest = min(text.get_window_extent().y0 for text in ax.texts)
    highest = max(line.get_ydata().max() for line in ax.lines if line.get_linestyle() == "-")
    assert ax.transData.transform((0, highest))[1] < lowest


@pytest.mark.parametrize(
    ("progress", "drawn"),
    [
        ((0.0, 0.1, 0.2, 1.0), (0.0, 0.1, 0.2, 0.3)),  # stopped after three of ten epochs
        ((0.0, 0.25, 0.5, 0.75, 1.0), (0.0, 0.25, 0.5, 0.75, 1.0)),
        ((0.0, 1.0), (0.0, 1.0)),
    ],
)
def test_the_path_ends_where_training_was_stopped(progress, drawn):
    display = display_of(progress=progress).plot()
    np.testing.assert_allclose(display.lines_[0].get_xdata(), drawn)
    np.testing.assert_array_equal(display.progress, progress)


def test_more_columns_than_fit_are_counted():
    display = display_of(n_features=11)
    assert display.plot(max_features=4).axes_[0].get_title() == "chosen spaces (4 of 11 columns)"
    assert rows(display) == [f"column {j}" for j in range(4)]
    assert display.plot(max_features=11).axes_[0].get_title() == "chosen spaces"


def test_columns_with_nothing_to_choose_neither_show_nor_count():
    display = display_of()
    display.shares[0], display.weights[:, 0] = np.nan, np.nan
    display.plot(max_features=2)
    assert rows(display) == ["column 1", "column 2"] and display.axes_[0].get_title() == "chosen spaces"
    np.testing.assert_allclose(display.lines_[0].get_ydata(), display.weights[:, 1:, 0].mean(1))


def test_without_networks_it_says_so_and_shows_the_path():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    model = SKANRegressor(max_iter=2, n_estimators=2, learning_rate_init=1e-9, additive_start=True, random_state=0)
    model.fit(X, X[:, 0])
    model.spaces_ = model.spaces_.iloc[:0]  # as where no network has weight
    display = SpacesDisplay.from_estimator(model)
    assert "No network has weight" in texts(display.axes_[0])[0] and display.bars_ == []
    assert len(display.lines_) == 5 and len(display.figure_.legends) == 1 and saved(display)


def test_without_a_choice_it_says_so(table):
    X, y = table
    model = SKANRegressor(**SETTINGS).fit(X[["ward", "constant"]], y)
    display = SpacesDisplay.from_estimator(model)
    assert [texts(ax) for ax in display.axes_] == [["No column has a space to choose."]] * 2
    assert display.features_ == display.bars_ == display.lines_ == [] and saved(display)


def test_a_pipeline_shows_the_original_columns(table):
    X, y = table
    pipeline = make_pipeline(StandardScaler(), SKANClassifier(**SETTINGS)).fit(X[["useless", "wave"]], y > 0)
    assert rows(SpacesDisplay.from_estimator(pipeline)) == ["wave", "useless"]


def test_hostile_names_and_many_spaces_render():
    names = list(HOSTILE_NAMES)
    display = display_of(n_features=len(names), n_spaces=8, names=names, spaces=names).plot()
    assert saved(display)
    widths = [ax.get_window_extent().width for ax in display.axes_]
    assert min(widths) > 0.25 * display.figure_.bbox.width
    assert display.figure_.legends[0].get_window_extent().width < display.figure_.bbox.width


def test_axes_can_be_given():
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2)
    display = display_of().plot(ax=axes)
    assert display.axes_.tolist() == axes.tolist() and display.figure_ is figure
    assert display.axes_[1].get_legend() is not None and figure.legends == []
    figure, ax = plt.subplots()
    display = display_of().plot(ax=ax)
    assert display.figure_ is figure and len(display.axes_) == 2 and not ax.axison and saved(display)
    with pytest.raises(ValueError, match="ax has 3 axes; give one to be split, or two"):
        display_of().plot(ax=plt.subplots(1, 3)[1])


def test_wrong_arguments_and_models_are_named(table):
    with pytest.raises(ValueError, match="max_features must be at least 1"):
        display_of().plot(max_features=0)
    with pytest.raises(TypeError, match="KANRegressor has no method space_shares"):
        SpacesDisplay.from_estimator(KANRegressor())
    with pytest.raises(NotFittedError, match="call fit on this SKANRegressor"):
        SpacesDisplay.from_estimator(SKANRegressor())
