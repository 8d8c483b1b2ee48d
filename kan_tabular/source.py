"""What displays and explanations read from a model: its public results, with the table's own names and units."""

import difflib
import numbers
from dataclasses import dataclass, field

import numpy as np
from scipy.special import softmax
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

LOG_LOSSES = ("poisson", "gamma")


@dataclass(frozen=True)
class Source:
    """A fitted model and, where it is the last step of a pipeline, what happens to a table before it.

    Attributes
    ----------
    estimator : estimator
        The model itself.
    preprocessing : Pipeline or None
        The steps before it.
    names : list of str
        The model's own feature names.
    shown_names : list of str
        The names to show: those of the original columns where preprocessing only passes columns on.
    columns : list of str
        The columns of the table that goes into the pipeline; equal to `names` without one.
    """

    estimator: object
    preprocessing: Pipeline | None
    names: list = field(repr=False)
    shown_names: list = field(repr=False)
    columns: list = field(repr=False)

    @property
    def classes(self):
        """The classes of a multiclass model, else None (its curves are then those of one output)."""
        classes = getattr(self.estimator, "classes_", None)
        return list(classes) if classes is not None and len(classes) > 2 else None

    @property
    def response(self):
        """The name of the scale on which contributions add up."""
        if is_classifier(self.estimator):
            return "log-odds"
        return "log of target" if getattr(self.estimator, "loss", None) in LOG_LOSSES else "target"

    def scale(self, class_=None):
        """What an effect changes, in words: `response`, and of which class, target or quantile (default: the last)."""
        if is_classifier(self.estimator):
            return f"{self.response} of {self.estimator.classes_[-1] if class_ is None else class_}"
        n = self.estimator.network_.n_outputs
        return self.response if n == 1 else f"{self.response} {n - 1 if class_ is None else class_}"

    def respond(self, eta):
        """Probabilities of all classes, or means, (..., outputs) for linear predictors `eta` (..., n_outputs)."""
        if self.classes is not None:
            return softmax(eta, axis=-1)
        mean = self.estimator.network_.likelihood.inverse_link(eta)
        return np.concatenate([1 - mean, mean], axis=-1) if is_classifier(self.estimator) else mean

    def class_index(self, class_):
        """Position of `class_` (default: the last) in `classes`; None where there is one output only."""
        if self.classes is None:
            if class_ is not None:
                raise ValueError(f"class_ must be None because the model has one output; got {class_!r}.")
            return None
        if class_ is None:
            return len(self.classes) - 1
        if class_ not in self.classes:
            raise ValueError(f"class_={class_!r} is not a class of the model; choose one of {_listing(self.classes)}.")
        return self.classes.index(class_)

    def output(self, class_=None):
        """Column of the linear predictor for `class_`, or for a target or quantile that is named by its position.

        By default the last, as of `shape_function`.
        """
        if self.classes is not None:
            return self.class_index(class_)
        n = self.estimator.network_.n_outputs
        if class_ is None:
            return n - 1
        if n == 1 or class_ not in range(n):
            what = "give None, this model has one score" if n == 1 else f"expected a position up to {n - 1}"
            raise ValueError(f"class_={class_!r}: {what}.")
        return class_

    def prediction(self, table, class_=None):
        """What the model predicts for one row, as it takes it.

        Returns
        -------
        output : int
            Position of what is shown among the classes, targets or quantiles: of `class_` (several targets: its
            position), by default the second of two classes, the predicted one of more, the first target.
        value : float
        name : str
            ``"P(class)"``, or ``"predicted value"``.
        """
        model = self.estimator
        if is_classifier(model):
            probabilities = model.predict_proba(table)[0]
            if class_ is None and self.classes is not None:
                class_ = self.classes[int(np.argmax(probabilities))]
            k = self.class_index(class_)
            k = 1 if k is None else k
            return k, float(probabilities[k]), f"P({model.classes_[k]})"
        values = np.asarray(model.predict(table), dtype=float).ravel()
        if class_ is None:
            return 0, float(values[0]), "predicted value"
        if len(values) == 1 or class_ not in range(len(values)):
            raise ValueError(f"class_={class_!r}: give None, or the position of one of several targets or quantiles.")
        return class_, float(values[class_]), f"predicted value {class_}"

    def transform(self, X):
        """The table as the model gets it."""
        return X if self.preprocessing is None else self.preprocessing.transform(X)

    def indices(self, features):
        """Positions of `features`, given as names (original or the model's own) or positions."""
        if isinstance(features, (str, int, np.integer)):
            features = [features]
        indices = [self._index(feature) for feature in features]
        if not indices:
            raise ValueError("features is empty; name at least one feature, or leave it None for the most important.")
        return indices

    def _index(self, feature):
        if isinstance(feature, (int, np.integer)) and not isinstance(feature, bool):
            if not -len(self.names) <= feature < len(self.names):
                raise ValueError(f"features has position {feature}, but the model has {len(self.names)} features.")
            return int(feature) % len(self.names)
        for names in (self.shown_names, self.names):
            if feature in names:
                return names.index(feature)
        close = difflib.get_close_matches(str(feature), self.shown_names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"choose from {_listing(self.shown_names)}."
        raise ValueError(f"features has {feature!r}, which is no feature of the model; {hint}")

    def in_units(self, index, *arrays):
        """The name of a numeric feature, and `arrays` of its values, in the units of the table where these are known.

        Returns
        -------
        name : str
            ``transformed <column>`` where preprocessing cannot be undone.
        arrays : list of ndarray
        """
        name = self.shown_names[index]
        if self.preprocessing is None or name not in self.columns:
            return name, list(arrays)
        shown = self.original_units(index, *arrays)
        return (f"transformed {name}", list(arrays)) if shown is None else (name, shown)

    def original_units(self, index, *arrays):
        """`arrays` of values of one feature in the units of the original table.

        Returns
        -------
        arrays : list of ndarray, or None
            None where preprocessing cannot be undone column by column.
        """
        if self.preprocessing is None or all(
            _leaves_alone(step, self.shown_names[index]) for _, step in self.preprocessing.steps
        ):
            return list(arrays)
        if self.shown_names != self.columns:
            return None
        cuts = np.cumsum([len(values) for values in arrays])[:-1]
        values = np.concatenate(arrays)
        table = np.zeros((len(values), len(self.columns)))
        table[:, index] = values
        try:
            with np.errstate(all="ignore"):
                for _, step in reversed(self.preprocessing.steps):
                    if _leaves_alone(step):
                        continue
                    table = np.asarray(step.inverse_transform(_named(table, step)), dtype=float)
                # Some steps "undo" without undoing (FunctionTransformer without inverse_func), others mix columns.
                again = np.asarray(self.preprocessing.transform(_named(table, self.preprocessing)), dtype=float)
        except (AttributeError, TypeError, ValueError):
            return None
        scale = np.abs(values).max()
        undone = np.isfinite(table[:, index]).all() and np.allclose(again[:, index], values, atol=1e-6 * scale)
        return np.split(table[:, index], cuts) if undone else None


def _leaves_alone(step, name=None):
    """Whether a step changes no units, or at least not those of `name` (our featurizer says which columns it keeps)."""
    # Imputation fills cells, it leaves the units alone.
    idle = step in ("passthrough", None) or isinstance(step, (SimpleImputer, KNNImputer))
    return idle or name in getattr(step, "passthrough_", ())


def _named(table, step):
    if not hasattr(step, "feature_names_in_"):
        return table
    import pandas as pd

    return pd.DataFrame(table, columns=step.feature_names_in_)


def read_source(estimator, *, needs, display):
    """The `Source` of a fitted model or of a pipeline that ends in one.

    Parameters
    ----------
    estimator : estimator or Pipeline
    needs : str
        The public method that `display` reads.
    display : str
        Name of the display, or of the function, for messages.

    Raises
    ------
    TypeError
        If the model has no method `needs`.
    NotFittedError
        If it is not fitted.
    """
    model, preprocessing = estimator, None
    if isinstance(estimator, Pipeline):
        model = estimator.steps[-1][1]
        preprocessing = estimator[:-1] if len(estimator.steps) > 1 else None
    if isinstance(model, type) or not hasattr(model, needs):
        kind = model.__name__ if isinstance(model, type) else type(model).__name__
        raise TypeError(
            f"{display} needs a fitted model of this package with a method {needs}, or a pipeline that ends in one; "
            f"{kind} has no method {needs}."
        )
    try:
        check_is_fitted(model)
    except NotFittedError as error:
        kind = type(model).__name__
        raise NotFittedError(f"{display} needs a fitted model; call fit on this {kind} first.") from error
    names = [str(name) for name in model.network_.feature_names]
    if preprocessing is None:
        return Source(model, None, names, names, names)
    n_columns = getattr(preprocessing, "n_features_in_", len(names))
    columns = [str(name) for name in getattr(preprocessing, "feature_names_in_", [f"x{i}" for i in range(n_columns)])]
    shown = [_original_name(name, columns) for name in _names_out(model, preprocessing, names)]
    if len(set(shown)) < len(shown):
        shown = names
    return Source(model, preprocessing, names, shown, columns)


def one_row(X, row):
    """The row at a position of a table, as a table of one row."""
    if getattr(X, "ndim", 2) != 2:
        raise ValueError(f"X must be a table with rows and columns; got {type(X).__name__} of {X.ndim} dimension(s).")
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    if isinstance(row, bool) or not isinstance(row, numbers.Integral):
        raise TypeError(f"row must be the position of a row, an integer; got {row!r}.")
    if not -n_rows <= row < n_rows:
        raise ValueError(f"row={row} is outside the table, which has {n_rows} rows.")
    start = int(row) % n_rows
    return X.iloc[start : start + 1] if hasattr(X, "iloc") else X[start : start + 1]


def shown_data(source, table, encoded):
    """Values of the row, from the original table where its columns reach the model under their own names."""
    if source.preprocessing is None:
        return list(encoded)
    columns = getattr(table, "columns", None)
    cells = table.to_numpy() if columns is not None else np.asarray(table, dtype=object)
    original = dict(zip(source.columns, cells[0], strict=True))
    return [original.get(name, value) for name, value in zip(source.shown_names, encoded, strict=True)]


def _names_out(model, preprocessing, names):
    if hasattr(model, "feature_names_in_"):
        return names
    try:
        out = [str(name) for name in preprocessing.get_feature_names_out()]
    except (AttributeError, ValueError):  # a step that cannot tell
        return names
    return out if len(out) == len(names) else names


def _original_name(name, columns):
    # ColumnTransformer writes "step__column"; nested ones write several prefixes.
    tail = name
    while tail not in columns and "__" in tail:
        tail = tail.split("__", 1)[1]
    return tail if tail in columns else name


def _listing(items, most=8):
    shown = ", ".join(repr(str(item)) for item in items[:most])
    return shown if len(items) <= most else f"{shown}, ... ({len(items)} in all)"
