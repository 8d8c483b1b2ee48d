"""The displays of predictions: calibration, decision curve, sorted probabilities."""

import io

import matplotlib
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from kan_tabular import KAAMClassifier
from kan_tabular.metrics import calibration_measures, grouped_calibration, net_benefit, smooth_calibration
from kan_tabular.plots import CalibrationCurveDisplay, DecisionCurveDisplay, SortedProbabilityDisplay
from kan_tabular.plots._style import palette

from .known_model import HOSTILE_NAMES

DISPLAYS = [CalibrationCurveDisplay, DecisionCurveDisplay, SortedProbabilityDisplay]


@pytest.fixture(scope="module")
def patients():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(400, 3)), columns=["age", "lactate", "noise"])
    y = np.where(rng.random(400) < 1 / (1 + np.exp(1.5 - X["age"] - X["lactate"])), "dead", "alive")
    return X, y


@pytest.fixture(scope="module")
def model(patients):
    X, y = patients
    return make_pipeline(StandardScaler(), KAAMClassifier()).fit(X[:150], y[:150])


def texts(display):
    """All that is written in the figure."""
    return [text.get_text() for text in display.figure_.findobj(matplotlib.text.Text)]


def same_picture(first, second):
    buffers = []
    for display in (first, second):
        buffers.append(io.BytesIO())
        display.figure_.savefig(buffers[-1], format="raw")
    return buffers[0].getvalue() == buffers[1].getvalue()


def test_calibration_shows_what_the_measures_say(patients, model):
    X, y = patients
    display = CalibrationCurveDisplay.from_estimator(model, X, y, class_="dead", n_bins=5)
    p = model.predict_proba(X)[:, 1]
    measures, curve = calibration_measures(y, p), smooth_calibration(y, p)
    np.testing.assert_allclose(display.line_.get_xydata(), np.column_stack([curve.predicted, curve.observed]))
    pd.testing.assert_frame_equal(display.groups, grouped_calibration(y, p, 5))
    shown = display.text_.get_text().replace("\N{MINUS SIGN}", "-")
    low, high = measures.slope[1:]
    assert f"slope {measures.slope.value:.2f} ({low:.2f} to {high:.2f})" in shown
    assert f"intercept {measures.intercept.value:.2f}" in shown and f"ICI {measures.ici:.3f}" in shown
    assert "observed frequency of dead" in texts(display) and "Pipeline" in texts(display)
    edges, events, others = display.histogram
    assert events.sum() == (y == "dead").sum() and others.sum() == (y == "alive").sum()
    assert events[edges[:-1] >= 0.5].sum() == ((y == "dead") & (p >= 0.5)).sum()
    assert f"{(y == 'dead').sum()} with" in texts(display)


def test_calibration_of_predictions_is_that_of_the_estimator(patients, model):
    X, y = patients
    first = CalibrationCurveDisplay.from_estimator(model, X, y, class_="alive", name="a model")
    second = CalibrationCurveDisplay.from_predictions(
        y, model.predict_proba(X)[:, 0], pos_label="alive", name="a model"
    )
    assert same_picture(first, second)
    assert not same_picture(first, CalibrationCurveDisplay.from_estimator(model, X, y, class_="dead", name="a model"))


def test_weights_are_repeated_rows(patients, model):
    X, y = patients
    p, weight = model.predict_proba(X)[:, 1], np.arange(400) % 3
    again = np.repeat(np.arange(400), weight)
    for display in (CalibrationCurveDisplay, DecisionCurveDisplay):
        weighted = display.from_predictions(y, p, sample_weight=weight)
        assert same_picture(weighted, display.from_predictions(y[again], p[again]))


def test_the_measures_stand_where_the_curve_is_not():
    rng = np.random.default_rng(0)
    p = rng.uniform(size=500)
    for power, corner in ((0.3, (1, 0)), (3.0, (0, 1))):
        display = CalibrationCurveDisplay.from_predictions(rng.random(500) < p**power, p)
        assert display.text_.xy == corner
        display.figure_.canvas.draw()
        box = display.text_.get_window_extent().transformed(display.ax_.transData.inverted())
        x, y = display.line_.get_data()
        inside = (x >= box.x0) & (x <= box.x1)
        assert inside.any() and ((y[inside] > box.y1).all() or (y[inside] < box.y0).all())


@pytest.mark.parametrize(
    ("y", "p", "written"),
    [
        ([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.3, 0.6, 0.7, 0.8], "slope \N{INFINITY} ("),
        ([1, 1, 1, 0, 0, 0], [0.1, 0.2, 0.3, 0.6, 0.7, 0.8], "slope \N{MINUS SIGN}\N{INFINITY} ("),
        ([0, 1, 0, 1, 0, 1], [0.3] * 6, "slope undefined"),
    ],
)
def test_slopes_that_are_no_numbers_are_written(y, p, written):
    assert written in CalibrationCurveDisplay.from_predictions(y, p).text_.get_text()


def test_decision_curves_are_the_net_benefits(patients, model):
    X, y = patients
    models = {"additive": model, "noise": LogisticRegression(C=1e-3).fit(X, y)}
    thresholds = [0.05, 0.2, 0.5]
    display = DecisionCurveDisplay.from_estimator(models, X, y, thresholds=thresholds)
    assert list(display.lines_) == ["additive", "noise"]
    for name, line in display.lines_.items():
        table = net_benefit(y, models[name].predict_proba(X)[:, 1], thresholds)
        np.testing.assert_array_equal(line.get_xydata(), table[["threshold", "model"]])
    written = texts(display)
    assert {"treat all", "treat none", "additive", "noise"} <= set(written)
    assert "threshold: treat from this probability of dead on" in written
    probabilities = {name: one.predict_proba(X)[:, 1] for name, one in models.items()}
    assert same_picture(display, DecisionCurveDisplay.from_predictions(y, probabilities, thresholds=thresholds))
    alone = DecisionCurveDisplay.from_estimator(model, X, y, class_="alive")
    assert list(alone.lines_) == ["Pipeline"] and len(alone.lines_["Pipeline"].get_xdata()) == 99


def test_curves_that_fall_without_bound_leave_the_others_readable():
    y = np.resize([0, 1, 0, 0], 200)
    display = DecisionCurveDisplay.from_predictions(y, {"useless": np.full(200, 0.97), "perfect": y})
    low, high = display.ax_.get_ylim()
    assert low > -0.1 and 0.25 < high < 0.3


def test_models_of_other_classes_need_a_class(patients, model):
    X, y = patients
    other = LogisticRegression().fit(X, np.where(X["age"] > 1, "unknown", y))
    with pytest.raises(ValueError, match="not the same for all models \\('dead', 'unknown'\\): give class_"):
        DecisionCurveDisplay.from_estimator({"one": model, "other": other}, X, y)
    with pytest.raises(ValueError, match="nothing to draw"):
        DecisionCurveDisplay.from_estimator({}, X, y)


def test_each_row_has_a_bar_in_the_colour_of_its_class():
    y, p = np.array(["no", "yes", "no", "yes"]), np.array([0.02, 0.9, 0.5, 0.2])
    display = SortedProbabilityDisplay.from_predictions(y, p)
    np.testing.assert_allclose(display.heights_, [0.9, 0.5, 0.2, 0.02])
    assert {name: share.tolist() for name, share in display.shares_.items()} == {
        "yes": [1, 0, 1, 0],
        "no": [0, 1, 0, 1],
    }
    assert display.ax_.get_yscale() == "log" and display.ax_.get_ylim() == (0.01, 1.0)
    display.figure_.canvas.draw()
    pixels = np.asarray(display.figure_.canvas.buffer_rgba())[::-1, :, :3] / 255
    second, first = palette()[:2]
    for rank, (height, colour) in enumerate(zip([0.9, 0.5, 0.2, 0.02], [first, second, first, second], strict=True)):
        for value, expected in ((0.9 * height, colour), (1.05 * height, "white")):
            x, y_ = display.ax_.transData.transform((rank + 0.3, value)).round().astype(int)
            assert np.abs(pixels[y_, x] - matplotlib.colors.to_rgb(expected)).max() < 0.01


def test_many_rows_share_bars():
    rng = np.random.default_rng(0)
    p = rng.beta(1, 4, 2000)
    y = rng.random(2000) < p
    display = SortedProbabilityDisplay.from_predictions(y, p, max_bars=100)
    order = np.argsort(-p)
    np.testing.assert_allclose(display.heights_, np.exp(np.log(p[order]).reshape(100, 20).mean(axis=1)))
    np.testing.assert_allclose(display.shares_[True], y[order].reshape(100, 20).mean(axis=1))
    np.testing.assert_allclose(display.shares_[True] + display.shares_[False], 1)
    assert "rank of the row (bars of about 20 rows)" in texts(display)
    own = SortedProbabilityDisplay.from_predictions(y[:100], p[:100], max_bars=100)
    assert "rank of the row" in texts(own) and len(own.heights_) == 100


def test_the_strip_shows_the_shares():
    y, p = np.tile([1, 0, 0, 0], 10), np.repeat(np.linspace(0.9, 0.05, 10), 4)
    display = SortedProbabilityDisplay.from_predictions(y, p, max_bars=10)
    display.figure_.canvas.draw()
    pixels = np.asarray(display.figure_.canvas.buffer_rgba())[::-1, :, :3] / 255
    (x0, y0), (_, y1) = display.ax_.transAxes.transform([(0.5, 0), (0.5, 0.22)])
    column = pixels[int(y0) + 2 : int(y1) - 1, int(x0)]
    events = np.abs(column - matplotlib.colors.to_rgb(palette()[1])).max(axis=1) < 0.01
    assert events.mean() == pytest.approx(0.25, abs=0.03)


def test_probabilities_of_zero_have_a_bar():
    display = SortedProbabilityDisplay.from_predictions([0, 1, 0], [0.0, 0.5, 1.0])
    np.testing.assert_allclose(display.heights_, [1, 0.5, 1e-6])
    assert display.ax_.get_ylim()[0] < 1e-6


def test_more_classes_than_colours_share_the_last():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 12, 150)
    display = SortedProbabilityDisplay.from_predictions(y, rng.uniform(size=150), pos_label=7)
    names = list(display.shares_)
    assert names[0] == 7 and names[-1] == "6 other classes" and len(names) == 7
    np.testing.assert_array_equal(sum(display.shares_.values()), np.ones(150))
    common = np.bincount(y)
    assert min(common[names[1:-1]]) >= max(np.delete(common, names[:-1]))


def test_several_classes_and_text_labels(patients):
    X, _ = patients
    y = np.resize(["a", "b", "c"], 400)
    model = KAAMClassifier().fit(X, y)
    for display in DISPLAYS:
        written = " ".join(texts(display.from_estimator(model, X, y)))
        assert "probability of c" in written and "KAAMClassifier" in written
        assert "probability of a" in " ".join(texts(display.from_estimator(model, X, y, class_="a")))
    with pytest.raises(ValueError, match="3 classes"):
        CalibrationCurveDisplay.from_predictions(y, model.predict_proba(X)[:, 0])


@pytest.mark.parametrize("display", DISPLAYS)
def test_what_cannot_be_drawn_is_said(display, patients, model):
    X, y = patients
    with pytest.raises(
        TypeError, match=f"{display.__name__} needs a fitted classifier with predict_proba; got LinearSVC"
    ):
        display.from_estimator(LinearSVC().fit(X, y), X, y)
    with pytest.raises(TypeError, match="got KAAMClassifier"):
        display.from_estimator(KAAMClassifier, X, y)
    with pytest.raises(NotFittedError):
        display.from_estimator(KAAMClassifier(), X, y)
    with pytest.raises(ValueError, match="class_='ill' is not a class of the model"):
        display.from_estimator(model, X, y, class_="ill")
    with pytest.raises(ValueError, match="y holds 'ill', which is not a class of the model"):
        display.from_estimator(model, X, np.where(y == "dead", "ill", y))
    with pytest.raises(ValueError, match="y_prob holds 1.5 in row 0"):
        display.from_predictions(y, np.full(400, 1.5))
    with pytest.raises(ValueError, match="y_prob has 3 rows, but y_true has 400"):
        display.from_predictions(y, [0.1, 0.2, 0.3])


@pytest.mark.parametrize("display", DISPLAYS[:2])
def test_rows_of_one_class_are_refused(display, patients, model):
    X, y = patients
    with pytest.raises(ValueError, match="y holds no row of class 'dead'"):
        display.from_estimator(model, X[y == "alive"], y[y == "alive"])
    with pytest.raises(ValueError, match="y holds only rows of class 'dead'"):
        display.from_estimator(model, X[y == "dead"], y[y == "dead"])


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_any_name_is_drawn_as_text(name):
    y, p = np.resize(["", name], 30), np.linspace(0.05, 0.95, 30)
    for display in (
        CalibrationCurveDisplay.from_predictions(y, p, name=name),
        DecisionCurveDisplay.from_predictions(y, {name: p, name + name: p}),
        SortedProbabilityDisplay.from_predictions(y, p, name=name),
    ):
        display.figure_.savefig(io.BytesIO())
        assert max(len(text) for text in texts(display)) < 80


@pytest.mark.parametrize("display", DISPLAYS)
def test_own_axes_and_drawing_again(display, patients, model):
    import matplotlib.pyplot as plt

    X, y = patients
    _, ax = plt.subplots()
    made = display.from_estimator(model, X, y, ax=ax)
    assert made.ax_ is ax and made.figure_ is ax.figure
    assert made.plot() is made and made.ax_ is not ax
