"""The small tables, responses and verdicts shared by the tests of bad and of awkward input."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest

from kan_tabular import KAAMClassifier, KAAMRegressor

N = 60
ADVICE = re.compile(
    r"drop|remove|imput|replace|convert|encode|pass|\buse\b|give|rename|provide|supply|choose|check|clip|rescale|turn|"
    r"make|group|raise|must|need|required|expect|should|at least|0 or more|"
    r", but X has|not a column of|is for ",  # stating what was found beside what is possible says it too
    re.IGNORECASE,
)
CONTAINERS = {
    "pandas": lambda table: table,
    "polars": lambda table: pl.from_pandas(table),
    "ndarray": lambda table: table.to_numpy(dtype=float),
    "list": lambda table: table.to_numpy(dtype=float).tolist(),
}
RESPONSES = {
    "binary": (lambda: KAAMClassifier(), lambda y: np.where(y > 0, "ill", "well")),
    "multiclass": (lambda: KAAMClassifier(), lambda y: np.digitize(y, [-0.5, 0.5])),
    "gaussian": (lambda: KAAMRegressor(), lambda y: y),
    "poisson": (lambda: KAAMRegressor(loss="poisson"), lambda y: np.round(np.exp(y))),
    "gamma": (lambda: KAAMRegressor(loss="gamma"), lambda y: np.exp(y)),
}


def numeric_table(n=N):
    rng = np.random.default_rng(0)
    return pd.DataFrame({"age": rng.normal(50, 10, n), "dose": rng.exponential(2, n), "score": rng.normal(size=n)})


def mixed_table(n=N):
    rng = np.random.default_rng(1)
    colour = np.array(["red", "green", "blue"])[rng.integers(0, 3, n)]
    return numeric_table(n).assign(colour=pd.Categorical(colour))


def latent(n=N):
    rng = np.random.default_rng(2)
    table = numeric_table(n)
    return (table["age"].to_numpy() - 50) / 10 + 0.5 * rng.normal(size=n)


def binary(n=N):
    return (latent(n) > 0).astype(int)


def refused(action, *names):
    """Run ``action``; it must raise a helpful error of our own with each of ``names`` (patterns) as a word."""
    with pytest.raises((ValueError, TypeError)) as caught:
        action()
    error, message = caught.value, str(caught.value)
    module = type(error).__module__
    assert module == "builtins" or module.startswith(("kan_tabular", "sklearn")), f"foreign error {type(error)}"
    for name in names:
        assert re.search(rf"(?<!\w){name}(?!\w)", message), f"{name!r} is not named in: {message}"
    assert ADVICE.search(message), f"no advice in: {message}"
