"""DependenceDisplay: dots are changes of the prediction, which lie on the curve where features do not interact."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tables import refused

from kan_tabular import KAAMClassifier, KAAMRegressor, KANRegressor, LogisticKAN
from kan_tabular.plots import DependenceDisplay
from kan_tabular.plots._panels import effects_at, positions
from kan_tabular.plots._style import ON_LIGHT

from .known_model import HOSTILE_NAMES, category_shape, missing_level, mixed_table, numeric_shape

SHORT = {"hidden_layer_sizes": (4,), "max_iter": 20, "n_estimators": 2, "random_state": 0}
TABLE = mixed_table(200).assign(stage=np.arange(200) % 3)
SCORE = np.nan_to_num(TABLE["age"] / 20 - TABLE["bmi"] / 10, nan=0.3) * np.where(TABLE["ward"] == "surgery", 1, -0.5)
SICK = np.where(SCORE + np.random.default_rng(0).normal(size=200) > 0.2, "sick", "well")


@pytest.fixture(scope="module")
def additive():
    return KAAMClassifier().fit(TABLE, SICK)


@pytest.fixture(scope="module")
def network():
    return LogisticKAN(**SHORT).fit(TABLE, SICK)


def test_dots_of_an_additive_model_lie_on_the_curves(additive):
    names = ["age", "bmi", "ward"]
    display = DependenceDisplay.from_estimator(additive, TABLE, names)
    contributions = additive.explain(TABLE).values
    for j, (name, panel, dots) in enumerate(zip(names, display.panels, display.dots_, strict=True)):
        np.testing.assert_allclose(panel.changes, contributions[:, j], atol=1e-12)
        own = additive.shape_function(name)
        np.testing.assert_array_equal(panel.shape.y, own.y)
        np.testing.assert_allclose(panel.changes, effects_at(own, TABLE[name]), atol=2e-3 * np.ptp(own.y))
        at = np.asarray(dots.get_offsets())
        known = TABLE[name].notna().to_numpy()
        if name == "ward":
            np.testing.assert_allclose(at[:, 0], panel.changes)
            rows = {tick.get_text(): tick.get_position()[1] for tick in display.axes_[0, j].get_yticklabels()}
            expected = [rows[level] for level in TABLE["ward"]]
            assert np.abs(at[:, 1] - expected).max() < 0.25
        else:
            np.testing.assert_array_equal(at[known], np.column_stack([TABLE[name], panel.changes])[known])
            np.testing.assert_array_equal(at[:, 1], panel.changes)
            assert known.all() or at[~known, 0].min() > TABLE[name].max()  # the zone of missing values
    assert all(panel.partner is None for panel in display.panels)  # nothing interacts


def test_distance_from_the_curve_is_what_features_do_together():
    """Two columns: a dot is the prediction less what the other column says alone."""
    two = TABLE[["age", "ward"]]
    model = KANRegressor(**SHORT).fit(two, SCORE)
    display = DependenceDisplay.from_estimator(model, two, ["age", "ward"])
    main = {name: effects_at(model.shape_function(name, grid=two[name]), two[name]) for name in two}
    eta = model.predict(two) - model.network_.base[0]
    for panel, other in zip(display.panels, ("ward", "age"), strict=True):
        np.testing.assert_allclose(panel.changes, eta - main[other], atol=1e-9 * np.abs(eta).max())
        assert panel.partner == other
        # Half of the distance is in the Shapley value of two features.
        shapley = model.explain(two).values[:, list(two).index(panel.name)]
        np.testing.assert_allclose(shapley, (panel.changes + main[panel.name]) / 2, atol=1e-9 * np.abs(eta).max())
    assert np.abs(display.panels[0].changes - main["age"]).max() > 0.1


def test_colour_is_the_strongest_partner(network):
    display = DependenceDisplay.from_estimator(network, TABLE, ["age", "bmi"])
    found = network.interactions(TABLE)
    for panel in display.panels:
        own = found[(found["feature_1"] == panel.name) | (found["feature_2"] == panel.name)].iloc[0]
        assert panel.partner == ({own["feature_1"], own["feature_2"]} - {panel.name}).pop()


def test_levels_have_a_key_and_numbers_a_bar(network):
    ward = DependenceDisplay.from_estimator(network, TABLE, "age", color_by="ward")
    key = [text.get_text() for text in ward.axes_[0, 0].get_legend().get_texts()]
    counts = TABLE["ward"].value_counts()
    assert set(key) == set(counts.index) and counts[key[0]] == counts.max()
    expected = [to_rgba(ON_LIGHT[key.index(level)], 0.75) for level in TABLE["ward"]]
    np.testing.assert_allclose(ward.dots_[0].get_facecolors(), expected)
    bmi = DependenceDisplay.from_estimator(network, TABLE, "age", color_by="bmi")
    bar = bmi.figure_.axes[1]
    assert bar.get_ylabel() == "bmi"
    low, middle, high = [text.get_text() for text in bar.get_yticklabels()]
    known = TABLE["bmi"].dropna()
    assert (low, middle, high) == tuple(f"{v:.3g}" for v in (known.min(), known.median(), known.max()))
    luminance = bmi.dots_[0].get_facecolors()[:, :3] @ (0.2126, 0.7152, 0.0722)
    present = TABLE["bmi"].notna().to_numpy()
    assert (np.diff(luminance[present][np.argsort(known.to_numpy())]) >= -1e-9).all()
    stage = DependenceDisplay.from_estimator(network, TABLE, "age", color_by="stage")
    assert {t.get_text() for t in stage.axes_[0, 0].get_legend().get_texts()} == {"0", "1", "2"}
    assert DependenceDisplay.from_estimator(network, TABLE, "age", color_by=None).panels[0].partner is None


def test_by_default_the_six_most_important_features_and_at_most_600_rows():
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(900, 8)), columns=list("abcdefgh"))
    model = KAAMRegressor().fit(X, X @ np.arange(1, 9))
    display = DependenceDisplay.from_estimator(model, X)
    assert [panel.name for panel in display.panels] == list("hgfedc")
    assert [len(panel.changes) for panel in display.panels] == [600] * 6
    assert display.axes_.shape == (2, 3)


def test_a_class_can_be_chosen():
    stage = np.digitize(SCORE, [-0.5, 0.8])
    model = KAAMClassifier().fit(TABLE, stage)
    display = DependenceDisplay.from_estimator(model, TABLE, ["age"], class_=1)
    np.testing.assert_allclose(display.panels[0].changes, model.explain(TABLE).values[:, 0, 1])
    assert display.effect_label == "effect on log-odds of 1"
    last = DependenceDisplay.from_estimator(model, TABLE, ["age"])
    np.testing.assert_allclose(last.panels[0].changes, model.explain(TABLE).values[:, 0, 2])


def test_a_pipeline_shows_the_units_of_its_table():
    numbers = TABLE[["age", "bmi"]].fillna(25.0)
    pipeline = make_pipeline(StandardScaler(), KANRegressor(**SHORT)).fit(numbers, SCORE)
    display = DependenceDisplay.from_estimator(pipeline, numbers, "bmi")
    at = np.asarray(display.dots_[0].get_offsets())
    np.testing.assert_allclose(at[:, 0], numbers["bmi"])
    assert display.panels[0].partner == "age"
    np.testing.assert_allclose(display.panels[0].partner_values, numbers["age"])
    assert display.panels[0].shape.x[0] == pytest.approx(numbers["bmi"].min())


def test_positions_and_effects_on_panels():
    shape = numeric_shape("x", np.sin, -3, 3, missing_level(0.5))
    at = positions(shape, [1.0, None, np.nan, -9])
    assert at[0] == 1 and at[3] == -9 and at[1] == at[2] == pytest.approx(3 + 0.12 * 6)
    np.testing.assert_allclose(effects_at(shape, [1.0, None]), [np.sin(1.0), 0.5], atol=1e-3)
    ward = category_shape("ward", ["a", "b", "3"], seed=1)
    order = np.argsort(ward.y)
    at = positions(ward, ["a", "b", 3, None, "new"])
    np.testing.assert_array_equal(at, [*np.argsort(order), np.nan, np.nan])
    np.testing.assert_array_equal(effects_at(ward, ["b", 3, "new", None]), [ward.y[1], ward.y[2], 0.0, np.nan])


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_hostile_names_render_inside_the_picture(hostile, style):
    _, rows = hostile
    model = KANRegressor(**SHORT).fit(rows, rows.iloc[:, 0] * rows.iloc[:, 3])
    with plt.style.context(style):
        display = DependenceDisplay.from_estimator(model, rows, [0, 3, "level names"], color_by=HOSTILE_NAMES[2])
        display.figure_.savefig(io.BytesIO())
        for ax in display.axes_.ravel():
            box = ax.get_tightbbox()
            assert box.x0 >= -1 and box.x1 <= display.figure_.bbox.x1 + 1
            assert ax.get_window_extent().width > 80


def test_wrong_arguments_are_named(additive):
    refused(lambda: DependenceDisplay.from_estimator(additive, TABLE, "weight"), "weight")
    refused(lambda: DependenceDisplay.from_estimator(additive, TABLE, color_by="weight"), "weight")
    refused(lambda: DependenceDisplay.from_estimator(additive, TABLE, class_="sick"), "class_")
    with pytest.raises(ValueError, match="n_cols must be at least 1"):
        DependenceDisplay.from_estimator(additive, TABLE, n_cols=0)
    ax = plt.figure().add_subplot()
    assert DependenceDisplay.from_estimator(additive, TABLE, "age", ax=ax).axes_[0, 0] is ax
