"""Models with known curves, and a clean matplotlib for each test."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

from .known_model import (
    HOSTILE_NAMES,
    KnownClassifier,
    KnownRegressor,
    category_shape,
    missing_level,
    mixed_shapes,
    mixed_table,
    numeric_shape,
)

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def clean_matplotlib():
    import matplotlib.pyplot as plt

    with matplotlib.rc_context():
        yield
    plt.close("all")


@pytest.fixture
def table():
    return mixed_table()


@pytest.fixture
def classifier(table):
    target = np.where(np.arange(len(table)) % 3, "benign", "malignant")
    return KnownClassifier(mixed_shapes(), intercept=-0.5).fit(table, target)


@pytest.fixture
def regressor(table):
    return KnownRegressor(mixed_shapes(), intercept=12.0).fit(table)


@pytest.fixture
def multiclass():
    """A function that makes a model with the given classes and one curve of each feature for each."""

    def make(classes, table):
        classes = sorted(classes)
        shapes = {
            "age": {c: numeric_shape("age", lambda x, k=k: np.sin(x / 15 + k), 20, 90) for k, c in enumerate(classes)},
            "bmi": {
                c: numeric_shape("bmi", lambda x, k=k: np.cos(x / 6 + k), 12, 45, missing=missing_level(k / 5))
                for k, c in enumerate(classes)
            },
            "ward": {
                c: category_shape("ward", ["cardiology", "surgery", "general"], missing_level(-k / 4), seed=k)
                for k, c in enumerate(classes)
            },
        }
        target = np.resize(np.asarray(classes, dtype=object), len(table))
        return KnownClassifier(shapes, intercept=np.linspace(-1, 1, len(classes))).fit(table, target)

    return make


@pytest.fixture
def hostile():
    """A fitted model and table with names and levels that upset a careless picture."""
    rng = np.random.default_rng(0)
    shapes = {name: numeric_shape(name, lambda x, k=k: np.sin(x + k)) for k, name in enumerate(HOSTILE_NAMES)}
    shapes["level names"] = category_shape("level names", HOSTILE_NAMES, missing=missing_level())
    table = pd.DataFrame({name: rng.uniform(-3, 3, 40) for name in HOSTILE_NAMES})
    table["level names"] = rng.choice(np.array(HOSTILE_NAMES, dtype=object), 40)
    target = np.resize(np.array(["$no$", "yes \N{GRINNING FACE}"], dtype=object), 40)
    return KnownClassifier(shapes).fit(table, target), table
