"""Formulas in other languages: one file a language, one registry.

To add one, see docs/formulas.md.
"""

from __future__ import annotations

from importlib import import_module

from kan_tabular.exceptions import FormulaError

#: The module of each language; it has ``write(formula, **options) -> str``.
REGISTRY = {
    name: f"kan_tabular.symbolic.writers.{name}"
    for name in ("c", "excel", "javascript", "latex", "markdown", "python", "sql")
}


def write(formula, language, **options):
    """The formula as text in another language: linear predictor and response.

    Parameters
    ----------
    formula : Formula
    language : {"c", "excel", "javascript", "latex", "markdown", "python", "sql"}
    **options
        Those of the language's ``write``: ``dialect`` and ``table`` for sql, ``cells`` and ``output`` for excel.

    Returns
    -------
    text : str

    Raises
    ------
    FormulaError
        An unknown language, or a formula that the language cannot hold.
    """
    if language not in REGISTRY:
        raise FormulaError(f"language={language!r}: expected one of {', '.join(map(repr, REGISTRY))}.")
    return import_module(REGISTRY[language]).write(formula, **options)
