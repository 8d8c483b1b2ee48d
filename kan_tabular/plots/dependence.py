"""DependenceDisplay: the effect of a feature alone, and what it is in each row's company."""

from dataclasses import dataclass

import numpy as np

from kan_tabular.explain.spaces import encode
from kan_tabular.plots import _panels
from kan_tabular.plots._pairs import FEW
from kan_tabular.plots._style import (
    class_styles,
    palette,
    panel_axes,
    safe_labels,
    safe_text,
    text_colour,
    wrapped_labels,
    write_value,
)
from kan_tabular.plots.shape import in_original_units
from kan_tabular.source import read_source

_MOST_DOTS = 600
#: Levels that get a colour of their own.
_MOST_LEVELS = 6
#: Half the width over which dots of one level are spread.
_SPREAD = 0.22


@dataclass(frozen=True)
class Dependence:
    """One panel.

    Attributes
    ----------
    name : str
    shape : shape
        The curve of the feature, in the units shown.
    values : ndarray of object (n,)
        The feature's values in the rows, in these units; labels of levels.
    changes : ndarray (n,)
        What the feature does to each row's linear predictor.
    partner : str, or None
        Another feature, that colours the dots.
    partner_values : ndarray (n,), or None
        Its values: numbers, or labels of levels.
    """

    name: str
    shape: object
    values: np.ndarray
    changes: np.ndarray
    partner: str | None = None
    partner_values: np.ndarray | None = None


class DependenceDisplay:
    """The curve of a feature alone, over what the feature does in each row, one panel a feature.

    The line is the feature's effect with all others at their training means (`shape_function`). Each dot is a row: how
    much its linear predictor changes when the feature, and nothing else, goes from its training mean to the row's
    value. In an additive model all dots lie on the line. In a network their distance from it is what the feature does
    together with the row's other features; colour shows the feature it interacts with most (faint: unknown there, or
    beyond the six most common levels). The strip along the bottom is the density of the training data, missing values
    have a zone of their own. It is recommended to use :meth:`from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    panels : list of Dependence
    effect_label : str
        Label of the effect.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes of shape (n_rows, n_cols)
        The panels; None where a row has none.
    dots_ : list of matplotlib PathCollection
        The rows in each panel.

    Notes
    -----
    Both are exact and need no sampling. They are not Shapley values, which share what features do together among them:
    a dot has all of it that this feature is part of. For two interacting features a Shapley value lies half-way between
    line and dot.
    """

    def __init__(self, *, panels, effect_label):
        self.panels = panels
        self.effect_label = effect_label

    @classmethod
    def from_estimator(
        cls, estimator, X, features=None, *, color_by="auto", class_=None, n_cols=3, sharey=True, ax=None
    ):
        """Compute curves and dots, and draw them.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A fitted model, or a pipeline that ends in one.
        X : table of shape (n, n_features)
            Rows such as (some of) the training rows; at most 600 of them, evenly spaced, become dots.
        features : str, int or list of these, default=None
            Names or positions of the features; by default the six most important ones.
        color_by : "auto", str, int or None, default="auto"
            The feature whose values colour the dots. "auto": in a network the one with the strongest pair effect, if
            there is any. None: none.
        class_ : object, default=None
            For more than two classes the class to show, for several targets or quantiles the position of one (default:
            the last).
        n_cols : int, default=3
            Most panels in a row.
        sharey : bool, default=True
            Whether all panels share the range of the effect.
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw: one axes for all panels, or one for each. By default a new figure is made.

        Returns
        -------
        display : DependenceDisplay
        """
        source = read_source(estimator, needs="shape_function", display=cls.__name__)
        model, output = source.estimator, source.output(class_)
        if features is None:
            indices = np.argsort(-model.feature_importances_, kind="stable")[:6].tolist()
        else:
            indices = source.indices(features)
        Z = encode(model, source.transform(X))
        Z = Z[np.linspace(0, len(Z) - 1, min(len(Z), _MOST_DOTS)).round().astype(int)]
        network = model.network_
        changes = (network.left_out if hasattr(network, "left_out") else network.effects)(Z)[:, :, output]
        panels = []
        for j in indices:
            k = _partner(source, Z, j, color_by)
            shape, name = in_original_units(source, j, {None: model.shape_function(source.names[j], class_=class_)})
            partner = (None, None) if k is None else _values(source, Z, k)
            panels.append(Dependence(name, shape[None], _values(source, Z, j)[1], changes[:, j], *partner))
        label = f"effect on {source.scale(class_)}"
        return cls(panels=panels, effect_label=label).plot(n_cols=n_cols, sharey=sharey, ax=ax)

    def plot(self, *, n_cols=3, sharey=True, ax=None):
        """Draw the panels.

        Parameters
        ----------
        n_cols : int, default=3
            Most panels in a row.
        sharey : bool, default=True
            Whether all panels share the range of the effect.
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw: one axes for all panels, or one for each. By default a new figure is made.

        Returns
        -------
        display : DependenceDisplay
            This display.
        """
        self.axes_ = panel_axes(ax, len(self.panels), n_cols, size=(3.6, 3.1))
        drawn_on = [panel_ax for panel_ax in self.axes_.ravel() if panel_ax is not None]
        self.figure_ = drawn_on[0].figure
        limits = [_limits(panel) for panel in self.panels]
        if sharey:
            limits = [(min(low for low, _ in limits), max(high for _, high in limits))] * len(limits)
        label = safe_text(self.effect_label, width=44)
        names = wrapped_labels([panel.name for panel in self.panels], width=28)
        self.dots_ = [
            _draw(panel_ax, panel, name, limit, label)
            for panel_ax, panel, name, limit in zip(drawn_on, self.panels, names, limits, strict=True)
        ]
        return self


def _partner(source, Z, j, color_by):
    """Position of the feature that colours the dots of feature `j`, or None."""
    if color_by is None:
        return None
    if not (isinstance(color_by, str) and color_by == "auto"):
        (k,) = source.indices(color_by)
        return None if k == j else k
    if not hasattr(source.estimator, "interactions"):
        return None
    from kan_tabular.fitted.effects import pair_effects

    others = [k for k in range(Z.shape[1]) if k != j]
    if not others:
        return None
    strength = pair_effects(source.estimator.network_, Z, [(j, k) for k in others]).var(0).mean(1)
    return others[int(strength.argmax())] if strength.max() > 0 else None


def _values(source, Z, j):
    """Name and values (n,) of a feature in encoded rows, in the units of the table; labels of levels as objects."""
    feature, x = source.estimator.network_.features[j], Z[:, j]
    if feature.kind == "category":
        labels = np.array([*feature.levels, "(new level)", None], dtype=object)
        codes = np.where(np.isnan(x), len(labels) - 1, np.where(x == -1, len(labels) - 2, x))
        return source.shown_names[j], labels[codes.astype(int)]
    known = ~np.isnan(x)
    name, (shown,) = source.in_units(j, x[known])
    values = np.full(len(x), np.nan)
    values[known] = shown
    return name, values


def _limits(panel):
    low, high = _panels.effect_limits([panel.shape], 0)
    return min(low, panel.changes.min()), max(high, panel.changes.max())


def _draw(ax, panel, name, limits, effect_label):
    shape = panel.shape
    draw = _panels.draw_numeric if shape.kind == "numeric" else _panels.draw_category
    (line,) = draw(ax, [shape], limits, styles=[(text_colour(), "-")], bands=0)
    line.set_zorder(4)
    at, spread = _panels.positions(shape, panel.values), _spread(len(panel.values))
    if shape.kind == "numeric":
        low, high = sorted(ax.get_xlim())
        missing = np.isnan(panel.values.astype(float))
        few = len(np.unique(at[~missing])) <= FEW
        at = at + (high - low) * spread * np.where(missing, 0.05, 0.02 if few else 0.0)
        x, y = at, panel.changes
    else:
        x, y = panel.changes, at + _SPREAD * spread
    dots = _coloured_dots(ax, x, y, panel)
    if shape.kind == "numeric":
        seen = at[np.isfinite(at)]
        low, high = sorted(ax.get_xlim())
        margin = 0.03 * (high - low)
        ax.set_xlim(min(low, seen.min(initial=low) - margin), max(high, seen.max(initial=high)))
    _panels.label_panel(ax, shape.kind, name, effect_label)
    return dots


def _coloured_dots(ax, x, y, panel):
    style = {"s": 9, "linewidths": 0, "alpha": 0.75, "zorder": 3}
    if panel.partner is None:
        return ax.scatter(x, y, color=palette()[0], **style)
    values, (title,) = panel.partner_values, wrapped_labels([panel.partner], width=30)
    if values.dtype.kind == "f":
        known = values[~np.isnan(values)]
        if len(np.unique(known)) > FEW:
            return _shaded_dots(ax, x, y, values, title, style)
        names = [None if np.isnan(value) else write_value(value) for value in values]
    else:
        names = [None if value is None else str(value) for value in values]
    counts = {name: names.count(name) for name in dict.fromkeys(names) if name is not None}
    shown = sorted(counts, key=lambda name: -counts[name])[:_MOST_LEVELS]
    colours = dict(zip(shown, (colour for colour, _ in class_styles(len(shown))), strict=True))
    dots = ax.scatter(x, y, c=[colours.get(name, _faint()) for name in names], **style)
    for name, label in zip(shown, safe_labels(shown, width=20), strict=True):
        ax.scatter([], [], s=14, color=colours[name], label=label)
    ax.legend(title=title, frameon=False, fontsize="x-small", title_fontsize="x-small", handletextpad=0.1)
    return dots


def _shaded_dots(ax, x, y, values, title, style):
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize
    from scipy.stats import rankdata

    # Without the ends, which some pages swallow; by rank, so that a long tail does not take all of the colours.
    shades = colormaps["cividis"].resampled(256)(np.linspace(0.12, 0.95, 256))
    known = ~np.isnan(values)
    ranks = np.full(len(values), np.nan)
    ranks[known] = (rankdata(values[known]) - 1) / max(known.sum() - 1, 1)
    colours = np.tile(np.array(_faint()), (len(values), 1))
    colours[known] = shades[(255 * ranks[known]).round().astype(int)]
    dots = ax.scatter(x, y, c=colours, **style)
    bar = ax.figure.colorbar(ScalarMappable(Normalize(0, 1), ListedColormap(shades)), ax=ax, aspect=30, pad=0.02)
    ticks = np.array([0.0, 0.5, 1.0])
    bar.set_ticks(ticks, labels=[f"{value:.3g}" for value in np.quantile(values[known], ticks)], fontsize="x-small")
    bar.set_label(title, fontsize="x-small")
    bar.outline.set_visible(False)
    return dots


def _faint():
    from matplotlib.colors import to_rgba

    return to_rgba(text_colour(), 0.35)


def _spread(n):
    """Offsets in (-1, 1) that keep dots of one place apart, the same each time: a golden-ratio sequence."""
    return 2 * ((np.arange(n) * 0.6180339887498949) % 1) - 1
