"""ImportanceDisplay: which features carry the predictions."""

import numpy as np

from kan_tabular.plots._style import (
    check_count,
    new_axes,
    number_format,
    palette,
    quiet_spines,
    safe_labels,
    text_colour,
)
from kan_tabular.source import read_source


class ImportanceDisplay:
    """Bars of feature importance, the most important feature on top.

    It is recommended to use :meth:`from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    importances : array-like of shape (n_features,)
        Importance of each feature.
    feature_names : list of str
        Names of the features.
    label : str, default="importance"
        What the importances are: the label of the axis.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    bars_ : matplotlib BarContainer
        The bars from top to bottom; a bar of aggregated features comes last.
    """

    def __init__(self, *, importances, feature_names, label="importance"):
        self.importances = importances
        self.feature_names = feature_names
        self.label = label

    @classmethod
    def from_estimator(cls, estimator, X=None, *, kind="mean_abs", max_features=20, ax=None):
        """Read a model's importances and draw them.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A fitted additive model, or a pipeline that ends in one.
        X : table of shape (n_samples, n_features), default=None
            Data on which to measure importance. By default that of the training data is shown, as shares of the whole.
        kind : {"mean_abs", "variance"}, default="mean_abs"
            Mean absolute contribution, or variance of the contribution; the latter needs `X`.
        max_features : int, default=20
            Most bars to draw; the features beyond are added up in one bar.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : ImportanceDisplay
        """
        if kind not in ("mean_abs", "variance"):
            raise ValueError(f"kind must be 'mean_abs' or 'variance'; got {kind!r}.")
        source = read_source(estimator, needs="importance", display=cls.__name__)
        if X is not None:
            importances = source.estimator.importance(source.transform(X), kind=kind)
            measure = "mean |contribution|" if kind == "mean_abs" else "variance of contribution"
            label = f"{measure} to {source.response}"
        elif kind == "mean_abs":
            importances, label = source.estimator.feature_importances_, "share of mean |contribution|"
        else:
            raise ValueError("kind='variance' needs data to measure it on, as the model keeps none; pass X.")
        display = cls(importances=np.asarray(importances, dtype=float), feature_names=source.shown_names, label=label)
        return display.plot(max_features=max_features, ax=ax)

    def plot(self, *, max_features=20, ax=None):
        """Draw the bars.

        Parameters
        ----------
        max_features : int, default=20
            Most bars to draw; the features beyond are added up in one bar.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : ImportanceDisplay
            This display.
        """
        check_count("max_features", max_features)
        importances = np.asarray(self.importances, dtype=float)
        order = np.argsort(-importances, kind="stable")
        shown, rest = order[:max_features], order[max_features:]
        values = list(importances[shown])
        labels = safe_labels([self.feature_names[i] for i in shown], width=32)
        if rest.size:
            values.append(importances[rest].sum())
            labels.append(f"other ({rest.size} feature{'s' if rest.size > 1 else ''})")

        self.ax_ = ax = new_axes(ax, figsize=(6.4, 0.9 + 0.27 * len(values)))
        self.figure_ = ax.figure
        rows = np.arange(len(values))
        self.bars_ = ax.barh(rows, values, height=0.68, color=palette()[0], linewidth=0)
        if rest.size:
            self.bars_[-1].set(color=text_colour(), alpha=0.35)
        write = number_format(max(values))
        ax.bar_label(self.bars_, labels=[write(value) for value in values], padding=4, fontsize="small", alpha=0.8)
        ax.set_yticks(rows, labels)
        ax.set_ylim(len(values) - 0.4, -0.6)
        ax.set_xlim(0, 1.13 * max(values) or 1.0)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel(self.label)
        quiet_spines(ax, keep=("bottom",))
        return self
