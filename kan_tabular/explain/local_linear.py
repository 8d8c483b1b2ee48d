"""LIME (Ribeiro, Singh and Guestrin 2016) for tables with text and missing cells, and for pipelines."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import check_random_state

from kan_tabular.encoding import as_frame, is_frame, read_table
from kan_tabular.encoding.table import Text
from kan_tabular.explain.spaces import encode
from kan_tabular.fitted.explanation import Explanation
from kan_tabular.source import read_source

#: Numbers with at most so many different values are compared value by value, others by quarter.
_FEW = 4
_SCALES = ("link", "response")


@dataclass(frozen=True)
class LimeExplanation(Explanation):
    """What LIME says of each row: an `Explanation`, and how well its straight lines fit.

    Attributes
    ----------
    values : ndarray (n, p)
        Weight of each column's condition, such as ``35 < age <= 50``, in the local linear model. The row meets all of
        them, so base value + sum of the values is `local_prediction`.
    base_values : ndarray (n,)
        Intercepts: what LIME expects of a row that meets none of the conditions.
    data : ndarray (n, p)
        The table as given.
    feature_names : list of str
    conditions : ndarray of str (n, p)
    score : ndarray (n,)
        R2 of the local linear model on its own weighted sample.
    local_prediction : ndarray (n,)
    prediction : ndarray (n,)
        What the model says itself.
    lime : list of lime.explanation.Explanation
        LIME's own objects (their label is 1).
    """

    conditions: np.ndarray
    score: np.ndarray
    local_prediction: np.ndarray
    prediction: np.ndarray
    lime: list


def lime_explanation(
    estimator,
    X,
    *,
    background,
    class_=None,
    scale="link",
    n_samples=5000,
    n_features=None,
    kernel_width=None,
    random_state=None,
):
    """Explain rows by LIME's tabular explainer: a linear model around each of them.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted model of this package, or a pipeline that ends in one.
    X : table of shape (n, n_columns)
        Rows to explain, as `estimator` takes them.
    background : table of shape (m, n_columns)
        Rows from whose cells LIME makes up others, such as (some of) the training rows.
    class_ : label, default=None
        For more than two classes the one to explain, for several targets or quantiles the position of one (default: the
        last).
    scale : {"link", "response"}, default="link"
        Explain the linear predictor, on which contributions add up, or what is predicted: the probability of the class
        (of two, the second), or the predicted value.
    n_samples : int, default=5000
        Rows made up around each row.
    n_features : int, default=None
        Columns that LIME keeps, by its own selection; the others get the value 0. By default all.
    kernel_width : float, default=None
        How far "around" reaches; by default LIME's ``0.75 sqrt(n_columns)``.
    random_state : int, RandomState or None, default=None
        A row's explanation does not depend on the rows beside it.

    Returns
    -------
    explanation : LimeExplanation

    Raises
    ------
    ImportError
        If lime is not installed.
    ValueError
        If `X` and `background` differ in their columns, or a setting is wrong.

    Notes
    -----
    LIME itself takes numbers without holes. Here every cell stands for its row, so that a made-up row consists of cells
    of `background` as they are: text, booleans and whole numbers stay what they are, and preprocessing sees nothing it
    could not have seen. What LIME compares is whether a cell is *like the row's*: the same text; within the same
    quarter of the background's numbers (its default, too), or the same number if there are few different ones; or
    missing as well. A level that the background does not have is never made up, so LIME learns next to nothing of it.

    For an additive model, with columns drawn independently as LIME does, a weight tends to the mean of the curve over
    the row's condition less its mean over the rest of the background. A contribution is the curve's value at the row
    less its overall mean. The two answer different questions; `agreement` compares them.

    References
    ----------
    M. T. Ribeiro, S. Singh and C. Guestrin (2016). "Why should I trust you?" Explaining the predictions of any
    classifier. *KDD*. arXiv 1602.04938.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from kan_tabular import KAAMClassifier
    >>> from kan_tabular.explain import agreement, lime_explanation
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = KAAMClassifier().fit(X[:500], y[:500])
    >>> local = lime_explanation(model, X[500:502], background=X[:500], n_samples=500, random_state=0)
    >>> list(agreement(model.explain(X[500:502]), local))
    ['spearman', 'kendall', 'top_5_overlap', 'top_5_sign_agreement', 'local_r2']
    """
    source = read_source(estimator, needs="explain", display="lime_explanation")
    _check_settings(scale, n_samples, n_features, kernel_width)
    explainer = _lime_tabular().LimeTabularExplainer
    respond = _response(source, source.output(class_), scale)
    cells = _Cells(X, background)
    columns = _columns(cells, source)
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    n, p = cells.n_rows, len(columns)
    found = []
    for row in range(n):
        rng = np.random.RandomState(seed)
        discretizer = _discretizer(columns, n, rng)
        lime = explainer(
            np.tile(np.arange(n, cells.n_cells, dtype=float)[:, None], p),
            mode="regression",
            feature_names=cells.names,
            discretizer=discretizer,
            kernel_width=kernel_width,
            feature_selection="none" if n_features is None else "auto",
            random_state=rng,
        )
        found.append(
            lime.explain_instance(
                np.full(p, float(row)),
                lambda at: respond(cells.take(at.astype(int))),
                num_features=p if n_features is None else n_features,
                num_samples=n_samples,
            )
        )
    return _explanation(found, cells, columns)


def _explanation(found, cells, columns):
    values = np.zeros((len(found), len(columns)))
    for row, own in enumerate(found):
        for j, weight in own.local_exp[1]:
            values[row, j] = weight
    conditions = [[names[codes[row]] for codes, names in columns] for row in range(len(found))]
    data = cells.given
    for row, own in enumerate(found):  # LIME would show the cells' positions
        own.domain_mapper.feature_values = [str(cell) for cell in data[row]]
    return LimeExplanation(
        values=values,
        base_values=np.array([float(own.intercept[1]) for own in found]),
        data=data,
        feature_names=cells.names,
        conditions=np.array(conditions, dtype=object),
        score=np.array([float(own.score) for own in found]),
        local_prediction=np.array([float(np.ravel(own.local_pred)[0]) for own in found]),
        prediction=np.array([float(own.predicted_value) for own in found]),
        lime=found,
    )


def _lime_tabular():
    try:
        from lime import lime_tabular
    except ImportError as error:
        raise ImportError("lime_explanation needs lime: pip install 'kan-tabular[explain]'.") from error
    return lime_tabular


def _check_settings(scale, n_samples, n_features, kernel_width):
    if scale not in _SCALES:
        raise ValueError(f"scale={scale!r}: expected 'link' or 'response'.")
    for name, value, least in (("n_samples", n_samples, 2), ("n_features", n_features, 1)):
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        if not (whole and value >= least) and not (name == "n_features" and value is None):
            raise ValueError(f"{name}={value!r}: expected an integer of at least {least}.")
    real = isinstance(kernel_width, numbers.Real) and not isinstance(kernel_width, bool)
    if kernel_width is not None and not (real and kernel_width > 0):
        raise ValueError(f"kernel_width={kernel_width!r}: expected a positive number, or None.")


def _response(source, output, scale):
    """A function from the user's tables (m rows) to what is explained (m,)."""
    model = source.estimator
    if scale == "link":
        return lambda table: model.network_.forward(encode(model, source.transform(table)))[:, output]
    if is_classifier(model):
        output = output if source.classes is not None else 1
        return lambda table: model.predict_proba(source.transform(table))[:, output]
    return lambda table: np.asarray(model.predict(source.transform(table)), dtype=float).reshape(len(table), -1)[
        :, output
    ]


class _Cells:
    """The rows to explain on top of the background rows, from whose cells tables can be put together."""

    def __init__(self, X, background):
        X, background = as_frame(X), as_frame(background)
        if is_frame(X) != is_frame(background):
            raise ValueError("X and background must both be data frames, or both arrays.")
        self.frame = is_frame(X)
        self._stacked = _stacked_frames(X, background) if self.frame else _stacked_arrays(X, background)
        self.n_cells = len(self._stacked)
        self.n_rows = len(X)
        self.table = read_table(self._stacked)
        self.names = self.table.names
        given = self._stacked[: self.n_rows]
        self.given = given.to_numpy() if self.frame else given

    def take(self, at):
        """A table whose cell in row i and column j is that of the stacked rows' row ``at[i, j]``."""
        if not self.frame:
            return self._stacked[at, np.arange(at.shape[1])]
        import pandas as pd

        columns = [self._stacked.iloc[own, j].reset_index(drop=True) for j, own in enumerate(at.T)]
        return pd.concat(columns, axis=1)


def _stacked_frames(X, background):
    import pandas as pd

    X, background = _pandas(X), _pandas(background)
    names = [str(name) for name in X.columns]
    absent = [name for name in X.columns if name not in background.columns]
    extra = [name for name in background.columns if name not in X.columns]
    if absent or extra:
        what = f"lacks {absent[0]!r}, which X has" if absent else f"has {extra[0]!r}, which X lacks"
        raise ValueError(
            f"background {what}: give both the columns that the model takes ({', '.join(names[:10])} ...)."
        )
    columns = [pd.concat([X[name], background[name]], ignore_index=True) for name in X.columns]
    return pd.concat(columns, axis=1)


def _pandas(frame):
    import pandas as pd

    if isinstance(frame, pd.DataFrame):
        return frame
    import narwhals as nw

    frame = nw.from_native(frame, eager_only=True)
    return pd.DataFrame({name: frame[name].to_list() for name in frame.columns})


def _stacked_arrays(X, background):
    parts = [np.asarray(part) for part in (X, background)]
    parts = [
        part if part.dtype.kind in "biuf" else np.asarray(rows, dtype=object)
        for part, rows in zip(parts, (X, background), strict=True)
    ]
    if any(part.ndim != 2 for part in parts) or parts[0].shape[1] != parts[1].shape[1]:
        shapes = " and ".join(str(part.shape) for part in parts)
        raise ValueError(f"X and background must be tables with the same columns; got shapes {shapes}.")
    return np.concatenate(parts)


def _columns(cells, source):
    """For each column the codes of its cells (n_cells,), and what each code says: a list of (codes, conditions)."""
    features = source.estimator.network_.features
    coded = {n for n, f in zip(source.shown_names, features, strict=True) if f.kind == "category"}
    columns = []
    for name, column in zip(cells.names, cells.table.columns, strict=True):
        if isinstance(column, Text):
            codes, conditions = column.codes, [f"{name} = {label}" for label in column.labels]
        else:
            codes, conditions = _quarters(name, column, cells.n_rows, levels=name in coded)
        columns.append((np.where(codes < 0, len(conditions), codes), [*conditions, f"{name} missing"]))
    return columns


def _quarters(name, x, n_rows, levels):
    """Codes (-1 where missing) of numbers, cut at the quartiles of the background, and their conditions."""
    missing = np.isnan(x)
    known = x[n_rows:][~missing[n_rows:]]
    if levels or len(np.unique(known)) <= _FEW:
        values = np.unique(x[~missing])
        codes, conditions = np.searchsorted(values, x), [f"{name} = {value:.6g}" for value in values]
    else:
        cuts = np.unique(np.percentile(known, [25, 50, 75]))
        codes, edges = np.searchsorted(cuts, x), [f"{cut:.4g}" for cut in cuts]
        between = [f"{low} < {name} <= {high}" for low, high in zip(edges, edges[1:], strict=False)]
        conditions = [f"{name} <= {edges[0]}", *between, f"{name} > {edges[-1]}"]
    return np.where(missing, -1, codes), conditions


def _discretizer(columns, n_rows, rng):
    """How LIME goes from cells (positions among the stacked rows) to codes, and back to cells of the background."""
    from lime.discretize import BaseDiscretizer

    class Positions(BaseDiscretizer):
        def __init__(self):
            self.names = {j: conditions for j, (_, conditions) in enumerate(columns)}
            self.lambdas = {j: partial(_codes_at, codes) for j, (codes, _) in enumerate(columns)}

        def undiscretize(self, data):
            at = np.empty_like(data)
            for j, (codes, _) in enumerate(columns):
                by_code = np.argsort(codes[n_rows:], kind="stable")
                ends = np.cumsum(np.bincount(codes[n_rows:]))
                own = data[:, j].astype(int)
                starts = np.where(own > 0, ends[own - 1], 0)
                at[:, j] = n_rows + by_code[starts + rng.randint(0, ends[own] - starts)]
            return at

    return Positions()


def _codes_at(codes, at):
    return codes[np.asarray(at).astype(int)]
