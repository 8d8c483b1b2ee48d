"""Awkward input is answered with finite numbers and without a warning; monstrous input so, or refused helpfully.

Never a NaN, a NumPy warning or another library's exception.
"""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from tables import RESPONSES, N, binary, latent, mixed_table, numeric_table, refused

from kan_tabular import KAAMClassifier, KAAMRegressor
from kan_tabular.exceptions import UnseenCategoryWarning

pytestmark = pytest.mark.filterwarnings("error")


def finite_everywhere(model, X):
    """Every number a user can ask for about ``X`` is finite; returns the decision function or prediction."""
    answers = [model.predict(X), model.explain(X).values, np.asarray(model.intercept_), model.feature_importances_]
    if hasattr(model, "predict_proba"):
        answers = [*answers[1:], model.predict_proba(X), model.decision_function(X)]
    else:
        answers += [*model.predict(X, return_std=True), model.predict(X, return_std="predictive")[1]]
    for answer in answers:
        assert np.isfinite(answer).all()
    for name in model.network_.feature_names:
        shape = model.shape_function(name)
        for curve in (shape.y, shape.se, shape.lower, shape.upper, shape.lower_simultaneous, shape.upper_simultaneous):
            assert np.isfinite(curve).all(), name
    return answers[-1]


# --------------------------------------------------------------------------------------------------------- accepted


def awkward_columns():
    rng = np.random.default_rng(3)
    x = rng.normal(size=N)
    text = np.array(["a", "b", "c"])[rng.integers(0, 3, N)]
    hole = rng.random(N) < 0.3
    return {
        "constant": np.full(N, 7.0),
        "constant text": np.full(N, "same"),
        "all missing": np.full(N, np.nan),
        "all None": pd.Series([None] * N, dtype=object),
        "one value left": np.where(np.arange(N) == 5, 1.0, np.nan),
        "constant with missing": np.where(hole, np.nan, 3.0),
        "two-valued": (x > 0).astype(float),
        "two-valued, far apart": np.where(x > 0, 1e9, -1e9),
        "three-valued": np.digitize(x, [-0.5, 0.5]),
        "boolean": x > 0,
        "boolean with missing": pd.Series(x > 0).astype("boolean").mask(hole),
        "nullable integers": pd.Series(np.round(x * 3)).astype("Int64").mask(hole),
        "small integers": np.round(np.abs(x) * 5).astype(np.uint8),
        "single precision": x.astype(np.float32),
        "heavy-tailed": rng.standard_cauchy(N) ** 3,
        "log-normal over 20 decades": np.exp(10 * x),
        "offset of 1e9": 1e9 + x,
        "one outlier of 1e12": np.where(np.arange(N) == 4, 1e12, x),
        "mostly zero": np.where(np.arange(N) < 55, 0.0, x),
        "missing numbers": np.where(hole, np.nan, x),
        "strings": text,
        "strings with None": np.where(hole, None, text),
        "category": pd.Categorical(text),
        "category with missing": pd.Categorical(np.where(hole, None, text)),
        "category with unused levels": pd.Categorical(text, categories=list("abcdz")),
        "ordered category": pd.Categorical(text, categories=list("cab"), ordered=True),
        "category of integers": pd.Categorical(np.digitize(x, [-0.5, 0.5])),
        "a rare level": np.where(np.arange(N) == 9, "rare", text),
    }


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("kind", awkward_columns())
def test_awkward_columns_are_accepted_and_everything_stays_finite(kind, response):
    make, target = RESPONSES[response]
    table = numeric_table()[["age"]].assign(awkward=awkward_columns()[kind])
    finite_everywhere(make().fit(table, target(latent())), table)


@pytest.mark.parametrize("kind", ["constant", "constant text", "all missing", "all None"])
def test_a_column_without_information_contributes_nothing(kind):
    table = numeric_table()[["age"]].assign(awkward=awkward_columns()[kind])
    model = KAAMClassifier().fit(table, binary())
    assert np.all(model.explain(table).values[:, 1] == 0)
    assert model.feature_importances_[1] == 0
    alone = KAAMClassifier().fit(table[["age"]], binary())
    np.testing.assert_allclose(model.decision_function(table), alone.decision_function(table[["age"]]), rtol=1e-6)


@pytest.mark.parametrize("kind", ["boolean", "category", "strings with None", "missing numbers", "nullable integers"])
@pytest.mark.parametrize("make", [KAAMClassifier, KAAMRegressor])
def test_awkward_columns_are_accepted_from_polars(make, kind):
    table = pl.from_pandas(numeric_table()[["age"]].assign(awkward=awkward_columns()[kind]))
    finite_everywhere(make().fit(table, binary()), table)


@pytest.mark.parametrize("chosen", [["ward"], [1], [False, True], np.array([1])], ids=["name", "list", "mask", "array"])
def test_categories_may_be_chosen_by_name_position_or_mask(chosen):
    ward = np.random.default_rng(7).integers(0, 4, N)
    table = numeric_table()[["age"]].assign(ward=ward)
    model = KAAMClassifier(categorical_features=chosen).fit(table, binary())
    assert model.network_.kinds == ["numeric", "category"]
    as_text = KAAMClassifier().fit(table.assign(ward=ward.astype(str)), binary())
    np.testing.assert_allclose(model.decision_function(table), as_text.decision_function(table.astype({"ward": str})))
    floats = table.astype({"ward": float})  # 3.0 is the level 3
    np.testing.assert_array_equal(model.decision_function(floats), model.decision_function(table))


@pytest.mark.parametrize("response", RESPONSES)
def test_more_columns_than_rows_are_accepted(response):
    rng = np.random.default_rng(4)
    make, target = RESPONSES[response]
    X = rng.normal(size=(20, 200))
    model = make().fit(X, target(np.linspace(-1.5, 1.5, 20)))
    assert np.isfinite(model.explain(X).values).all() and np.isfinite(np.asarray(model.intercept_)).all()
    if hasattr(model, "predict_proba"):
        assert np.isfinite(model.predict_proba(X)).all()
    else:
        assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("select", [True, False])
@pytest.mark.parametrize("smoothing", ["auto", "reml", 1.0])
def test_perfectly_separable_classes_are_accepted(n_classes, select, smoothing):
    table = numeric_table()
    y = np.digitize(table["age"], np.quantile(table["age"], np.arange(1, n_classes) / n_classes))
    model = KAAMClassifier(smoothing=smoothing, select=select).fit(table, y)
    finite_everywhere(model, table)
    if smoothing != 1.0:  # a smoothness the user fixed may be too stiff to follow the steps
        assert model.score(table, y) > 0.9


def test_the_smallest_tables_are_accepted():
    finite_everywhere(KAAMClassifier().fit([[0.0], [1.0]], ["no", "yes"]), [[0.0], [1.0]])
    finite_everywhere(KAAMRegressor().fit([[0.0], [1.0]], [0.0, 1.0]), [[0.0], [1.0]])


def test_a_constant_target_is_predicted_as_it_is():
    model = KAAMRegressor().fit(mixed_table(), np.full(N, 4.25))
    np.testing.assert_allclose(finite_prediction := model.predict(mixed_table()), 4.25, rtol=1e-9)
    assert np.isfinite(finite_prediction).all()


@pytest.mark.parametrize("scale, shift", [(1e-9, 0.0), (1e9, 0.0), (1.0, 1e9)])
def test_a_target_in_any_unit_is_followed(scale, shift):
    table, y = numeric_table(), latent()
    model = KAAMRegressor().fit(table, shift + scale * y)
    assert np.corrcoef(model.predict(table), y)[0, 1] > 0.8


# ----------------------------------------------------------------------------------------------- accepted: at predict


@pytest.fixture(scope="module")
def fitted():
    return KAAMClassifier().fit(mixed_table(), binary())


def test_plain_strings_stand_for_the_categories_seen_at_fit(fitted):
    plain = mixed_table().assign(colour=mixed_table()["colour"].astype(str).astype(object))
    np.testing.assert_array_equal(fitted.decision_function(plain), fitted.decision_function(mixed_table()))
    one = pd.Categorical(["blue"] * N)  # a category dtype with another code for the same level
    recoded = fitted.explain(mixed_table().assign(colour=one)).values[:, 3]
    expected = fitted.explain(mixed_table()).values[(mixed_table()["colour"] == "blue").to_numpy(), 3][0]
    np.testing.assert_array_equal(recoded, np.full(N, expected))


@pytest.mark.parametrize(
    "missing",
    [np.nan, None, pd.Series([pd.NA] * N, dtype="string"), pd.Categorical([None] * N)],
    ids=["nan", "None", "NA", "category"],
)
def test_a_category_missing_everywhere_at_predict_is_neutral(fitted, missing):
    table = mixed_table().assign(colour=missing)
    finite_everywhere(fitted, table)
    assert np.all(fitted.explain(table).values[:, 3] == 0)


@pytest.mark.parametrize("value", [1e6, -1e6, 1e12, -1e12])
def test_values_far_outside_the_training_range_stay_finite(fitted, value):
    finite_everywhere(fitted, mixed_table().assign(dose=value))


def test_an_ndarray_of_zeros_is_answered(fitted):
    with warnings.catch_warnings():  # both are documented: no names to check, and 0 is no colour
        warnings.filterwarnings("ignore", message="X does not have valid feature names", category=UserWarning)
        warnings.simplefilter("ignore", UnseenCategoryWarning)
        assert np.isfinite(fitted.predict_proba(np.zeros((4, 4)))).all()


def test_unseen_levels_are_answered_with_one_warning(fitted):
    with pytest.warns(UnseenCategoryWarning, match="colour") as caught:
        answer = fitted.predict_proba(mixed_table().assign(colour="violet"))
    assert np.isfinite(answer).all() and len(caught) == 1


def test_one_row_is_answered(fitted):
    assert fitted.predict_proba(mixed_table().iloc[[0]]).shape == (1, 2)


# --------------------------------------------------------------------------------------------------- refused or finite


def either_tables():
    rng = np.random.default_rng(5)
    table = numeric_table()[["age"]]
    dates = pd.Series(pd.date_range("2020-01-01", periods=N))
    doubled = numeric_table().set_axis(["age", "age", "score"], axis=1)
    return {
        "all constant": pd.DataFrame({"a": np.ones(N), "b": ["x"] * N}),
        "all missing": pd.DataFrame({"a": np.full(N, np.nan)}),
        "1e300": table.assign(huge=1e300 * rng.normal(size=N)),
        "largest floats": table.assign(huge=np.where(rng.random(N) < 0.5, 1.7e308, -1.7e308)),
        "1e307": table.assign(huge=1e307 * rng.uniform(-5, 5, N)),
        "1e-300": table.assign(tiny=1e-300 * rng.normal(size=N)),
        "subnormal": table.assign(tiny=5e-324 * rng.integers(0, 9, N)),
        "1e300 and 1e-300": table.assign(both=np.where(rng.random(N) < 0.5, 1e300, 1e-300)),
        "duplicate names": doubled,
        "mixed objects": table.assign(mixed=pd.Series([1, "a", None, 2.5, True] * (N // 5), dtype=object)),
        "numbers as text": table.assign(text=[str(v) for v in range(N)]),
        "dates": table.assign(when=dates),
        "dates with holes": table.assign(when=dates.mask(np.arange(N) % 7 == 0)),
        "time zones": table.assign(when=dates.dt.tz_localize("UTC")),
        "durations": table.assign(lasted=dates - dates.iloc[0]),
        "periods": table.assign(when=dates.dt.to_period("M")),
        "identifiers": table.assign(id=[f"patient-{i:04d}" for i in range(N)]),
        "bytes": table.assign(raw=[b"a", b"b"] * (N // 2)),
        "integer names": numeric_table().set_axis([0, 1, 2], axis=1),
        "mixed names": numeric_table().set_axis([0, "b", 2.5], axis=1),
        "odd names": numeric_table().set_axis(["", "a\nb", "é"], axis=1),
        "text array": np.array([["a", "b"], ["b", "a"]] * (N // 2)),
        "object array": numeric_table().to_numpy().astype(object),
        "two-level names": numeric_table().set_axis(pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)]), axis=1),
    }


@pytest.mark.parametrize("response", ["binary", "gaussian", "poisson"])
@pytest.mark.parametrize("kind", either_tables())
def test_a_monstrous_table_is_refused_or_answered_finitely(kind, response):
    make, target = RESPONSES[response]
    table = either_tables()[kind]
    try:
        model = make().fit(table, target(latent()))
    except (ValueError, TypeError):
        refused(lambda: make().fit(table, target(latent())))
    else:
        answer = model.predict_proba(table) if hasattr(model, "predict_proba") else model.predict(table)
        assert np.isfinite(answer).all()
        assert np.isfinite(model.explain(table).values).all()


def test_identifiers_do_not_pass_for_knowledge():
    rng = np.random.default_rng(6)
    table = numeric_table(400)[["age"]].assign(id=[f"patient-{i:04d}" for i in range(400)])
    y = rng.integers(0, 2, 400)
    try:
        model = KAAMClassifier().fit(table, y)
    except (ValueError, TypeError):
        refused(lambda: KAAMClassifier().fit(table, y), "id")
    else:  # one level a row: pooling must shrink them to (nearly) nothing, not memorise the labels
        assert np.abs(model.explain(table).values[:, 1]).max() < 0.5
