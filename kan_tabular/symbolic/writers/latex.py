"""Formulas as LaTeX, for readers."""

from __future__ import annotations

import re

from sympy.printing.latex import LatexPrinter

from kan_tabular.symbolic.conditions import latex_text
from kan_tabular.symbolic.formula import Product, T
from kan_tabular.symbolic.writers.base import CodeWriter


class _Printer(LatexPrinter):
    def write(self, expression, reference):
        self._settings["symbol_names"] = {T: reference}
        return self.doprint(expression)

    def _print_Float(self, x):
        return number(float(x))


def number(x):
    """A number as LaTeX, with the digits it has."""
    text = repr(float(x)).removesuffix(".0")
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}"


class _Writer(CodeWriter):
    printer = _Printer()

    def __init__(self, formula):
        super().__init__(formula)
        self.columns = {name: name if re.fullmatch("[A-Za-z]", name) else latex_text(name) for name in self.columns}
        self.names = {node: f"h_{{{k + 1}}}" for k, node in enumerate(self.hidden)}

    def clip(self, text, low, high):
        return text  # reaches say nothing to a reader

    def if_known(self, column, text, missing):
        return text  # `term` has the cases

    def choose_level(self, column, term):
        tests = [f"{number(v)} & {column} = {latex_text(k)}" for k, v in term.levels.items()]
        return _cases([*_missing(column, term), *tests, rf"{number(term.other)} & \text{{otherwise}}"])

    def term(self, term):
        body = super().term(term)
        if term.levels is not None or term.missing is None:
            return body
        return _cases([*_missing(self.columns[term.argument], term), rf"{body} & \text{{otherwise}}"])

    def equation(self, name, node):
        """Lines of one definition."""
        if isinstance(node, Product):
            return [rf"{name} &= {' '.join(self.names[f] for f in node.factors)}"]
        parts = [number(node.constant)] if node.constant or not node.terms else []
        parts += [self.term(t) for t in node.terms]
        signed = [p if p.startswith("-") else f"+ {p}" for p in parts[1:]]
        return [rf"{name} &= {parts[0]}", *(rf"&\quad {p}" for p in signed)]

    def write(self):
        formula = self.formula
        several = len(formula.outputs) > 1
        labels = [latex_text(v) for v in formula.classes or formula.targets]
        etas = [rf"\eta_{{{v}}}" for v in labels] if several else [r"\eta"]
        lines = []
        for node in self.hidden:
            lines += self.equation(self.names[node], node)
        for eta, output in zip(etas, formula.outputs, strict=True):
            lines += self.equation(eta, output)
        if formula.link == "logit":
            lines.append(rf"\Pr({labels[1]}) &= \frac{{1}}{{1 + e^{{-\eta}}}}")
        elif formula.link == "softmax":
            total = " + ".join(f"e^{{{e}}}" for e in etas)
            lines += [rf"\Pr({v}) &= \frac{{e^{{{e}}}}}{{{total}}}" for v, e in zip(labels, etas, strict=True)]
        elif formula.link == "sorted":
            own = r",\ ".join(labels)
            lines.append(rf"({own}) &= \text{{the values }} {', '.join(etas)} \text{{ in increasing order}}")
        else:
            shown = [f"e^{{{e}}}" if formula.link == "log" else e for e in etas]
            lines += [f"{v} &= {s}" for v, s in zip(labels, shown, strict=True)]
        return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}\n"


def _missing(column, term):
    return [] if term.missing is None else [rf"{number(term.missing)} & {column}\ \text{{is missing}}"]


def _cases(lines):
    return r"\begin{cases} " + r" \\ ".join(lines) + r" \end{cases}"


def write(formula):
    r"""An ``align*`` environment (amsmath): hidden nodes, linear predictors, responses.

    Parameters
    ----------
    formula : Formula

    Returns
    -------
    source : str
        Reaches are left out, and missing values where training had none.
    """
    return _Writer(formula).write()
