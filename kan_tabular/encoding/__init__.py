"""Tables become columns of numbers: values, level codes, NaN where missing."""

from kan_tabular.encoding.encoder import TableEncoder
from kan_tabular.encoding.table import LARGEST, Table, as_frame, is_frame, read_table

__all__ = ["LARGEST", "Table", "TableEncoder", "as_frame", "is_frame", "read_table"]
