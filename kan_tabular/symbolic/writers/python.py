"""Formulas as a Python function that needs only NumPy."""

from __future__ import annotations

from sympy.printing.numpy import NumPyPrinter

from kan_tabular.symbolic.writers.base import CodeWriter, ReferencePrinter

_LEVEL = '''
def _level(column, values, missing, other):
    """What each level of a category adds; 3.0 is the level "3", True is "1"."""

    def label(v):
        if isinstance(v, (bool, numpy.bool_)) or (isinstance(v, float) and v.is_integer()):
            v = int(v)
        return str(v)

    cells = numpy.asarray(column, dtype=object).tolist()
    return numpy.array([missing if v is None or v != v else values.get(label(v), other) for v in cells])

'''


class _Printer(ReferencePrinter, NumPyPrinter):
    def _print_Max(self, e):
        return self._nested("maximum", e)

    def _print_Min(self, e):
        return self._nested("minimum", e)

    def _nested(self, name, e):
        *rest, text = [self._print(a) for a in e.args]
        for other in reversed(rest):
            text = f"numpy.{name}({other}, {text})"
        return text


class _Writer(CodeWriter):
    printer = _Printer()
    exp, plus = "numpy.exp", "\n            + "

    def clip(self, text, low, high):
        return f"numpy.clip({text}, {low!r}, {high!r})"

    def if_known(self, column, text, missing):
        return f"numpy.where(numpy.isnan({column}), {missing!r}, {text})"

    def choose_level(self, column, term):
        return f"_level({column}, {dict(term.levels)!r}, {term.at_missing!r}, {term.other!r})"

    def write(self):
        categories = [n for n in self.columns if self.features[n].kind == "category"]
        lines = ["import numpy", "", _LEVEL if categories else "", "def predict(columns):"]
        lines += [
            '    """Linear predictor and response of a formula.',
            "",
            "    columns: mapping of column names to sequences of n values; NaN or None is missing.",
            "    Returns two arrays (n, outputs). Responses, in order:",
            *(f"        {label}".replace("\\", "\\\\").replace('"""', '\\"\\"\\"') for label in self.labels),
            '    """',
        ]
        for name, reference in self.columns.items():
            kind = "" if name in categories else ", dtype=float"
            read = f"columns[{name!r}]"
            lines.append(f"    {reference} = {read if name in categories else f'numpy.array({read}{kind})'}")
        lines.append('    with numpy.errstate(all="ignore"):')
        lines += [f"        {self.names[node]} = ({self.node(node)})" for node in self.hidden]
        lines.append("        zero = numpy.zeros(len(columns[next(iter(columns))]))")
        etas = [f"eta{k + 1}" for k in range(len(self.formula.outputs))]
        lines += [f"        {e} = (zero + {self.node(s)})" for e, s in zip(etas, self.formula.outputs, strict=True)]
        lines.append(f"        eta = numpy.stack([{', '.join(etas)}], axis=1)")
        if self.formula.link == "sorted":
            lines.append("        response = numpy.sort(eta, axis=1)")
        else:
            lines.append(f"        response = numpy.stack([{', '.join(self.responses(etas))}], axis=1)")
        return "\n".join([*lines, "    return eta, response", ""])


def write(formula):
    """A Python module with ``predict(columns) -> (linear_predictor, response)``; it needs only NumPy.

    Parameters
    ----------
    formula : Formula

    Returns
    -------
    source : str
        ``columns`` maps names to sequences, in which NaN and None are missing. Both results are (n, n_outputs), the
        response one column a class, target or quantile level (for two classes: the second).
    """
    return _Writer(formula).write()
