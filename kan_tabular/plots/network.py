"""NetworkDisplay: the nodes and curves of a Kolmogorov-Arnold network."""

import textwrap

import numpy as np

from kan_tabular.fitted.diagram import read_diagram
from kan_tabular.plots._diagram import lay_out, select, wire
from kan_tabular.plots._style import check_count, class_styles, new_axes, palette, safe_labels, safe_text, text_colour
from kan_tabular.source import read_source

_FONT = 9.0
_CHARACTER = 0.066  # inches of an average character at that size
_FAINTEST = 0.12


class NetworkDisplay:
    """Diagram of one network: inputs at the left, outputs at the right, a small curve on every edge between.

    Each curve runs over the training range of its input, on the scale on which the network sees it, or over the values
    that its hidden node takes on training rows; a category has one bar a level. Every curve has its own vertical scale:
    how much an edge matters, the standard deviation of its output, is shown by how dark it is beside the largest of
    its layer. A circle with a cross multiplies two sums. Inputs stand in order of importance. Effects of missing values
    are not drawn. It is recommended to use :meth:`from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    layers : list of DiagramLayer
        For each layer the curves of its edges, ``x`` and ``y``, and their ``sizes``
        (`kan_tabular.fitted.diagram.DiagramLayer`).
    feature_names : list of str
        Names of the inputs.
    feature_kinds : list of {"numeric", "category"}
        What the inputs are.
    importances : array-like of shape (n_features,)
        Which inputs to prefer where not all are drawn.
    output_names : list of str
        Names of the outputs.
    title : str, default=""
        What the picture shows.
    note : str, default=""
        What it does not show, beside the edges and nodes left out.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    edges_ : list of dict
        For each layer the artist of each drawn edge's curve, by (source, target).
    nodes_ : list of dict
        For each layer, the outputs last, the place of each drawn node.
    caption_ : str
        What is not drawn.
    """

    def __init__(self, *, layers, feature_names, feature_kinds, importances, output_names, title="", note=""):
        self.layers = layers
        self.feature_names = feature_names
        self.feature_kinds = feature_kinds
        self.importances = importances
        self.output_names = output_names
        self.title = title
        self.note = note

    @classmethod
    def from_estimator(cls, estimator, *, member=None, max_features=10, min_size=0.03, max_edges=48, ax=None):
        """Read the curves of a network and draw them.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A fitted `LogisticKAN`, `KANRegressor`, `KAAMClassifier` or `KAAMRegressor`, or a pipeline that ends in one.
        member : int, default=None
            Which network of an ensemble to draw, counted from 0; by default one with the largest weight.
        max_features : int, default=10
            Most inputs to draw, the most important ones.
        min_size : float, default=0.03
            Edges below this share of the largest of their layer are not drawn.
        max_edges : int or None, default=48
            Most edges of a layer to draw, the largest ones.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : NetworkDisplay
        """
        source = read_source(estimator, needs="explain", display=cls.__name__)
        network = source.estimator.network_
        diagram = read_diagram(network, member)
        title = note = ""
        if diagram.member is not None:
            title = f"member {diagram.member} of {diagram.n_members}, weight {diagram.weight:.2g}"
            note = "the additive part of the model" if diagram.additive else ""
        elif hasattr(network, "weights"):
            title = "the additive part alone (no network has weight)"
        display = cls(
            layers=diagram.layers,
            feature_names=source.shown_names,
            feature_kinds=network.kinds,
            importances=source.estimator.feature_importances_,
            output_names=_output_names(source, network),
            title=title,
            note=note,
        )
        return display.plot(max_features=max_features, min_size=min_size, max_edges=max_edges, ax=ax)

    def plot(self, *, max_features=10, min_size=0.03, max_edges=48, ax=None):
        """Draw the diagram.

        Parameters
        ----------
        max_features, min_size, max_edges
            As in :meth:`from_estimator`.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : NetworkDisplay
            This display.
        """
        check_count("max_features", max_features)
        if max_edges is not None and max_edges < 1:
            raise ValueError(f"max_edges must be at least 1, or None for no limit; got {max_edges!r}.")
        if not 0 <= min_size <= 1:
            raise ValueError(f"min_size must be between 0 and 1; got {min_size!r}.")
        sizes = [np.asarray(layer.sizes, dtype=float) for layer in self.layers]
        joins = [layer.node_of for layer in self.layers]
        selection = select(sizes, np.asarray(self.importances, dtype=float), max_features, min_size, max_edges, joins)
        layout = lay_out(selection)
        names = safe_labels([self.feature_names[i] for i in selection.nodes[0]], width=28)
        outputs = safe_labels(self.output_names, width=24)
        left, right = (_CHARACTER * max(map(len, labels)) + 0.3 for labels in (names, outputs))
        width = left + layout.width + right
        self.caption_ = self._caption(selection, sizes)
        lines = textwrap.wrap(self.caption_, max(int(width / _CHARACTER), 30))
        top, bottom = layout.height + layout.margin, -layout.margin - 0.17 * len(lines)

        self.ax_ = ax = new_axes(ax, figsize=(width + 0.2, top - bottom + (0.5 if self.title else 0.2)))
        self.figure_ = ax.figure
        ax.set(xlim=(-left, layout.width + right), ylim=(bottom, top))
        ax.set_axis_off()
        room = ax.get_window_extent().transformed(self.figure_.dpi_scale_trans.inverted())
        scale = min(room.width / width, room.height / (top - bottom), 1.0)
        self.nodes_ = layout.nodes
        styles = class_styles(len(outputs))
        self.edges_ = []
        for k, layer in enumerate(self.layers):
            last = k == len(self.layers) - 1
            colours = [c for c, _ in styles] if last and len(outputs) > 1 else [palette()[0]] * sizes[k].shape[1]
            self.edges_.append(self._draw_layer(k, layer, sizes[k], layout, colours, last, scale))
        dots = [place for places in layout.nodes for place in places.values()]
        ax.scatter(*np.transpose(dots), s=22 * scale**2, color=text_colour(), zorder=5, linewidth=0)
        for k, layer in enumerate(self.layers):
            twice = np.flatnonzero(np.bincount(layer.node_of) > 1)
            times = [place for node, place in layout.nodes[k + 1].items() if node in twice]
            if times:
                face = {"facecolor": _page(ax), "edgecolor": text_colour(), "linewidth": 0.8 * scale}
                ax.scatter(*np.transpose(times), s=110 * scale**2, zorder=5, **face)
                ax.scatter(*np.transpose(times), s=40 * scale**2, marker="x", color=text_colour(), zorder=6)
        font = {"fontsize": max(_FONT * scale, 4.0), "va": "center"}
        for name, (x, y) in zip(names, layout.nodes[0].values(), strict=True):
            ax.text(x - 0.13, y, name, ha="right", **font)
        for name, (x, y) in zip(outputs, layout.nodes[-1].values(), strict=True):
            ax.text(x + 0.13, y, name, ha="left", **font)
        if lines:
            at = ((layout.width + right - left) / 2, -layout.margin)
            ax.text(*at, "\n".join(lines), ha="center", va="top", fontsize=font["fontsize"], alpha=0.75)
        ax.set_title(safe_text(self.title), fontsize="medium")
        return self

    def _draw_layer(self, k, layer, sizes, layout, colours, last, scale):
        """Wires, boxes and curves of one layer; the artists of the curves by edge."""
        from matplotlib.collections import LineCollection, PolyCollection
        from matplotlib.colors import to_rgba

        ax, (wide, tall) = self.ax_, layout.sizes[k]
        muted = text_colour()
        largest = sizes.max(initial=0.0)
        order = sorted(layout.boxes[k], key=lambda edge: sizes[edge])  # the largest on top
        wires, wire_colours, corners, fades, edges = [], [], [], [], {}
        for source, target in order:
            box = layout.boxes[k][source, target]
            fade = _FAINTEST + (1 - _FAINTEST) * sizes[source, target] / largest
            wires.append(wire(layout.nodes[k][source], box, layout.nodes[k + 1][layer.node_of[target]]))
            wire_colours.append(to_rgba(colours[target] if last and len(colours) > 1 else muted, 0.75 * fade))
            x0, y0 = box.x - wide / 2, box.y - tall / 2
            corners.append([(x0, y0), (x0 + wide, y0), (x0 + wide, y0 + tall), (x0, y0 + tall)])
            fades.append(fade)
            steps = k == 0 and self.feature_kinds[source] == "category"
            x, y = layer.x[source], layer.y[source][:, target]
            draw = _bars if steps else _curve
            edges[source, target] = draw(ax, x, y, (x0, y0, wide, tall), colours[target], fade, scale)
        if wires:
            widths = [scale * (0.5 + 0.8 * fade) for fade in fades]
            ax.add_collection(LineCollection(wires, colors=wire_colours, linewidths=widths, zorder=1), autolim=False)
            frames = [to_rgba(muted, 0.5 * fade) for fade in fades]
            boxes = PolyCollection(corners, facecolors=_page(ax), edgecolors=frames, linewidths=0.6 * scale, zorder=2)
            ax.add_collection(boxes, autolim=False)
        return edges

    def _caption(self, selection, sizes):
        """What is not drawn, in words."""
        n_hidden = sum(len(size) for size in sizes[1:])
        counts = (
            ("input", len(selection.nodes[0]), len(sizes[0])),
            ("hidden node", sum(map(len, selection.nodes[1:-1])), n_hidden),
            ("edge", sum(int(mask.sum()) for mask in selection.masks), sum(size.size for size in sizes)),
        )
        parts = [f"{n - drawn} of {n} {what}{'s' if n > 1 else ''}" for what, drawn, n in counts if drawn < n]
        parts += [self.note] if self.note else []
        return f"Not drawn: {', '.join(parts)}" if parts else ""


def _output_names(source, network):
    likelihood = network.likelihood
    if source.classes is not None:
        return [str(name) for name in source.classes]
    if source.response == "log-odds":
        return [f"log-odds of {source.estimator.classes_[-1]}"]
    if likelihood.name == "quantile":
        return [f"quantile {level:g}" for level in likelihood.levels]
    mean = "log of mean" if source.response == "log of target" else "mean"
    return [mean] if network.n_outputs == 1 else [f"{mean} of target {k}" for k in range(network.n_outputs)]


def _page(ax):
    """The colour behind the diagram, opaque wherever the page is."""
    colour = ax.figure.get_facecolor()
    return colour if colour[-1] else ax.get_facecolor()


def _curve(ax, x, y, box, colour, fade, scale):
    """A curve that fills its box; a flat line in the middle where it does not move."""
    x0, y0, wide, tall = box
    y = np.asarray(y, dtype=float)
    if len(y) < 2:
        x, y = np.array([0.0, 1.0]), np.zeros(2)
    u = (x - x[0]) / ((x[-1] - x[0]) or 1.0)
    spread = np.ptp(y)
    v = (y - y.min()) / spread if spread > 1e-12 * np.abs(y).max() else np.full(len(y), 0.5)
    at = (x0 + wide * (0.08 + 0.84 * u), y0 + tall * (0.12 + 0.76 * v))
    return ax.plot(*at, color=colour, alpha=fade, linewidth=1.3 * scale, zorder=3, scalex=False, scaley=False)[0]


def _bars(ax, x, y, box, colour, fade, scale):
    """One bar a level, from the average."""
    from matplotlib.collections import PolyCollection

    x0, y0, wide, tall = box
    y = np.asarray(y, dtype=float)
    low, high = min(y.min(), 0.0), max(y.max(), 0.0)
    v = y0 + tall * (0.12 + 0.76 * (np.append(y, 0.0) - low) / ((high - low) or 1.0))
    step = 0.84 * wide / len(y)
    corners = [
        [(a, v[-1]), (a + 0.8 * step, v[-1]), (a + 0.8 * step, b), (a, b)]
        for a, b in zip(x0 + 0.08 * wide + step * (np.arange(len(y)) + 0.1), v[:-1], strict=True)
    ]
    bars = PolyCollection(corners, facecolors=colour, edgecolors=colour, alpha=fade, linewidths=0.5 * scale, zorder=3)
    return ax.add_collection(bars, autolim=False)
