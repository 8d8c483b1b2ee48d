"""NomogramDisplay: points and totals lead to the model's own predictions."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kan_tabular import KAAMClassifier, KAAMRegressor, LogisticKAN
from kan_tabular.plots import NomogramDisplay

from .known_model import HOSTILE_NAMES, mixed_table

TABLE = mixed_table(120)
SCORE = np.nan_to_num(((TABLE["age"] - 50) / 20) ** 2 - TABLE["bmi"] / 10, nan=0.3) + (TABLE["ward"] == "surgery")
SICK = np.where(SCORE + np.random.default_rng(0).normal(size=120) > -1.5, "sick", "well")


@pytest.fixture(scope="module")
def model():
    return KAAMClassifier().fit(TABLE, SICK)


def test_points_of_the_ticks_add_up_to_the_probability(model):
    """What a reader does: points of three ticks, their total, the probability below it; what the model says."""
    display = NomogramDisplay.from_estimator(model)
    names = [display.feature_names[i] for i in display.features_]
    assert sorted(names) == sorted(TABLE.columns)
    checked = 0
    for texts in zip(*(ticks[:3] for ticks in display.ticks_), strict=False):
        row = {}
        for name, (text, _) in zip(names, texts, strict=True):
            number = np.nan if text == "missing" else text
            row[name] = [number if name == "ward" else float(number)]
        total = sum(points for _, points in texts)
        expected = model.decision_function(pd.DataFrame(row)[TABLE.columns.tolist()])[0]
        assert logit(display.predict(total)) == pytest.approx(expected, abs=5e-3)  # ticks lie amid points of a curve
        checked += 1
    assert checked == 3


def test_the_widest_axis_has_a_hundred_points_and_each_begins_at_none(model):
    display = NomogramDisplay.from_estimator(model)
    ranges = []
    for name in TABLE:
        shape = model.shape_function(name)
        effects = [*shape.y, *([] if shape.missing is None else [shape.missing.value])]
        ranges.append(max(effects) - min(effects))
    assert display.features_ == np.argsort(-np.array(ranges), kind="stable").tolist()
    lines = [
        c for c in display.ax_.collections if len(c.get_segments()) == 1 and np.ptp(c.get_segments()[0][:, 1]) == 0
    ]
    widths = {c.get_segments()[0][0, 1]: c.get_segments()[0][:, 0] for c in lines}
    for row, i in enumerate(display.features_, 1):
        np.testing.assert_allclose(widths[row], [0, 100 * ranges[i] / max(ranges)])


@pytest.mark.parametrize("max_features", [1, 3])
def test_a_marked_row_gets_its_own_prediction(model, max_features):
    """Also where some columns are not shown."""
    for row in (0, 7, 40):  # in row 7 a value is missing
        display = NomogramDisplay.from_estimator(model, TABLE, row, max_features=max_features)
        expected = model.predict_proba(TABLE[row : row + 1])[0, 1]
        assert display.predict(display.total_) == pytest.approx(expected, abs=1e-9)
        assert f"{expected:.1%}" in display.ax_.get_xlabel()
        marks = [line for line in display.ax_.get_lines() if line.get_marker() == "D"]
        assert len(marks[0].get_xdata()) == max_features
        assert marks[0].get_xdata().sum() == pytest.approx(display.total_)


def test_ticks_of_the_prediction_stand_where_the_total_leads_to_them(model):
    display = NomogramDisplay.from_estimator(model)
    n = len(display.features_)
    most = sum(
        max(p.get_segments()[0][1, 0] for p in display.ax_.collections if row_of(p) == r) for r in range(1, n + 1)
    )
    texts = [t for t in display.ax_.texts if abs(t.get_position()[1] - (n + 2)) < 0.5]
    assert len(texts) >= 4
    for text in texts:
        assert display.predict(text.get_position()[0] / 100 * most) == pytest.approx(float(text.get_text()), abs=1e-4)
    totals = [t for t in display.ax_.texts if abs(t.get_position()[1] - (n + 1)) < 0.5]
    for text in totals:
        assert text.get_position()[0] / 100 * most == pytest.approx(float(text.get_text()))


def row_of(collection):
    """Row of an axis line; None for a tick or a helper line."""
    (x0, y0), (x1, y1) = collection.get_segments()[0]
    return y0 if len(collection.get_segments()) == 1 and y0 == y1 and x1 > x0 else None


def test_values_lie_below_where_the_curve_falls(model):
    display = NomogramDisplay.from_estimator(model)
    row = 1 + [display.feature_names[i] for i in display.features_].index("age")
    sides = {}
    for text in display.ax_.texts:
        if abs(text.get_position()[1] - row) < 0.5:
            sides[float(text.get_text())] = text.get_position()[1] < row
    for value, above in sides.items():
        y = model.shape_function("age", [value - 0.5, value + 0.5]).y
        assert above == (y[1] > y[0])
    assert len(set(sides.values())) == 2  # a valley: both happen
    assert "falls along those below" in display.ax_.get_xlabel()


def test_labels_on_one_side_do_not_touch():
    X = pd.DataFrame(np.random.default_rng(0).uniform(-1000, 1000, size=(200, 2)), columns=["strong", "weak"])
    display = NomogramDisplay.from_estimator(KAAMRegressor().fit(X, 8 * X["strong"] + X["weak"]))
    assert len(display.ticks_[0]) > 5 > len(display.ticks_[1]) >= 2
    display.figure_.savefig(io.BytesIO())
    boxes = [text.get_window_extent() for text in display.ax_.texts]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_numbers_have_a_scale_of_their_own():
    for loss, y in (("squared_error", SCORE), ("poisson", np.round(np.exp(SCORE / 2)))):
        model = KAAMRegressor(loss=loss).fit(TABLE, y)
        display = NomogramDisplay.from_estimator(model, TABLE, 3)
        assert display.predict(display.total_) == pytest.approx(model.predict(TABLE[3:4])[0])
        assert display.ax_.get_yticklabels()[-1].get_text() == "predicted value"


def test_pipelines_show_the_users_units():
    numbers = TABLE[["age", "bmi"]].fillna(25.0)
    pipeline = make_pipeline(StandardScaler(), KAAMClassifier()).fit(numbers, SICK)
    plain = NomogramDisplay.from_estimator(KAAMClassifier().fit(numbers, SICK))
    display = NomogramDisplay.from_estimator(pipeline)
    for scaled, own in zip(display.ticks_, plain.ticks_, strict=True):
        assert [text for text, _ in scaled] == [text for text, _ in own]
        np.testing.assert_allclose([at for _, at in scaled], [at for _, at in own], atol=0.5)


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_hostile_names_and_thirty_columns_render(hostile, style):
    _, table = hostile
    rng = np.random.default_rng(0)
    wide = table.assign(**{f"column {j} with a long name, in mg/dl": rng.normal(size=40) for j in range(22)})
    wide["constant"] = 1.0
    model = KAAMRegressor().fit(wide, wide[HOSTILE_NAMES[0]] + wide["column 3 with a long name, in mg/dl"])
    with plt.style.context(style):
        display = NomogramDisplay.from_estimator(model, wide, 2, max_features=40)
        display.figure_.savefig(io.BytesIO())
    box = display.ax_.get_tightbbox()
    assert box.x0 >= 0 and box.x1 <= display.figure_.bbox.x1
    assert display.ax_.get_window_extent().width > 0.5 * display.figure_.bbox.width


def test_a_model_without_any_effect_is_drawn():
    X = pd.DataFrame({"same": np.ones(30)})
    display = NomogramDisplay.from_estimator(KAAMRegressor().fit(X, np.arange(30.0)), X)
    display.figure_.savefig(io.BytesIO())
    assert display.features_ == [0] and display.total_ == 0.0
    np.testing.assert_allclose(display.predict(0.0), 14.5)


def test_what_has_no_nomogram_is_refused(model):
    network = LogisticKAN(hidden_layer_sizes=(2,), max_iter=1, n_estimators=1, random_state=0).fit(TABLE, SICK)
    with pytest.raises(
        TypeError, match="needs an additive model, such as KAAMClassifier: the features of this LogisticKAN"
    ):
        NomogramDisplay.from_estimator(network)
    stages = KAAMClassifier().fit(TABLE, np.digitize(SCORE, [-2, -1]))
    with pytest.raises(ValueError, match="needs a model with one score; this one has 3"):
        NomogramDisplay.from_estimator(stages)
    with pytest.raises(ValueError, match="max_features must be at least 1"):
        NomogramDisplay.from_estimator(model, max_features=0)
    ax = plt.figure().add_subplot()
    assert NomogramDisplay.from_estimator(model, ax=ax).ax_ is ax
