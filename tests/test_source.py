"""A pipeline in front of the model: names and units of the table the user knows."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from plots.known_model import KnownClassifier, mixed_shapes, mixed_table, numeric_shape
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PowerTransformer, StandardScaler

from kan_tabular.plots import ContributionDisplay, ImportanceDisplay, ShapeDisplay
from kan_tabular.source import read_source

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def numbers(n_rows=50):
    rng = np.random.default_rng(0)
    return pd.DataFrame({"age": rng.uniform(20, 90, n_rows), "bmi": rng.normal(27, 5, n_rows)})


def fitted(*steps, names=("x0", "x1"), table=None):
    table = numbers() if table is None else table
    shapes = {name: numeric_shape(name, lambda x, k=k: np.sin(x + k), -2.0, 2.0) for k, name in enumerate(names)}
    return make_pipeline(*steps, KnownClassifier(shapes)).fit(table, np.resize(["no", "yes"], len(table)))


def names_shown(pipeline):
    return [ax.get_xlabel() for ax in ShapeDisplay.from_estimator(pipeline, [0, 1]).axes_.ravel()]


def test_column_preserving_steps_keep_names_and_units():
    table = numbers()
    pipeline = fitted(SimpleImputer(), StandardScaler())
    display = ShapeDisplay.from_estimator(pipeline, ["bmi"])
    assert display.axes_[0, 0].get_xlabel() == "bmi"
    line, scaler = display.lines_[0][None], pipeline.named_steps["standardscaler"]
    np.testing.assert_allclose(line.get_xdata(), np.linspace(-2, 2, 101) * scaler.scale_[1] + table.bmi.mean())
    np.testing.assert_array_equal(line.get_ydata(), pipeline[-1].shape_function("x1").y)


def test_a_curved_transformation_is_undone_too():
    pipeline = fitted(PowerTransformer())
    x = ShapeDisplay.from_estimator(pipeline, "age").lines_[0][None].get_xdata()
    back = pipeline[:-1].transform(pd.DataFrame({"age": x, "bmi": 27.0}))[:, 0]
    np.testing.assert_allclose(back, np.linspace(-2, 2, 101), atol=1e-9)


@pytest.mark.parametrize("function", [np.exp, np.square, lambda X: X[:, ::-1]], ids=["exp", "square", "swap"])
def test_units_that_cannot_be_restored_are_not_claimed(function):
    pipeline = fitted(StandardScaler(), FunctionTransformer(function, feature_names_out="one-to-one"))
    assert names_shown(pipeline) == ["transformed age", "transformed bmi"]


def test_columns_made_by_a_transformer_bear_its_names():
    assert names_shown(fitted(StandardScaler(), PCA(2))) == ["pca0", "pca1"]


def test_prefixes_of_a_column_transformer_are_dropped():
    split = ColumnTransformer([("one", StandardScaler(), ["bmi"])], remainder="passthrough")
    pipeline = fitted(split)
    assert read_source(pipeline, needs="explain", display="X").shown_names == ["bmi", "age"]
    display = ContributionDisplay.from_estimator(pipeline, numbers(), 3)
    cells = {f"{name} = {numbers()[name][3]:.4g}" for name in ("age", "bmi")}
    assert cells <= {tick.get_text() for tick in display.ax_.get_yticklabels()}


def test_a_frame_that_reaches_the_model_names_the_columns():
    scaler = StandardScaler().set_output(transform="pandas")
    assert names_shown(fitted(scaler, names=("age", "bmi"))) == ["age", "bmi"]


def test_a_step_that_cannot_name_its_columns_leaves_the_models_names():
    assert names_shown(fitted(FunctionTransformer(np.asarray))) == ["x0", "x1"]


def test_arrays_and_bare_pipelines_work():
    table = numbers().to_numpy()
    assert names_shown(fitted(StandardScaler(), table=table)) == ["x0", "x1"]
    assert names_shown(fitted(table=table)) == ["x0", "x1"]


def test_rows_are_shown_in_the_units_of_the_table():
    table = numbers()
    pipeline = fitted(StandardScaler())
    display = ContributionDisplay.from_estimator(pipeline, table, 3)
    np.testing.assert_allclose(display.contributions, pipeline[-1].explain(pipeline[:-1].transform(table)).values[3])
    assert list(display.data) == [table.age[3], table.bmi[3]]
    assert display.feature_names == ["age", "bmi"]


def test_importance_bears_the_tables_names_and_sees_transformed_data():
    table = numbers()
    pipeline = fitted(StandardScaler())
    display = ImportanceDisplay.from_estimator(pipeline, table)
    expected = pipeline[-1].importance(pipeline[:-1].transform(table))
    np.testing.assert_allclose(display.importances, expected)
    assert {tick.get_text() for tick in display.ax_.get_yticklabels()} == {"age", "bmi"}


def test_given_data_pass_through_the_pipeline():
    table = numbers()
    display = ShapeDisplay.from_estimator(fitted(StandardScaler()), "age", X=table)
    scaled = (table.age - table.age.mean()) / table.age.std(ddof=0)
    expected = np.histogram(scaled, bins=np.linspace(-2, 2, 21))[0] / len(table)
    np.testing.assert_allclose(display.shapes[0][None].density.weight, expected)
    assert display.shapes[0][None].density.edges[0] == pytest.approx(table.age.mean() - 2 * table.age.std(ddof=0))


def test_polars_tables_work():
    polars = pytest.importorskip("polars")
    table = mixed_table()
    frame = polars.from_pandas(table)
    model = KnownClassifier(mixed_shapes()).fit(table, np.resize([0, 1], len(table)))
    display = ContributionDisplay.from_estimator(model, frame, 7)
    np.testing.assert_allclose(display.contributions, model.explain(table).values[7])
