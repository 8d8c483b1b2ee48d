"""The formula, where the model is one or one is given beside it."""

from __future__ import annotations

from kan_tabular.report.numbers import fixed, percent

#: Longest text of a single term that is shown as it is.
_LONGEST = 2000


def formula_section(subject, formula):
    """What the section shows.

    Parameters
    ----------
    formula : SymbolicClassifier, SymbolicRegressor or None

    Returns
    -------
    section : dict or None
        ``own`` (whether the model is this formula), ``terms`` (feature, text, share), ``constant`` and ``latex``,
        ``python`` (source texts), ``fidelity`` (a sentence, empty for the model itself).
    """
    own = hasattr(subject.source.estimator, "formula_")
    if formula is None:
        if not own:
            return None
        formula = subject.source.estimator
    elif not hasattr(formula, "formula_"):
        raise ValueError(
            f"formula is a {type(formula).__name__}: give what model.to_symbolic(...) returns, a SymbolicClassifier or "
            "SymbolicRegressor."
        )
    terms = formula.terms_
    return {
        "own": own and formula is subject.source.estimator,
        "terms": [
            {
                "output": str(row.get("output", "")),
                "name": subject.label(row["feature"]),
                "text": str(row["formula"])[:_LONGEST],
                "share": percent(row["share"]),
            }
            for row in terms.to_dict("records")
        ],
        "latex": formula.latex(),
        "python": formula.to_python(),
        "fidelity": _fidelity(formula),
    }


def _fidelity(formula):
    r2 = formula.fidelity_.get("r2_model")
    return "" if r2 is None or r2 != r2 else f"R\N{SUPERSCRIPT TWO} with the model it stands for: {fixed(r2, 4)}"
