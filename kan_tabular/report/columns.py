"""The columns of the user's own table: how the model's inputs follow from them, and what a panel asks for.

A pipeline's steps are followed column by column (`trace`). What they do to a number is a short list of operations on
doubles, in the order in which scikit-learn carries them out, so that the page gets the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from sklearn.pipeline import Pipeline

from kan_tabular.exceptions import LiveModelError


@dataclass(frozen=True)
class Column:
    """A column between steps: which original one it is made of, and how.

    Attributes
    ----------
    origin : int
        Position in the original table.
    steps : tuple of lists
        ``[name, argument]``: "subtract", "divide", "multiply", "add" a number; "clip" to [low, high]; "impute" a number
        or text where missing.
    """

    origin: int
    steps: tuple = ()

    def then(self, name, argument):
        return replace(self, steps=(*self.steps, [name, argument]))


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
        an imputing step) knows what a missing value means.
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
    for position, origin in enumerate(used):
        mine = [j for j, column in enumerate(columns) if column.origin == origin]
        name = source.columns[origin]
        asked = _asked(network, mine, [columns[j].steps for j in mine])
        features.append({"name": name, "label": name, "unit": units.get(name), **asked})
    return features, inputs


def _input(feature, column, position):
    numbers = {k: (None if np.isnan(v) else v) for k, v in (("low", feature.low), ("high", feature.high))}
    return {
        "feature": position,
        "steps": [list(step) for step in column.steps],
        "kind": feature.kind,
        "levels": feature.levels,
        **numbers,
        "complete": not feature.missing,
    }


def _asked(network, mine, steps):
    j, own = mine[0], steps[0]
    feature = network.features[j]
    missing = bool(feature.missing) or any(name == "impute" for name, _ in own)
    if feature.kind == "category":
        density = network.density[j]
        typical = feature.levels[int(np.argmax(density))] if len(density) and density.sum() else None
        blank = {"low": None, "high": None, "quantiles": [], "step": None, "integer": False}
        return {"kind": "category", "levels": feature.levels, "typical": typical, **blank, "missing": missing}
    numbers = numbers_of(feature, network.density[j], network.density_edges[j], own)
    return {"kind": "numeric", "levels": [], **numbers, "missing": missing}


def trace(step, columns):
    """The columns after a fitted step.

    Raises
    ------
    LiveModelError
        A step that cannot be followed column by column.
    """
    if isinstance(step, Pipeline):
        for _, inner in step.steps:
            columns = trace(inner, columns)
        return columns
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return columns
    raise LiveModelError(
        f"the step {type(step).__name__} before the model mixes columns, or is not among those that the page knows"
    )


def numbers_of(feature, density, edges, steps):
    """What a panel needs of a numeric column, in the units of the original table."""
    if np.isnan(feature.low):
        return {"low": None, "high": None, "typical": None, "quantiles": [], "step": None, "integer": False}
    low, high = (_undone(value, steps) for value in (feature.low, feature.high))
    low, high = min(low, high), max(low, high)
    step, integer = _step(low, high, edges, density, steps)
    shares = [0.05, 0.25, 0.5, 0.75, 0.95]
    cumulative = np.append(0.0, np.cumsum(density))
    at = np.interp(np.array(shares) * cumulative[-1], cumulative, edges)
    quantiles = [float(np.clip(_rounded(_inverse(x, steps), step), low, high)) for x in at]
    numbers = {"low": low, "high": high, "typical": quantiles[2], "quantiles": sorted(quantiles)}
    return {**numbers, "step": step, "integer": integer}


def _inverse(x, steps):
    for name, argument in reversed(steps):
        if name == "subtract":
            x = x + argument
        elif name == "add":
            x = x - argument
        elif name == "divide":
            x = x * argument
        elif name == "multiply":
            x = x / argument
    return float(x)


def apply(x, steps):
    """A number after the steps, as the page has it."""
    for name, argument in steps:
        if name == "subtract":
            x = x - argument
        elif name == "add":
            x = x + argument
        elif name == "divide":
            x = x / argument
        elif name == "multiply":
            x = x * argument
        elif name == "clip":
            x = min(max(x, argument[0]), argument[1])
    return x


def _undone(value, steps):
    """The shortest decimal that the steps take to exactly `value` (an end of a range must not lie outside it)."""
    x = _inverse(value, steps)
    for digits in range(1, 18):
        candidate = float(f"{x:.{digits}g}")
        if apply(candidate, steps) == value:
            return candidate
    return x


def _step(low, high, edges, density, steps):
    """A handy step of a slider, and whether all numbers seem to be whole.

    The model does not know whether a column holds whole numbers: its ends have to be whole, and every bin with training
    rows has to hold a whole number.
    """
    if low.is_integer() and high.is_integer():
        ends = np.sort([_inverse(e, steps) for e in edges])
        tie = 1e-9 * (high - low)
        whole = np.floor(ends[1:] + tie) >= np.ceil(ends[:-1] - tie)
        seen = density > 0
        if whole[seen if ends[0] == _inverse(edges[0], steps) else seen[::-1]].all():
            return 1, True
    width = high - low
    return (float(10.0 ** np.floor(np.log10(width / 100))) if width else 1.0), False


def _rounded(x, step):
    return float(f"{round(x / step) * step:.12g}")
