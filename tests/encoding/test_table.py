"""Reading columns of every dtype: numbers with NaN, or labels with -1, whatever held them."""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest

from kan_tabular.encoding import LARGEST, read_table
from kan_tabular.encoding.table import Text, as_frame, as_text, label_of
from kan_tabular.exceptions import ColumnTypeError, DataError

NAN = np.nan


def read(column):
    """The one column of a table."""
    frame = column.to_frame("c") if isinstance(column, pl.Series) else pd.DataFrame({"c": column})
    table = read_table(frame)
    assert table.names == ["c"] and table.n_rows == len(column)
    return table.columns[0]


def labels(text):
    """Labels row by row, None where missing."""
    return [None if code < 0 else text.labels[code] for code in text.codes]


def objects(*cells):
    return pd.Series(list(cells), dtype=object)


NUMBERS = {
    "floats": (pd.Series([1.5, NAN, -2.0]), [1.5, NAN, -2.0]),
    "single precision": (pd.Series([1.5, NAN], dtype="float32"), [1.5, NAN]),
    "small integers": (pd.Series([1, 255], dtype="uint8"), [1, 255]),
    "booleans": (pd.Series([True, False]), [1, 0]),
    "nullable integers": (pd.Series([1, None, 3], dtype="Int64"), [1, NAN, 3]),
    "nullable floats": (pd.Series([1.5, None], dtype="Float64"), [1.5, NAN]),
    "nullable booleans": (pd.Series([True, None, False], dtype="boolean"), [1, NAN, 0]),
    "objects": (objects(1, 2.5, None, np.int8(3), True, pd.NA), [1, 2.5, NAN, 3, 1, NAN]),
    "decimals": (objects(Decimal("1.25"), None, Decimal("3")), [1.25, NAN, 3]),
    "fractions": (objects(Fraction(1, 4), 2), [0.25, 2]),
    "nothing at all": (objects(None, None), [NAN, NAN]),
    "polars integers": (pl.Series([1, None, 3], dtype=pl.Int16), [1, NAN, 3]),
    "polars booleans": (pl.Series([True, None, False]), [1, NAN, 0]),
    "polars floats": (pl.Series([1.5, None, float("nan")], dtype=pl.Float32), [1.5, NAN, NAN]),
    "polars decimals": (pl.Series([Decimal("1.25"), None]), [1.25, NAN]),
    "polars nulls": (pl.Series([None, None], dtype=pl.Null), [NAN, NAN]),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers(kind):
    column, expected = NUMBERS[kind]
    own = read(column)
    assert own.dtype == np.float64
    np.testing.assert_array_equal(own, np.array(expected, dtype=float))


TEXTS = {
    "strings": (pd.Series(["b", "a", None]), ["b", "a", None]),
    "nullable strings": (pd.Series(["b", pd.NA, "a"], dtype="string"), ["b", None, "a"]),
    "objects": (objects("b", NAN, "a", None), ["b", None, "a", None]),
    "numbers as strings": (objects("10", "9"), ["10", "9"]),
    "the word nan": (objects("nan", "None"), ["nan", "None"]),
    "category": (pd.Categorical(["b", None, "a"], categories=["b", "unused", "a"]), ["b", None, "a"]),
    "ordered category": (pd.Categorical(["lo", "hi"], categories=["lo", "hi"], ordered=True), ["lo", "hi"]),
    "category of integers": (pd.Categorical([3, 1, None, 3]), ["3", "1", None, "3"]),
    "category of floats": (pd.Categorical([3.0, 0.5]), ["3", "0.5"]),
    "category of booleans": (pd.Categorical([True, False]), ["1", "0"]),
    "polars strings": (pl.Series(["b", None, "a"]), ["b", None, "a"]),
    "polars categorical": (pl.Series(["b", None, "a"], dtype=pl.Categorical), ["b", None, "a"]),
    "polars enum": (pl.Series(["b", None, "a"], dtype=pl.Enum(["a", "unused", "b"])), ["b", None, "a"]),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_texts(kind):
    column, expected = TEXTS[kind]
    own = read(column)
    assert isinstance(own, Text) and labels(own) == expected
    assert all(type(v) is str for v in own.labels) and len(set(own.labels)) == len(own.labels)


def test_three_is_one_level_however_it_is_written():
    assert {label_of(v) for v in ("3", 3, 3.0, np.int8(3), np.float32(3), np.float64(3))} == {"3"}
    assert label_of(-0.0) == label_of(0) == "0"
    assert label_of(3.5) == "3.5" and label_of("3.0") == "3.0" and label_of(1e20) == label_of(10**20)
    mixed = read(pd.Categorical(["3", 3, "x", None], categories=["x", 3, "3"]))
    assert labels(mixed) == ["3", "3", "x", None] and len(mixed.labels) == 2
    assert labels(as_text(np.array([3.0, NAN, 0.5]))) == ["3", None, "0.5"]
    text = Text(np.array([0]), ["a"])
    assert as_text(text) is text


@pytest.mark.parametrize(
    "X, expected",
    [
        (np.array([[1, 2], [3, 4]], dtype="int8"), [[1, 2], [3, 4]]),
        (np.array([[True, False]]), [[1, 0]]),
        ([[1, None], [2.5, 3]], [[1, NAN], [2.5, 3]]),
        (((1, 2), (3, 4)), [[1, 2], [3, 4]]),
        (np.array([[1, None], [Decimal("2.5"), 3]], dtype=object), [[1, NAN], [2.5, 3]]),
    ],
    ids=["integers", "booleans", "list with None", "tuples", "objects"],
)
def test_arrays_and_lists_of_numbers(X, expected):
    table = read_table(X)
    assert table.names == ["x0", "x1"]
    np.testing.assert_array_equal(np.column_stack(table.columns), np.array(expected, dtype=float))


@pytest.mark.parametrize(
    "X",
    [
        [["1", 2.0], ["b", None]],
        np.array([["1", 2.0], ["b", None]], dtype=object),
        pl.DataFrame({"x0": ["1", "b"], "x1": [2.0, None]}),
        pd.DataFrame({"x0": ["1", "b"], "x1": [2.0, None]}),
    ],
    ids=["lists", "objects", "polars", "pandas"],
)
def test_mixed_tables_keep_each_columns_kind(X):
    table = read_table(X)
    assert table.names == ["x0", "x1"] and labels(table.columns[0]) == ["1", "b"]
    np.testing.assert_array_equal(table.columns[1], [2.0, NAN])


def test_an_array_of_strings_is_text():
    assert labels(read_table(np.array([["1"], ["b"]])).columns[0]) == ["1", "b"]


def test_names_that_are_numbers_become_strings_and_arrays_pass_through():
    assert read_table(pd.DataFrame({0: [1.0], 1: [2.0]})).names == ["0", "1"]
    X = np.zeros((2, 2))
    assert as_frame(X) is X


REFUSED = {
    "infinity": (pd.Series([1.0, np.inf]), DataError, "row 1"),
    "nullable infinity": (pd.Series([-np.inf, 1.0], dtype="Float64"), DataError, "row 0"),
    "polars infinity": (pl.Series([1.0, float("inf")]), DataError, "row 1"),
    "infinity among objects": (objects(1, np.inf), DataError, "row 1"),
    "too large": (pd.Series([1.0, -10 * LARGEST]), DataError, "rescale"),
    "mixed": (objects("a", 1), DataError, "mixes text"),
    "dates": (pd.Series(pd.to_datetime(["2020-01-01"])), ColumnTypeError, "dates"),
    "durations": (pd.Series(pd.to_timedelta([1], unit="D")), ColumnTypeError, "dates"),
    "periods": (pd.Series(pd.period_range("2020", periods=1)), ColumnTypeError, "dates"),
    "date objects": (objects(None, datetime.date(2020, 1, 1)), ColumnTypeError, "dates"),
    "polars dates": (pl.Series([datetime.date(2020, 1, 1)]), ColumnTypeError, "dates"),
    "polars durations": (pl.Series([datetime.timedelta(1)]), ColumnTypeError, "dates"),
    "complex": (pd.Series([1j]), DataError, "complex"),
    "bytes": (objects(b"a", b"b"), ColumnTypeError, "bytes"),
    "polars structs": (pl.Series([{"a": 1}]), ColumnTypeError, "dict"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_columns_that_are_refused(kind):
    column, error, words = REFUSED[kind]
    with pytest.raises(error, match=f"(?s)olumn 'c'.*{words}"):
        read(column)


@pytest.mark.parametrize(
    "X, error, words",
    [
        (pl.LazyFrame({"a": [1.0]}), ColumnTypeError, "collect"),
        (pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]), DataError, "'a' appears more than once"),
        (pd.DataFrame([[1.0, 2.0]], columns=[1, "1"]), DataError, "'1' appears more than once"),
        ([[1, 2], [3]], DataError, "same number"),
        ([], DataError, "no rows"),
        (pl.DataFrame({"a": []}), DataError, "no rows"),
        (pl.DataFrame(), DataError, "no rows|no columns"),
        (pd.DataFrame(index=range(3)), DataError, "no columns"),
    ],
    ids=["lazy", "duplicates", "duplicates once text", "ragged", "empty list", "no rows", "nothing", "no columns"],
)
def test_tables_that_are_refused(X, error, words):
    with pytest.raises(error, match=words):
        read_table(X)
