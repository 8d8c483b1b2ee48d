"""What sympy has no word for: the level of a category, and that a value is missing."""

from __future__ import annotations

import re

import sympy

#: Characters that mean something to LaTeX.
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: "\\" + c for c in "&%$#_"},
}


def latex_text(value):
    """Any text as LaTeX text."""
    return r"\text{" + "".join(_SPECIAL.get(c, c) for c in re.sub(r"\s+", " ", str(value))) + "}"


class Level(sympy.AtomicExpr):
    """A level of a category, in conditions such as ``Eq(Symbol("color"), Level("red"))``.

    Different levels are unequal, and none equals a number.
    """

    is_commutative = True
    __slots__ = ("name",)

    def __new__(cls, name):
        self = super().__new__(cls)
        self.name = str(name)
        return self

    def __getnewargs__(self):
        return (self.name,)

    def _hashable_content(self):
        return (self.name,)

    def _eval_Eq(self, other):
        if isinstance(other, Level):
            return sympy.sympify(self.name == other.name)
        return sympy.false if other.is_number else None

    def _sympystr(self, printer):
        return f'"{self.name}"'

    def _latex(self, printer):
        return latex_text(self.name)

    def _pythoncode(self, printer):
        return repr(self.name)

    _numpycode = _pythoncode


class IsMissing(sympy.logic.boolalg.BooleanFunction):
    """Whether a value is missing: false for numbers and levels, true for NaN."""

    nargs = 1

    @classmethod
    def eval(cls, value):
        if value is sympy.nan:
            return sympy.true
        if value.is_number or isinstance(value, Level):
            return sympy.false
        return None

    def _sympystr(self, printer):
        return f"missing({printer._print(self.args[0])})"

    def _latex(self, printer):
        return f"{printer._print(self.args[0])}\\ \\text{{is missing}}"

    def _pythoncode(self, printer):
        name = printer._print(self.args[0])
        return f"({name} != {name})"  # only NaN differs from itself

    _numpycode = _pythoncode
