"""The query, run by SQLite and DuckDB, equals the formula."""

import re
import sqlite3

import numpy as np
import pytest
from formula_cases import CASES, assert_same, category, formulas, numeric, shape, table
from hypothesis import given, settings

from kan_tabular.exceptions import FormulaError
from kan_tabular.symbolic.formula import Formula, Sum, T, Term
from kan_tabular.symbolic.writers import write

HAS_MATH = True
try:
    sqlite3.connect(":memory:").execute("SELECT ln(2), power(2, 3), atanh(0.5)")
except sqlite3.OperationalError:
    HAS_MATH = False


def _fill(connection, formula, frame, name="data"):
    """A table of the frame's columns; missing values are NULL."""
    kinds = {f.name: "VARCHAR" if f.kind == "category" else "DOUBLE" for f in formula.features}
    columns = ", ".join('"' + n.replace('"', '""') + f'" {kinds[n]}' for n in frame)
    connection.execute(f'CREATE TABLE "{name}" ({columns})')
    cells = [[None if v != v else v for v in row] for row in frame.astype(object).itertuples(index=False)]
    connection.executemany(f'INSERT INTO "{name}" VALUES ({", ".join("?" * frame.shape[1])})', cells)


def _sqlite(formula, frame, query):
    if not HAS_MATH:
        pytest.skip("this SQLite has no mathematical functions")
    connection = sqlite3.connect(":memory:")
    try:
        _fill(connection, formula, frame)
        return _results(connection.execute(query), query, formula)
    finally:
        connection.close()


def _duckdb(formula, frame, query):
    duckdb = pytest.importorskip("duckdb")
    import pyarrow as pa

    with duckdb.connect() as connection:
        kinds = {f.name: pa.string() if f.kind == "category" else pa.float64() for f in formula.features}
        data = pa.table({n: pa.array(frame[n].astype(object), kinds[n], from_pandas=True) for n in frame})
        connection.register("data", data)
        return _results(connection.execute(query), query, formula)


def _results(cursor, query, formula):
    names = [d[0] for d in cursor.description]
    cells = cursor.fetchall()
    several = range(1, len(formula.outputs) + 1) if len(formula.outputs) > 1 else [None]
    taken = re.findall(r"^-- (\w+): ", query, flags=re.MULTILINE)
    assert len(taken) == len(several)
    etas = ["linear_predictor" + (f"_{k}" if k else "") for k in several]
    return tuple(np.array([[row[names.index(n)] for n in wanted] for row in cells]) for wanted in (etas, taken))


ENGINES = {"sqlite": _sqlite, "duckdb": _duckdb}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES)
def test_ansi_equals_the_formula(case, engine):
    formula = CASES[case]
    frame = table(formula)
    assert_same(formula, frame, *ENGINES[engine](formula, frame, write(formula, "sql")))


@pytest.mark.parametrize("case", CASES)
def test_postgres_equals_the_formula_on_duckdb(case):
    formula = CASES[case]
    frame = table(formula, 200)
    assert_same(formula, frame, *_duckdb(formula, frame, write(formula, "sql", dialect="postgres")))


@pytest.mark.parametrize("case", [c for c in CASES if c != "hostile names"])
def test_bigquery_equals_the_formula_in_other_quotes(case):
    formula = CASES[case]
    frame = table(formula, 200)
    query = write(formula, "sql", dialect="bigquery")
    query = query.replace("`", '"').replace("FLOAT64", "DOUBLE").replace("STRING", "VARCHAR")
    assert_same(formula, frame, *_duckdb(formula, frame, query))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(formulas())
def test_random_formulas(formula):
    frame = table(formula, 30)
    for run in ENGINES.values():
        assert_same(formula, frame, *run(formula, frame, write(formula, "sql")))


def test_bigquery_escapes():
    levels = {"it's \\ `x`": 1.0, "two\nlines": 2.0}
    formula = Formula([Sum(0, [Term("a`b\\c", levels=levels)])], [category("a`b\\c", levels)])
    query = write(formula, "sql", dialect="bigquery", table=("my set", "t`b"))
    assert "'it\\'s \\\\ `x`'" in query and "'two\\nlines'" in query
    assert "`a\\`b\\\\c`" in query and "FROM `my set`.`t\\`b`" in query


def test_integers_are_not_divided_as_integers():
    formula = Formula([Sum(0, [shape("a", T / 2 + 1 / (T**2 + 1))])], [numeric("a")])
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE data (a INTEGER)")
    connection.execute("INSERT INTO data VALUES (3)")
    ((_, _, eta, _),) = connection.execute(write(formula, "sql")).fetchall()
    connection.close()
    assert eta == pytest.approx(1.6)


def test_does_not_need_the_unused_columns_and_keeps_the_others():
    formula = Formula([Sum(0, [shape("a", T)])], [numeric("a"), numeric("b")])
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE patients (id TEXT, a REAL)")
    connection.execute("INSERT INTO patients VALUES ('p', 2.5)")
    cursor = connection.execute(write(formula, "sql", table="patients"))
    assert dict(zip([d[0] for d in cursor.description], cursor.fetchone(), strict=True)) == {
        "id": "p",
        "a": 2.5,
        "kan_x1_a": 2.5,
        "linear_predictor": 2.5,
        "response": 2.5,
    }
    connection.close()


def test_refusals():
    with pytest.raises(FormulaError, match="dialect='oracle': expected one of 'ansi'"):
        write(CASES["constant"], "sql", dialect="oracle")
    nul = Formula([Sum(0, [Term("a", levels={"x\0": 1.0})])], [category("a", ["x\0"])])
    with pytest.raises(FormulaError, match="NUL"):
        write(nul, "sql")
