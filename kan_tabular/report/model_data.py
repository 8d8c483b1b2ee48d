"""The fitted structures as data from which ``assets/model.js`` computes the same numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kan_tabular.exceptions import LiveModelError
from kan_tabular.report.embed import packed
from kan_tabular.report.polynomials import piecewise_polynomials


def curves_data(network, with_covariance):
    """An additive network (`kan_tabular.fitted.FittedNetwork`).

    Each input is a stack of piecewise polynomials: the contributions to what users see and, for standard errors, the
    design columns.

    Parameters
    ----------
    network : FittedNetwork
    with_covariance : bool
        Whether to add what the standard error of a single output takes.
    """
    curves = [replace(c, coefficients=c.coefficients @ network.output_map) for c in network.inputs]
    data = {"kind": "curves", "base": network.base.tolist(), "curves": [pieces(c) for c in curves]}
    if with_covariance:
        design = [replace(c, coefficients=np.eye(c.n_columns)) for c in network.inputs]
        covariance = network.corrected_covariance
        upper = np.triu_indices(len(covariance))
        data["columns"] = [pieces(c) for c in design]
        data["covariance"] = packed(covariance[upper])
        data["unseen"] = network.unseen_variance.tolist()
    return data


def pieces(curves):
    """All curves of an `InputCurves` as breaks, origins and a table of polynomials (`BSpline.piecewise`)."""
    polynomial = curves.basis is None or hasattr(curves.basis, "piecewise")
    low, width, *parts = curves.piecewise() if polynomial else _smooth(curves)
    return as_pieces(low, width, *parts)


def as_pieces(low, width, breaks, origins, table, missing):
    """Piecewise polynomials of ``z = (x - low) / width`` as data, and their values at a missing x."""
    arrays = {"breaks": breaks, "origins": origins, "table": table, "missing": missing}
    return {"low": low, "width": width, **{name: packed(array) for name, array in arrays.items()}}


def _smooth(curves):
    """The same of a family that is not piecewise polynomial; beyond its domain every family is a line or constant."""
    low, high = curves.basis.domain
    width = high - low
    breaks, origins, table = piecewise_polynomials(curves.evaluate, low, high, knots_of(curves.basis))
    below, start, end, above = curves.evaluate(np.array([low - width, low, high, high + width]))
    outside = np.zeros((2, *table.shape[1:]))
    outside[:, :2] = [[start, start - below], [end, above - end]]
    breaks, origins = np.concatenate([[0.0], breaks, [1.0]]), np.concatenate([[0.0], origins, [1.0]])
    table = np.concatenate([outside[:1], table, outside[1:]])
    return low, width, breaks, origins, table, curves.evaluate(np.array([np.nan]))[0]


def knots_of(basis):
    """Where the splines among the families of a basis, which may be several side by side, have their knots."""
    knots = [np.empty(0)]
    for space in getattr(basis, "spaces_", [basis]):
        if hasattr(space, "piecewise"):
            low, high = space.domain
            knots.append(low + (high - low) * space.piecewise(np.eye(space.n_functions))[0])
    return np.concatenate(knots)


def formula_data(network):
    """A formula whose terms are all in columns (`kan_tabular.symbolic.network.FormulaNetwork`).

    Each output is a constant and terms; numeric terms are expressions as nested lists (`expressions.to_data`).
    """
    formula = network.formula
    position = {f.name: j for j, f in enumerate(formula.features)}
    outputs = []
    for output in formula.outputs:
        if not all(isinstance(argument, str) for argument in output.arguments):
            raise LiveModelError("a formula with hidden nodes is not computed by the page")
        outputs.append([_term(t, position[t.argument], formula.features) for t in output.terms])
    return {"kind": "formula", "base": network.base.tolist(), "means": network.means.tolist(), "outputs": outputs}


def _term(term, position, features):
    from kan_tabular.symbolic.expressions import to_data

    data = {"input": position, "missing": term.at_missing}
    if term.levels is not None:
        levels = [term.levels.get(v, term.other) for v in features[position].levels]
        return {**data, "levels": levels, "other": term.other}
    return {**data, "expression": to_data(term.expression), "reach": list(term.reach)}
