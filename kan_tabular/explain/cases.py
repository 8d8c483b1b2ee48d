"""What is kept of the stored cases: the values that may be shown, and nothing of those that may not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from sklearn.utils import column_or_1d

from kan_tabular.encoding import Table
from kan_tabular.encoding.table import Text


@dataclass
class Cases:
    """Stored cases, without redacted columns, and with nothing but their place for those that are suppressed.

    Attributes
    ----------
    table : Table
    ids : ndarray (n,)
    outcomes : ndarray of float (n,), or None
        Codes of classes, or numbers.
    predictions : ndarray (n, k)
    shown : ndarray of bool (n,)
        False for suppressed cases.
    """

    table: Table
    ids: np.ndarray
    outcomes: np.ndarray | None
    predictions: np.ndarray
    shown: np.ndarray

    @classmethod
    def keep(cls, table, ids, outcomes, predictions, shown, redacted):
        """Keep what may be shown of a table and what belongs to it."""
        ids = np.arange(table.n_rows) if ids is None else one_each(ids, "ids", table.n_rows)
        if not shown.all():
            ids = np.where(shown, ids.astype(object), None)
        if outcomes is not None:
            outcomes = np.where(shown, outcomes, np.nan)
        predictions = np.where(shown[:, None], predictions, np.nan)
        return cls(_without(table, redacted, ~shown), ids, outcomes, predictions, shown)

    def known_outcomes(self, rows):
        """Outcomes of those of the `rows` that are not suppressed."""
        return self.outcomes[rows[self.shown[rows]]]

    def columns(self, rows, classes, prediction_names):
        """Id, outcome and predictions, and the table's values, of some rows: two dicts of arrays by name."""
        said = {"id": self.ids[rows], "outcome": np.full(len(rows), None)}
        if self.outcomes is not None:
            outcomes = self.outcomes[rows]
            if classes is not None:
                outcomes = np.array([*classes.tolist(), None], dtype=object)[
                    np.nan_to_num(outcomes, nan=-1).astype(int)
                ]
            said["outcome"] = outcomes
        said |= dict(zip(prediction_names, self.predictions[rows].T, strict=True))
        return said, {n: _cells(c, rows) for n, c in zip(self.table.names, self.table.columns, strict=True)}

    def state(self):
        """Plain attributes and arrays, for a file."""
        columns = self.table.columns
        plain = self.ids.dtype.kind in "biuf"
        attributes = {
            "names": self.table.names,
            "labels": [c.labels if isinstance(c, Text) else None for c in columns],
            "ids": None if plain else self.ids,
        }
        arrays = {f"table.{j}": c.codes if isinstance(c, Text) else c for j, c in enumerate(columns)}
        arrays |= {"predictions": self.predictions, "shown": self.shown}
        if self.outcomes is not None:
            arrays["outcomes"] = self.outcomes
        if plain:
            arrays["ids"] = self.ids
        return attributes, arrays

    @classmethod
    def from_state(cls, attributes, arrays):
        """The cases that `state` described."""
        columns = [arrays[f"table.{j}"] for j in range(len(attributes["names"]))]
        columns = [
            c if labels is None else Text(c, labels) for c, labels in zip(columns, attributes["labels"], strict=True)
        ]
        return cls(
            table=Table(attributes["names"], columns, len(arrays["shown"])),
            ids=arrays["ids"] if attributes["ids"] is None else attributes["ids"],
            outcomes=arrays.get("outcomes"),
            predictions=arrays["predictions"],
            shown=arrays["shown"],
        )


def one_each(values, name, n):
    """Anything array-like as an array (n,), one entry a case."""
    values = column_or_1d(values)
    if len(values) != n:
        raise ValueError(f"{name} has {len(values)} entries, but X has {n} rows: give one a row.")
    return values


def read_outcomes(y, classes, n, name="y"):
    """Outcomes as floats (n,): codes of the `classes`, or numbers where these are None; `name` is for messages."""
    y = one_each(y, name, n)
    if classes is None:
        try:
            y = y.astype(float)
        except (TypeError, ValueError):
            raise ValueError(
                f"{name} must hold numbers, as the model predicts numbers; it holds something else."
            ) from None
        if not np.isfinite(y).all():
            row = int(np.flatnonzero(~np.isfinite(y))[0])
            raise ValueError(f"{name} holds {y[row]} in row {row}: drop such rows.")
        return y
    codes = {label: float(c) for c, label in enumerate(classes.tolist())}
    unknown = [label for label in y.tolist() if label not in codes]
    if unknown:
        raise ValueError(
            f"{name} holds {unknown[0]!r}, which is not a class of the model: expected some of {list(codes)[:10]}."
        )
    return np.array([codes[label] for label in y.tolist()])


def named_columns(names, known, argument):
    """`names` (a string, or several) as a list, all of them among the `known` columns."""
    if names is None:
        return []
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, Iterable):
        raise ValueError(f"{argument}={names!r}: give the names of columns, or None.")
    names = [str(name) for name in names]
    unknown = [name for name in names if name not in known]
    if unknown:
        some = f"{', '.join(known[:10])}{' ...' if len(known) > 10 else ''}"
        raise ValueError(f"{argument} names {unknown[0]!r}, which is not a column of X: choose from {some}.")
    return names


def in_large_cells(table, min_group, quasi_identifiers, categories):
    """Which rows share their values of the quasi-identifiers with at least `min_group` rows in all: (n,) bool.

    Missing is a value, too. Without names, the columns with text and those that the model has as `categories` count.
    """
    names = named_columns(quasi_identifiers, table.names, "quasi_identifiers")
    if min_group == 1:
        return np.ones(table.n_rows, dtype=bool)
    columns = dict(zip(table.names, table.columns, strict=True))
    if quasi_identifiers is None:
        names = [name for name, column in columns.items() if isinstance(column, Text) or name in categories]
    if not names:
        raise ValueError(
            f"min_group={min_group} needs columns that make the groups, and X has none with text or categories: name "
            "some in quasi_identifiers."
        )
    cell = np.zeros(table.n_rows, dtype=int)
    for name in names:
        column = columns[name]
        own = np.unique(column.codes if isinstance(column, Text) else column, return_inverse=True)[1]
        cell = np.unique(cell * (own.max() + 1) + own, return_inverse=True)[1]  # compact, so that it cannot overflow
    shown = np.bincount(cell)[cell] >= min_group
    if not shown.any():
        raise ValueError(
            f"min_group={min_group} would suppress every case: make the values of {', '.join(names)} coarser, or name "
            "fewer columns in quasi_identifiers."
        )
    return shown


def _without(table, names, hidden):
    """The table less the columns `names`, and with nothing in the rows `hidden` (n,)."""
    kept = {}
    for name, column in zip(table.names, table.columns, strict=True):
        if name in names:
            continue
        if isinstance(column, Text):
            codes = np.where(hidden, -1, column.codes)
            used = np.unique(codes[codes >= 0])  # some levels may be those of hidden rows only
            place = np.full(len(column.labels) + 1, -1)
            place[used] = np.arange(len(used))
            kept[name] = Text(place[codes], [column.labels[c] for c in used])
        else:
            kept[name] = np.where(hidden, np.nan, column)
    return Table(list(kept), list(kept.values()), table.n_rows)


def _cells(column, rows):
    """The values of a column in some rows, text as objects (None where missing)."""
    if isinstance(column, Text):
        return np.array([*column.labels, None], dtype=object)[column.codes[rows]]
    return column[rows]
