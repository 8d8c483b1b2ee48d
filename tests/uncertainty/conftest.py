"""Cheap models and tables for the tests of uncertainty."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def two_classes():
    return _classes(2)


@pytest.fixture
def four_classes():
    return _classes(4)


@pytest.fixture
def line():
    """A regression with noise that grows with the first column."""
    rng = np.random.default_rng(7)
    X = pd.DataFrame(rng.uniform(0, 1, (400, 3)), columns=["a", "b", "c"])
    X["site"] = rng.choice(["north", "south"], 400)
    y = 5 + 2 * X["a"] + X["b"] + (0.2 + X["a"]) * rng.normal(size=400)
    return X, y.to_numpy()


def _classes(k):
    rng = np.random.default_rng(k)
    X = pd.DataFrame(rng.normal(size=(600, 3)), columns=["a", "b", "c"])
    X["site"] = rng.choice(["north", "south"], 600)
    eta = np.stack([np.sin(j + X["a"]) + (-1) ** j * X["b"] for j in range(k)], axis=1)
    u = rng.gumbel(size=eta.shape)
    return X, np.array(["ape", "bee", "cat", "dog"], dtype=object)[(1.5 * eta + u).argmax(1)]
