"""InteractionDisplay: what pairs of features do together and neither does alone."""

import numpy as np

from kan_tabular.explain.spaces import encode
from kan_tabular.plots._pairs import pair_effect
from kan_tabular.plots._style import (
    check_count,
    class_styles,
    number_format,
    palette,
    panel_axes,
    quiet_spines,
    safe_labels,
    safe_text,
    text_colour,
    wrapped_labels,
)
from kan_tabular.source import read_source

#: Dots that show where the data are.
_MOST_DOTS = 400
#: Levels that get a line of their own.
_MOST_LINES = 7


class InteractionDisplay:
    """The effect of pairs of features in a network, beyond what each of them does alone, one panel a pair.

    Two numbers are a map, coloured by the effect (blue lowers, orange raises, the page's own colour is 0), with the
    rows as dots; hatched where neither a cell nor the ones around it hold a row, so that nothing is claimed there. A
    number and a category are one line a level, thin and dotted outside the values that rows of this level have; ticks
    along the bottom show these rows. Two categories are a grid with the effect and the number of rows in each cell,
    hatched where there is none. Numbers with up to five different values are shown as levels. All panels share the
    scale of the effect. It is recommended to use :meth:`from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    pairs : list of PairEffect
    effect_label : str
        Label of the effect.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes of shape (n_rows, n_cols)
        The panels; None where a row has none.
    colorbar_ : matplotlib Colorbar, or None

    Notes
    -----
    Effects are exact: those of the functional ANOVA anchored at the training means of the first layer's curves
    (`interactions`), evaluated in the middle of each cell. They depend on no other feature and on no rows; the rows
    given only say where data are, how far the axes of numbers reach (their central 98%), and which pairs are strongest.
    Missing values of a number are not shown.
    """

    def __init__(self, *, pairs, effect_label):
        self.pairs = pairs
        self.effect_label = effect_label

    @classmethod
    def from_estimator(cls, estimator, X, pairs=None, *, class_=None, n_pairs=4, n_cols=2, ax=None):
        """Compute the effects of pairs and draw them.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A fitted network, or a pipeline that ends in one.
        X : table of shape (n, n_features)
            Rows such as (some of) the training rows.
        pairs : list of pairs of str or int, or one pair, default=None
            Names or positions of features; by default the `n_pairs` strongest pairs on `X`.
        class_ : object, default=None
            For more than two classes the class to show, for several targets or quantiles the position of one (default:
            the last).
        n_pairs : int, default=4
        n_cols : int, default=2
            Most panels in a row.
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw: one axes for all panels, or one for each. By default a new figure is made.

        Returns
        -------
        display : InteractionDisplay

        Raises
        ------
        ValueError
            If no pair is named and the network has no interactions.
        """
        source = read_source(estimator, needs="interactions", display=cls.__name__)
        output = source.output(class_)
        taken = source.transform(X)
        Z = encode(source.estimator, taken)
        chosen = _strongest(source, taken, n_pairs) if pairs is None else _named(source, pairs)
        effects = [pair_effect(source, Z, j, k, output) for j, k in chosen]
        return cls(pairs=effects, effect_label=f"effect of the pair on {source.scale(class_)}").plot(
            n_cols=n_cols, ax=ax
        )

    def plot(self, *, n_cols=2, ax=None):
        """Draw the panels.

        Parameters
        ----------
        n_cols : int, default=2
            Most panels in a row.
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw: one axes for all panels, or one for each. By default a new figure is made.

        Returns
        -------
        display : InteractionDisplay
            This display.
        """
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        self.axes_ = panel_axes(ax, len(self.pairs), n_cols, size=(3.9, 3.2))
        drawn_on = [panel_ax for panel_ax in self.axes_.ravel() if panel_ax is not None]
        self.figure_ = drawn_on[0].figure
        largest = max(np.abs(pair.effect[pair.supported]).max(initial=0.0) for pair in self.pairs) or 1.0
        shades = ScalarMappable(Normalize(-largest, largest), _diverging(drawn_on[0].get_facecolor()))
        mapped = []
        for pair, panel_ax in zip(self.pairs, drawn_on, strict=True):
            numbers = [axis.labels is None for axis in (pair.first, pair.second)]
            if numbers == [True, False]:
                _draw_lines(panel_ax, pair, 1.06 * largest, self.effect_label)
            else:
                (_draw_map if all(numbers) else _draw_grid)(panel_ax, pair, shades)
                mapped.append(panel_ax)
        self.colorbar_ = None
        if mapped:
            self.colorbar_ = self.figure_.colorbar(shades, ax=mapped, shrink=0.8, aspect=28)
            self.colorbar_.set_label(wrapped_labels([self.effect_label], width=30)[0])
            self.colorbar_.outline.set_visible(False)
        return self


def _strongest(source, taken, n_pairs):
    check_count("n_pairs", n_pairs)
    found = source.estimator.interactions(taken)
    found = found[found["strength"] > 0][:n_pairs]
    if found.empty:
        raise ValueError(
            "this network has no interactions to draw: its additive part says all (interactions(X) shows the pairs). "
            "Use ShapeDisplay for its curves, or name pairs."
        )
    return [
        (source.names.index(a), source.names.index(b))
        for a, b in zip(found["feature_1"], found["feature_2"], strict=True)
    ]


def _named(source, pairs):
    pairs = list(pairs)
    if len(pairs) == 2 and not any(isinstance(pair, (tuple, list)) for pair in pairs):
        pairs = [pairs]
    chosen = []
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ValueError(f"pairs holds {pair!r}: give pairs of two features, such as [('age', 'dose')].")
        j, k = source.indices(list(pair))
        if j == k:
            raise ValueError(f"pairs holds {pair!r}: give two different features.")
        chosen.append((j, k))
    if not chosen:
        raise ValueError("pairs is empty: give at least one pair of features, or leave it None for the strongest.")
    return chosen


def _diverging(page):
    """Colours from lowering over none, the colour of the page, to raising."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    lower, raise_, *_ = palette()
    return LinearSegmentedColormap.from_list("effect", [to_rgb(lower), to_rgb(page), to_rgb(raise_)])


def _draw_map(ax, pair, shades):
    effect, supported = pair.effect.T, pair.supported.T
    edges = pair.first.edges, pair.second.edges
    ax.pcolormesh(*edges, np.ma.array(effect, mask=~supported), cmap=shades.cmap, norm=shades.norm, rasterized=True)
    _hatch(ax, *edges, ~supported)
    shown = np.flatnonzero((pair.first.cells() >= 0) & (pair.second.cells() >= 0))
    shown = shown[np.linspace(0, len(shown) - 1, min(len(shown), _MOST_DOTS)).round().astype(int)]
    ax.plot(
        pair.first.values[shown],
        pair.second.values[shown],
        linestyle="",
        marker="o",
        markersize=1.6,
        color=text_colour(),
        alpha=0.45,
        markeredgewidth=0,
    )
    ax.set_xlim(*sorted(edges[0][[0, -1]]))
    ax.set_ylim(*sorted(edges[1][[0, -1]]))
    _label(ax, pair.first.name, pair.second.name)


def _draw_grid(ax, pair, shades):
    # The axes may mix levels with numbers that have few values; both are positions here.
    effect, counts = pair.effect.T, pair.counts.T
    edges = [np.arange(axis.n + 1) - 0.5 for axis in (pair.first, pair.second)]
    ax.pcolormesh(*edges, np.ma.array(effect, mask=counts == 0), cmap=shades.cmap, norm=shades.norm)
    _hatch(ax, *edges, counts == 0)
    write = number_format(shades.norm.vmax)
    small = max(effect.shape) > 6
    for row, column in zip(*np.nonzero(counts), strict=True):
        text = write(effect[row, column], sign="+")
        ax.text(
            column,
            row,
            text if small else f"{text}\nn = {counts[row, column]}",
            ha="center",
            va="center",
            fontsize="xx-small" if small else "x-small",
            color=_readable(shades.to_rgba(effect[row, column])),
        )
    ax.set_xticks(range(pair.first.n), safe_labels(pair.first.labels, width=16), fontsize="small")
    if pair.first.n > 4 or max(map(len, pair.first.labels)) > 8:
        ax.tick_params(axis="x", labelrotation=35)
        for label in ax.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    ax.set_yticks(range(pair.second.n), safe_labels(pair.second.labels, width=16), fontsize="small")
    ax.tick_params(length=0)
    _label(ax, pair.first.name, pair.second.name)
    _note_levels(ax, pair.first, pair.second)


def _draw_lines(ax, pair, limit, effect_label):
    number, category = pair.first, pair.second
    counts = pair.counts.sum(0)
    shown = np.sort(np.argsort(-counts, kind="stable")[:_MOST_LINES])
    names = safe_labels([category.labels[i] for i in shown], width=18)
    ax.axhline(0, color=text_colour(), alpha=0.45, linewidth=0.8, zorder=1)
    x = number.centers
    for place, (i, name, (colour, _)) in enumerate(zip(shown, names, class_styles(len(shown)), strict=True)):
        own = number.values[(category.values == i) & (number.cells() >= 0)]
        inside = (x >= own.min(initial=np.inf)) & (x <= own.max(initial=-np.inf))
        ax.plot(x, pair.effect[:, i], color=colour, linewidth=0.8, linestyle=":", alpha=0.7)
        ax.plot(x, np.where(inside, pair.effect[:, i], np.nan), color=colour, linewidth=1.8, label=name)
        step = max(len(own) * len(shown) // _MOST_DOTS, 1)
        ax.plot(
            np.sort(own)[::step],
            np.full(len(own[::step]), 0.012 + 0.022 * place),
            linestyle="",
            marker="|",
            markersize=3.5,
            markeredgewidth=0.5,
            color=colour,
            transform=ax.get_xaxis_transform(),
        )
    # The rows' ticks lie below the lowest effect.
    strip = 0.03 + 0.022 * len(shown)
    ax.set_ylim(-limit - 2 * limit * strip / (1 - strip), limit)
    ax.set_xlim(*sorted(number.edges[[0, -1]]))
    ax.legend(
        title=wrapped_labels([category.name], width=24)[0], frameon=False, fontsize="x-small", title_fontsize="x-small"
    )
    _label(ax, number.name, effect_label)
    quiet_spines(ax, keep=("left", "bottom"))
    if len(shown) < category.n_levels:
        ax.set_title(f"{len(shown)} most common of {category.n_levels} levels", fontsize="x-small", loc="right", pad=3)


def _hatch(ax, x, y, where):
    """Hatch the cells of a grid `where` (rows, columns) there is nothing to say."""
    from matplotlib.collections import PolyCollection

    corners = [
        [(x[c], y[r]), (x[c + 1], y[r]), (x[c + 1], y[r + 1]), (x[c], y[r + 1])]
        for r, c in zip(*np.nonzero(where), strict=True)
    ]
    if corners:
        cells = PolyCollection(corners, facecolors="none", hatch="//////", linewidths=0)
        cells.set(edgecolor=text_colour(), alpha=0.18)
        ax.add_collection(cells)


def _readable(shade):
    """Black or white, whichever stands out from a shade."""
    return "black" if np.dot(shade[:3], (0.2126, 0.7152, 0.0722)) > 0.45 else "white"


def _label(ax, x, y):
    x, y = wrapped_labels([x, y], width=28)
    ax.set_xlabel(x)
    ax.set_ylabel(y, fontsize="small" if "\n" in y else None)
    ax.tick_params(labelsize="small")
    quiet_spines(ax, keep=())


def _note_levels(ax, *axes):
    notes = [
        f"{axis.n} of {axis.n_levels} levels of {safe_text(axis.name, 20)}" for axis in axes if axis.n < axis.n_levels
    ]
    if notes:
        ax.set_title("; ".join(notes), fontsize="x-small", loc="right", pad=3)
