"""NomogramDisplay: an additive model to be read with a ruler."""

import numpy as np
from sklearn.base import is_classifier

from kan_tabular.plots._style import (
    check_count,
    new_axes,
    palette,
    quiet_spines,
    safe_labels,
    safe_text,
    text_colour,
    write_prediction,
    write_value,
)
from kan_tabular.plots.shape import in_original_units
from kan_tabular.source import one_row, read_source

#: Points of the longest axis.
_MOST = 100.0
#: Those that must not be left out first.
_PROBABILITIES = (0.5, 0.1, 0.9, 0.01, 0.99, 0.001, 0.999, 0.3, 0.7, 0.05, 0.95, 0.2, 0.8, 0.4, 0.6)
#: Width of a character of a label, in points of the axis (about, at the default size).
_CHARACTER = 1.05


class NomogramDisplay:
    """Points for each value, their total, and the prediction that it leads to.

    Each axis shows which values of a column stand for how many points on the scale on top; the lowest effect of each
    column is 0 points, the widest range of effects 100. Where a curve rises, values are above the axis, where it falls
    below it. Columns that are not shown are taken to be average. It is recommended to use :meth:`from_estimator`. All
    parameters are stored as attributes.

    Parameters
    ----------
    shapes : list of shapes
        One a feature, as ``shape_function`` returns them.
    feature_names : list of str
        Name of each feature.
    base_value : float
        Linear predictor of the average row.
    inverse_link : callable
        From linear predictors (n,) to predictions (n,).
    prediction_name : str
        Name of the prediction, such as ``"P(malignant)"``.
    contributions : array-like of shape (n_features,), default=None
        Those of a row to be marked.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    features_ : list of int
        Positions of the shown features, from top to bottom.
    ticks_ : list of list of (str, float)
        Labels and points that are drawn on the axis of each of them.
    total_ : float or None
        Points of the marked row.
    """

    def __init__(self, *, shapes, feature_names, base_value, inverse_link, prediction_name, contributions=None):
        self.shapes = shapes
        self.feature_names = feature_names
        self.base_value = base_value
        self.inverse_link = inverse_link
        self.prediction_name = prediction_name
        self.contributions = contributions

    @classmethod
    def from_estimator(cls, estimator, X=None, row=0, *, max_features=12, ax=None):
        """Read the curves of a model and draw the nomogram.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A fitted additive model with a single score (two classes, or a number), or a pipeline that ends in one.
        X : table of shape (n_samples, n_features), default=None
            A table that holds a row to be marked.
        row : int, default=0
            Position of the row in `X`.
        max_features : int, default=12
            Most axes to draw, those with the widest range of effects.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : NomogramDisplay
        """
        source = read_source(estimator, needs="shape_function", display=cls.__name__)
        model = source.estimator
        if not hasattr(model.network_, "contributions"):
            raise TypeError(
                f"{cls.__name__} needs an additive model, such as KAAMClassifier: the features of this "
                f"{type(model).__name__} also work together, so their points would not add up."
            )
        if model.network_.n_outputs != 1:
            raise ValueError(
                f"{cls.__name__} needs a model with one score; this one has {model.network_.n_outputs}, and no single "
                "total leads to the probability of a class. Fit one class against the others."
            )
        shapes, names = [], []
        for i, name in enumerate(source.names):
            panel, shown = in_original_units(source, i, {None: model.shape_function(name)})
            shapes.append(panel[None])
            names.append(shown)
        contributions = None
        if X is not None:
            contributions = np.asarray(model.explain(source.transform(one_row(X, row))).values, dtype=float)[0]
        display = cls(
            shapes=shapes,
            feature_names=names,
            base_value=float(model.network_.base[0]),
            inverse_link=model.network_.likelihood.inverse_link,
            prediction_name=f"P({model.classes_[1]})" if is_classifier(model) else "predicted value",
            contributions=contributions,
        )
        return display.plot(max_features=max_features, ax=ax)

    def predict(self, total):
        """Prediction for a total of points, as the last drawing has them."""
        return self.inverse_link(self._start + self._unit * np.asarray(total, dtype=float))

    def plot(self, *, max_features=12, ax=None):
        """Draw the nomogram.

        Parameters
        ----------
        max_features : int, default=12
            Most axes to draw, those with the widest range of effects.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : NomogramDisplay
            This display.
        """
        check_count("max_features", max_features)
        effects = [_effects(shape) for shape in self.shapes]
        ranges = np.array([np.ptp(e) for e in effects])
        self.features_ = np.argsort(-ranges, kind="stable")[:max_features].tolist()
        self._unit = ranges.max() / _MOST or 1.0
        lowest = np.array([effects[i].min() for i in self.features_])
        most = sum(ranges[i] for i in self.features_) / self._unit or 1.0
        self._start = self.base_value + lowest.sum()
        points = None
        if self.contributions is not None:
            rest = [i for i in range(len(self.shapes)) if i not in self.features_]
            self._start += np.asarray(self.contributions)[rest].sum()
            points = (np.asarray(self.contributions)[self.features_] - lowest) / self._unit
        self.total_ = None if points is None else float(points.sum())

        n = len(self.features_)
        self.ax_ = ax = new_axes(ax, figsize=(8.2, 1.2 + 0.46 * (n + 3)))
        self.figure_ = ax.figure
        rounds = np.arange(0, 101, 10)
        ax.vlines(rounds, 0, n, color=text_colour(), alpha=0.15, linewidth=0.8, zorder=0)
        self._rule(ax, 0, _MOST, [(f"{v:g}", v) for v in rounds])
        self.ticks_ = []
        for row, (i, low) in enumerate(zip(self.features_, lowest, strict=True), 1):
            ticks = [(text, (effect - low) / self._unit, up) for text, effect, up in _values(self.shapes[i])]
            self.ticks_.append(self._axis(ax, row, ranges[i] / self._unit, ticks))
        self._totals(ax, n + 1, most)
        if points is not None:
            mark = {"linestyle": "", "marker": "D", "markersize": 6, "color": palette()[1], "zorder": 4}
            ax.plot(points, np.arange(1, n + 1), **mark)
            ax.plot(np.full(2, self.total_ / most * _MOST), [n + 1, n + 2], **mark)
        names = safe_labels([self.feature_names[i] for i in self.features_], width=28)
        prediction = safe_text(self.prediction_name, width=28)
        ax.set_yticks(range(n + 3), ["points", *names, "total points", prediction])
        ax.set_ylim(n + 2.7, -0.7)
        ax.set_xlim(-3, _MOST + 3)
        ax.set_xticks([])
        ax.tick_params(axis="y", length=0)
        quiet_spines(ax, keep=())
        self._note(ax, prediction)
        return self

    def _note(self, ax, prediction):
        notes = []
        if self.total_ is not None:
            value = write_prediction(float(self.predict(self.total_)), self.prediction_name)
            notes.append(f"marked: {self.total_:.0f} points, {prediction} = {value}")
        if any(
            self.shapes[i].kind == "numeric" and not _is_monotone(np.asarray(self.shapes[i].y)) for i in self.features_
        ):
            notes.append(
                "where values lie on both sides, the curve rises along those above and falls along those below"
            )
        ax.set_xlabel("\n".join(notes), fontsize="small")

    def _rule(self, ax, row, width, ticks):
        """An axis with all labels above it."""
        self._axis(ax, row, width, [(text, at, True) for text, at in ticks])

    def _axis(self, ax, row, width, ticks):
        """An axis of some points with those of the `ticks` (label, points, above) for which there is room."""
        colour = text_colour()
        ax.hlines(row, 0, width, color=colour, linewidth=1)
        taken, drawn = [], []
        for text, at, above in ticks:
            half = _CHARACTER * (len(text) + 1) / 2
            if any(side == above and abs(at - other) < half + room for other, room, side in taken):
                continue
            taken.append((at, half, above))
            drawn.append((text, at))
            tip = -0.14 if above else 0.14
            ax.vlines(at, row, row + tip, color=colour, linewidth=1)
            ax.text(at, row + 1.3 * tip, text, ha="center", va="bottom" if above else "top", fontsize="x-small")
        return drawn

    def _totals(self, ax, row, most):
        """The total, and below it the prediction, stretched to the same width."""
        from matplotlib.ticker import MaxNLocator

        totals = [t for t in MaxNLocator(10).tick_values(0, most) if 0 <= t <= most]
        self._rule(ax, row, _MOST, [(f"{t:g}", t / most * _MOST) for t in totals])
        grid = np.linspace(0, most, 20_001)
        predictions = self.predict(grid)
        low, high = predictions[0], predictions[-1]
        is_probability = self.prediction_name.startswith("P(")
        values = _PROBABILITIES if is_probability else MaxNLocator(8).tick_values(low, high)
        values = [v for v in values if low <= v <= high]
        at = np.interp(values, predictions, grid) / most * _MOST
        write = (lambda v: f"{v:g}") if is_probability else write_value
        ticks = [(write(v), float(a), not is_probability or v <= 0.5) for v, a in zip(values, at, strict=True)]
        self._axis(ax, row + 1, _MOST, ticks)


def _effects(shape):
    """All effects that a feature can have."""
    missing = [] if shape.missing is None else [shape.missing.value]
    return np.append(np.asarray(shape.y, dtype=float), missing)


def _values(shape):
    """Values worth a tick, those that must not be left out first: (label, effect, whether above the axis)."""
    missing = [] if shape.missing is None else [("missing", float(shape.missing.value), False)]
    y = np.asarray(shape.y, dtype=float)
    if shape.kind != "numeric":
        order = np.argsort(-np.asarray(shape.density.weight, dtype=float), kind="stable")
        labels = safe_labels(shape.x, width=16)
        return missing + [(labels[i], float(y[i]), bool(k % 2 == 0)) for k, i in enumerate(order)]
    from matplotlib.ticker import MaxNLocator

    x = np.asarray(shape.x, dtype=float)
    if not np.ptp(y):
        return missing
    order = np.argsort(x)  # undone preprocessing may turn the column round
    x, y = x[order], y[order]
    slopes, monotone = np.diff(y), _is_monotone(y)
    nice = [v for v in MaxNLocator(12, steps=[1, 2, 5, 10]).tick_values(x[0], x[-1]) if x[0] <= v <= x[-1]]
    # Ends of the rounded values, then every second one, then those between: whatever has room.
    nice = [*nice[:1], *nice[-1:], *nice[2:-1:2], *nice[1:-1:2]]
    step = np.clip(np.searchsorted(x, nice, side="right") - 1, 0, len(slopes) - 1)
    above = [monotone or bool(slopes[s] >= 0) for s in step]
    effects = np.interp(nice, x, y)
    return missing + [(write_value(v), float(e), up) for v, e, up in zip(nice, effects, above, strict=True)]


def _is_monotone(y):
    slopes = np.diff(y)
    return bool((slopes >= 0).all() or (slopes <= 0).all())
