"""Networks whose columns act together become formulas, step by step, or are refused with a reason."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import sympy
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import kan_tabular
from kan_tabular import KANRegressor, LogisticKAN
from kan_tabular.exceptions import FidelityError, FormulaError
from kan_tabular.symbolic import deep
from kan_tabular.symbolic.candidates import LIBRARY
from kan_tabular.symbolic.deep import pruned_columns
from kan_tabular.symbolic.rows import read_rows


def truth(n=300, noise=0.01, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.uniform(1, 4, (n, 3)), columns=["load (kN)", "area", "spare"])
    clean = X["load (kN)"] / (1 + X["area"])
    return X, (clean + noise * clean.std() * rng.normal(size=n)).to_numpy(), clean.to_numpy()


@pytest.fixture(scope="module")
def fitted():
    X, y, clean = truth()
    model = KANRegressor(n_estimators=1, max_iter=60, random_state=0).fit(X, y)
    return X, y, clean, model, model.to_symbolic(X, y)


def test_the_formula_is_found(fitted):
    X, _, _, _, formula = fitted
    a, b = sympy.Symbol("load (kN)"), sympy.Symbol("area")
    ratio = sympy.simplify(formula.expression_ * (1 + b) / a)
    assert float(ratio) == pytest.approx(1, abs=0.01)
    new, _, clean = truth(seed=7)
    assert np.abs(formula.predict(new) - clean).max() < 0.01
    assert formula.fidelity_["r2_model"] > 0.99
    assert formula.fidelity_["loss_formula"] < 2 * np.mean((formula.predict(X) - fitted[1]) ** 2)


def test_each_step_is_in_the_table(fitted):
    *_, formula = fitted
    table = formula.distillation_.set_index("step")
    assert list(table.index)[:2] == ["network", "pruned"] and list(table.index)[-2:] == ["fitted", "rounded"]
    assert "joint" in table.index
    assert table["columns"]["network"] == 3 and table["columns"]["rounded"] == 2
    assert table["r2_model"]["network"] == 1.0 and (table["r2_model"] > 0.98).all()
    assert table["r2_model"]["rounded"] == formula.fidelity_["r2_model"]
    assert table["complexity"]["rounded"] == formula.formula_.complexity
    assert table["loss"]["network"] == pytest.approx(formula.fidelity_["loss_model"])


def test_columns_that_meet_share_as_shapley_has_it(fitted):
    X, _, _, _, formula = fitted
    e = formula.explain(X)
    np.testing.assert_allclose(e.values.sum(1) + e.base_values, formula.predict(X))
    np.testing.assert_allclose(e.values.mean(0), 0, atol=1e-9)
    assert not e.values[:, 2].any()

    def value(row, present):
        at = [row[j] if j in present else X.iloc[:, j].mean() for j in range(3)]
        return formula.predict(pd.DataFrame([at], columns=X.columns))[0]

    def shapley(row):
        out = np.zeros(3)
        for order in itertools.permutations(range(3)):
            for k, j in enumerate(order):
                out[j] += (value(row, order[: k + 1]) - value(row, order[:k])) / math.factorial(3)
        return out

    rows = X.to_numpy()[:2]
    # Up to the means over the training rows.
    np.testing.assert_allclose(np.diff(e.values[:2], axis=0)[0], shapley(rows[1]) - shapley(rows[0]), atol=1e-9)
    shape = formula.shape_function("area", grid=[1.5, 3.0])
    at = pd.DataFrame({"load (kN)": X["load (kN)"].mean(), "area": [1.5, 3.0], "spare": 2.0})
    np.testing.assert_allclose(np.diff(shape.y), np.diff(formula.predict(at)), atol=1e-9)


def test_it_is_saved_and_written(fitted, tmp_path):
    X, _, _, _, formula = fitted
    formula.save(tmp_path / "formula.kan")
    again = kan_tabular.load(tmp_path / "formula.kan")
    assert (again.predict(X) == formula.predict(X)).all()
    assert again.distillation_.equals(formula.distillation_)
    np.testing.assert_array_equal(again.explain(X[:5]).values, formula.explain(X[:5]).values)
    scope = {}
    exec(formula.to_python(), scope)
    np.testing.assert_allclose(scope["predict"](X)[1][:, 0], formula.predict(X), rtol=1e-9)
    shortest = formula.simplified(len(formula.pareto_) - 1)
    assert shortest.formula_.complexity == formula.pareto_["complexity"].min()


def test_without_a_target_the_network_is_imitated(fitted):
    X, _, clean, model, _ = fitted
    formula = model.to_symbolic(X)
    assert np.mean((formula.predict(X) - clean) ** 2) < 1e-3 * clean.var()
    assert set(formula.formula_.columns) == {"load (kN)", "area"}
    assert formula.distillation_["loss"].isna().all()


def test_useless_columns_are_pruned_and_useful_ones_are_not(fitted):
    X, y, _, model, _ = fitted
    rows = read_rows(model.network_, model._encode(X))
    kept, eta = pruned_columns(model.network_, rows, 0.9)
    assert kept == [0, 1]
    at = X.assign(spare=X["spare"].mean())
    np.testing.assert_allclose(eta[:, 0], model.predict(at))
    assert pruned_columns(model.network_, rows, -50.0)[0] == []
    # With a target, no column goes that the loss would miss.
    rows = read_rows(model.network_, model._encode(X), y)
    assert {0, 1} <= set(pruned_columns(model.network_, rows, -50.0)[0])


def test_a_structure_is_sought_among_the_most_important_columns(fitted, monkeypatch):
    X, _, _, model, _ = fitted
    monkeypatch.setattr(deep, "_MOST_COLUMNS", 2)
    rows = read_rows(model.network_, model._encode(X))
    found = deep.joint_formulas(model.network_, rows, [0, 1, 2], LIBRARY, 3)
    assert [str(s) for s in found[0].model.shapes[0].symbols] == ["x0", "x1"]
    assert [f.cost for f in found] == sorted(f.cost for f in found)


def test_classes_on_the_scale_of_log_odds():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.uniform(-2, 2, (1500, 2)), columns=["u", "v"])
    y = rng.random(1500) < 1 / (1 + np.exp(-2 * X["u"] * X["v"]))
    model = LogisticKAN(n_estimators=1, max_iter=20, random_state=0).fit(X, y)
    formula = model.to_symbolic(X, y, fidelity=0.8)
    assert formula.formula_.joint_columns == ["u", "v"]
    assert formula.score(X, y) > model.score(X, y) - 0.02
    np.testing.assert_allclose(formula.explain(X).values.sum(1) + formula.explain(X).base_values,
                               formula.decision_function(X), atol=1e-9)  # fmt: skip
    with pytest.raises(FormulaError, match="'u', 'v'"):
        formula.to_scorecard(X)


def test_a_pipeline_keeps_its_columns(fitted):
    X, _, y, *_ = fitted
    network = KANRegressor(n_estimators=1, max_iter=30, random_state=0)
    whole = make_pipeline(FunctionTransformer(np.sqrt, feature_names_out="one-to-one"), network).fit(X, y)
    formula = whole[-1].to_symbolic(whole[:-1].transform(X), y, fidelity=0.9)
    assert formula.formula_.columns == ["load (kN)", "area"]
    np.testing.assert_allclose(make_pipeline(whole[0], formula).predict(X), y, rtol=1e-3)


def test_what_neither_sums_nor_joint_formulas_say_is_refused():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=300), "ward": rng.choice(["u", "v"], 300)})
    y = np.where(X["ward"] == "u", 1.0, -1.0) * X["x"]
    model = KANRegressor(n_estimators=1, max_iter=60, additive_start=False, random_state=0).fit(X, y)
    with pytest.raises(FidelityError, match="together.*'ward' is a category"):
        model.to_symbolic(X, y)
