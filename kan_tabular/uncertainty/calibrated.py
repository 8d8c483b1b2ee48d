"""CalibratedClassifier: probabilities that come true, beside contributions that still add up to them."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.utils import _safe_indexing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, column_or_1d

from kan_tabular.fitted.explanation import explanation
from kan_tabular.source import read_source
from kan_tabular.uncertainty._fitting import fit_clone
from kan_tabular.uncertainty._maps import MAPS

#: Name of the term that calibration adds to an explanation.
TERM = "(calibration)"


def _explains(self):
    model = getattr(self, "estimator_", self.estimator)
    model = model.estimator if isinstance(model, FrozenEstimator) else model
    return hasattr(model[-1] if hasattr(model, "steps") else model, "explain")


class CalibratedClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """A classifier whose probabilities are corrected by rows that it had not seen.

    A map from the classifier's score (log-odds) to probabilities is learned from out-of-sample scores of the training
    rows; the classifier itself is fitted to all of them. Ranking, curves and contributions stay what they are.

    Parameters
    ----------
    estimator : classifier or Pipeline
        Of this package or of scikit-learn's kind. `sklearn.frozen.FrozenEstimator` around a fitted one calibrates it
        on the rows given to `fit`, which then must not be its training rows.
    calibrate : {"isotonic", "beta", "temperature", "venn-abers"}, default="beta"
        "temperature" scales the score (1 parameter), "beta" bends it (3), "isotonic" takes any rising steps (for a
        thousand rows or more), "venn-abers" merges two isotonic answers, one of which is calibrated whatever the number
        of rows. More than two classes: temperature jointly, the others each class against the rest.
    cv : "auto", int or splitter, default="auto"
        Where out-of-sample scores come from. "auto": leave-one-out in closed form where the estimator has it (KAAM),
        else 5 folds. Folds are stratified, and keep `groups` together.
    random_state : int, RandomState instance or None, default=None
        Of the folds.

    Attributes
    ----------
    estimator_ : classifier
        Fitted to all rows.
    classes_ : ndarray (n_classes,)
    map_ : object
        The fitted map.

    Notes
    -----
    `explain` gives the classifier's own contributions and one more term, ``"(calibration)"``: what calibration adds for
    that row on the link scale. All together they sum to the calibrated log-odds (of more classes: to log
    probabilities up to a constant, which average to zero over the classes). Isotonic steps reach 0 and 1, whose
    log-odds nothing adds up to: they are kept 1 / (n + 2) away (Laplace's rule of succession), given n rows.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from kan_tabular import KAAMClassifier
    >>> from kan_tabular.uncertainty import CalibratedClassifier
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = CalibratedClassifier(KAAMClassifier(), calibrate="temperature").fit(X, y)
    >>> model.explain(X[:1]).feature_names[-1]
    '(calibration)'
    """

    def __init__(self, estimator, *, calibrate="beta", cv="auto", random_state=None):
        self.estimator = estimator
        self.calibrate = calibrate
        self.cv = cv
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None, *, groups=None):
        """Fit the classifier, and the map by its out-of-sample scores.

        Parameters
        ----------
        X : table of shape (n, n_features)
        y : array-like (n,)
        sample_weight : array-like (n,), optional
            Frequencies.
        groups : array-like (n,), optional
            Rows of a group stay in one fold. Leave-one-out would not keep them together: "auto" is then 5 folds.
        """
        if self.calibrate not in MAPS:
            raise ValueError(f"calibrate={self.calibrate!r}: expected one of {', '.join(map(repr, MAPS))}.")
        y = column_or_1d(y)
        weights = None if sample_weight is None else np.asarray(sample_weight, dtype=float)
        frozen = isinstance(self.estimator, FrozenEstimator)
        self.estimator_ = self.estimator if frozen else fit_clone(self.estimator, X, y, weights, groups)
        self.classes_ = self.estimator_.classes_
        unknown = ~np.isin(y, self.classes_)
        if unknown.any():
            raise ValueError(f"y holds the class {y[unknown][0]!r}, which the frozen estimator does not know.")
        codes = np.searchsorted(self.classes_, y)
        scores = self._out_of_sample(X, y, weights, groups)
        self.map_ = MAPS[self.calibrate]().fit(scores, codes, weights)
        return self

    def _out_of_sample(self, X, y, weights, groups):
        """Scores (n, 1) or (n, n_classes) by fits that had not seen the row."""
        if isinstance(self.estimator, FrozenEstimator):
            return _scores(self.estimator_, X)
        if isinstance(self.cv, str) and self.cv != "auto":
            raise ValueError(f"cv={self.cv!r}: expected 'auto', a number of folds, or a splitter.")
        if self.cv == "auto" and groups is None and hasattr(self.estimator_, "leave_one_out"):
            return _logits(self.estimator_.leave_one_out(X, y, weights))
        folds = 5 if self.cv == "auto" else self.cv
        if not hasattr(folds, "split"):
            kind = StratifiedKFold if groups is None else StratifiedGroupKFold
            folds = kind(folds, shuffle=True, random_state=self.random_state)
        scores = np.full((len(y), 1 if len(self.classes_) == 2 else len(self.classes_)), np.nan)
        for train, test in folds.split(np.zeros(len(y)), y, groups):
            kept = [None if a is None else np.asarray(a)[train] for a in (weights, groups)]
            model = fit_clone(self.estimator, _safe_indexing(X, train), y[train], *kept)
            if len(model.classes_) < len(self.classes_):
                missing = sorted(set(self.classes_.tolist()) - set(model.classes_.tolist()))
                raise ValueError(
                    f"class {missing[0]!r} is absent from the training part of a fold: use fewer folds (cv)."
                )
            scores[test] = _scores(model, _safe_indexing(X, test))
        if np.isnan(scores).any():
            raise ValueError("cv leaves some rows out of every test fold: give a splitter that tests each row once.")
        return scores

    def predict_proba(self, X):
        """Calibrated probabilities (n, n_classes)."""
        check_is_fitted(self)
        return self.map_.predict(_scores(self.estimator_, X))

    def decision_function(self, X):
        """Log-odds of the second class (n,); of more classes log probabilities that sum to zero (n, n_classes)."""
        scores = _logits(self.predict_proba(X))
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X):
        """Most probable class (n,)."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    @available_if(_explains)
    def explain(self, X):
        """The classifier's contributions and the term of calibration; they sum to `decision_function`.

        Returns
        -------
        explanation : shap.Explanation, or `kan_tabular.fitted.explanation.Explanation` without shap
            ``values`` (n, n_features + 1) or (n, n_features + 1, n_classes); the data of the last column is the
            uncalibrated probability (of the most probable class).
        """
        check_is_fitted(self)
        inner = self.estimator_.estimator if isinstance(self.estimator_, FrozenEstimator) else self.estimator_
        source = read_source(inner, needs="explain", display="explain")
        own = source.estimator.explain(source.transform(X))
        term = self.decision_function(X) - (own.base_values + own.values.sum(axis=1))
        p = self.estimator_.predict_proba(X)
        shown = (p[:, 1] if p.shape[1] == 2 else p.max(axis=1)).astype(object)
        values = np.concatenate([own.values, term[:, None]], axis=1)
        data = np.column_stack([np.asarray(own.data, dtype=object), shown])
        return explanation(values, own.base_values, data, [*own.feature_names, TERM])

    @property
    def feature_names_in_(self):
        return self.estimator_.feature_names_in_

    @property
    def n_features_in_(self):
        return self.estimator_.n_features_in_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = self.estimator.__sklearn_tags__()
        tags.input_tags = inner.input_tags
        return tags


def _scores(model, X):
    """Scores on the link scale (n, 1) or (n, n_classes)."""
    if not hasattr(model, "decision_function"):
        return _logits(model.predict_proba(X))
    scores = np.asarray(model.decision_function(X), dtype=float)
    return scores[:, None] if scores.ndim == 1 else scores


def _logits(p):
    """Log-odds of the second of two classes (n, 1), or log probabilities that sum to zero (n, n_classes)."""
    log_p = np.log(np.clip(p, 1e-15, None))
    if p.shape[1] == 2:
        return log_p[:, 1:] - log_p[:, :1]
    return log_p - log_p.mean(axis=1, keepdims=True)
