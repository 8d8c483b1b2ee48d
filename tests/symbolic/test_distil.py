"""From fitted models to formulas: known truths are found, constants are maximum likelihood, refusals are loud."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from kan_tabular import KAAMClassifier, KAAMRegressor
from kan_tabular.exceptions import FidelityError
from kan_tabular.symbolic.candidates import LIBRARY
from kan_tabular.symbolic.distil import distil
from kan_tabular.symbolic.refit import Additive, Part, Response, refit
from kan_tabular.symbolic.rounding import rounded


def settings(**changes):
    return {"candidates": LIBRARY, "max_constants": 3, **changes}


def truth(n, noise, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.uniform(0.5, 3, (n, 5)), columns=["a", "b", "c", "d", "none"])
    clean = np.log(X["a"]) + 2 * np.sin(2 * X["b"]) + np.exp(-X["c"]) + 0.5 * X["d"] ** 2
    return X, (clean + noise * clean.std() * rng.normal(size=n)).to_numpy(), clean.to_numpy()


@pytest.fixture(scope="module")
def sums():
    X, y, clean = truth(500, 0.01)
    return X, y, clean, KAAMRegressor().fit(X, y)


@pytest.mark.parametrize("given", ["rows and target", "rows", "nothing"])
def test_a_sum_is_found_again(sums, given):
    X, y, _, model = sums
    Z = None if given == "nothing" else model._encode(X)
    result = distil(model.network_, Z, y if given == "rows and target" else None, **settings(fidelity=0.99))
    assert {t["feature"]: t["function"] for t in result.terms} == {"a": "log", "b": "sin", "c": "exp", "d": "square"}
    assert result.fidelity["r2_model"] > 0.999
    fresh, _, expected = truth(300, 0.0, seed=1)
    error = result.network.forward(fresh.to_numpy())[:, 0] - expected
    assert error.std() < 0.01 * expected.std()


def test_without_noise_the_constants_are_exact():
    X, y, _ = truth(400, 0.0)
    model = KAAMRegressor().fit(X, y)
    result = distil(model.network_, model._encode(X), y, **settings())
    assert str(result.network.formula.to_sympy()) == "0.5*d**2 + log(Max(0.25, a)) + 2*sin(2*b) + exp(-c)"


def test_joint_refit_is_the_maximum_that_scipy_finds():
    rng = np.random.default_rng(2)
    X = pd.DataFrame({"x": rng.uniform(-2, 2, 400), "z": rng.normal(size=400)})
    y = rng.poisson(np.exp(0.3 + np.exp(0.5 * X["x"]) - 0.4 * X["z"])).astype(float)
    model = KAAMRegressor(loss="poisson").fit(X, y)
    exp, line = (next(c for c in LIBRARY if c.name == name) for name in ("exp", "linear"))
    from kan_tabular.symbolic.atoms import Atom

    parts = [
        Part(0, 0, X["x"].to_numpy(), (Atom(exp, 0.3, 0.0, 0.8),), -2.0, 2.0),
        Part(1, 0, X["z"].to_numpy(), (Atom(line, 1.0, 0.0, -0.1),), -3.0, 3.0),
    ]
    response = Response(model.network_.likelihood, np.eye(1), y, np.ones(400))
    fitted, value = refit(Additive(np.zeros(1), parts), response)

    def minus_log_likelihood(p):
        eta = p[0] + p[1] * np.exp(p[2] * X["x"]) + p[3] * X["z"]
        return float((np.exp(eta) - y * eta).sum())

    best = minimize(minus_log_likelihood, [0, 0.8, 0.3, -0.1], method="BFGS")
    assert value <= best.fun + 1e-2
    got = [fitted.intercept[0], fitted.parts[0].atoms[0].weight, fitted.parts[0].atoms[0].slope]
    np.testing.assert_allclose(got, best.x[:3], atol=0.02)


def test_gradient_of_the_joint_fit_is_that_of_differences():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.uniform(0, 3, 90), "g": rng.choice(["u", "v"], 90)})
    y = (rng.random(90) < 0.5).astype(float)
    model = KAAMClassifier(smoothing=1.0).fit(X, y)
    from kan_tabular.symbolic.rows import read_rows
    from kan_tabular.symbolic.search import Search

    search = Search(model.network_, read_rows(model.network_, model._encode(X), y), LIBRARY, 3)
    atoms, response = search.model, search.rows.response
    gradient, _ = atoms.system(response)
    for i in range(len(gradient)):
        step = np.zeros(len(gradient))
        step[i] = 1e-6
        slope = (atoms.moved(step).objective(response) - atoms.moved(-step).objective(response)) / 2e-6
        assert np.isclose(-slope, gradient[i], rtol=1e-3, atol=1e-4)


def test_thresholds_categories_and_missing_values():
    rng = np.random.default_rng(1)
    n = 3000
    X = pd.DataFrame(
        {
            "age": rng.integers(20, 90, n).astype(float),
            "ward": rng.choice(["a", "b", "c"], n),
            "lab": rng.normal(size=n),
        }
    )
    hidden = rng.random(n) < 0.2
    eta = 2.0 * (X["age"] > 65) + 1.5 * (X["ward"] == "b") + np.where(hidden, 2.0, X["lab"]) - 1
    X.loc[hidden, "lab"] = np.nan
    y = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float).to_numpy()
    model = KAAMClassifier().fit(X, y)
    result = distil(model.network_, model._encode(X), y, **settings())
    terms = {t["feature"]: t for t in result.terms}
    assert terms["age"]["function"] == "step" and "65" in terms["age"]["formula"]
    assert terms["lab"]["function"] == "linear" and "missing" in terms["lab"]["formula"]
    term = next(t for t in result.network.formula.outputs[0].terms if t.argument == "ward")
    assert term.levels["b"] - term.levels["a"] == pytest.approx(1.5, abs=0.4)
    assert result.fidelity["auc_formula"] == pytest.approx(result.fidelity["auc_model"], abs=0.02)
    lab = next(t for t in result.network.formula.outputs[0].terms if t.argument == "lab")
    assert lab.missing == pytest.approx(2.0, abs=0.4)
    p = 1 / (1 + np.exp(-result.network.forward(model._encode(X))[:, 0]))
    assert p.mean() == pytest.approx(y.mean(), abs=0.01)
    assert result.fidelity["loss_formula"] == pytest.approx(-np.log(np.where(y, p, 1 - p)).mean(), abs=0.01)


def test_useless_columns_are_left_out_of_a_noisy_formula():
    rng = np.random.default_rng(5)
    kept = 0
    for seed in range(4):
        X = pd.DataFrame(rng.normal(size=(400, 5)), columns=list("abcde"))
        y = (rng.random(400) < 1 / (1 + np.exp(-1.5 * X["a"]))).astype(float).to_numpy()
        model = KAAMClassifier().fit(X, y)
        terms = distil(model.network_, model._encode(X), y, **settings()).terms
        assert "a" in {t["feature"] for t in terms}, seed
        kept += len(terms) - 1
    assert kept <= 4


def test_stages_get_simpler():
    X, y, _ = truth(300, 0.3)
    model = KAAMRegressor().fit(X, y)
    stages = distil(model.network_, model._encode(X), y, **settings()).stages
    terms = [s["n_terms"] for s in stages]
    assert terms == sorted(terms, reverse=True) and terms[-1] == 0
    assert stages[-1]["loss"] > 2 * stages[0]["loss"]


def test_what_cannot_be_said_is_refused_with_a_reason():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"wild": np.sort(rng.uniform(0, 1, 900)), "calm": rng.normal(size=900)})
    y = 3 * np.sin(40 * X["wild"] ** 2) + X["calm"]
    model = KAAMRegressor(n_knots=40).fit(X, y)
    with pytest.raises(FidelityError, match=r"below fidelity=0.99.*'wild'"):
        distil(model.network_, model._encode(X), None, **settings(fidelity=0.99))


@pytest.mark.parametrize(
    "value, error, expected",
    [(1.23456, 0.01, 1.235), (1.23456, 0.3, 1.2), (1234.56, 30, 1230.0), (0.5, 0.0, 0.5), (1 / 3, np.nan, 0.333333)],
)
def test_digits_follow_the_standard_error(value, error, expected):
    assert rounded(value, error) == pytest.approx(expected, rel=1e-12)
    assert abs(rounded(value, error) - value) <= max(np.nan_to_num(error) / 4, 1e-5 * abs(value)) + 1e-12


def test_so_many_digits_as_asked():
    assert rounded(123.456, 1e-9, 2) == 120.0


def test_rows_that_are_thinned_out_do_not_count_twice(monkeypatch):
    from kan_tabular.symbolic import rows as module

    X, y, _ = truth(300, 0.1)
    model = KAAMRegressor().fit(X, y)
    monkeypatch.setattr(module, "_MOST_ROWS", 100)
    with_target = module.read_rows(model.network_, model._encode(X), y, np.full(300, 2.0))
    assert len(with_target.Z) == 100 and with_target.weights.sum() == 200
    imitation = module.read_rows(model.network_, model._encode(X), None, np.full(300, 2.0))
    assert imitation.weights.sum() == pytest.approx(600)
