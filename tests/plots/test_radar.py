"""RadarDisplay: vertices by the paper's definition, computed from contributions or by moving one column."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax

from kan_tabular import KAAMClassifier, KAAMRegressor, KANRegressor, LogisticKAN
from kan_tabular.plots import RadarDisplay

from .known_model import HOSTILE_NAMES, mixed_table

TABLE = mixed_table(120)
SCORE = np.nan_to_num(TABLE["age"] / 20 - TABLE["bmi"] / 10, nan=0.3) + (TABLE["ward"] == "surgery")
SICK = np.where(SCORE + np.random.default_rng(0).normal(size=120) > 1.2, "sick", "well")
STAGE = np.digitize(SCORE, [0.5, 1.6])


@pytest.fixture(scope="module")
def model():
    return KAAMClassifier().fit(TABLE, SICK)


def polygon(line):
    return line.get_ydata()[:-1]


def test_vertices_are_those_of_the_paper(model):
    """Sigmoid of the mean contributions of all other features and the row's own, over the given cohort."""
    cohort = TABLE[:40]
    display = RadarDisplay.from_estimator(model, TABLE, 7, cohort=cohort)
    delta, base = model.explain(cohort).values, model.explain(cohort).base_values[0]
    own, means = model.explain(TABLE[7:8]).values[0], delta.mean(0)
    vertices = [expit(base + sum(means[k] for k in range(3) if k != j) + own[j]) for j in range(3)]
    np.testing.assert_allclose(display.values, vertices, rtol=0, atol=1e-9)
    assert display.average == pytest.approx(expit(base + means.sum()), abs=1e-9)
    np.testing.assert_allclose(display.importances, delta.var(0), rtol=0, atol=1e-9)
    assert display.prediction == pytest.approx(model.predict_proba(TABLE[7:8])[0, 1])
    order = np.argsort(-delta.var(0))
    np.testing.assert_allclose(polygon(display.line_), np.array(vertices)[order], atol=1e-9)
    np.testing.assert_allclose(display.average_line_.get_ydata(), display.average)


def test_without_a_cohort_the_average_is_that_of_training(model):
    display = RadarDisplay.from_estimator(model, TABLE, 3)
    assert display.average == pytest.approx(expit(model.intercept_), abs=1e-9)
    np.testing.assert_allclose(display.values, expit(model.intercept_ + model.explain(TABLE[3:4]).values[0]), atol=1e-9)
    np.testing.assert_array_equal(display.importances, model.feature_importances_)


def test_several_classes_share_one_softmax():
    model = KAAMClassifier().fit(TABLE, STAGE)
    display = RadarDisplay.from_estimator(model, TABLE, 5, cohort=TABLE, class_=1)
    delta, base = model.explain(TABLE).values, model.explain(TABLE).base_values[0]
    vertices = []
    for j in range(3):
        scores = base + delta.mean(0).sum(0)
        scores = scores - delta[:, j].mean(0) + delta[5, j]
        vertices.append(softmax(scores)[1])
    np.testing.assert_allclose(display.values, vertices, rtol=0, atol=1e-9)
    assert display.prediction_name == "P(1)"
    predicted = RadarDisplay.from_estimator(model, TABLE, 5)
    assert predicted.prediction_name == f"P({model.predict(TABLE[5:6])[0]})"


def test_neighbours_are_drawn_as_the_row_would_be(model):
    display = RadarDisplay.from_estimator(model, TABLE, 0, neighbors=TABLE[10:13])
    alone = RadarDisplay.from_estimator(model, TABLE, 11)
    np.testing.assert_allclose(display.neighbors[1], alone.values)
    np.testing.assert_allclose(polygon(display.neighbor_lines_[1]), polygon(alone.line_))
    texts = [text.get_text() for text in display.figure_.legends[0].get_texts()]
    assert texts[2] == "3 others" and texts[0].startswith("P(well): ")


@pytest.mark.parametrize("n_features", [1, 2, 3, 4, 8, 12, 13, 24])
def test_every_spoke_has_its_name_beside_its_end(n_features):
    names = [f"column {j}" for j in range(n_features)]
    display = RadarDisplay(
        values=np.linspace(0.2, 0.8, n_features),
        average=0.5,
        importances=np.arange(n_features)[::-1],
        feature_names=names,
        data=np.arange(n_features),
        prediction=0.6,
        prediction_name="P(sick)",
    ).plot(max_features=n_features)
    display.figure_.savefig(io.BytesIO())
    ax, renderer = display.ax_, display.figure_.canvas.get_renderer()
    radius = ax.get_window_extent().width / 2
    center = np.array(ax.get_window_extent().get_points()).mean(0)
    for j, text in enumerate(ax.texts):
        assert text.get_text() == f"{names[j]} = {j}"
        box = text.get_tightbbox(renderer)
        assert np.isfinite(box.get_points()).all()  # else it is not drawn
        angle = 2 * np.pi * j / n_features
        end = center + radius * np.array([np.sin(angle), np.cos(angle)])
        gap = end - np.clip(end, box.min, box.max)
        assert 0 < np.hypot(*gap) < 25 or n_features > 12  # a turned box may reach back over the end of its spoke
        assert np.hypot(*gap) < 25


def test_counts_are_drawn_on_their_own_scale():
    counts = np.round(np.exp(SCORE))
    model = KAAMRegressor(loss="poisson").fit(TABLE, counts)
    display = RadarDisplay.from_estimator(model, TABLE, 2)
    explanation = model.explain(TABLE[2:3])
    np.testing.assert_allclose(display.values, np.exp(explanation.base_values[0] + explanation.values[0]), rtol=1e-9)
    assert display.prediction_name == "predicted value"


@pytest.mark.parametrize("labels", [SICK, STAGE])
def test_a_network_is_asked_with_one_feature_at_a_time(labels):
    """All others "absent" means every other curve of the first layer at its training mean."""
    model = LogisticKAN(hidden_layer_sizes=(3,), max_iter=2, n_estimators=2, random_state=0).fit(TABLE, labels)
    display = RadarDisplay.from_estimator(model, TABLE, 4)
    for j, name in enumerate(TABLE):
        at = TABLE[name][4:5].tolist()
        for output in range(model.network_.n_outputs):
            class_ = None if model.network_.n_outputs == 1 else output
            grid = [0.0] if pd.isna(at[0]) else at
            shape = model.shape_function(name, grid, class_)
            effect = shape.missing.value if pd.isna(at[0]) else shape.y[0]
            if output == 0:
                scores = model.network_.base.copy()
            scores[output] += effect
        if len(scores) == 1:
            assert display.values[j] == pytest.approx(expit(scores[0]), abs=1e-9)
        else:
            k = int(display.prediction_name[2])
            assert display.values[j] == pytest.approx(softmax(scores)[k], abs=1e-9)


def test_one_of_several_targets():
    model = KANRegressor(hidden_layer_sizes=(3,), max_iter=2, n_estimators=2, random_state=0)
    model.fit(TABLE, np.stack([SCORE, SCORE**2], 1))
    display = RadarDisplay.from_estimator(model, TABLE, 4, class_=1)
    assert display.average == pytest.approx(model.network_.base[1])
    assert display.prediction == pytest.approx(model.predict(TABLE[4:5])[0, 1])
    with pytest.raises(ValueError, match="class_=2: give None, or the position"):
        RadarDisplay.from_estimator(model, TABLE, 4, class_=2)


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_hostile_names_and_thirty_spokes_stay_inside_the_picture(style):
    rng = np.random.default_rng(0)
    names = [*HOSTILE_NAMES, *(f"column {j} with a long name, in mg/dl" for j in range(30 - len(HOSTILE_NAMES)))]
    X = pd.DataFrame(rng.normal(size=(80, 30)), columns=names)
    model = KAAMClassifier().fit(X, X.iloc[:, 0] + X.iloc[:, 1] > 0)
    with plt.style.context(style):
        for n_features in (10, 30):
            display = RadarDisplay.from_estimator(model, X, neighbors=X[1:6], max_features=n_features)
            display.figure_.savefig(io.BytesIO())
            box = display.ax_.get_tightbbox()
            assert box.x0 >= 0 and box.x1 <= display.figure_.bbox.x1
            assert box.y0 >= display.figure_.legends[0].get_window_extent().y1 and box.y1 <= display.figure_.bbox.y1
            assert len(polygon(display.line_)) == n_features


def test_wrong_arguments_are_named(model):
    with pytest.raises(ValueError, match="max_features must be at least 1"):
        RadarDisplay.from_estimator(model, TABLE, max_features=0)
    with pytest.raises(ValueError, match="ax must be polar"):
        RadarDisplay.from_estimator(model, TABLE, ax=plt.figure().add_subplot())
    with pytest.raises(ValueError, match="row=120 is outside the table"):
        RadarDisplay.from_estimator(model, TABLE, 120)
    ax = plt.figure().add_subplot(projection="polar")
    display = RadarDisplay.from_estimator(model, TABLE, ax=ax)
    assert display.ax_ is ax and len(ax.get_legend().get_texts()) == 2
