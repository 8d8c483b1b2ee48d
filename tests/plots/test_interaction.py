"""InteractionDisplay: with two columns, the pair's effect is what the curves leave of the prediction."""

import io
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection, QuadMesh
from matplotlib.colors import to_rgb
from scipy.ndimage import binary_dilation
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from tables import refused

from kan_tabular import KAAMClassifier, KANRegressor, LogisticKAN
from kan_tabular.plots import InteractionDisplay
from kan_tabular.plots._style import ON_DARK, ON_LIGHT

from .known_model import HOSTILE_NAMES

N = 240
SHORT = {"hidden_layer_sizes": (4,), "max_iter": 20, "n_estimators": 2, "random_state": 0}


def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"age": rng.uniform(20, 90, N), "dose": rng.lognormal(0, 0.7, N)})
    X["ward"] = rng.choice(["cardiology", "surgery", "general"], N, p=[0.5, 0.3, 0.2])
    X["stage"] = rng.integers(1, 4, N)
    X.loc[::11, "ward"] = None
    return X


X = table()
SCORE = (X["age"] - 55) / 20 * (X["dose"] - 1) + np.where(X["ward"] == "surgery", 1, -1) * (X["age"] - 55) / 30
SICK = np.where(SCORE > 0.2, "sick", "well")


def of(names):
    """A network of two columns, and their table."""
    own = X[list(names)]
    score = SCORE + np.where(X["ward"] == "general", 1, -1) * (X["stage"] - 2)
    return KANRegressor(**SHORT).fit(own, score), own


@pytest.fixture(scope="module")
def model():
    return LogisticKAN(**SHORT).fit(X, SICK)


def left_over(model, rows, first, second):
    """What the curves leave of predictions on a grid: (first, second)."""
    names = list(rows)
    grid = pd.DataFrame([(a, b) for a in first for b in second], columns=names).astype(rows.dtypes)
    said = model.predict(grid).reshape(len(first), len(second)) - model.network_.base[0]
    curves = []
    for name, values in zip(names, (first, second), strict=True):
        missing = pd.isna(pd.Series(values, dtype=object)).to_numpy()
        shape = model.shape_function(name, grid=[v for v, m in zip(values, missing, strict=True) if not m])
        y = np.empty(len(values))
        y[~missing] = shape.y
        if missing.any():
            y[missing] = shape.missing.value
        curves.append(y)
    return said - curves[0][:, None] - curves[1]


def test_two_numbers_are_a_map_of_what_their_curves_leave():
    model, rows = of(["age", "dose"])
    display = InteractionDisplay.from_estimator(model, rows)
    (pair,) = display.pairs
    edges = [np.linspace(*np.percentile(rows[name], [1, 99]), 25) for name in rows]
    for axis, own in zip((pair.first, pair.second), edges, strict=True):
        np.testing.assert_allclose(axis.edges, own)
    centers = [(own[:-1] + own[1:]) / 2 for own in edges]
    expected = left_over(model, rows, *centers)
    np.testing.assert_allclose(pair.effect, expected, rtol=0, atol=1e-10 * np.abs(expected).max())
    assert np.abs(expected).max() > 0.3
    np.testing.assert_array_equal(pair.counts, np.histogram2d(rows["age"], rows["dose"], edges)[0])
    ax = display.axes_[0, 0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("age", "dose")
    (mesh,) = [c for c in ax.collections if isinstance(c, QuadMesh)]
    (hatched,) = [c for c in ax.collections if isinstance(c, PolyCollection) and c.get_hatch()]
    near = binary_dilation(pair.counts > 0, np.ones((3, 3)))
    np.testing.assert_array_equal(np.ma.getmaskarray(mesh.get_array()), ~near.T)
    np.testing.assert_allclose(mesh.get_array()[near.T], expected.T[near.T])
    assert len(hatched.get_paths()) == (~near).sum() > 20
    assert mesh.norm.vmax == -mesh.norm.vmin == pytest.approx(np.abs(expected[near]).max())


def test_a_number_and_a_category_are_lines():
    model, rows = of(["ward", "age"])
    display = InteractionDisplay.from_estimator(model, rows)
    (pair,), ax = display.pairs, display.axes_[0, 0]
    wards = ["cardiology", "general", "surgery", None]
    assert pair.first.name == "age" and pair.second.labels == [*wards[:3], "missing"]
    expected = left_over(model, rows, wards, pair.first.centers).T
    np.testing.assert_allclose(pair.effect, expected, rtol=0, atol=1e-10 * np.abs(expected).max())
    lines = {line.get_label(): line for line in ax.get_lines() if not line.get_label().startswith("_")}
    assert list(lines) == pair.second.labels and display.colorbar_ is None
    for i, ward in enumerate(wards):
        ages = rows["age"][rows["ward"].isna() if ward is None else rows["ward"] == ward]
        ages = ages[ages.between(*pair.first.edges[[0, -1]])]
        solid = np.where(
            (pair.first.centers >= ages.min()) & (pair.first.centers <= ages.max()), expected[:, i], np.nan
        )
        np.testing.assert_allclose(lines[pair.second.labels[i]].get_ydata(), solid, atol=1e-9)


def test_two_categories_are_a_grid_with_the_rows_in_each_cell():
    model, rows = of(["stage", "ward"])
    rows = rows[~((rows["stage"] == 2) & (rows["ward"] == "general"))]
    display = InteractionDisplay.from_estimator(model, rows)
    (pair,), ax = display.pairs, display.axes_[0, 0]
    wards = ["cardiology", "general", "surgery", None]
    assert pair.first.labels == ["1", "2", "3"] and pair.second.labels == [*wards[:3], "missing"]
    expected = left_over(model, rows, [1, 2, 3], wards)
    np.testing.assert_allclose(pair.effect, expected, rtol=0, atol=1e-10 * np.abs(expected).max())
    known = rows["ward"].fillna("missing")
    counts = pd.crosstab(rows["stage"], known)[pair.second.labels]
    np.testing.assert_array_equal(pair.counts, counts)
    shown = {text.get_position(): text.get_text() for text in ax.texts}
    assert len(shown) == 11 and (1, 1) not in shown  # nothing is said where no row is
    assert shown[0, 2].endswith(f"\nn = {counts.loc[1, 'surgery']}")
    assert float(shown[0, 2].split()[0].replace("\N{MINUS SIGN}", "-")) == pytest.approx(expected[0, 2], abs=0.006)
    (hatched,) = [c for c in ax.collections if isinstance(c, PolyCollection) and c.get_hatch()]
    assert len(hatched.get_paths()) == 1


def test_by_default_the_strongest_pairs(model):
    display = InteractionDisplay.from_estimator(model, X, n_pairs=3, n_cols=3)
    found = model.interactions(X)[:3]
    expected = [set(pair) for pair in zip(found["feature_1"], found["feature_2"], strict=True)]
    assert [{pair.first.name, pair.second.name} for pair in display.pairs] == expected
    assert display.axes_.shape == (1, 3) and display.effect_label == "effect of the pair on log-odds of well"


def test_pairs_can_be_named(model):
    by_name = InteractionDisplay.from_estimator(model, X, ("dose", "age"))
    by_position = InteractionDisplay.from_estimator(model, X, [(1, 0)])
    for display in (by_name, by_position):
        assert [(pair.first.name, pair.second.name) for pair in display.pairs] == [("dose", "age")]
    turned = InteractionDisplay.from_estimator(model, X, [("age", "dose")])
    np.testing.assert_allclose(turned.pairs[0].effect, by_name.pairs[0].effect.T)


def test_a_class_can_be_chosen():
    stage = np.digitize(SCORE, [-0.3, 0.6])
    model = LogisticKAN(**SHORT).fit(X[["age", "dose"]], stage)
    by_class = [InteractionDisplay.from_estimator(model, X[["age", "dose"]], class_=c) for c in (0, 1, 2)]
    total = sum(display.pairs[0].effect for display in by_class)
    np.testing.assert_allclose(total, 0, atol=1e-10)  # scores of all classes sum to zero
    assert np.abs(by_class[0].pairs[0].effect).max() > 0.05
    assert by_class[1].effect_label == "effect of the pair on log-odds of 1"


def test_a_pipeline_shows_the_units_of_its_table():
    numbers = X[["age", "dose"]]
    pipeline = make_pipeline(StandardScaler(), KANRegressor(**SHORT)).fit(numbers, SCORE)
    (pair,) = InteractionDisplay.from_estimator(pipeline, numbers).pairs
    np.testing.assert_allclose(pair.first.edges, np.linspace(*np.percentile(X["age"], [1, 99]), 25))
    np.testing.assert_array_equal(
        pair.counts, np.histogram2d(X["age"], X["dose"], [pair.first.edges, pair.second.edges])[0]
    )
    flip = FunctionTransformer(np.negative, np.negative, feature_names_out="one-to-one")
    turned = make_pipeline(flip, KANRegressor(**SHORT)).fit(numbers, SCORE)
    (pair,) = InteractionDisplay.from_estimator(turned, numbers).pairs
    edges = [pair.first.edges[::-1], pair.second.edges[::-1]]
    assert (np.diff(edges[0]) > 0).all()
    np.testing.assert_array_equal(pair.counts[::-1, ::-1], np.histogram2d(X["age"], X["dose"], edges)[0])


def test_only_the_most_common_levels_are_shown():
    rng = np.random.default_rng(1)
    many = pd.DataFrame({"code": rng.choice([f"c{i:02}" for i in range(20)], 400, p=np.arange(1, 21) / 210)})
    many["dose"] = rng.normal(size=400)
    many["site"] = rng.choice(["a", "b"], 400)
    model = KANRegressor(**SHORT).fit(many, many["dose"] * (many["code"] > "c12"))
    display = InteractionDisplay.from_estimator(model, many, [("code", "dose"), ("code", "site")])
    common = many["code"].value_counts()
    lines, grid = display.pairs
    assert set(lines.second.labels) == set(common.index[:12]) and lines.second.n_levels == 20
    titles = [ax.get_title(loc="right") for ax in display.axes_.ravel()]
    assert titles == ["7 most common of 20 levels", "12 of 20 levels of code"]
    assert grid.counts.sum() == many["code"].isin(common.index[:12]).sum()


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_no_effect_has_the_colour_of_the_page(model, style):
    with plt.style.context(style):
        display = InteractionDisplay.from_estimator(model, X, ("age", "dose"))
        shades, page = display.colorbar_.mappable, display.axes_[0, 0].get_facecolor()
        np.testing.assert_allclose(shades.to_rgba(0.0)[:3], to_rgb(page), atol=0.01)
        lower, higher = (ON_DARK if style != "default" else ON_LIGHT)[:2]
        largest = shades.norm.vmax
        np.testing.assert_allclose(
            shades.to_rgba([-largest, largest])[:, :3], [to_rgb(lower), to_rgb(higher)], atol=0.01
        )


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_hostile_names_render_inside_the_picture(hostile, style):
    _, rows = hostile
    rows = pd.concat([rows] * 3, ignore_index=True)
    model = KANRegressor(**SHORT).fit(rows, rows.iloc[:, 0] * rows.iloc[:, 3])
    pairs = [(0, 3), (2, "level names"), (HOSTILE_NAMES[4], HOSTILE_NAMES[1])]
    with plt.style.context(style):
        display = InteractionDisplay.from_estimator(model, rows, pairs, n_cols=3)
        display.figure_.savefig(io.BytesIO())
        for ax in display.axes_.ravel():
            box = ax.get_tightbbox()
            assert box.x0 >= -1 and box.x1 <= display.figure_.bbox.x1 + 1
            assert ax.get_window_extent().width > 100


def test_wrong_arguments_are_named(model):
    with pytest.raises(TypeError, match="KAAMClassifier has no method interactions"):
        InteractionDisplay.from_estimator(KAAMClassifier().fit(X, SICK), X)
    refused(lambda: InteractionDisplay.from_estimator(model, X, [("age",)]), "pairs")
    refused(lambda: InteractionDisplay.from_estimator(model, X, [("age", "age")]), "pairs")
    refused(lambda: InteractionDisplay.from_estimator(model, X, []), "pairs")
    with pytest.raises(ValueError, match="'dosis', which is no feature of the model; did you mean 'dose'"):
        InteractionDisplay.from_estimator(model, X, ("age", "dosis"))
    with pytest.raises(ValueError, match="n_pairs must be at least 1"):
        InteractionDisplay.from_estimator(model, X, n_pairs=0)
    refused(lambda: InteractionDisplay.from_estimator(model, X, class_="sick"), "class_")
    alone = LogisticKAN(**SHORT).fit(X, SICK)
    alone.network_ = replace(alone.network_, weights=np.zeros_like(alone.network_.weights))
    refused(lambda: InteractionDisplay.from_estimator(alone, X), "interactions")
