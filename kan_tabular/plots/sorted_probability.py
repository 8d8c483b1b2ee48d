"""SortedProbabilityDisplay: who gets which probability, and who they are."""

import numpy as np

from kan_tabular.metrics.reading import distinct, positive_class, read_labels, read_numbers, refuse_beyond
from kan_tabular.plots._outcomes import predicted_class
from kan_tabular.plots._style import (
    check_count,
    new_axes,
    palette,
    quiet_spines,
    safe_labels,
    safe_text,
    text_colour,
)

_LOWEST = 1e-6  # probabilities below are drawn here: the scale is logarithmic
_STRIP = 0.22  # height of the strip of true classes, as a share of the axes


class SortedProbabilityDisplay:
    """Bars of the predicted probability in falling order, on a logarithmic scale, coloured by the true class.

    Up to `max_bars` rows have a bar each. Beyond, a bar stands for rows that follow each other: it is as high as their
    (geometric) mean probability, and a strip below shows which shares of them are of each class. It is recommended to
    use :meth:`from_estimator` or :meth:`from_predictions`. All parameters are stored as attributes.

    Parameters
    ----------
    y_true : ndarray of shape (n_samples,)
        True classes.
    y_prob : ndarray of shape (n_samples,)
        Predicted probability of `class_`.
    class_ : label
    name : str, default=None
        Title, such as the name of the model.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    heights_ : ndarray of shape (n_bars,)
        Probability that each bar shows.
    shares_ : dict of ndarray of shape (n_bars,)
        Share of each class among the rows of each bar, `class_` first.
    """

    def __init__(self, *, y_true, y_prob, class_, name=None):
        self.y_true = y_true
        self.y_prob = y_prob
        self.class_ = class_
        self.name = name

    @classmethod
    def from_estimator(cls, estimator, X, y, *, class_=None, max_bars=200, name=None, ax=None):
        """Predict and draw.

        Parameters
        ----------
        estimator : classifier or Pipeline
            Fitted, of this package or another.
        X : table of shape (n_samples, n_columns)
            Rows that the model was not trained on.
        y : array-like of shape (n_samples,)
            Their labels.
        class_ : label, default=None
            The class whose probability is shown; by default the last.
        max_bars : int, default=200
            Most bars to draw; more rows share them.
        name : str, default=None
            Title; by default the name of the estimator's class.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : SortedProbabilityDisplay
        """
        labels, probability, class_ = predicted_class(estimator, X, y, class_, cls.__name__)
        name = type(estimator).__name__ if name is None else name
        return cls(y_true=labels, y_prob=probability, class_=class_, name=name).plot(max_bars=max_bars, ax=ax)

    @classmethod
    def from_predictions(cls, y_true, y_prob, *, pos_label=None, max_bars=200, name=None, ax=None):
        """Draw.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels, of any number of classes.
        y_prob : array-like of shape (n_samples,)
            Probability of the class `pos_label`.
        pos_label : label, default=None
            By default the second of two classes, in order.
        max_bars : int, default=200
            Most bars to draw; more rows share them.
        name : str, default=None
            Title.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : SortedProbabilityDisplay
        """
        labels = read_labels(y_true)
        probability = read_numbers(y_prob, "y_prob", len(labels))
        refuse_beyond(probability, "y_prob")
        if pos_label is None:
            pos_label = positive_class(labels)
        return cls(y_true=labels, y_prob=probability, class_=pos_label, name=name).plot(max_bars=max_bars, ax=ax)

    def plot(self, *, max_bars=200, ax=None):
        """Draw the bars.

        Parameters
        ----------
        max_bars : int, default=200
            Most bars to draw; more rows share them.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : SortedProbabilityDisplay
            This display.
        """
        check_count("max_bars", max_bars)
        order = np.argsort(-np.asarray(self.y_prob), kind="stable")
        n_rows = len(order)
        groups = np.array_split(order, min(n_rows, max_bars))
        log_prob = np.log(np.maximum(self.y_prob, _LOWEST))
        self.heights_ = np.exp([log_prob[rows].mean() for rows in groups])
        names, members = self._shown_classes()
        self.shares_ = {
            name: np.array([which[rows].mean() for rows in groups]) for name, which in zip(names, members, strict=True)
        }

        self.ax_ = ax = new_axes(ax, figsize=(7.2, 4.4))
        self.figure_ = ax.figure
        edges = np.append(0, np.cumsum([len(rows) for rows in groups]))
        floor = 10 ** np.floor(np.log10(self.heights_.min()) - 0.05)
        first, second, *more = palette()
        styles = list(zip(safe_labels(names, width=24), (second, first, *more), strict=False))
        if len(groups) == n_rows:
            lowest, shared = floor, ""
            self._draw_rows(ax, edges, floor, styles)
        else:
            lowest, shared = floor ** (1 / (1 - _STRIP - 0.03)), f" (bars of about {n_rows / len(groups):.0f} rows)"
            self._draw_groups(ax, edges, floor, styles)
        frequency = np.mean(np.asarray(self.y_true) == self.class_)
        if frequency > floor:
            ax.axhline(frequency, color=text_colour(), alpha=0.7, linewidth=0.9, linestyle="--", label="its frequency")
        ax.set(yscale="log", xlim=(0, n_rows), ylim=(lowest, 1.0))
        decades = 10.0 ** np.arange(round(np.log10(floor)), 1)
        ax.set_yticks(decades)
        ax.set_yticks(np.outer(decades[:-1], np.arange(2, 10)).ravel(), minor=True)
        ax.set_xlabel(f"rank of the row{shared}")
        ax.set_ylabel(f"predicted probability of {safe_text(self.class_, width=24)}")
        legend = ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize="small")
        legend.set_title("true class", {"size": "small"})
        if self.name is not None:
            ax.set_title(safe_text(self.name, width=48))
        quiet_spines(ax, keep=("left", "bottom"))
        return self

    def _draw_rows(self, ax, edges, floor, styles):
        for share, (label, colour) in zip(self.shares_.values(), styles, strict=True):
            _fill_steps(ax, edges, floor, np.where(share > 0, self.heights_, floor), color=colour, label=label)

    def _draw_groups(self, ax, edges, floor, styles):
        """Bars without a class, and below them the strip of shares: on a logarithmic scale no bar can be divided."""
        _fill_steps(ax, edges, floor, self.heights_, color=text_colour(), alpha=0.35)
        below = np.zeros(len(self.heights_))
        for share, (label, colour) in zip(self.shares_.values(), styles, strict=True):
            low, high = _STRIP * below, _STRIP * (below + share)
            _fill_steps(ax, edges, low, high, color=colour, label=label, transform=ax.get_xaxis_transform())
            below = below + share
        ax.annotate(
            "shares of the\ntrue classes",
            (1, _STRIP / 2),
            xycoords="axes fraction",
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
        )

    def _shown_classes(self):
        """Classes with a colour of their own, `class_` first, then the most common ones; and which rows are of each."""
        labels = np.asarray(self.y_true)
        others = sorted(set(distinct(labels)) - {self.class_}, key=lambda label: -np.sum(labels == label))
        names, n_colours = [self.class_, *others], len(palette())
        if len(names) <= n_colours:
            return names, [labels == name for name in names]
        own = names[: n_colours - 1]
        members = [labels == name for name in own]
        rest = f"{len(names) - len(own)} other classes"
        return [*own, rest], [*members, ~np.any(members, axis=0)]


def _fill_steps(ax, edges, low, high, **style):
    """Bars without gaps between `edges` (n + 1,), from `low` (one for all, or (n,)) to `high` (n,)."""
    low = np.broadcast_to(low, high.shape)
    low, high = (np.append(values, values[-1]) for values in (low, high))
    ax.fill_between(edges, low, high, step="post", linewidth=0, **style)
