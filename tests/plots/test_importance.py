"""ImportanceDisplay: order, aggregation, labels."""

import io

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from kan_tabular.plots import ImportanceDisplay


def tick_texts(ax):
    return [tick.get_text() for tick in ax.get_yticklabels()]


def test_bars_are_in_order_from_top_to_bottom(classifier):
    display = ImportanceDisplay.from_estimator(classifier)
    widths = [bar.get_width() for bar in display.bars_]
    heights = [display.ax_.transData.transform((0, bar.get_y()))[1] for bar in display.bars_]
    expected = sorted(zip(classifier.feature_importances_, classifier.network_.feature_names, strict=True))[::-1]
    np.testing.assert_allclose(widths, [importance for importance, _ in expected])
    assert heights == sorted(heights, reverse=True)
    assert tick_texts(display.ax_) == [name for _, name in expected]


def test_features_beyond_the_limit_are_added_up():
    display = ImportanceDisplay(importances=[0.1, 0.5, 0.05, 0.35], feature_names=list("abcd")).plot(max_features=2)
    np.testing.assert_allclose([bar.get_width() for bar in display.bars_], [0.5, 0.35, 0.15])
    assert tick_texts(display.ax_) == ["b", "d", "other (2 features)"]
    assert tick_texts(display.plot(max_features=3).ax_)[-1] == "other (1 feature)"
    assert len(display.plot(max_features=4).bars_) == 4


def test_data_can_be_given_and_the_measure_chosen(classifier, table):
    display = ImportanceDisplay.from_estimator(classifier, table, kind="variance")
    expected = np.sort(classifier.explain(table).values.var(axis=0))[::-1]
    np.testing.assert_allclose([bar.get_width() for bar in display.bars_], expected)
    assert display.ax_.get_xlabel() == "variance of contribution to log-odds"


def test_a_model_without_any_effect_is_drawn():
    display = ImportanceDisplay(importances=[0.0, 0.0], feature_names=["a", "b"]).plot()
    display.figure_.savefig(io.BytesIO())
    assert display.ax_.get_xlim()[1] > 0


def test_axes_can_be_given(classifier):
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    display = ImportanceDisplay.from_estimator(classifier, ax=ax)
    assert display.ax_ is ax and display.figure_ is figure
    assert plt.get_fignums() == [figure.number]


def test_wrong_arguments_are_named(classifier):
    with pytest.raises(ValueError, match="kind must be"):
        ImportanceDisplay.from_estimator(classifier, kind="gain")
    with pytest.raises(ValueError, match="pass X"):
        ImportanceDisplay.from_estimator(classifier, kind="variance")
    with pytest.raises(ValueError, match="max_features must be at least 1"):
        ImportanceDisplay.from_estimator(classifier, max_features=0)


def test_only_fitted_additive_models_are_taken(classifier):
    with pytest.raises(TypeError, match="LogisticRegression has no method importance"):
        ImportanceDisplay.from_estimator(LogisticRegression())
    with pytest.raises(TypeError, match="KnownClassifier"):
        ImportanceDisplay.from_estimator(type(classifier))
    unfitted = type(classifier)(classifier.shapes)
    with pytest.raises(NotFittedError, match="call fit on this KnownClassifier"):
        ImportanceDisplay.from_estimator(unfitted)


def test_hostile_names_render(hostile):
    model, _ = hostile
    display = ImportanceDisplay.from_estimator(model)
    png = io.BytesIO()
    display.figure_.savefig(png, format="png")
    assert png.getvalue().startswith(b"\x89PNG")
    assert display.ax_.get_window_extent().width > 0.4 * display.figure_.bbox.width
