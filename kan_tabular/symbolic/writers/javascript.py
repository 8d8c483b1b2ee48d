"""Formulas as a JavaScript function."""

from __future__ import annotations

import json

from sympy.printing.jscode import JavascriptCodePrinter

from kan_tabular.symbolic.writers.base import CodeWriter, TernaryPrinter

_NUMBER = """  const number = (v) => (v === null || v === undefined || v === "" ? NaN : Number(v));"""
_LEVEL = """  const level = (v, values, missing, other) => {
    if (v === null || v === undefined || v !== v) return missing;
    const label = String(typeof v === "boolean" ? Number(v) : v);
    return values.has(label) ? values.get(label) : other;
  };"""


class _Printer(TernaryPrinter, JavascriptCodePrinter):
    pass


def quoted(text):
    """A string literal, safe inside an HTML script element too."""
    return json.dumps(text).replace("<", "\\u003c")


class _Writer(CodeWriter):
    printer = _Printer()
    exp = "Math.exp"

    def clip(self, text, low, high):
        text = text if low is None else f"Math.max({text}, {low!r})"
        return text if high is None else f"Math.min({text}, {high!r})"

    def if_known(self, column, text, missing):
        return f"(Number.isNaN({column}) ? {missing!r} : {text})"

    def choose_level(self, column, term):
        values = ", ".join(f"[{quoted(k)}, {v!r}]" for k, v in term.levels.items())
        return f"level({column}, new Map([{values}]), {term.at_missing!r}, {term.other!r})"

    def write(self):
        categories = [n for n in self.columns if self.features[n].kind == "category"]
        one = len(self.formula.outputs) == 1
        lines = ["// row: an object of column names; null, undefined and NaN are missing. Responses, in order:"]
        lines += [f"//   {label}" for label in self.labels]
        lines += ["function predict(row) {", _NUMBER, *([_LEVEL] if categories else [])]
        for name, reference in self.columns.items():
            read = f"row[{quoted(name)}]"
            lines.append(f"  const {reference} = {read if name in categories else f'number({read})'};")
        lines += [f"  const {self.names[node]} = {self.node(node)};" for node in self.hidden]
        lines.append("  const eta = [")
        lines += [f"    {self.node(output)}," for output in self.formula.outputs]
        lines.append("  ];")
        if self.formula.link == "sorted":
            lines.append("  const response = [...eta].sort((a, b) => a - b);")
        else:
            responses = self.responses([f"eta[{k}]" for k in range(len(self.formula.outputs))])
            lines.append(f"  const response = [{', '.join(responses)}];")
        first = "[0]" if one else ""
        return "\n".join([*lines, f"  return {{ linearPredictor: eta{first}, response: response{first} }};", "}", ""])


def write(formula):
    """JavaScript source with ``predict(row) -> {linearPredictor, response}``.

    Parameters
    ----------
    formula : Formula

    Returns
    -------
    source : str
        ``row`` is an object of column names; null, undefined, NaN (and "" in a number) are missing. Results are
        numbers, or arrays of one number a class, target or quantile level. For two classes the response is the second's
        probability.
    """
    return _Writer(formula).write()
