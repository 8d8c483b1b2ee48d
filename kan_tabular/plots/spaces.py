"""SpacesDisplay: which space of functions each column chose, and how the choice came about."""

import numpy as np

from kan_tabular.plots._style import check_count, class_styles, new_figure, quiet_spines, safe_labels, text_colour
from kan_tabular.source import read_source
from kan_tabular.training.stages import STAGES

#: Bars of spaces beyond the colours there are.
_HATCHES = ("", "////", "....", "xxxx")


class SpacesDisplay:
    """Chosen spaces of a network that selects them: a bar a column, and the weights of the spaces during training.

    It is recommended to use :meth:`from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    shares : array-like of shape (n_features, n_spaces)
        How much of the networks chose which space; NaN for columns with nothing to choose, or without networks.
    progress : array-like of shape (n_steps,)
        Of training, from 0 to 1.
    weights : array-like of shape (n_steps, n_features, n_spaces)
        Weights of the spaces at each of these points; NaN for columns with nothing to choose.
    space_names : list of str
    feature_names : list of str
    importances : array-like of shape (n_features,)
    stages : list of (float, str)
        Where in training each stage begins, and its name.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes, shape (2,)
        Bars on the left, weights on the right.
    features_ : list of int
        Positions of the columns that are shown, the most important first: those that choose.
    bars_ : list of matplotlib BarContainer
        One a space, with a bar for each shown column from top to bottom; empty without networks.
    lines_ : list of matplotlib Line2D
        One a space: its mean weight over the shown columns.
    """

    def __init__(self, *, shares, progress, weights, space_names, feature_names, importances, stages):
        self.shares = shares
        self.progress = progress
        self.weights = weights
        self.space_names = space_names
        self.feature_names = feature_names
        self.importances = importances
        self.stages = stages

    @classmethod
    def from_estimator(cls, estimator, *, max_features=8, ax=None):
        """Read what a model chose and draw it.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A fitted `SKANClassifier` or `SKANRegressor`, or a pipeline that ends in one.
        max_features : int, default=8
            Most columns to show, the most important ones. Columns with nothing to choose (such as categories) are
            not shown.
        ax : matplotlib Axes or two of them, default=None
            Where to draw: axes to be split, or one for each panel. By default a new figure is made.

        Returns
        -------
        display : SpacesDisplay
        """
        source = read_source(estimator, needs="space_shares", display=cls.__name__)
        shares, path = source.estimator.space_shares(), source.estimator.space_path_[0]
        display = cls(
            shares=shares.to_numpy(dtype=float),
            progress=path["progress"],
            weights=path["weights"],
            space_names=[str(name) for name in shares.columns],
            feature_names=source.shown_names,
            importances=source.estimator.feature_importances_,
            stages=list(STAGES),
        )
        return display.plot(max_features=max_features, ax=ax)

    def plot(self, *, max_features=8, ax=None):
        """Draw both panels.

        Parameters
        ----------
        max_features, ax
            As in :meth:`from_estimator`.

        Returns
        -------
        display : SpacesDisplay
            This display.
        """
        check_count("max_features", max_features)
        shares, weights = np.asarray(self.shares, dtype=float), np.asarray(self.weights, dtype=float)
        order = np.argsort(-np.asarray(self.importances, dtype=float), kind="stable")
        choosing = [int(j) for j in order if not np.isnan(weights[:, j]).any()]
        self.features_ = choosing[:max_features]
        n_rows = max(len(self.features_), 1)
        self.axes_ = _two_axes(ax, height=max(3.1, 1.5 + 0.3 * n_rows))
        left, right = self.axes_
        self.figure_ = left.figure

        self.bars_, self.lines_ = [], []
        left.set_title("chosen spaces", fontsize="medium")
        right.set_title("weights of the spaces while training", fontsize="medium")
        if not choosing:
            for panel in self.axes_:
                _say(panel, "No column has a space\nto choose.")
            return self
        styles = class_styles(len(self.space_names))
        if np.isnan(shares[self.features_]).any():
            _say(left, "No network has weight:\nthe additive part alone\ncarries the prediction.")
        else:
            self._draw_shares(left, shares[self.features_], styles)
            if len(choosing) > max_features:
                left.set_title(f"chosen spaces ({max_features} of {len(choosing)} columns)", fontsize="medium")
        self._draw_path(right, weights[:, self.features_].mean(1), styles)
        self._add_legend(styles, own_figure=ax is None)
        return self

    def _draw_shares(self, ax, shares, styles):
        rows, start = np.arange(len(shares)), np.zeros(len(shares))
        for s, (colour, _) in enumerate(styles):
            look = {"color": colour, "hatch": _hatch(styles, s), "edgecolor": ax.get_facecolor(), "linewidth": 0.8}
            self.bars_.append(ax.barh(rows, shares[:, s], left=start, height=0.68, **look))
            start = start + shares[:, s]
        ax.set_yticks(rows, safe_labels([self.feature_names[j] for j in self.features_], width=28))
        room = 0.6 + max(3 - len(rows), 0) / 2  # no bar is a block
        ax.set_ylim(len(rows) - 1 + room, -room)
        ax.set_xlim(0, 1)
        ax.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f}%")
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel("share of the networks, by weight")
        quiet_spines(ax, keep=("bottom",))

    def _draw_path(self, ax, weights, styles):
        progress = np.array(self.progress, dtype=float)
        step = progress[1] - progress[0] if len(progress) > 1 else 0.0
        if len(progress) > 2 and progress[-1] > progress[-2] + 1.5 * step:
            progress[-1] = progress[-2] + step  # training was stopped
        for s, (colour, style) in enumerate(styles):
            self.lines_ += ax.plot(progress, weights[:, s], color=colour, linestyle=style, linewidth=1.8)
        top = 1.08 * weights.max()
        starts, names = zip(*self.stages, strict=True)
        for i, (start, stop, name) in enumerate(zip(starts, [*starts[1:], 1.0], names, strict=True)):
            if i:
                ax.axvline(start, color=text_colour(), alpha=0.35, linewidth=0.8, linestyle=":", zorder=0)
            ax.text(
                (start + stop) / 2,
                0.985,
                name.replace(" ", "\n", 1),
                transform=ax.get_xaxis_transform(),
                ha="center",
                va="top",
                fontsize="x-small",
                alpha=0.8,
            )
        ax.set_xlim(0, 1)
        ax.set_ylim(0, 1.2 * top)
        ax.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f}%")
        ax.set_xlabel("training")
        ax.set_ylabel("mean weight" if len(self.features_) > 1 else "weight")
        quiet_spines(ax, keep=("left", "bottom"))

    def _add_legend(self, styles, *, own_figure):
        from matplotlib.legend_handler import HandlerTuple
        from matplotlib.patches import Patch

        labels, handles = safe_labels(self.space_names, width=32), self.lines_
        if self.bars_ and any(_hatch(styles, s) for s in range(len(styles))):
            page = self.axes_[0].get_facecolor()
            looks = [{"facecolor": c, "hatch": _hatch(styles, s), "edgecolor": page} for s, (c, _) in enumerate(styles)]
            handles = [(Patch(linewidth=0, **look), line) for look, line in zip(looks, self.lines_, strict=True)]
        key = {"handler_map": {tuple: HandlerTuple(ndivide=None)}, "frameon": False}
        if not own_figure:
            self.axes_[1].legend(handles, labels, fontsize="x-small", **key)
            return
        n_columns = min(len(labels), 5 if max(map(len, labels)) < 18 else 3)
        n_lines = -(-len(labels) // n_columns)
        self.figure_.set_figheight(self.figure_.get_figheight() + 0.22 * n_lines + 0.15)
        self.figure_.legend(handles, labels, loc="outside upper center", ncols=n_columns, **key)


def _hatch(styles, s):
    """Marks bars whose colour is there already."""
    return _HATCHES[[colour for colour, _ in styles[:s]].count(styles[s][0]) % len(_HATCHES)]


def _say(ax, text):
    ax.set(xticks=[], yticks=[])
    quiet_spines(ax, keep=())
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", alpha=0.8)


def _two_axes(ax, height):
    """The axes of both panels, an array."""
    if ax is not None and np.ndim(ax) > 0:
        axes = np.ravel(np.asarray(ax, dtype=object))
        if axes.size != 2:
            raise ValueError(f"ax has {axes.size} axes; give one to be split, or two.")
        return axes
    if ax is None:
        figure = new_figure((9.6, height))
        grid = figure.add_gridspec(1, 2)
    else:
        from matplotlib.gridspec import GridSpecFromSubplotSpec

        ax.set_axis_off()
        figure = ax.figure
        gaps = {} if figure.get_layout_engine() else {"wspace": 0.35}
        grid = GridSpecFromSubplotSpec(1, 2, subplot_spec=ax.get_subplotspec(), **gaps)
    return np.array([figure.add_subplot(grid[0, k]) for k in range(2)], dtype=object)
