"""The expressions a formula may hold: which functions, and their form as plain data."""

from __future__ import annotations

import math

import sympy

from kan_tabular.exceptions import FormulaError

#: The one symbol of every expression: the value of its argument, in the argument's own units.
T = sympy.Symbol("T", real=True)

#: Functions of one variable that every writer knows.
FUNCTIONS = {
    "abs": sympy.Abs,
    "acos": sympy.acos,
    "asin": sympy.asin,
    "asinh": sympy.asinh,
    "atan": sympy.atan,
    "atanh": sympy.atanh,
    "cos": sympy.cos,
    "cosh": sympy.cosh,
    "exp": sympy.exp,
    "log": sympy.log,
    "sign": sympy.sign,
    "sin": sympy.sin,
    "sinh": sympy.sinh,
    "tan": sympy.tan,
    "tanh": sympy.tanh,
}
_COMBINATIONS = {"add": sympy.Add, "max": sympy.Max, "min": sympy.Min, "mul": sympy.Mul, "pow": sympy.Pow}
_CONDITIONS = {
    "and": sympy.And,
    "eq": sympy.Eq,
    "ge": sympy.Ge,
    "gt": sympy.Gt,
    "le": sympy.Le,
    "lt": sympy.Lt,
    "ne": sympy.Ne,
    "not": sympy.Not,
    "or": sympy.Or,
}
_CONSTANTS = {"e": sympy.E, "pi": sympy.pi, "true": sympy.true, "false": sympy.false, "T": T}
_HEADS = {**FUNCTIONS, **_COMBINATIONS, **_CONDITIONS}
_NAMES = {cls: name for name, cls in _HEADS.items()}
#: Larger integers, and numeric exponents, have no place in a formula (and could stall whoever reads a hostile file).
_LARGEST_INTEGER, _LARGEST_EXPONENT = 2**53, 100


def read_expression(expression):
    """`expression` (a sympy expression in `T`, or a number) as sympy has it, with double-precision numbers.

    Raises
    ------
    FormulaError
        Another symbol than `T`, or a function that the writers do not know.
    """
    expression = sympy.sympify(expression, strict=True)
    others = expression.free_symbols - {T}
    if others:
        raise FormulaError(
            f"the expression {expression} holds the symbol {min(map(str, others))}: "
            "write it in kan_tabular.symbolic.expressions.T, the value of its argument."
        )
    expression = expression.xreplace({x: sympy.Float(float(x)) for x in expression.atoms(sympy.Float)})
    expression = expression.replace(sympy.Piecewise, _closed)
    to_data(expression)  # refuses what the writers do not know
    return expression


def _closed(*branches):
    """The Piecewise with "otherwise" for its last condition: languages ask for it, and some branch always holds."""
    return sympy.Piecewise(*branches[:-1], (branches[-1][0], True))


def to_data(expression):
    """The expression as nested lists of names and numbers (JSON); `from_data` reads them back."""
    if isinstance(expression, sympy.Integer):
        return int(expression)
    if isinstance(expression, sympy.Float):
        return float(expression)
    if isinstance(expression, sympy.Rational):
        return ["ratio", int(expression.p), int(expression.q)]
    for name, constant in _CONSTANTS.items():
        if expression == constant:
            return name
    if isinstance(expression, sympy.Piecewise):
        return ["piecewise", *([to_data(value), to_data(condition)] for value, condition in expression.args)]
    name = _NAMES.get(type(expression))
    if name is None:
        raise FormulaError(
            f"the expression holds {expression}, which formulas do not know: "
            f"use numbers, powers, sums, products, Piecewise, {', '.join(sorted({**FUNCTIONS, **_COMBINATIONS}))}."
        )
    return [name, *map(to_data, expression.args)]


def from_data(data):
    """The expression that `to_data` wrote. Nothing in `data` is executed; unknown words are refused.

    Raises
    ------
    FormulaError
        If `data` is not what `to_data` writes.
    """
    if isinstance(data, bool) or not isinstance(data, int | float | str | list) or data == []:
        raise FormulaError(f"not part of an expression: {data!r:.80}")
    if isinstance(data, int):
        if abs(data) > _LARGEST_INTEGER:
            raise FormulaError("an integer of the expression is too large")
        return sympy.Integer(data)
    if isinstance(data, float):
        if not math.isfinite(data):
            raise FormulaError("the expression holds a number that is not finite")
        return sympy.Float(data)
    if isinstance(data, str):
        if data not in _CONSTANTS:
            raise FormulaError(f"unknown constant in an expression: {data!r:.80}")
        return _CONSTANTS[data]
    name, arguments = data[0], data[1:]
    try:
        if name == "ratio":
            p, q = map(from_data, arguments)
            return sympy.Rational(p, q)
        if name == "piecewise":
            return sympy.Piecewise(*((from_data(value), from_data(condition)) for value, condition in arguments))
        arguments = [from_data(a) for a in arguments]
        if name == "pow":
            _check_power(*arguments)
        return _HEADS[name](*arguments)
    except FormulaError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise FormulaError(f"not part of an expression: {data!r:.80}") from error


def _check_power(base, exponent):
    if exponent.is_number and ((base.is_Integer and exponent.is_Integer) or abs(float(exponent)) > _LARGEST_EXPONENT):
        raise FormulaError(f"a power of the expression is out of bounds: exponent {exponent}")


def complexity(expression):
    """Operations and constants of an expression: every node of its tree that is not `T`.

    ``a*T + b`` counts 4 (two operations, two constants), ``T**2`` counts 2, ``T`` counts 0.
    """
    return sum(node != T and not _is_bookkeeping(node) for node in sympy.preorder_traversal(expression))


def _is_bookkeeping(node):
    # The pairs of a Piecewise and the condition of its last branch say nothing by themselves.
    return node is sympy.true or isinstance(node, sympy.functions.elementary.piecewise.ExprCondPair)
