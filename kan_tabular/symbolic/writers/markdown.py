"""Formulas as Markdown: a table of terms and the formula as text."""

from __future__ import annotations

import re

from sympy.printing.str import StrPrinter

from kan_tabular.symbolic.formula import Sum
from kan_tabular.symbolic.writers.base import CodeWriter, ReferencePrinter, one_line


class _Printer(ReferencePrinter, StrPrinter):
    def _print_Float(self, x):
        return repr(float(x)).removesuffix(".0")

    _print_Rational = StrPrinter._print_Rational
    _print_Pi = StrPrinter._print_Pi
    _print_Exp1 = StrPrinter._print_Exp1


class _Writer(CodeWriter):
    printer = _Printer()

    def __init__(self, formula):
        super().__init__(formula)
        self.columns = {name: name if re.fullmatch(r"[^\W\d]\w*", name) else one_line(name) for name in self.columns}

    def clip(self, text, low, high):
        return text  # reaches say nothing to a reader

    def if_known(self, column, text, missing):
        return text  # a column of the table has it

    def choose_level(self, column, term):
        return ", ".join(f"{one_line(k)}: {_short(v)}" for k, v in term.levels.items())

    def rows(self, name, node):
        """Cells of each term: output, term, what it adds, where missing, otherwise."""
        if not isinstance(node, Sum):
            return [(name, "", " * ".join(self.names[f] for f in node.factors), "", "")]
        rows = [(name, "constant", _short(node.constant), "", "")]
        for term in node.terms:
            column = isinstance(term.argument, str)
            argument = self.columns[term.argument] if column else self.names[term.argument]
            missing = "" if term.missing is None else _short(term.missing)
            rows.append((name, argument, self.term(term), missing, _short(term.other) if column else ""))
        return rows

    def write(self):
        formula, several = self.formula, len(self.formula.outputs) > 1
        etas = [f"eta{k + 1}" if several else "eta" for k in range(len(formula.outputs))]
        rows = []
        for node in self.hidden:
            rows += self.rows(self.names[node], node)
        for eta, output in zip(etas, formula.outputs, strict=True):
            rows += self.rows(eta, output)
        lines = ["| sum | term | adds | if missing | otherwise |", "|---|---|---|---|---|"]
        lines += ["| " + " | ".join(cell(c) for c in row) + " |" for row in rows]
        lines += ["", "```", *self.equations(etas), "```", ""]
        return "\n".join(lines)

    def equations(self, etas):
        """The formula as text: the sums of the table, then the responses."""
        labels = [label.replace("`", "'") for label in self.labels]
        if self.formula.link == "sorted":
            return [f"{', '.join(labels)} = {', '.join(etas)} in increasing order"]
        forms = {
            "identity": "{eta}",
            "log": "exp({eta})",
            "logit": "1 / (1 + exp(-{eta}))",
            "softmax": f"exp({{eta}}) / ({' + '.join(f'exp({e})' for e in etas)})",
        }
        form = forms[self.formula.link]
        return [f"{label} = {form.format(eta=e)}" for label, e in zip(labels, etas, strict=True)]


def _short(x):
    return repr(float(x)).removesuffix(".0")


def cell(text):
    """Text that stays in its cell and means nothing to Markdown or HTML."""
    text = re.sub(r"([\\`*_|\[\]#~$])", r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def write(formula):
    """A Markdown table of all terms, and how the responses follow.

    Parameters
    ----------
    formula : Formula

    Returns
    -------
    source : str
        One row a term: the sum it belongs to, the column (or hidden node), what it adds, what it adds where the column
        is missing (empty: training had no missing values), and what it adds otherwise: for a level that training did
        not have, and a missing value if training had none. Reaches are left out.
    """
    return _Writer(formula).write()
