"""The displays read the estimators as they read the stub."""

import io

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kan_tabular import KAAMClassifier, KAAMRegressor, KANRegressor, LogisticKAN
from kan_tabular.plots import ContributionDisplay, ImportanceDisplay, ShapeDisplay


@pytest.fixture(scope="module")
def breast():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    return X, y.map({0: "malignant", 1: "benign"})


@pytest.fixture(scope="module")
def mixed():
    rng = np.random.default_rng(0)
    n = 500
    X = pd.DataFrame(
        {
            "age": rng.uniform(20, 90, n),
            "dose": rng.lognormal(1.0, 1.0, n),
            "ward": rng.choice(["cardiology", "general", "surgery"], n),
            "smoker": rng.random(n) < 0.3,
            "constant": 1.0,
        }
    )
    eta = np.sin(X.age / 15) + np.log(X.dose) / 2 + X.ward.map({"cardiology": 1.0, "general": -1.0, "surgery": 0.0})
    X.loc[rng.random(n) < 0.15, "dose"] = np.nan
    X.loc[rng.random(n) < 0.1, "ward"] = None
    return X, eta + rng.normal(scale=0.3, size=n)


def check_shapes(model, display):
    for panel, lines in zip(display.shapes, display.lines_, strict=True):
        for class_, shape in panel.items():
            own = model.shape_function(shape.feature, class_=class_)
            drawn = lines[class_].get_ydata() if shape.kind == "numeric" else lines[class_].get_xdata()
            np.testing.assert_array_equal(drawn, own.y if shape.kind == "numeric" else np.sort(own.y))


def check_waterfall(display, start, end):
    assert display.bars_[0].get_x() == pytest.approx(start)
    assert display.bars_[-1].get_x() + display.bars_[-1].get_width() == pytest.approx(end)


def test_binary(breast):
    X, y = breast
    model = KAAMClassifier().fit(X, y)
    shapes = ShapeDisplay.from_estimator(model)
    check_shapes(model, shapes)
    assert shapes.axes_.shape == (3, 3)
    check_waterfall(
        ContributionDisplay.from_estimator(model, X, 5),
        np.ravel(model.explain(X).base_values)[0],
        model.decision_function(X)[5],
    )
    bars = ImportanceDisplay.from_estimator(model).bars_
    assert len(bars) == 21 and sum(bar.get_width() for bar in bars) == pytest.approx(1.0)
    for display in (shapes, ImportanceDisplay.from_estimator(model, X, kind="variance")):
        display.figure_.savefig(io.BytesIO())


def test_mixed_table_with_missing_values(mixed):
    X, y = mixed
    model = KAAMRegressor().fit(X, y)
    display = ShapeDisplay.from_estimator(model)
    check_shapes(model, display)
    display.figure_.savefig(io.BytesIO())
    given = ShapeDisplay.from_estimator(model, X=X)
    for own, panel in zip(display.shapes, given.shapes, strict=True):
        own, panel = own[None], panel[None]
        if own.feature != "constant":  # all its bins are the same point
            np.testing.assert_allclose(panel.density.weight, own.density.weight, atol=1e-9)
        if own.missing is not None:
            assert panel.missing.weight == pytest.approx(own.missing.weight)
    row = int(np.flatnonzero(X.dose.isna() & X.ward.notna())[0])
    waterfall = ContributionDisplay.from_estimator(model, X, row)
    check_waterfall(waterfall, np.ravel(model.explain(X).base_values)[0], model.predict(X)[row])
    labels = [tick.get_text() for tick in waterfall.ax_.get_yticklabels()]
    assert "dose = missing" in labels and f"ward = {X.ward[row]}" in labels


def test_multiclass():
    X, y = load_wine(return_X_y=True, as_frame=True)
    model = KAAMClassifier().fit(X, y)
    check_shapes(model, ShapeDisplay.from_estimator(model, [0, 1]))
    check_shapes(model, ShapeDisplay.from_estimator(model, [0, 1], class_=1))
    display = ContributionDisplay.from_estimator(model, X, 0, class_=2)
    check_waterfall(display, np.ravel(model.explain(X[:1]).base_values)[2], model.decision_function(X)[0, 2])


def test_pipeline_and_arrays(breast):
    X, y = breast
    model = make_pipeline(StandardScaler(), KAAMClassifier()).fit(X, y)
    display = ShapeDisplay.from_estimator(model, "mean radius")
    x = display.lines_[0][None].get_xdata()
    assert x.min() == pytest.approx(X["mean radius"].min()) and x.max() == pytest.approx(X["mean radius"].max())
    bare = KAAMClassifier().fit(X.to_numpy(), y)
    assert ShapeDisplay.from_estimator(bare, "x0").axes_[0, 0].get_xlabel() == "x0"
    assert ContributionDisplay.from_estimator(bare, X.to_numpy(), 3).data[0] == X.iloc[3, 0]


@pytest.mark.parametrize("response", ["number", "two classes", "three classes", "two targets"])
def test_main_effects_of_networks_are_drawn_without_bands(mixed, response):
    X, y = mixed
    settings = {"hidden_layer_sizes": (3,), "max_iter": 3, "n_estimators": 2, "random_state": 0}
    target = {
        "number": y,
        "two classes": y > 0.5,
        "three classes": np.digitize(y, [0.0, 1.0]),
        "two targets": np.column_stack([y, -y]),
    }[response]
    model = (LogisticKAN if "classes" in response else KANRegressor)(**settings).fit(X, target)
    display = ShapeDisplay.from_estimator(model, ["age", "dose", "ward"])
    display.figure_.savefig(io.BytesIO())
    if response != "three classes":  # their levels stand in one order for all
        check_shapes(model, display)
    for panel, ax in zip(display.shapes, display.axes_.ravel(), strict=True):
        assert all(np.isnan(shape.lower).all() for shape in panel.values())
        # The density, and on numeric panels nothing else: no band, no interval.
        assert len(ax.collections) == 1 or next(iter(panel.values())).kind == "category"
        assert np.isfinite(ax.get_xlim()).all() and np.isfinite(ax.get_ylim()).all()
        assert not [c for c in ax.collections if hasattr(c, "get_segments") and len(c.get_segments())]


def test_one_of_several_targets_is_drawn_by_its_position(mixed):
    X, y = mixed
    settings = {"hidden_layer_sizes": (3,), "max_iter": 3, "n_estimators": 2, "random_state": 0}
    model = KANRegressor(**settings).fit(X, np.column_stack([y, -y]))
    for k in range(2):
        display = ShapeDisplay.from_estimator(model, "age", class_=k)
        expected = model.shape_function("age", class_=k)
        np.testing.assert_allclose(display.lines_[0][k].get_ydata(), expected.y)
        assert display.axes_[0, 0].get_ylabel().endswith(f" {k}")
    with pytest.raises(ValueError, match="class_=2: expected a position up to 1"):
        ShapeDisplay.from_estimator(model, "age", class_=2)


def test_variance_importance_of_a_pipeline_is_that_of_its_contributions(breast):
    """Apellaniz et al. (2025): the variance of a feature's part of the log-odds over the rows."""
    X, y = breast
    X = X.iloc[:, :6]
    pipeline = make_pipeline(StandardScaler(), KAAMClassifier()).fit(X, y)
    display = ImportanceDisplay.from_estimator(pipeline, X[:200], kind="variance")
    scaled = (X[:200] - X.mean()) / X.std(ddof=0)
    shapes = [pipeline[-1].shape_function(j, grid=scaled.iloc[:, j]) for j in range(6)]
    expected = [shape.y.var() for shape in shapes]
    np.testing.assert_allclose(display.importances, expected, rtol=0, atol=1e-9)
    assert list(display.feature_names) == list(X) and max(expected) > 0.1
