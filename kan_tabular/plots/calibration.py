"""CalibrationCurveDisplay: are the probabilities right?"""

import numpy as np

from kan_tabular.metrics import calibration_measures, grouped_calibration, smooth_calibration
from kan_tabular.metrics.reading import positive_class, read_binary, read_labels
from kan_tabular.plots._outcomes import one_against_others, predicted_class
from kan_tabular.plots._style import new_axes, number_format, palette, quiet_spines, safe_text, text_colour

_STRIP = 0.16  # height of the strip of predictions below the curve, in units of the frequency
_BINS = 50  # bars of that strip


class CalibrationCurveDisplay:
    """The frequency of an event against its predicted probability.

    A smooth curve with its band and groups of rows with intervals, the calibration measures in a corner, and below them
    where the predictions were: rows with the event upwards, the others downwards. For points without intervals
    `sklearn.calibration.CalibrationDisplay` does. It is recommended to use :meth:`from_estimator` or
    :meth:`from_predictions`. All parameters are stored as attributes.

    Parameters
    ----------
    curve : kan_tabular.metrics.SmoothCalibration
    groups : pandas.DataFrame
        As `kan_tabular.metrics.grouped_calibration` returns it.
    measures : kan_tabular.metrics.CalibrationMeasures
    histogram : tuple of ndarray (edges, events, others)
        Numbers of rows between the edges, with and without the event.
    event : str, default="event"
        What is predicted.
    name : str, default=None
        Title, such as the name of the model.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    line_ : matplotlib Line2D
        The smooth curve.
    text_ : matplotlib Text
        The measures.
    """

    def __init__(self, *, curve, groups, measures, histogram, event="event", name=None):
        self.curve = curve
        self.groups = groups
        self.measures = measures
        self.histogram = histogram
        self.event = event
        self.name = name

    @classmethod
    def from_estimator(cls, estimator, X, y, *, class_=None, sample_weight=None, n_bins=10, name=None, ax=None):
        """Predict, measure and draw.

        Parameters
        ----------
        estimator : classifier or Pipeline
            Fitted, of this package or another.
        X : table of shape (n_samples, n_columns)
            Rows that the model was not trained on.
        y : array-like of shape (n_samples,)
            Their labels.
        class_ : label, default=None
            The class whose probability is judged (against all others); by default the last.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies.
        n_bins : int, default=10
            Groups, of about equal numbers of rows.
        name : str, default=None
            Title; by default the name of the estimator's class.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : CalibrationCurveDisplay
        """
        labels, probability, class_ = predicted_class(estimator, X, y, class_, cls.__name__)
        event = one_against_others(labels, class_)
        name = type(estimator).__name__ if name is None else name
        settings = {"sample_weight": sample_weight, "n_bins": n_bins, "name": name, "ax": ax}
        return cls._measure(event, probability, True, str(class_), **settings)

    @classmethod
    def from_predictions(cls, y_true, y_prob, *, pos_label=None, sample_weight=None, n_bins=10, name=None, ax=None):
        """Measure and draw.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels of two classes.
        y_prob : array-like of shape (n_samples,)
            Probability of the positive class.
        pos_label : label, default=None
            The positive class; by default the second in order.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies.
        n_bins : int, default=10
            Groups, of about equal numbers of rows.
        name : str, default=None
            Title.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : CalibrationCurveDisplay
        """
        event = str(positive_class(read_labels(y_true), pos_label))
        settings = {"sample_weight": sample_weight, "n_bins": n_bins, "name": name, "ax": ax}
        return cls._measure(y_true, y_prob, pos_label, event, **settings)

    @classmethod
    def _measure(cls, y_true, y_prob, pos_label, event, *, sample_weight, n_bins, name, ax):
        read = {"sample_weight": sample_weight, "pos_label": pos_label}
        measures = calibration_measures(y_true, y_prob, **read)
        outcome = read_binary(y_true, y_prob, **read, name="y_prob", probability=True)
        edges = np.linspace(0, 1, _BINS + 1)
        counts = [
            np.histogram(outcome.score[which], edges, weights=outcome.weight[which])[0]
            for which in (outcome.event, ~outcome.event)
        ]
        display = cls(
            curve=smooth_calibration(y_true, y_prob, **read),
            groups=grouped_calibration(y_true, y_prob, n_bins, **read),
            measures=measures,
            histogram=(edges, *counts),
            event=event,
            name=name,
        )
        return display.plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the curve, the groups, the measures and the strip of predictions.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : CalibrationCurveDisplay
            This display.
        """
        self.ax_ = ax = new_axes(ax, figsize=(5.4, 5.6))
        self.figure_ = ax.figure
        colour, second = palette()[:2]
        muted = text_colour()
        curve, groups = self.curve, self.groups
        ax.plot([0, 1], [0, 1], color=muted, alpha=0.45, linewidth=0.8, linestyle="--", label="perfect")
        ax.fill_between(curve.predicted, curve.low, curve.high, color=colour, alpha=0.2, linewidth=0)
        (self.line_,) = ax.plot(curve.predicted, curve.observed, color=colour, linewidth=1.8, label="smooth, 95% band")
        ax.vlines(groups["predicted"], groups["low"], groups["high"], color=second, linewidth=1.4, alpha=0.85)
        points = f"{len(groups)} group{'s' * (len(groups) > 1)}, 95% interval"
        ax.plot(
            groups["predicted"],
            groups["observed"],
            "o",
            color=second,
            markersize=4.5,
            label=points,
            clip_on=False,
            zorder=3,
        )
        self._draw_strip(ax, colour, muted)

        # The measures stand in the corner that the curve leaves free.
        above = np.mean(np.asarray(curve.observed) - curve.predicted) > 0
        self.text_ = ax.annotate(
            _measures_text(self.measures),
            (1, 0) if above else (0, 1),
            xytext=(-6, 6) if above else (6, -6),
            textcoords="offset points",
            ha="right" if above else "left",
            va="bottom" if above else "top",
            fontsize="small",
            linespacing=1.4,
        )
        event = safe_text(self.event, width=24)
        ax.set_xlabel(f"predicted probability of {event}")
        ax.set_ylabel(f"observed frequency of {event}")
        ax.set(xlim=(0, 1), ylim=(-_STRIP, 1), yticks=np.linspace(0, 1, 6), aspect="equal")
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, fontsize="small")
        if self.name is not None:
            ax.set_title(safe_text(self.name, width=48), pad=26)
        quiet_spines(ax, keep=("left", "bottom"))
        return self

    def _draw_strip(self, ax, colour, muted):
        """Rows with the event upwards, others downwards, each to its own scale with its number beside it."""
        edges, events, others = self.histogram
        middle, reach = -0.54 * _STRIP, 0.38 * _STRIP
        ax.axhline(middle, color=muted, alpha=0.45, linewidth=0.8)
        for counts, sign, shade in ((events, 1, colour), (others, -1, muted)):
            heights = sign * reach * counts / (counts.max() or 1.0)
            alpha = 0.7 if sign == 1 else 0.4
            ax.bar(edges[:-1], heights, np.diff(edges), middle, align="edge", color=shade, alpha=alpha, linewidth=0)
        for counts, sign, name in ((events, 1, "with"), (others, -1, "without")):
            ax.annotate(
                f"{counts.sum():,.0f} {name}",
                (1, middle + 0.5 * sign * reach),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize="x-small",
                annotation_clip=False,
            )


def _measures_text(measures):
    write = number_format(1.0)

    def line(name, interval):
        value, low, high = (_number(number, write) for number in interval)
        return f"{name} {value} ({low} to {high})"

    return "\n".join([line("slope", measures.slope), line("intercept", measures.intercept), f"ICI {measures.ici:.3f}"])


def _number(value, write):
    if np.isnan(value):
        return "undefined"
    return write(value) if np.isfinite(value) else ("" if value > 0 else "\N{MINUS SIGN}") + "\N{INFINITY}"
