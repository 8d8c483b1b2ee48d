"""What a fitted additive model says about itself is true: contributions, curves, uncertainty, warnings, tools."""

import io
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import kan_tabular
from kan_tabular import KAAMClassifier, KAAMRegressor
from kan_tabular.exceptions import UnseenCategoryWarning

pytestmark = pytest.mark.filterwarnings("error")

RESPONSES = ["binary", "multiclass", "gaussian", "poisson", "gamma"]


def simulate(response, n=400, seed=0):
    """A table with a curve, holes, ties, a flag, levels and one useless column; the response of that name; weights."""
    rng = np.random.default_rng(seed)
    level = rng.integers(0, 3, n)
    X = pd.DataFrame(
        {
            "curve": rng.uniform(-2, 2, n),
            "holed": np.where(rng.random(n) < 0.2, np.nan, rng.normal(10, 2, n)),
            "flag": rng.random(n) < 0.3,
            "level": np.where(rng.random(n) < 0.1, None, np.array(["low", "mid", "top"])[level]),
            "useless": rng.normal(size=n),
        }
    )
    eta = np.sin(2 * X["curve"].to_numpy()) + 0.7 * np.isnan(X["holed"].to_numpy()) + 0.6 * (level == 2)
    y = {
        "binary": lambda: np.where(rng.random(n) < 1 / (1 + np.exp(-1.5 * eta)), "yes", "no"),
        "multiclass": lambda: np.array(["a", "b", "c"])[np.digitize(eta + 0.5 * rng.logistic(size=n), [0.0, 0.9])],
        "gaussian": lambda: eta + 0.3 * rng.normal(size=n),
        "poisson": lambda: rng.poisson(np.exp(eta)).astype(float),
        "gamma": lambda: rng.gamma(4.0, np.exp(eta) / 4.0),
    }[response]()
    return X, y, rng.integers(1, 4, n).astype(float)


def build(response, **parameters):
    if response in ("binary", "multiclass"):
        return KAAMClassifier(**parameters)
    return KAAMRegressor(loss={"gaussian": "squared_error"}.get(response, response), **parameters)


@pytest.fixture(scope="module", params=RESPONSES)
def case(request):
    """(response, fitted model, X, y, weights); fitted with weights so that nothing can forget them."""
    X, y, weight = simulate(request.param)
    return request.param, build(request.param).fit(X, y, sample_weight=weight), X, y, weight


def link(model, X):
    if hasattr(model, "decision_function"):
        return model.decision_function(X)
    return model.predict(X) if model.loss == "squared_error" else np.log(model.predict(X))


# ------------------------------------------------------------------------------------------------- contributions


def test_contributions_and_intercept_add_up_to_the_decision_function(case):
    _, model, X, _, _ = case
    fresh = X.sample(100, random_state=0).assign(curve=lambda t: 3 * t["curve"])  # also outside the training range
    for table in (X, fresh):
        explanation = model.explain(table)
        total = explanation.values.sum(axis=1) + np.asarray(model.intercept_)
        np.testing.assert_allclose(total, link(model, table), rtol=0, atol=1e-10)
        base = np.broadcast_to(explanation.base_values, total.shape)
        np.testing.assert_allclose(explanation.values.sum(axis=1) + base, total, rtol=0, atol=1e-10)


def test_contributions_are_centred_on_the_training_rows_with_their_weights(case):
    _, model, X, _, weight = case
    mean = np.average(model.explain(X).values, axis=0, weights=weight)
    np.testing.assert_allclose(mean, 0, atol=1e-8)


def test_an_explanation_names_its_parts(case):
    response, model, X, _, _ = case
    explanation = model.explain(X)
    assert list(explanation.feature_names) == list(X.columns) == list(model.network_.feature_names)
    assert explanation.values.shape == (len(X), X.shape[1], *([3] if response == "multiclass" else []))
    assert len(explanation.data) == len(X)


def test_the_average_prediction_is_the_average_response(case):
    """Stationarity in the unpenalised intercept of a canonical link: the weighted residuals sum to zero."""
    response, model, X, y, weight = case
    if response == "gamma":  # log link: the relative residuals do
        residual = y / model.predict(X) - 1
    elif hasattr(model, "predict_proba"):
        residual = (y[:, None] == model.classes_) - model.predict_proba(X)
    else:
        residual = y - model.predict(X)
    np.testing.assert_allclose(np.average(residual, axis=0, weights=weight), 0, atol=1e-5)


def test_probabilities_sum_to_one_and_agree_with_the_scores():
    for response in ("binary", "multiclass"):
        X, y, _ = simulate(response)
        model = build(response).fit(X, y)
        probability, score = model.predict_proba(X), model.decision_function(X)
        np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-12)
        if response == "binary":
            np.testing.assert_allclose(np.log(probability[:, 1] / probability[:, 0]), score, atol=1e-8)
            expected = model.classes_[(score > 0).astype(int)]
        else:
            expected_log = score - np.log(np.exp(score).sum(axis=1, keepdims=True))
            np.testing.assert_allclose(np.log(probability), expected_log, atol=1e-8)
            expected = model.classes_[score.argmax(axis=1)]
        np.testing.assert_array_equal(model.predict(X), expected)


# -------------------------------------------------------------------------------------------------------- curves


def test_a_shape_is_the_contribution_when_only_that_column_varies(case):
    response, model, X, _, _ = case
    classes = model.classes_ if response == "multiclass" else [None]
    grid = np.linspace(-3, 3, 41)  # the training range is (-2, 2)
    table = X.iloc[[0] * len(grid)].assign(curve=grid)
    for k, class_ in enumerate(classes):
        pick = (lambda values, k=k: values[..., k]) if response == "multiclass" else (lambda values: values)
        shape = model.shape_function("curve", grid=grid, class_=class_)
        np.testing.assert_array_equal(shape.x, grid)
        np.testing.assert_allclose(shape.y, pick(model.explain(table).values[:, 0]), atol=1e-10)
        levels = model.shape_function("level", class_=class_)
        assert levels.kind == "category" and sorted(levels.x) == ["low", "mid", "top"]
        rows = X.iloc[[0] * 3].assign(level=list(levels.x))
        np.testing.assert_allclose(levels.y, pick(model.explain(rows).values[:, 3]), atol=1e-10)


def test_without_a_class_a_multiclass_shape_is_that_of_the_last_class():
    X, y, _ = simulate("multiclass")
    model = KAAMClassifier().fit(X, y)
    np.testing.assert_array_equal(model.shape_function("curve").y, model.shape_function("curve", class_="c").y)


def test_the_default_grid_spans_the_training_range(case):
    _, model, X, _, _ = case
    x = np.asarray(model.shape_function("holed").x)
    assert x.min() == pytest.approx(X["holed"].min()) and x.max() == pytest.approx(X["holed"].max())


def test_the_missing_level_is_the_contribution_of_a_missing_cell(case):
    response, model, X, _, weight = case
    for name in ("holed", "level"):
        missing = model.shape_function(name).missing
        row = X.iloc[[0]].assign(**{name: np.nan if name == "holed" else None})
        value = model.explain(row).values[0, list(X).index(name)]
        assert missing.value == pytest.approx(value[-1] if response == "multiclass" else value, abs=1e-10)
        assert missing.weight == pytest.approx(np.average(X[name].isna(), weights=weight))
        assert missing.lower < missing.value < missing.upper and missing.se > 0
    assert model.shape_function("curve").missing is None


def test_the_density_is_the_share_of_training_rows(case):
    _, model, X, _, weight = case
    density = model.shape_function("curve").density
    expected, _ = np.histogram(X["curve"], bins=density.edges, weights=weight / weight.sum())
    np.testing.assert_allclose(density.weight, expected, atol=1e-9)
    assert density.weight.sum() == pytest.approx(1)
    levels = model.shape_function("level")
    shares = [weight[(X["level"] == level).to_numpy()].sum() / weight.sum() for level in levels.x]
    assert levels.density.edges is None
    np.testing.assert_allclose(levels.density.weight, shares)


def test_curves_are_continuous_and_go_on_as_straight_lines_outside_the_training_range(case):
    _, model, X, _, _ = case
    low, high = X["curve"].min(), X["curve"].max()
    for start, direction in ((high, 1.0), (low, -1.0)):
        beyond = model.shape_function("curve", grid=start + direction * np.linspace(0.0, 50.0, 26)).y
        np.testing.assert_allclose(np.diff(beyond, 2), 0, atol=1e-9 * max(1.0, np.abs(beyond).max()))
        step = 1e-4
        around = model.shape_function("curve", grid=start + direction * step * np.array([-1.0, 0.0, 1.0])).y
        slope = (beyond[-1] - beyond[0]) / 50.0
        np.testing.assert_allclose(np.diff(around), slope * step, atol=20 * step**2 * (1 + abs(slope)))
    inside = model.shape_function("curve", grid=np.linspace(low, high, 2001)).y
    assert np.abs(np.diff(inside)).max() < 20 * (high - low) / 2000  # no jump anywhere; the true slope is below 4


def test_bands_contain_the_curve_and_the_simultaneous_band_contains_the_pointwise_one(case):
    _, model, X, _, _ = case
    for name in X:
        shape = model.shape_function(name)
        assert np.all(shape.se >= 0) and np.all(shape.lower <= shape.y) and np.all(shape.y <= shape.upper)
        assert np.all(shape.lower_simultaneous <= shape.lower + 1e-12)
        assert np.all(shape.upper <= shape.upper_simultaneous + 1e-12)
        np.testing.assert_allclose(shape.upper - shape.lower, 2 * 1.96 * shape.se, rtol=0.01, atol=1e-12)
    useless = model.shape_function("useless")
    assert np.median(useless.se) > 1e-3, "a term that was shrunk away is not known without error"


def test_bands_widen_beyond_the_data():
    X, y, _ = simulate("gaussian")
    se = KAAMRegressor().fit(X, y).shape_function("curve", grid=[0.0, 2.0, 4.0, 8.0]).se
    assert se[0] < se[1] < se[2] < se[3]


# --------------------------------------------------------------------------------------- warnings, flags, summaries


def test_an_unseen_level_contributes_exactly_nothing_and_is_counted_in_a_warning(case):
    _, model, X, _, _ = case
    table = X.iloc[:10].assign(level=["violet"] * 3 + ["low"] * 7)
    with pytest.warns(UnseenCategoryWarning) as caught:
        values = model.explain(table).values
    assert np.all(values[:3, 3] == 0) and not np.all(values[3:, 3] == 0)
    assert len(caught) == 1
    for part in ("level", "violet", "3"):
        assert part in str(caught[0].message)


def test_extrapolation_flags_every_value_the_training_data_do_not_cover():
    X, y, _ = simulate("gaussian")
    model = KAAMRegressor().fit(X, y)
    assert not np.asarray(model.extrapolation(X)).any()
    row = X.iloc[[0]].assign(level="low", holed=10.0)
    table = pd.concat(
        [
            row,
            row.assign(curve=X["curve"].max() + 1e-6),
            row.assign(curve=X["curve"].min() - 1e-6),
            row.assign(level="violet"),
            row.assign(useless=np.nan),
            row.assign(holed=np.nan, level=None),
        ]
    )
    expected = np.zeros((6, 5), dtype=bool)
    expected[[1, 2, 3, 4], [0, 0, 3, 4]] = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnseenCategoryWarning)
        np.testing.assert_array_equal(np.asarray(model.extrapolation(table)), expected)


def test_importances_sum_to_one_and_are_the_mean_absolute_contributions(case):
    response, model, X, _, weight = case
    importance = model.feature_importances_
    assert importance.shape == (5,) and importance.sum() == pytest.approx(1)
    size = np.abs(model.explain(X).values)
    size = np.average(size.mean(axis=2) if response == "multiclass" else size, axis=0, weights=weight)
    np.testing.assert_allclose(importance, size / size.sum(), rtol=1e-6)


def test_importance_on_rows_is_that_of_their_contributions(case):
    """Mean size and variance (Apellaniz et al. 2025) of what each feature adds, averaged over classes."""
    _, model, X, _, weight = case
    values = model.explain(X).values.reshape(len(X), 5, -1)
    np.testing.assert_allclose(model.importance(X), np.abs(values).mean((0, 2)), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(model.importance(X, kind="variance"), values.var(0).mean(1), rtol=1e-9, atol=1e-9)
    assert model.importance(X, kind="variance").max() > 0.01
    mean = np.average(values, axis=0, weights=weight)
    trained = np.average((values - mean) ** 2, axis=0, weights=weight).mean(1)
    np.testing.assert_allclose(model.importance(kind="variance"), trained, rtol=1e-6, atol=1e-9)


def test_the_summary_describes_every_term(case):
    _, model, X, _, _ = case
    summary = model.summary()
    assert sorted(summary.index) == sorted(X.columns)
    summary = summary.loc[list(X.columns)]  # whatever order it is read in
    assert list(summary.columns) == ["kind", "edf", "smoothness", "importance", "concurvity", "note"]
    assert list(summary["kind"]) == list(model.network_.kinds)
    assert summary.loc["level", "kind"] == "category" and summary.loc["curve", "kind"] == "numeric"
    np.testing.assert_allclose(summary["edf"], [model.edf_[name] for name in X])
    np.testing.assert_allclose(summary["importance"], model.feature_importances_)


@pytest.mark.parametrize("response", RESPONSES)
def test_a_useless_column_comes_out_as_useless(response):
    # Without weights: frequencies repeat the noise of a row, which then looks like a finding.
    X, y, _ = simulate(response)
    summary = build(response).fit(X, y).summary()
    assert summary.loc["useless", "edf"] < summary.loc["curve", "edf"] / 2 and summary.loc["curve", "edf"] > 2
    assert summary.loc["useless", "importance"] < summary.loc["curve", "importance"] / 4


def test_concurvity_warns_the_reader_of_radius_and_perimeter():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = KAAMClassifier().fit(X, y)
    concurvity, summary = model.concurvity(), model.summary()
    trio = ["mean radius", "mean perimeter", "mean area"]
    relatives = {name for name in X if name.split()[-1] in ("radius", "perimeter", "area")}
    assert concurvity["concurvity"].between(0, 1).all()
    for name in trio:
        assert concurvity.loc[name, "concurvity"] > 0.95
        assert concurvity.loc[name, "most_related"] in relatives - {name}
        assert concurvity.loc[name, "most_related"] in summary.loc[name, "note"]


def test_concurvity_does_not_cry_wolf(case):
    _, model, _, _, _ = case
    assert model.concurvity()["concurvity"].max() < 0.5
    assert (model.summary()["note"].astype(str).str.contains("concurv|related", case=False)).sum() == 0


# ---------------------------------------------------------------------------------------------------- uncertainty


def test_standard_errors_of_the_mean_and_of_a_new_response():
    X, y, _ = simulate("gaussian", n=2000)
    model = KAAMRegressor().fit(X, y)
    mean, se = model.predict(X, return_std=True)
    same, spread = model.predict(X, return_std="predictive")
    np.testing.assert_array_equal(mean, model.predict(X))
    np.testing.assert_array_equal(same, mean)
    assert np.all(se > 0) and np.all(spread > se)
    np.testing.assert_allclose(np.sqrt(spread**2 - se**2), 0.3, rtol=0.06)  # the noise that was simulated
    fresh, response, _ = simulate("gaussian", n=4000, seed=1)
    mean, spread = model.predict(fresh, return_std="predictive")
    assert 0.93 < np.mean(np.abs(response - mean) < 1.96 * spread) < 0.97


@pytest.mark.parametrize("loss, variance", [("poisson", lambda mu: mu), ("gamma", lambda mu: mu**2 / 4)])
def test_a_new_count_or_amount_spreads_as_its_distribution_says(loss, variance):
    X, y, _ = simulate(loss, n=2000)
    model = build(loss).fit(X, y)
    mean, se = model.predict(X, return_std=True)
    _, spread = model.predict(X, return_std="predictive")
    assert np.all(se > 0) and np.all(spread > se)
    np.testing.assert_allclose(spread**2 - se**2, variance(mean), rtol=0.15)


def test_standard_errors_fall_with_the_root_of_the_number_of_rows():
    X, y, _ = simulate("gaussian", n=600)
    once = KAAMRegressor(smoothing=1.0).fit(X, y).predict(X, return_std=True)[1]
    X4, y4 = pd.concat([X] * 4), np.concatenate([y] * 4)
    four = KAAMRegressor(smoothing=4.0).fit(X4, y4).predict(X, return_std=True)[1]
    ratio = np.median(once / four)
    assert 1.6 < ratio < 2.4


# ------------------------------------------------------------------------------------------- tools around estimators


def test_the_usual_tools_work():
    X, y, _ = simulate("binary")
    numeric = ["curve", "holed", "useless"]
    scale = make_column_transformer(
        (StandardScaler(), numeric), remainder="passthrough", verbose_feature_names_out=False
    )
    pipeline = make_pipeline(scale.set_output(transform="pandas"), KAAMClassifier())
    assert cross_val_score(pipeline, X, y, scoring="roc_auc", error_score="raise").mean() > 0.75
    grid = {"kaamclassifier__n_knots": [4, 8], "kaamclassifier__smoothing": ["auto", "reml", 1.0]}
    search = GridSearchCV(pipeline, grid, cv=3, scoring="neg_log_loss", error_score="raise").fit(X, y)
    assert search.predict_proba(X).shape == (len(X), 2)


def test_copies_predict_the_same_bits(case, tmp_path):
    _, model, X, y, weight = case
    expected = link(model, X)
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    model.save(tmp_path / "model.kan")
    for copy in (
        pickle.loads(pickle.dumps(model)),
        joblib.load(buffer),
        kan_tabular.load(tmp_path / "model.kan"),
        clone(model).fit(X, y, sample_weight=weight),
    ):
        np.testing.assert_array_equal(link(copy, X), expected)
        np.testing.assert_array_equal(copy.shape_function("curve").upper, model.shape_function("curve").upper)
    assert not hasattr(clone(model), "network_")


@pytest.mark.parametrize("response", RESPONSES)
def test_the_container_of_a_table_does_not_matter(response):
    X, y, _ = simulate(response)
    numeric = X[["curve", "holed", "useless"]]
    expected = build(response).fit(numeric, y).predict(numeric)
    for convert in (pl.from_pandas, lambda table: table.to_numpy(), lambda table: table.to_numpy().tolist()):
        model = build(response).fit(convert(numeric), y)
        np.testing.assert_array_equal(model.predict(convert(numeric)), expected)
        if convert is pl.from_pandas:
            np.testing.assert_array_equal(model.predict(numeric), expected)
    mixed = build(response).fit(X, y)
    arrow = build(response).fit(pl.from_pandas(X), pl.Series(y))
    np.testing.assert_array_equal(arrow.predict(pl.from_pandas(X)), mixed.predict(X))
    np.testing.assert_array_equal(arrow.predict(X), mixed.predict(X))
