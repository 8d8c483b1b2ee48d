"""Pipelines: the panel asks for original columns, and the script follows the steps to the model's inputs."""

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from live_model import contributions, evaluate, needs_node, table, trial_rows
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from kan_tabular import KAAMClassifier, KAAMRegressor
from kan_tabular.exceptions import LiveModelError
from kan_tabular.report.payload import model_payload

N = 200


def patients(seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.integers(20, 90, N).astype(float),
            "lactate": rng.exponential(2.0, N),
            "stage": rng.choice(["I", "II", "III", "IV"], N, p=[0.2, 0.5, 0.2, 0.1]),
            "site": rng.choice([1.0, 2.0, 7.0], N, p=[0.2, 0.2, 0.6]),
            "note": rng.normal(size=N),
        }
    )
    X.loc[rng.random(N) < 0.15, "lactate"] = np.nan
    X.loc[rng.random(N) < 0.1, "stage"] = None
    y = X["age"] / 20 + X["lactate"].fillna(1.0) + X["stage"].map({"I": 0, "II": 1, "III": 2, "IV": 4}).fillna(1.0)
    return X, (y + 0.5 * rng.normal(size=N)).to_numpy()


NUMBERS = ["age", "lactate", "site"]
PREPROCESSING = {
    "imputer and scaler": (NUMBERS, lambda: [SimpleImputer(strategy="median"), StandardScaler()]),
    "imputer that says so": (NUMBERS, lambda: [SimpleImputer(add_indicator=True), RobustScaler()]),
    "scaled, clipped": (NUMBERS, lambda: [MinMaxScaler((-1, 2), clip=True), MaxAbsScaler()]),
    "not centred": (NUMBERS, lambda: [StandardScaler(with_mean=False), RobustScaler(with_scaling=False)]),
    "chosen": (NUMBERS, lambda: [SimpleImputer(), SelectKBest(f_regression, k=2), FunctionTransformer()]),
    "one-hot": (None, lambda: [_by_kind(OneHotEncoder(handle_unknown="ignore"))]),
    "one-hot, one dropped": (None, lambda: [_by_kind(OneHotEncoder(drop="first", handle_unknown="ignore"))]),
    "rare levels": (None, lambda: [_by_kind(OneHotEncoder(min_frequency=60, handle_unknown="infrequent_if_exist"))]),
    "ordinal": (None, lambda: [_by_kind(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1))]),
    "target": (None, lambda: [_by_kind(TargetEncoder())]),
    "categories kept": (None, lambda: [_kept_categories()]),
}


def _by_kind(encoder):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    parts = [("encoded", encoder, ["stage", "site"]), ("numbers", numbers, slice(0, 2)), ("gone", "drop", ["note"])]
    return ColumnTransformer(parts)


def _kept_categories():
    text = make_column_selector(dtype_exclude=float)
    parts = [("text", SimpleImputer(strategy="most_frequent"), text), ("age", StandardScaler(), [0])]
    return ColumnTransformer(parts, remainder="passthrough").set_output(transform="pandas")


@cache
def fitted(case, regression=True):
    columns, steps = PREPROCESSING[case]
    X, y = patients()
    X = X if columns is None else X[columns]
    model = KAAMRegressor() if regression else KAAMClassifier()
    return make_pipeline(*steps(), model).fit(X, y if regression else y > np.median(y)), X


@needs_node
@pytest.mark.filterwarnings("ignore:(Levels that training|Found unknown categories)")
@pytest.mark.parametrize(
    ("case", "regression"),
    [*((case, True) for case in PREPROCESSING), ("one-hot", False), ("imputer and scaler", False)],
)
def test_equals_the_pipeline(case, regression):
    pipeline, X = fitted(case, regression)
    rows = trial_rows(X, 80, missing=0.2)
    payload = model_payload(pipeline)
    answers = evaluate(payload, rows)
    response = pipeline.predict(rows)[:, None] if regression else pipeline.predict_proba(rows)
    np.testing.assert_allclose(table(answers, "response"), response, rtol=1e-9, atol=1e-9)
    inner, given = pipeline[-1], pipeline[:-1].transform(rows)
    # Contributions and flags of all the model's features that an original column became.
    made = [i["feature"] for i in payload["inputs"]]
    values, flags = inner.explain(given).values, inner.extrapolation(given)
    own, names = contributions(answers)
    assert names == [f["name"] for f in payload["features"]]
    for k, name in enumerate(names):
        mine = [j for j, feature in enumerate(made) if feature == k]
        np.testing.assert_allclose(own[:, k, 0], values[:, mine].sum(1), rtol=1e-9, atol=1e-9)
        assert [name in answer["extrapolates"] for answer in answers] == flags[:, mine].any(1).tolist()


def by_name(payload):
    return {f["name"]: f for f in payload["features"]}


@pytest.mark.parametrize("case", PREPROCESSING)
def test_the_panel_asks_in_original_units(case):
    pipeline, X = fitted(case)
    features = by_name(model_payload(pipeline))
    assert set(features) <= set(X.columns) and len(features) >= 2
    for name, feature in features.items():
        known = X[name].dropna()
        if feature["kind"] == "category":
            assert feature["levels"] == [str(v) if isinstance(v, str) else f"{v:g}" for v in sorted(set(known))]
            if case not in ("rare levels", "target"):  # which levels' histograms cannot be told apart
                assert feature["typical"] == {"stage": "II", "site": "7"}[name]
            continue
        if "clipped" not in case:
            assert (feature["low"], feature["high"]) == pytest.approx((known.min(), known.max()), rel=1e-14)
        spread = np.ptp(known)
        # Read off histograms of 40 bins; imputed values are among them.
        assert abs(feature["typical"] - known.median()) < 0.05 * spread
        assert (
            np.abs(np.array(feature["quantiles"]) - known.quantile([0.05, 0.25, 0.5, 0.75, 0.95])).max() < 0.1 * spread
        )
        assert feature["integer"] == (name in ("age", "site"))


@needs_node
@pytest.mark.parametrize("case", ["imputer and scaler", "scaled, clipped"])
def test_the_ends_of_a_slider_are_not_beyond_training(case):
    payload = model_payload(fitted(case)[0])
    ends = [{f["name"]: f[end] for f in payload["features"]} for end in ("low", "high", "typical")]
    assert [answer["extrapolates"] for answer in evaluate(payload, pd.DataFrame(ends))] == [[], [], []]


def test_missing_values_are_offered_where_a_step_fills_them():
    asked = by_name(model_payload(fitted("imputer and scaler")[0]))
    assert asked["age"]["missing"] and asked["lactate"]["missing"]
    asked = by_name(model_payload(fitted("scaled, clipped")[0]))
    assert not asked["age"]["missing"] and asked["lactate"]["missing"]


def test_units():
    pipeline, _ = fitted("imputer and scaler")
    asked = by_name(model_payload(pipeline, units={"lactate": "mmol/l"}))
    assert asked["lactate"]["unit"] == "mmol/l" and asked["age"]["unit"] is None
    with pytest.raises(ValueError, match="'Lactate', which is not a column"):
        model_payload(pipeline, units={"Lactate": "mmol/l"})


@needs_node
def test_what_a_step_refuses_is_refused():
    X, y = patients()
    encoder = ColumnTransformer([("stage", OneHotEncoder(), ["stage"]), ("rest", KNNImputer(), ["age", "lactate"])])
    pipeline = make_pipeline(encoder, KAAMRegressor()).fit(X, y)
    row = {"stage": "II", "age": 50.0, "lactate": 1.0}
    frame = pd.DataFrame([row, {**row, "stage": "V"}, {**row, "lactate": None}, {**row, "stage": None}])
    answers = evaluate(model_payload(pipeline), frame)
    np.testing.assert_allclose(
        [answers[k]["response"][0] for k in (0, 3)], pipeline.predict(frame.iloc[[0, 3]]), rtol=1e-9
    )
    assert answers[1]["error"] == 'TypeError: Column "stage": the model refuses "V".'
    assert "KNNImputer" in answers[2]["error"] and '"lactate"' in answers[2]["error"]
    with pytest.raises(ValueError, match="unknown categories"):
        pipeline.predict(frame.iloc[[1]])


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (PCA(2), "PCA"),
        (FunctionTransformer(np.log1p), "FunctionTransformer"),
        (SimpleImputer(missing_values=7.0), "7.0 for missing"),
    ],
)
def test_steps_that_cannot_be_followed(step, says):
    X, y = patients()
    with warnings.catch_warnings():
        pipeline = make_pipeline(SimpleImputer(), step, KAAMRegressor()).fit(X[NUMBERS], y)
    with pytest.raises(LiveModelError, match=says):
        model_payload(pipeline)


@needs_node
def test_an_encoder_fitted_to_an_array():
    rng = np.random.default_rng(2)
    X = np.array([rng.choice(["a", "b", "<"], N), rng.choice([0.5, 2.0], N)], dtype=object).T
    y = (X[:, 0] == "a") + X[:, 1].astype(float) + 0.1 * rng.normal(size=N)
    pipeline = make_pipeline(OneHotEncoder(sparse_output=False), KAAMRegressor()).fit(X, y)
    payload = model_payload(pipeline)
    answers = evaluate(payload, pd.DataFrame(X[:20], columns=["x0", "x1"]))
    np.testing.assert_allclose(table(answers, "response")[:, 0], pipeline.predict(X[:20]), rtol=1e-9)
    assert [f["levels"] for f in payload["features"]] == [["<", "a", "b"], ["0.5", "2"]]
