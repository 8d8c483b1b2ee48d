"""Explanations and shap: its plots take them as they are, its exact explainer says the same as additive models."""

import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, make_classification, make_regression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kan_tabular import (
    DualChannelKAN,
    KAAMClassifier,
    KAAMRegressor,
    KANRegressor,
    LogisticKAN,
    SKANClassifier,
    SKANRegressor,
)
from kan_tabular.fitted import explanation as module

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deprecations of what it imports
    shap = pytest.importorskip("shap")

matplotlib.use("Agg")

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SHORT = {"max_iter": 4, "n_estimators": 2, "random_state": 0}
N = 60


# ------------------------------------------------------------------------------------------------------------- plots


def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"age": rng.uniform(20, 90, N), "bmi": rng.normal(27, 5, N)})
    X.loc[::7, "bmi"] = np.nan
    return X.assign(ward=rng.choice(["cardiology", "surgery", "general"], N), smoker=rng.random(N) < 0.4)


X = table()
SCORE = np.nan_to_num(X["age"] / 20 - X["bmi"] / 10, nan=0.3) + (X["ward"] == "surgery").to_numpy()
TWO = np.where(SCORE > 1.2, "sick", "well")
THREE = np.array(["none", "mild", "grave"])[np.digitize(SCORE, [0.8, 1.6])]
MODELS = {
    "KAAM, two classes": lambda: KAAMClassifier().fit(X, TWO),
    "KAAM, three classes": lambda: KAAMClassifier().fit(X, THREE),
    "KAAM, numbers": lambda: KAAMRegressor().fit(X, SCORE),
    "KAAM, counts": lambda: KAAMRegressor(loss="poisson").fit(X, np.round(np.exp(SCORE))),
    "network, two classes": lambda: LogisticKAN(**SHORT).fit(X, TWO),
    "network, three classes": lambda: LogisticKAN(**SHORT).fit(X, THREE),
    "network, numbers": lambda: KANRegressor(**SHORT).fit(X, SCORE),
    "families, two classes": lambda: SKANClassifier(**SHORT).fit(X, TWO),
    "families, numbers": lambda: SKANRegressor(**SHORT).fit(X, SCORE),
    "circuit": lambda: DualChannelKAN(**SHORT).fit(X, TWO),
    "formula, two classes": lambda: KAAMClassifier().fit(X, TWO).to_symbolic(fidelity=None),
    "formula, numbers": lambda: KAAMRegressor().fit(X, SCORE).to_symbolic(fidelity=None),
}


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return MODELS[request.param]()


@pytest.fixture(autouse=True)
def close_figures():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def drawn(plot, *args, **kwargs):
    """The axes of one of shap's plots, which draw on whatever figure is current."""
    import matplotlib.pyplot as plt

    plt.close("all")
    plot(*args, show=False, **kwargs)
    return plt.gcf().axes[0]


def linear_predictor(model):
    if hasattr(model, "decision_function"):
        return model.decision_function(X)
    said = model.predict(X)
    return np.log(said) if getattr(model, "loss", None) == "poisson" else said


def test_plots_of_shap_take_explanations_as_they_are(model):
    eta, explanation = linear_predictor(model), model.explain(X)
    assert isinstance(explanation, shap.Explanation)
    if explanation.values.ndim == 3:
        eta, explanation = eta[:, 1], explanation[..., 1]
    sizes = np.abs(explanation.values).mean(0)
    names = set(X)

    ax = drawn(shap.plots.beeswarm, explanation)
    assert {tick.get_text() for tick in ax.get_yticklabels()} == names
    dots = np.concatenate([c.get_offsets()[:, 0] for c in ax.collections])
    np.testing.assert_allclose(np.sort(dots), np.sort(explanation.values.ravel()), atol=1e-12)

    ax = drawn(shap.plots.bar, explanation)
    np.testing.assert_allclose(sorted(bar.get_width() for bar in ax.patches), np.sort(sizes), atol=1e-12)

    ax = drawn(shap.plots.waterfall, explanation[3])
    ends = {text.get_text().strip() for other in ax.figure.axes for text in other.get_xticklabels()}
    assert any(f"{eta[3]:0.03f}".replace("-", "\N{MINUS SIGN}") in end for end in ends)

    ax = drawn(shap.plots.scatter, explanation[:, "age"])
    dots = np.asarray(ax.collections[0].get_offsets(), dtype=float)
    shown = dots[np.argsort(dots[:, 0])]
    order = np.argsort(X["age"].to_numpy())
    np.testing.assert_allclose(shown[:, 0], X["age"].to_numpy()[order])
    np.testing.assert_allclose(shown[:, 1], explanation.values[order, 0], atol=1e-12)

    with np.errstate(divide="ignore"):  # shap's own, where a single feature says it all
        ax = drawn(shap.plots.force, explanation[3], matplotlib=True)
    assert f"{eta[3]:.2f}" in {text.get_text().strip() for text in ax.texts}


def test_text_and_missing_cells_reach_the_plots_of_shap():
    explanation = KAAMClassifier().fit(X, TWO).explain(X)
    ax = drawn(shap.plots.waterfall, explanation[0])
    assert "nan = bmi" in {text.get_text() for text in ax.get_yticklabels()}
    ax = drawn(shap.plots.scatter, explanation[:, "ward"])
    assert {text.get_text() for text in ax.get_xticklabels()} >= set(X["ward"])
    ax = drawn(shap.plots.scatter, explanation[:, "age"], color=explanation[:, "ward"])
    np.testing.assert_allclose(np.sort(ax.collections[0].get_offsets()[:, 0]), np.sort(X["age"]))


# --------------------------------------------------------------------------------------------- the class without shap


@pytest.fixture
def without_shap(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)


PARTS = {
    "row": np.s_[3],
    "rows": np.s_[2:5],
    "rows by position": np.s_[np.array([5, 1])],
    "rows by truth": np.s_[np.arange(N) % 7 == 0],
    "feature": np.s_[:, "bmi"],
    "features": np.s_[:, 1:3],
    "rows and features": np.s_[4:9, :2],
    "cell": np.s_[3, "ward"],
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("y", [TWO, THREE], ids=["two classes", "three classes"])
def test_the_own_class_is_cut_as_shaps(y, part, monkeypatch):
    model = KAAMClassifier().fit(X, y)
    theirs = model.explain(X)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    own = model.explain(X)
    assert type(own) is module.Explanation and len(own) == N and own.shape == theirs.shape
    if y is THREE:
        own, theirs = own[..., 1], theirs[..., 1]
        np.testing.assert_array_equal(own.values, theirs.values)
        np.testing.assert_array_equal(own.base_values, theirs.base_values)
    own, theirs = own[PARTS[part]], theirs[PARTS[part]]
    np.testing.assert_array_equal(own.values, theirs.values)
    np.testing.assert_array_equal(own.base_values, theirs.base_values)
    assert pd.DataFrame(np.atleast_2d(own.data)).equals(pd.DataFrame(np.atleast_2d(theirs.data)))  # NaN equals NaN
    np.testing.assert_array_equal(own.feature_names, theirs.feature_names)


def test_classes_are_the_last_axis(without_shap):
    own = KAAMClassifier().fit(X, THREE).explain(X)
    np.testing.assert_array_equal(own[2:4, "age", 1].values, own.values[2:4, 0, 1])
    np.testing.assert_array_equal(own[2:4, :, 1:].base_values, own.base_values[2:4, 1:])
    np.testing.assert_array_equal(own[..., 2][5].values, own.values[5, :, 2])
    with pytest.raises(IndexError, match="take rows, features and classes at once"):
        own[0]["age"]


# ------------------------------------------------------------------------------ exact Shapley values, additive models


def simulated(n_classes):
    features, y = make_classification(
        200, 8, n_informative=5, n_redundant=1, n_classes=n_classes, n_clusters_per_class=1, random_state=0
    )
    return features, y


def staged(file, columns, target, code=lambda y: y):
    """Numeric columns and the target of a table that may stand beside the project; rows with holes are left out."""
    path = DATA / f"{file}.csv"
    if not path.exists():
        pytest.skip(f"needs {path.name}, which is not in ../shared/data beside the project")
    rows = pd.read_csv(path)[[*columns, target]].dropna().sample(150, random_state=0)
    return rows[columns].to_numpy(float), code(rows[target].to_numpy())


def counts():
    features = np.random.default_rng(1).normal(size=(200, 6))
    rates = np.exp(0.5 * np.sin(2 * features[:, 0]) + 0.4 * features[:, 1])
    return features, np.random.default_rng(2).poisson(rates)


TASKS = {
    "simulated, two classes": (KAAMClassifier, lambda: simulated(2)),
    "simulated, four classes": (KAAMClassifier, lambda: simulated(4)),
    "simulated, numbers": (KAAMRegressor, lambda: make_regression(200, 7, noise=5.0, random_state=0)),
    "simulated, counts": (lambda: KAAMRegressor(loss="poisson"), counts),
    "diabetes, ten columns": (KAAMRegressor, lambda: [part[:150] for part in load_diabetes(return_X_y=True)]),
    "pima": (
        KAAMClassifier,
        lambda: staged(
            "pima_diabetes_768",
            ["Pregnancies", "Glucose", "BloodPressure", "BMI", "DiabetesPedigreeFunction", "Age"],
            "Outcome",
        ),
    ),
    "heart": (
        KAAMClassifier,
        lambda: staged(
            "heart_failure_918", ["Age", "RestingBP", "Cholesterol", "FastingBS", "MaxHR", "Oldpeak"], "HeartDisease"
        ),
    ),
    "obesity, seven classes": (
        KAAMClassifier,
        lambda: staged("obesity_2111", ["Age", "Height", "Weight", "FCVC", "NCP", "CH2O", "FAF", "TUE"], "NObeyesdad"),
    ),
    "bulk modulus": (
        KAAMRegressor,
        lambda: staged(
            "hea_bulk_modulus_1149", ["AM", "IM", "SS", "Al", "Cr", "Cu", "Fe", "Ni", "Ti"], "BulkModulus (GPa)"
        ),
    ),
    "positive nodes, counts": (
        lambda: KAAMRegressor(loss="poisson"),
        lambda: staged("gbsg_686", ["age", "meno", "size", "grade", "pgr", "er", "hormon"], "nodes"),
    ),
}


@pytest.mark.parametrize("task", TASKS)
def test_contributions_are_the_exact_shapley_values(task):
    make, load = TASKS[task]
    features, y = load()
    model = make().fit(features, y)
    rows = features[:2]
    masker = shap.maskers.Independent(features, max_samples=len(features))
    masker.invariants = lambda x: x == features  # by default values within 1e-5 of each other count as the same
    explainer = shap.explainers.Exact(model.network_.forward, masker)
    exact = explainer(rows, max_evals=2 ** features.shape[1] + 1, silent=True)
    own = model.explain(rows)
    np.testing.assert_allclose(own.values.reshape(exact.values.shape), exact.values, rtol=0, atol=1e-8)
    np.testing.assert_allclose(own.base_values.reshape(exact.base_values.shape), exact.base_values, rtol=0, atol=1e-8)
    # A model that says nothing would agree with anything; nor do all rows say the same.
    assert np.abs(exact.values).max() > 0.05 and np.abs(np.diff(exact.values, axis=0)).max() > 0.01


def test_contributions_of_a_pipeline_are_those_of_its_own_columns():
    """Preprocessing column by column leaves Shapley values alone: shap explains the whole pipeline's prediction."""
    features, y = counts()
    pipeline = make_pipeline(StandardScaler(), KAAMRegressor()).fit(features, y)
    masker = shap.maskers.Independent(features, max_samples=len(features))
    masker.invariants = lambda x: x == features
    exact = shap.explainers.Exact(pipeline.predict, masker)(features[:3], silent=True)
    own = pipeline[-1].explain(pipeline[:-1].transform(features[:3]))
    np.testing.assert_allclose(own.values, exact.values, rtol=0, atol=1e-8)
    assert np.abs(exact.values).max() > 0.05
