"""CoverageDisplay: how often sets or intervals contain the truth, in each group."""

import numpy as np

from kan_tabular.plots._conformal import column, is_numeric, percent, read_conformal
from kan_tabular.plots._style import (
    check_count,
    new_axes,
    palette,
    quiet_spines,
    safe_labels,
    safe_text,
    text_colour,
)

#: Numbers with more different values than this are cut into quarters.
_MOST_VALUES = 8


class CoverageDisplay:
    """Coverage of all rows and of each group, with Wilson's intervals, beside the level that was promised.

    It is recommended to use :meth:`from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    groups : list
        What each line is about; from top to bottom.
    n : array-like of int (k,)
        Rows of each.
    coverage, low, high : array-like (k,)
        Share of the rows that are covered, and its interval.
    confidence_level : float
        What was promised.
    name : str, default=None
        What the groups are of.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    points_ : matplotlib Line2D
        One point a line that is drawn.
    """

    def __init__(self, *, groups, n, coverage, low, high, confidence_level, name=None):
        self.groups = groups
        self.n = n
        self.coverage = coverage
        self.low = low
        self.high = high
        self.confidence_level = confidence_level
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        by=None,
        confidence_level=None,
        level=0.95,
        max_groups=20,
        conditional_on=None,
        weights=None,
        ax=None,
    ):
        """Count on new rows and draw.

        Parameters
        ----------
        estimator : ConformalClassifier, ConformalRegressor, or a pipeline that ends in one
        X : table of shape (m, n_features)
            Rows that neither trained nor calibrated the estimator.
        y : array-like (m,)
        by : str or array-like (m,), optional
            Groups: the name of a column, or a value for each row (`y` itself for the classes). Numbers with more than
            eight values are cut into quarters.
        confidence_level : float, optional
            One of the estimator's levels; by default the first.
        level : float, default=0.95
            Of Wilson's intervals.
        max_groups : int, default=20
            Most groups to draw: those with the most rows.
        conditional_on, weights
            As `predict_set` and `predict_interval` take them.
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : CoverageDisplay
        """
        from kan_tabular.uncertainty import covers

        model = read_conformal(estimator, X, cls.__name__, conditional_on, weights)
        k = model.position(confidence_level)
        covered = covers(y, model.predict()[:, :, k], model.estimator.classes_ if model.classifies else None)
        name, by = (None, by) if by is None else column(X, by, len(covered), "by")
        return cls.from_predictions(
            covered, by, confidence_level=model.levels[k], name=name, level=level, max_groups=max_groups, ax=ax
        )

    @classmethod
    def from_predictions(cls, covered, groups=None, *, confidence_level, name=None, level=0.95, max_groups=20, ax=None):
        """Draw the coverage of rows that were counted before.

        Parameters
        ----------
        covered : array-like of bool (m,)
            From `kan_tabular.uncertainty.covers`.
        groups : array-like (m,), optional
        confidence_level : float
            What was promised.
        name, level, max_groups, ax
            As in `from_estimator`, with the groups' name.
        """
        from kan_tabular.uncertainty import coverage_by_group

        codes, labels = (None, []) if groups is None else _grouped(column(None, groups, len(covered), "groups")[1])
        table = coverage_by_group(covered, codes, level=level)
        lines = {key: table[key].tolist() for key in ("n", "coverage", "low", "high")}
        display = cls(groups=["all", *labels], **lines, confidence_level=confidence_level, name=name)
        return display.plot(max_groups=max_groups, ax=ax)

    def plot(self, *, max_groups=20, ax=None):
        """Draw one line a group.

        Parameters
        ----------
        max_groups : int, default=20
            Most groups to draw: those with the most rows.
        ax : matplotlib Axes, default=None

        Returns
        -------
        display : CoverageDisplay
            This display.
        """
        check_count("max_groups", max_groups)
        n = np.asarray(self.n)
        rest = np.arange(1, len(n))
        shown = np.sort(rest[np.argsort(-n[1:], kind="stable")][:max_groups])
        shown = np.concatenate([[0], shown]).astype(int)
        value, low, high = (np.asarray(v, dtype=float)[shown] for v in (self.coverage, self.low, self.high))
        rows = np.arange(len(shown)) + 0.35 * (np.arange(len(shown)) > 0)
        self.ax_ = ax = new_axes(ax, figsize=(6.2, 1.2 + 0.3 * len(shown)))
        self.figure_ = ax.figure
        colour, mark = palette()[:2]
        ax.axvline(self.confidence_level, color=mark, linewidth=1.4, linestyle="--", zorder=1)
        ax.hlines(rows, low, high, color=colour, linewidth=2.2, alpha=0.75)
        (self.points_,) = ax.plot(value, rows, "o", ms=5.5, color=colour, lw=0)
        counts = [f"{label}  (n = {n[i]:,})" for label, i in zip(self._labels(shown), shown, strict=True)]
        ax.set_yticks(rows, counts)
        ax.set_ylim(rows[-1] + 0.7, -0.7)
        ax.set_xlim(min(low.min(), self.confidence_level) - 0.03, 1.01)
        ax.tick_params(axis="y", length=0)
        ax.xaxis.set_major_formatter(lambda x, _: percent(round(x, 6)))
        ax.set_xlabel(f"covered (promised: {percent(self.confidence_level)})")
        said = [] if self.name is None else [f"by {safe_text(self.name, width=44)}"]
        if len(shown) < len(n):
            said.append(f"{len(shown) - 1} largest of {len(n) - 1} groups")
        ax.set_title(", ".join(said), fontsize="small", color=text_colour())
        quiet_spines(ax, keep=("bottom",))
        return self

    def _labels(self, shown):
        return ["all rows", *safe_labels([self.groups[i] for i in shown[1:]], width=36)]


def _grouped(values):
    """Codes (m,) of the groups and their labels, in order; many numbers are cut into quarters."""
    import pandas as pd

    if is_numeric(values) and len(pd.unique(values)) > _MOST_VALUES:
        cut = pd.qcut(values, 4, duplicates="drop", precision=2)
        codes, labels = np.asarray(cut.codes), [f"{i.left:.4g} to {i.right:.4g}" for i in cut.categories]
    else:
        codes, found = pd.factorize(np.asarray(values), sort=True)
        labels = [str(label) for label in found]
    if (codes < 0).any():
        codes, labels = np.where(codes < 0, len(labels), codes), [*labels, "missing"]
    return codes, labels
