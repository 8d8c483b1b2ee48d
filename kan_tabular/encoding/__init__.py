"""Tables become columns of numbers: values, level codes, NaN where missing."""

from kan_tabular.encoding.encoder import TableEncoder
from kan_tabular.encoding.table import Table, read_table

__all__ = ["Table", "TableEncoder", "read_table"]
