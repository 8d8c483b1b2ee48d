"""ShapeDisplay: what is drawn is what the model said."""

import io
from types import SimpleNamespace

import numpy as np
import pytest

from kan_tabular.plots import ShapeDisplay

from .known_model import HOSTILE_NAMES, KnownClassifier, category_shape, missing_level, numeric_shape


def tick_texts(ax):
    return [tick.get_text() for tick in ax.get_yticklabels()]


def panels(display):
    return [ax for ax in display.axes_.ravel() if ax is not None]


def test_the_curve_is_the_shape(classifier):
    display = ShapeDisplay.from_estimator(classifier, ["age", "bmi"])
    for name, lines in zip(["age", "bmi"], display.lines_, strict=True):
        shape = classifier.shape_function(name)
        np.testing.assert_array_equal(lines[None].get_xdata(), shape.x)
        np.testing.assert_array_equal(lines[None].get_ydata(), shape.y)


def test_both_bands_are_drawn_the_pointwise_one_darker(classifier):
    (ax,) = panels(ShapeDisplay.from_estimator(classifier, "age"))
    shape = classifier.shape_function("age")
    wide, narrow = ax.collections[:2]
    for band, lower, upper in (
        (wide, shape.lower_simultaneous, shape.upper_simultaneous),
        (narrow, shape.lower, shape.upper),
    ):
        vertices = band.get_paths()[0].vertices
        assert vertices[:, 1].min() == pytest.approx(lower.min()) and vertices[:, 1].max() == pytest.approx(upper.max())
    assert narrow.get_alpha() > wide.get_alpha()


def test_levels_are_rows_ordered_by_effect_with_their_names(classifier):
    display = ShapeDisplay.from_estimator(classifier, "ward")
    shape = classifier.shape_function("ward")
    dots = display.lines_[0][None]
    order = np.argsort(shape.y)
    np.testing.assert_allclose(dots.get_xdata(), shape.y[order])
    labels = dict(zip(display.axes_[0, 0].get_yticks(), tick_texts(display.axes_[0, 0]), strict=True))
    assert [labels[row] for row in dots.get_ydata()] == [shape.x[i] for i in order]
    assert labels[min(labels)] == "missing"


def test_rare_levels_of_a_long_list_are_left_out_and_counted(table):
    levels = [f"town {i}" for i in range(200)]
    shape = category_shape("town", levels)
    display = ShapeDisplay(shapes=[{None: shape}]).plot()
    (ax,) = panels(display)
    common = {levels[i] for i in np.argsort(-shape.density.weight)[:12]}
    assert set(tick_texts(ax)) == common
    assert ax.get_title(loc="right") == "12 most common of 200 levels"


def test_the_missing_level_has_its_own_zone_right_of_the_data(classifier):
    (ax,) = panels(ShapeDisplay.from_estimator(classifier, "bmi"))
    shape = classifier.shape_function("bmi")
    marker = ax.lines[-1]
    assert marker.get_ydata()[0] == shape.missing.value
    assert shape.x.max() < marker.get_xdata()[0] < ax.get_xlim()[1]
    assert all(tick <= shape.x.max() for tick in ax.get_xticks())
    assert [text.get_text() for text in ax.texts] == ["missing (12%)"]
    (interval,) = [c.get_segments()[0] for c in ax.collections if hasattr(c, "get_segments")]
    np.testing.assert_allclose(interval[:, 1], [shape.missing.lower, shape.missing.upper])


def test_features_without_missing_values_have_no_such_zone(classifier):
    (ax,) = panels(ShapeDisplay.from_estimator(classifier, "age"))
    assert not ax.texts


@pytest.mark.parametrize(("weight", "share"), [(0.004, "<1%"), (0.0, "0%"), (0.256, "26%")])
def test_the_share_of_missing_rows_is_told(weight, share):
    shape = numeric_shape("a", missing=missing_level(weight=weight))
    (ax,) = panels(ShapeDisplay(shapes=[{None: shape}]).plot())
    assert ax.texts[0].get_text() == f"missing ({share})"


def test_the_density_strip_stays_below_every_curve(classifier):
    display = ShapeDisplay.from_estimator(classifier)
    for ax, lines in zip(panels(display), display.lines_, strict=True):
        line = lines[None]
        is_curve = line.get_linestyle() != "None"
        along = line.get_ydata() if is_curve else line.get_xdata()
        points = np.column_stack([along, along])
        in_axes = ax.transAxes.inverted().transform(ax.transData.transform(points))[:, 1 if is_curve else 0]
        assert in_axes.min() > 0.11


def test_area_of_a_density_bin_is_its_share():
    shape = numeric_shape("a")
    shape.density = SimpleNamespace(edges=np.array([-3.0, -2.0, 0.0, 3.0]), weight=np.array([0.2, 0.2, 0.6]))
    (ax,) = panels(ShapeDisplay(shapes=[{None: shape}]).plot())
    vertices = ax.collections[-1].get_paths()[0].vertices
    first, last = (vertices[vertices[:, 0] == edge, 1].max() for edge in (-3.0, 3.0))
    assert first == pytest.approx(last) and first > 0  # .2 over a width of 1 and .6 over 3 are equally dense
    assert vertices[(vertices[:, 0] == -2.0), 1].min() < first  # the middle bin, .2 over 2, is half as dense


def test_all_panels_share_the_range_of_the_effect(classifier):
    display = ShapeDisplay.from_estimator(classifier)
    limits = {ax.get_ylim() if ax.get_xlabel() in ("age", "bmi") else ax.get_xlim() for ax in panels(display)}
    assert len(limits) == 1
    apart = ShapeDisplay.from_estimator(classifier, ["age", "bmi"], sharey=False)
    assert panels(apart)[0].get_ylim() != panels(apart)[1].get_ylim()


def test_a_band_that_explodes_where_no_rows_are_does_not_set_the_range():
    shape = numeric_shape("a")
    calm = panels(ShapeDisplay(shapes=[{None: shape}]).plot())[0].get_ylim()
    shape.upper_simultaneous = shape.upper_simultaneous.copy()
    shape.upper_simultaneous[-1] = 1e6
    assert panels(ShapeDisplay(shapes=[{None: shape}]).plot())[0].get_ylim() == calm


def test_the_most_important_nine_come_first_and_features_can_be_chosen(table):
    sizes = dict(zip("abcdefghijkl", range(12), strict=True))
    shapes = {name: numeric_shape(name, lambda x, s=size: s * np.sin(x)) for name, size in sizes.items()}
    data = np.linspace(-3, 3, 40)[:, None] * np.ones(12)
    model = KnownClassifier(shapes).fit(data, np.resize([0, 1], 40))
    assert [ax.get_xlabel() for ax in panels(ShapeDisplay.from_estimator(model))] == list("lkjihgfed")
    chosen = ShapeDisplay.from_estimator(model, ["c", 0, -1])
    assert [ax.get_xlabel() for ax in panels(chosen)] == ["c", "a", "l"]
    assert chosen.axes_.shape == (1, 3)
    assert ShapeDisplay.from_estimator(model, list("abcde"), n_cols=2).axes_.shape == (3, 2)


def test_given_data_set_the_order_and_the_densities(classifier, table):
    narrow = table.assign(age=21.0, bmi=np.nan, ward="surgery")
    display = ShapeDisplay.from_estimator(classifier, X=narrow)
    drawn = {next(iter(panel.values())).feature: next(iter(panel.values())) for panel in display.shapes}
    assert next(iter(drawn)) == "age"
    assert drawn["age"].density.weight[0] == 1.0 and drawn["age"].density.weight[1:].sum() == 0.0
    assert drawn["bmi"].missing.weight == 1.0
    assert list(drawn["ward"].density.weight) == [0.0, 1.0, 0.0]
    assert classifier.shape_function("bmi").missing.weight == 0.12  # the model's own answer is untouched


def test_effect_labels_follow_the_link(classifier, regressor, table):
    def label(model):
        return panels(ShapeDisplay.from_estimator(model, "age"))[0].get_ylabel()

    assert label(classifier) == "effect on log-odds of malignant"
    assert label(regressor) == "effect on target"
    assert label(type(regressor)(regressor.shapes, loss="poisson").fit(table)) == "effect on log of target"


@pytest.mark.parametrize(("n_classes", "n_bands"), [(3, 3), (4, 0), (9, 0)])
def test_multiclass_shows_a_line_a_class_with_a_legend(multiclass, table, n_classes, n_bands):
    classes = [f"_class {i}" for i in range(n_classes)]
    model = multiclass(classes, table)
    display = ShapeDisplay.from_estimator(model, ["age", "ward"])
    for class_ in classes:
        np.testing.assert_array_equal(
            display.lines_[0][class_].get_ydata(), model.shape_function("age", class_=class_).y
        )
    assert len(display.axes_[0, 0].collections) == n_bands + 1  # and the density
    (legend,) = display.figure_.legends
    assert [text.get_text() for text in legend.get_texts()] == classes
    display.figure_.savefig(io.BytesIO())


def test_multiclass_shows_one_class_with_its_bands(multiclass, table):
    model = multiclass(["low", "mid", "high"], table)
    display = ShapeDisplay.from_estimator(model, "age", class_="mid")
    np.testing.assert_array_equal(display.lines_[0]["mid"].get_ydata(), model.shape_function("age", class_="mid").y)
    assert len(display.axes_[0, 0].collections) == 3 and not display.figure_.legends
    assert display.axes_[0, 0].get_ylabel() == "effect on log-odds of mid"


def test_axes_can_be_given(classifier):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 1)
    display = ShapeDisplay.from_estimator(classifier, ax=axes)
    assert panels(display) == list(axes) and display.figure_ is figure
    figure, ax = plt.subplots()
    assert panels(ShapeDisplay.from_estimator(classifier, "age", ax=ax)) == [ax]
    figure, ax = plt.subplots()
    display = ShapeDisplay.from_estimator(classifier, ax=ax)
    assert display.figure_ is figure and len(panels(display)) == 3 and not ax.axison
    assert len(plt.get_fignums()) == 3


def test_wrong_arguments_are_named(classifier, multiclass, table):
    import matplotlib.pyplot as plt

    with pytest.raises(ValueError, match="'agee', which is no feature of the model; did you mean 'age'"):
        ShapeDisplay.from_estimator(classifier, ["agee"])
    with pytest.raises(ValueError, match="position 3, but the model has 3 features"):
        ShapeDisplay.from_estimator(classifier, [3])
    with pytest.raises(ValueError, match="features is empty"):
        ShapeDisplay.from_estimator(classifier, [])
    with pytest.raises(ValueError, match="give None, this model has one score"):
        ShapeDisplay.from_estimator(classifier, class_="benign")
    with pytest.raises(ValueError, match="'middle' is not a class"):
        ShapeDisplay.from_estimator(multiclass(["low", "mid", "high"], table), class_="middle")
    with pytest.raises(ValueError, match="ax has 2 axes, but there are 3 features"):
        ShapeDisplay.from_estimator(classifier, ax=plt.subplots(1, 2)[1])
    with pytest.raises(ValueError, match="n_cols must be at least 1"):
        ShapeDisplay.from_estimator(classifier, n_cols=0)


def test_a_constant_feature_and_a_flat_curve_are_drawn():
    flat = numeric_shape("flat", np.zeros_like)
    for name in ("lower", "upper", "lower_simultaneous", "upper_simultaneous"):
        setattr(flat, name, np.zeros_like(flat.x))
    constant = numeric_shape("constant", np.zeros_like, 5.0, 5.0)
    constant.density = SimpleNamespace(edges=np.array([5.0, 5.0]), weight=np.array([1.0]))
    display = ShapeDisplay(shapes=[{None: flat}, {None: constant}]).plot()
    display.figure_.savefig(io.BytesIO())
    drawn = [line.get_ydata() for ax in display.figure_.axes for line in ax.lines]
    assert len(drawn) >= 2 and all(np.all(np.asarray(y) == 0) for y in drawn)
    assert all(np.diff(ax.get_ylim())[0] > 0 for ax in display.figure_.axes)


@pytest.mark.parametrize("x", [[], [np.nan, np.nan]])
def test_a_column_that_was_all_missing_is_drawn(x):
    zeros = np.zeros(len(x))
    names = ("y", "se", "lower", "upper", "lower_simultaneous", "upper_simultaneous")
    density = SimpleNamespace(edges=np.full(2, np.nan), weight=np.zeros(1))
    shape = SimpleNamespace(
        feature="empty", kind="numeric", x=np.array(x), missing=None, density=density, **dict.fromkeys(names, zeros)
    )
    display = ShapeDisplay(shapes=[{None: shape}]).plot()
    display.figure_.savefig(io.BytesIO())
    assert "empty" in display.figure_.axes[0].get_xlabel()
    assert np.isfinite(display.figure_.axes[0].get_xlim()).all()


def test_hostile_names_render_without_breaking_the_layout(hostile):
    model, _ = hostile
    display = ShapeDisplay.from_estimator(model)
    png = io.BytesIO()
    display.figure_.savefig(png, format="png")
    assert png.getvalue().startswith(b"\x89PNG")
    for ax in panels(display):
        assert ax.get_window_extent().width > 0.15 * display.figure_.bbox.width
    levels = next(ax for ax in panels(display) if ax.get_ylabel() == "level names")
    assert "<script>" in " ".join(tick_texts(levels)) and len(tick_texts(levels)) == len(HOSTILE_NAMES) + 1
