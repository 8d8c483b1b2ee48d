"""SetSizeDisplay: how many classes the sets leave open."""

import numpy as np

from kan_tabular.plots._conformal import percent, read_conformal
from kan_tabular.plots._style import new_axes, palette, quiet_spines

#: Larger sets share a bar.
_LARGEST = 12


class SetSizeDisplay:
    """How many rows have sets of 0, 1, 2, ... classes.

    It is recommended to use :meth:`from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    shares : ndarray (n_sizes, n_levels)
        Share of the rows whose set has 0, 1, ... classes.
    levels : list of float
        Levels of confidence.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    bars_ : list of matplotlib BarContainer
        One a level.
    """

    def __init__(self, *, shares, levels):
        self.shares = shares
        self.levels = levels

    @classmethod
    def from_estimator(cls, estimator, X, *, conditional_on=None, weights=None, ax=None):
        """Predict the sets of new rows, count and draw, every level of the estimator beside the others.

        Parameters
        ----------
        estimator : ConformalClassifier, or a pipeline that ends in one
        X : table of shape (m, n_features)
        conditional_on, weights
            As `predict_set` takes them.
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : SetSizeDisplay
        """
        model = read_conformal(estimator, X, cls.__name__, conditional_on, weights)
        if not model.classifies:
            raise TypeError(f"{cls.__name__} is for sets of classes; {type(model.estimator).__name__} has intervals.")
        return cls.from_predictions(model.predict(), levels=model.levels, ax=ax)

    @classmethod
    def from_predictions(cls, sets, *, levels, ax=None):
        """Count and draw.

        Parameters
        ----------
        sets : array-like of bool (m, n_classes, n_levels), or (m, n_classes) of a single level
        levels : float or sequence of float
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : SetSizeDisplay
        """
        sets = np.asarray(sets, dtype=bool)
        sets = sets[:, :, None] if sets.ndim == 2 else sets
        levels = np.atleast_1d(levels).tolist()
        if sets.ndim != 3 or not len(sets) or sets.shape[2] != len(levels):
            raise ValueError(
                f"sets has shape {sets.shape}, and there are {len(levels)} levels: give one slice a level."
            )
        counts = [np.bincount(own, minlength=sets.shape[1] + 1) for own in sets.sum(1).T]
        return cls(shares=np.stack(counts, axis=1) / len(sets), levels=levels).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : SetSizeDisplay
            This display.
        """
        shares = np.asarray(self.shares, dtype=float)
        labels = [str(size) for size in range(len(shares))]
        if len(shares) > _LARGEST + 1:
            shares = np.vstack([shares[:_LARGEST], shares[_LARGEST:].sum(0)])
            labels = [*labels[:_LARGEST], f"{_LARGEST}+"]
        self.ax_ = ax = new_axes(ax, figsize=(max(4.2, 0.5 * len(labels) * (1 + 0.3 * len(self.levels))), 3.2))
        self.figure_ = ax.figure
        width = 0.8 / len(self.levels)
        self.bars_, colours = [], palette()
        for k, level in enumerate(self.levels):
            at = np.arange(len(labels)) + (k - (len(self.levels) - 1) / 2) * width
            colour = colours[k % len(colours)]
            self.bars_.append(ax.bar(at, shares[:, k], 0.92 * width, color=colour, linewidth=0, label=percent(level)))
            if len(labels) * len(self.levels) <= 16:
                texts = [f"{100 * share:.0f}" if share else "" for share in shares[:, k]]
                ax.bar_label(self.bars_[-1], labels=texts, padding=2, fontsize="x-small", alpha=0.8)
        ax.set_xticks(np.arange(len(labels)), labels)
        ax.set_xlabel("classes in the set")
        ax.set_ylabel("% of rows")
        ax.yaxis.set_major_formatter(lambda x, _: f"{100 * x:g}")
        ax.set_ylim(0, 1.1 * max(shares.max(), 0.01))
        if len(self.levels) > 1:
            ax.legend(title="confidence", frameon=False, fontsize="small", title_fontsize="small")
        else:
            ax.set_title(f"at {percent(self.levels[0])} confidence", fontsize="medium")
        quiet_spines(ax, keep=("left", "bottom"))
        return self
