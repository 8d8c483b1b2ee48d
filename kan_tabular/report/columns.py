"""The columns of the user's own table: how the model's inputs follow from them, and what a panel asks for."""

from __future__ import annotations

import numpy as np

from kan_tabular.exceptions import LiveModelError
from kan_tabular.report.steps import Column, trace

#: Shares of the training rows below the quantiles that a panel gets.
_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


def read_columns(source, units):
    """What a panel asks for, and how the model's inputs follow from it.

    Parameters
    ----------
    source : Source
    units : dict of {str: str}
        By original column.

    Returns
    -------
    features : list of dict
        One for each original column that the model uses, in the table's order: ``name``, ``label``, ``unit``, ``kind``
        ("numeric" or "category"), ``low``, ``high`` (training range), ``typical`` (median, or most frequent level),
        ``quantiles`` (5, 25, 50, 75 and 95%), ``step``, ``integer``, ``levels``, and ``missing``: whether training (or
        a step before the model) knows what a missing value means.
    inputs : list of dict
        One for each feature of the model: ``feature`` (position in `features`), ``steps``, ``kind``, ``levels``,
        ``low``, ``high`` and ``complete`` (no missing values in training) as the model has it.
    """
    network = source.estimator.network_
    columns = [Column(k) for k in range(len(source.columns))]
    if source.preprocessing is not None:
        columns = trace(source.preprocessing, columns)
    if len(columns) != len(network.features):
        raise LiveModelError("the steps before the model change its columns in a way that the page cannot follow")
    used = sorted({c.origin for c in columns})
    inputs = [_input(f, c, used.index(c.origin)) for f, c in zip(network.features, columns, strict=True)]
    features = []
    for origin in used:
        name = source.columns[origin]
        asked = _asked(network, [(j, column) for j, column in enumerate(columns) if column.origin == origin])
        features.append({"name": name, "label": name, "unit": units.get(name), **asked})
    return features, inputs


def _input(feature, column, position):
    ends = {k: (None if np.isnan(v) else v) for k, v in (("low", feature.low), ("high", feature.high))}
    return {
        "feature": position,
        "steps": [list(step) for step in column.steps],
        "kind": feature.kind,
        "levels": feature.levels,
        **ends,
        "complete": not feature.missing,
    }


def _asked(network, inputs):
    """What a panel asks of an original column, from the model's `inputs` (position, Column) that are made of it."""
    missing = any(network.features[j].missing for j, _ in inputs) or all(c.takes_missing for _, c in inputs)
    blank = {"low": None, "high": None, "quantiles": [], "step": None, "integer": False, "levels": []}
    for j, column in inputs:
        feature = network.features[j]
        if feature.kind == "category":
            share = network.density[j]
            own = {"kind": "category", "levels": feature.levels, "typical": _commonest(feature.levels, share)}
            return {**blank, **own, "missing": missing}
        if column.table is None and "is_missing" not in dict(column.steps):
            own = (
                {} if np.isnan(feature.low) else _numbers(feature, network.density[j], network.density_edges[j], column)
            )
            return {"kind": "numeric", "typical": None, **blank, **own, "missing": missing}
    tables = [(j, column.table) for j, column in inputs if column.table is not None]
    levels = tables[0][1]["levels"]
    own = {"kind": "category", "levels": levels, "typical": _commonest(levels, _shares(network, tables))}
    return {**blank, **own, "missing": missing}


def _commonest(levels, shares):
    return levels[int(np.argmax(shares))] if len(levels) and len(shares) else None


def _shares(network, tables):
    """Shares of an encoded column's levels in the training rows, from the histograms of its encoded columns.

    A level has the rows of the bin that only its value falls into; levels without one share what is left.
    """
    shares = np.full(len(tables[0][1]["levels"]), np.nan)
    for j, table in tables:
        values, edges, density = np.array(table["values"]), network.density_edges[j], network.density[j]
        if len(density):
            cell = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(density) - 1)
            told = np.array([np.count_nonzero(cell == c) == 1 for c in cell], dtype=bool)
            shares[told] = density[cell][told]
    untold = np.isnan(shares)
    shares[untold] = max(1 - shares[~untold].sum(), 0.0) / max(untold.sum(), 1)
    return shares


def _numbers(feature, density, edges, column):
    """Range, quantiles and step of a numeric column in the units of the original table."""
    low, high = _undone(feature.low, column), _undone(feature.high, column)
    edges = column.undo(edges)
    integer = _looks_whole(low, high, edges, density)
    width = high - low
    step = 1.0 if integer or not width else float(10.0 ** np.floor(np.log10(width / 100)))
    cumulative = np.append(0.0, np.cumsum(density))
    at = np.interp(np.array(_SHARES) * cumulative[-1], cumulative, edges)
    quantiles = [float(np.clip(float(f"{round(x / step) * step:.12g}"), low, high)) for x in at.tolist()]
    typical = quantiles[_SHARES.index(0.5)]
    return {"low": low, "high": high, "typical": typical, "quantiles": quantiles, "step": step, "integer": integer}


def _undone(value, column):
    """The shortest decimal that the steps take to exactly `value`: the end of a range must not lie outside it."""
    x = float(column.undo(value))
    candidates = (float(f"{x:.{digits}g}") for digits in range(1, 18))
    return next((c for c in candidates if column.apply(c) == value), x)


def _looks_whole(low, high, edges, density):
    """Whether a column seems to hold whole numbers: the model only knows its ends and the bins that held rows."""
    if not (low.is_integer() and high.is_integer()):
        return False
    tie = 1e-9 * (high - low)
    holds_one = np.floor(edges[1:] + tie) >= np.ceil(edges[:-1] - tie)
    return bool(holds_one[density > 0].all())
