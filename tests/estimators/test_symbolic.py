"""Formulas as estimators."""

import numpy as np
import pandas as pd
import pytest
import sympy

import kan_tabular
from kan_tabular import (
    KAAMClassifier,
    KAAMRegressor,
    KANRegressor,
    LogisticKAN,
    SymbolicClassifier,
    SymbolicRegressor,
)
from kan_tabular.exceptions import FidelityError


def patients(n=500, seed=1):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.integers(30, 90, n).astype(float),
            "lactate (mmol/l)": rng.lognormal(0.5, 0.5, n).round(1),
            "ward": rng.choice(["medical", "cardiac"], n),
            "noise": rng.normal(size=n),
        }
    )
    eta = -3.5 + 0.03 * X["age"] + 1.5 * np.log(X["lactate (mmol/l)"]) + 1.2 * (X["ward"] == "cardiac")
    y = np.where(rng.random(n) < 1 / (1 + np.exp(-eta)), "yes", "no")
    X.loc[rng.random(n) < 0.2, "lactate (mmol/l)"] = np.nan
    return X, y


@pytest.fixture(scope="module")
def fitted():
    X, y = patients()
    model = KAAMClassifier().fit(X, y)
    return X, y, model, model.to_symbolic(X, y)


def test_expression_is_what_it_predicts(fitted):
    X, _, _, formula = fitted
    from kan_tabular.symbolic.conditions import Level

    rows = X.head(25)
    names = [str(s) for s in formula.expression_.free_symbols]
    for i, eta in enumerate(formula.decision_function(rows)):
        cells = {n: Level(v) if isinstance(v, str) else sympy.Float(v) if v == v else sympy.nan
                 for n, v in rows.iloc[i].items() if n in names}  # fmt: skip
        assert float(formula.expression_.subs(cells)) == pytest.approx(eta, abs=1e-9)
    p = formula.predict_proba(rows)[:, 1]
    np.testing.assert_allclose(p, 1 / (1 + np.exp(-formula.decision_function(rows))))
    assert set(formula.predict(rows)) <= {"yes", "no"}


def test_it_is_faithful_and_says_how(fitted):
    X, y, model, formula = fitted
    eta, own = model.decision_function(X), formula.decision_function(X)
    r2 = 1 - ((eta - own) ** 2).mean() / eta.var()
    assert formula.fidelity_["r2_model"] == pytest.approx(r2, abs=1e-6)
    assert r2 >= 0.98
    from sklearn.metrics import log_loss, roc_auc_score

    assert formula.fidelity_["loss_model"] == pytest.approx(log_loss(y, model.predict_proba(X)))
    assert formula.fidelity_["auc_model"] == pytest.approx(roc_auc_score(y, eta))
    # Cross-fitted, so a little worse than on the rows it was fitted to.
    assert formula.fidelity_["loss_formula"] > log_loss(y, formula.predict_proba(X)) - 1e-3
    table = formula.terms_.set_index("feature")
    assert {"age", "lactate (mmol/l)", "ward"} <= set(table.index)
    assert table["share"].sum() == pytest.approx(1)
    assert set(table["units"]) == {"log-odds"}


def test_contributions_add_up_and_shapes_are_terms(fitted):
    X, _, model, formula = fitted
    e = formula.explain(X)
    np.testing.assert_allclose(e.values.sum(1) + e.base_values, formula.decision_function(X))
    np.testing.assert_allclose(e.values.mean(0), 0, atol=1e-9)
    shape = formula.shape_function("age", grid=[40.0, 80.0])
    model_shape = model.shape_function("age", grid=[40.0, 80.0])
    np.testing.assert_allclose(np.diff(shape.y), np.diff(model_shape.y), atol=0.3)
    assert formula.shape_function("lactate (mmol/l)").missing is not None
    assert formula.feature_importances_.sum() == pytest.approx(1)


def test_saved_and_loaded_it_predicts_the_same(fitted, tmp_path):
    X, _, _, formula = fitted
    formula.save(tmp_path / "formula.kan")
    again = kan_tabular.load(tmp_path / "formula.kan")
    assert (again.decision_function(X) == formula.decision_function(X)).all()
    assert again.terms_.equals(formula.terms_) and again.pareto_.equals(formula.pareto_)
    assert (again.simplified(1).decision_function(X) == formula.simplified(1).decision_function(X)).all()


def test_simpler_formulas(fitted):
    X, _, _, formula = fitted
    table = formula.pareto_
    assert (np.diff(table["n_terms"]) < 0).all() and table["loss"].iloc[-1] > table["loss"].iloc[0]
    row = len(table) - 2
    simple = formula.simplified(row)
    assert len(simple.terms_) == table["n_terms"][row]
    e = simple.explain(X)
    np.testing.assert_allclose(e.values.sum(1) + e.base_values, simple.decision_function(X))
    with pytest.raises(ValueError, match="row"):
        formula.simplified(len(table))


def test_written_in_other_languages(fitted):
    X, _, _, formula = fitted
    rows = X.head(40)
    scope = {}
    exec(formula.to_python(), scope)
    assert "log" in formula.latex() or "lactate" in formula.latex()
    for text in (formula.to_sql(), formula.to_sql("postgres"), formula.to_c(), formula.to_javascript(),
                 formula.to_excel_formula(), formula.to_markdown()):  # fmt: skip
        assert isinstance(text, str) and len(text) > 50
    assert any(callable(v) for v in scope.values()) and len(rows)


def test_nothing_but_the_model_is_needed(fitted):
    X, _, model, with_data = fitted
    formula = model.to_symbolic()
    assert np.corrcoef(formula.decision_function(X), model.decision_function(X))[0, 1] > 0.99
    assert np.isnan(formula.fidelity_["loss_formula"]) and np.isnan(formula.fidelity_["auc_model"])
    assert with_data.fidelity_["r2_model"] > 0.98


def test_several_classes():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.uniform(-2, 2, 600), "z": rng.normal(size=600)})
    y = np.digitize(2 * X["x"] + 0.5 * rng.logistic(size=600), [-1, 1])
    model = KAAMClassifier().fit(X, y)
    formula = model.to_symbolic(X, y)
    assert len(formula.expression_) == 3
    np.testing.assert_allclose(formula.predict_proba(X).sum(1), 1)
    assert (formula.predict(X) == model.predict(X)).mean() > 0.95
    assert set(formula.terms_["output"]) <= {0, 1, 2}


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "gamma"])
def test_regressors(loss):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.uniform(0.2, 3, 500), "z": rng.normal(size=500)})
    mean = np.exp(0.5 + np.log(X["x"]))
    draws = {
        "squared_error": mean + 0.1 * rng.normal(size=500),
        "poisson": rng.poisson(mean),
        "gamma": mean * rng.gamma(5, 0.2, 500),
    }
    formula = SymbolicRegressor(loss=loss).fit(X, draws[loss])
    assert np.corrcoef(formula.predict(X), mean)[0, 1] > 0.98
    assert formula.terms_["feature"].iloc[0] == "x"


def test_fit_takes_weights_as_frequencies():
    X, y = patients(200)
    X = X[["age", "noise"]]
    w = np.random.default_rng(0).integers(0, 3, 200)
    one = SymbolicClassifier(digits=None).fit(X, y, w)
    other = SymbolicClassifier(digits=None).fit(X.loc[X.index.repeat(w)], np.repeat(y, w))
    np.testing.assert_allclose(one.decision_function(X), other.decision_function(X), atol=0.05)


def test_networks_that_are_sums_become_formulas():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.uniform(0, 1, (300, 2)), columns=["u", "v"])
    y = 3 * X["u"] ** 2 + X["v"]
    model = KANRegressor(n_estimators=1, max_iter=20, random_state=0).fit(X, y)
    formula = model.to_symbolic(X, y)
    assert formula.score(X, y) > 0.99
    labels = (y > y.median()).to_numpy()
    network = LogisticKAN(n_estimators=1, max_iter=5, random_state=0).fit(X, labels)
    assert network.to_symbolic(X, labels, fidelity=None).score(X, labels) > 0.9


def test_quantiles_imitate_the_network():
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 1, (300, 1))
    y = 2 * X[:, 0] + 0.3 * rng.normal(size=300)
    model = KANRegressor(loss="quantile", quantiles=(0.1, 0.9), n_estimators=1, max_iter=5, random_state=0).fit(X, y)
    formula = model.to_symbolic(X, y, fidelity=None)
    assert formula.predict(X).shape == (300, 2)
    assert (np.diff(formula.predict(X)) >= 0).all()


def test_fidelity_is_a_promise():
    X, y = patients()
    model = KAAMClassifier().fit(X, y)
    with pytest.raises(FidelityError, match="fidelity=0.99"):
        model.to_symbolic(X, y, candidates=["step"], max_complexity=2, fidelity=0.99)


@pytest.mark.parametrize(
    "changes, hint",
    [({"max_complexity": 0}, "max_complexity"), ({"digits": 0}, "digits"), ({"fidelity": 2}, "fidelity"),
     ({"candidates": ["logg"]}, "logg")],
)  # fmt: skip
def test_wrong_settings_are_refused(changes, hint):
    X, y = patients(60)
    model = KAAMClassifier().fit(X, y)
    with pytest.raises(ValueError, match=hint):
        model.to_symbolic(X, y, **changes)


def test_wrong_data_are_refused():
    X, y = patients(80)
    model = KAAMClassifier().fit(X, y)
    with pytest.raises(ValueError, match="needs X"):
        model.to_symbolic(y=y)
    with pytest.raises(ValueError, match="'perhaps'"):
        model.to_symbolic(X, np.where(y == "yes", "perhaps", "no"))
    with pytest.raises(TypeError, match="already"):
        model.to_symbolic(X, y, fidelity=None).to_symbolic()
    regressor = KAAMRegressor(loss="gamma").fit(X[["age"]], X["age"])
    with pytest.raises(ValueError, match="above 0"):
        regressor.to_symbolic(X[["age"]], X["age"] - 50)


def test_pareto_display_shows_the_stages_beside_the_model(fitted):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from kan_tabular.plots import FormulaParetoDisplay

    _, _, model, formula = fitted
    display = FormulaParetoDisplay.from_estimator(formula)
    assert list(display.loss) == list(formula.pareto_["loss"]) and display.chosen == 0
    assert display.reference == formula.fidelity_["loss_model"]
    plt.close("all")
    with pytest.raises(ValueError, match="no losses"):
        FormulaParetoDisplay.from_estimator(model.to_symbolic())
