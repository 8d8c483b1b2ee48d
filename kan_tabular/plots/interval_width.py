"""IntervalWidthDisplay: where a model is less sure, along one feature."""

import numpy as np

from kan_tabular.plots._conformal import column, is_numeric, percent, read_conformal
from kan_tabular.plots._style import check_count, new_axes, palette, quiet_spines, safe_labels, safe_text, text_colour

#: Groups of rows whose median width makes the line.
_GROUPS = 20
_MOST_LEVELS = 20


class IntervalWidthDisplay:
    """Widths of intervals against the values of a feature, with the median along it.

    It is recommended to use :meth:`from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    values : ndarray (m,)
        Values of the feature: numbers, or levels.
    widths : ndarray (m,)
        Widths of the rows' intervals; infinite ones are drawn at the upper edge.
    name : str
        Of the feature.
    confidence_level : float

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    points_ : matplotlib Line2D
    medians_ : matplotlib Line2D
        The median width in groups of equally many rows, or of each level.
    """

    def __init__(self, *, values, widths, name, confidence_level):
        self.values = values
        self.widths = widths
        self.name = name
        self.confidence_level = confidence_level

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        feature,
        *,
        confidence_level=None,
        conditional_on=None,
        weights=None,
        max_points=2000,
        ax=None,
    ):
        """Predict the intervals of new rows and draw.

        Parameters
        ----------
        estimator : ConformalRegressor, or a pipeline that ends in one
        X : table of shape (m, n_features)
        feature : str or array-like (m,)
            The name of a column of `X`, or a value for each row.
        confidence_level : float, optional
            One of the estimator's levels; by default the first.
        conditional_on, weights
            As `predict_interval` takes them.
        max_points : int, default=2000
            Most points to draw, evenly spaced in the table; the medians are of all rows.
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : IntervalWidthDisplay
        """
        model = read_conformal(estimator, X, cls.__name__, conditional_on, weights)
        if model.classifies:
            raise TypeError(f"{cls.__name__} is for intervals; {type(model.estimator).__name__} has sets of classes.")
        k = model.position(confidence_level)
        low, high = model.predict()[:, :, k].T
        name, values = column(X, feature, len(low), "feature")
        display = cls(values=values, widths=high - low, name=name, confidence_level=model.levels[k])
        return display.plot(max_points=max_points, ax=ax)

    def plot(self, *, max_points=2000, ax=None):
        """Draw points and medians.

        Parameters
        ----------
        max_points : int, default=2000
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : IntervalWidthDisplay
            This display.
        """
        check_count("max_points", max_points)
        widths = np.asarray(self.widths, dtype=float)
        values = np.asarray(self.values)
        finite = widths[np.isfinite(widths)]
        top = 1.12 * finite.max() if finite.size else 1.0
        at, centres, medians, labels = (
            self._numbers(values, widths) if is_numeric(values) else self._levels(values, widths)
        )
        self.ax_ = ax = new_axes(ax, figsize=(5.8, 3.6))
        self.figure_ = ax.figure
        colour, mark = palette()[:2]
        some = np.unique(np.linspace(0, len(at) - 1, min(len(at), max_points)).round().astype(int))
        drawn = np.minimum(widths[some], top)
        (self.points_,) = ax.plot(at[some], drawn, "o", ms=3, alpha=0.35, mew=0, color=colour)
        style = (
            {"marker": "o", "ms": 3.5, "lw": 1.8} if labels is None else {"marker": "_", "ms": 22, "mew": 2.4, "lw": 0}
        )
        (self.medians_,) = ax.plot(centres, np.minimum(medians, top), color=mark, **style)
        if labels is not None:
            turned = max(map(len, labels)) * len(labels) > 60
            ax.set_xticks(centres, labels, rotation=40 if turned else 0, ha="right" if turned else "center")
            ax.set_xlim(-0.6, len(labels) - 0.4)
        ax.set_ylim(0, 1.02 * top)
        if not np.isfinite(widths).all():
            n = int((~np.isfinite(widths)).sum())
            ax.set_title(f"{n} unbounded, at the upper edge", fontsize="small", color=text_colour())
        ax.set_xlabel(safe_text(self.name, width=48))
        ax.set_ylabel(f"width of the {percent(self.confidence_level)} interval")
        quiet_spines(ax, keep=("left", "bottom"))
        return self

    @staticmethod
    def _numbers(values, widths):
        at = values.astype(float)
        known = np.flatnonzero(np.isfinite(at))
        if not len(known):
            return at, np.zeros(0), np.zeros(0), None
        order = known[np.argsort(at[known], kind="stable")]
        parts = np.array_split(order, min(_GROUPS, max(len(known) // 5, 1)))
        return at, [np.median(at[p]) for p in parts], [np.median(widths[p]) for p in parts], None

    @staticmethod
    def _levels(values, widths):
        import pandas as pd

        texts = np.where(pd.isna(values), "missing", values.astype(str))
        names, place, count = np.unique(texts, return_inverse=True, return_counts=True)
        kept = np.sort(np.argsort(-count, kind="stable")[:_MOST_LEVELS])
        position = np.full(len(names), np.nan)
        position[kept] = np.arange(len(kept))
        spread = 0.5 * (np.random.default_rng(0).random(len(values)) - 0.5)
        medians = [np.median(widths[place == k]) for k in kept]
        return position[place] + spread, np.arange(len(kept)), medians, safe_labels(names[kept], width=16)
