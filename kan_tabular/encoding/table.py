"""Read any table a user may hold into named columns.

A column is read either as *numbers* (float64, NaN where missing) or as *text*: integer codes (-1 where missing) with
their labels. What cannot be either is refused with the column's name and a way out.
"""

from __future__ import annotations

import datetime
import numbers
import warnings
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from sklearn.utils import check_array

from kan_tabular.exceptions import ColumnTypeError, DataError

#: Larger numbers, and spreads smaller than its inverse, are refused: far outside the training range the square of their
#: ratio, as in a standard error, must still fit in a float (which ends near 1e308).
LARGEST = 1e70


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


def as_frame(X):
    """A data frame that narwhals or pandas can read, with unique column names; arrays and lists come back as they are.

    Raises
    ------
    TypeError
        A frame that holds no data yet (lazy or distributed).
    ValueError
        A column name that appears twice.
    """
    if _is_pandas(X):
        _check_unique(X.columns)
    elif is_frame(X):
        import narwhals as nw

        try:
            _check_unique(nw.from_native(X, eager_only=True).columns)
        except TypeError:
            X = _interchanged(X)
    return X


def is_frame(X):
    """Whether X has named columns (asked of the type: a lazy frame works out its columns when asked itself)."""
    return hasattr(type(X), "columns") or hasattr(type(X), "__dataframe__")


def _is_pandas(X):
    return type(X).__module__.split(".")[0] == "pandas" and is_frame(X)


def _interchanged(X):
    if not hasattr(X, "__dataframe__"):
        raise ColumnTypeError(
            f"X is a {type(X).__name__}, which holds no rows yet: collect or compute it into a data frame."
        )
    import pandas as pd

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The Dataframe Interchange Protocol", category=DeprecationWarning)
        X = pd.api.interchange.from_dataframe(X)
    _check_unique(X.columns)
    return X


def read_table(X) -> Table:
    """Read a DataFrame (pandas, polars, ...), a NumPy array or nested lists.

    Raises
    ------
    TypeError
        A sparse matrix, dates, or cells that hold lists.
    ValueError
        Not two-dimensional, no rows or columns, duplicate names, mixed text and numbers, infinite values or numbers
        beyond `LARGEST`.
    """
    X = as_frame(X)
    if _is_pandas(X):
        return _from_pandas(X)
    if is_frame(X):
        return _from_narwhals(X)
    return _from_array(X)


def _from_pandas(X):
    names = list(map(str, X.columns))
    _check_shape(*X.shape)
    if all(isinstance(t, np.dtype) and t.kind in "fiub" for t in X.dtypes):
        return _from_floats(X.to_numpy(float), names)
    return Table(names, [_pandas_column(X.iloc[:, j], name) for j, name in enumerate(names)], len(X))


def _pandas_column(column, name):
    import pandas as pd

    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _merge_labels(column.cat.codes.to_numpy().astype(np.intp), [label_of(v) for v in column.cat.categories])
    if (
        pd.api.types.is_datetime64_any_dtype(dtype)
        or pd.api.types.is_timedelta64_dtype(dtype)
        or isinstance(dtype, pd.PeriodDtype)
    ):
        raise _date_error(name, dtype)
    if pd.api.types.is_complex_dtype(dtype):
        raise _complex_error(f"column {name!r}")
    if pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype):
        return _bounded(column.to_numpy(float, na_value=np.nan), name)
    return _objects(column.to_numpy(object), name)


def _from_narwhals(X):
    import narwhals as nw

    frame = nw.from_native(X, eager_only=True)
    _check_shape(*frame.shape)
    columns = []
    for name in frame.columns:
        s = frame[name]
        if s.dtype.is_temporal():
            raise _date_error(name, s.dtype)
        if s.dtype.is_numeric() or s.dtype == nw.Boolean:
            columns.append(_bounded(s.cast(nw.Float64).to_numpy().astype(float), name))
        else:
            columns.append(_objects(np.array([*s.to_list(), None], dtype=object)[:-1], name))
    return Table(list(frame.columns), columns, frame.shape[0])


def _from_array(X):
    if not hasattr(X, "dtype") and not hasattr(X, "shape"):
        X = _from_lists(X)
    kind = getattr(getattr(X, "dtype", None), "kind", "O")
    if kind == "c":
        raise _complex_error("the array X")
    # scikit-learn words what is wrong with an array's shape, sparsity or dtype.
    X = check_array(X, dtype=None if kind in "OUS" else float, ensure_all_finite=False, input_name="X")
    names = [f"x{j}" for j in range(X.shape[1])]
    if X.dtype.kind in "OUS":
        X = X.astype(object)
        return Table(names, [_objects(X[:, j], name) for j, name in enumerate(names)], len(X))
    return _from_floats(X, names)


def _from_lists(X):
    """Nested lists as an array that keeps each cell's own type."""
    if isinstance(X, (list, tuple)) and not X:
        _check_shape(0, 0)
    try:
        numeric = np.asarray(X)
    except ValueError:
        raise DataError(
            "X: the rows do not all have the same number of simple cells; every row needs one value a column."
        ) from None
    return numeric if numeric.dtype.kind in "fiubc" else np.asarray(X, dtype=object)


def _from_floats(values, names):
    for j in np.flatnonzero(_sizes(values) > LARGEST):
        _bounded(values[:, j], names[j])
    return Table(names, list(values.T), len(values))


def _sizes(values):
    """Largest absolute value down each column, NaN left out, without a temporary of the table's size."""
    return np.fmax(np.fmax.reduce(values, axis=0), -np.fmin.reduce(values, axis=0))


def _bounded(values, name):
    if _sizes(values) > LARGEST:
        row = int(np.nanargmax(np.abs(values)))
        if np.isinf(values[row]):
            raise DataError(
                f"Column {name!r} holds infinity (inf) in row {row}: replace it by a number, or by NaN if missing."
            )
        raise DataError(f"Column {name!r} holds {values[row]:g} in row {row}: rescale it to numbers below {LARGEST:g}.")
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
            raise ColumnTypeError(
                f"Column {name!r} holds a {t.__name__} ({str(value)[:40]!r}): "
                "every cell must be a single number or a string."
            )
    if any(issubclass(t, str) for t in kinds):
        text = next(v for v in kept if isinstance(v, str))
        number = next(v for v in kept if not isinstance(v, str))
        raise DataError(
            f"Column {name!r} mixes text ({text[:40]!r}) and numbers ({number!r}): make it all numbers "
            "(pandas.to_numeric) or all text (astype(str))."
        )
    values = np.full(len(cells), np.nan)
    values[~missing] = [float(v) for v in kept]
    return _bounded(values, name)


def label_of(value) -> str:
    """Label of a level: 3, 3.0 and "3" are the same level, and True is 1 (as in a column of booleans)."""
    if isinstance(value, bool | np.bool_):
        value = int(value)
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


def _check_unique(names):
    twice = [n for n, c in Counter(map(str, names)).items() if c > 1]
    if twice:
        raise DataError(
            f"Column name {twice[0]!r} appears more than once: rename the columns so that each name is unique."
        )


def _check_shape(n_rows, n_columns):
    if n_rows == 0:
        raise DataError(
            f"Found array with 0 sample(s) (shape=({n_rows}, {n_columns})) while a minimum of 1 is required: "
            "the table has no rows."
        )
    if n_columns == 0:
        raise DataError(
            f"0 feature(s) (shape=({n_rows}, 0)) while a minimum of 1 is required: the table has no columns."
        )


def _date_error(name, dtype):
    return ColumnTypeError(
        f"Column {name!r} holds dates or durations ({dtype}): turn it into a number first, "
        "for example days since a fixed date."
    )


def _complex_error(what):
    return DataError(f"Complex data not supported: {what} is complex; pass real and imaginary parts as two columns.")
