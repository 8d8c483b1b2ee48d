"""Formulas as spreadsheet formulas."""

from __future__ import annotations

import re

from kan_tabular.exceptions import FormulaError
from kan_tabular.symbolic.writers.base import CallPrinter, CodeWriter

#: Limits of Excel: characters of a formula and of a text in it, columns and rows of a sheet.
_LONGEST, _LONGEST_TEXT, _COLUMNS, _ROWS = 8192, 255, 16384, 1048576
_CELL = re.compile(r"(?:(?:'(?:[^'\[\]*?:/\\]|'')+'|[A-Za-z_][A-Za-z0-9_.]*)!)?\$?([A-Z]{1,3})\$?([1-9][0-9]{0,6})")
_FUNCTIONS = {
    name: name.upper()
    for name in ("acos", "asin", "asinh", "atan", "atanh", "cos", "cosh", "exp", "sin", "sinh", "tan", "tanh")
} | {"Abs": "ABS", "Max": "MAX", "Min": "MIN", "log": "LN", "sign": "SIGN"}


class _Printer(CallPrinter):
    functions = _FUNCTIONS

    def _print_Piecewise(self, e):
        *branches, (last, _) = e.args
        text = self._print(last)
        for value, condition in reversed(branches):
            text = f"IF({self._print(condition)}, {self._print(value)}, {text})"
        return text

    def _print_And(self, e):
        return self._call("AND", *e.args)

    def _print_Or(self, e):
        return self._call("OR", *e.args)

    def _print_Not(self, e):
        return self._call("NOT", *e.args)


class _Writer(CodeWriter):
    printer = _Printer()
    exp, plus = "EXP", " + "

    def __init__(self, formula, cells, output):
        super().__init__(formula)
        own = {f.name: f"{column_letters(j)}2" for j, f in enumerate(formula.features)}
        self.columns = {name: _checked((cells or own).get(name), f"column {name!r}") for name in self.columns}
        start = _checked(output or f"{column_letters(len(formula.features))}2", "output")
        if "!" in start or "$" in start:
            raise FormulaError(f"output={output!r}: expected a plain cell of the sheet, for example 'H2'.")
        letters, row = _CELL.fullmatch(start).groups()
        self.first, self.row = column_index(letters), row
        self.names = {node: self.cell(k) for k, node in enumerate(self.hidden)}
        self.etas = [self.cell(len(self.hidden) + k) for k in range(len(formula.outputs))]
        used = {r.replace("$", "") for r in self.columns.values()}
        both = used & {*self.names.values(), *self.etas}
        if both:
            raise FormulaError(f"the cell {min(both)} would hold a column and a result: set output to free cells.")

    def cell(self, k):
        """The k-th cell of the results."""
        return f"{column_letters(self.first + k)}{self.row}"

    def clip(self, text, low, high):
        text = text if low is None else f"MAX({text}, {_number(low)})"
        return text if high is None else f"MIN({text}, {_number(high)})"

    def if_known(self, column, text, missing):
        return f"IF(ISNUMBER({column}), {text}, {_number(missing)})"

    def choose_level(self, column, term):
        # A sum of comparisons: IF nests no deeper than 64, and "=" does not see the case of letters.
        tests = "".join(
            f" + IF(EXACT({column}, {_quoted(k)}), {_number(f'{v - term.other:.15g}')}, 0)"
            for k, v in term.levels.items()
        )
        return f'IF({column}="", {_number(term.at_missing)}, {_number(term.other)}{tests})'

    def lines(self):
        """(cell, what it holds, formula)."""
        for k, node in enumerate(self.hidden):
            yield self.names[node], f"hidden {k + 1}", self.node(node)
        for eta, label, output in zip(self.etas, self.labels, self.formula.outputs, strict=True):
            which = "" if len(self.etas) == 1 else f": {label.removeprefix('probability of ')}"
            yield eta, f"linear predictor{which}", self.node(output)
        n, first = len(self.etas), len(self.hidden) + len(self.etas)
        if self.formula.link == "sorted":
            responses = [f"SMALL({self.etas[0]}:{self.etas[-1]}, {k + 1})" for k in range(n)]
        else:
            responses = self.responses(self.etas)
        for k, (label, text) in enumerate(zip(self.labels, responses, strict=True)):
            yield self.cell(first + k), f"response: {label}", text

    def write(self):
        out = []
        for cell, label, text in self.lines():
            if len(text) + 1 > _LONGEST:
                raise FormulaError(
                    f"the spreadsheet formula of {label} has {len(text) + 1} characters, and Excel allows {_LONGEST}: "
                    "ask for a simpler formula (fewer terms, fewer digits), or write it in another language."
                )
            out.append(f"{cell}\t{label}\t={text}\n")
        return "".join(out)


def _number(x):
    return repr(float(x)).upper()


def _quoted(text):
    if len(text) > _LONGEST_TEXT:
        raise FormulaError(f"the level {text[:40]!r}... is longer than the {_LONGEST_TEXT} characters Excel allows.")
    text = text.replace('"', '""')
    # Control characters would break the line that holds the formula.
    return '"' + re.sub(r"[\x00-\x1f]", lambda c: f'"&CHAR({ord(c[0])})&"', text) + '"'


def _checked(cell, what):
    match = _CELL.fullmatch(cell) if isinstance(cell, str) else None
    if not match or column_index(match[1]) >= _COLUMNS or int(match[2]) > _ROWS:
        raise FormulaError(f"{what}: {cell!r} is not a cell; give one such as 'B2' or \"'My sheet'!B2\".")
    return cell


def column_letters(index):
    """Letters of the column with this index: 0 is A, 26 is AA."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def column_index(letters):
    """Inverse of `column_letters`."""
    index = 0
    for letter in letters:
        index = 26 * index + ord(letter) - ord("A") + 1
    return index - 1


def write(formula, cells=None, output=None):
    """Spreadsheet formulas, one line a cell: its address, a tab, what it holds, a tab, the formula.

    Parameters
    ----------
    formula : Formula
    cells : dict of {str: str}, optional
        The cell of each column of the table that the formula uses, such as ``{"age": "C2"}``; by default A2, B2, ... in
        the table's order. References are relative, so the results can be filled down.
    output : str, optional
        The first of the cells that hold the results, side by side: hidden nodes, linear predictors, responses. By
        default the first one to the right of the table.

    Returns
    -------
    lines : str
        An empty cell is missing (in a number: whatever is no number). Excel keeps 15 digits of a number.

    Raises
    ------
    FormulaError
        A formula beyond Excel's limits (8192 characters a cell, 255 a level), or something that is no cell.
    """
    return _Writer(formula, cells, output).write()
