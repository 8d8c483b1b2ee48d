"""The two kinds of panel of a ShapeDisplay: a curve, and a list of levels."""

import numpy as np

from kan_tabular.encoding.table import label_of
from kan_tabular.plots._style import quiet_spines, safe_labels, text_colour

STRIP = 0.11  # share of a panel kept free for the density of the data
MAX_LEVELS = 12  # levels of a category that stay readable in one panel
_MISSING_ROW = -1.4  # below the levels of a category
COMMON = 0.98  # share of the rows whose bands must fit into the panel
POINTWISE, SIMULTANEOUS = ("lower", "upper"), ("lower_simultaneous", "upper_simultaneous")


def effect_limits(shapes, bands):
    """Range of the effect (low, high) that shows every curve whole, and its bands where `COMMON` of the rows are.

    `bands` is how many bands are drawn, as in `draw_numeric`. A band may widen without bound where there are no rows;
    letting it set the range would flatten all else.
    """
    values = [0.0]
    for shape in shapes:
        values.extend(shape.y)
        common = _is_common(shape)
        for band in (POINTWISE, SIMULTANEOUS)[:bands]:
            for edge in _edges(shape, band):
                values.extend(edge[common])
        if shape.missing is not None:
            values.append(shape.missing.value)
            if bands and shape.missing.weight >= (1 - COMMON) / 2:
                values.extend([shape.missing.lower, shape.missing.upper])
    low, high = np.nanmin(values), np.nanmax(values)
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def draw_numeric(ax, shapes, limits, *, styles, bands):
    """Draw one curve a class on `ax` and return the lines.

    Parameters
    ----------
    ax : matplotlib Axes
    shapes : list of shapes
        One a class, all of one numeric feature.
    limits : (float, float)
        Range of the effect.
    styles : list of (colour, line style)
    bands : int
        How many bands to draw: 2 (pointwise and simultaneous), 1 (pointwise) or 0.
    """
    muted = text_colour()
    x = np.asarray(shapes[0].x, dtype=float)
    low, high = _range(shapes[0])
    width = (high - low) or 1.0
    _zero_line(ax.axhline)
    lines = []
    for shape, (colour, style) in zip(shapes, styles, strict=True):
        if bands == 2:
            ax.fill_between(x, *_edges(shape, SIMULTANEOUS), color=colour, alpha=0.16, linewidth=0)
        if bands:
            alpha = 0.28 if bands == 2 else 0.16
            ax.fill_between(x, *_edges(shape, POINTWISE), color=colour, alpha=alpha, linewidth=0)
        lines += ax.plot(x, shape.y, color=colour, linestyle=style, linewidth=1.8)
    _density_strip(ax, shapes[0].density)

    right = high + 0.03 * width
    if shapes[0].missing is not None:
        zone = _missing_zone(low, high)
        ax.axvspan(*zone, color=muted, alpha=0.07, linewidth=0)
        offsets = _dodge(len(shapes), 0.09 * width)
        for shape, (colour, _), offset in zip(shapes, styles, offsets, strict=True):
            _dot(ax, sum(zone) / 2 + offset, shape.missing, colour, intervals=min(bands, 1))
        weight = shapes[0].missing.weight
        share = f"{100 * weight:.0f}%" if weight >= 0.01 or weight == 0 else "<1%"
        note = ax.annotate(
            f"missing ({share})",
            (zone[1], 1),
            xycoords=ax.get_xaxis_transform(),
            xytext=(0, 2),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize="x-small",
        )
        note.set_alpha(0.8)
        right = zone[1]
    ax.set_xlim(low - 0.03 * width, right)
    ax.set_ylim(_with_room(limits))
    _keep_ticks(ax, low, high)
    return lines


def draw_category(ax, shapes, limits, *, styles, bands):
    """Draw one row a level on `ax`, lowest effect at the bottom, and return the lines of dots.

    The most common `MAX_LEVELS` levels are shown. The order is that of the last class. Parameters as in
    `draw_numeric`.
    """
    muted = text_colour()
    shape = shapes[-1]
    weights = np.asarray(shape.density.weight, dtype=float)
    shown = _shown_levels(shape)
    rows = np.arange(len(shown))
    labels = safe_labels([shape.x[i] for i in shown], width=22)
    bottom = -0.6
    has_missing = shape.missing is not None
    if has_missing:
        bottom = -2.0
        ax.axhspan(bottom, -0.8, color=muted, alpha=0.07, linewidth=0)

    _zero_line(ax.axvline)
    lines = []
    offsets = _dodge(len(shapes), 0.6)[::-1]  # first class on top, as in the legend
    thickness = 0.62 / len(shapes)
    for shape, (colour, style), offset in zip(shapes, styles, offsets, strict=True):
        y = np.asarray(shape.y, dtype=float)[shown]
        at = rows + offset
        ax.barh(at, y, height=thickness, color=colour, alpha=0.22, linewidth=0)
        for band, line_width in ((SIMULTANEOUS, 1.0), (POINTWISE, 2.4))[2 - bands :]:
            lower, upper = _edges(shape, band)
            ax.hlines(at, lower[shown], upper[shown], color=colour, linewidth=line_width, alpha=0.85)
        size, fill = 4.5 if len(shapes) == 1 else 3.2, colour if style == "-" else "none"
        lines += ax.plot(y, at, linestyle="", marker="o", markersize=size, color=colour, markerfacecolor=fill)
        if has_missing:
            value = shape.missing.value
            ax.barh(_MISSING_ROW + offset, value, height=thickness, color=colour, alpha=0.22, linewidth=0)
            _dot(ax, _MISSING_ROW + offset, shape.missing, colour, intervals=min(bands, 1), horizontal=True)

    ticks, shares = list(rows), list(weights[shown])
    if has_missing:
        ticks, labels, shares = [_MISSING_ROW, *ticks], ["missing", *labels], [shape.missing.weight, *shares]
    strip = 0.85 * STRIP * np.asarray(shares) / (max(shares, default=0.0) or 1.0)
    ax.barh(ticks, strip, height=0.62, color=muted, alpha=0.3, linewidth=0, transform=ax.get_yaxis_transform())
    ax.set_yticks(ticks, labels, fontsize="small")
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(bottom, len(shown) - 0.4)
    ax.set_xlim(_with_room(limits))
    if len(shown) < len(weights):
        ax.set_title(f"{len(shown)} most common of {len(weights)} levels", fontsize="x-small", loc="right", pad=3)
    return lines


def positions(shape, values):
    """Where values of a feature lie along the axis of the panel that draws its `shape`.

    Parameters
    ----------
    shape : shape
        As drawn by `draw_numeric` or, last of its classes, by `draw_category`.
    values : sequence of length n
        Numbers, or labels of levels; missing ones in any form that pandas knows.

    Returns
    -------
    positions : ndarray (n,)
        NaN where the panel has no place for a value.
    """
    import pandas as pd

    values = np.asarray(values, dtype=object)
    missing = pd.isna(values)
    out = np.full(len(values), np.nan)
    if shape.kind == "numeric":
        out[~missing] = values[~missing].astype(float)
        zone = np.mean(_missing_zone(*_range(shape)))
    else:
        row = {str(shape.x[i]): row for row, i in enumerate(_shown_levels(shape))}
        out[~missing] = [row.get(label_of(value), np.nan) for value in values[~missing]]
        zone = _MISSING_ROW
    if shape.missing is not None:
        out[missing] = zone
    return out


def effects_at(shape, values):
    """What the curve says at `values`, as `positions` takes them: (n,); numbers between its points by interpolation."""
    import pandas as pd

    values = np.asarray(values, dtype=object)
    missing = pd.isna(values)
    out = np.full(len(values), np.nan if shape.missing is None else shape.missing.value)
    if shape.kind == "numeric":
        x, y = np.asarray(shape.x, dtype=float), np.asarray(shape.y, dtype=float)
        order = np.argsort(x, kind="stable")  # preprocessing may have turned the axis round
        out[~missing] = np.interp(values[~missing].astype(float), x[order], y[order])
    else:
        own = dict(zip(map(str, shape.x), shape.y, strict=True))
        out[~missing] = [own.get(label_of(value), 0.0) for value in values[~missing]]
    return out


def label_panel(ax, kind, name, effect_label):
    """Name the feature and the effect on the axes where they are read."""
    ax.tick_params(labelsize="small")
    if kind == "numeric":
        ax.set_xlabel(name)
        ax.set_ylabel(effect_label, fontsize="small")
        quiet_spines(ax, keep=("left", "bottom"))
    else:
        ax.set_ylabel(name)
        ax.set_xlabel(effect_label, fontsize="small")
        quiet_spines(ax, keep=("bottom",))


def _range(shape):
    x = np.asarray(shape.x, dtype=float)
    known = x[np.isfinite(x)]  # a column that was all missing has no range
    return (known.min(), known.max()) if known.size else (0.0, 1.0)


def _missing_zone(low, high):
    width = (high - low) or 1.0
    return high + 0.05 * width, high + 0.19 * width


def _shown_levels(shape):
    """Positions of the levels that are drawn, from the bottom up."""
    shown = np.argsort(-np.asarray(shape.density.weight, dtype=float), kind="stable")[:MAX_LEVELS]
    return shown[np.argsort(np.asarray(shape.y)[shown], kind="stable")]


def _edges(shape, band):
    return [np.asarray(getattr(shape, name), dtype=float) for name in band]


def _is_common(shape):
    """Which points of the shape lie where most rows are, as a bool array."""
    weight = np.asarray(shape.density.weight, dtype=float)
    if shape.kind != "numeric":
        return weight >= (1 - COMMON) / 2
    total = weight.sum()
    if total == 0:
        return np.ones(len(shape.x), dtype=bool)
    edges = np.asarray(shape.density.edges, dtype=float)
    shares = np.concatenate([[0.0], np.cumsum(weight) / total])
    at = np.interp(np.asarray(shape.x, dtype=float), edges, shares)
    rare = (1 - COMMON) / 2
    return (at >= rare) & (at <= 1 - rare)


def _with_room(limits):
    # The strip of data densities lies below the lowest effect, so that it never hides a curve.
    low, high = limits
    return low - STRIP / (1 - STRIP) * (high - low), high


def _zero_line(draw):
    draw(0, color=text_colour(), alpha=0.45, linewidth=0.8, zorder=1)


def _density_strip(ax, density):
    """Histogram of the training rows along the bottom: the area of a bin is its share."""
    edges, weight = (np.asarray(values, dtype=float) for values in (density.edges, density.weight))
    width = np.abs(np.diff(edges))
    heights = np.divide(weight, width, out=np.zeros_like(weight), where=width > 0)
    if not heights.any():
        return
    heights = 0.85 * STRIP * heights / heights.max()
    ax.fill_between(
        edges,
        np.append(heights, heights[-1]),
        step="post",
        color=text_colour(),
        alpha=0.3,
        linewidth=0,
        transform=ax.get_xaxis_transform(),
    )


def _dot(ax, position, missing, colour, *, intervals, horizontal=False):
    """The effect of a missing value: a diamond with its interval."""
    if intervals:
        draw = ax.hlines if horizontal else ax.vlines
        draw(position, missing.lower, missing.upper, color=colour, linewidth=2.4, alpha=0.85)
    x, y = (missing.value, position) if horizontal else (position, missing.value)
    ax.plot(x, y, linestyle="", marker="D", markersize=4.5, color=colour)


def _dodge(n, width):
    """Offsets that put `n` marks side by side within `width`."""
    return np.zeros(1) if n == 1 else (np.arange(n) - (n - 1) / 2) * width / n


def _keep_ticks(ax, low, high):
    # A tick in the zone of the missing values would read as a value of the feature.
    margin = 1e-9 * (high - low)
    ax.set_xticks([tick for tick in ax.get_xticks() if low - margin <= tick <= high + margin])
