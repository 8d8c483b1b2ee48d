"""From the text of a card's files to features, target and groups."""

import io
import re

import numpy as np

from kan_tabular.exceptions import DatasetError

__all__ = ["parse", "split"]

#: An element and its amount, as in ``Al0.5CoCr`` or ``Al0.5 Co1 Cr1``.
_ELEMENT = re.compile(r"([A-Z][a-z]?)([\d.]*)")
#: Decimals to which atomic fractions count as the same composition.
_FRACTION_DIGITS = 3


def parse(file, content):
    """The cells of a file as text, stripped.

    Parameters
    ----------
    file : kan_tabular.datasets.cards.File
    content : bytes

    Returns
    -------
    pandas.DataFrame of str
    """
    import pandas as pd

    options = {"dtype": object, "keep_default_na": False, "na_filter": False}
    if file.header:
        options |= {"header": None, "names": file.header}
    if file.name.endswith(".xlsx"):
        try:
            cells = pd.read_excel(io.BytesIO(content), **options)
        except ImportError as error:
            raise DatasetError(
                f"{file.name} is an Excel file, and reading it needs openpyxl: pip install 'kan-tabular[materials]'"
            ) from error
    else:
        cells = pd.read_csv(io.BytesIO(content), encoding=file.encoding, **options)
    if not isinstance(cells.index, pd.RangeIndex):  # pandas then takes the first column for names of the rows
        raise DatasetError(f"rows of {file.name} are longer than its header")
    return pd.DataFrame({name: [str(cell).strip() for cell in cells[name]] for name in cells}, dtype=object)


def split(card, cells, target, drop_leaks):
    """The table a user works with.

    Parameters
    ----------
    card : kan_tabular.datasets.cards.Card
    cells : pandas.DataFrame of str
        All columns of all files.
    target : kan_tabular.datasets.cards.Target
    drop_leaks : bool

    Returns
    -------
    X : pandas.DataFrame (n, p)
        Numbers as float (NaN where missing), categories as ``category``, formulas and other free text as strings.
    y : pandas.Series (n,)
        Codes of the classes (int), or float.
    groups : ndarray of int (n,) or None
    """
    absent = [name for name in card.by_column if name not in cells]
    unknown = [name for name in cells if name not in card.by_column]
    if absent or (unknown and not card.rest):
        raise DatasetError(
            f"the columns of {card.name} are not those of its card: "
            + "; ".join(
                f"{word} {names}"
                for word, names in (("not in the file:", absent), ("not on the card:", unknown))
                if names
            )
        )
    cells = cells[_kept(card, cells)]
    y = _target(card, cells, target)
    cells, y = cells[y.notna()].reset_index(drop=True), y.dropna().reset_index(drop=True)
    if target.classes:
        y = y.astype(np.int64)
    names = _features(card, cells, target, drop_leaks)
    X = cells[names].apply(lambda column: _column(card, column))
    if card.drop_constant:
        X = X.loc[:, X.nunique(dropna=False) > 1]
    return X, y, _groups(card, cells, X)


def _kept(card, cells):
    rows = np.ones(len(cells), dtype=bool)
    if card.row_rules is not None:
        for name, values in card.row_rules.keep.items():
            rows &= cells[name].isin(values).to_numpy()
        for name, values in card.row_rules.leave_out.items():
            rows &= ~cells[name].isin(values).to_numpy()
    return rows


def _target(card, cells, target):
    """Codes or numbers, NaN in rows to be left out."""
    import pandas as pd

    said = cells[target.column]
    if not target.classes:
        y = _number(card, said)
    elif target.within is not None:
        event = said.isin(target.classes[1].values)
        late = _number(card, cells[target.within.time]) > target.within.limit
        y = (event & ~late).astype(float)
        if target.within.censored == "left out":
            y = y.where(event | late)
    else:
        y = said.map({value: code for code, level in enumerate(target.classes) for value in level.values})
        odd = y.isna() & ~said.isin(_missing_codes(card, target.column))
        if odd.any():
            raise DatasetError(
                f"column {target.column!r} of {card.name} has {said[odd].iloc[0]!r}, which is no class of the card"
            )
    return pd.Series(y, index=cells.index, name=target.name, dtype=float)


def _features(card, cells, target, drop_leaks):
    leaks = card.left_out(target)
    roles = {name: column.role for name, column in card.by_column.items()} | dict.fromkeys(leaks, "leak")
    wanted = {"feature"} if drop_leaks else {"feature", "leak"}
    return [name for name in cells if roles.get(name, "feature") in wanted and name != target.column]


def _missing_codes(card, name):
    own = card.by_column[name].missing if name in card.by_column else []
    return ["", "NA", *card.missing, *own]


def _column(card, cells):
    import pandas as pd

    said = card.by_column.get(cells.name)
    if said is None or said.kind == "number":
        return _number(card, cells)
    codes = set(_missing_codes(card, cells.name))
    text = [np.nan if cell in codes else cell for cell in cells.to_numpy(dtype=object)]
    if said.levels:
        unknown = sorted({cell for cell in text if isinstance(cell, str)} - set(said.levels))
        if unknown:
            raise DatasetError(
                f"column {cells.name!r} of {card.name} has {unknown[0]!r}, which is no level of the card"
            )
        text = pd.Categorical([said.levels.get(cell, np.nan) for cell in text], list(said.levels.values()))
    elif said.kind == "category":
        text = pd.Categorical(text)
    return pd.Series(text, index=cells.index, name=cells.name)


def _number(card, cells):
    import pandas as pd

    codes = _missing_codes(card, cells.name)
    found = cells.to_numpy(dtype=object)
    missing = np.isin(found.astype(str), codes)
    values = np.full(len(cells), np.nan)
    values[~missing] = [_float(cell) for cell in found[~missing]]
    odd = ~np.isfinite(values) & ~missing
    if odd.any():
        raise DatasetError(
            f"column {cells.name!r} of {card.name} has {found[odd][0]!r}, which is neither a number nor missing"
        )
    values[np.isin(values, [_float(code) for code in codes])] = np.nan  # 0.0 where the code is 0
    return pd.Series(values, index=cells.index, name=cells.name)


def _float(cell):
    try:
        return float(cell)
    except ValueError:
        return np.nan


def _groups(card, cells, X):
    if card.groups is None:
        return None
    kind, names = card.groups.kind, card.groups.columns
    if kind == "rows":
        keys = X
    elif kind == "composition":
        keys = _fractions(cells[names[0]]).round(_FRACTION_DIGITS)
    else:
        keys = cells[names] if card.groups.digits is None and kind == "columns" else cells[names].astype(float)
        if kind == "system":
            keys = keys > 0
        elif kind == "tile":
            keys = keys // card.groups.size
        elif card.groups.digits is not None:
            keys = keys.round(card.groups.digits)
    return keys.groupby(list(keys), dropna=False, observed=True, sort=False).ngroup().to_numpy()


def _fractions(formulas):
    """Atomic fractions of plain formulas, one column an element."""
    import pandas as pd

    amounts = pd.DataFrame([{e: float(n or 1) for e, n in _ELEMENT.findall(f)} for f in formulas]).fillna(0.0)
    return amounts.div(amounts.sum(axis=1), axis=0)
