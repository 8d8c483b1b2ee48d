"""Formulas as a C99 function."""

from __future__ import annotations

from sympy.printing.c import C99CodePrinter

from kan_tabular.symbolic.writers.base import CodeWriter, TernaryPrinter, one_line


class _Printer(TernaryPrinter, C99CodePrinter):
    pass


def quoted(text):
    """A C string literal: everything but plain characters as octal escapes of its UTF-8 bytes."""
    plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-+.,:;<>=()[]{}/!#$%&'@^|~`"
    return '"' + "".join(c if c in plain else "".join(f"\\{b:03o}" for b in c.encode()) for c in text) + '"'


class _Writer(CodeWriter):
    printer = _Printer()

    def clip(self, text, low, high):
        text = text if low is None else f"fmax({text}, {low!r})"
        return text if high is None else f"fmin({text}, {high!r})"

    def if_known(self, column, text, missing):
        return f"(isnan({column}) ? {missing!r} : {text})"

    def choose_level(self, column, term):
        tests = "".join(f"strcmp({column}, {quoted(k)}) == 0 ? {v!r} : " for k, v in term.levels.items())
        return f"({column} == NULL ? {term.at_missing!r} : {tests}{term.other!r})"

    def write(self):
        arguments = [
            f"{'const char *' if self.features[name].kind == 'category' else 'double '}{reference}"
            for name, reference in self.columns.items()
        ]
        n = len(self.formula.outputs)
        lines = ["#include <math.h>", "#include <stddef.h>", "#include <string.h>", "", "/* Columns:"]
        lines += [f" *   {r}: {_comment(one_line(name))}" for name, r in self.columns.items()]
        lines.append(f" * NAN and NULL are missing. Results, {n} each; responses, in order:")
        lines += [f" *   {_comment(label)}" for label in self.labels]
        lines += [
            " */",
            f"void predict({', '.join([*arguments, 'double *linear_predictor', 'double *response'])})",
            "{",
        ]
        lines += [f"    const double {self.names[node]} = {self.node(node)};" for node in self.hidden]
        lines += [f"    linear_predictor[{k}] = {self.node(s)};" for k, s in enumerate(self.formula.outputs)]
        if self.formula.link == "sorted":
            lines += [
                f"    for (int i = 0; i < {n}; i++) {{",
                "        int j = i;",
                "        for (; j > 0 && response[j - 1] > linear_predictor[i]; j--)",
                "            response[j] = response[j - 1];",
                "        response[j] = linear_predictor[i];",
                "    }",
            ]
        else:
            etas = [f"linear_predictor[{k}]" for k in range(n)]
            lines += [f"    response[{k}] = {text};" for k, text in enumerate(self.responses(etas))]
        return "\n".join([*lines, "}", ""])


def _comment(text):
    return text.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")


def write(formula):
    """C99 source with ``void predict(..., double *linear_predictor, double *response)``.

    Parameters
    ----------
    formula : Formula

    Returns
    -------
    source : str
        One argument a column that the formula uses, in the table's order: ``double`` (NAN is missing) or ``const char
        *`` (UTF-8; NULL is missing), named ``x1_<name>`` with everything but letters and digits left out; the comment
        says which is which. Both results hold one number a class, target or quantile level (for two classes: the
        second).
    """
    return _Writer(formula).write()
