"""Formulas as an SQL query."""

from __future__ import annotations

from dataclasses import dataclass

from kan_tabular.exceptions import FormulaError
from kan_tabular.symbolic.writers.base import CallPrinter, CodeWriter

_FUNCTIONS = {
    name: name.upper()
    for name in ("acos", "asin", "asinh", "atan", "atanh", "cos", "cosh", "exp", "sin", "sinh", "tan", "tanh")
} | {"Abs": "ABS", "log": "LN"}


@dataclass(frozen=True)
class _Dialect:
    """What differs between databases."""

    number: str
    text: str
    quote: str = '"'
    #: Whether backslashes in literals and quoted names are escapes.
    backslash: bool = False
    #: Whether there are GREATEST and LEAST.
    greatest: bool = True
    #: Lowest exponent: some databases refuse a result that rounds to zero.
    lowest: float | None = None


DIALECTS = {
    "ansi": _Dialect("DOUBLE PRECISION", "VARCHAR({})", greatest=False),
    "bigquery": _Dialect("FLOAT64", "STRING", quote="`", backslash=True),
    "postgres": _Dialect("DOUBLE PRECISION", "TEXT", lowest=-300.0),
}


class _Printer(CallPrinter):
    functions = _FUNCTIONS

    def __init__(self, dialect):
        super().__init__()
        self.dialect = dialect

    def _print_Max(self, e):
        return self._extreme("GREATEST", ">", e)

    def _print_Min(self, e):
        return self._extreme("LEAST", "<", e)

    def _extreme(self, name, sign, e):
        if self.dialect.greatest:
            return self._call(name, *e.args)
        *rest, text = [self._print(a) for a in e.args]
        for other in reversed(rest):
            text = f"CASE WHEN {other} {sign} {text} THEN {other} ELSE {text} END"
        return text

    def _print_sign(self, e):
        x = self._print(e.args[0])
        return f"CASE WHEN {x} > 0 THEN 1.0 WHEN {x} < 0 THEN -1.0 ELSE 0.0 END"

    def _print_exp(self, e):
        lowest, text = self.dialect.lowest, self._print(e.args[0])
        return f"EXP({text})" if lowest is None else f"EXP(GREATEST({text}, {lowest}))"

    def _print_Piecewise(self, e):
        *branches, (last, _) = e.args
        tests = "".join(f"WHEN {self._print(c)} THEN {self._print(v)} " for v, c in branches)
        return f"CASE {tests}ELSE {self._print(last)} END" if branches else self._print(last)

    def _print_And(self, e):
        return self._joined(" AND ", e)

    def _print_Or(self, e):
        return self._joined(" OR ", e)

    def _joined(self, word, e):
        return word.join(f"({self._print(a)})" for a in e.args)

    def _print_Not(self, e):
        return f"NOT ({self._print(e.args[0])})"


class _Writer(CodeWriter):
    exp, plus = "EXP", "\n            + "

    def __init__(self, formula, dialect, table):
        super().__init__(formula)
        self.dialect, self.table = dialect, table
        self.printer = _Printer(dialect)
        taken = [f.name.lower() for f in formula.features]
        self.prefix = "kan_"
        while any(name.startswith(self.prefix) for name in taken):
            self.prefix += "_"
        several = len(formula.outputs) > 1
        numbers = [f"_{k + 1}" for k in range(len(formula.outputs))] if several else [""]
        self.etas, self.answers = (
            [self.named(stem + k, taken) for k in numbers] for stem in ("linear_predictor", "response")
        )
        self.columns = {name: self.prefix + reference for name, reference in self.columns.items()}
        self.names = {node: self.prefix + name for node, name in self.names.items()}

    def named(self, name, taken):
        """`name`, or with the prefix where a column of the table has it."""
        return self.prefix + name if name in taken else name

    def clip(self, text, low, high):
        if self.dialect.greatest:
            text = text if low is None else f"GREATEST({text}, {low!r})"
            return text if high is None else f"LEAST({text}, {high!r})"
        tests = [
            f"WHEN {text} {sign} {end!r} THEN {end!r} " for sign, end in (("<", low), (">", high)) if end is not None
        ]
        return f"CASE {''.join(tests)}ELSE {text} END"

    def if_known(self, column, text, missing):
        return f"CASE WHEN {column} IS NULL THEN {missing!r} ELSE {text} END"

    def choose_level(self, column, term):
        tests = "".join(f"WHEN {column} = {self.literal(k)} THEN {v!r} " for k, v in term.levels.items())
        return f"CASE WHEN {column} IS NULL THEN {term.at_missing!r} {tests}ELSE {term.other!r} END"

    def literal(self, text):
        """A text literal."""
        _refuse_nul(text)
        if not self.dialect.backslash:
            return "'" + text.replace("'", "''") + "'"
        return "'" + _escaped(text).replace("'", "\\'") + "'"

    def identifier(self, name):
        """A quoted name."""
        _refuse_nul(name)
        quote = self.dialect.quote
        name = _escaped(name).replace(quote, "\\" + quote) if self.dialect.backslash else name.replace(quote, 2 * quote)
        return f"{quote}{name}{quote}"

    def layers(self):
        """Statements that only need those of earlier layers: a list of {name: text}."""
        depth = {}
        for node in self.hidden:
            inner = [depth[a] for a in node.arguments if not isinstance(a, str)]
            depth[node] = 1 + max(inner, default=0)
        layers = [{self.columns[name]: self.cast(name) for name in self.columns}]
        for d in range(1, max(depth.values(), default=0) + 1):
            layers.append({self.names[node]: self.node(node) for node in self.hidden if depth[node] == d})
        layers.append({eta: self.node(s) for eta, s in zip(self.etas, self.formula.outputs, strict=True)})
        if self.formula.link == "sorted":
            layers += self.sorting()
        else:
            layers.append(dict(zip(self.answers, self.responses(self.etas), strict=True)))
        return [layer for layer in layers if layer]

    def sorting(self):
        """Layers that put the linear predictors in order, by comparing neighbours (odd-even transposition sort)."""
        now, layers = self.etas, []
        n = len(now)
        for step in range(n):
            new = self.answers if step == n - 1 else [f"{self.prefix}s{step + 1}_{k + 1}" for k in range(n)]
            layer = {}
            for k in range(n):
                partner = k + 1 if (k - step) % 2 == 0 else k - 1
                if not 0 <= partner < n:
                    layer[new[k]] = now[k]
                    continue
                sign = "<" if k < partner else ">"
                layer[new[k]] = f"CASE WHEN {now[k]} {sign} {now[partner]} THEN {now[k]} ELSE {now[partner]} END"
            layers.append(layer)
            now = new
        return layers

    def cast(self, name):
        """A column as a number or a text."""
        kind = self.dialect.number
        if self.features[name].kind == "category":
            longest = max(map(len, self.features[name].levels), default=0)
            kind = self.dialect.text.format(max(255, longest + 1))
        return f"CAST({self.identifier(name)} AS {kind})"

    def write(self):
        parts = [self.table] if isinstance(self.table, str) else self.table
        source = ".".join(map(self.identifier, parts))
        lines = [f"-- {name}: {label}" for name, label in zip(self.answers, self.labels, strict=True)]
        *layers, last = self.layers()
        for k, layer in enumerate(layers):
            lines += [f"{'WITH ' if k == 0 else ''}{self.prefix}layer_{k} AS (", *self.select(layer, source, "    ")]
            lines.append(")," if k < len(layers) - 1 else ")")
            source = f"{self.prefix}layer_{k}"
        return "\n".join([*lines, *self.select(last, source, ""), ""])

    def select(self, layer, source, indent):
        """One SELECT that adds the layer's columns."""
        columns = [f"{indent}    {text} AS {name}" for name, text in layer.items()]
        return [f"{indent}SELECT *,", ",\n".join(columns), f"{indent}FROM {source}"]


def _escaped(text):
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def _refuse_nul(text):
    if "\0" in text:
        raise FormulaError(f"{text!r} holds a NUL character, which SQL has no literal for: rename the column or level.")


def write(formula, dialect="ansi", table="data"):
    """A query that adds the linear predictor and the response to the columns of a table.

    Parameters
    ----------
    formula : Formula
    dialect : {"ansi", "postgres", "bigquery"}, default="ansi"
        "ansi" also runs on SQLite (built with its mathematical functions) and DuckDB.
    table : str or sequence of str, default="data"
        Name of the table, or its parts (schema, table); quoted.

    Returns
    -------
    query : str
        NULL is missing; a NaN stays one. Categories are compared as text. It adds the columns ``linear_predictor`` and
        ``response``, numbered from 1 where there are several (a comment says which is which), and working columns whose
        names begin with ``kan_``.

    Raises
    ------
    FormulaError
        An unknown dialect; a name or level that SQL has no literal for.
    """
    if dialect not in DIALECTS:
        raise FormulaError(f"dialect={dialect!r}: expected one of {', '.join(map(repr, DIALECTS))}.")
    return _Writer(formula, DIALECTS[dialect], table).write()
