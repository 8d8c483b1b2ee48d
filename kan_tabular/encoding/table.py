"""Read any table a user may hold into named columns.

A column is read either as *numbers* (float64, NaN where missing) or as *text*: integer codes (-1 where missing) with
their labels. What cannot be either is refused with the column's name and a way out.
"""

from __future__ import annotations

import datetime
import numbers
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from sklearn.utils import check_array

from kan_tabular.exceptions import ColumnTypeError, DataError


@dataclass(frozen=True)
class Text:
    """A column of labels: `labels[codes]`, code -1 where missing."""

    codes: np.ndarray
    labels: list[str]


@dataclass(frozen=True)
class Table:
    """Named columns, each a float64 array or a `Text`."""

    names: list[str]
    columns: list[np.ndarray | Text]
    n_rows: int


def read_table(X) -> Table:
    """Read a DataFrame (pandas, polars, ...), a NumPy array or nested lists.

    Raises
    ------
    TypeError
        A sparse matrix, dates, or cells that hold lists.
    ValueError
        Not two-dimensional, no rows or columns, duplicate names, mixed text and numbers, infinite values.
    """
    if type(X).__module__.split(".")[0] == "pandas" and hasattr(X, "columns"):
        return _from_pandas(X)
    if hasattr(X, "columns") or hasattr(X, "__dataframe__"):
        return _from_narwhals(X)
    return _from_array(X)


def _from_pandas(X):
    names = _unique_names(X.columns)
    _check_shape(*X.shape)
    if all(isinstance(t, np.dtype) and t.kind in "fiub" for t in X.dtypes):
        return _from_floats(X.to_numpy(float), names)
    return Table(names, [_pandas_column(X.iloc[:, j], name) for j, name in enumerate(names)], len(X))


def _pandas_column(column, name):
    import pandas as pd

    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _merge_labels(column.cat.codes.to_numpy().astype(np.intp), [label_of(v) for v in column.cat.categories])
    if pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype) or isinstance(dtype, pd.PeriodDtype):
        raise _date_error(name, dtype)
    if pd.api.types.is_complex_dtype(dtype):
        raise DataError(f"Complex data not supported: column {name!r} is complex; pass its parts as two columns.")
    if pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype):
        return _finite(column.to_numpy(float, na_value=np.nan), name)
    return _objects(column.to_numpy(object), name)


def _from_narwhals(X):
    import narwhals as nw

    try:
        frame = nw.from_native(X, eager_only=True)
    except TypeError:
        import pandas as pd

        return _from_pandas(pd.api.interchange.from_dataframe(X))
    names = _unique_names(frame.columns)
    _check_shape(*frame.shape)
    columns = []
    for name in frame.columns:
        s = frame[name]
        if s.dtype.is_temporal():
            raise _date_error(name, s.dtype)
        if s.dtype.is_numeric() or s.dtype == nw.Boolean:
            columns.append(_finite(s.cast(nw.Float64).to_numpy().astype(float), name))
        else:
            columns.append(_objects(np.array([*s.to_list(), None], dtype=object)[:-1], name))
    return Table(names, columns, frame.shape[0])


def _from_array(X):
    if not hasattr(X, "dtype") and not hasattr(X, "shape"):
        X = _from_lists(X)
    as_is = getattr(getattr(X, "dtype", None), "kind", "O") in "OUS"
    # scikit-learn words what is wrong with an array's shape, sparsity or dtype.
    X = check_array(X, dtype=None if as_is else float, ensure_all_finite=False, input_name="X")
    names = [f"x{j}" for j in range(X.shape[1])]
    if X.dtype.kind in "OUS":
        X = X.astype(object)
        return Table(names, [_objects(X[:, j], name) for j, name in enumerate(names)], len(X))
    return _from_floats(X, names)


def _from_lists(X):
    """Nested lists as an array that keeps each cell's own type."""
    try:
        numeric = np.asarray(X)
    except ValueError:
        raise DataError("X: the rows do not all have the same number of simple cells; every row needs one value a column.") from None
    return numeric if numeric.dtype.kind in "fiubc" else np.asarray(X, dtype=object)


def _from_floats(values, names):
    if not np.isfinite(values.sum()) and np.isinf(values).any():
        for j, name in enumerate(names):
            _finite(values[:, j], name)
    return Table(names, list(values.T), len(values))


def _finite(values, name):
    if np.isinf(values).any():
        row = int(np.flatnonzero(np.isinf(values))[0])
        raise DataError(f"Column {name!r} holds infinity (inf) in row {row}: replace it by a number, or by NaN if it is missing.")
    return values


def _objects(cells, name):
    """A column of Python objects: all numbers, or all text."""
    import pandas as pd

    missing = pd.isna(cells)
    kept = cells[~missing]
    kinds = Counter(map(type, kept))
    if all(issubclass(t, str) for t in kinds):
        if not kinds:
            return np.full(len(cells), np.nan)
        codes, labels = pd.factorize(kept, sort=True)
        full = np.full(len(cells), -1, dtype=np.intp)
        full[~missing] = codes
        return Text(full, [str(v) for v in labels])
    for t in kinds:
        if issubclass(t, (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)):
            raise _date_error(name, t.__name__)
        if not issubclass(t, (str, numbers.Real, Decimal, np.bool_)):
            value = next(v for v in kept if type(v) is t)
            raise ColumnTypeError(f"Column {name!r} holds a {t.__name__} ({str(value)[:40]!r}): every cell must be a single number or a string.")
    if any(issubclass(t, str) for t in kinds):
        text = next(v for v in kept if isinstance(v, str))
        number = next(v for v in kept if not isinstance(v, str))
        raise DataError(f"Column {name!r} mixes text ({text[:40]!r}) and numbers ({number!r}): make it all numbers "
                        "(pandas.to_numeric) or all text (astype(str)).")
    values = np.full(len(cells), np.nan)
    values[~missing] = [float(v) for v in kept]
    return _finite(values, name)


def label_of(value) -> str:
    """Label of a level: 3, 3.0 and "3" are the same level."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def as_text(column) -> Text:
    """Any column as labels (for numeric columns that the user declared categorical)."""
    if isinstance(column, Text):
        return column
    present = ~np.isnan(column)
    values, inverse = np.unique(column[present], return_inverse=True)
    codes = np.full(len(column), -1, dtype=np.intp)
    codes[present] = inverse
    return Text(codes, [label_of(v) for v in values])


def _merge_labels(codes, labels):
    """Levels that read the same are one level."""
    if len(set(labels)) == len(labels):
        return Text(codes, labels)
    merged = sorted(set(labels))
    lookup = np.array([merged.index(v) for v in labels] + [-1])
    return Text(lookup[codes], merged)


def _unique_names(names):
    names = list(map(str, names))
    twice = [n for n, c in Counter(names).items() if c > 1]
    if twice:
        raise DataError(f"Column name {twice[0]!r} appears more than once: rename the columns so that each name is unique.")
    return names


def _check_shape(n_rows, n_columns):
    if n_rows == 0:
        raise DataError(f"Found array with 0 sample(s) (shape=({n_rows}, {n_columns})) while a minimum of 1 is required: the table has no rows.")
    if n_columns == 0:
        raise DataError(f"0 feature(s) (shape=({n_rows}, 0)) while a minimum of 1 is required: the table has no columns.")


def _date_error(name, dtype):
    return ColumnTypeError(f"Column {name!r} holds dates or durations ({dtype}): turn it into a number first, "
                           "for example days since a fixed date.")
