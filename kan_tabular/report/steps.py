"""The steps of a pipeline, followed column by column.

What happens to a value is a short list of operations on doubles, in the order in which scikit-learn carries them out,
so that the page gets the same bits. ``assets/model.js`` knows the same names.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectorMixin
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from kan_tabular.encoding.table import label_of
from kan_tabular.exceptions import LiveModelError

#: A level that no encoder was trained with.
_NEW = "\x00 never seen"

#: Operations on one number, and what undoes them.
_APPLY = {
    "subtract": np.subtract,
    "add": np.add,
    "divide": np.divide,
    "multiply": np.multiply,
    "clip": lambda x, ends: np.clip(x, *ends),
}
_UNDO = {
    "subtract": np.add,
    "add": np.subtract,
    "divide": np.multiply,
    "multiply": np.divide,
    "clip": lambda x, ends: x,
}


@dataclass(frozen=True)
class Column:
    """A column between steps: which original one it is made of, and how.

    Attributes
    ----------
    origin : int
        Position in the original table.
    steps : tuple of (name, argument)
        "subtract", "add", "divide", "multiply" a number; "clip" to [low, high]; "impute" a number or text; "is_missing"
        (1 or 0; no argument); "table": ``levels``, their ``values``, and those of ``missing`` and ``other`` ("missing":
        it stays so; None: the step refuses such a value); "known": the name of a step that would fill a missing value
        from other columns.
    """

    origin: int
    steps: tuple = ()

    def then(self, name, argument=None):
        return replace(self, steps=(*self.steps, (name, argument)))

    @property
    def table(self):
        """The argument of the step "table", or None."""
        return next((argument for name, argument in self.steps if name == "table"), None)

    @property
    def takes_missing(self):
        """Whether a step says what to do with a missing value."""
        return any(name in ("impute", "is_missing") for name, _ in self.steps) or (
            self.table is not None and self.table["missing"] is not None
        )

    def apply(self, x):
        """Numbers after the steps, as the page has them."""
        for name, argument in self.steps:
            x = _APPLY[name](x, argument) if name in _APPLY else x
        return x

    def undo(self, x):
        """Numbers before the steps."""
        for name, argument in reversed(self.steps):
            x = _UNDO[name](x, argument) if name in _UNDO else x
        return x


def trace(step, columns):
    """The columns after a fitted step.

    Parameters
    ----------
    step : transformer, Pipeline, "passthrough", "drop" or None
    columns : list of Column

    Raises
    ------
    LiveModelError
        A step that cannot be followed column by column.
    """
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return columns
    if isinstance(step, str) and step == "drop":
        return []
    for kind, follow in _STEPS.items():
        if isinstance(step, kind):
            return follow(step, columns)
    raise LiveModelError(
        f"the step {type(step).__name__} before the model mixes columns, or is none that the page can compute"
    )


def _pipeline(step, columns):
    for _, inner in step.steps:
        columns = trace(inner, columns)
    return columns


def _column_transformer(step, columns):
    out = []
    for name, inner, chosen in step.transformers_:
        index = _positions(chosen, getattr(step, "feature_names_in_", None), len(columns))
        made = trace(inner, [columns[k] for k in index]) if len(index) else []
        where = step.output_indices_[name]
        if where.stop - where.start != len(made) or (made and where.start != len(out)):
            raise LiveModelError(
                f"the part {name!r} of the ColumnTransformer makes columns that the page cannot follow"
            )
        out += made
    return out


def _positions(chosen, names, n_columns):
    chosen = [chosen] if isinstance(chosen, str) else chosen
    if not isinstance(chosen, slice) and any(isinstance(c, str) for c in chosen):
        position = {name: k for k, name in enumerate(names)}
        return [position[c] for c in chosen]
    return np.atleast_1d(np.arange(n_columns)[chosen]).tolist()


def _simple_imputer(step, columns):
    if not pd.isna(step.missing_values):
        raise LiveModelError(f"SimpleImputer takes {step.missing_values!r} for missing, which the page cannot compute")
    values = [v.item() if isinstance(v, np.generic) else v for v in step.statistics_]
    out = [c.then("impute", v) for c, v in zip(columns, values, strict=True) if not pd.isna(v)]
    if step.add_indicator:
        out += [columns[k].then("is_missing") for k in step.indicator_.features_]
    return out


def _knn_imputer(step, columns):
    if step.add_indicator or not step.get_feature_names_out().size == len(columns):
        raise LiveModelError("KNNImputer adds or drops columns in a way that the page cannot follow")
    return [c.then("known", "KNNImputer") for c in columns]


def _scaler(*operations):
    """A step that does to each column what `operations` say: (name, attribute with one number a column, its switch)."""

    def follow(step, columns):
        for name, attribute, switch in operations:
            if switch is None or getattr(step, switch):
                values = getattr(step, attribute)
                columns = [c.then(name, float(v)) for c, v in zip(columns, values, strict=True)]
        if getattr(step, "clip", False):
            ends = [float(v) for v in getattr(step, "feature_range", (-1, 1))]
            columns = [c.then("clip", ends) for c in columns]
        return columns

    return follow


def _function(step, columns):
    if step.func is not None:
        raise LiveModelError("the function of a FunctionTransformer before the model is not known to the page")
    return columns


def _encoder(step, columns):
    """Each encoded column is a table over the levels, read off the encoder itself."""
    sizes = [_width(step, k) for k in range(len(columns))]
    out = []
    for k, column in enumerate(columns):
        categories = [c for c in step.categories_[k].tolist() if not pd.isna(c)]
        known = _encoded(step, k, categories)
        missing = next((c for c in step.categories_[k].tolist() if pd.isna(c)), np.nan)
        rest = [_encoded(step, k, [value]) for value in (missing, _new(step.categories_[k]))]
        levels = [label_of(c) for c in categories]
        for own in range(sum(sizes[:k]), sum(sizes[: k + 1])):
            at_missing, other = (_plain(r, own) for r in rest)
            table = {"levels": levels, "values": known[:, own].tolist(), "missing": at_missing, "other": other}
            out.append(column.then("table", table))
    return out


def _plain(encoded, k):
    """One number; "missing" for NaN, None where the encoder refuses the value."""
    if encoded is None:
        return None
    value = float(encoded[0, k])
    return "missing" if np.isnan(value) else value


def _width(step, k):
    """How many columns an encoder makes of its column k."""
    if isinstance(step, OneHotEncoder):
        infrequent = step.infrequent_categories_[k] if hasattr(step, "infrequent_categories_") else None
        merged = 0 if infrequent is None else len(infrequent) - 1
        dropped = step.drop_idx_ is not None and step.drop_idx_[k] is not None
        return len(step.categories_[k]) - merged - dropped
    return len(step.classes_) if getattr(step, "target_type_", None) == "multiclass" else 1


def _new(categories):
    return categories.max() + 1.0 if categories.dtype.kind in "fiu" else _NEW


def _encoded(step, k, values):
    """What the encoder makes of rows with `values` in column k and known levels elsewhere; None where it refuses."""
    rows = {
        j: pd.Series([c[0]] * len(values) if j != k else values, dtype=object if c.dtype.kind in "OU" else float)
        for j, c in enumerate(step.categories_)
    }
    frame = pd.DataFrame(rows)
    named = getattr(step, "feature_names_in_", None)
    X = frame if named is None else frame.set_axis(named, axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of levels that are new, which is what is asked
        try:
            encoded = step.transform(X)
        except ValueError:
            return None
    encoded = encoded.toarray() if hasattr(encoded, "toarray") else encoded
    return np.asarray(encoded, dtype=float)


_STEPS: dict[type, Callable] = {
    Pipeline: _pipeline,
    ColumnTransformer: _column_transformer,
    SelectorMixin: lambda step, columns: [columns[k] for k in step.get_support(indices=True)],
    SimpleImputer: _simple_imputer,
    KNNImputer: _knn_imputer,
    StandardScaler: _scaler(("subtract", "mean_", "with_mean"), ("divide", "scale_", "with_std")),
    RobustScaler: _scaler(("subtract", "center_", "with_centering"), ("divide", "scale_", "with_scaling")),
    MinMaxScaler: _scaler(("multiply", "scale_", None), ("add", "min_", None)),
    MaxAbsScaler: _scaler(("divide", "scale_", None)),
    FunctionTransformer: _function,
    OneHotEncoder: _encoder,
    OrdinalEncoder: _encoder,
    TargetEncoder: _encoder,
}
