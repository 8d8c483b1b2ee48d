"""Many odd settings on many odd tables: a network never raises, never warns, and answers with numbers.

Every chunk is a seed of its own: a failure names its chunk and prints the settings and the table.
"""

import numpy as np
import pandas as pd
import pytest

from kan_tabular import DualChannelKAN, KANRegressor, LogisticKAN, SKANClassifier, SKANRegressor

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("error")]

CHUNKS, PER_CHUNK = 20, 10


def columns(rng, n):
    x = rng.normal(size=n)
    hole = rng.random(n) < 0.3
    return {
        "plain": lambda: x,
        "constant": lambda: np.full(n, 7.0),
        "missing": lambda: np.full(n, np.nan),
        "tied": lambda: np.round(x),
        "two-valued": lambda: (x > 0.5) * 1.0,
        "mostly zero": lambda: np.where(rng.random(n) < 0.9, 0.0, x),
        "nearly tied": lambda: 3.0 + 1e-9 * np.round(x),
        "heavy-tailed": lambda: rng.standard_cauchy(n) ** 3,
        "log-normal": lambda: np.exp(10 * x),
        "1e6": lambda: 1e6 * x,
        "1e-60": lambda: 1e-60 * x,
        "1e60": lambda: 1e60 * x,
        "offset": lambda: 1e9 + x,
        "outlier": lambda: np.where(np.arange(n) == n // 2, 1e12, x),
        "holes": lambda: np.where(hole, np.nan, x),
        "one value left": lambda: np.where(np.arange(n) == 1, 1.0, np.nan),
        "constant or missing": lambda: np.where(hole, np.nan, 1.0),
        "flag": lambda: x > 0,
        "flag with holes": lambda: pd.Series(x > 0).astype("boolean").mask(hole),
        "levels": lambda: rng.choice(list("abc"), n),
        "levels with holes": lambda: np.where(hole, None, rng.choice(list("abc"), n)),
        "rare level": lambda: np.where(np.arange(n) == 0, "rare", "common"),
        "one level": lambda: np.full(n, "same"),
    }


def nasty_table(rng):
    n = int(rng.choice([2, 3, 7, 20, 20, 33, 60, 200]))
    kinds = rng.choice(sorted(columns(rng, n)), size=int(rng.integers(1, 7)))
    if rng.random() < 0.3 and 20 <= n <= 33:
        kinds = [*kinds, *["plain"] * 40]  # more columns than rows
    table = pd.DataFrame({f"{j} {kind}": columns(rng, n)[kind]() for j, kind in enumerate(kinds)})
    if rng.random() < 0.2:
        table[f"{len(kinds)} copy"] = table.iloc[:, 0]
    return table


def nasty_response(rng, n):
    x = rng.normal(size=n)
    two = (rng.random(n) < rng.choice([0.05, 0.5, 0.9])).astype(int)
    two[:2] = [0, 1]
    many = np.arange(n) % min(n, 5)
    return {
        "two": lambda: two,
        "many": lambda: rng.permutation(many),
        "squared_error": lambda: x,
        "squared_error, heavy": lambda: rng.standard_cauchy(n) ** 3,
        "squared_error, constant": lambda: np.full(n, -3.0),
        "squared_error, 1e6": lambda: 1e6 * x + 1e8,
        "squared_error, 1e50": lambda: 1e50 * x,
        "squared_error, targets": lambda: np.column_stack([x, np.full(n, 2.0), 1e6 * x]),
        "poisson": lambda: rng.poisson(np.exp(x)),
        "poisson, rare": lambda: (np.arange(n) == 0) * 1.0,
        "poisson, zero": lambda: np.zeros(n),
        "poisson, large": lambda: np.round(1e6 * np.exp(3 * x)),
        "gamma": lambda: np.exp(x),
        "gamma, wide": lambda: np.exp(20 * x),
        "quantile": lambda: x,
        "quantile, heavy": lambda: rng.standard_cauchy(n) ** 3,
    }


def pick(rng, values):
    return values[int(rng.integers(len(values)))]


def nasty_settings(rng):
    settings = {
        "max_iter": pick(rng, [1, 2, 3]),
        "n_estimators": pick(rng, [1, 2, 5]),
        "hidden_layer_sizes": pick(rng, [(1,), (3,), (16,), (4, 2), (2, 3, 2), (16, 16)]),
        "grid_size": pick(rng, [1, 2, 5, 8]),
        "additive_start": pick(rng, ["auto", True, False]),
        "batch_size": pick(rng, ["auto", 1, 7, 10**6]),
        "learning_rate_init": pick(rng, [1e-9, 0.04, 0.04, 1.0, 1e3, 1e6]),
        "alpha": pick(rng, ["auto", 0.0, 1.0, 1e6]),
        "smoothness": pick(rng, ["auto", 1e-6, 1.0, 1e9]),
        "sparsity": pick(rng, [0.0, 0.0, 0.1, 1e6]),
        "early_stopping": pick(rng, ["auto", True, False]),
        "validation_fraction": pick(rng, [0.01, 0.125, 0.5]),
        "n_iter_no_change": pick(rng, [None, 1]),
        "max_time": pick(rng, [None, None, 1e-9]),
        "random_state": int(rng.integers(1000)),
    }
    if settings["batch_size"] == 1 and settings["max_iter"] > 1:
        settings["max_iter"] = 1  # time
    return settings


def nasty_fit_arguments(rng, n, response):
    arguments = {}
    if rng.random() < 0.3:
        weight = np.exp(rng.normal(size=n) * rng.choice([0.1, 3.0])) * rng.choice([1e-6, 1.0, 1e6])
        if n > 7 and rng.random() < 0.5:
            weight[rng.random(n) < 0.2] = 0.0
            weight[:5] = 1.0
        arguments["sample_weight"] = weight
    if rng.random() < 0.3:
        arguments["groups"] = rng.integers(0, pick(rng, [1, 2, 10]), n)
    if response.startswith("poisson") and rng.random() < 0.5:
        arguments["exposure"] = np.exp(3 * rng.normal(size=n))
    return arguments


def later_table(table, rng):
    """Training rows, then other values: far, missing, levels that training had."""
    rows = table.iloc[rng.integers(0, len(table), 6)].copy()
    for name in rows:
        if rows[name].dtype.kind == "f":
            rows[name] = [1e60, -1e60, np.nan, 0.0, *rows[name].to_numpy()[4:]]
    return pd.concat([table, rows])


def nasty_choice(rng):
    """Who chooses from what, for networks over a pool."""
    pools = [("bspline", "cosine"), ("wavelet", "chebyshev", "piecewise_linear"), ("fourier", "bspline"), "auto"]
    return {"spaces": pick(rng, pools), "choose": pick(rng, ["inputs", "inputs", "edges", "nodes"])}


def nasty_circuit(rng):
    """Channels beside or instead of the hidden layers."""
    return {
        "channels": pick(rng, [("kan", "circuit"), ("circuit",)]),
        "n_qubits": pick(rng, [1, 2, 4]),
        "n_layers": pick(rng, [1, 1, 3]),
        "embedding": pick(rng, ["angle", "amplitude"]),
    }


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_nasty_settings_on_nasty_tables(chunk):
    survives(np.random.default_rng(chunk), PER_CHUNK)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_nasty_settings_of_networks_that_choose_their_spaces(chunk):
    survives(np.random.default_rng(1000 + chunk), PER_CHUNK // 2, chooses=True)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_nasty_settings_of_networks_with_a_circuit(chunk):
    survives(np.random.default_rng(2000 + chunk), PER_CHUNK // 2, circuit=True)


def survives(rng, n_models, chooses=False, circuit=False):
    for _ in range(n_models):
        table, settings = nasty_table(rng), nasty_settings(rng)
        n = len(table)
        responses = nasty_response(rng, n)
        response = pick(rng, ["many", "two"] if circuit else sorted(responses))
        y, arguments = responses[response](), nasty_fit_arguments(rng, n, response)
        classifies, loss = response in ("two", "many"), response.split(",")[0]
        if classifies:
            settings["class_weight"] = pick(rng, [None, "balanced"])
        else:
            settings.update(loss=loss, quantiles=pick(rng, [(0.5,), (0.01, 0.5, 0.99)]))
        if chooses:
            settings.update(nasty_choice(rng))
        if circuit:
            settings.update(nasty_circuit(rng))
        story = f"{settings} {response} n={n} {list(table)[:8]} {sorted(arguments)}"
        kinds = (SKANClassifier, SKANRegressor) if chooses else (LogisticKAN, KANRegressor)
        kinds = (DualChannelKAN,) if circuit else kinds
        model = kinds[0 if classifies else 1](**settings)
        rows = later_table(table, rng)
        try:
            model.fit(table, y, **arguments)
            said = model.predict_proba(rows) if classifies else model.predict(rows)
            explanation = model.explain(rows.iloc[-8:], n_permutations=1)
            share = model.non_additive_share(rows)
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error}\n{story}") from error
        for name, answer in (("prediction", said), ("explanation", explanation.values), ("share", share)):
            assert np.isfinite(answer).all(), f"{name}: {answer}\n{story}"
        assert np.isfinite(model.feature_importances_).all() and len(said) == len(rows), story
        if chooses:
            shares = model.space_shares().to_numpy(dtype=float)
            known = ~np.isnan(shares).any(1)
            assert (np.isnan(shares).all(1) == ~known).all() and np.allclose(shares[known].sum(1), 1), story
            assert {len(path["progress"]) for path in model.space_path_} == {model.n_iter_ + 1}, story
