"""CSV cells become columns by one rule, and leave without becoming formulas."""

import numpy as np
import pandas as pd
import pytest

from kan_tabular.csv_files import as_columns, as_target, read_cells, spreadsheet_safe
from kan_tabular.exceptions import DataError


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        (tmp_path / "t.csv").write_text(text, encoding="utf-8")
        return read_cells(tmp_path / "t.csv")

    return read_text


def test_numbers_truth_values_and_text(read):
    table = as_columns(read("a,b,c,d,e\n1,true,x, 7,\n,FALSE,1,8 ,\n2.5e3,,NA,9,\n"))
    np.testing.assert_array_equal(table["a"], [1, np.nan, 2500])
    np.testing.assert_array_equal(table["b"], [1, 0, np.nan])
    assert list(table["c"].cat.categories) == ["1", "x"]
    assert table["c"].isna().tolist() == [False, False, True]
    np.testing.assert_array_equal(table["d"], [7, 8, 9])
    assert table["e"].isna().all()


def test_a_column_is_read_alike_with_and_without_missing_cells(read):
    whole, holed = read("x,y\n1,True\n2,False\n"), read("x,y\n1,True\n,\n2,False\n")
    assert list(as_columns(whole).dtypes) == list(as_columns(holed).dtypes)


def test_spaces_around_a_cell_do_not_make_a_new_level(read):
    cells = read("site , y\nnorth,1\nnorth ,2\n north,3\n")
    assert list(cells.columns) == ["site", "y"]
    assert list(as_columns(cells)["site"].cat.categories) == ["north"]


def test_quoted_separators_and_line_breaks(read):
    cells = read('"a;b",c\n"1,5","two\nlines"\n')
    assert list(cells.columns) == ["a;b", "c"]
    assert cells.iloc[0].tolist() == ["1,5", "two\nlines"]


def test_a_models_kinds_decide_how_columns_are_read_and_ordered(read):
    cells = read("id,code,age\n9,1,50\n8,2,\n")
    table = as_columns(cells, {"age": "numeric", "code": "category"})
    assert list(table.columns) == ["age", "code"]
    np.testing.assert_array_equal(table["age"], [50, np.nan])
    assert table["code"].tolist() == ["1", "2"]


def test_missing_and_misread_columns_are_named(read):
    cells = read("Age,bmi\nold,1\n3,2\n")
    with pytest.raises(DataError, match=r"needs column 'age'.*does not know: 'Age', 'bmi'"):
        as_columns(cells, {"age": "numeric"})
    with pytest.raises(DataError, match=r"'Age' was numeric in training, but row 0 .* 'old'"):
        as_columns(cells, {"Age": "numeric"})


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "2.0"], np.array([1, 2])),
        (["0.5", "2"], np.array([0.5, 2.0])),
        (["True", "False"], np.array(["True", "False"])),
        (["1", "b"], np.array(["1", "b"])),
    ],
)
def test_targets(cells, expected):
    values = as_target(pd.Series(cells, name="y", dtype=str))
    assert values.dtype.kind == expected.dtype.kind
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=1", "  =1"])
def test_formulas_are_quoted(text):
    assert spreadsheet_safe(text) == "'" + text


@pytest.mark.parametrize("value", ["north", "a=b", "", -1.5, 3, None])
def test_everything_else_is_left_alone(value):
    assert spreadsheet_safe(value) is value
