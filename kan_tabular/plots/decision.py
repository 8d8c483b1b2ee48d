"""DecisionCurveDisplay: do decisions by a model do more good than harm?"""

from kan_tabular.metrics import net_benefit
from kan_tabular.metrics.reading import positive_class, read_labels
from kan_tabular.plots._outcomes import named, one_against_others, predicted_class
from kan_tabular.plots._style import class_styles, new_axes, quiet_spines, safe_labels, safe_text, text_colour


class DecisionCurveDisplay:
    """Net benefit of one or several models at each threshold, beside treating everyone and no one.

    A model is worth using at the thresholds at which its curve is above both others. It is recommended to use
    :meth:`from_estimator` or :meth:`from_predictions`. All parameters are stored as attributes.

    Parameters
    ----------
    tables : dict
        The table of `kan_tabular.metrics.net_benefit` of each model by name.
    event : str, default="event"
        What is predicted.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    lines_ : dict of matplotlib Line2D
        The curve of each model by name.
    """

    def __init__(self, *, tables, event="event"):
        self.tables = tables
        self.event = event

    @classmethod
    def from_estimator(cls, estimators, X, y, *, class_=None, thresholds=None, sample_weight=None, ax=None):
        """Predict, measure and draw.

        Parameters
        ----------
        estimators : classifier or Pipeline, or dict of these by name
            Fitted, of this package or others.
        X : table of shape (n_samples, n_columns)
            Rows that the models were not trained on.
        y : array-like of shape (n_samples,)
            Their labels.
        class_ : label, default=None
            The class that calls for treatment; by default the last.
        thresholds : array-like, default=None
            From 0 to below 1; by default 0.01, 0.02, ..., 0.99.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : DecisionCurveDisplay
        """
        found = {
            name: predicted_class(estimator, X, y, class_, cls.__name__)
            for name, estimator in named(estimators, type(estimators).__name__).items()
        }
        events = list(dict.fromkeys(event for _, _, event in found.values()))
        if len(events) > 1:
            raise ValueError(
                f"The last class is not the same for all models ({events[0]!r}, {events[1]!r}): give class_."
            )
        probabilities = {name: probability for name, (_, probability, _) in found.items()}
        outcome = one_against_others(read_labels(y, "y"), events[0])
        settings = {"thresholds": thresholds, "sample_weight": sample_weight, "ax": ax}
        return cls._measure(outcome, probabilities, True, str(events[0]), **settings)

    @classmethod
    def from_predictions(cls, y_true, y_prob, *, pos_label=None, thresholds=None, sample_weight=None, ax=None):
        """Measure and draw.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels of two classes.
        y_prob : array-like of shape (n_samples,), or dict of these by name
            Probabilities of the positive class, of one or several models.
        pos_label : label, default=None
            The positive class; by default the second in order.
        thresholds : array-like, default=None
            From 0 to below 1; by default 0.01, 0.02, ..., 0.99.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : DecisionCurveDisplay
        """
        event = str(positive_class(read_labels(y_true), pos_label))
        settings = {"thresholds": thresholds, "sample_weight": sample_weight, "ax": ax}
        return cls._measure(y_true, named(y_prob, "model"), pos_label, event, **settings)

    @classmethod
    def _measure(cls, y_true, probabilities, pos_label, event, *, thresholds, sample_weight, ax):
        tables = {
            name: net_benefit(y_true, probability, thresholds, sample_weight=sample_weight, pos_label=pos_label)
            for name, probability in probabilities.items()
        }
        return cls(tables=tables, event=event).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : DecisionCurveDisplay
            This display.
        """
        self.ax_ = ax = new_axes(ax, figsize=(6.4, 4.4))
        self.figure_ = ax.figure
        muted = text_colour()
        first = next(iter(self.tables.values()))
        ax.axhline(0, color=muted, alpha=0.7, linewidth=1.0, label="treat none")
        ax.plot(
            first["threshold"],
            first["treat_all"],
            color=muted,
            alpha=0.7,
            linewidth=1.0,
            linestyle=(0, (1, 1.5)),
            label="treat all",
        )
        self.lines_ = {}
        labels = safe_labels(self.tables, width=32)
        styles = class_styles(len(self.tables))
        for (name, table), label, (colour, style) in zip(self.tables.items(), labels, styles, strict=True):
            (self.lines_[name],) = ax.plot(
                table["threshold"], table["model"], color=colour, linestyle=style, linewidth=1.8, label=label
            )
        # Curves fall without bound where a model or "treat all" does harm; the reader needs to see that, not how much.
        top = max(first["treat_all"].max(), *(table["model"].max() for table in self.tables.values()), 1e-3)
        ax.set_ylim(-0.15 * top, 1.08 * top)
        ax.set_xlim(0, max(first["threshold"].max(), 0.01))
        ax.set_xlabel(f"threshold: treat from this probability of {safe_text(self.event, width=24)} on")
        ax.set_ylabel("net benefit (true positives per person)")
        ax.legend(frameon=False, fontsize="small")
        quiet_spines(ax, keep=("left", "bottom"))
        return self
