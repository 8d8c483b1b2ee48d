"""ConformalClassifier: sets of classes that contain the true one as often as promised."""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from kan_tabular.estimators._validation import read_labels
from kan_tabular.exceptions import DataError
from kan_tabular.uncertainty._base import Conformal
from kan_tabular.uncertainty._calibration import keeps
from kan_tabular.uncertainty._scores import CLASS_SCORES, class_scores

EMPTY = ("argmax", "allow", "abstain")


class ConformalClassifier(ClassifierMixin, Conformal):
    """Sets of classes with a guaranteed coverage, around any classifier with `predict_proba`.

    If new rows are exchangeable with the calibration rows, the set contains the true class with at least the asked
    probability, whatever the classifier: on average over all rows, or in every class, every group, or both.

    Parameters
    ----------
    estimator : classifier or Pipeline
        Of this package or any other.
    method : {"split", "cross", "jackknife+"}, default="split"
        "split": part of the rows calibrates and does not train; exact coverage. "cross": models without each of `cv`
        folds score the rows that they have not seen, and all of them judge a new row (Romano, Sesia & Candes 2020,
        CV+): all rows train, the guarantee is ``1 - 2 (1 - level)`` (less a term of order 1 / n), coverage is usually
        near the level, and the price is ``cv + 1`` fits. "jackknife+": the same with folds of one row; `KAAMClassifier`
        needs one fit for it (approximate leave-one-out, at the smoothness that all rows chose; without `groups`).
    confidence_level : float or sequence of float, default=0.9
        Increasing, if several. May be changed after the fit by `set_params`.
    conformity_score : {"lac", "aps", "top_k"}, default="lac"
        How strange a class is. "lac": one less its probability, which makes the smallest sets on average. "aps": the
        probability of all classes at least as probable, which spreads coverage more evenly over easy and hard rows.
        "top_k": its rank.
    conditional : {None, "class"}, default=None
        "class": the guarantee holds among the rows of every class (Mondrian).
    empty : {"argmax", "allow", "abstain"}, default="argmax"
        What becomes of an empty set, which says that no class is likely enough. "argmax": the most probable class.
        "abstain": all classes, that is, no claim. Both only add, so that coverage stays valid. "allow": it stays empty.
    calibration_size : float, int or None, default=0.25
        For "split": share or number of the rows that calibrate (about; classes are spread evenly, groups stay whole).
        None: `fit` only fits, and `conformalize` calibrates on other rows.
    cv : int, default=5
        Folds of "cross".
    prefit : bool, default=False
        The estimator is fitted already: `conformalize` calibrates it.
    n_jobs : int, optional
        Fits at a time of "cross" and "jackknife+".
    random_state : int, RandomState or None
        Decides which rows calibrate.

    Attributes
    ----------
    classes_ : ndarray (n_classes,)
    estimator_ : classifier
        Fitted to the rows that do not calibrate; to all rows by "cross" and "jackknife+".
    calibration_ : Calibration
        ``scores, mass, stratum, strata`` of the calibration rows.
    n_features_in_, feature_names_in_

    Notes
    -----
    Scores are those of MAPIE ("aps" without its random part). Sets at a level, conditional guarantees, likelihood
    ratios, frequencies, two classes with any score, policies for empty sets and saving are this package's own: MAPIE
    1.6 has none of them, and its objects are no estimators. Where both can do the same, the sets are the same.

    Predictions and probabilities are the estimator's: conformal prediction does not change them.

    References
    ----------
    Vovk, Gammerman & Shafer (2005), *Algorithmic Learning in a Random World* (p-values, Mondrian: section 4.5);
    Sadinle, Lei & Wasserman (2019), JASA 114 (LAC); Romano, Sesia & Candes (2020), arXiv 2006.02544 (APS, CV+).

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from kan_tabular import KAAMClassifier
    >>> from kan_tabular.uncertainty import ConformalClassifier
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = ConformalClassifier(KAAMClassifier(), confidence_level=0.95, random_state=0).fit(X[:400], y[:400])
    >>> model.predict_set(X[400:]).shape
    (169, 2)
    """

    _METHODS = ("split", "cross", "jackknife+")

    def __init__(
        self,
        estimator,
        *,
        method="split",
        confidence_level=0.9,
        conformity_score="lac",
        conditional=None,
        empty="argmax",
        calibration_size=0.25,
        cv=5,
        prefit=False,
        n_jobs=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.method = method
        self.confidence_level = confidence_level
        self.conformity_score = conformity_score
        self.conditional = conditional
        self.empty = empty
        self.calibration_size = calibration_size
        self.cv = cv
        self.prefit = prefit
        self.n_jobs = n_jobs
        self.random_state = random_state

    def predict_proba(self, X):
        """The estimator's own probabilities (m, n_classes)."""
        check_is_fitted(self)
        return self._output(self.estimator_, X)

    def p_values(self, X, *, conditional_on=None, weights=None):
        """Conformal p-value of every class (m, n_classes): the sets at level L are the classes above ``1 - L``.

        ``1 - (second largest)`` is the highest level at which a single class remains: how sure the prediction is.

        Parameters
        ----------
        X, conditional_on, weights
            As in `predict_set`.
        """
        labels, mass = self._new_rows(X, conditional_on, weights)
        per_class = self.conditional == "class"
        strata = [self._strata_of(labels, len(mass), c if per_class else None) for c in self.classes_.tolist()]
        said = self.predict_proba(X)[None] if self.method == "split" else self.out_of_fold_.at(X)
        scores = np.stack([class_scores(self.conformity_score, p) for p in said])
        each = [self.calibration_.p_values(scores[:, :, c], stratum, mass) for c, stratum in enumerate(strata)]
        return np.stack(each, axis=1)

    def predict_set(self, X, *, conditional_on=None, weights=None):
        """The classes that remain possible.

        Parameters
        ----------
        X : table of shape (m, n_features)
        conditional_on : str or array-like (m,), optional
            Group of each row, where the calibration had groups; a column's name is remembered.
        weights : array-like (m,) or callable, optional
            Likelihood ratio of each row, where the calibration had them; a callable is remembered.

        Returns
        -------
        sets : ndarray of bool (m, n_classes), or (m, n_classes, n_levels) where `confidence_level` is a sequence
        """
        p = self.p_values(X, conditional_on=conditional_on, weights=weights)
        sets = np.stack([keeps(p, level) for level in self._levels()], axis=2)
        if self.empty != "allow":
            rows, levels = np.nonzero(~sets.any(1))
            if self.empty == "abstain":
                sets[rows, :, levels] = True
            elif len(rows):
                sets[rows, self.predict_proba(X).argmax(1)[rows], levels] = True
        return sets[:, :, 0] if self._one_level else sets

    def abstains(self, X, *, conditional_on=None, weights=None):
        """Whether the set leaves the class open: True (m,), or (m, n_levels), where it has not exactly one class.

        Parameters
        ----------
        X, conditional_on, weights
            As in `predict_set`.
        """
        return self.predict_set(X, conditional_on=conditional_on, weights=weights).sum(1) != 1

    def threshold_rule(self):
        """The sets in plain numbers, for use outside Python.

        Returns
        -------
        rule : dict or None
            ``{"kind": "lac", "confidence_level", "quantile", "empty"}`` for the first level: class k is in the set if
            its probability is at least ``1 - quantile``, or ``1 - quantile[k]`` for the guarantee in each class. None
            where sets are not of that form (other scores, "cross", groups, likelihood ratios).
        """
        check_is_fitted(self, "calibration_")
        known = self.calibration_
        if self.conformity_score != "lac" or self.method != "split" or known.weighted or known.strata[0][1] is not None:
            return None
        level = self._levels()[0]
        known.check_enough(self._levels())
        labels = self.classes_.tolist() if self.conditional == "class" else [None]
        strata = np.array([known.strata.index((label, None)) for label in labels])
        q = known.thresholds([level], strata, np.ones(len(strata)))[:, 0].tolist()
        quantile = q if self.conditional == "class" else q[0]
        return {"kind": "lac", "confidence_level": level, "quantile": quantile, "empty": self.empty}

    def _check_own(self):
        given = [("conformity_score", CLASS_SCORES), ("conditional", (None, "class")), ("empty", EMPTY)]
        for name, expected in given:
            if getattr(self, name) not in expected:
                raise ValueError(f"{name}={getattr(self, name)!r}: expected one of {', '.join(map(repr, expected))}.")

    def _read_y(self, y, n):
        return read_labels(self, y, n)

    def _check_known(self, y):
        classes = self.estimator_.classes_.tolist()
        new = [label for label in y.tolist() if label not in classes]
        if new:
            raise ValueError(f"y holds {new[0]!r}, which the estimator was not trained on: expected {classes[:10]}.")

    def _fitted_on(self, y):
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise DataError(f"y holds only one class ({self.classes_[0]!r}): a classifier needs at least two.")

    def _begin(self, model, X):
        if not hasattr(model, "predict_proba"):
            raise TypeError(f"{type(model).__name__} has no predict_proba, which scores of classes are made of.")
        self.classes_ = model.classes_

    def _strata_classes(self, y):
        return np.searchsorted(self.classes_, y)

    def _output(self, model, X):
        """Probabilities (m, n_classes), in the order of `classes_`; 0 for a class that a fold's model has not seen."""
        p = np.asarray(model.predict_proba(X), dtype=float)
        if not np.isfinite(p).all():
            row = int(np.flatnonzero(~np.isfinite(p).all(1))[0])
            raise ValueError(f"the estimator predicts {p[row]} for row {row}: probabilities must be numbers.")
        if len(model.classes_) < len(self.classes_):
            full = np.zeros((len(p), len(self.classes_)))
            full[:, np.searchsorted(self.classes_, model.classes_)] = p
            return full
        return p

    def _said(self, predicted):
        return predicted

    def _scores(self, said, y):
        return class_scores(self.conformity_score, said)[np.arange(len(y)), np.searchsorted(self.classes_, y)]

    def _conditional_classes(self, y):
        return y if self.conditional == "class" else None

    def _check_strata(self):
        if self.conditional != "class":
            return
        strata = set(self.calibration_.strata)
        for group in {g for _, g in strata}:
            for label in self.classes_.tolist():
                if (label, group) not in strata:
                    where = "" if group is None else f" in group {group!r}"
                    raise ValueError(
                        f"conditional='class': no calibration row of class {label!r}{where}; give more rows "
                        "(calibration_size), or use conditional=None."
                    )

    @classmethod
    def _from_state(cls, params, attributes, arrays):
        self = super()._from_state(params, attributes, arrays)
        self.classes_ = self.estimator_.classes_
        return self
