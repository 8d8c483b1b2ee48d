"""Every family in every estimator that offers it, on a table of awkward columns."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import kan_tabular
from kan_tabular import KAAMClassifier, KAAMRegressor, KANRegressor, LogisticKAN
from kan_tabular.bases import REGISTRY, families
from kan_tabular.plots import NetworkDisplay, ShapeDisplay

N = 80
LINEAR = families(linear=True)
LEARNED = sorted(set(families()) - set(LINEAR))
SHORT = {
    "max_iter": 5,
    "n_estimators": 2,
    "random_state": 0,
    # No choice between settings, and none of leaving the networks out.
    "alpha": 1e-3,
    "smoothness": 1.0,
    "additive_start": False,
    "early_stopping": False,
}


def table():
    rng = np.random.default_rng(0)
    x = rng.normal(size=N)
    X = pd.DataFrame(
        {
            "smooth": x,
            "constant": 3.0,
            "tied": np.round(rng.normal(size=N)),
            "two": rng.integers(0, 2, N).astype(float),
            "heavy": 1e6 * rng.standard_cauchy(N),
            "colour": pd.Categorical(np.array(["red", "green", "blue"])[rng.integers(0, 3, N)]),
            "holes": np.where(rng.random(N) < 0.2, np.nan, rng.normal(size=N)),
        }
    )
    return X, np.sin(2 * x) + X["tied"] + 0.1 * rng.normal(size=N)


def far_rows(X):
    """Rows far outside the training range, missing everywhere, and of an unseen level."""
    numbers = list(X.select_dtypes("number"))
    high, low, missing, unseen = (X.iloc[[0]].copy() for _ in range(4))
    high[numbers], low[numbers] = 1e6, -1e6
    missing[[*numbers, "colour"]] = np.nan
    unseen["colour"] = "violet"
    return [high, low, missing, unseen]


def check_model(model, X, tmp_path, predict="predict"):
    """Predictions are finite and survive saving; unfitted copies keep the family."""
    rows = [X, *far_rows(X)]
    with pytest.warns(UserWarning, match="violet"):
        before = [getattr(model, predict)(part) for part in rows]
    assert all(np.isfinite(part).all() for part in before)
    model.save(tmp_path / "model.kan")
    again = kan_tabular.load(tmp_path / "model.kan")
    with pytest.warns(UserWarning, match="violet"):
        for part, expected in zip(rows, before, strict=True):
            np.testing.assert_array_equal(getattr(again, predict)(part), expected)
    assert repr(clone(model)) == repr(model) == repr(again)


@pytest.mark.parametrize("name", LINEAR)
def test_additive_regression(name, tmp_path):
    X, y = table()
    model = KAAMRegressor(basis=name).fit(X, y)
    check_model(model, X, tmp_path)
    assert model.score(X, y) > 0.6
    explanation = model.explain(X)
    np.testing.assert_allclose(explanation.values.sum(1) + explanation.base_values, model.predict(X), atol=1e-8)
    for feature in X.columns:
        shape = model.shape_function(feature)
        assert np.isfinite(shape.y).all() and (shape.lower <= shape.y).all() and (shape.upper >= shape.y).all()
        assert np.isfinite(shape.se).all() and np.isfinite(shape.upper_simultaneous).all()
    column = list(X.columns).index("smooth")
    own = model.shape_function("smooth", grid=X["smooth"].to_numpy())
    np.testing.assert_allclose(own.y, explanation.values[:, column], atol=1e-8)
    # Row by row and in a block: two paths of the evaluation.
    np.testing.assert_allclose(np.concatenate([model.predict(X[i : i + 1]) for i in range(5)]), model.predict(X)[:5])


@pytest.mark.parametrize("name", LINEAR)
def test_a_family_with_other_sizes_is_given_as_a_basis(name, tmp_path):
    sizes = {"n_knots": 3, "degree": 3, "n_functions": 3, "n_frequencies": 2, "n_centers": 4, "grid_size": 2}
    sizes["n_scales"] = 2
    basis = REGISTRY[name]()
    own = {k: v for k, v in sizes.items() if k in basis.arguments()}
    if name == "chebyshev":
        assert own == {"degree": 3}
    basis = type(basis)(**own)
    X, y = table()
    model = KAAMClassifier(basis=basis).fit(X, np.asarray(y) > 0)
    check_model(model, X, tmp_path, "predict_proba")
    assert repr(basis) in repr(model)


@pytest.mark.parametrize("name", [*LINEAR, *LEARNED])
def test_network_regression(name, tmp_path):
    X, y = table()
    model = KANRegressor(basis=name, **SHORT).fit(X, y)
    assert model.network_.n_members == 2
    check_model(model, X, tmp_path)
    explanation = model.explain(X.iloc[:3])
    total = explanation.values.sum(1) + explanation.base_values
    np.testing.assert_allclose(total, model.predict(X.iloc[:3]), atol=1e-8)


@pytest.mark.parametrize("name", [*LINEAR, *LEARNED])
def test_network_classification(name, tmp_path):
    X, y = table()
    model = LogisticKAN(basis=name, hidden_layer_sizes=(4, (2, 1)), **SHORT).fit(X, np.asarray(y) > 0)
    assert model.network_.n_members == 2
    check_model(model, X, tmp_path, "predict_proba")


@pytest.mark.parametrize("name", ["hermite", *LEARNED])
def test_what_else_networks_do(name):
    """Sparsity, pruning, going on from the last fit, pictures."""
    X, y = table()
    model = KANRegressor(basis=name, sparsity=1.0, warm_start=True, **SHORT)
    first = model.fit(X, y).predict(X)
    second = model.fit(X, y).predict(X)
    assert np.isfinite(second).all() and (first != second).any()
    assert np.isfinite(model.prune(X, 0.05).predict(X)).all()
    plt.close(NetworkDisplay.from_estimator(model).figure_)


@pytest.mark.parametrize("name", ["activation_pairs", "cosine", "truncated_power"])
def test_pictures_of_additive_models(name):
    X, y = table()
    model = KAAMRegressor(basis=name).fit(X, y)
    shapes = ShapeDisplay.from_estimator(model, features=["smooth", "holes"])
    for name_of_column, lines in zip(("smooth", "holes"), shapes.lines_, strict=True):
        (line,) = lines.values()
        np.testing.assert_allclose(line.get_ydata(), model.shape_function(name_of_column).y)
    diagram = NetworkDisplay.from_estimator(model, min_size=0)
    used = np.flatnonzero(model.feature_importances_ > 1e-12)
    assert {source for source, _ in diagram.edges_[0]} == set(used.tolist())
    for display in (shapes, diagram):
        plt.close(display.figure_)


@pytest.mark.parametrize("make", [KAAMRegressor, KAAMClassifier, KANRegressor, LogisticKAN])
@pytest.mark.parametrize("wrong", ["sine", "clipped", "category", None])
def test_unknown_families_are_refused_with_the_names_of_the_known_ones(make, wrong):
    X, y = table()
    with pytest.raises(ValueError, match=re.escape(f"basis={wrong!r}: expected one of ")) as caught:
        make(basis=wrong).fit(X, np.asarray(y) > 0)
    known = LINEAR if make in (KAAMRegressor, KAAMClassifier) else families()
    assert all(repr(name) in str(caught.value) for name in known)


@pytest.mark.parametrize("name", LEARNED)
def test_additive_models_refuse_functions_that_are_learned(name):
    X, y = table()
    for basis in (name, REGISTRY[name]()):
        with pytest.raises(ValueError, match=re.escape(f"basis={name!r}: expected one of ")) as caught:
            KAAMRegressor(basis=basis).fit(X, y)
        assert name not in str(caught.value).split("expected")[1]
