"""What a column was in training, and how later tables are read in the same way."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np

from kan_tabular.encoding.table import Table, Text, as_text, read_table
from kan_tabular.exceptions import DataError, UnseenCategoryWarning

#: A text column with more levels than this is refused: it names rows rather than describing them.
MAX_LEVELS = 1000


@dataclass
class Feature:
    """One column as the training data had it.

    Attributes
    ----------
    kind : "numeric" or "category"
    levels : list of str
        Labels of a category, in code order; empty for numbers.
    low, high : float
        Training range of a numeric column (NaN when it was all missing).
    missing : float
        Share of the training rows (by weight) in which it was missing.
    """

    name: str
    kind: str
    levels: list[str] = field(default_factory=list)
    low: float = np.nan
    high: float = np.nan
    missing: float = 0.0

    def to_spec(self):
        numbers = {k: (None if np.isnan(v) else v) for k, v in (("low", self.low), ("high", self.high))}
        return {"name": self.name, "kind": self.kind, "levels": self.levels, "missing": self.missing, **numbers}

    @classmethod
    def from_spec(cls, spec):
        numbers = {k: (np.nan if spec[k] is None else spec[k]) for k in ("low", "high")}
        return cls(spec["name"], spec["kind"], list(spec["levels"]), missing=spec["missing"], **numbers)


class TableEncoder:
    """Turns tables into a float matrix (n, p): numbers as they are, categories as level codes, NaN where missing.

    A level that training did not have gets the code -1, which every later step treats as neutral (contribution 0).

    Parameters
    ----------
    categorical_features : "from_dtype", None, or array-like of int, bool or str
        Which columns are categories. "from_dtype": those of text or category type. Otherwise exactly the named ones.
    """

    def __init__(self, categorical_features="from_dtype"):
        self.categorical_features = categorical_features

    def fit_transform(self, X, weights):
        """Read the training table. `weights` (n,) are frequencies; rows of weight 0 do not count."""
        table = read_table(X)
        chosen = self._chosen(table)
        used = weights > 0
        total = weights.sum()
        self.features_ = []
        encoded = np.empty((table.n_rows, len(table.names)), order="F")
        for j, (name, column) in enumerate(zip(table.names, table.columns, strict=True)):
            if chosen[j]:
                feature = self._fit_category(name, as_text(column), used)
                encoded[:, j] = _codes(as_text(column), feature)
            elif isinstance(column, Text):
                raise DataError(f"Column {name!r} holds text ({column.labels[0][:40]!r}) but is not among categorical_features: "
                                "add it there, drop it, or turn it into numbers.")
            else:
                present = column[used & ~np.isnan(column)]
                feature = Feature(name, "numeric")
                if len(present):
                    feature.low, feature.high = float(present.min()), float(present.max())
                    if not np.isfinite(feature.high - feature.low):
                        raise DataError(f"Column {name!r} spans more than a float can hold ({feature.low:g} to {feature.high:g}): rescale it.")
                encoded[:, j] = column
            feature.missing = float(weights[np.isnan(encoded[:, j])].sum() / total)
            self.features_.append(feature)
        return encoded

    def _fit_category(self, name, text, used):
        count = np.bincount(text.codes[used & (text.codes >= 0)], minlength=len(text.labels))
        levels = sorted(v for v, c in zip(text.labels, count, strict=True) if c)
        n_present = int(count.sum())
        if len(levels) == n_present and n_present > 20:
            raise DataError(f"Column {name!r} looks like an identifier: {len(levels)} different texts in {n_present} rows. Drop it.")
        if len(levels) > MAX_LEVELS:
            raise DataError(f"Column {name!r} has {len(levels)} levels (at most {MAX_LEVELS}): group the rare ones or drop it.")
        return Feature(name, "category", levels)

    def _chosen(self, table: Table):
        """Which columns are categories: a list of bool."""
        wanted = self.categorical_features
        if isinstance(wanted, str):
            if wanted != "from_dtype":
                raise ValueError(f"categorical_features={wanted!r}: expected 'from_dtype', None, or a list of columns.")
            return [isinstance(c, Text) for c in table.columns]
        if wanted is None:
            return [False] * len(table.names)
        wanted = np.asarray(wanted)
        if wanted.ndim != 1:
            raise ValueError("categorical_features must be one-dimensional: names, indices or a mask.")
        if wanted.dtype == bool:
            if len(wanted) != len(table.names):
                raise ValueError(f"categorical_features is a mask of length {len(wanted)}, but X has {len(table.names)} columns.")
            return wanted.tolist()
        known = range(len(table.names)) if wanted.dtype.kind in "iu" else table.names
        unknown = [w for w in wanted.tolist() if w not in known]
        if unknown:
            raise ValueError(f"categorical_features names {unknown[0]!r}, which is not a column of X.")
        return [(j in wanted) if wanted.dtype.kind in "iu" else (n in wanted) for j, n in enumerate(table.names)]

    def transform(self, X):
        """Read a later table: (n, p) floats. Unseen levels are counted in one `UnseenCategoryWarning`."""
        if type(X) is np.ndarray and X.dtype == np.float64 and not any(f.levels for f in self.features_) and np.isfinite(X).all():
            return X  # the common case, kept short: one patient must be answered in microseconds
        table = read_table(X)
        encoded = np.empty((table.n_rows, len(self.features_)), order="F")
        unseen = []
        for j, (feature, column) in enumerate(zip(self.features_, table.columns, strict=True)):
            if feature.kind == "category":
                text = as_text(column)
                encoded[:, j] = _codes(text, feature)
                new = encoded[:, j] == -1
                if new.any():
                    labels = sorted({text.labels[c] for c in text.codes[new]})
                    unseen.append(f"{feature.name!r}: {', '.join(map(repr, labels[:5]))}{' ...' if len(labels) > 5 else ''} ({int(new.sum())} rows)")
            elif isinstance(column, Text):
                raise DataError(f"Column {feature.name!r} was numeric in training but holds text ({column.labels[0][:40]!r}) now.")
            else:
                encoded[:, j] = column
        if unseen:
            warnings.warn("Levels that training did not have count as neutral (contribution 0) in column " + "; ".join(unseen),
                          UnseenCategoryWarning, stacklevel=4)
        return encoded


def _codes(text, feature):
    """Codes in the feature's own level order: NaN missing, -1 unseen."""
    lookup = {v: float(k) for k, v in enumerate(feature.levels)}
    return np.array([lookup.get(v, -1.0) for v in text.labels] + [np.nan])[text.codes]
