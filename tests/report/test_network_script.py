"""Networks with hidden layers: the page's script computes their predictions and Shapley values."""

import numpy as np
import pandas as pd
import pytest
from live_model import contributions, needs_node, payload_and_answers, table, trial_rows
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kan_tabular import DualChannelKAN, KANRegressor, LogisticKAN, SKANRegressor
from kan_tabular.exceptions import LiveModelError
from kan_tabular.report.payload import model_payload

SHORT = {"n_estimators": 2, "hidden_layer_sizes": (5,), "max_iter": 12, "random_state": 0, "device": "cpu"}
MANY = ["u", "v", "__proto__", "</script>"]


def simulated(n=150, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "a": rng.normal(size=n),
            "b": rng.exponential(size=n),
            "constant": np.ones(n),
            "c": rng.choice(np.array(MANY, dtype=object), n),
            "d": rng.integers(0, 2, n) > 0,
        }
    )
    X.loc[rng.random(n) < 0.1, "b"] = np.nan
    X.loc[rng.random(n) < 0.1, "c"] = None
    y = X["a"] * X["b"].fillna(1.0) + (X["c"] == "u") * X["a"] ** 2 + X["d"] + 0.2 * rng.normal(size=n)
    return X, y.to_numpy()


CASES = {
    "two classes": (LogisticKAN, {}, lambda y: y > 0),
    "three classes": (LogisticKAN, {"hidden_layer_sizes": (4, (3, 2))}, lambda y: np.digitize(y, [0.0, 1.0])),
    "regression": (KANRegressor, {"hidden_layer_sizes": (4, 3)}, lambda y: 1e3 + 50 * y),
    "counts": (KANRegressor, {"loss": "poisson"}, lambda y: np.round(np.exp(y.clip(None, 3)))),
    "quantiles": (KANRegressor, {"loss": "quantile", "quantiles": (0.1, 0.5, 0.9)}, lambda y: y),
    "several targets": (KANRegressor, {}, lambda y: np.stack([y, -3 * y**2], axis=1)),
    "cosines": (KANRegressor, {"basis": "cosine"}, lambda y: y),
    "broken lines": (KANRegressor, {"basis": "piecewise_linear"}, lambda y: y),
    "S-KAN": (SKANRegressor, {"hidden_layer_sizes": (3,)}, lambda y: y),
    "S-KAN, nodes": (SKANRegressor, {"hidden_layer_sizes": (3,), "choose": "nodes", "max_iter": 4}, lambda y: y),
}


@needs_node
@pytest.mark.filterwarnings("ignore:Levels that training did not have")
@pytest.mark.parametrize("case", CASES)
def test_equals_the_network(case):
    estimator, settings, target = CASES[case]
    X, y = simulated()
    model = estimator(**{**SHORT, **settings}).fit(X, target(y))
    assert model.network_.n_members
    rows = trial_rows(X, 60)
    payload, answers = payload_and_answers(model, rows)
    response = model.predict_proba(rows) if estimator is LogisticKAN else model.predict(rows).reshape(len(rows), -1)
    np.testing.assert_allclose(table(answers, "response"), response, rtol=1e-9, atol=1e-9)
    explanation = model.explain(rows)
    own, names = contributions(answers)
    np.testing.assert_allclose(own.reshape(explanation.values.shape), explanation.values, rtol=1e-9, atol=1e-9)
    base = np.reshape(explanation.base_values, (len(rows), -1))
    np.testing.assert_allclose(table(answers, "base"), base, rtol=1e-9, atol=1e-9)
    flags = [[name in answer["extrapolates"] for name in names] for answer in answers]
    assert np.array_equal(flags, model.extrapolation(rows))
    assert payload["interval"] is None and answers[0]["low"] is None
    assert len(payload["responses"]) == response.shape[1]


@needs_node
def test_in_a_pipeline():
    X, y = simulated()
    X = X[["a", "b"]]
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), KANRegressor(**SHORT)).fit(X, y)
    rows = trial_rows(X, 30)
    answers = payload_and_answers(pipeline, rows)[1]
    np.testing.assert_allclose(table(answers, "response")[:, 0], pipeline.predict(rows), rtol=1e-9, atol=1e-9)


def test_quantiles_are_named():
    estimator, settings, _ = CASES["quantiles"]
    X, y = simulated()
    payload = model_payload(estimator(**{**SHORT, **settings}).fit(X, y))
    assert payload["responses"] == ["quantile 0.1", "quantile 0.5", "quantile 0.9"] == payload["outputs"]


def test_what_is_not_computed():
    X, y = simulated()
    X = X[["a", "b"]]
    dual = DualChannelKAN(**{**SHORT, "n_qubits": 2}).fit(X, y > 0)
    with pytest.raises(LiveModelError, match="circuit"):
        model_payload(dual)
    with pytest.raises(LiveModelError, match="functions of their own"):
        model_payload(KANRegressor(basis="free_knots", **SHORT).fit(X, y))
