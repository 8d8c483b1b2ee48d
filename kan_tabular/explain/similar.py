"""SimilarCases: which known cases a model takes for like this one, and what became of them."""

from __future__ import annotations

import numbers

import numpy as np
from scipy.stats import percentileofscore
from sklearn.base import BaseEstimator, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from kan_tabular.encoding import read_table
from kan_tabular.explain.cases import Cases, in_large_cells, named_columns, read_outcomes
from kan_tabular.explain.intervals import mean, rate
from kan_tabular.explain.search import METRICS, ExactSearch
from kan_tabular.explain.spaces import encode, make_space
from kan_tabular.source import read_source

#: Cases whose own nearest neighbour says how far apart cases usually are.
_REFERENCES = 1000


class SimilarCases(BaseEstimator):
    """Cases like a given one, as a fitted model sees them.

    Estimators keep no rows of their training table. This object does keep the cases it is given, on purpose: fit it on
    those that may be shown, and treat it, and its file, as the data they are.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted model of this package, or a pipeline that ends in one. It is used as it is, not fitted again.
    n_neighbors : int, default=5
    space : {"contribution", "input", "embedding"}, default="contribution"
        Where cases are compared. "contribution": what each feature adds to the linear predictor, on the link scale;
        two values count as alike if the model draws the same conclusion from them. For networks these are main effects,
        each feature on its own. "input": the columns of the model, standardised, categories and missing values
        as in `kan_tabular.explain.spaces.InputSpace`. "embedding": the sums in the first hidden layer of a network,
        as in `EmbeddingSpace` there.
    metric : {"euclidean", "manhattan"}, default="euclidean"
    class_ : label, default=None
        For more than two classes: compare by the contributions to this class's score alone, as Apellaniz et al. do (for
        several targets or quantiles, its position). None: to all scores.
    redact : str or list of str, default=None
        Columns of the table whose values are not kept, and so never returned. They still decide who is similar; what
        they make of the distance is shown as one share, ``share__(redacted)``.
    min_group : int, default=1
        A case is suppressed if fewer than this many cases have its values of the `quasi_identifiers`.
    quasi_identifiers : str or list of str, default=None
        Columns by which someone could be recognised. None: all columns with text or categories.

    Attributes
    ----------
    n_cases_ : int
    n_suppressed_ : int
    feature_names_in_ : ndarray of str
        Columns of the table.

    Notes
    -----
    The search is exact; equal distances come in the order of the cases. A case that is queried itself finds itself.

    Of a suppressed case neither position, identifier, outcome, values nor distance are returned; it keeps its place
    among the neighbours, is left out of the outcomes, and its values are not kept. Redaction and suppression are about
    what is returned: from distances, shares and predictions, someone who holds the model can work back to what a
    redacted column contributed, and coordinates of all cases are in the object and its file. Against that only leaving
    the column or the case out helps.

    References
    ----------
    Apellaniz et al. (2025), arXiv 2509.16750: nearest patients in the space of contributions.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from kan_tabular import KAAMClassifier
    >>> from kan_tabular.explain import SimilarCases
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = KAAMClassifier().fit(X[:500], y[:500])
    >>> cases = SimilarCases(model).fit(X[:500], y[:500])
    >>> cases.query(X[500:501])["rank"].tolist()
    [1, 2, 3, 4, 5]
    """

    def __init__(
        self,
        estimator,
        n_neighbors=5,
        space="contribution",
        metric="euclidean",
        *,
        class_=None,
        redact=None,
        min_group=1,
        quasi_identifiers=None,
    ):
        self.estimator = estimator
        self.n_neighbors = n_neighbors
        self.space = space
        self.metric = metric
        self.class_ = class_
        self.redact = redact
        self.min_group = min_group
        self.quasi_identifiers = quasi_identifiers

    def fit(self, X, y=None, ids=None):
        """Keep the cases.

        Parameters
        ----------
        X : table of shape (n, n_columns)
            As `estimator` takes it.
        y : array-like (n,), optional
            What became of them: labels that the classifier knows, or numbers.
        ids : array-like (n,), optional
            What to call them; by default their positions.

        Returns
        -------
        self : SimilarCases
        """
        self._read_settings()
        table = read_table(X)
        redacted = named_columns(self.redact, table.names, "redact")
        features = self._source.estimator.network_.features
        categories = [f.name for f in features if f.kind == "category"]
        shown = in_large_cells(table, self.min_group, self.quasi_identifiers, categories)
        outcomes = None if y is None else read_outcomes(y, self._classes, table.n_rows)
        taken = self._source.transform(X)
        Z = encode(self._source.estimator, taken, warn=False)  # the prediction warns
        self._cases = Cases.keep(table, ids, outcomes, self._predict(taken), shown, redacted)
        names = self._source.shown_names
        derived = any(column not in names for column in redacted)  # then any feature made by preprocessing may tell
        self._hidden = np.array([n in redacted or (derived and n not in table.names) for n in names])
        coordinates = self._space.fit(Z).coordinates(Z)
        self._encoded = None
        if self.space == "embedding":  # what belongs to a feature cannot be read off its coordinates
            self._encoded = np.where(shown[:, None] & ~self._hidden, Z, np.nan)
        self.feature_names_in_, self.n_features_in_ = np.array(table.names, dtype=object), len(table.names)
        self._index(coordinates)
        self._usual = self._usual_distances()
        return self

    def kneighbors(self, X=None, n_neighbors=None):
        """The nearest cases.

        Parameters
        ----------
        X : table of shape (m, n_columns), optional
            Rows to find cases for. None: the cases themselves, none its own neighbour.
        n_neighbors : int, optional
            By default that of the constructor.

        Returns
        -------
        distances : ndarray (m, n_neighbors)
            Nearest first; NaN for suppressed cases.
        indices : ndarray of int (m, n_neighbors)
            Positions in the table given to `fit`; -1 for suppressed cases.
        """
        check_is_fitted(self)
        if X is None:
            k = self._wanted(n_neighbors, self.n_cases_ - 1)
            return self._suppress(*self._search.nearest(self._search.rows, k, np.arange(self.n_cases_)))
        return self._suppress(*self._nearest(self._encode(X), n_neighbors))

    def query(self, X, n_neighbors=None):
        """The nearest cases in full.

        Parameters
        ----------
        X : table of shape (m, n_columns)
        n_neighbors : int, optional
            By default that of the constructor.

        Returns
        -------
        table : pandas.DataFrame
            A row for each row of X (``query``, its position) and neighbour (``rank``, from 1): ``distance``, ``id``,
            ``outcome`` (None without `y`), ``prediction`` (the second class's probability, or the predicted value; one
            column ``prediction__<class>`` each for several classes or targets). Then ``value__<column>``, the case's
            values; ``difference__<feature>``, case minus query in the coordinates of the space (its size, where a
            feature has several of them); and ``share__<feature>``, how much of the distance (squared, if Euclidean)
            the feature makes. Shares sum to 1, or are all 0 at distance 0. A suppressed case shows as None or NaN in
            all of them.
        """
        import pandas as pd

        check_is_fitted(self)
        Z = self._encode(X)
        found = self._nearest(Z, n_neighbors)
        differences, shares = self._compare(Z, *found)
        distances, indices = (part.ravel() for part in self._suppress(*found))
        said, values = self._cases.columns(indices, self._classes, self._prediction_names)
        names = [(j, name) for j, name in enumerate(self._source.shown_names) if not self._hidden[j]]
        columns = {
            "distance": distances,
            **said,
            **{f"value__{name}": column for name, column in values.items()},
            **{f"difference__{name}": differences[:, j] for j, name in names},
            **{f"share__{name}": shares[:, j] for j, name in names},
        }
        if self._hidden.any():
            columns["share__(redacted)"] = shares[:, self._hidden].sum(1)
        suppressed = indices < 0
        if suppressed.any():
            nothing = {name: np.nan if column.dtype.kind == "f" else None for name, column in columns.items()}
            columns = {name: np.where(suppressed, nothing[name], column) for name, column in columns.items()}
        k = found[1].shape[1]
        order = {"query": np.repeat(np.arange(len(Z)), k), "rank": np.tile(np.arange(1, k + 1), len(Z))}
        return pd.DataFrame({**order, **columns})

    def outcomes(self, X, n_neighbors=None, confidence_level=0.95):
        """What became of the nearest cases, with an interval.

        Parameters
        ----------
        X : table of shape (m, n_columns)
        n_neighbors : int, optional
            By default that of the constructor.
        confidence_level : float, default=0.95

        Returns
        -------
        table : pandas.DataFrame
            A row for each row of X (``query``), or for several classes one for each class (``class``): ``n``, the cases
            it is about (suppressed ones do not count), ``estimate``, ``lower``, ``upper``. Classes: their rate with
            Wilson's interval, in two classes that of the second. Numbers: their mean with Student's interval, infinite
            where one case is all there is. The neighbours are taken as a sample of cases like this one.
        """
        import pandas as pd

        check_is_fitted(self)
        if self._cases.outcomes is None:
            raise ValueError("outcomes needs to know what became of the cases: give y to fit.")
        level = _check_share("confidence_level", confidence_level)
        known = [self._cases.known_outcomes(own) for own in self._nearest(self._encode(X), n_neighbors)[1]]
        if self._classes is None:
            rows = [(i, len(values), *mean(values, level)) for i, values in enumerate(known)]
            return pd.DataFrame(rows, columns=["query", "n", "estimate", "lower", "upper"])
        codes = range(len(self._classes)) if len(self._classes) > 2 else [1]
        rows = [
            (i, self._classes[c], len(values), *rate(int((values == c).sum()), len(values), level))
            for i, values in enumerate(known)
            for c in codes
        ]
        return pd.DataFrame(rows, columns=["query", "class", "n", "estimate", "lower", "upper"])

    def novelty(self, X, level=0.95):
        """Whether there is any case like this one.

        Parameters
        ----------
        X : table of shape (m, n_columns)
        level : float, default=0.95
            Share of the cases themselves that should not count as new.

        Returns
        -------
        table : pandas.DataFrame
            A row for each row of X: ``distance`` to the nearest case, ``percentile`` of it among the distances of cases
            to their own nearest other case (of 1000 of them, evenly spaced in the table, where there are more; equal
            ones count half), and ``out_of_distribution``, whether that is above ``100 level``.
        """
        import pandas as pd

        check_is_fitted(self)
        level = _check_share("level", level)
        found = self._nearest(self._encode(X), 1)
        percentile = percentileofscore(self._usual, found[0][:, 0], kind="mean")
        distance = self._suppress(*found)[0][:, 0]
        columns = {"distance": distance, "percentile": percentile, "out_of_distribution": percentile > 100 * level}
        return pd.DataFrame(columns)

    def save(self, path):
        """Write the model and the cases to one file without pickle; `kan_tabular.load` reads it back.

        The file holds what `query` may return of the cases, and the coordinates of all of them.

        Raises
        ------
        TypeError
            If the model is a pipeline: its preprocessing cannot be written without pickle. Without it a file would take
            rows in units that they are not in, and find the wrong cases in silence.
        """
        from kan_tabular.persistence import save

        check_is_fitted(self)
        if isinstance(self.estimator, Pipeline):
            kind = type(self._source.estimator).__name__
            raise TypeError(
                f"cannot save cases of a Pipeline: steps before {kind} have no form without pickle. Give {kind} the "
                "table itself (it needs no scaling, encoding or imputation), or fit the cases on what it gets, "
                "SimilarCases(pipeline[-1]).fit(pipeline[:-1].transform(X)), and transform queries in the same way."
            )
        save(self, path)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "n_cases_")

    def _read_settings(self):
        """What the constructor's arguments come to, for the fitted model."""
        self._source = read_source(self.estimator, needs="explain", display=type(self).__name__)
        if self.metric not in METRICS:
            raise ValueError(f"metric={self.metric!r}: expected one of {', '.join(map(repr, METRICS))}.")
        _check_count("n_neighbors", self.n_neighbors)
        _check_count("min_group", self.min_group)
        self._space = make_space(self.space, self._source, self.metric, self.class_)
        model = self._source.estimator
        self._classes = model.classes_ if is_classifier(model) else None

    def _encode(self, X):
        return encode(self._source.estimator, self._source.transform(X))

    def _predict(self, table):
        """What the model predicts for its own table (n, columns), one column each of `_prediction_names`."""
        model = self._source.estimator
        if self._classes is None:
            predictions = np.asarray(model.predict(table), dtype=float)
            predictions = predictions.reshape(len(predictions), -1)
            names = range(predictions.shape[1])
        else:
            predictions, names = model.predict_proba(table), self._classes.tolist()
            if len(names) == 2:
                predictions = predictions[:, 1:]
        single = predictions.shape[1] == 1
        self._prediction_names = ["prediction"] if single else [f"prediction__{name}" for name in names]
        return predictions

    def _index(self, coordinates):
        shown = self._cases.shown
        self.n_cases_, self.n_suppressed_ = len(shown), int((~shown).sum())
        self._search = ExactSearch(coordinates, self.metric)

    def _usual_distances(self):
        """Distances of (some) cases to their nearest other case, sorted."""
        n = self.n_cases_
        if n < 2:
            raise ValueError(f"Found {n} case in X: at least 2 are needed.")
        some = np.arange(n) if n <= _REFERENCES else np.linspace(0, n - 1, _REFERENCES).round().astype(int)
        return np.sort(self._search.nearest(self._search.rows[some], 1, some)[0][:, 0])

    def _wanted(self, n_neighbors, most):
        k = _check_count("n_neighbors", self.n_neighbors if n_neighbors is None else n_neighbors)
        if k > most:
            raise ValueError(
                f"n_neighbors={k}, but there are only {most} cases to choose from: ask for {most} at most."
            )
        return k

    def _nearest(self, Z, n_neighbors):
        return self._search.nearest(self._space.coordinates(Z), self._wanted(n_neighbors, self.n_cases_))

    def _suppress(self, distances, indices):
        shown = self._cases.shown[indices]
        return np.where(shown, distances, np.nan), np.where(shown, indices, -1)

    def _compare(self, Z, distances, indices):
        """Differences and shares (m k, p) of the features, for each query and neighbour."""
        points = self._space.coordinates(Z)
        differences, shares = [], []
        for z, point, apart, own in zip(Z, points, distances, indices, strict=True):
            cases = None if self._encoded is None else self._encoded[own]
            d = self._search.rows[own] - point
            difference, parts = self._space.compare(d, self.metric, cases, z)
            whole = (d**2 if self.metric == "euclidean" else np.abs(d)).sum(1, keepdims=True)
            if self._encoded is not None and self._hidden.any():  # what they add is what the others leave
                rest = whole - parts[:, ~self._hidden].sum(1, keepdims=True)
                parts[:, self._hidden] = rest / self._hidden.sum()
            differences.append(difference)
            shares.append(np.divide(parts, whole, out=np.zeros_like(parts), where=apart[:, None] > 0))
        return np.concatenate(differences), np.concatenate(shares)

    def _get_state(self):
        attributes, arrays = self._cases.state()
        arrays |= {f"space.{name}": getattr(self._space, name) for name in self._space.arrays}
        arrays |= {"coordinates": self._search.rows, "hidden": self._hidden, "usual": self._usual}
        if self._encoded is not None:
            arrays["encoded"] = self._encoded
        names = {"columns": self.feature_names_in_.tolist(), "prediction_names": self._prediction_names}
        return {"cases": attributes, **names}, arrays

    @classmethod
    def _from_state(cls, params, attributes, arrays):
        self = cls(**params)
        self._read_settings()
        for name in self._space.arrays:
            setattr(self._space, name, arrays[f"space.{name}"])
        self._cases = Cases.from_state(attributes["cases"], arrays)
        self.feature_names_in_ = np.array(attributes["columns"], dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        self._prediction_names = attributes["prediction_names"]
        self._encoded, self._hidden, self._usual = arrays.get("encoded"), arrays["hidden"], arrays["usual"]
        self._index(arrays["coordinates"])
        return self


def _check_count(name, value):
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}={value!r}: expected an integer of at least 1.")
    return int(value)


def _check_share(name, value):
    if not isinstance(value, numbers.Real) or not 0 < value < 1:
        raise ValueError(f"{name}={value!r}: expected a number between 0 and 1, such as 0.95.")
    return float(value)
