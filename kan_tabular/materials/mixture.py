"""Effects of the parts of a mixture, along the directions in which a mixture can change.

Fractions add up to 1, so none of them changes alone, and the curve of one fraction has no meaning by itself. Along
Cox's direction one part grows or shrinks while all others keep their proportions to one another.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from kan_tabular.exceptions import DataError
from kan_tabular.materials.compositions import find_composition, read_amounts, read_frame
from kan_tabular.materials.featurizer import CompositionFeaturizer
from kan_tabular.materials.formulas import SYMBOLS, write_formula

NEW_ELEMENT = 0.1  # how far to go with an element that the reference does not contain


@dataclass(frozen=True)
class MixtureEffect:
    """Predictions along Cox's direction of one part of a mixture.

    Attributes
    ----------
    element : str
        The part that is changed.
    fraction : ndarray of shape (n_points,)
        Its fraction (0 to 1, in the units of the composition: atoms or weight).
    prediction : ndarray of shape (n_points,)
    reference_fraction, reference_prediction : float
        Those of the reference mixture.
    response : str
        What is predicted.
    rows : DataFrame
        The rows that were predicted.
    """

    element: str
    fraction: np.ndarray
    prediction: np.ndarray
    reference_fraction: float
    reference_prediction: float
    response: str
    rows: pd.DataFrame = field(repr=False)

    @property
    def effect(self):
        """Prediction less that of the reference (n_points,)."""
        return self.prediction - self.reference_prediction


def mixture_effect(model, reference, element, *, composition=None, X=None, grid=None, n_points=101, class_=None):
    """What a model predicts as one part of a mixture changes and the others keep their proportions.

    With the reference mixture s, the fraction of part i goes from s_i to x and that of each other part j from s_j to
    ``s_j (1 - x) / (1 - s_i)`` (Cox 1971). Columns that are no part of the mixture stay as they are.

    Parameters
    ----------
    model : estimator or Pipeline
        Fitted; takes the columns of `reference`.
    reference : table of one row, or str
        The reference mixture with the other columns of the model. A formula alone where that is all the model takes.
    element : str
        The part to change: an element, or a column of `composition`.
    composition : str, list of str or None, default=None
        The column of formulas, or those of fractions (they may have any names). None: as in the model's
        `CompositionFeaturizer` where a pipeline begins with one, otherwise the columns that are called like elements.
    X : table, default=None
        Data whose range of the fraction is covered. Without it from 0 to twice the fraction of the reference, or to 0.1
        where that contains none.
    grid : array-like of float, default=None
        The fractions to go through, instead of `n_points` even ones over that range.
    n_points : int, default=101
    class_ : label, default=None
        Class whose probability is shown, for a classifier; by default the last. For a regressor of several targets or
        quantiles the position of one.

    Returns
    -------
    effect : MixtureEffect

    References
    ----------
    Cox, D. R. (1971). A note on polynomial response functions for mixtures. Biometrika 58, 155-159.
    Scheffe, H. (1958). Experiments with mixtures. J. R. Stat. Soc. B 20, 344-360.
    Piepel, G. F. (1982). Measuring component effects in constrained mixture experiments. Technometrics 24, 29-39.
    """
    mixture = _Mixture(model, reference, composition)
    names, shares = mixture.names(element), mixture.shares(element)
    i = names.index(element)
    if shares[i] == 1:
        raise ValueError(f"The reference is {element} alone, so there are no proportions of others to keep.")
    grid = _grid(mixture, element, shares[i], X, n_points) if grid is None else np.asarray(grid, dtype=float)
    if grid.ndim != 1 or not grid.size or not ((grid >= 0) & (grid <= 1)).all():
        raise ValueError(f"grid must be a list of fractions from 0 to 1; got {grid!r}.")
    blends = (1 - grid[:, None]) * shares / (1 - shares[i])
    blends[:, i] = grid
    predict, response = _response(model, class_)
    rows = mixture.rows(names, np.vstack([shares, blends]))
    values = predict(mixture.as_input(rows))
    return MixtureEffect(
        element=element,
        fraction=grid,
        prediction=values[1:],
        reference_fraction=float(shares[i]),
        reference_prediction=float(values[0]),
        response=response,
        rows=rows.iloc[1:].reset_index(drop=True),
    )


def parts_of_mixture(model, reference, composition=None):
    """The parts that the reference contains; parameters as for `mixture_effect`."""
    return _Mixture(model, reference, composition).present()


class _Mixture:
    """The reference row, read: where its composition is, its fractions, and how to write others."""

    def __init__(self, model, reference, composition):
        featurizer = model.steps[0][1] if isinstance(model, Pipeline) else None
        if not isinstance(featurizer, CompositionFeaturizer):
            featurizer = None
        self.named = True
        if isinstance(reference, str):
            self.named = hasattr(featurizer, "feature_names_in_")
            column = featurizer.composition_[0] if featurizer is not None else composition
            if not isinstance(column, str):
                raise ValueError("reference is a formula: name its column by composition.")
            frame = pd.DataFrame({column: [reference]})
        else:
            frame, self.named = read_frame(reference)
        if len(frame) != 1:
            raise DataError(f"reference must be one row; got {len(frame)}.")
        self.frame = frame
        if composition is None and featurizer is not None:
            composition = featurizer.composition_
        self.columns, self.formulas = self._find(composition)

    def _find(self, composition):
        if composition is None:
            return find_composition(self.frame, self.named, None)
        columns = [composition] if isinstance(composition, str) else list(composition)
        absent = [name for name in columns if name not in self.frame.columns]
        if absent or not columns:
            what = f"has {absent[0]!r}, which the reference lacks" if absent else "must name at least one column"
            raise DataError(f"composition {what}.")
        return columns, len(columns) == 1 and isinstance(self.frame.iloc[0][columns[0]], str)

    def present(self):
        """The parts that the reference contains."""
        names, amounts = self._amounts(self.frame)
        return [name for name, amount in zip(names, amounts[0], strict=True) if amount > 0]

    def names(self, element):
        """The parts of the mixture, `element` among them."""
        if not self.formulas:
            if element not in self.columns:
                raise ValueError(f"{element!r} is no part of the mixture; choose from {', '.join(self.columns)}.")
            return self.columns
        if element not in SYMBOLS:
            raise ValueError(f"{element!r} is no element.")
        found, _ = self._amounts(self.frame)
        return found if element in found else [*found, element]

    def shares(self, element):
        """Fractions of the reference, in the order of `names`."""
        return self._shares(self.frame, self.names(element))[0]

    def observed(self, X, element):
        """Smallest and largest fraction of `element` in a table."""
        frame, _ = read_frame(X)
        share = self._shares(frame, self.names(element))[:, self.names(element).index(element)]
        return share.min(), share.max()

    def _shares(self, frame, names):
        found, amounts = self._amounts(frame)
        of = dict(zip(found, (amounts / amounts.sum(axis=1, keepdims=True)).T, strict=True))
        return np.column_stack([of.get(name, np.zeros(len(frame))) for name in names])

    def _amounts(self, frame):
        absent = [name for name in self.columns if name not in frame.columns]
        if absent:
            raise DataError(f"X has no column {absent[0]!r} of the composition.")
        if self.formulas:
            # Read as weights, formulas may also be written as "Ti-6Al-4V"; the numbers are used as they are.
            return read_amounts(frame, self.columns, formulas=True, fractions="weight", normalize=False)
        amounts = frame[self.columns].to_numpy(float)
        if not (np.isfinite(amounts).all() and (amounts >= 0).all() and (amounts.sum(axis=1) > 0).all()):
            raise DataError("Fractions of a mixture must be numbers of at least 0, not all of them 0.")
        return self.columns, amounts

    def rows(self, names, shares):
        """The reference with other fractions (n, k)."""
        rows = pd.concat([self.frame] * len(shares), ignore_index=True)
        if self.formulas:
            rows[self.columns[0]] = [write_formula(names, row) for row in shares]
            return rows
        total = self.frame[self.columns].to_numpy(float).sum()
        return rows.assign(**dict(zip(names, total * shares.T, strict=True)))

    def as_input(self, rows):
        return rows if self.named else rows.to_numpy()


def _grid(mixture, element, share, X, n_points):
    if X is None:
        low, high = 0.0, min(2 * share or NEW_ELEMENT, 1.0)
    else:
        low, high = mixture.observed(X, element)
        if low == high:
            raise ValueError(f"X has the same fraction of {element} in every row, {low:g}; give a grid instead.")
    return np.linspace(low, high, n_points)


def _response(model, class_):
    """A function from rows to one value each, and what that value is."""
    if is_classifier(model):
        classes = list(model.classes_)
        if class_ is not None and class_ not in classes:
            raise ValueError(f"class_={class_!r} is not a class of the model; choose one of {classes}.")
        k = len(classes) - 1 if class_ is None else classes.index(class_)
        return lambda rows: np.asarray(model.predict_proba(rows))[:, k], f"P({classes[k]})"

    def predict(rows):
        values = np.asarray(model.predict(rows), dtype=float)
        if values.ndim == 1:
            if class_ is not None:
                raise ValueError(f"class_ must be None because the model has one output; got {class_!r}.")
            return values
        n = values.shape[1]
        if isinstance(class_, bool) or class_ not in range(n):
            raise ValueError(
                f"The model predicts {n} values a row: class_ must be a position from 0 to {n - 1}; got {class_!r}."
            )
        return values[:, class_]

    return predict, "predicted value" if class_ is None else f"predicted value {class_}"
