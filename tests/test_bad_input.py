"""Bad input is refused: a ``ValueError`` or ``TypeError`` that names the column or argument and says what to do."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.exceptions import NotFittedError
from tables import CONTAINERS, RESPONSES, N, binary, latent, mixed_table, numeric_table, refused

from kan_tabular import KAAMClassifier, KAAMRegressor

pytestmark = pytest.mark.filterwarnings("error")


# ---------------------------------------------------------------------------------------------------- refused: y


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("loss", ["squared_error", "poisson", "gamma"])
def test_a_non_finite_target_is_refused(bad, loss):
    y = np.exp(latent())
    y[3] = bad
    refused(lambda: KAAMRegressor(loss=loss).fit(numeric_table(), y), "y")


@pytest.mark.parametrize(
    "y",
    [
        np.where(np.arange(N) == 3, np.nan, binary().astype(float)),
        np.where(np.arange(N) == 3, np.inf, binary().astype(float)),
        np.where(np.arange(N) == 3, None, binary().astype(object)),
        pd.Series(np.where(np.arange(N) == 3, None, np.where(binary() == 1, "ill", "well"))),
        pd.Series(binary()).astype("Int64").mask(np.arange(N) == 3),
    ],
    ids=["nan", "inf", "none", "none among strings", "nullable"],
)
def test_a_missing_class_label_is_refused(y):
    refused(lambda: KAAMClassifier().fit(numeric_table(), y), "y")


@pytest.mark.parametrize("y", [np.zeros(N), np.ones(N, dtype=int), np.full(N, "ill")], ids=["0", "1", "text"])
def test_one_class_is_refused(y):
    refused(lambda: KAAMClassifier().fit(numeric_table(), y), r"class(es)?")


def test_one_class_after_dropping_rows_of_weight_zero_is_refused():
    y = binary()
    refused(lambda: KAAMClassifier().fit(numeric_table(), y, sample_weight=(y == 1).astype(float)), r"class(es)?")


@pytest.mark.parametrize("loss, value", [("poisson", -1.0), ("gamma", -1.0), ("gamma", 0.0)])
def test_a_target_outside_the_range_of_its_loss_is_refused(loss, value):
    y = np.exp(latent())
    y[5] = value
    refused(lambda: KAAMRegressor(loss=loss).fit(numeric_table(), y), "y", loss)


@pytest.mark.parametrize(
    "model, y",
    [
        (KAAMRegressor(), np.where(latent() > 0, "ill", "well")),
        (KAAMRegressor(), np.column_stack([latent(), latent()])),
        (KAAMClassifier(), np.column_stack([binary(), 1 - binary()])),
        (KAAMClassifier(), latent()),
        (KAAMRegressor(), None),
        (KAAMClassifier(), None),
    ],
    ids=["text for a regressor", "two targets", "two labels", "continuous labels", "no y", "no labels"],
)
def test_a_target_of_the_wrong_kind_is_refused(model, y):
    refused(lambda: model.fit(numeric_table(), y))


# ---------------------------------------------------------------------------------------------- refused: the table


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
@pytest.mark.parametrize("container", CONTAINERS)
def test_infinite_cells_are_refused_at_fit_and_at_predict_naming_the_column(container, bad):
    table = numeric_table()
    convert = CONTAINERS[container]
    model = KAAMClassifier().fit(convert(table), binary())
    table.loc[7, "dose"] = bad
    name = "dose" if container in ("pandas", "polars") else "x1"
    refused(lambda: KAAMClassifier().fit(convert(table), binary()), name, r"[Ii]nf\w*")
    refused(lambda: model.predict(convert(table)), name, r"[Ii]nf\w*")
    refused(lambda: model.explain(convert(table)), name, r"[Ii]nf\w*")


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_rows_are_refused(container, n):
    table = CONTAINERS[container](numeric_table())[:n]
    refused(lambda: KAAMRegressor().fit(table, latent()[:n]))
    refused(lambda: KAAMClassifier().fit(table, binary()[:n]))


@pytest.mark.parametrize("table", [pd.DataFrame(index=range(N)), np.empty((N, 0))], ids=["pandas", "ndarray"])
def test_no_columns_are_refused(table):
    refused(lambda: KAAMRegressor().fit(table, latent()))


@pytest.mark.parametrize("argument", ["y", "sample_weight", "groups"])
@pytest.mark.parametrize("container", CONTAINERS)
def test_lengths_that_differ_are_refused(container, argument):
    arguments = {"y": latent(), "sample_weight": np.ones(N), "groups": np.arange(N) // 2}
    arguments[argument] = arguments[argument][:-1]
    names = [] if argument == "y" else [argument]
    refused(lambda: KAAMRegressor().fit(CONTAINERS[container](numeric_table()), **arguments), *names)


@pytest.mark.parametrize(
    "weights",
    [
        -np.ones(N),
        np.where(np.arange(N) == 4, -1e-9, 1.0),
        np.where(np.arange(N) == 4, np.nan, 1.0),
        np.where(np.arange(N) == 4, np.inf, 1.0),
        np.zeros(N),
        np.ones((N, 2)),
        ["heavy"] * N,
    ],
    ids=["negative", "one slightly negative", "nan", "inf", "all zero", "two columns", "text"],
)
@pytest.mark.parametrize("make", [KAAMClassifier, KAAMRegressor])
def test_impossible_weights_are_refused(make, weights):
    refused(lambda: make().fit(numeric_table(), binary(), sample_weight=weights), "sample_weight")


@pytest.mark.parametrize(
    "exposure",
    [np.where(np.arange(N) == 4, bad, 1.0) for bad in (-1.0, 0.0, np.nan, np.inf)] + [np.ones(N - 1)],
    ids=["negative", "zero", "nan", "inf", "short"],
)
def test_impossible_exposures_are_refused(exposure):
    y = np.round(np.exp(latent()))
    refused(lambda: KAAMRegressor(loss="poisson").fit(numeric_table(), y, exposure=exposure), "exposure")


def test_exposure_for_a_loss_without_counts_is_refused_not_ignored():
    refused(lambda: KAAMRegressor().fit(numeric_table(), latent(), exposure=np.ones(N)), "exposure")
    refused(lambda: KAAMClassifier().fit(numeric_table(), binary(), exposure=np.ones(N)), "exposure")


@pytest.mark.parametrize(
    "cell", [[1, 2], {"a": 1}, (1, 2), np.array([1.0, 2.0]), {3}], ids=["list", "dict", "tuple", "array", "set"]
)
@pytest.mark.parametrize("everywhere", [True, False])
def test_cells_that_hold_collections_are_refused_naming_the_column(cell, everywhere):
    table = numeric_table()
    cells = [cell if everywhere or i == 2 else "plain" for i in range(N)]
    nested = table.assign(tags=pd.Series(cells, dtype=object))
    refused(lambda: KAAMClassifier().fit(nested, binary()), "tags")
    model = KAAMClassifier().fit(table.assign(tags=["a", "b"] * (N // 2)), binary())
    refused(lambda: model.predict_proba(nested), "tags")


def test_polars_list_columns_are_refused_naming_the_column():
    table = pl.DataFrame({"age": numeric_table()["age"].to_numpy(), "tags": [[1, 2]] * N})
    refused(lambda: KAAMClassifier().fit(table, binary()), "tags")


@pytest.mark.parametrize(
    "X, problem",
    [
        (np.zeros(N), r"2D|two-dimensional"),
        (np.zeros((N, 2, 2)), r"2D|two-dimensional|dim 3"),
        (np.ones((N, 2)) * 1j, "[Cc]omplex"),
        ("a table", r"2D|two-dimensional|table|str"),
        (None, r"2D|two-dimensional|table|None|NoneType"),
        (3.0, r"2D|two-dimensional|table|float"),
    ],
    ids=["1-D", "3-D", "complex", "text", "None", "number"],
)
def test_something_that_is_no_table_is_refused(X, problem):
    refused(lambda: KAAMRegressor().fit(X, latent()), f"(?:{problem})")


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function", "explain", "extrapolation"])
@pytest.mark.parametrize(
    "X, problem",
    [
        (np.zeros(3), r"2D|two-dimensional"),
        (np.zeros((2, 3, 1)), r"2D|two-dimensional|dim 3"),
        ("a table", r"2D|two-dimensional|table|str"),
        (None, r"2D|two-dimensional|table|None|NoneType"),
        (np.zeros((5, 2)), "2 features"),
        (np.zeros((5, 4)), "4 features"),
        ([[0.0]], "1 features?"),
    ],
    ids=["1-D", "3-D", "text", "None", "too few columns", "too many columns", "list"],
)
def test_something_that_is_no_such_table_is_refused_at_predict(X, problem, method):
    model = KAAMClassifier().fit(numeric_table().to_numpy(), binary())
    refused(lambda: getattr(model, method)(X), f"(?:{problem})")


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_wrong_or_missing_columns_at_predict_are_refused_by_name(container):
    convert, table = CONTAINERS[container], mixed_table()
    model = KAAMClassifier().fit(convert(table), binary())
    refused(lambda: model.predict(convert(table.drop(columns="dose"))), "dose")
    refused(lambda: model.predict(convert(table.rename(columns={"dose": "doze"}))), "dose", "doze")
    refused(lambda: model.predict(convert(table.assign(extra=1.0))), "extra")
    refused(lambda: model.explain(convert(table.drop(columns="colour"))), "colour")


@pytest.mark.parametrize("n_columns", [2, 4])
def test_a_wrong_number_of_columns_at_predict_is_refused(n_columns):
    model = KAAMClassifier().fit(numeric_table().to_numpy(), binary())
    refused(lambda: model.predict(np.zeros((5, n_columns))), "3", str(n_columns))


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_text_where_fit_saw_numbers_is_refused_naming_the_column(container):
    convert, table = CONTAINERS[container], numeric_table()
    model = KAAMClassifier().fit(convert(table), binary())
    refused(lambda: model.predict(convert(table.assign(dose="much"))), "dose")


@pytest.mark.parametrize(
    "method",
    ["predict", "predict_proba", "decision_function", "explain", "summary", "concurvity"],
)
def test_asking_before_fit_says_so(method):
    arguments = () if method in ("summary", "concurvity") else (numeric_table(),)
    with pytest.raises(NotFittedError, match="fit"):
        getattr(KAAMClassifier(), method)(*arguments)


# ----------------------------------------------------------------------------------------------- refused: arguments


@pytest.mark.parametrize(
    "parameter, value",
    [
        ("n_knots", -1),
        ("n_knots", 2.5),
        ("n_knots", "ten"),
        ("smoothing", "loess"),
        ("smoothing", -1.0),
        ("smoothing", np.nan),
        ("smoothing", {"nope": 1.0}),
        ("smoothing", {"age": -1.0}),
        ("select", "sometimes"),
        ("categorical_features", ["nope"]),
        ("categorical_features", [17]),
        ("categorical_features", "all"),
        ("max_iter", 0),
        ("tol", -1.0),
        ("device", "abacus"),
    ],
)
@pytest.mark.parametrize("make", [KAAMClassifier, KAAMRegressor])
def test_an_impossible_parameter_is_refused_by_name(make, parameter, value):
    refused(lambda: make(**{parameter: value}).fit(numeric_table(), binary()), parameter)


def test_an_impossible_loss_or_class_weight_is_refused_by_name():
    refused(lambda: KAAMRegressor(loss="hinge").fit(numeric_table(), latent()), "loss")
    refused(lambda: KAAMClassifier(class_weight="heavy").fit(numeric_table(), binary()), "class_weight")
    refused(lambda: KAAMClassifier(class_weight={0: -1.0, 1: 1.0}).fit(numeric_table(), binary()), "class_weight")


def test_wrong_arguments_after_fit_are_refused_by_name():
    table = numeric_table()
    two = KAAMClassifier().fit(table, binary())
    three = KAAMClassifier().fit(table, RESPONSES["multiclass"][1](latent()))
    refused(lambda: two.shape_function("nope"), "nope")
    refused(lambda: two.shape_function("age", class_=1), "class_")
    refused(lambda: three.shape_function("age", class_="nope"), "class_", "nope")
    refused(lambda: two.shape_function("age", grid=[0.0, np.nan]), "grid")
    refused(lambda: two.importance(table, kind="nope"), "kind", "nope")
    refused(lambda: KAAMRegressor().fit(table, latent()).predict(table, return_std="nope"), "return_std", "nope")
