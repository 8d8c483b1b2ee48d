"""ContributionDisplay: from the base value to the prediction."""

import io

import numpy as np
import pandas as pd
import pytest

from kan_tabular.plots import ContributionDisplay


def bar_ends(display):
    """Start and end of each bar in the direction of its contribution."""
    starts = np.array([bar.get_x() for bar in display.bars_])
    return starts, starts + np.array([bar.get_width() for bar in display.bars_])


def tick_texts(ax):
    return [tick.get_text() for tick in ax.get_yticklabels()]


@pytest.mark.parametrize("row", [0, 7, -1])
@pytest.mark.parametrize("max_features", [1, 2, 3, 10])
def test_the_waterfall_leads_from_the_base_to_the_decision_function(classifier, table, row, max_features):
    display = ContributionDisplay.from_estimator(classifier, table, row, max_features=max_features)
    starts, ends = bar_ends(display)
    assert starts[0] == pytest.approx(classifier.intercept)
    np.testing.assert_allclose(starts[1:], ends[:-1])
    assert ends[-1] == pytest.approx(classifier.decision_function(table)[row])


def test_bars_are_sorted_by_size_and_the_rest_is_added_up(classifier, table):
    display = ContributionDisplay.from_estimator(classifier, table, 7, max_features=2)
    widths = [bar.get_width() for bar in display.bars_]
    contributions = classifier.explain(table).values[7]
    expected = sorted(contributions, key=abs, reverse=True)
    np.testing.assert_allclose(widths, [*expected[:2], expected[2]])
    assert tick_texts(display.ax_)[-2:] == ["other (1 feature)", "prediction"]


def test_labels_hold_name_value_and_sign(classifier, table):
    display = ContributionDisplay.from_estimator(classifier, table, 7)
    labels = tick_texts(display.ax_)
    assert labels[0] == "base value" and labels[-1] == "prediction"
    assert set(labels[1:-1]) == {f"age = {table.age[7]:.4g}", "bmi = missing", f"ward = {table.ward[7]}"}
    written = [text.get_text() for text in display.ax_.texts][: len(display.bars_)]
    for text, bar in zip(written, display.bars_, strict=True):
        assert text.startswith("+" if bar.get_width() > 0 else "\N{MINUS SIGN}")
        assert float(text.replace("\N{MINUS SIGN}", "-")) == pytest.approx(bar.get_width(), abs=0.005)


def test_signs_have_their_colours(classifier, table):
    display = ContributionDisplay.from_estimator(classifier, table, 0)
    by_sign = {}
    for bar in display.bars_:
        by_sign.setdefault(bar.get_width() > 0, set()).add(bar.get_facecolor())
    assert set(by_sign) == {True, False} and all(len(colours) == 1 for colours in by_sign.values())
    assert by_sign[True] != by_sign[False]


def test_the_end_tells_the_probability(classifier, table):
    display = ContributionDisplay.from_estimator(classifier, table, 3)
    probability = classifier.predict_proba(table)[3, 1]
    assert f"P(malignant) = {probability:.3f}" in display.annotation_.get_text()
    assert display.ax_.get_xlabel() == "log-odds of malignant"


@pytest.mark.parametrize(("probability", "text"), [(1 - 1e-9, "P(ill) > 0.999"), (1e-9, "P(ill) < 0.001")])
def test_no_prediction_is_called_certain(probability, text):
    display = ContributionDisplay(
        contributions=[1.0],
        base_value=0.0,
        feature_names=["a"],
        data=[1],
        prediction=probability,
        prediction_name="P(ill)",
    )
    assert display.plot().annotation_.get_text().endswith(text)


def test_the_end_tells_the_predicted_value(regressor, table):
    display = ContributionDisplay.from_estimator(regressor, table, 3)
    assert display.annotation_.get_text() == f"predicted value = {regressor.predict(table)[3]:.2f}"
    assert display.ax_.get_xlabel() == "target"


def test_a_log_link_shows_both_scales(regressor, table):
    model = type(regressor)(regressor.shapes, intercept=1.0, loss="poisson").fit(table)
    display = ContributionDisplay.from_estimator(model, table, 3)
    assert display.ax_.get_xlabel() == "log of target"
    assert bar_ends(display)[1][-1] == pytest.approx(np.log(display.prediction))
    assert "predicted value" in display.annotation_.get_text()


@pytest.mark.parametrize("class_", [None, "high", "low", "mid"])
def test_multiclass_explains_one_class(multiclass, table, class_):
    model = multiclass(["low", "mid", "high"], table)
    display = ContributionDisplay.from_estimator(model, table, 5, class_=class_)
    shown = model.predict(table)[5] if class_ is None else class_
    k = list(model.classes_).index(shown)
    starts, ends = bar_ends(display)
    assert starts[0] == pytest.approx(model.intercept[k])
    assert ends[-1] == pytest.approx(model.decision_function(table)[5, k])
    assert f"P({shown}) = {model.predict_proba(table)[5, k]:.3f}" in display.annotation_.get_text()


def test_wrong_arguments_are_named(classifier, multiclass, table):
    with pytest.raises(ValueError, match="row=60 is outside the table, which has 60 rows"):
        ContributionDisplay.from_estimator(classifier, table, 60)
    with pytest.raises(TypeError, match="row must be the position"):
        ContributionDisplay.from_estimator(classifier, table, "first")
    with pytest.raises(ValueError, match=r"X must be a table with rows and columns; got Series of 1 dimension"):
        ContributionDisplay.from_estimator(classifier, table.iloc[3])
    with pytest.raises(ValueError, match="class_ must be None"):
        ContributionDisplay.from_estimator(classifier, table, class_="benign")
    with pytest.raises(ValueError, match="'middle' is not a class of the model; choose one of 'high', 'low', 'mid'"):
        ContributionDisplay.from_estimator(multiclass(["low", "mid", "high"], table), table, class_="middle")


@pytest.mark.parametrize("index", [np.arange(60.0) + 0.5, np.arange(60)[::-1], [f"patient {i}" for i in range(60)]])
def test_row_is_a_position_whatever_the_index(classifier, table, index):
    relabelled = table.set_axis(index, axis=0)
    display = ContributionDisplay.from_estimator(classifier, relabelled, 4)
    np.testing.assert_allclose(display.contributions, classifier.explain(table).values[4])


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "missing"), (np.nan, "missing"), (pd.NA, "missing"), (3.0, "3"), (-2.5, "\N{MINUS SIGN}2.5"),
     (1e9, "1e+09"), (True, "True"), (np.bool_(False), "False"), ("$5", r"\$5"), (0.000123456, "0.0001235")],
)  # fmt: skip
def test_cells_are_written_for_people(value, text):
    display = ContributionDisplay(
        contributions=[1.0], base_value=0.0, feature_names=["a"], data=[value], prediction=1.0, prediction_name="y"
    )
    assert tick_texts(display.plot().ax_)[1] == f"a = {text}"


def test_a_row_without_any_contribution_is_drawn():
    display = ContributionDisplay(
        contributions=[0.0, 0.0], base_value=0.0, feature_names=["a", "b"], data=[1, 2], prediction=0.5,
        prediction_name="P(1)",
    )  # fmt: skip
    display.plot().figure_.savefig(io.BytesIO())
    assert {"a = 1", "b = 2"} <= set(tick_texts(display.ax_))
    assert all(bar.get_width() == 0 for bar in display.ax_.patches)


def test_hostile_names_render(hostile):
    model, table = hostile
    display = ContributionDisplay.from_estimator(model, table, 2)
    png = io.BytesIO()
    display.figure_.savefig(png, format="png")
    assert png.getvalue().startswith(b"\x89PNG")
    assert display.ax_.get_window_extent().width > 0.4 * display.figure_.bbox.width
