"""From scores on the link scale to probabilities that come true: scikit-learn's and MAPIE's maps, fed with scores."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.special import expit, log_expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression


class _Scores(ClassifierMixin, BaseEstimator):
    """A classifier whose table is its own scores: what scikit-learn and MAPIE calibrate."""

    def __init__(self, n_classes):
        self.n_classes = n_classes

    def fit(self, X, y=None, sample_weight=None):
        self.classes_ = np.arange(self.n_classes)
        self.n_features_in_ = X.shape[1]
        return self

    def decision_function(self, X):
        return X[:, 0] if self.n_classes == 2 else X

    def predict_proba(self, X):
        p = expit(X[:, 0])
        return np.column_stack([1 - p, p])

    def predict(self, X):
        return (X[:, 0] > 0).astype(int) if self.n_classes == 2 else X.argmax(axis=1)


class ScikitLearnMap:
    """`CalibratedClassifierCV` on given scores; more than two classes by its rule (one against the rest, normalised).

    Parameters
    ----------
    method : {"isotonic", "temperature"}
    """

    def __init__(self, method):
        self.method = method

    def fit(self, scores, codes, weights):
        """Scores (n, 1) or (n, n_classes), positions of the classes (n,), frequencies (n,) or None."""
        every = np.arange(len(scores))
        peer = CalibratedClassifierCV(
            _Scores(max(scores.shape[1], 2)), method=self.method, cv=[(every, every)], ensemble=False
        )
        self._map = peer.fit(scores, codes, sample_weight=weights)
        # Steps reach 0 and 1, which no finite number of rows can show.
        self._edge = 1 / (len(scores) + 2) if self.method == "isotonic" else 0.0
        return self

    def predict(self, scores):
        """Probabilities (n, n_classes)."""
        p = np.clip(self._map.predict_proba(scores), self._edge, 1 - self._edge)
        return p / p.sum(axis=1, keepdims=True)


class OneAgainstRest:
    """A map for two classes, for each class of several against the others; then normalised.

    Parameters
    ----------
    make : callable
        Makes an unfitted map for two classes.
    """

    def __init__(self, make):
        self.make = make

    def fit(self, scores, codes, weights):
        if scores.shape[1] == 1:
            self._maps = [self.make().fit(scores, codes, weights)]
            return self
        binary = [(codes == k).astype(int) for k in range(scores.shape[1])]
        self._maps = [self.make().fit(scores[:, [k]], y, weights) for k, y in enumerate(binary)]
        return self

    def predict(self, scores):
        if scores.shape[1] == 1:
            p = self._maps[0].predict(scores)
            return np.column_stack([1 - p, p])
        p = np.column_stack([m.predict(scores[:, [k]]) for k, m in enumerate(self._maps)])
        return p / p.sum(axis=1, keepdims=True)


class BetaMap:
    """Beta calibration: ``logit q = a log p - b log(1 - p) + c`` with a, b >= 0 (Kull et al. 2017, AISTATS).

    A negative a or b is set to 0 and the rest fitted again, as the authors do.
    """

    def fit(self, scores, codes, weights):
        used = [0, 1]
        while True:
            fit = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
            columns = self._columns(scores)[:, used] if used else np.zeros((len(scores), 1))
            fit.fit(columns, codes, sample_weight=weights)
            negative = fit.coef_[0] < 0
            if not used or not negative.any():
                break
            used.pop(int(fit.coef_[0].argmin()))
        self.coef_ = np.zeros(2)
        self.coef_[used] = fit.coef_[0][: len(used)]
        self.intercept_ = float(fit.intercept_[0])
        return self

    def predict(self, scores):
        return expit(self._columns(scores) @ self.coef_ + self.intercept_)

    @staticmethod
    def _columns(scores):
        """``log p`` and ``-log(1 - p)`` of log-odds."""
        return np.column_stack([log_expit(scores[:, 0]), -log_expit(-scores[:, 0])])


class VennAbersMap:
    """Venn-Abers prediction (Vovk, Petej & Fedorova 2015) by MAPIE: the two isotonic answers, merged to one."""

    def fit(self, scores, codes, weights):
        if weights is not None and np.ptp(weights) > 0:
            raise ValueError("calibrate='venn-abers' takes no sample_weight: repeat rows, or use another method.")
        from mapie.calibration import VennAbersCalibrator

        with warnings.catch_warnings():  # its slopes from a point to itself are 0 / 0
            warnings.simplefilter("ignore", RuntimeWarning)
            self._map = VennAbersCalibrator(_Scores(2).fit(scores), cv="prefit").fit(scores, codes)
        return self

    def predict(self, scores):
        return self._map.predict_proba(scores)[:, 1]


MAPS = {
    "isotonic": lambda: ScikitLearnMap("isotonic"),
    "beta": lambda: OneAgainstRest(BetaMap),
    "temperature": lambda: ScikitLearnMap("temperature"),
    "venn-abers": lambda: OneAgainstRest(VennAbersMap),
}
