"""Which features matter, and the curve of each with its band and where the data are."""

from __future__ import annotations

import numpy as np

from kan_tabular.plots._panels import POINTWISE, SIMULTANEOUS, effect_limits
from kan_tabular.plots.shape import in_original_units
from kan_tabular.report.numbers import percent, signed, span
from kan_tabular.report.svg import Chart, track

N_POINTS = 80
#: Levels of a category that are shown at once, and most that are listed at all; the common ones.
SHOWN_LEVELS, LISTED_LEVELS = 6, 40
_REACH_ROWS = 300  # test rows that say how far bars of contributions reach; networks take long to explain
_MISSING_ZONE = 72  # pixels at the right of a curve for the effect of a missing value
OVERLAP = 0.8  # as `concurvity()` documents: above this a curve should not be read on its own


def importances(subject):
    """Rows of the importance table, most important first: ``index``, ``name``, ``share``, ``track``."""
    shares = np.asarray(subject.source.estimator.feature_importances_, dtype=float)
    top = shares.max() or 1.0
    return [
        {
            "index": int(j),
            "name": subject.label(subject.source.shown_names[j]),
            "share": percent(shares[j]),
            "track": track([(0.0, shares[j] / top, "bar-1")]),
        }
        for j in np.argsort(-shares, kind="stable")
    ]


def curves(subject, order):
    """Panels of the features in `order`.

    Returns
    -------
    panels : list of dict
        ``name``, ``kind``, ``banded``, ``note``, ``left_out`` (levels that are not shown), and ``views``: by position
        of the class the picture of a curve, or the rows of a category.
    """
    source, model = subject.source, subject.source.estimator
    shapes = []
    for j in order:
        panel = {class_: model.shape_function(source.names[j], class_=class_) for class_, _ in subject.outputs}
        panel, name = in_original_units(source, j, panel)
        shapes.append((j, name, list(panel.values())))
    with_band = not all(np.isnan(shape.se).all() for _, _, panel in shapes for shape in panel)
    bands = 2 if with_band else 0
    overlaps = _overlaps(source)
    limits = [effect_limits([panel[k] for _, _, panel in shapes], bands) for k in range(len(subject.outputs))]
    panels = []
    for j, name, panel in shapes:
        kind = panel[0].kind
        draw = _picture if kind == "numeric" else _table
        panels.append(
            {
                "name": subject.with_unit(name),
                "kind": kind,
                "banded": with_band,
                "note": overlaps.get(j, ""),
                "views": [(k, draw(subject, name, shape, limits[k], bands)) for k, shape in enumerate(panel)],
                "left_out": max(len(panel[0].x) - LISTED_LEVELS, 0) if kind == "category" else 0,
            }
        )
    return panels


def usual_reach(subject):
    """What the strongest feature adds in 19 of 20 test rows, by output: the scale of bars of contributions."""
    step = -(-len(subject.y) // _REACH_ROWS)
    some = subject.X.iloc[::step] if hasattr(subject.X, "iloc") else subject.X[::step]
    explained = subject.source.estimator.explain(subject.source.transform(some))
    values = np.asarray(explained.values, dtype=float)
    sizes = np.abs(values).reshape(len(values), len(subject.source.names), -1)
    return np.quantile(sizes, 0.95, axis=0).max(0).tolist()


def _overlaps(source):
    """By position, a sentence on features that others could replace."""
    if not hasattr(source.estimator, "concurvity"):
        return {}
    table = source.estimator.concurvity()
    shown = dict(zip(source.names, source.shown_names, strict=True))
    return {
        j: f"Overlaps with other factors, most with {shown[row.most_related]}: do not read this curve on its own."
        for j, row in enumerate(table.itertuples())
        if row.concurvity > OVERLAP and row.most_related is not None
    }


def _edges(shape, band):
    return [np.asarray(getattr(shape, name), dtype=float) for name in band]


def _picture(subject, name, shape, limits, bands):
    """A numeric feature."""
    x, y = np.asarray(shape.x, dtype=float), np.asarray(shape.y, dtype=float)
    thin = np.unique(np.linspace(0, len(x) - 1, N_POINTS).round().astype(int))
    known = x[np.isfinite(x)]
    span_x = (known.min(), known.max()) if known.size else (0.0, 1.0)
    low, high = limits
    chart = Chart(
        span_x,
        (low - 0.16 * (high - low), high),  # below the curves there is room for the data
        label=f"Effect of {subject.label(name)} on the {subject.scale}",
        x_label=subject.units.get(name) or "",  # its name stands above
        y_label=f"effect on {subject.scale}",
        right=12 if shape.missing is None else _MISSING_ZONE,
    )
    if shape.density.edges is not None:  # a column that was all missing has none
        _draw_density(subject, chart, np.asarray(shape.density.edges, float), np.asarray(shape.density.weight, float))
    chart.line(span_x, (0.0, 0.0), "zero")
    for band, class_ in ((SIMULTANEOUS, "band-wide"), (POINTWISE, "band"))[2 - bands :]:
        chart.band(x[thin], *(edge[thin] for edge in _edges(shape, band)), class_)
    chart.line(x[thin], y[thin], "line-1")
    if shape.missing is not None:
        _draw_missing(chart, shape.missing, _share(subject, shape.missing.weight), bands)
    return chart.markup()


def _draw_density(subject, chart, edges, weight):
    if edges[0] > edges[-1]:  # in units that run the other way
        edges, weight = edges[::-1], weight[::-1]
    weight = np.where([subject.few(w) for w in weight], 0.0, weight)
    widths = np.diff(edges)
    chart.histogram(edges, np.divide(weight, widths, out=np.zeros_like(weight), where=widths > 0), "density")


def _draw_missing(chart, missing, share, bands):
    left, width = chart.box[2] + 20, _MISSING_ZONE - 24
    at = left + width / 2
    chart.add("rect", "zone", x=left, y=chart.box[1], width=width, height=chart.box[3] - chart.box[1])
    if bands and np.isfinite(missing.lower):
        ends = chart.at_y(missing.lower), chart.at_y(missing.upper)
        chart.add("line", "whisker-1", x1=at, x2=at, y1=ends[0], y2=ends[1])
    chart.add("circle", "dot-1", cx=at, cy=chart.at_y(missing.value), r=3.5)
    chart.text(at, chart.box[3] + 16, "missing", "tick middle")
    chart.text(at, chart.box[3] + 30, share, "tick middle")


def _table(subject, _, shape, limits, bands):
    """A category: ``rows`` and ``more`` of ``name``, ``effect``, ``interval``, ``track``, ``share`` (of training)."""
    weight, y = np.asarray(shape.density.weight, dtype=float), np.asarray(shape.y, dtype=float)
    lower, upper = _edges(shape, POINTWISE)
    common = np.argsort(-weight, kind="stable")[:LISTED_LEVELS]
    parts = []
    for own in (common[:SHOWN_LEVELS], common[SHOWN_LEVELS:]):
        own = own[np.argsort(-y[own], kind="stable")]
        parts.append([_row(str(shape.x[i]), y[i], lower[i], upper[i], _share(subject, weight[i]), limits) for i in own])
    if shape.missing is not None:
        m = shape.missing
        parts[0].append(_row("missing", m.value, m.lower, m.upper, _share(subject, m.weight), limits, missing=True))
    return {"rows": parts[0], "more": parts[1]}


def _share(subject, weight):
    """A share of the training rows as text."""
    return f"< {percent(subject.min_group / subject.n_training)}" if subject.few(weight) else percent(weight)


def _row(name, value, lower, upper, share, limits, *, missing=False):
    low, high = limits

    def at(v):
        return (v - low) / (high - low)

    spans = [(at(0.0), at(value), "bar-up" if value > 0 else "bar-down")]
    known = np.isfinite(lower) and np.isfinite(upper)
    if known:
        spans.append((at(lower), at(upper), "whisker"))
    return {
        "name": name,
        "missing": missing,
        "effect": signed(value),
        "interval": span(signed(lower), signed(upper)) if known else "",
        "track": track(spans, [(at(0.0), "zero")]),
        "share": share,
    }
