"""Displays of coverage, set sizes, interval widths and abstention."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kan_tabular.plots import AbstentionDisplay, CoverageDisplay, IntervalWidthDisplay, SetSizeDisplay
from kan_tabular.uncertainty import ConformalClassifier, ConformalRegressor, covers

from .known_model import HOSTILE_NAMES


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(900, 2)), columns=["a", "b"])
    return X, X["a"].to_numpy() + rng.normal(size=900)


@pytest.fixture(scope="module")
def sets(rows):
    X, y = rows
    y = np.array(["low", "mid", "high"])[np.digitize(y, [-0.7, 0.7])]
    model = ConformalClassifier(LogisticRegression(), confidence_level=(0.8, 0.9), random_state=0)
    return model.fit(X[:500], y[:500]), X[500:], y[500:]


@pytest.fixture(scope="module")
def intervals(rows):
    X, y = rows
    model = ConformalRegressor(
        LinearRegression(), conformity_score="normalized", scale=lambda m, X: np.exp(X["a"]), random_state=0
    )
    return model.fit(X[:500], y[:500]), X[500:], y[500:]


def texts(ax):
    return [tick.get_text() for tick in ax.get_yticklabels()]


def test_coverage_is_counted_by_group(sets):
    model, X, y = sets
    display = CoverageDisplay.from_estimator(model, X, y, by=y, confidence_level=0.9)
    hit = covers(y, model.predict_set(X)[:, :, 1], model.classes_)
    expected = [hit.mean(), *(hit[y == label].mean() for label in ("high", "low", "mid"))]
    np.testing.assert_allclose(display.points_.get_xdata(), expected)
    assert [t.split("  ")[0] for t in texts(display.ax_)] == ["all rows", "high", "low", "mid"]
    assert display.ax_.lines[0].get_xdata()[0] == 0.9


def test_numbers_are_cut_into_quarters_in_order(intervals):
    model, X, y = intervals
    display = CoverageDisplay.from_estimator(model, X, y, by="a")
    starts = [float(label.split(" to ")[0]) for label in display.groups[1:]]
    assert starts == sorted(starts) and display.n[1:] == [100] * 4 and display.name == "a"
    few = CoverageDisplay.from_predictions(np.ones(6, bool), [1, 2, 3, 1, 2, 3], confidence_level=0.9)
    assert few.groups == ["all", "1", "2", "3"]


def test_only_the_largest_groups_are_drawn():
    groups = np.repeat([f"g{i:02}" for i in range(30)], np.arange(1, 31))
    display = CoverageDisplay.from_predictions(np.ones(len(groups), bool), groups, confidence_level=0.9, max_groups=3)
    assert [t.split("  ")[0] for t in texts(display.ax_)] == ["all rows", "g27", "g28", "g29"]
    assert display.ax_.get_title() == "3 largest of 30 groups"


def test_missing_groups_are_a_group():
    display = CoverageDisplay.from_predictions(
        np.ones(4, bool), np.array(["x", None, "x", None], object), confidence_level=0.9
    )
    assert display.groups == ["all", "x", "missing"]


def test_set_sizes_are_counted_for_each_level(sets):
    model, X, _ = sets
    display = SetSizeDisplay.from_estimator(model, X)
    sizes = model.predict_set(X).sum(1)
    for k, bars in enumerate(display.bars_):
        np.testing.assert_allclose([bar.get_height() for bar in bars], [np.mean(sizes[:, k] == s) for s in range(4)])
    wide = SetSizeDisplay.from_predictions(np.ones((5, 40), bool), levels=0.9)
    assert [t.get_text() for t in wide.ax_.get_xticklabels()][-1] == "12+"
    assert wide.bars_[0][-1].get_height() == 1


def test_widths_and_their_medians(intervals):
    model, X, _ = intervals
    display = IntervalWidthDisplay.from_estimator(model, X, "a")
    widths = np.diff(model.predict_interval(X), axis=1)[:, 0]
    np.testing.assert_allclose(display.points_.get_ydata(), widths)
    order = np.argsort(X["a"].to_numpy())
    np.testing.assert_allclose(display.medians_.get_ydata()[0], np.median(widths[order][:20]))
    levels = np.where(X["a"] > 0, "right", "left")
    by_level = IntervalWidthDisplay.from_estimator(model, X, levels)
    assert [t.get_text() for t in by_level.ax_.get_xticklabels()] == ["left", "right"]
    np.testing.assert_allclose(
        by_level.medians_.get_ydata(), [np.median(widths[levels == v]) for v in ("left", "right")]
    )


def test_unbounded_intervals_are_said():
    display = IntervalWidthDisplay(
        values=np.arange(30.0), widths=np.r_[np.inf, np.ones(29)], name="x", confidence_level=0.9
    ).plot()
    assert display.ax_.get_title() == "1 unbounded, at the upper edge"
    assert np.isfinite(display.points_.get_ydata()).all()
    IntervalWidthDisplay(values=np.full(3, np.nan), widths=np.ones(3), name="x", confidence_level=0.9).plot()


def test_abstention_of_classes_and_numbers(sets, intervals):
    model, X, y = sets
    display = AbstentionDisplay.from_estimator(model, X, y, cost_abstain=(0.1, 0.3))
    assert display.risk_.get_ydata()[-1] == pytest.approx(np.mean(model.predict(X) != y))
    p = model.p_values(X)
    sure = np.sort(p, axis=1)[:, -2] <= 0.2 + 1e-9  # one class at most remains at 80%
    at = np.searchsorted(-display.curve.threshold, -0.8 + 1e-9, side="right") - 1
    assert display.curve.answered[at] == pytest.approx(sure.mean())
    assert len(display.costs_) == 2 and len(display.axes_) == 2
    model, X, y = intervals
    display = AbstentionDisplay.from_estimator(model, X, y)
    narrowest = np.argmin(X["a"].to_numpy())
    assert display.curve.loss[1] * len(y) == pytest.approx(abs(y[narrowest] - model.predict(X)[narrowest]))


def test_pipelines_are_followed(rows):
    X, y = rows
    pipe = make_pipeline(StandardScaler(), ConformalRegressor(LinearRegression(), random_state=0)).fit(X[:500], y[:500])
    display = CoverageDisplay.from_estimator(pipe, X[500:], y[500:], by="b")
    assert display.n[0] == 400
    assert IntervalWidthDisplay.from_estimator(pipe, X[500:], "a").name == "a"


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_hostile_names_are_drawn(style):
    m = len(HOSTILE_NAMES)
    with plt.style.context(style):
        names = np.array(HOSTILE_NAMES, dtype=object)
        one = CoverageDisplay.from_predictions(
            np.ones(m, bool), names, confidence_level=0.9, name=HOSTILE_NAMES[0], max_groups=40
        )
        two = IntervalWidthDisplay(values=names, widths=np.ones(m), name=HOSTILE_NAMES[-1], confidence_level=0.9).plot()
        for display in (one, two):
            display.figure_.savefig(io.BytesIO())
    assert len(one.points_.get_xdata()) == len(set(HOSTILE_NAMES)) + 1


def test_axes_can_be_given(sets):
    model, X, y = sets
    for draw in (
        lambda ax: CoverageDisplay.from_estimator(model, X, y, ax=ax),
        lambda ax: SetSizeDisplay.from_estimator(model, X, ax=ax),
    ):
        figure, ax = plt.subplots()
        display = draw(ax)
        assert display.ax_ is ax and display.figure_ is figure


def test_wrong_arguments_are_named(sets, intervals):
    model, X, y = sets
    with pytest.raises(TypeError, match="LogisticRegression predicts neither sets nor intervals"):
        CoverageDisplay.from_estimator(model.estimator_, X, y)
    with pytest.raises(TypeError, match="is for intervals"):
        IntervalWidthDisplay.from_estimator(model, X, "a")
    with pytest.raises(TypeError, match="is for sets of classes"):
        SetSizeDisplay.from_estimator(*intervals[:2])
    with pytest.raises(ValueError, match="by='sex' is not a column of X: choose from a, b"):
        CoverageDisplay.from_estimator(model, X, y, by="sex")
    with pytest.raises(ValueError, match=r"confidence_level=0\.99 is not a level of the estimator"):
        CoverageDisplay.from_estimator(model, X, y, confidence_level=0.99)
    with pytest.raises(ValueError, match="max_groups must be at least 1"):
        CoverageDisplay.from_estimator(model, X, y, max_groups=0)
    with pytest.raises(ValueError, match="give one slice a level"):
        SetSizeDisplay.from_predictions(np.ones((3, 2, 2), bool), levels=0.9)
