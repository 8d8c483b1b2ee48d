"""PatientDisplay: where one case stands on the response curve, and on the curves that matter most."""

from dataclasses import dataclass, field

import numpy as np
from sklearn.base import is_classifier

from kan_tabular.explain.spaces import encode
from kan_tabular.plots import _panels
from kan_tabular.plots._style import (
    check_count,
    new_figure,
    number_format,
    palette,
    quiet_spines,
    safe_text,
    text_colour,
    wrapped_labels,
    write_prediction,
    write_value,
)
from kan_tabular.plots.shape import in_original_units
from kan_tabular.source import one_row, read_source, shown_data

#: Points of the response curve.
_GRID = 300


@dataclass(frozen=True)
class PatientPanel:
    """The curve of one feature with the case and its neighbours on it.

    Attributes
    ----------
    name : str
    shape : shape
    value : object
        The case's own value, in the units shown; None where it is missing.
    effect : float
        What the curve says there.
    neighbor_values : list
        Values of the neighbours; empty where they are not known.
    neighbor_effects : ndarray
    """

    name: str
    shape: object
    value: object
    effect: float
    neighbor_values: list = field(default_factory=list)
    neighbor_effects: np.ndarray = field(default_factory=lambda: np.empty(0))


class PatientDisplay:
    """One case on the response curve (top) and on the curves of the most important features (below).

    On top: from the linear predictor, on which effects add up, to the prediction, with the case as a large dot, its
    nearest cases as small diamonds (by their predictions), and a dotted line at the model's average. Below: the curve
    of each feature with its 95% bands, and the same marks at the values that the cases have. In a network the curves
    are main effects (each feature alone), so that they do not add up to the prediction. It is recommended to use
    :meth:`from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    etas, responses : array-like of shape (n_points,)
        The response curve.
    eta, prediction : float
        The case on it.
    average_eta : float
    prediction_name : str
        What is predicted, such as ``"P(malignant)"``.
    scale : str
        Name of the linear predictor, such as ``"log-odds of malignant"``.
    panels : list of PatientPanel
    neighbor_etas, neighbor_predictions : array-like of shape (n_neighbors,), default=()

    Attributes
    ----------
    figure_ : matplotlib Figure
    response_ax_ : matplotlib Axes
    axes_ : ndarray of matplotlib Axes of shape (n_rows, n_cols)
        The panels below; None where a row has none.
    markers_ : list of matplotlib Line2D
        The case's own mark: on the response curve, then in each panel.
    neighbor_markers_ : list of matplotlib Line2D
        Those of the neighbours; without any they are empty.

    References
    ----------
    Apellaniz et al. (2025), arXiv 2509.16750: patient curves.
    """

    def __init__(
        self,
        *,
        etas,
        responses,
        eta,
        prediction,
        average_eta,
        prediction_name,
        scale,
        panels,
        neighbor_etas=(),
        neighbor_predictions=(),
    ):
        self.etas = etas
        self.responses = responses
        self.eta = eta
        self.prediction = prediction
        self.average_eta = average_eta
        self.prediction_name = prediction_name
        self.scale = scale
        self.panels = panels
        self.neighbor_etas = neighbor_etas
        self.neighbor_predictions = neighbor_predictions

    @classmethod
    def from_estimator(cls, estimator, X, row=0, cases=None, n_features=6, *, n_neighbors=None, class_=None, n_cols=3):
        """Read the curves of a model and where a row of a table stands on them, and draw both.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A fitted model, or a pipeline that ends in one.
        X : table of shape (n_samples, n_features)
            The table that holds the row, as `estimator` takes it.
        row : int, default=0
            Position of the row in `X`.
        cases : SimilarCases, default=None
            Fitted, on the same model: its nearest cases are marked. Suppressed ones are not, nor are values of redacted
            columns.
        n_features : int, default=6
            Most curves to draw, by `feature_importances_`.
        n_neighbors : int, default=None
            By default that of `cases`.
        class_ : object, default=None
            For more than two classes the class to show, by default the one predicted; for several targets or quantiles
            the position of one, by default the first.
        n_cols : int, default=3
            Most curves in a row.

        Returns
        -------
        display : PatientDisplay
        """
        source = read_source(estimator, needs="shape_function", display=cls.__name__)
        check_count("n_features", n_features)
        table = one_row(X, row)
        taken, model = source.transform(table), source.estimator
        k, prediction, name = source.prediction(taken, class_)
        several = model.network_.n_outputs > 1
        output, label = (k if several else 0), None
        if several:
            label = k if source.classes is None else source.classes[k]
        Z = encode(model, taken, warn=False)  # the prediction has warned
        eta = model.network_.forward(Z)[0]
        found = None if cases is None else _neighbors(cases, source, table, n_neighbors)
        near = np.empty(0) if found is None else _predictions(found, source, k)
        near_etas = _linear_predictors(source, eta, output, near)
        average = float(model.network_.base[output])
        etas = _grid(source, eta[output], average, near_etas)
        display = cls(
            etas=etas,
            responses=_responses(source, eta, output, k, etas),
            eta=float(eta[output]),
            prediction=prediction,
            average_eta=average,
            prediction_name=name,
            scale=source.scale(label),
            panels=_panels_of(source, table, taken, Z, output, label, n_features, found),
            neighbor_etas=near_etas,
            neighbor_predictions=near,
        )
        return display.plot(n_cols=n_cols)

    def plot(self, *, n_cols=3):
        """Draw the curves on a new figure.

        Parameters
        ----------
        n_cols : int, default=3
            Most curves in a row.

        Returns
        -------
        display : PatientDisplay
            This display.
        """
        check_count("n_cols", n_cols)
        n_cols = min(n_cols, len(self.panels))
        n_rows = -(-len(self.panels) // n_cols)
        self.figure_ = new_figure((max(3.5 * n_cols, 5.5), 2.9 + 2.9 * n_rows))
        grid = self.figure_.add_gridspec(n_rows + 1, n_cols, height_ratios=[0.9, *[1.0] * n_rows])
        own, near, *_ = palette()[1::-1]
        styles = {
            "own": {"marker": "o", "markersize": 9, "color": own, "markeredgecolor": text_colour(), "zorder": 6},
            "near": {"marker": "D", "markersize": 4.5, "color": near, "markeredgecolor": text_colour(), "zorder": 5},
        }
        styles = {key: {"linestyle": "", "markeredgewidth": 0.7, **style} for key, style in styles.items()}
        self.response_ax_ = self.figure_.add_subplot(grid[0, :])
        self.axes_ = np.full((n_rows, n_cols), None, dtype=object)
        self.markers_, self.neighbor_markers_ = [], []
        self._draw_response(self.response_ax_, styles)
        limits = [_panels.effect_limits([panel.shape], _bands(panel.shape)) for panel in self.panels]
        marks = np.concatenate([[panel.effect, *panel.neighbor_effects] for panel in self.panels])
        limits = min(min(low for low, _ in limits), marks.min()), max(max(high for _, high in limits), marks.max())
        names = wrapped_labels([panel.name for panel in self.panels], width=28)
        for i, (panel, name) in enumerate(zip(self.panels, names, strict=True)):
            ax = self.figure_.add_subplot(grid[1 + i // n_cols, i % n_cols])
            self.axes_[i // n_cols, i % n_cols] = ax
            self._draw_panel(ax, panel, name, limits, styles)
        return self

    def _draw_response(self, ax, styles):
        muted = text_colour()
        ax.plot(self.etas, self.responses, color=muted, linewidth=1.8, alpha=0.8)
        ax.axvline(self.average_eta, color=muted, linestyle=":", linewidth=1.0, alpha=0.7, label="average")
        name = safe_text(self.prediction_name, width=28)
        n = len(self.neighbor_etas)
        (near,) = ax.plot(self.neighbor_etas, self.neighbor_predictions, **styles["near"])
        if n:
            near.set_label(f"{n} nearest case{'s' if n > 1 else ''}")
        (own,) = ax.plot([self.eta], [self.prediction], **styles["own"])
        own.set_label(f"this case: {name} = {write_prediction(self.prediction, self.prediction_name)}")
        self.markers_.append(own)
        self.neighbor_markers_.append(near)
        if self.prediction_name.startswith("P("):
            from matplotlib.ticker import PercentFormatter

            ax.set_ylim(-0.04, 1.04)
            ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        ax.set_xlim(self.etas[0], self.etas[-1])
        ax.set_xlabel(f"{safe_text(self.scale, width=60)} (sum of all effects)")
        ax.set_ylabel(name)
        ax.tick_params(labelsize="small")
        handles = [own, *([near] if n else []), ax.get_lines()[1]]
        self.figure_.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False, fontsize="small")
        quiet_spines(ax, keep=("left", "bottom"))

    def _draw_panel(self, ax, panel, name, limits, styles):
        shape, numeric = panel.shape, panel.shape.kind == "numeric"
        draw = _panels.draw_numeric if numeric else _panels.draw_category
        draw(ax, [shape], limits, styles=[(text_colour(), "-")], bands=_bands(shape))
        near = _panels.positions(shape, panel.neighbor_values), panel.neighbor_effects
        own = _panels.positions(shape, [panel.value]), [panel.effect]
        for at, style, kept in ((near, "near", self.neighbor_markers_), (own, "own", self.markers_)):
            kept += ax.plot(*(at if numeric else at[::-1]), **styles[style], clip_on=False)
        if numeric:
            seen = np.concatenate([own[0], near[0]])
            seen = seen[np.isfinite(seen)]
            low, high = ax.get_xlim()
            margin = 0.03 * (high - low)
            ax.set_xlim(min(low, seen.min(initial=high) - margin), max(high, seen.max(initial=low) + margin))
        _panels.label_panel(ax, shape.kind, name, "effect")
        value = "missing" if panel.value is None else write_value(panel.value)
        effect = number_format(abs(panel.effect))(panel.effect, sign="+")
        # On the left, where neither the note on missing values nor that on levels is.
        ax.set_title(f"{value}: {effect}", fontsize="small", fontweight="bold", loc="left", pad=10)


def _bands(shape):
    """How many bands to draw: a network's main effects come without standard errors."""
    return 0 if np.isnan(shape.se).all() else 2


def _neighbors(cases, source, table, n_neighbors):
    """The nearest cases that may be shown, as `SimilarCases.query` returns them."""
    from kan_tabular.explain import SimilarCases

    if not isinstance(cases, SimilarCases):
        raise TypeError(f"cases must be fitted SimilarCases, or None; got {type(cases).__name__}.")
    if read_source(cases.estimator, needs="explain", display="PatientDisplay").names != source.names:
        raise ValueError("cases must be of this model, and theirs has other features: fit SimilarCases on this one.")
    found = cases.query(table, n_neighbors)
    return found[found["distance"].notna()]


def _predictions(found, source, k):
    columns = [name for name in found if name == "prediction" or name.startswith("prediction__")]
    column = columns[0] if len(columns) == 1 else columns[k]
    return found[column].to_numpy(float)  # of two classes the second's probability, which is the one shown here


def _linear_predictors(source, eta, output, predictions):
    """Where predictions (m,) lie on the response curve of the case with linear predictor `eta` (n_outputs,)."""
    if source.classes is None:
        return np.asarray(source.estimator.network_.likelihood.link(predictions), dtype=float)
    others = np.delete(eta, output)
    rest = others.max() + np.log(np.exp(others - others.max()).sum())
    return rest + np.log(predictions / (1 - predictions))


def _responses(source, eta, output, k, etas):
    """Predictions (n_points,) if this output's linear predictor were `etas` and the others' as they are."""
    moved = np.repeat(eta[None], len(etas), axis=0)
    moved[:, output] = etas
    return source.respond(moved)[:, k]


def _grid(source, eta, average, near):
    """Linear predictors to draw the response curve at: all cases are on it, and a sigmoid is seen whole."""
    marks = np.array([eta, average, *near[np.isfinite(near)]])
    low, high = marks.min(), marks.max()
    if is_classifier(source.estimator):
        reach = max(abs(low), abs(high), 4.0) + 0.5
        return np.linspace(-reach, reach, _GRID)
    margin = 0.15 * ((high - low) or abs(high) or 1.0)
    return np.linspace(low - margin, high + margin, _GRID)


def _panels_of(source, table, taken, Z, output, label, n_features, found):
    model = source.estimator
    effects = model.network_.effects(Z)[0, :, output]
    cells = dict(zip(source.shown_names, shown_data(source, table, np.asarray(taken, dtype=object)[0]), strict=True))
    panels = []
    for j in np.argsort(-model.feature_importances_, kind="stable")[:n_features]:
        own = {None: model.shape_function(source.names[j], class_=label)}
        shape, name = in_original_units(source, j, own)
        shape = shape[None]
        # In other units than the table's, only the model's own value is on the curve.
        known = name in source.columns
        value = cells[name] if known else Z[0, j]
        value = None if value is None or value != value else value
        near = list(found[f"value__{name}"]) if known and found is not None and f"value__{name}" in found else []
        panels.append(PatientPanel(name, shape, value, float(effects[j]), near, _panels.effects_at(shape, near)))
    return panels
