"""A model with known curves that offers just what the displays may read."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

HOSTILE_NAMES = (
    "a $x_1$ and $100",
    "<script>alert('x')</script>",
    "pulse \N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16} \N{GRINNING FACE}",
    "n" * 300,
    "two\nlines\tand \x07",
    "_hidden",
    "\\frac{1}{2} & 50% #3",
    "\u6f22\u5b57",
)


class KnownModel(BaseEstimator):
    """An additive model whose shapes are handed over as arguments instead of being estimated."""

    def __init__(self, shapes=None, intercept=0.0):
        self.shapes = shapes  # {feature: shape} or {feature: {class: shape}}
        self.intercept = intercept

    def fit(self, X, y=None):
        names = list(self.shapes)
        if hasattr(X, "columns"):
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = len(names)
        self.network_ = SimpleNamespace(feature_names=names, n_outputs=len(np.atleast_1d(self.intercept)))
        self.feature_importances_ = self.importance(X) / self.importance(X).sum()
        return self

    def shape_function(self, feature, grid=None, class_=None):
        shape = self.shapes[feature]
        if isinstance(shape, dict):
            return shape[self.classes_[-1] if class_ is None else class_]
        assert class_ is None
        return shape

    def explain(self, X):
        data = np.asarray(X, dtype=object)
        columns = []
        for j, shape in enumerate(self.shapes.values()):
            by_class = list(shape.values()) if isinstance(shape, dict) else [shape]
            columns.append(np.stack([_effect(s, data[:, j]) for s in by_class], axis=-1))
        values = np.stack(columns, axis=1)
        multiclass = values.shape[2] > 1
        return SimpleNamespace(
            values=values if multiclass else values[:, :, 0],
            base_values=np.tile(self.intercept, (len(data), 1)) if multiclass else np.full(len(data), self.intercept),
            data=data,
            feature_names=list(self.shapes),
        )

    def importance(self, X, kind="mean_abs"):
        values = self.explain(X).values
        measured = np.abs(values).mean(axis=0) if kind == "mean_abs" else values.var(axis=0)
        return measured if measured.ndim == 1 else measured.mean(axis=1)

    def decision_function(self, X):
        explanation = self.explain(X)
        return explanation.values.sum(axis=1) + explanation.base_values


class KnownClassifier(ClassifierMixin, KnownModel):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return super().fit(X, y)

    def predict_proba(self, X):
        eta = self.decision_function(X)
        if eta.ndim == 1:
            positive = 1 / (1 + np.exp(-eta))
            return np.column_stack([1 - positive, positive])
        odds = np.exp(eta - eta.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class KnownRegressor(RegressorMixin, KnownModel):
    def __init__(self, shapes=None, intercept=0.0, loss="squared_error"):
        super().__init__(shapes=shapes, intercept=intercept)
        self.loss = loss

    def predict(self, X):
        eta = self.decision_function(X)
        return eta if self.loss == "squared_error" else np.exp(eta)


def _effect(shape, column):
    absent = pd.isna(column)
    effects = np.full(len(column), np.nan if shape.missing is None else shape.missing.value)
    if shape.kind == "numeric":
        effects[~absent] = np.interp(column[~absent].astype(float), shape.x, shape.y)
    else:
        effects[~absent] = [dict(zip(shape.x, shape.y, strict=True)).get(level, 0.0) for level in column[~absent]]
    return effects


def _bands(y, se):
    return {
        "y": y,
        "se": se,
        "lower": y - 2 * se,
        "upper": y + 2 * se,
        "lower_simultaneous": y - 3 * se,
        "upper_simultaneous": y + 3 * se,
    }


def missing_level(value=0.7, se=0.2, weight=0.12):
    return SimpleNamespace(value=value, se=se, lower=value - 2 * se, upper=value + 2 * se, weight=weight)


def numeric_shape(name, function=np.sin, low=-3.0, high=3.0, missing=None):
    x = np.linspace(low, high, 101)
    edges = np.linspace(low, high, 21)
    weight = np.exp(-0.5 * ((edges[:-1] - (low + high) / 2) / (0.2 * (high - low or 1.0))) ** 2)
    se = 0.1 + 0.1 * np.abs(np.linspace(-1, 1, 101)) ** 3
    density, bands = SimpleNamespace(edges=edges, weight=weight / weight.sum()), _bands(function(x), se)
    return SimpleNamespace(feature=name, kind="numeric", x=x, **bands, missing=missing, density=density)


def category_shape(name, levels, missing=None, seed=0):
    rng = np.random.default_rng(seed)
    n = len(levels)
    density = SimpleNamespace(edges=None, weight=rng.dirichlet(np.full(n, 3.0)))
    bands = _bands(rng.normal(size=n), rng.uniform(0.1, 0.4, size=n))
    return SimpleNamespace(feature=name, kind="category", x=list(levels), **bands, missing=missing, density=density)


def mixed_table(n_rows=60, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "age": rng.uniform(20, 90, n_rows),
            "bmi": rng.normal(27, 5, n_rows),
            "ward": rng.choice(["cardiology", "surgery", "general"], n_rows),
        }
    )
    table.loc[::7, "bmi"] = np.nan
    return table


def mixed_shapes():
    return {
        "age": numeric_shape("age", lambda x: 0.002 * (x - 55) * np.abs(x - 55), 20, 90),
        "bmi": numeric_shape("bmi", lambda x: 0.1 * (x - 27), 12, 45, missing=missing_level()),
        "ward": category_shape("ward", ["cardiology", "surgery", "general"], missing=missing_level(-0.4)),
    }
