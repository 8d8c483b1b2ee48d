"""LIME: weights as theory has them for additive models, made-up rows of nothing but known cells."""

import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from tables import refused

from kan_tabular import KAAMClassifier, KAAMRegressor, KANRegressor
from kan_tabular.exceptions import UnseenCategoryWarning
from kan_tabular.explain import LimeExplanation, lime_explanation

pytest.importorskip("lime")

N = 200


def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "age": rng.uniform(20, 90, N),
            "bmi": np.where(rng.random(N) < 0.2, np.nan, rng.normal(27, 5, N)),
            "ward": rng.choice(["cardiology", "surgery", "general"], N),
            "smoker": rng.random(N) < 0.4,
            "children": rng.integers(0, 3, N),
        }
    )
    X.loc[::9, "ward"] = None
    return X


X = table()
SCORE = X["age"] / 20 - np.nan_to_num(X["bmi"], nan=20.0) / 10 + (X["ward"] == "surgery") + 0.5 * X["smoker"]
SICK = np.where(SCORE + np.random.default_rng(1).normal(size=N) > 2.2, "sick", "well")
STAGE = np.digitize(SCORE, [1.5, 2.5])


@pytest.fixture(scope="module")
def model():
    return KAAMClassifier().fit(X, SICK)


@pytest.fixture
def untouched():
    np.random.seed(4)
    before = np.random.get_state()[1].copy()
    yield
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def alike(column, cell):
    """Which cells of a column are like a cell, by the documented rule."""
    if pd.isna(cell):
        return column.isna().to_numpy()
    if column.dtype.kind == "f" and column.nunique() > 4:
        cuts = [-np.inf, *np.unique(np.percentile(column.dropna(), [25, 50, 75])), np.inf]
        return (pd.cut(column, cuts) == pd.cut([cell], cuts)[0]).to_numpy()
    return (column == cell).to_numpy()


def test_weights_of_an_additive_model_are_differences_of_means(model):
    """Made-up columns are independent, also under LIME's kernel, so each weight is about its own column."""
    rows = X.iloc[[0, 1, 7, 9, 23]]
    found = lime_explanation(model, rows, background=X, n_samples=30_000, random_state=0)
    curves = model.explain(X).values
    expected = np.empty((len(rows), 5))
    for i, row in enumerate(rows.itertuples(index=False)):
        for j, cell in enumerate(row):
            like = alike(X.iloc[:, j], cell)
            expected[i, j] = curves[like, j].mean() - curves[~like, j].mean()
    assert rows.isna().any().sum() == 2  # missing numbers and missing text are among the cells
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=0.03 * np.abs(expected).max())
    np.testing.assert_allclose(found.prediction, model.decision_function(rows), rtol=1e-12)
    np.testing.assert_allclose(found.values.sum(1) + found.base_values, found.local_prediction, rtol=1e-12)


def test_where_conditions_say_all_lime_is_right():
    """Columns with two levels and an additive model: the local linear model is the model."""
    rng = np.random.default_rng(2)
    two = pd.DataFrame({"a": rng.choice(["x", "y"], N), "b": rng.random(N) < 0.5, "c": rng.choice([1.5, 7.0], N)})
    y = (two["a"] == "x") * 2.0 - two["b"] + two["c"] / 5 + rng.normal(scale=0.1, size=N)
    model = KAAMRegressor().fit(two, y)
    found = lime_explanation(model, two[:4], background=two, random_state=0)
    assert (found.score > 0.999).all()
    np.testing.assert_allclose(found.local_prediction, model.predict(two[:4]), rtol=0.01)
    other = two.assign(a=np.where(two["a"] == "x", "y", "x"))[:4]
    exact = model.predict(two[:4]) - model.predict(other)
    np.testing.assert_allclose(found.values[:, 0], exact, rtol=0.01)
    assert found.conditions[0].tolist() == [
        f"a = {two['a'][0]}",
        f"b = {int(two['b'][0])}",
        f"c = {two['c'][0]:g}",
    ]


def test_made_up_rows_hold_cells_of_the_background_as_they_are():
    seen = []

    def record(rows):
        seen.append(rows)
        return rows

    pipeline = make_pipeline(FunctionTransformer(record), KAAMClassifier()).fit(X, SICK)
    seen.clear()
    lime_explanation(pipeline, X[:1], background=X[50:], n_samples=4000, random_state=0)
    (rows,) = seen
    assert list(rows.columns) == list(X.columns) and (rows.dtypes == X.dtypes).all() and len(rows) == 4000
    assert rows.iloc[0].equals(X.iloc[0])
    for name in X:
        cells, known = rows[name][1:], X[name][50:]
        assert set(cells.dropna()) <= set(known.dropna())
        shares = known.value_counts(normalize=True, dropna=False)
        drawn = cells.value_counts(normalize=True, dropna=False).reindex(shares.index, fill_value=0)
        assert (np.abs(drawn - shares) < 5 * np.sqrt(shares / 4000)).all()


def test_a_pipeline_is_explained_by_the_users_columns():
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["age", "bmi"]),
        (OneHotEncoder(sparse_output=False), ["ward", "smoker"]),
    )
    pipeline = make_pipeline(encode, KAAMClassifier()).fit(X, SICK)
    found = lime_explanation(pipeline, X[3:5], background=X, random_state=0)
    assert isinstance(found, LimeExplanation) and found.feature_names == list(X)
    np.testing.assert_allclose(found.prediction, pipeline.decision_function(X[3:5]), rtol=1e-9)
    cut = [f"{cut:.4g}" for cut in np.percentile(X["age"], [25, 50, 75])]
    possible = [f"age <= {cut[0]}", f"{cut[0]} < age <= {cut[1]}", f"{cut[1]} < age <= {cut[2]}", f"age > {cut[2]}"]
    quarter = np.searchsorted(np.percentile(X["age"], [25, 50, 75]), X["age"][3:5])
    assert found.conditions[:, 0].tolist() == [possible[q] for q in quarter]
    assert (np.abs(found.values[:, 4]) < 0.1).all()  # the pipeline drops this column
    assert np.abs(found.values[:, 0]).max() > 0.5
    pd.testing.assert_frame_equal(pd.DataFrame(found.data), pd.DataFrame(X[3:5].to_numpy()))


RESPONSES = {
    "two classes": (KAAMClassifier(), SICK, {}, lambda m: m.predict_proba(X[:2])[:, 1]),
    "three classes": (KAAMClassifier(), STAGE, {"class_": 1}, lambda m: m.predict_proba(X[:2])[:, 1]),
    "the last of three": (KAAMClassifier(), STAGE, {}, lambda m: m.predict_proba(X[:2])[:, 2]),
    "numbers": (KAAMRegressor(), SCORE, {}, lambda m: m.predict(X[:2])),
    "counts": (KAAMRegressor(loss="poisson"), np.round(np.exp(SCORE)), {}, lambda m: m.predict(X[:2])),
    "a network": (KANRegressor(max_iter=4, n_estimators=2, random_state=0), SCORE, {}, lambda m: m.predict(X[:2])),
    "the second target": (
        KANRegressor(max_iter=4, n_estimators=2, random_state=0),
        np.column_stack([SCORE, -(SCORE**2)]),
        {"class_": 1},
        lambda m: m.predict(X[:2])[:, 1],
    ),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_either_scale_is_that_of_the_model(name):
    model, y, which, predict = RESPONSES[name]
    model.fit(X, y)
    settings = {"background": X, "n_samples": 200, "random_state": 0, **which}
    found = lime_explanation(model, X[:2], scale="response", **settings)
    np.testing.assert_allclose(found.prediction, predict(model), rtol=1e-9)
    link = lime_explanation(model, X[:2], **settings)
    own = model.explain(X[:2])
    eta = (own.values.sum(1) + own.base_values).reshape(2, -1)
    np.testing.assert_allclose(link.prediction, eta[:, which.get("class_", -1)], rtol=1e-9)
    assert np.isfinite(found.values).all() and np.abs(found.values).max() > 0


def test_the_random_state_decides_everything(model, untouched):
    def explained(rows, seed):
        return lime_explanation(model, rows, background=X, n_samples=300, random_state=seed).values

    both = explained(X[:2], 3)
    np.testing.assert_array_equal(both, explained(X[:2], 3))
    np.testing.assert_array_equal(both[1:], explained(X[1:2], 3))
    np.testing.assert_array_equal(
        explained(X[:2], np.random.RandomState(5)), explained(X[:2], np.random.RandomState(5))
    )
    assert (both != explained(X[:2], 4)).any()


def test_tables_of_any_kind_say_the_same(model):
    settings = {"n_samples": 300, "random_state": 0}
    plain = lime_explanation(model, X[:3], background=X, **settings)
    polars = lime_explanation(model, pl.from_pandas(X[:3]), background=pl.from_pandas(X), **settings)
    np.testing.assert_allclose(polars.values, plain.values)
    shuffled = lime_explanation(model, X[:3], background=X[X.columns[::-1]], **settings)
    np.testing.assert_array_equal(shuffled.values, plain.values)
    numbers = X[["age", "children"]].to_numpy(float)
    own = KAAMRegressor().fit(numbers, SCORE)
    array = lime_explanation(own, numbers[:3], background=numbers, **settings)
    lists = lime_explanation(own, numbers[:3].tolist(), background=numbers.tolist(), **settings)
    np.testing.assert_array_equal(array.values, lists.values)
    cells = X[["age", "ward"]].to_numpy(object)
    mixed = KAAMRegressor().fit(cells, SCORE)
    assert lime_explanation(mixed, cells[:2], background=cells, **settings).conditions[1, 1] == f"x1 = {X['ward'][1]}"


def test_levels_that_are_new_and_columns_that_are_empty(model):
    row = X[:1].assign(ward="oncology")
    with pytest.warns(UnseenCategoryWarning, match="oncology"):
        found = lime_explanation(model, row, background=X, random_state=0)
    assert found.conditions[0, 2] == "ward = oncology" and np.isfinite(found.values).all()
    np.testing.assert_allclose(found.prediction, model.decision_function(X[:1]) - model.explain(X[:1]).values[:, 2])
    empty = lime_explanation(model, X[:1].assign(bmi=np.nan), background=X.assign(bmi=np.nan), random_state=0)
    assert empty.conditions[0, 1] == "bmi missing" and empty.values[0, 1] == 0


def test_codes_of_categories_are_levels_not_numbers():
    codes = pd.DataFrame({"code": np.arange(N) % 7, "age": X["age"]})
    model = KAAMRegressor(categorical_features=["code"]).fit(codes, (codes["code"] == 3) + SCORE / 5)
    found = lime_explanation(model, codes[3:4], background=codes, random_state=0, n_samples=500)
    assert found.conditions[0, 0] == "code = 3"
    assert np.abs(found.values).argmax() == 0


def test_only_some_columns_can_be_kept(model):
    found = lime_explanation(model, X[:3], background=X, n_features=2, n_samples=2000, random_state=0)
    assert ((found.values != 0).sum(1) == 2).all()
    full = lime_explanation(model, X[:3], background=X, n_samples=2000, random_state=0)
    kept = {frozenset(np.flatnonzero(row)) for row in found.values}
    assert kept <= {frozenset(np.argsort(-np.abs(row))[:2]) for row in full.values}
    # LIME's own objects tell the same, with the user's cells.
    said = dict(full.lime[0].as_list())
    assert said == dict(zip(full.conditions[0], full.values[0], strict=True))
    assert full.lime[0].domain_mapper.feature_values[2] == X["ward"].iloc[0] or X["ward"].isna()[0]


def test_a_narrower_kernel_stays_closer():
    """Rates that multiply: near a row a weight is what changing this one column does, far from it an average."""
    rng = np.random.default_rng(3)
    two = pd.DataFrame({"a": rng.choice(["x", "y"], 2 * N), "b": rng.choice(["u", "v"], 2 * N)})
    rate = np.exp(2.0 * (two["a"] == "x") + 2.0 * (two["b"] == "u"))
    model = KAAMRegressor(loss="poisson").fit(two, rng.poisson(rate))
    row = pd.DataFrame({"a": ["x"], "b": ["u"]})

    def explained(width):
        settings = {"scale": "response", "kernel_width": width, "n_samples": 20_000, "random_state": 0}
        return lime_explanation(model, row, background=two, **settings).values[0, 0]

    cells = pd.DataFrame({"a": list("xxyy"), "b": list("uvuv")})
    like = (cells == row.iloc[0]).to_numpy(float)
    frequency = np.prod([two[name].value_counts(normalize=True)[cells[name]] for name in two], axis=0)

    def expected(width):
        weight = frequency * np.exp(-(1 - like).sum(1) / (2 * width**2))
        return LinearRegression().fit(like, model.predict(cells), weight).coef_[0]

    alone, averaged = expected(0.5), expected(100.0)
    assert alone > 1.2 * averaged
    assert explained(0.5) == pytest.approx(alone, rel=0.03)
    assert explained(100.0) == pytest.approx(averaged, rel=0.03)


def test_bad_input_is_named(model, monkeypatch):
    def explain(X_=X[:2], background=X, **settings):
        return lambda: lime_explanation(model, X_, background=background, **settings)

    refused(explain(scale="probability"), "scale")
    refused(explain(n_samples=1), "n_samples")
    refused(explain(n_features=0), "n_features")
    refused(explain(kernel_width=-1.0), "kernel_width")
    refused(explain(class_="sick"), "class_")
    refused(explain(background=X.drop(columns="bmi")), "background", "bmi")
    refused(explain(background=X.assign(extra=1.0)), "background", "extra")
    refused(explain(background=X.to_numpy()), "background")
    numbers = X[["age", "children"]].to_numpy(float)
    own = KAAMRegressor().fit(numbers, SCORE)
    refused(lambda: lime_explanation(own, numbers[:2], background=numbers[:, :1]), "background")
    refused(lambda: lime_explanation(KAAMRegressor, X, background=X), "lime_explanation")
    monkeypatch.setitem(sys.modules, "lime", None)
    with pytest.raises(ImportError, match=r"needs lime: pip install 'kan-tabular\[explain\]'"):
        explain()()
