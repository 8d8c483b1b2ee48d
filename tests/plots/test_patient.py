"""PatientDisplay: marks are at the case's value and contribution, and at those of its nearest cases."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tables import refused

from kan_tabular import KAAMClassifier, KAAMRegressor, LogisticKAN
from kan_tabular.explain import SimilarCases
from kan_tabular.plots import PatientDisplay

from .known_model import mixed_table

TABLE = mixed_table(150)
SCORE = np.nan_to_num(TABLE["age"] / 20 - TABLE["bmi"] / 10, nan=0.3) + (TABLE["ward"] == "surgery")
SICK = np.where(SCORE + np.random.default_rng(0).normal(size=150) > 1.2, "sick", "well")
STAGE = np.digitize(SCORE, [0.5, 1.6])


@pytest.fixture(scope="module")
def model():
    return KAAMClassifier().fit(TABLE, SICK)


def marks(line):
    return np.column_stack([np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)])


def own_effects(display):
    """The case's mark in each panel: the effect at which it is drawn, by feature."""
    at = {}
    for panel, line in zip(display.panels, display.markers_[1:], strict=True):
        x, y = marks(line)[0]
        at[panel.name] = y if panel.shape.kind == "numeric" else x
    return at


@pytest.mark.parametrize("row", [3, 7])  # the second lacks its bmi
def test_the_case_is_at_its_values_and_contributions(model, row):
    display = PatientDisplay.from_estimator(model, TABLE, row)
    eta, p = model.decision_function(TABLE[row : row + 1])[0], model.predict_proba(TABLE[row : row + 1])[0, 1]
    np.testing.assert_allclose(marks(display.markers_[0]), [[eta, p]])
    np.testing.assert_allclose(display.responses, expit(display.etas))
    assert display.average_eta == pytest.approx(model.intercept_) and display.prediction_name == "P(well)"
    contributions = pd.Series(model.explain(TABLE[row : row + 1]).values[0], TABLE.columns)
    assert own_effects(display) == pytest.approx(contributions.to_dict(), abs=1e-12)
    importance = pd.Series(model.feature_importances_, TABLE.columns).sort_values(ascending=False)
    assert [panel.name for panel in display.panels] == list(importance.index)
    age = marks(display.markers_[1 + list(importance.index).index("age")])
    assert age[0, 0] == TABLE["age"][row]
    ax = display.axes_.ravel()[list(importance.index).index("bmi")]
    assert ax.get_title(loc="left").startswith("missing: " if row == 7 else f"{TABLE['bmi'][row]:.4g}: ")
    bmi = marks(display.markers_[1 + list(importance.index).index("bmi")])[0, 0]
    assert bmi > TABLE["bmi"].max() if row == 7 else bmi == TABLE["bmi"][row]
    assert all(len(marks(line)) == 0 for line in display.neighbor_markers_)


@pytest.mark.parametrize("space", ["contribution", "input"])
def test_nearest_cases_are_on_the_same_curves(model, space):
    cases = SimilarCases(model, n_neighbors=4, space=space).fit(TABLE[20:])
    display = PatientDisplay.from_estimator(model, TABLE, 3, cases)
    near = TABLE[20:].iloc[cases.kneighbors(TABLE[3:4])[1][0]]
    on_top = np.column_stack([model.decision_function(near), model.predict_proba(near)[:, 1]])
    np.testing.assert_allclose(marks(display.neighbor_markers_[0]), on_top, rtol=1e-9)
    contributions = pd.DataFrame(model.explain(near).values, columns=TABLE.columns)
    for panel, line in zip(display.panels, display.neighbor_markers_[1:], strict=True):
        at = marks(line)
        numeric = panel.shape.kind == "numeric"
        tolerance = 2e-3 * np.ptp(panel.shape.y)  # between the points of the curve
        np.testing.assert_allclose(at[:, int(numeric)], contributions[panel.name], atol=tolerance)
        if numeric:
            known = near[panel.name].notna().to_numpy()
            np.testing.assert_array_equal(at[known, 0], near[panel.name][known])
    texts = [text.get_text() for text in display.figure_.legends[0].get_texts()]
    assert texts[1] == "4 nearest cases" and texts[0].startswith("this case: P(well) = ")


def test_what_may_not_be_shown_is_not(model):
    rare = SimilarCases(model, n_neighbors=60, redact="age", min_group=TABLE["ward"].value_counts().min() + 1)
    rare.fit(TABLE)
    display = PatientDisplay.from_estimator(model, TABLE, 0, rare)
    known = rare.kneighbors(TABLE[:1])[1][0] >= 0
    assert 0 < known.sum() < 60 and len(marks(display.neighbor_markers_[0])) == known.sum()
    by_name = dict(zip([panel.name for panel in display.panels], display.neighbor_markers_[1:], strict=True))
    assert len(marks(by_name["age"])) == 0 and len(marks(by_name["bmi"])) == known.sum()


def test_several_classes_share_one_softmax():
    model = KAAMClassifier().fit(TABLE, STAGE)
    cases = SimilarCases(model, n_neighbors=3).fit(TABLE[20:])
    display = PatientDisplay.from_estimator(model, TABLE, 5, cases, class_=1)
    eta, near = model.decision_function(TABLE[5:6])[0], TABLE[20:].iloc[cases.kneighbors(TABLE[5:6])[1][0]]
    assert display.prediction == pytest.approx(softmax(eta)[1]) and display.eta == pytest.approx(eta[1])
    moved = [softmax([eta[0], score, eta[2]])[1] for score in display.etas]
    np.testing.assert_allclose(display.responses, moved)
    np.testing.assert_allclose(display.neighbor_predictions, model.predict_proba(near)[:, 1])
    on_curve = [softmax([eta[0], score, eta[2]])[1] for score in display.neighbor_etas]
    np.testing.assert_allclose(on_curve, display.neighbor_predictions)
    contributions = dict(zip(TABLE.columns, model.explain(TABLE[5:6]).values[0, :, 1], strict=True))
    assert own_effects(display) == pytest.approx(contributions, abs=1e-12)
    predicted = PatientDisplay.from_estimator(model, TABLE, 5)
    assert predicted.prediction_name == f"P({model.predict(TABLE[5:6])[0]})"


def test_counts_rise_along_the_exponential():
    counts = np.random.default_rng(1).poisson(np.exp(SCORE / 2))
    model = KAAMRegressor(loss="poisson").fit(TABLE, counts)
    display = PatientDisplay.from_estimator(model, TABLE, 3, SimilarCases(model).fit(TABLE))
    np.testing.assert_allclose(display.responses, np.exp(display.etas))
    assert np.exp(display.eta) == pytest.approx(model.predict(TABLE[3:4])[0])
    np.testing.assert_allclose(np.exp(display.neighbor_etas), display.neighbor_predictions)
    assert display.etas[0] < min(display.neighbor_etas) and display.etas[-1] > max(display.neighbor_etas)
    assert display.scale == "log of target"


def test_a_networks_marks_are_main_effects():
    model = LogisticKAN(max_iter=5, n_estimators=2, random_state=0).fit(TABLE, SICK)
    display = PatientDisplay.from_estimator(model, TABLE, 3)
    for name, effect in own_effects(display).items():
        assert effect == pytest.approx(model.shape_function(name, grid=[TABLE[name][3]]).y[0])


def test_a_pipeline_shows_the_units_of_its_table():
    numbers = TABLE[["age", "bmi"]].fillna(25.0)
    pipeline = make_pipeline(StandardScaler(), KAAMClassifier()).fit(numbers, SICK)
    cases = SimilarCases(pipeline, n_neighbors=3).fit(numbers)
    display = PatientDisplay.from_estimator(pipeline, numbers, 2, cases)
    near = numbers.iloc[cases.kneighbors(numbers[2:3])[1][0]]
    scaled = pipeline[:-1].transform(numbers[2:3])
    for panel, own, others in zip(display.panels, display.markers_[1:], display.neighbor_markers_[1:], strict=True):
        j = list(numbers).index(panel.name)
        effect = pipeline[-1].explain(scaled).values[0, j]
        np.testing.assert_allclose(marks(own), [[numbers[panel.name][2], effect]])
        np.testing.assert_array_equal(marks(others)[:, 0], near[panel.name])


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_thirty_long_names_render_inside_the_picture(hostile, style):
    rng = np.random.default_rng(0)
    _, rows = hostile
    rows = rows.assign(**{f"laboratory measurement {j} of thirty (mmol/l)": rng.normal(size=40) for j in range(21)})
    model = KAAMRegressor().fit(rows, rows.iloc[:, 0] + rows.iloc[:, 3] + rows.iloc[:, -1])
    with plt.style.context(style):
        cases = SimilarCases(model).fit(rows)
        display = PatientDisplay.from_estimator(model, rows, 1, cases, n_features=9)
        display.figure_.savefig(io.BytesIO(), dpi=40)
        assert len(display.panels) == 9 and display.axes_.shape == (3, 3)
        for ax in [display.response_ax_, *display.axes_.ravel()]:
            box = ax.get_tightbbox()
            assert box.x0 >= -1 and box.x1 <= display.figure_.bbox.x1 + 1
            assert ax.get_window_extent().width > 40


def test_wrong_arguments_are_named(model):
    with pytest.raises(ValueError, match="n_features must be at least 1"):
        PatientDisplay.from_estimator(model, TABLE, n_features=0)
    with pytest.raises(ValueError, match="row=1000 is outside the table"):
        PatientDisplay.from_estimator(model, TABLE, 1000)
    refused(lambda: PatientDisplay.from_estimator(model, TABLE, cases=model), "cases")
    other = KAAMClassifier().fit(TABLE[["age"]], SICK)
    refused(lambda: PatientDisplay.from_estimator(other, TABLE[["age"]], cases=SimilarCases(model).fit(TABLE)), "cases")
    refused(lambda: PatientDisplay.from_estimator(model, TABLE, class_="sick"), "class_")
