"""A table's compositions as amounts of elements: from a column of formulas, or from columns of fractions."""

import numbers

import numpy as np
import pandas as pd

from kan_tabular.encoding.table import as_frame, is_frame
from kan_tabular.exceptions import ColumnTypeError, DataError
from kan_tabular.materials.formulas import SYMBOLS, parse_formula

#: Rows of fractions may miss 1 or 100 by this share of it (rounded percentages do).
TOLERANCE = 0.005
_NUMBER_OF = {symbol: number for number, symbol in enumerate(SYMBOLS)}


def read_frame(X):
    """Any table, Series or list of formulas as a pandas DataFrame.

    Returns
    -------
    frame : DataFrame
    named : bool
        Whether the columns have names of their own; otherwise they are called x0, x1, ...
    """
    if isinstance(X, pd.Series):
        named = X.name is not None
        return X.to_frame(str(X.name) if named else "x0"), named
    X = as_frame(X)
    if isinstance(X, pd.DataFrame):
        return _checked(X.set_axis([str(name) for name in X.columns], axis=1)), True
    if is_frame(X):
        import narwhals as nw

        return _checked(pd.DataFrame(nw.from_native(X, eager_only=True).to_dict(as_series=False))), True
    if hasattr(X, "to_list"):  # a column of another data frame library
        X = X.to_list()
    cells = X if isinstance(X, np.ndarray) else _cells(X)
    if cells.ndim == 1:
        cells = cells[:, None]
    if cells.ndim != 2:
        raise DataError(f"X must be a table or one column of formulas; got {cells.ndim} dimensions.")
    frame = pd.DataFrame(cells, columns=[f"x{j}" for j in range(cells.shape[1])])
    return _checked(frame), False


def _cells(X):
    if isinstance(X, (str, numbers.Number)) or not hasattr(X, "__len__"):
        raise ColumnTypeError(f"X must be a table, or a list of formulas; got {X!r}.")
    return np.asarray(X, dtype=object)


def _checked(frame):
    if not len(frame):
        raise DataError("Found array with 0 sample(s) while a minimum of 1 is required: the table has no rows.")
    return frame


def find_composition(frame, named, composition):
    """The columns that hold compositions, and whether they are one column of formulas.

    Parameters
    ----------
    frame : DataFrame
    named : bool
        As from `read_frame`.
    composition : str, list of str or None
        As given by the user; None for the only column, or all that are called like elements.

    Returns
    -------
    columns : list of str
    formulas : bool
    """
    if composition is None:
        columns = list(frame.columns)
        if len(columns) > 1:
            columns = [name for name in columns if named and name in _NUMBER_OF]
            if not columns:
                raise DataError(
                    "X has several columns and none is called like an element: set composition to the name of the "
                    "column with formulas, or rename columns of fractions to element symbols."
                )
    else:
        columns = [composition] if isinstance(composition, str) else [str(name) for name in composition]
        absent = [name for name in columns if name not in frame.columns]
        if absent or not columns or len(set(columns)) < len(columns):
            what = f"has {absent[0]!r}, which X lacks" if absent else "must name at least one column, each once"
            raise DataError(f"composition {what}; the columns of X are {', '.join(map(repr, frame.columns))}.")
    formulas = len(columns) == 1 and not (columns[0] in _NUMBER_OF and _is_numeric(frame[columns[0]]))
    wrong = [name for name in columns if name not in _NUMBER_OF]
    if wrong and not formulas:
        raise DataError(f"Column {wrong[0]!r} of composition is no element symbol: rename it, or leave it out.")
    return columns, formulas


def read_amounts(frame, columns, *, formulas, fractions, normalize):
    """Amounts of the elements in each row.

    Returns
    -------
    elements : list of str
        Those that some row contains, in order of atomic numbers.
    amounts : ndarray of shape (n_samples, n_elements)
        Not negative, with a positive sum in every row.
    """
    if not formulas:
        amounts = _fractions(frame[columns], normalize)
        order = sorted(np.flatnonzero(amounts.any(axis=0)), key=lambda j: _NUMBER_OF[columns[j]])
        return [columns[j] for j in order], amounts[:, order]
    rows = _formula_rows(frame[columns[0]], fractions)
    elements = sorted({symbol for row in rows for symbol in row}, key=_NUMBER_OF.get)
    position = {symbol: j for j, symbol in enumerate(elements)}
    amounts = np.zeros((len(rows), len(elements)))
    for i, row in enumerate(rows):
        for symbol, amount in row.items():
            amounts[i, position[symbol]] = amount
    return elements, amounts


def _formula_rows(column, fractions):
    parsed, rows = {}, []
    for i, cell in enumerate(column):
        if not isinstance(cell, str):
            if pd.api.types.is_scalar(cell) and pd.isna(cell):
                raise DataError(f"Column {column.name!r}, row {i}: the formula is missing; drop the row or fill it in.")
            raise ColumnTypeError(f"Column {column.name!r}, row {i}: a formula must be a string; got {cell!r}.")
        if cell not in parsed:
            try:
                parsed[cell] = parse_formula(cell, fractions=fractions)
            except ValueError as error:
                raise DataError(f"Column {column.name!r}, row {i}: {error}") from error
        rows.append(parsed[cell])
    return rows


def _fractions(frame, normalize):
    columns = list(frame.columns)
    for name in columns:
        if not _is_numeric(frame[name]):
            raise ColumnTypeError(f"Column {name!r} holds {frame[name].dtype} values: fractions must be numbers.")
    amounts = frame.to_numpy(float, na_value=np.nan)
    for what, bad, remedy in (
        ("is missing", np.isnan(amounts), "write 0 where the alloy does not contain the element"),
        ("is infinite", np.isinf(amounts), "give a fraction"),
        ("is negative", amounts < 0, "fractions are at least 0"),
    ):
        if bad.any():
            i, j = np.argwhere(bad)[0]
            raise DataError(f"Column {columns[j]!r}, row {i}: the fraction {what}; {remedy}.")
    totals = amounts.sum(axis=1)
    if (totals == 0).any():
        raise DataError(f"Row {np.argmin(totals)}: all fractions are 0; an alloy contains something.")
    off = np.minimum(abs(totals - 1), abs(totals / 100 - 1)) > TOLERANCE
    if off.any() and not normalize:
        i = int(np.argmax(off))
        raise DataError(
            f"Row {i}: its fractions add up to {totals[i]:g} ({off.sum()} of {len(off)} rows are off), not to 1 or 100 "
            f"within {TOLERANCE:.1%}: correct them, name all columns of the composition, or set normalize=True."
        )
    return amounts


def _is_numeric(column):
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
