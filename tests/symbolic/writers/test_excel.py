"""The spreadsheet formulas, computed by another program, equal the formula."""

import re

import numpy as np
import pytest
from formula_cases import CASES, HOSTILE, assert_same, category, numeric, rows, shape, table

from kan_tabular.exceptions import FormulaError
from kan_tabular.symbolic.formula import Formula, Sum, T, Term
from kan_tabular.symbolic.writers import excel, write


def _cells(text):
    """Address and formula of each line."""
    return [(line.split("\t")[0], line.split("\t")[2]) for line in text.splitlines()]


def _run(formula, frame, text, cells=None):
    """Fill the sheet row by row: linear predictors (n, C) and responses (n, C)."""
    formulas = pytest.importorskip("formulas")
    from schedula import EMPTY

    steps = []
    for address, source in _cells(text):
        function = formulas.Parser().ast(source)[1].compile()
        steps.append((address, function, list(function.inputs)))
    where = cells or {f.name: f"{excel.column_letters(j)}2" for j, f in enumerate(formula.features)}
    out = []
    for row in rows(frame):
        sheet = {where[n].replace("$", ""): EMPTY if v is None else v for n, v in row.items() if n in where}
        for address, function, inputs in steps:
            values = [np.array([[_read(sheet, cell) for cell in _range(name)]], dtype=object) for name in inputs]
            sheet[address] = float(np.ravel(function(*values))[0])
        out.append([sheet[address] for address, _, _ in steps][-2 * len(formula.outputs) :])
    return np.split(np.array(out), 2, axis=1)


def _read(sheet, cell):
    return sheet[cell.replace("$", "")]


def _range(name):
    """Cells of A2 or A2:C2."""
    first, *last = name.split(":")
    if not last:
        return [first]
    row = re.search(r"\d+", first)[0]
    ends = [excel.column_index(re.match(r"[A-Z]+", c)[0]) for c in (first, last[0])]
    return [f"{excel.column_letters(k)}{row}" for k in range(ends[0], ends[1] + 1)]


SMALL = Formula(
    [Sum(0.2, [shape("a", 1 / (1 + 2.718281828**-T), missing=0.3), Term("c", levels={"red": 1.0}, missing=0.5)])],
    [numeric("a"), category("c")],
    "logit",
)


def test_a_thousand_rows():
    frame = table(SMALL)
    assert_same(SMALL, frame, *_run(SMALL, frame, write(SMALL, "excel")))


@pytest.mark.parametrize("case", CASES)
def test_equals_the_formula(case):
    formula = CASES[case]
    frame = table(formula, 30)
    assert_same(formula, frame, *_run(formula, frame, write(formula, "excel")))


def test_cells_of_the_users_own_sheet():
    cells = {"a": "$D$7", "c": "B7"}
    text = write(SMALL, "excel", cells=cells, output="AZ7")
    assert [address for address, _ in _cells(text)] == ["AZ7", "BA7"]
    frame = table(SMALL, 20)
    assert_same(SMALL, frame, *_run(SMALL, frame, text, cells))
    assert "'My ''best'' sheet'!C4" in write(SMALL, "excel", cells={"a": "'My ''best'' sheet'!C4", "c": "Sheet2!A1"})


@pytest.mark.parametrize("cell", ["", "A0", "AAAA1", "XFE1", "A1048577", "A1)+1", "'x'!", "it's!A1", "A1:B2", None, 3])
def test_only_cells_are_cells(cell):
    with pytest.raises(FormulaError, match="is not a cell"):
        write(SMALL, "excel", cells={"a": cell, "c": "A1"})


def test_results_may_not_overwrite_columns():
    with pytest.raises(FormulaError, match="the cell B2 would hold a column and a result"):
        write(SMALL, "excel", output="B2")
    with pytest.raises(FormulaError, match="expected a plain cell"):
        write(SMALL, "excel", output="$B$2")


def test_limits():
    names = [f"column {k}" for k in range(400)]
    terms = [shape(n, 0.12345678901 * T**2) for n in names]
    with pytest.raises(FormulaError, match="Excel allows 8192"):
        write(Formula([Sum(0, terms)], [numeric(n) for n in names]), "excel")
    long = Formula([Sum(0, [Term("a", levels={"x" * 256: 1.0})])], [category("a", ["x" * 256])])
    with pytest.raises(FormulaError, match="255 characters"):
        write(long, "excel")


def test_names_stay_inside_their_line():
    text = write(CASES["hostile names"], "excel")
    lines = text.splitlines()
    assert len(lines) == 2 and all(len(line.split("\t")) == 3 for line in lines)
    assert not any(part.startswith(("=", "+", "-", "@")) for line in lines for part in line.split("\t")[:2])


@pytest.mark.parametrize("text", HOSTILE)
def test_literals(text):
    parts = excel._quoted(text).split("&")
    read = [chr(int(p[5:-1])) if p.startswith("CHAR(") else p[1:-1].replace('""', '"') for p in parts]
    assert "".join(read) == text


@pytest.mark.parametrize(
    ("index", "letters"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16383, "XFD")]
)
def test_column_letters(index, letters):
    assert excel.column_letters(index) == letters and excel.column_index(letters) == index
