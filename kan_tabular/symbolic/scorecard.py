"""Points that can be added up by hand: an additive model of two classes as a clinical score.

Each column is cut into bands, each band gives whole points, and a table turns their total into a probability (Sullivan,
Massaro & D'Agostino 2004, Statistics in Medicine 23: 1631-1660).
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from kan_tabular.exceptions import FormulaError
from kan_tabular.symbolic.formula import Formula
from kan_tabular.symbolic.tables import encode

#: Values of a column at which its curve is read.
_GRID = 200


@dataclass(frozen=True)
class ColumnPoints:
    """Points of one column.

    Attributes
    ----------
    position : int
        Of the column among the features.
    cuts : ndarray (n_bands - 1,)
        Of a number: a band reaches from one cut to below the next. Empty for a category.
    points : ndarray of int (n_bands,) or (n_levels,)
    share : ndarray
        Share of the rows in each.
    missing : int
        Points where the value is missing.
    other : int
        Points of a level that training did not have; numbers have none, and it means nothing.
    missing_share : float
    """

    position: int
    cuts: np.ndarray
    points: np.ndarray
    share: np.ndarray
    missing: int
    other: int
    missing_share: float

    def read(self, x, category):
        """Points (n,) of encoded values `x` (n,)."""
        known = ~np.isnan(x)
        index = np.where(known, x, 0.0).astype(int) if category else np.searchsorted(self.cuts, x, side="right")
        points = np.where(index >= 0, self.points[np.clip(index, 0, len(self.points) - 1)], self.other)
        return np.where(known, points, self.missing)


@dataclass(frozen=True)
class ScorecardAuc:
    """Areas under the ROC curve of the model and of its scorecard, and their difference."""

    model: float
    scorecard: float

    @property
    def cost(self):
        return self.model - self.scorecard


class Scorecard:
    """Whole points per band, their total, and the probability that goes with it.

    It is recommended to use `from_model`, or `to_scorecard` of an estimator.

    Parameters
    ----------
    features : sequence of Feature
    columns : sequence of ColumnPoints
    unit : float
        What one point stands for on the scale of the log-odds.
    origin : float
        Log-odds of no points.
    classes : tuple of two labels
    model : FittedNetwork, FormulaNetwork or Formula
        What it was made from.

    Attributes
    ----------
    auc_ : ScorecardAuc or None
        What the points cost, where `to_scorecard` was given X and y.
    """

    def __init__(self, features, columns, unit, origin, classes, model):
        self.features = features
        self.columns = columns
        self.unit = unit
        self.origin = origin
        self.classes = classes
        self.model = model
        self.auc_ = None

    @classmethod
    def from_model(cls, model, X=None, *, classes=(0, 1), max_bands=5, max_points=10):
        """Turn an additive model of two classes into points.

        Parameters
        ----------
        model : FittedNetwork, FormulaNetwork or Formula
            Of one layer, with one output on the logit scale.
        X : table, optional
            Rows whose density says where bands matter. Networks keep that of their training rows, a `Formula` does
            not.
        classes : sequence of two labels, default=(0, 1)
            The probability is the second's. A formula's own labels come first.
        max_bands : int, default=5
            Most bands of a number. There are as many as keep the error of the points below half a point (root mean
            square), if that many are allowed.
        max_points : int, default=10
            Points of the column that matters most: what one point is worth follows from where its effect lies for 90%
            of the rows (the others may get more). Columns that would not get half a point anywhere are left out.

        Returns
        -------
        scorecard : Scorecard

        Raises
        ------
        FormulaError
            A model that is not additive or not of two classes, or a `Formula` without `X`; fewer than 2 bands or 1
            point.
        """
        _check(model, X, max_bands, max_points)
        if isinstance(model, Formula):
            classes = model.classes
        Z = None if X is None else encode(model.features, _used(model), X)
        curves = [c for j in range(len(model.features)) if (c := _curve(model, j, Z)) is not None]
        largest = max((_range(effect, weight) for _, _, weight, effect, _, _ in curves), default=0.0)
        if not largest:
            raise FormulaError("the model gives every row the same score: there are no points to give.")
        unit = largest / max_points
        columns, origin = [], _base(model)
        for position, x, weight, effect, missing, other in curves:
            category = model.features[position].kind == "category"
            share = _missing_share(model, position, Z)
            column, rest = _points(position, x, weight, effect, missing, other, share, unit, category, max_bands)
            origin += rest
            if np.any(column.points) or (share and column.missing):
                columns.append(column)
        return cls(tuple(model.features), tuple(columns), unit, origin, tuple(classes), model)

    def total(self, X):
        """Points of each row of a table: (n,) whole numbers."""
        names = [self.features[c.position].name for c in self.columns]
        return self._total(encode(self.features, names, X))

    def _total(self, Z):
        out = np.zeros(len(Z), dtype=int)
        for c in self.columns:
            out += c.read(Z[:, c.position], self.features[c.position].kind == "category")
        return out

    def predict_proba(self, X):
        """Probabilities of both classes: (n, 2)."""
        p = expit(self.origin + self.unit * self.total(X))
        return np.stack([1 - p, p], axis=1)

    def auc(self, X, y):
        """What whole points cost in discrimination.

        Parameters
        ----------
        X : table
        y : array-like (n,)
            Labels; the second of `classes` is the event.

        Returns
        -------
        auc : ScorecardAuc
            ``model``, ``scorecard`` and ``cost``, their difference.
        """
        from sklearn.metrics import roc_auc_score

        event = np.asarray(y) == self.classes[1]
        if event.all() or not event.any():
            raise FormulaError(f"y must hold {self.classes[1]!r} and another class: there is no AUC of a single one.")
        Z = encode(self.features, _used(self.model), X)
        own = _base(self.model) + _effects(self.model, Z).sum(1)
        return ScorecardAuc(float(roc_auc_score(event, own)), float(roc_auc_score(event, self._total(Z))))

    @property
    def table(self):
        """One row a band: DataFrame with ``column``, ``band``, ``points`` and ``share`` of the rows."""
        import pandas as pd

        rows = [row for c in self.columns for row in self._rows(c)]
        return pd.DataFrame(rows, columns=["column", "band", "points", "share"])

    def _rows(self, c):
        feature = self.features[c.position]
        if feature.kind == "category":
            for p in sorted(set(c.points.tolist())):
                same = np.flatnonzero(c.points == p)
                yield feature.name, ", ".join(feature.levels[k] for k in same), p, float(c.share[same].sum())
            yield feature.name, "any other level", c.other, 0.0
        else:
            for k, text in enumerate(_bands(c.cuts)):
                yield feature.name, text, int(c.points[k]), float(c.share[k])
        if c.missing_share:
            yield feature.name, "missing", c.missing, c.missing_share

    @property
    def probabilities(self):
        """The probability of every total that can be reached: DataFrame with ``total`` and ``probability``."""
        import pandas as pd

        kinds = [self.features[c.position].kind for c in self.columns]
        ends = [
            [*c.points, c.missing, *([c.other] if kind == "category" else [])]
            for c, kind in zip(self.columns, kinds, strict=True)
        ]
        totals = np.arange(sum(map(min, ends)), sum(map(max, ends)) + 1)
        return pd.DataFrame({"total": totals, "probability": expit(self.origin + self.unit * totals)})

    def to_markdown(self):
        """Both tables as Markdown."""
        from kan_tabular.symbolic.writers.markdown import cell

        lines = ["| column | band | points |", "|---|---|---|"]
        before = None
        for row in self.table.itertuples(index=False):
            lines.append(f"| {'' if row.column == before else cell(row.column)} | {cell(row.band)} | {row.points} |")
            before = row.column
        lines += ["", f"| total | probability of {cell(str(self.classes[1]))} |", "|---|---|"]
        lines += [f"| {t} | {p:.1%} |" for t, p in self.probabilities.itertuples(index=False)]
        if self.auc_ is not None:
            lines += ["", f"AUC {self.auc_.scorecard:.4f} (model: {self.auc_.model:.4f})."]
        return "\n".join([*lines, ""])


def _check(model, X, max_bands, max_points):
    for name, value, least in (("max_bands", max_bands, 2), ("max_points", max_points, 1)):
        if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
            raise FormulaError(f"{name}={value!r}: expected an integer of at least {least}.")
    link = model.link if isinstance(model, Formula) else model.likelihood.link_name
    if link != "logit":
        raise FormulaError(f"a scorecard needs a model of two classes; this one has the link {link!r}.")
    formula = model if isinstance(model, Formula) else getattr(model, "formula", None)
    if formula is not None and formula.joint_columns:
        joint = ", ".join(map(repr, formula.joint_columns))
        raise FormulaError(f"a scorecard needs an additive formula; in this one columns meet in hidden nodes: {joint}.")
    if isinstance(model, Formula):
        if X is None:
            raise FormulaError("a formula keeps no rows: give X, the rows whose density says where bands matter.")
    elif not hasattr(model, "contributions"):
        raise FormulaError("a scorecard needs an additive model; this network has hidden layers.")


def _used(model):
    return model.columns if isinstance(model, Formula) else [f.name for f in model.features]


def _base(model):
    return model.outputs[0].constant if isinstance(model, Formula) else float(model.base[0])


def _effects(model, Z):
    """What each column adds (n, p)."""
    if not isinstance(model, Formula):
        return model.contributions(Z)[:, :, 0]
    (parts,) = model.contributions_encoded(Z)
    names = [f.name for f in model.features]
    out = np.zeros(Z.shape)
    for k, name in enumerate(model.outputs[0].arguments):
        out[:, names.index(name)] += parts[:, k]
    return out


def _missing_share(model, j, Z):
    return model.features[j].missing if Z is None else float(np.isnan(Z[:, j]).mean())


def _curve(model, j, Z):
    """Position, values, their weights and effects, and the effects of a missing value and of a new level; or None."""
    feature = model.features[j]
    if Z is not None and feature.name not in _used(model):
        return None
    if feature.kind == "category":
        x = np.arange(len(feature.levels), dtype=float)
        weight = model.density[j] if Z is None else np.bincount(Z[Z[:, j] >= 0, j].astype(int), minlength=len(x))
    elif Z is None:
        edges = model.density_edges[j]
        x, weight = (edges[:-1] + edges[1:]) / 2, model.density[j]
    else:
        x, weight = _thinned(Z[~np.isnan(Z[:, j]), j])
    if feature.kind != "category":
        x, weight = x[weight > 0], weight[weight > 0]
    if not len(x):
        return None
    rows = np.zeros((len(x) + 2, len(model.features)))
    rows[:, j] = [*x, np.nan, -1.0 if feature.kind == "category" else x[0]]
    effect = _effects(model, rows)[:, j]
    return j, x, weight / weight.sum(), effect[:-2], effect[-2], effect[-1]


def _range(effect, weight):
    """How far apart the effects of 90% of the rows lie; of all rows, if these have all the same."""
    order = np.argsort(effect)
    low, high = effect[order][np.searchsorted(np.cumsum(weight[order]), [0.05, 0.95])]
    return float(high - low) or float(np.ptp(effect))


def _thinned(x):
    """At most `_GRID` values that stand for all of `x`, and their weights."""
    values, counts = np.unique(x, return_counts=True)
    if len(values) <= _GRID:
        return values, counts.astype(float)
    cell = np.minimum((np.cumsum(counts) - counts) * _GRID // len(x), _GRID - 1)
    weight = np.bincount(cell, counts, _GRID)
    mean = np.bincount(cell, counts * values, _GRID) / np.where(weight > 0, weight, 1)
    return mean[weight > 0], weight[weight > 0]


def _points(position, x, weight, effect, missing, other, missing_share, unit, category, max_bands):
    """Points of a column, and the mean of what they leave over."""
    if category:
        starts, means = np.arange(len(x)), effect
    else:
        starts, means = _best_bands(effect, weight, unit / 2, max_bands)
    present = [*means, missing] if missing_share else means
    lowest = min(present)
    points = np.rint((np.asarray(means) - lowest) / unit).astype(int)
    if not category:
        # Neighbours with the same points are one band.
        keep = np.append(True, np.diff(points) != 0)
        starts, points = np.asarray(starts)[keep], points[keep]
    share = np.add.reduceat(weight, starts)
    cuts = [_between(x[s - 1], x[s]) for s in starts[1:]] if not category else []
    given = np.repeat(points, np.diff([*starts, len(x)])) * unit
    at_missing, at_other = (int(np.rint((v - lowest) / unit)) for v in (missing, other))
    rest = (weight * (effect - given)).sum() * (1 - missing_share) + missing_share * (missing - unit * at_missing)
    known = share * (1 - missing_share)
    return ColumnPoints(position, np.array(cuts), points, known, at_missing, at_other, missing_share), float(rest)


def _best_bands(y, weight, tolerance, most):
    """Starts and means of the fewest bands of a curve whose root mean square error is at most `tolerance`.

    The best bands of each number by dynamic programming (Fisher 1958, JASA 53: 789-798).
    """
    n = len(y)
    w, wy, wyy = (np.append(0.0, np.cumsum(weight * v)) for v in (np.ones(n), y, y**2))

    def error(i, j):
        """Sums of squares of the bands i ... j - 1."""
        return np.maximum(wyy[j] - wyy[i] - (wy[j] - wy[i]) ** 2 / (w[j] - w[i]), 0.0)

    best = np.append(0.0, [error(0, j) for j in range(1, n + 1)])
    origins = []
    for _ in range(1, min(most, n)):
        if np.sqrt(best[n] / w[n]) <= tolerance:
            break
        new, origin = best.copy(), np.zeros(n + 1, dtype=int)
        for j in range(1, n + 1):
            i = np.arange(j)
            total = best[:j] + error(i, j)
            origin[j] = int(total.argmin())
            new[j] = total[origin[j]]
        best = new
        origins.append(origin)
    stops = [n]
    for origin in reversed(origins):
        stops.append(int(origin[stops[-1]]))
    starts = np.unique([0, *[s for s in stops if s < n]])
    ends = np.append(starts[1:], n)
    return starts, (wy[ends] - wy[starts]) / (w[ends] - w[starts])


def _between(low, high):
    """The shortest decimal number above `low` and not above `high`."""
    middle = (low + high) / 2
    for digits in range(-12, 16):
        value = round(middle, digits)
        if low < value <= high:
            return float(value)
    return float(high)


def _bands(cuts):
    """Bands as text."""
    texts = [f"{c:.15g}" for c in cuts]
    if not texts:
        return ["any value"]
    return [
        f"below {texts[0]}",
        *(f"{a} to below {b}" for a, b in zip(texts[:-1], texts[1:], strict=True)),
        f"{texts[-1]} or more",
    ]
