"""ShapeDisplay: the curve of each feature, with its uncertainty and the data behind it."""

from types import SimpleNamespace

import numpy as np

from kan_tabular.plots import _panels
from kan_tabular.plots._style import class_styles, panel_axes, safe_labels, safe_text
from kan_tabular.source import read_source


class ShapeDisplay:
    """Effect of each feature on the prediction, one panel a feature.

    A numeric feature is a curve with its pointwise 95% band (darker) and its simultaneous one (lighter), above a strip
    that shows where the data are. A categorical feature is one bar a level, ordered by effect, with both intervals
    (thick and thin), and a short grey bar at the left for the level's share of the data. Missing values have a zone of
    their own: at the right of a curve, below the levels of a category. All panels share the range of the effect, so
    that magnitudes can be compared; it holds every curve, and the bands where 98% of the rows are. It is recommended to
    use :meth:`from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    shapes : list of dict
        The shapes of each panel by class, as ``shape_function`` returns them. A panel of a model with one output, or of
        one class, has a single entry.
    feature_names : list of str, default=None
        Name of each panel; by default that of its shapes.
    effect_label : str, default="effect on log-odds"
        Label of the effect.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes of shape (n_rows, n_cols)
        The panels; None where a row has none.
    lines_ : list of dict
        For each panel the line of each class: a curve, or the dots of the levels.
    """

    def __init__(self, *, shapes, feature_names=None, effect_label="effect on log-odds"):
        self.shapes = shapes
        self.feature_names = feature_names
        self.effect_label = effect_label

    @classmethod
    def from_estimator(cls, estimator, features=None, *, class_=None, n_cols=3, X=None, sharey=True, ax=None):
        """Read the shapes of a model and draw them.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A fitted additive model, or a pipeline that ends in one.
        features : str, int or list of these, default=None
            Names or positions of the features; by default the nine most important ones.
        class_ : object, default=None
            For a multiclass model the class to show; by default all are, and the bands only for up to three classes.
            With several targets or quantiles the position of one, by default the last.
        n_cols : int, default=3
            Most panels in a row.
        X : table of shape (n_samples, n_features), default=None
            Data whose distribution is shown and on which importance is measured, instead of the training data.
        sharey : bool, default=True
            Whether all panels share the range of the effect.
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw: one axes for all panels, or one for each. By default a new figure is made.

        Returns
        -------
        display : ShapeDisplay
        """
        source = read_source(estimator, needs="shape_function", display=cls.__name__)
        model = source.estimator
        encoded = None if X is None else source.transform(X)
        if features is None:
            weights = model.feature_importances_ if X is None else model.importance(encoded)
            indices = list(np.argsort(-np.asarray(weights), kind="stable")[:9])
        else:
            indices = source.indices(features)
        columns = None if X is None else np.asarray(model.explain(encoded).data, dtype=object)

        source.output(class_)  # refuses a wrong class before any work
        classes = source.classes if class_ is None and source.classes else [class_]
        shapes, names = [], []
        for i in indices:
            column = None if columns is None else columns[:, i]
            panel = {c: _with_data(model.shape_function(source.names[i], class_=c), column) for c in classes}
            panel, name = in_original_units(source, i, panel)
            shapes.append(panel)
            names.append(name)
        effect_label = f"effect on {source.scale(class_) if len(classes) == 1 else source.response}"
        display = cls(shapes=shapes, feature_names=names, effect_label=effect_label)
        return display.plot(ax=ax, n_cols=n_cols, sharey=sharey)

    def plot(self, *, ax=None, n_cols=3, sharey=True):
        """Draw the panels.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw: one axes for all panels, or one for each. By default a new figure is made.
        n_cols : int, default=3
            Most panels in a row.
        sharey : bool, default=True
            Whether all panels share the range of the effect.

        Returns
        -------
        display : ShapeDisplay
            This display.
        """
        classes = list(self.shapes[0])
        names = self.feature_names or [next(iter(panel.values())).feature for panel in self.shapes]
        self.axes_ = panel_axes(ax, len(self.shapes), n_cols)
        drawn_on = [panel_ax for panel_ax in self.axes_.ravel() if panel_ax is not None]
        self.figure_ = drawn_on[0].figure

        styles = class_styles(len(classes))
        bands = 2 if len(classes) == 1 else 1 if len(classes) <= 3 else 0
        if all(np.isnan(shape.se).all() for panel in self.shapes for shape in panel.values()):
            bands = 0  # a network's main effects come without standard errors
        limits = [_panels.effect_limits(panel.values(), bands) for panel in self.shapes]
        if sharey:
            limits = [(min(low for low, _ in limits), max(high for _, high in limits))] * len(limits)
        effect_label = safe_text(self.effect_label, width=40)
        self.lines_ = []
        kinds = [next(iter(panel.values())).kind for panel in self.shapes]
        for i, (panel, panel_ax, kind) in enumerate(zip(self.shapes, drawn_on, kinds, strict=True)):
            draw = _panels.draw_numeric if kind == "numeric" else _panels.draw_category
            lines = draw(panel_ax, list(panel.values()), limits[i], styles=styles, bands=bands)
            self.lines_.append(dict(zip(panel, lines, strict=True)))
            # In a row of curves drawn here, the first one's label serves all.
            repeated = ax is None and i % self.axes_.shape[1] > 0 and kinds[i - 1] == kind == "numeric"
            _panels.label_panel(panel_ax, kind, safe_text(names[i], width=24), "" if repeated else effect_label)
        if len(classes) > 1:
            # A curve shows colour and line style, so it makes the better key.
            key = self.lines_[kinds.index("numeric") if "numeric" in kinds else 0]
            self._add_legend(drawn_on[0], list(key.values()), safe_labels(classes, width=24), own_figure=ax is None)
        return self

    def _add_legend(self, first_axes, handles, labels, *, own_figure):
        if not own_figure:
            first_axes.legend(handles, labels, frameon=False, fontsize="small")
            return
        n_columns = min(len(labels), 2 * self.axes_.shape[1])
        n_lines = -(-len(labels) // n_columns)
        self.figure_.set_figheight(self.figure_.get_figheight() + 0.25 * n_lines + 0.15)
        self.figure_.legend(handles, labels, loc="outside upper center", ncols=n_columns, frameon=False)


def _changed(shape, **changes):
    names = ("feature", "kind", "x", "y", "se", "lower", "upper", "lower_simultaneous", "upper_simultaneous")
    kept = {name: getattr(shape, name) for name in (*names, "missing", "density")}
    return SimpleNamespace(**kept | changes)


def _with_data(shape, column):
    """The shape with the distribution of `column` (n_samples,) in place of that of the training data."""
    if column is None:
        return shape
    import pandas as pd

    absent = pd.isna(column)
    present = column[~absent]
    if shape.kind == "numeric":
        edges = np.asarray(shape.density.edges, dtype=float)
        counts = np.histogram(present.astype(float), bins=edges)[0]
    else:
        edges = None
        levels = pd.Series(present, dtype=object).map(str).value_counts()
        counts = np.array([levels.get(str(level), 0) for level in shape.x])
    density = SimpleNamespace(edges=edges, weight=counts / len(column))
    missing = shape.missing
    if missing is not None:
        kept = {name: getattr(missing, name) for name in ("value", "se", "lower", "upper")}
        missing = SimpleNamespace(**kept, weight=absent.mean())
    return _changed(shape, density=density, missing=missing)


def in_original_units(source, index, panel):
    """The panel and its name, in the units of the original table where preprocessing can be undone."""
    name = source.shown_names[index]
    if source.preprocessing is None or next(iter(panel.values())).kind != "numeric":
        return panel, name
    restored = {}
    for class_, shape in panel.items():
        arrays = np.asarray(shape.x, dtype=float), np.asarray(shape.density.edges, dtype=float)
        name, (x, edges) = source.in_units(index, *arrays)
        density = SimpleNamespace(edges=edges, weight=shape.density.weight)
        restored[class_] = _changed(shape, feature=name, x=x, density=density)
    return restored, name
