"""The fitted structures as data from which ``assets/model.js`` computes the same numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kan_tabular.exceptions import LiveModelError
from kan_tabular.report.embed import packed


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
    data = {"kind": "curves", "base": network.base.tolist(), "curves": [_pieces(c) for c in curves]}
    if with_covariance:
        design = [replace(c, coefficients=np.eye(c.n_columns)) for c in network.inputs]
        covariance = network.corrected_covariance
        upper = np.triu_indices(len(covariance))
        data["columns"] = [_pieces(c) for c in design]
        data["covariance"] = packed(covariance[upper])
        data["unseen"] = network.unseen_variance.tolist()
    return data


def _pieces(curves):
    """All curves of an `InputCurves` as breaks, origins and a table of polynomials (`BSpline.piecewise`)."""
    if curves.basis is not None and not hasattr(curves.basis, "piecewise"):
        raise LiveModelError(f"the curves of the family {curves.basis.name!r} cannot be computed by the page")
    low, width, breaks, origins, table, missing = curves.piecewise()
    return {
        "low": low,
        "width": width,
        "breaks": packed(breaks),
        "origins": packed(origins),
        "table": packed(table),
        "missing": packed(missing),
    }
