"""RadarDisplay: the prediction if only one feature departed from the average patient, feature by feature."""

import numpy as np

from kan_tabular.explain.spaces import encode
from kan_tabular.plots._style import (
    check_count,
    palette,
    safe_labels,
    safe_text,
    text_colour,
    write_prediction,
    write_value,
)
from kan_tabular.source import one_row, read_source, shown_data

#: From so many spokes on their labels are turned outward.
_CROWDED = 12
#: Share of the radius that lies inside the lowest value, where the spokes would run together.
_HOLE = 0.12


class RadarDisplay:
    """One spoke a feature: the prediction when this feature alone is the patient's and all others are average.

    The circle is the average prediction: a vertex outside it raises the prediction. Most important feature at the top,
    then clockwise. A network's features work together as well, which is not shown here: each is seen on its own. It is
    recommended to use :meth:`from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    values : array-like of shape (n_features,)
        Prediction with only this feature at the patient's value.
    average : float
        Prediction with all features at their average.
    importances : array-like of shape (n_features,)
        By which the features are ordered and chosen.
    feature_names : list of str
        Names of the features.
    data : list of length n_features
        Value of each feature in the row.
    prediction : float
        The patient's own prediction.
    prediction_name : str
        What is predicted, such as ``"P(malignant)"``.
    neighbors : array-like of shape (n_neighbors, n_features), default=None
        `values` of other rows.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib PolarAxes
    line_ : matplotlib Line2D
        The patient's polygon.
    average_line_ : matplotlib Line2D
    neighbor_lines_ : list of matplotlib Line2D

    References
    ----------
    Apellaniz et al. (2025), arXiv 2509.16750: probability radar plot.
    """

    def __init__(
        self, *, values, average, importances, feature_names, data, prediction, prediction_name, neighbors=None
    ):
        self.values = values
        self.average = average
        self.importances = importances
        self.feature_names = feature_names
        self.data = data
        self.prediction = prediction
        self.prediction_name = prediction_name
        self.neighbors = neighbors

    @classmethod
    def from_estimator(cls, estimator, X, row=0, *, cohort=None, neighbors=None, class_=None, max_features=10, ax=None):
        """Compute the spokes of one row of a table and draw them.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A fitted model, or a pipeline that ends in one.
        X : table of shape (n_samples, n_features)
            The table that holds the row, as `estimator` takes it.
        row : int, default=0
            Position of the row in `X`.
        cohort : table of shape (n, n_features), default=None
            Whose average it is: contributions are averaged over these rows, and their variances order the features. By
            default the training data, and `feature_importances_`.
        neighbors : table of shape (n_neighbors, n_features), default=None
            Other rows to draw faintly, such as similar cases.
        class_ : object, default=None
            For a multiclass model the class to show; by default the one predicted for the row. For several targets or
            quantiles the position of one.
        max_features : int, default=10
            Most spokes to draw.
        ax : matplotlib PolarAxes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : RadarDisplay
        """
        source = read_source(estimator, needs="explain", display=cls.__name__)
        table = one_row(X, row)
        taken = source.transform(table)
        network = source.estimator.network_
        effects = _effects(source, taken)
        if cohort is None:
            means, importances = np.zeros(effects.shape[1:]), source.estimator.feature_importances_
        else:
            others = _effects(source, source.transform(cohort))
            means, importances = others.mean(0), others.var(0).mean(1)
        average = network.base + means.sum(0)
        output, prediction, name = source.prediction(taken, class_)
        near = None if neighbors is None else _effects(source, source.transform(neighbors))
        display = cls(
            values=source.respond(average + effects - means)[0, :, output],
            average=float(source.respond(average)[output]),
            importances=np.asarray(importances, dtype=float),
            feature_names=source.shown_names,
            data=shown_data(source, table, np.asarray(taken, dtype=object)[0]),
            prediction=prediction,
            prediction_name=name,
            neighbors=None if near is None else source.respond(average + near - means)[:, :, output],
        )
        return display.plot(max_features=max_features, ax=ax)

    def plot(self, *, max_features=10, ax=None):
        """Draw the spokes.

        Parameters
        ----------
        max_features : int, default=10
            Most spokes to draw.
        ax : matplotlib PolarAxes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : RadarDisplay
            This display.
        """
        check_count("max_features", max_features)
        if ax is not None and ax.name != "polar":
            raise ValueError("ax must be polar: make it with subplot_kw={'projection': 'polar'}, or leave it None.")
        shown = np.argsort(-np.asarray(self.importances, dtype=float), kind="stable")[:max_features]
        values = np.asarray(self.values, dtype=float)[shown]
        n_neighbors = 0 if self.neighbors is None else len(self.neighbors)
        others = np.asarray(self.neighbors, dtype=float)[:, shown] if n_neighbors else np.empty((0, len(shown)))
        angles = 2 * np.pi * np.arange(len(shown)) / len(shown)

        names = safe_labels([self.feature_names[i] for i in shown], width=26)
        labels = [f"{name} = {write_value(self.data[i])}" for name, i in zip(names, shown, strict=True)]
        own_figure = ax is None
        self.ax_ = ax = _new_polar_axes(labels) if own_figure else ax
        self.figure_ = ax.figure
        ax.set_theta_zero_location("N")
        ax.set_theta_direction(-1)
        patient, near, *_ = palette()[1::-1]
        self._draw(ax, angles, values, others, colours=(patient, near))
        self._scale(ax, np.concatenate([values, others.ravel(), [self.average]]))
        self._label(ax, angles, labels)
        handles = [self.line_, self.average_line_, *self.neighbor_lines_[:1]]
        if own_figure:
            ax.figure.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False, fontsize="small")
        else:
            ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(-0.1, -0.1), frameon=False, fontsize="small")
        return self

    def _draw(self, ax, angles, values, others, colours):
        patient, near = colours
        around = np.linspace(0, 2 * np.pi, 181)
        (self.average_line_,) = ax.plot(
            around, np.full(181, self.average), color=text_colour(), linewidth=1.2, linestyle="--", alpha=0.7
        )
        self.average_line_.set_label(f"average: {write_prediction(self.average, self.prediction_name)}")

        def polygon(radii, **style):
            return ax.plot([*angles, angles[0]], [*radii, radii[0]], **style)[0]

        self.neighbor_lines_ = [
            polygon(radii, color=near, linewidth=0.9, alpha=0.55, marker="o", markersize=2.5) for radii in others
        ]
        for line in self.neighbor_lines_[:1]:
            line.set_label(f"{len(others)} other{'s' if len(others) > 1 else ''}")
        self.line_ = polygon(values, color=patient, linewidth=2, marker="o", markersize=5, zorder=3)
        name = safe_text(self.prediction_name, width=24)
        self.line_.set_label(f"{name}: {write_prediction(self.prediction, self.prediction_name)}")

    def _scale(self, ax, drawn):
        """Radial axis: probabilities from 0 where that does not waste the room; a hole keeps the spokes apart."""
        low, high = drawn.min(), drawn.max()
        is_probability = self.prediction_name.startswith("P(")
        if is_probability and low < 0.5 * high:
            low = 0.0
        margin = 0.08 * ((high - low) or abs(high) or 1.0)
        high = min(high + margin, 1.0) if is_probability else high + margin
        low = low if low == 0 else low - margin
        ax.set_rlim(low, high)
        ax.set_rorigin(low - _HOLE * (high - low))
        ticks = [tick for tick in _nice_ticks(low, high) if low <= tick <= high]
        write = (lambda tick: f"{100 * tick:g}%") if is_probability else write_value
        ax.set_rgrids(ticks, [write(tick) for tick in ticks], fontsize="x-small", alpha=0.8)
        # Between the first two spokes, so that the numbers do not lie on one.
        ax.set_rlabel_position(180 / max(len(self.line_.get_xdata()) - 1, 2))
        ax.grid(alpha=0.35)
        ax.spines[["polar", "inner"]].set_linewidth(0)  # drawing makes the inner one visible again

    def _label(self, ax, angles, labels):
        ax.set_xticks(angles, [""] * len(angles))
        crowded = len(labels) > _CROWDED
        for angle, label in zip(angles, labels, strict=True):
            side = np.sin(angle)
            rotation = 90 - np.degrees(angle)
            if crowded:
                turned = {"rotation": rotation if side >= 0 else rotation - 180, "rotation_mode": "anchor"}
                turned |= {"ha": "left" if side >= 0 else "right", "fontsize": "x-small"}
            else:
                turned = {"ha": "center" if abs(side) < 0.1 else "left" if side > 0 else "right", "fontsize": "small"}
            ax.annotate(
                label,
                (angle, ax.get_rmax()),
                xytext=(9 * side, 9 * np.cos(angle)),
                textcoords="offset points",
                annotation_clip=False,  # by rounding, the rim may count as outside
                va="center",
                **turned,
            )


def _new_polar_axes(labels):
    """Axes with room for the labels around them, which no layout of matplotlib leaves."""
    import matplotlib.pyplot as plt

    crowded = len(labels) > _CROWDED
    size, beside = (5.2, 0.064) if crowded else (3.8, 0.078)
    beside = 0.3 + beside * max(map(len, labels))  # inches
    above, below = (beside, beside + 0.45) if crowded else (0.45, 0.85)
    width, height = size + 2 * beside, size + above + below
    figure = plt.figure(figsize=(width, height))
    return figure.add_axes([beside / width, below / height, size / width, size / height], projection="polar")


def _effects(source, table):
    """What each feature adds on its own (n, p, n_outputs), of rows as the model takes them."""
    return source.estimator.network_.effects(encode(source.estimator, table))


def _nice_ticks(low, high):
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
