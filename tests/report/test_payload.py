"""The payload: what it holds, what it refuses, and that it can stand in a page."""

import base64
import json
import math

import numpy as np
import pandas as pd
import pytest
from formula_cases import HOSTILE
from live_model import SCRIPT, evaluate, needs_node, payload_and_answers, run_script
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kan_tabular import KAAMClassifier, KAAMRegressor
from kan_tabular.exceptions import LiveModelError
from kan_tabular.report import payload as payload_module
from kan_tabular.report.embed import json_for_html, packed
from kan_tabular.report.payload import model_payload


def table(n=150, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {"a": rng.normal(size=n), "b": rng.exponential(size=n), "c": rng.choice(["u", "v"], n, p=[0.3, 0.7])}
    )
    return X, X["a"] + np.log1p(X["b"]) + (X["c"] == "u") + 0.3 * rng.normal(size=n)


@pytest.fixture(scope="module")
def regressor():
    return KAAMRegressor().fit(*table())


@pytest.fixture(scope="module")
def classifier():
    X, y = table()
    return KAAMClassifier().fit(X, np.digitize(y, [0.5, 1.5]))


def numbers_in(data):
    """All numbers of nested data, arrays unpacked."""
    if isinstance(data, dict) and "f64" in data:
        yield from np.frombuffer(base64.b64decode(data["f64"]), "<f8").tolist()
    elif isinstance(data, dict | list):
        for part in data.values() if isinstance(data, dict) else data:
            yield from numbers_in(part)
    elif isinstance(data, float | int) and not isinstance(data, bool):
        yield float(data)


def test_holds_no_training_rows():
    X, y = table()
    payload = json.loads(
        json_for_html(model_payload(make_pipeline(StandardScaler(), KAAMRegressor()).fit(X[["a", "b"]], y)))
    )
    plain = json.loads(json_for_html(model_payload(KAAMRegressor().fit(X, y))))
    for data in (payload, plain):
        found = set(numbers_in(data))
        for name in ("a", "b"):
            seen = found & set(X[name])
            assert seen <= {X[name].min(), X[name].max()}  # the range of training, which flags extrapolation
        assert not found & set(y)


def test_numbers_in_reads_what_is_there():
    x = np.array([0.1, -2.5e300, 3.0])
    assert list(numbers_in({"v": [packed(x), {"w": 7}]})) == [*x, 7.0]


def test_survives_json(regressor):
    payload = model_payload(regressor, conformal={"confidence_level": 0.9, "kind": "absolute", "quantile": 1.5})
    assert json.loads(json.dumps(payload, allow_nan=False)) == payload == json.loads(json_for_html(payload))


def test_json_cannot_leave_a_script_element():
    data = {text: [text, "\u2028\u2029", "\ud800", "<!--"] for text in HOSTILE}
    text = json_for_html(data)
    assert text.isascii() and not set("<>&") & set(text)
    assert json.loads(text) == data
    with pytest.raises(ValueError, match="JSON"):
        json_for_html({"a": math.nan})


def test_arrays_hold_numbers_only():
    assert packed([[1.0, 2.0]])["shape"] == [1, 2]
    for value in (np.nan, np.inf):
        with pytest.raises(LiveModelError):
            packed([0.0, value])


def test_the_script_needs_no_eval_and_no_module():
    for word in ("eval(", "Function(", "import ", "export ", "require(", "document", "window", "fetch", "innerHTML"):
        assert word not in SCRIPT
    assert "</script" not in SCRIPT


@needs_node
def test_columns_called_like_parts_of_objects():
    rng = np.random.default_rng(1)
    names = ["__proto__", "constructor", "toString", "hasOwnProperty"]
    X = pd.DataFrame(rng.normal(size=(100, 4)), columns=names)
    model = KAAMRegressor().fit(X, X.sum(axis=1) + 0.1 * rng.normal(size=100))
    expected = model.predict(X.head(1))[0]
    results = run_script(
        """
        const { payload, entries } = JSON.parse(require("fs").readFileSync(0, "utf8"));
        const model = new KanModel(payload);
        const bare = Object.create(null);
        for (const [name, value] of entries) bare[name] = value;
        const empty = model.evaluate({});
        const gaps = model.evaluate(new Map(entries.map(([name]) => [name, null])));
        const of = (values) => model.evaluate(values).response[0];
        console.log(JSON.stringify([of(new Map(entries)), of(bare), of(Object.fromEntries(entries)), empty, gaps]));
        """,
        {"payload": model_payload(model), "entries": [[name, X[name].iloc[0]] for name in names]},
    )
    np.testing.assert_allclose(results[:3], expected, rtol=1e-12)
    assert results[3] == results[4] and results[3]["extrapolates"] == names


@needs_node
@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"a": "1.5"}, 'TypeError: Column "a" needs a number.'),
        ({"a": [1]}, 'TypeError: Column "a" needs a number.'),
        ({"b": 2e70}, 'RangeError: Column "b": the number is too large.'),
    ],
)
def test_bad_values_are_refused_as_in_python(regressor, values, says):
    row = {"a": 0.0, "b": 1.0, "c": "u"}
    frame = pd.DataFrame([{**row, **values}])
    with pytest.raises((ValueError, TypeError)):
        regressor.predict(frame)
    assert evaluate(model_payload(regressor), frame)[0] == {"error": says}


@needs_node
def test_whole_numbers_booleans_and_texts_name_the_same_level():
    X, y = table()
    X["c"] = pd.Categorical(np.where(X["c"] == "u", 1, 0))
    model = KAAMRegressor().fit(X, y)
    given = [1, 1.0, True, "1", 0, False, "0", 2, "", 1e21, 0.25, 1.25e-7, None]
    frame = pd.DataFrame({"a": 0.0, "b": 1.0, "c": pd.Series(given, dtype=object)})
    payload, answers = payload_and_answers(model, frame)
    python = [model.explain(pd.DataFrame({"a": [0.0], "b": [1.0], "c": [v]})).values[0, 2] for v in (1, 0)]
    own = [answer["contributions"][2]["values"][0] for answer in answers]
    np.testing.assert_allclose(own, [python[0]] * 4 + [python[1]] * 3 + [0.0] * 6, rtol=1e-12)
    assert payload["features"][2]["levels"] == ["0", "1"]
    assert [("c" in a["extrapolates"]) for a in answers] == [False] * 7 + [True] * 6


@needs_node
@pytest.mark.parametrize("quantile", [0.6, [0.3, 0.7, 0.99], 0.0, math.inf])
def test_conformal_labels(classifier, quantile):
    X, _ = table(60, seed=3)
    rule = {"confidence_level": 0.9, "kind": "lac", "quantile": quantile}
    payload, answers = payload_and_answers(classifier, X, conformal=rule)
    p = classifier.predict_proba(X)
    inside = p >= 1 - np.asarray(quantile)
    empty = ~inside.any(1)
    inside[empty, p.argmax(1)[empty]] = True
    expected = [[payload["classes"][k] for k in np.flatnonzero(row)] for row in inside]
    assert [answer["conformal"]["set"] for answer in answers] == expected
    assert quantile != 0.0 or empty.all()  # none is certain, so the most probable one stands
    assert payload["classes"] == ["0", "1", "2"] == payload["outputs"]


@needs_node
def test_conformal_intervals(regressor):
    X, _ = table(5, seed=3)
    rule = {"confidence_level": 0.9, "kind": "absolute", "quantile": 0.75}
    answers = payload_and_answers(regressor, X, conformal=rule)[1]
    mean = regressor.predict(X)
    np.testing.assert_allclose([a["conformal"]["interval"] for a in answers], np.stack([mean - 0.75, mean + 0.75], 1))
    unlimited = payload_and_answers(regressor, X, conformal={**rule, "quantile": math.inf})[1]
    assert unlimited[0]["conformal"] == {"interval": [None, None]}
    assert payload_and_answers(regressor, X)[1][0]["conformal"] is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": "absolute"}, "a classifier needs 'lac'"),
        ({"quantile": [0.1, 0.2]}, "3 of them, one a class"),
        ({"quantile": math.nan}, "give a number"),
    ],
)
def test_conformal_rules_that_mean_nothing(classifier, change, says):
    rule = {"confidence_level": 0.9, "kind": "lac", "quantile": 0.5, **change}
    with pytest.raises(ValueError, match=says):
        model_payload(classifier, conformal=rule)


def test_other_arguments_that_mean_nothing(regressor):
    with pytest.raises(ValueError, match="has no 'kind'"):
        model_payload(regressor, conformal={"confidence_level": 0.9, "quantile": 1.0})
    for interval in (0, 1, 95, True, "0.95"):
        with pytest.raises(ValueError, match="between 0 and 1"):
            model_payload(regressor, interval=interval)


def test_what_the_panel_asks_for(regressor):
    X, _ = table()
    a, _, c = model_payload(regressor)["features"]
    assert (a["low"], a["high"]) == (X["a"].min(), X["a"].max())
    assert a["kind"] == "numeric" and a["levels"] == [] and a["step"] == 0.01 and not a["integer"] and not a["missing"]
    assert len(a["quantiles"]) == 5 and a["quantiles"] == sorted(a["quantiles"]) and a["quantiles"][2] == a["typical"]
    assert c["kind"] == "category" and c["levels"] == ["u", "v"] and c["typical"] == "v" and c["low"] is None


def test_what_the_panel_asks_of_odd_columns():
    X, y = table()
    X = X.assign(empty=np.nan, constant=3.0, flag=X["a"] > 0, tenths=np.arange(len(X)) % 101 / 10)
    empty, constant, flag, tenths = model_payload(KAAMRegressor().fit(X, y))["features"][3:]
    assert (empty["low"], empty["typical"], empty["missing"]) == (None, None, True)
    assert (constant["low"], constant["high"], constant["typical"]) == (3.0, 3.0, 3.0)
    assert (flag["low"], flag["high"], flag["integer"], flag["step"]) == (0.0, 1.0, True, 1.0)
    assert flag["typical"] == float(np.median(X["flag"]))
    assert (tenths["low"], tenths["high"], tenths["integer"], tenths["step"]) == (0.0, 10.0, False, 0.1)


def test_large_models_do_without_the_interval_first(regressor, monkeypatch):
    whole, bare = (len(json.dumps(model_payload(regressor, interval=i)["model"])) for i in (0.95, None))
    monkeypatch.setattr(payload_module, "_LARGEST", whole)
    assert "covariance" in model_payload(regressor)["model"]
    monkeypatch.setattr(payload_module, "_LARGEST", whole - 1)
    smaller = model_payload(regressor)
    assert smaller["interval"] is None and "covariance" not in smaller["model"] and bare < whole / 2
    monkeypatch.setattr(payload_module, "_LARGEST", bare - 1)
    with pytest.raises(LiveModelError, match="MB is too large for the page"):
        model_payload(regressor)
