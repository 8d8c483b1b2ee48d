"""ContributionDisplay: how one row's prediction comes about."""

import numpy as np
from sklearn.base import is_classifier

from kan_tabular.plots._style import (
    check_count,
    new_axes,
    number_format,
    palette,
    quiet_spines,
    safe_labels,
    safe_text,
    text_colour,
    write_value,
)
from kan_tabular.source import one_row, read_source, shown_data


class ContributionDisplay:
    """Waterfall of one row, from the base value down to the prediction.

    The largest contribution comes first; those that are not shown one by one are added up in a last bar, so the bars
    always lead from the base value to the prediction. It is recommended to use :meth:`from_estimator`. All parameters
    are stored as attributes.

    Parameters
    ----------
    contributions : array-like of shape (n_features,)
        Contribution of each feature on the scale of `response`.
    base_value : float
        Prediction before any contribution.
    feature_names : list of str
        Names of the features.
    data : list of length n_features
        Value of each feature in the row.
    prediction : float
        What the contributions lead to, as users read it: a probability, or a predicted value.
    prediction_name : str
        Name of `prediction`, such as ``"P(malignant)"``.
    response : str, default="log-odds"
        Name of the scale on which contributions add up.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    bars_ : matplotlib BarContainer
        The bars from top to bottom, each from the running total before its feature to the one after.
    annotation_ : matplotlib Text
        The text at the end of the waterfall.
    """

    def __init__(
        self, *, contributions, base_value, feature_names, data, prediction, prediction_name, response="log-odds"
    ):
        self.contributions = contributions
        self.base_value = base_value
        self.feature_names = feature_names
        self.data = data
        self.prediction = prediction
        self.prediction_name = prediction_name
        self.response = response

    @classmethod
    def from_estimator(cls, estimator, X, row=0, *, class_=None, max_features=10, ax=None):
        """Explain one row of a table and draw the result.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A fitted additive model, or a pipeline that ends in one.
        X : table of shape (n_samples, n_features)
            The table that holds the row, as `estimator` takes it.
        row : int, default=0
            Position of the row in `X`.
        class_ : object, default=None
            For a multiclass model the class to explain; by default the one predicted for the row.
        max_features : int, default=10
            Most features to show one by one; those beyond are added up.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : ContributionDisplay
        """
        source = read_source(estimator, needs="explain", display=cls.__name__)
        table = one_row(X, row)
        encoded = source.transform(table)
        explanation = source.estimator.explain(encoded)
        contributions = np.asarray(explanation.values, dtype=float)[0]
        base_values = np.ravel(np.asarray(explanation.base_values, dtype=float))
        response, k = source.response, None
        if is_classifier(source.estimator):
            classes = source.estimator.classes_
            probabilities = source.estimator.predict_proba(encoded)[0]
            if class_ is None and source.classes is not None:
                class_ = classes[int(np.argmax(probabilities))]
            k = source.class_index(class_)
            shown_class = len(classes) - 1 if k is None else k
            prediction, prediction_name = probabilities[shown_class], f"P({classes[shown_class]})"
            response = f"log-odds of {classes[shown_class]}"
        else:
            source.class_index(class_)
            prediction, prediction_name = source.estimator.predict(encoded)[0], "predicted value"
        display = cls(
            contributions=contributions if k is None else contributions[:, k],
            base_value=float(base_values[0 if k is None else k]),
            feature_names=source.shown_names,
            data=shown_data(source, table, np.asarray(explanation.data, dtype=object)[0]),
            prediction=float(prediction),
            prediction_name=prediction_name,
            response=response,
        )
        return display.plot(max_features=max_features, ax=ax)

    def plot(self, *, max_features=10, ax=None):
        """Draw the waterfall.

        Parameters
        ----------
        max_features : int, default=10
            Most features to show one by one; those beyond are added up.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : ContributionDisplay
            This display.
        """
        check_count("max_features", max_features)
        contributions = np.asarray(self.contributions, dtype=float)
        order = np.argsort(-np.abs(contributions), kind="stable")
        shown, rest = order[:max_features], order[max_features:]
        names = safe_labels([self.feature_names[i] for i in shown], width=28)
        labels = [f"{name} = {write_value(self.data[i])}" for name, i in zip(names, shown, strict=True)]
        steps = contributions[shown]
        if rest.size:
            labels.append(f"other ({rest.size} feature{'s' if rest.size > 1 else ''})")
            steps = np.append(steps, contributions[rest].sum())
        totals = self.base_value + np.concatenate([[0.0], np.cumsum(steps)])

        self.ax_ = ax = new_axes(ax, figsize=(7.2, 1.3 + 0.32 * (len(steps) + 2)))
        self.figure_ = ax.figure
        muted = text_colour()
        rows = np.arange(1, len(steps) + 1)
        negative, positive, *_ = palette()
        colours = [positive if step > 0 else negative for step in steps]
        self.bars_ = ax.barh(rows, steps, left=totals[:-1], height=0.62, color=colours, linewidth=0)
        # A thin line carries each running total from its row to the next.
        ax.vlines(totals, np.arange(len(totals)) - 0.31, np.arange(len(totals)) + 1.31, color=muted, alpha=0.5, lw=0.8)
        ax.plot(totals[[0, -1]], [0, len(steps) + 1], linestyle="", marker="o", markersize=5, color=muted)
        self._write_numbers(ax, totals, steps)

        ax.set_yticks(np.arange(len(steps) + 2), ["base value", *labels, "prediction"])
        ax.set_ylim(len(steps) + 1.6, -0.6)
        span = np.ptp(totals) or 1.0
        ax.set_xlim(totals.min() - 0.22 * span, totals.max() + 0.22 * span)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel(safe_text(self.response, width=60))
        quiet_spines(ax, keep=("bottom",))
        return self

    def _write_numbers(self, ax, totals, steps):
        write = number_format(np.abs(steps).max())
        for i, step in enumerate(steps):
            ax.annotate(
                write(step, sign="+"),
                (totals[i + 1], i + 1),
                xytext=(4 if step > 0 else -4, 0),
                textcoords="offset points",
                ha="left" if step > 0 else "right",
                va="center",
                fontsize="small",
            )
        if self.response == "target":  # the running total is the prediction already
            outcome = f"{safe_text(self.prediction_name, width=24)} = {write(self.prediction)}"
        else:
            outcome = f"{write(totals[-1])}   {self._write_outcome()}"
        end = len(steps) + 1
        ends = [(totals[0], 0, write(totals[0])), (totals[-1], end, "")]
        texts = []
        for total, row, text in ends:
            left_half = total <= (totals.min() + totals.max()) / 2
            texts.append(
                ax.annotate(
                    text,
                    (total, row),
                    xytext=(8 if left_half else -8, 0),
                    textcoords="offset points",
                    ha="left" if left_half else "right",
                    va="center",
                )
            )
        self.annotation_ = texts[1]
        self.annotation_.set_text(outcome)
        self.annotation_.set_fontweight("bold")

    def _write_outcome(self):
        name = safe_text(self.prediction_name, width=24)
        if not self.prediction_name.startswith("P("):
            return f"{name} = {number_format(abs(self.prediction))(self.prediction)}"
        if not 0.001 <= self.prediction <= 0.999:  # no finite sum of contributions makes a prediction certain
            return f"{name} < 0.001" if self.prediction < 0.5 else f"{name} > 0.999"
        return f"{name} = {self.prediction:.3f}"
