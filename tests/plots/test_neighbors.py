"""NeighborDisplay: the cells are those of the cases, the shades those of the distances."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kan_tabular import KAAMClassifier, KAAMRegressor
from kan_tabular.explain import SimilarCases
from kan_tabular.plots import NeighborDisplay
from kan_tabular.plots._style import ON_DARK, ON_LIGHT

from .known_model import HOSTILE_NAMES, mixed_table

TABLE = mixed_table(120)
SCORE = np.nan_to_num(TABLE["age"] / 20 - TABLE["bmi"] / 10, nan=0.3) + (TABLE["ward"] == "surgery")
SICK = np.where(SCORE + np.random.default_rng(0).normal(size=120) > 1.2, "sick", "well")


@pytest.fixture(scope="module")
def model():
    return KAAMClassifier().fit(TABLE, SICK)


@pytest.fixture(scope="module")
def cases(model):
    return SimilarCases(model, n_neighbors=4).fit(TABLE[20:], SICK[20:], ids=[f"P{i}" for i in range(100)])


def cells(display):
    rows = [tick.get_text() for tick in display.ax_.get_yticklabels()]
    columns = [tick.get_text() for tick in display.ax_.get_xticklabels()]
    return pd.DataFrame([[text.get_text() for text in row] for row in display.texts_], index=rows, columns=columns)


def test_cells_are_the_values_of_the_nearest_cases(model, cases):
    drawn = cells(NeighborDisplay.from_estimator(cases, TABLE, 3))
    delta = model.explain(TABLE).values
    apart = np.linalg.norm(delta[20:] - delta[3], axis=1)
    nearest = apart.argsort(kind="stable")[:4]
    assert list(drawn) == ["this case", *(f"P{i}" for i in nearest)]
    importance = pd.Series(model.feature_importances_, TABLE.columns).sort_values(ascending=False)
    assert list(drawn.index) == ["distance", "outcome", "P(well)", *importance.index]
    assert drawn.loc["distance"].tolist() == ["", *(f"{d:.2f}" for d in apart[nearest])]
    assert drawn.loc["outcome"].tolist() == ["", *SICK[20:][nearest]]
    at = [3, *(20 + nearest)]
    assert drawn.loc["P(well)"].tolist() == [f"{p:.1%}" for p in model.predict_proba(TABLE)[at, 1]]
    assert drawn.loc["ward"].tolist() == TABLE["ward"].iloc[at].tolist()
    assert drawn.loc["age"].tolist() == [f"{v:.4g}" for v in TABLE["age"].iloc[at]]


def test_shades_are_shares_of_the_squared_distance_in_the_colour_of_their_sign(model, cases):
    display = NeighborDisplay.from_estimator(cases, TABLE, 3)
    shades = np.asarray(display.image_.get_array())
    delta = pd.DataFrame(model.explain(TABLE).values, columns=TABLE.columns)
    nearest = np.linalg.norm(delta[20:] - delta.loc[3], axis=1).argsort(kind="stable")[:4]
    difference = (delta[20:].iloc[nearest] - delta.loc[3])[list(display.values)].to_numpy().T
    share = difference**2 / (difference**2).sum(0)
    # Opacity tells the share alone: the same function of it everywhere, growing with it.
    order = np.argsort(share.ravel())
    assert (np.diff(shades[..., 3].ravel()[order]) >= 0).all()
    clear = np.abs(difference) > 1e-6
    assert clear.sum() > 6
    ratio = shades[..., 3][clear] ** 2 / share[clear]
    np.testing.assert_allclose(ratio, ratio[0])
    expected = np.where((difference > 0)[..., None], to_rgb(ON_LIGHT[1]), to_rgb(ON_LIGHT[0]))
    np.testing.assert_allclose(shades[..., :3][clear], expected[clear])
    assert "orange raises P(well), blue lowers it" in display.ax_.get_xlabel()


def test_without_a_direction_shades_are_grey(model):
    display = NeighborDisplay.from_estimator(SimilarCases(model, space="input").fit(TABLE), TABLE, 3)
    np.testing.assert_allclose(np.asarray(display.image_.get_array())[..., :3], 0)
    assert display.ax_.get_xlabel() == "shade: share of the distance"


def test_what_is_not_shown_is_added_up(model, cases):
    display = NeighborDisplay.from_estimator(cases, TABLE, 3, max_features=1)
    drawn, found = cells(display), cases.query(TABLE[3:4])
    first = next(iter(display.values))
    rest = 1 - found[f"share__{first}"]
    assert drawn.index[-1] == "all other features" and len(drawn) == 5
    assert drawn.iloc[-1].tolist() == ["", *(f"{share:.0%} of it" for share in rest)]
    closed = SimilarCases(model, redact=["age", "ward"]).fit(TABLE)
    hidden = cells(NeighborDisplay.from_estimator(closed, TABLE[:20].assign(age=33.125), 3))
    assert not {"age", "ward"} & set(hidden.index) and hidden.index[-1] == "all other features"
    assert "33.12" not in hidden.to_numpy()


def test_suppressed_cases_are_empty_columns(model):
    cases = SimilarCases(model, n_neighbors=60, min_group=TABLE["ward"].value_counts().min() + 1).fit(TABLE, SICK)
    assert cases.n_suppressed_
    drawn = cells(NeighborDisplay.from_estimator(cases, TABLE, 0))
    suppressed = cases.kneighbors(TABLE[:1])[1][0] < 0
    assert suppressed.any() and not suppressed.all()
    heads = np.array(drawn.columns[1:])
    assert (heads[suppressed] == "suppressed").all() and not (heads[~suppressed] == "suppressed").any()
    assert (drawn.iloc[:, 1:].loc[:, suppressed] == "").all(axis=None)
    assert (drawn.iloc[3:, 1:].loc[:, ~suppressed] != "").all(axis=None)


def test_several_classes_and_numbers():
    stage = np.digitize(SCORE, [0.5, 1.6])
    model = KAAMClassifier().fit(TABLE, stage)
    display = NeighborDisplay.from_estimator(SimilarCases(model).fit(TABLE), TABLE, 5)
    likely = model.predict(TABLE[5:6])[0]
    drawn = cells(display)
    assert drawn.index[2] == f"P({likely})" and drawn.iloc[2, 0] == drawn.iloc[2, 1]
    assert (drawn.loc["outcome"] == "").all() and "orange" not in display.ax_.get_xlabel()
    one = NeighborDisplay.from_estimator(SimilarCases(model, class_=0).fit(TABLE), TABLE, 5)
    assert one.prediction_name == "P(0)" and one.prediction == pytest.approx(model.predict_proba(TABLE[5:6])[0, 0])
    regressor = KAAMRegressor().fit(TABLE, SCORE)
    numbers = cells(NeighborDisplay.from_estimator(SimilarCases(regressor).fit(TABLE, SCORE), TABLE, 5))
    assert numbers.loc["outcome"].iloc[1] == f"{SCORE[5]:.4g}"


def test_pipelines_show_the_users_units():
    numbers = TABLE[["age", "bmi"]].fillna(25.0)
    pipeline = make_pipeline(StandardScaler(), KAAMClassifier()).fit(numbers, SICK)
    drawn = cells(NeighborDisplay.from_estimator(SimilarCases(pipeline).fit(numbers), numbers, 2))
    assert drawn.loc["age"].iloc[0] == f"{numbers['age'][2]:.4g}"


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_hostile_names_render_inside_the_picture(hostile, style):
    _, table = hostile
    model = KAAMRegressor().fit(table, table.iloc[:, 0])
    ids = np.resize(np.array(HOSTILE_NAMES, dtype=object), len(table))
    with plt.style.context(style):
        display = NeighborDisplay.from_estimator(SimilarCases(model).fit(table, ids=ids), table)
        display.figure_.savefig(io.BytesIO())
        box = display.ax_.get_tightbbox()
        assert box.x0 >= 0 and box.x1 <= display.figure_.bbox.x1
        renderer = display.figure_.canvas.get_renderer()
        width = display.ax_.get_window_extent().width / display.texts_.shape[1]
        assert max(text.get_window_extent(renderer).width for text in display.texts_.ravel()) <= 1.05 * width
        colours = np.asarray(display.image_.get_array())[..., :3].reshape(-1, 3)
        known = [to_rgb(c) for c in ((ON_DARK if style != "default" else ON_LIGHT)[:2])]
        assert {tuple(c) for c in colours} & set(known)


def test_wrong_arguments_are_named(model, cases):
    with pytest.raises(TypeError, match="NeighborDisplay needs fitted SimilarCases; got KAAMClassifier"):
        NeighborDisplay.from_estimator(model, TABLE)
    with pytest.raises(ValueError, match="max_features must be at least 1"):
        NeighborDisplay.from_estimator(cases, TABLE, max_features=0)
    ax = plt.figure().add_subplot()
    assert NeighborDisplay.from_estimator(cases, TABLE, ax=ax).ax_ is ax
