"""NeighborDisplay: a patient beside the most similar ones, column by column."""

import numpy as np

from kan_tabular.explain import SimilarCases
from kan_tabular.plots._style import (
    check_count,
    new_axes,
    palette,
    quiet_spines,
    safe_labels,
    safe_text,
    text_colour,
    write_prediction,
    write_value,
)
from kan_tabular.source import one_row, read_source

#: Opacity of a cell that makes all of the distance, in colour or in the colour of the text: text stays readable on it.
_DARKEST = {True: 0.65, False: 0.35}


class NeighborDisplay:
    """A table of one row and its nearest cases, one column each, shaded by where they differ.

    The stronger the shade of a cell, the more of the distance between the two comes from it. In the space of
    contributions (to a single score) the colour tells in which direction: whether this case's value raises or lowers
    the prediction, compared with the row's. It is recommended to use :meth:`from_estimator`. All parameters are stored
    as attributes.

    Parameters
    ----------
    neighbors : pandas.DataFrame
        The neighbours of one row, as `SimilarCases.query` returns them.
    values : dict
        The row's own value of each column.
    prediction : float
        What the model predicts for the row.
    prediction_name : str
        Name of `prediction`, such as ``"P(malignant)"``.
    prediction_column : str
        Column of `neighbors` with the same of the neighbours.
    signed : bool, default=True
        Whether the signs of the differences mean that a prediction is raised or lowered.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    image_ : matplotlib AxesImage
        The shades, a row for each feature and a column for each neighbour.
    texts_ : ndarray of matplotlib Text of shape (n_rows, 1 + n_neighbors)
        The cells: distance, outcome and prediction, then the values.
    """

    def __init__(self, *, neighbors, values, prediction, prediction_name, prediction_column, signed=True):
        self.neighbors = neighbors
        self.values = values
        self.prediction = prediction
        self.prediction_name = prediction_name
        self.prediction_column = prediction_column
        self.signed = signed

    @classmethod
    def from_estimator(cls, cases, X, row=0, *, n_neighbors=None, max_features=15, ax=None):
        """Find the nearest cases of one row of a table and draw them.

        Parameters
        ----------
        cases : kan_tabular.explain.SimilarCases
            Fitted.
        X : table of shape (n_samples, n_columns)
            The table that holds the row, as the model of `cases` takes it.
        row : int, default=0
            Position of the row in `X`.
        n_neighbors : int, default=None
            By default that of `cases`.
        max_features : int, default=15
            Most columns to show, the most important ones; what the others make of the distance is added up.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : NeighborDisplay
        """
        if not isinstance(cases, SimilarCases):
            raise TypeError(f"{cls.__name__} needs fitted SimilarCases; got {type(cases).__name__}.")
        table = one_row(X, row)
        neighbors = cases.query(table, n_neighbors)
        source = read_source(cases.estimator, needs="explain", display=cls.__name__)
        output, prediction, name = source.prediction(source.transform(table), cases.class_)
        cells = table.to_numpy() if hasattr(table, "columns") else np.asarray(table, dtype=object)
        values = dict(zip(cases.feature_names_in_.tolist(), cells[0], strict=True))
        importance = dict(zip(source.shown_names, source.estimator.feature_importances_, strict=True))
        shown = [column for column in values if f"value__{column}" in neighbors]
        shown = sorted(shown, key=lambda column: -importance.get(column, 0.0))
        outputs = [column for column in neighbors if column == "prediction" or column.startswith("prediction__")]
        display = cls(
            neighbors=neighbors,
            values={column: values[column] for column in shown},
            prediction=prediction,
            prediction_name=name,
            prediction_column=outputs[0] if len(outputs) == 1 else outputs[output],
            signed=cases.space == "contribution" and source.estimator.network_.n_outputs == 1,
        )
        return display.plot(max_features=max_features, ax=ax)

    def plot(self, *, max_features=15, ax=None):
        """Draw the table.

        Parameters
        ----------
        max_features : int, default=15
            Most columns to show; what the others make of the distance is added up.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : NeighborDisplay
            This display.
        """
        check_count("max_features", max_features)
        found = self.neighbors
        shown = list(self.values)[:max_features]
        shares, directions = self._shades(shown)
        rest = 1 - shares.sum(0)
        labels = ["distance", "outcome", self.prediction_name, *shown]
        rows = [
            [None, *found["distance"]],
            [None, *found["outcome"]],
            [self.prediction, *found[self.prediction_column]],
            *([self.values[name], *found[f"value__{name}"]] for name in shown),
        ]
        suppressed = found["distance"].isna().to_numpy()
        texts = [[self._write(i, value) for value in row] for i, row in enumerate(rows)]
        rest[suppressed | (found["distance"].to_numpy() == 0)] = 0.0
        if self._n_shares() > len(shown):
            labels.append("all other features")
            texts.append(["", *(f"{share:.0%} of it" for share in rest)])
            shares, directions = np.vstack([shares, rest]), np.vstack([directions, np.zeros_like(rest)])
        heads = ["this case", *("suppressed" if s else str(i) for s, i in zip(suppressed, found["id"], strict=True))]
        for row in texts:
            row[1:] = ["" if s else text for s, text in zip(suppressed, row[1:], strict=True)]

        self.ax_ = ax = new_axes(ax, figsize=(2.4 + 0.92 * len(heads), 1.1 + 0.27 * len(labels)))
        self.figure_ = ax.figure
        self._draw(ax, labels, heads, texts, self._colours(shares, directions))
        return self

    def _n_shares(self):
        return sum(column.startswith("share__") for column in self.neighbors)

    def _shades(self, shown):
        """Share of the distance, and sign of the difference, of each shown column and neighbour."""
        nothing = np.zeros(len(self.neighbors))

        def read(what):
            columns = [f"{what}__{name}" for name in shown]
            values = [self.neighbors[c].to_numpy(float) if c in self.neighbors else nothing for c in columns]
            return np.nan_to_num(np.array(values))

        return read("share"), np.sign(read("difference")) * self.signed

    def _colours(self, shares, directions):
        """Shades as RGBA (rows, neighbours, 4)."""
        from matplotlib.colors import to_rgb

        negative, positive, *_ = palette()
        colours = np.array([to_rgb(c) for c in (negative, text_colour(), positive)])
        # A square root keeps small shares apart from none.
        darkest = np.where(directions == 0, _DARKEST[False], _DARKEST[True])
        alpha = darkest * np.sqrt(np.clip(np.abs(shares), 0, 1))
        return np.dstack([colours[directions.astype(int) + 1], alpha])

    def _draw(self, ax, labels, heads, texts, colours):
        n_rows, n_heads = len(labels), 3
        self.image_ = ax.imshow(
            colours, extent=(0.5, len(heads) - 0.5, n_rows - 0.5, n_heads - 0.5), aspect="auto", interpolation="nearest"
        )
        self.texts_ = np.array(
            [
                [
                    ax.text(c, r, text, ha="center", va="center", fontsize="small", weight="normal" if c else "bold")
                    for c, text in enumerate(row)
                ]
                for r, row in enumerate(texts)
            ]
        )
        muted = text_colour()
        ax.axhline(n_heads - 0.5, color=muted, alpha=0.6, linewidth=0.8)
        ax.axvline(0.5, color=muted, alpha=0.6, linewidth=0.8)
        ax.set_xlim(-0.5, len(heads) - 0.5)
        ax.set_ylim(n_rows - 0.5, -0.5)
        ax.xaxis.tick_top()
        ax.set_xticks(range(len(heads)), safe_labels(heads, width=11), fontsize="small")
        ax.set_yticks(range(n_rows), safe_labels(labels, width=32))
        ax.tick_params(length=0)
        note = "shade: share of the distance"
        if self.signed:
            note += f"; orange raises {safe_text(self.prediction_name, width=24)}, blue lowers it"
        ax.set_xlabel(note, fontsize="small")
        quiet_spines(ax, keep=())

    def _write(self, row, value):
        if row == 1:
            return "" if value is None else write_value(value) if not isinstance(value, str) else safe_text(value, 11)
        if row == 2:
            return write_prediction(value, self.prediction_name)
        if row == 0:
            return "" if value is None else f"{value:.2f}"
        text = write_value(value)
        return text if len(text) <= 11 else safe_text(value, 11)
