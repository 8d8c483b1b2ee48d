"""The command line's CSV files: read into typed columns by one plain rule, written safely for spreadsheets.

Every cell is read as text first. A column in which all present cells are numbers (or all true/false) is numeric; any
other is a category. So a column is read alike whether or not a cell of it is missing.
"""

import csv
import os
import warnings

import numpy as np

from kan_tabular.exceptions import DataError

__all__ = ["as_columns", "as_target", "read_cells", "spreadsheet_safe"]


def read_cells(path):
    """Read a CSV file as text.

    Parameters
    ----------
    path : str or path-like
        A UTF-8 file with a header; separated by comma, semicolon or tab, whichever its header uses.

    Returns
    -------
    pandas.DataFrame
        One column of strings a column, NaN where a cell is empty or NA. A column without a name is called
        ``Unnamed: <position>``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataError
        If it is a folder, empty, binary, not UTF-8, ragged, without rows, or names a column twice.
    """
    import pandas as pd

    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no file {path}")
    if not os.path.isfile(path):
        raise DataError(f"{path} is not a file; give a CSV file")
    with open(path, "rb") as file:
        if b"\x00" in file.read(1 << 16):
            raise DataError(f"{path} is a binary file; save the table as CSV (UTF-8) first")
    try:
        separator, header = _header(path)
        with warnings.catch_warnings():
            # pandas only warns, and drops cells, when every row is longer than the header.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            cells = pd.read_csv(
                path,
                sep=separator,
                dtype=str,
                index_col=False,
                skipinitialspace=True,
                encoding="utf-8-sig",
                compression=None,
            )
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text; save the table as CSV (UTF-8) first") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, csv.Error) as error:
        raise DataError(f"{path} cannot be read as CSV: {error}") from None
    if len(cells) == 0:
        raise DataError(f"{path} has a header but no rows")
    cells.columns = header
    return cells.apply(lambda column: column.str.strip().replace("", np.nan))


def _header(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        first = next((line for line in file if line.strip()), None)
        if first is None:
            raise DataError(f"{path} is empty")
        separator = max(",;\t", key=first.count)
        file.seek(0)
        names = next(row for row in csv.reader(file, delimiter=separator, skipinitialspace=True) if row)
    names = [name.strip() or f"Unnamed: {position}" for position, name in enumerate(names)]
    for position, name in enumerate(names):
        if name in names[:position]:
            raise DataError(f"{path} has two columns named {name!r}; rename one of them")
    return separator, names


def as_columns(cells, kinds=None):
    """Columns of text as numbers and categories.

    Parameters
    ----------
    cells : pandas.DataFrame
        As `read_cells` gives it.
    kinds : dict of str to {"numeric", "category"}, optional
        How a model reads each column; these columns are returned, in this order. By default the cells decide.

    Returns
    -------
    pandas.DataFrame
        Columns of float, or of category (of plain strings where `kinds` says category).

    Raises
    ------
    DataError
        If a column of `kinds` is missing, or one that has to be numeric holds something else.
    """
    import pandas as pd

    if kinds is None:
        read = {name: _numbers(column) for name, column in cells.items()}
        return pd.DataFrame(
            {name: cells[name].astype("category") if values is None else values for name, values in read.items()}
        )
    missing = [name for name in kinds if name not in cells]
    if missing:
        unknown = [name for name in cells if name not in kinds]
        has = f"; columns it has that the model does not know: {_listed(unknown)}" if unknown else ""
        raise DataError(f"the model needs column {_listed(missing)}, which the table does not have{has}")
    read = {}
    for name, kind in kinds.items():
        read[name] = cells[name] if kind == "category" else _numbers(cells[name])
        if read[name] is None:
            row, cell = next((i, c) for i, c in enumerate(cells[name]) if isinstance(c, str) and _number(c) is None)
            raise DataError(f"column {name!r} was numeric in training, but row {row} (counted from 0) holds {cell!r}")
    return pd.DataFrame(read)


def as_target(column):
    """A target as labels or numbers.

    Parameters
    ----------
    column : pandas.Series of str

    Returns
    -------
    values : ndarray of int (whole numbers), float (other numbers) or str (anything else)

    Raises
    ------
    DataError
        If a cell is missing or not finite.
    """
    if column.isna().any():
        rows = np.flatnonzero(column.isna())
        raise DataError(
            f"the target {column.name!r} is missing in {len(rows)} of {len(column)} rows "
            f"(the first is row {rows[0]}, counted from 0); fill in or leave out these rows"
        )
    values = _numbers(column)
    if values is None or _is_yes_no(column):
        return column.to_numpy(dtype=object).astype(str)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DataError(f"the target {column.name!r} is not finite in row {row}, counted from 0 ({column.iloc[row]})")
    whole = values == np.round(values)
    return values.astype(np.int64) if whole.all() and (np.abs(values) < 2**53).all() else values


def spreadsheet_safe(text):
    """`text` such that a spreadsheet shows it instead of running it as a formula; any other type unchanged."""
    if isinstance(text, str) and text.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r", "\n"):
        return "'" + text
    return text


_YES_NO = {"true": 1.0, "false": 0.0}


def _is_yes_no(column):
    return set(column.dropna().str.lower().unique()) <= set(_YES_NO)


def _numbers(column):
    """Floats with NaN where missing, or None when a present cell is not a number."""
    import pandas as pd

    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    if not (np.isnan(values) & column.notna().to_numpy()).any():
        return values
    return column.str.lower().map(_YES_NO).to_numpy(dtype=float) if _is_yes_no(column) else None


def _number(cell):
    import pandas as pd

    value = pd.to_numeric(cell, errors="coerce")
    return None if np.isnan(value) else float(value)


def _listed(names, most=5):
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
