"""What writers of programs share: the order of statements, terms, guards and links."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod

import sympy

from kan_tabular.symbolic.formula import Sum

#: Exponents of the links end here, so that their sums stay finite; probabilities beyond are below 1e-260.
_LOWEST, _HIGHEST = -700.0, 600.0


class ReferencePrinter:
    """Mixin for sympy's code printers: `T` becomes the text of the argument, numbers are doubles in full."""

    reference = "T"

    def write(self, expression, reference):
        """The expression as text, with `reference` (an atom, or in brackets) for `T`."""
        self.reference = reference
        return self.doprint(expression)

    def _print_Symbol(self, symbol):
        return self.reference

    def _print_Float(self, x):
        return repr(float(x))

    _print_Rational = _print_Pi = _print_Exp1 = _print_Float


class TernaryPrinter(ReferencePrinter):
    """For languages with ``condition ? value : other``."""

    def _print_Piecewise(self, e):
        text = self._print(e.args[-1][0])
        for value, condition in reversed(e.args[:-1]):
            text = f"({self._print(condition)} ? {self._print(value)} : {text})"
        return text


class CallPrinter(ReferencePrinter, sympy.printing.codeprinter.CodePrinter):
    """For languages in which sympy has no printer: everything is a call of a function named in `functions`."""

    language = "calls"
    functions: dict
    _default_settings = {**sympy.printing.codeprinter.CodePrinter._default_settings, "precision": 17}

    def _format_code(self, lines):
        return lines

    def _call(self, name, *arguments):
        return f"{name}({', '.join(map(self._print, arguments))})"

    def _print_Function(self, e):
        return self._call(self.functions[type(e).__name__], *e.args)

    _print_Abs = _print_sign = _print_exp = _print_log = _print_Max = _print_Min = _print_Function

    def _print_Pow(self, e):
        base, exponent = e.args
        if exponent == -1:
            return f"1.0/{self.parenthesize(base, sympy.printing.precedence.PRECEDENCE['Pow'])}"
        if exponent == sympy.Rational(1, 2):
            return self._call("SQRT", base)
        return self._call("POWER", base, exponent)

    def _print_Integer(self, x):
        return repr(float(x))  # an integer could make a division of integers

    _print_One = _print_Zero = _print_NegativeOne = _print_Integer

    def _print_Relational(self, e):
        return f"{self._print(e.lhs)} {'<>' if e.rel_op == '!=' else e.rel_op.replace('==', '=')} {self._print(e.rhs)}"


def identifiers(names):
    """Safe identifiers of the columns: ``x1_age`` for the first one, ``age``; unique, and never a reserved word."""
    found = {}
    for k, name in enumerate(names):
        slug = re.sub(r"[^A-Za-z0-9]+", "_", name)[:30].strip("_")
        found[name] = f"x{k + 1}_{slug}" if slug else f"x{k + 1}"
    return found


def one_line(value):
    """Any label or name in one line of ASCII, quoted."""
    return json.dumps(str(value))


class CodeWriter(ABC):
    """Writes a formula as a list of statements: columns, hidden nodes, linear predictors, responses.

    Attributes
    ----------
    formula : Formula
    columns : dict of {str: str}
        How the code refers to each column.
    hidden : list
        The hidden nodes, each after those it needs.
    names : dict
        How the code refers to each hidden node.
    """

    printer: ReferencePrinter

    def __init__(self, formula):
        self.formula = formula
        self.features = {f.name: f for f in formula.features}
        self.columns = identifiers(formula.columns)
        outside = set(formula.outputs)
        inner = {a for node in formula.nodes() for a in node.arguments if not isinstance(a, str)}
        self.hidden = [node for node in formula.nodes() if node not in outside or node in inner]
        self.names = {node: f"h{k + 1}" for k, node in enumerate(self.hidden)}

    # ---- what a language has to say ----

    @abstractmethod
    def clip(self, text, low, high):
        """`text` no lower than `low` and no higher than `high`, either of which may be None."""

    @abstractmethod
    def if_known(self, column, text, missing):
        """`text`, or the number `missing` where the column is missing."""

    @abstractmethod
    def choose_level(self, column, term):
        """What the term of a category adds."""

    exp = "exp"
    plus = "\n        + "

    def number(self, x):
        return repr(float(x))

    # ---- what all languages say alike ----

    def node(self, node):
        """A sum or a product as text."""
        if not isinstance(node, Sum):
            return "*".join(self.names[f] for f in node.factors)
        parts = [self.number(node.constant)] if node.constant or not node.terms else []
        return self.plus.join(parts + [self.term(t) for t in node.terms])

    def term(self, term):
        """A term as text that can be added."""
        if not isinstance(term.argument, str):
            return self._known(term, self.names[term.argument])
        column = self.columns[term.argument]
        if term.levels is not None:
            return self.choose_level(column, term)
        return self.if_known(column, self._known(term, column), term.at_missing)

    def _known(self, term, reference):
        low, high = term.guard
        if low is not None or high is not None:
            reference = self.clip(reference, low, high)
        return self.printer.write(term.expression, reference)

    def responses(self, etas):
        """Texts of the responses, from those of the linear predictors; not for the link "sorted"."""
        link = self.formula.link
        if link == "log":
            return [self._exp(etas[0], high=700.0)]
        if link == "logit":
            return [f"1.0/(1.0 + {self._exp(f'-{etas[0]}')})"]
        if link == "softmax":
            # 1 / sum_j exp(eta_j - eta_k): no largest one to look for.
            return [
                f"1.0/({' + '.join(['1.0', *(self._exp(f'({e} - {own})') for e in etas if e != own)])})" for own in etas
            ]
        return list(etas)

    def _exp(self, text, high=_HIGHEST):
        return f"{self.exp}({self.clip(text, _LOWEST, high)})"

    @property
    def labels(self):
        """What each response is, in one line."""
        if self.formula.link == "logit":
            return [f"probability of {one_line(self.formula.classes[1])}"]
        if self.formula.link == "softmax":
            return [f"probability of {one_line(c)}" for c in self.formula.classes]
        return [one_line(t) for t in self.formula.targets]
