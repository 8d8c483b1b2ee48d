"""Tables as formulas and scorecards read them."""

from __future__ import annotations

import numpy as np

from kan_tabular.encoding import TableEncoder
from kan_tabular.encoding.table import Table, read_table
from kan_tabular.exceptions import FormulaError


def encode(features, used, table):
    """Rows of a table in the order of `features`: (n, n_features) numbers, level codes, NaN where missing.

    Parameters
    ----------
    features : sequence of Feature
    used : list of str
        Names of the features that matter; the others may be absent, and come back as NaN.
    table : DataFrame, or array of shape (n, n_features)

    Raises
    ------
    FormulaError
        A table without one of the columns `used`.
    """
    table = read_table(table)
    names = [f.name for f in features]
    # Arrays have no names: their columns are the features in order.
    has = names if table.names == [f"x{j}" for j in range(len(names))] else table.names
    columns = dict(zip(has, table.columns, strict=True))
    absent = [name for name in used if name not in columns]
    if absent:
        raise FormulaError(
            f"the table has no column {absent[0]!r}, which the formula uses (it has {', '.join(table.names[:10])})."
        )
    positions = [names.index(name) for name in used]
    encoder = TableEncoder()
    encoder.features_ = [features[j] for j in positions]
    Z = np.full((table.n_rows, len(names)), np.nan)
    Z[:, positions] = encoder.transform(Table(used, [columns[n] for n in used], table.n_rows), warn=False)
    return Z
