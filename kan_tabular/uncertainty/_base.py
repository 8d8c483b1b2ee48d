"""What conformal estimators share: which rows fit, which calibrate, and for whom the guarantee holds."""

from __future__ import annotations

import numbers
import warnings

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.validation import _num_samples, check_is_fitted, validate_data

from kan_tabular.estimators._validation import check_groups, check_lengths, check_levels, check_number, check_weights
from kan_tabular.uncertainty._calibration import Calibration
from kan_tabular.uncertainty._fitting import fit_clone, readable
from kan_tabular.uncertainty._out_of_fold import ClosedForm, cross_validated, leave_one_out
from kan_tabular.uncertainty._rows import choose_calibration, positive, read_groups, row_keys, same_rows, take

#: Methods whose one model is calibrated on rows of its own.
SPLIT = ("split", "cqr")


class Conformal(MetaEstimatorMixin, BaseEstimator):
    """Base of `ConformalClassifier` and `ConformalRegressor`, which add what a score is and what is kept.

    They give ``_METHODS``, ``_read_y``, ``_output`` (what scores are made of), ``_said`` (the same from predictions),
    ``_scores`` and ``_check_own``.
    """

    _METHODS: tuple

    def fit(self, X, y, sample_weight=None, *, groups=None, conditional_on=None):
        """Fit the estimator and calibrate it, on rows that it has not seen.

        Parameters
        ----------
        X : table of shape (n, n_features)
            Whatever the estimator takes.
        y : array-like (n,)
        sample_weight : array-like (n,), optional
            Frequencies: a row of weight 2 counts twice in the fit and in the calibration.
        groups : array-like (n,), optional
            Rows that belong together (a patient, a composition): no split separates them. The promise is then about
            new rows *of new groups*, and holds approximately, since rows of a group are not independent.
        conditional_on : str or array-like (n,), optional
            A guarantee in each group of rows: the name of a column of `X`, which `predict_set` and `predict_interval`
            then look up by themselves, or one label a row, which they then need, too.

        Returns
        -------
        self : object
        """
        self._check_settings()
        if self.prefit:
            raise ValueError(
                "prefit=True: the estimator is fitted already; call conformalize with rows it has not seen."
            )
        X = readable(X)
        validate_data(self, X, reset=True, skip_check_array=True)
        n = _num_samples(X)
        if n < 2:
            raise ValueError(f"Found {n} sample(s) (n_samples={n}): rows must be left to fit and to calibrate.")
        y = self._read_y(y, n)
        weights = check_weights(sample_weight, n)
        check_lengths(n, groups=groups)
        labels = read_groups(conditional_on, X, n)
        counted = np.flatnonzero(weights > 0)
        if len(counted) < n:
            X, y, weights, n = take(X, counted), y[counted], weights[counted], len(counted)
            groups = None if groups is None else np.asarray(groups)[counted]
            labels = None if labels is None else labels[counted]
        named = None if groups is None else np.asarray(groups, dtype=object)
        groups = check_groups(groups, n)
        self._fitted_on(y)
        self.conditional_on_ = conditional_on if isinstance(conditional_on, str) else None
        if hasattr(self, "calibration_"):
            del self.calibration_
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        classes = self._strata_classes(y)

        def fit_rows(rows):
            used = None if sample_weight is None else weights[rows]
            return self._fit_one(take(X, rows), y[rows], used, None if groups is None else groups[rows])

        if self.method not in SPLIT:
            self.estimator_ = fit_rows(np.arange(n))
            self._begin(self.estimator_, X)
            common = (fit_rows, self._output, X, n)
            if self.method == "cross":
                self.out_of_fold_ = cross_validated(*common, self.cv, rng, classes, groups, self.n_jobs)
            elif groups is None and hasattr(self.estimator_, "leave_one_out") and self._says_predictions():
                used = None if sample_weight is None else weights
                self.out_of_fold_ = ClosedForm(self.estimator_, self._said, X, y, used)
            else:
                self.out_of_fold_ = leave_one_out(*common, groups, self.n_jobs)
            self._calibrate(self.out_of_fold_.unseen, y, weights, labels, self.out_of_fold_.fold)
            return self
        calibration = np.arange(0)
        if self.calibration_size is not None:
            calibration = choose_calibration(self.calibration_size, n, rng, classes, groups)
        training = np.setdiff1d(np.arange(n), calibration)
        self.estimator_ = fit_rows(training)
        self._begin(self.estimator_, take(X, training))
        self._training = row_keys(take(X, training), y[training])
        self._training_groups = set() if named is None else set(named[training].tolist())
        if len(calibration):
            said = self._output(self.estimator_, take(X, calibration))
            own = None if labels is None else labels[calibration]
            self._calibrate(said, y[calibration], weights[calibration], own)
        return self

    def conformalize(self, X, y, *, groups=None, conditional_on=None, weights=None):
        """Calibrate a fitted estimator (``prefit=True``, or ``fit`` with ``calibration_size=None``) on new rows.

        Parameters
        ----------
        X : table of shape (n, n_features)
            Rows that the estimator has not seen. Where `fit` saw the training rows, agreement with them is reported.
        y : array-like (n,)
        groups : array-like (n,), optional
            Which rows belong together. If `fit` was given groups, too, none may be on both sides.
        conditional_on : str or array-like (n,), optional
            As in `fit`.
        weights : array-like (n,) or callable, optional
            Likelihood ratios: how much more often such a row appears where predictions are to hold than here, up to a
            constant. A callable gives them from a table, also of the new rows; with an array, predictions need theirs.

        Returns
        -------
        self : object

        Warns
        -----
        UserWarning
            If more of the rows are training rows than chance explains.

        Raises
        ------
        ValueError
            If half of them are, or a group was trained on; if labels are new, a stratum is too small for the level,
            weights are no ratios.
        """
        self._check_settings()
        if self.method not in SPLIT:
            raise ValueError(
                f"method={self.method!r} calibrates within fit; conformalize is for {' and '.join(SPLIT)}."
            )
        X = readable(X)
        if self.prefit:
            check_is_fitted(self.estimator)
            self.estimator_ = self._adopt(self.estimator)
            validate_data(self, X, reset=True, skip_check_array=True)
        elif not hasattr(self, "estimator_"):
            name = type(self).__name__
            raise NotFittedError(f"This {name} is not fitted yet: call fit first, or give a fitted one by prefit=True.")
        n = _num_samples(X)
        y = self._read_y(y, n)
        self._check_known(y)
        self._check_unseen(X, y)
        self._check_new_groups(groups, n)
        labels = read_groups(conditional_on, X, n)
        if self.prefit:
            self._begin(self.estimator_, X)
        said = self._output(self.estimator_, X)
        mass = np.ones(n) if weights is None else self._ratios(weights, X, n)
        self.conditional_on_ = conditional_on if isinstance(conditional_on, str) else None
        self.weights_ = weights if callable(weights) else None
        self._calibrate(said, y, mass, labels, weighted=weights is not None)
        return self

    def predict(self, X):
        """The estimator's own prediction (n,)."""
        check_is_fitted(self)
        return self.estimator_.predict(X)

    def save(self, path):
        """Write model and calibration to one file without pickle; `kan_tabular.load` reads it back, as prefit.

        For ``method="split"``, and "cqr" with one model of all quantiles, around an estimator of this package. The file
        holds the sorted scores of the calibration rows, not the rows.
        """
        from kan_tabular.persistence import save

        check_is_fitted(self)
        if self.method not in SPLIT:
            raise TypeError(f"method={self.method!r} keeps several models, which a file cannot hold: use 'split'.")
        if self.weights_ is not None:
            raise TypeError("weights is a callable, which a file cannot hold: give conformalize an array.")
        twin = clone(self).set_params(estimator=self._inner(), prefit=True)
        vars(twin).update({name: value for name, value in vars(self).items() if name.endswith("_")})
        save(twin, path)

    # ---- for subclasses ----

    def _check_settings(self):
        if self.method not in self._METHODS:
            raise ValueError(f"method={self.method!r}: expected one of {', '.join(map(repr, self._METHODS))}.")
        self._levels()
        if self.calibration_size is not None:
            size, whole = self.calibration_size, isinstance(self.calibration_size, numbers.Integral)
            if isinstance(size, bool) or not isinstance(size, numbers.Real) or not (size > 0 and (whole or size < 1)):
                raise ValueError(
                    f"calibration_size={size!r}: expected a share between 0 and 1, a number of rows, or None for none."
                )
        check_number(self, "cv", 2, integer=True)
        if not isinstance(self.prefit, (bool, np.bool_)):
            raise ValueError(f"prefit={self.prefit!r}: expected True or False.")
        if self.prefit and self.method not in SPLIT:
            raise ValueError(f"prefit=True needs one fitted model: method={self.method!r} fits several; use 'split'.")
        self._check_own()

    def _levels(self):
        return check_levels(self.confidence_level, "confidence_level", (0.8, 0.9, 0.95))

    @property
    def _one_level(self):
        return np.ndim(self.confidence_level) == 0

    def _strata_classes(self, y):
        """Codes of the classes that splits spread evenly, or None."""
        return None

    def _fitted_on(self, y):
        """Note what is needed of the whole target."""

    def _check_known(self, y):
        """Refuse targets that the fitted estimator cannot predict."""

    def _begin(self, model, X):
        """Note what scores need to know of a fitted model (of what it says on its training rows)."""

    def _says_predictions(self):
        """Whether scores are made of predictions alone, so that `_said` can give what `_output` does."""
        return True

    def _adopt(self, fitted):
        """A prefit estimator as this object uses it."""
        return fitted

    def _inner(self):
        """The fitted estimator, as a file can hold it."""
        return self.estimator_

    def _fit_one(self, X, y, weights, groups):
        return fit_clone(self.estimator, X, y, weights, groups)

    def _calibrate(self, said, y, mass, labels, fold=None, weighted=False):
        """Score the rows by what models that had not seen them `said` (n, k), and keep that."""
        import pandas as pd

        classes = self._conditional_classes(y)
        keys = [np.zeros(len(y), dtype=int)] * 2
        named = [[None], [None]]
        for i, values in enumerate((classes, labels)):
            if values is not None:
                keys[i], found = pd.factorize(values)
                named[i] = found.tolist()
        strata, codes = np.unique(np.stack(keys), axis=1, return_inverse=True)
        self.weights_ = getattr(self, "weights_", None) if weighted else None
        self.calibration_ = Calibration(
            scores=self._scores(said, y),
            mass=mass,
            stratum=codes.ravel(),
            strata=[(named[0][c], named[1][g]) for c, g in strata.T.tolist()],
            fold=np.zeros(len(y), dtype=int) if fold is None else fold,
            weighted=weighted,
        )
        self.calibration_.check_enough(self._levels())
        self._check_strata()

    def _conditional_classes(self, y):
        """Labels of the classes that each have a guarantee, or None."""
        return None

    def _check_strata(self):
        """Refuse a calibration that leaves out a class with a guarantee."""

    def _new_rows(self, X, conditional_on, weights):
        """Labels (m,) or None, and masses (m,), of rows to be predicted."""
        check_is_fitted(self)
        if not hasattr(self, "calibration_"):
            raise NotFittedError("This model is not calibrated yet: call conformalize with rows it has not seen.")
        known = self.calibration_
        known.check_enough(self._levels())
        m = _num_samples(X)
        grouped = known.strata[0][1] is not None
        if conditional_on is None:
            conditional_on = self.conditional_on_
        if grouped and conditional_on is None:
            raise ValueError("conditional_on: the calibration had a group for each row; give those of these rows, too.")
        if conditional_on is not None and not grouped:
            raise ValueError("conditional_on: the calibration had no groups; give them to fit or conformalize first.")
        labels = read_groups(conditional_on, X, m)
        if weights is None:
            weights = self.weights_
        if known.weighted and weights is None:
            raise ValueError("weights: the calibration had likelihood ratios; give those of these rows, too.")
        if weights is not None and not known.weighted:
            raise ValueError("weights: the calibration had no likelihood ratios; give them to conformalize first.")
        return labels, np.ones(m) if weights is None else self._ratios(weights, X, m)

    def _strata_of(self, labels, m, class_=None):
        """Position of the stratum of each new row (m,), if it were of a class."""
        places = {stratum: s for s, stratum in enumerate(self.calibration_.strata)}
        groups = [None] * m if labels is None else labels.tolist()
        try:
            return np.array([places[class_, group] for group in groups], dtype=int)
        except KeyError as error:
            (label, group) = error.args[0]
            known = sorted({str(g) for _, g in places})
            where = "" if label is None else f" with rows of class {label!r}"
            raise ValueError(
                f"conditional_on has group {group!r}, which the calibration did not have{where}: it had "
                f"{', '.join(known[:10])}."
            ) from None

    @staticmethod
    def _ratios(weights, X, n):
        ratios = positive(weights(X) if callable(weights) else weights, "weights", n)
        if not ratios.any():
            raise ValueError("weights are 0 in every row: these rows say nothing about where predictions are to hold.")
        return ratios

    def _check_unseen(self, X, y):
        training, keys = getattr(self, "_training", None), row_keys(X, y)
        if self.prefit or training is None or keys is None:
            return
        n_same, suspicious = same_rows(keys, training)
        if not suspicious:
            return
        told = f"{n_same} of {len(keys)} rows are rows that the estimator was trained on"
        if 2 * n_same >= len(keys):
            raise ValueError(f"{told}: intervals and sets from them would be too small. Conformalize on other rows.")
        warnings.warn(f"{told}: intervals and sets will be too small; leave them out.", UserWarning, stacklevel=3)

    def _check_new_groups(self, groups, n):
        if check_groups(groups, n) is None or self.prefit:
            return
        known = [g for g in dict.fromkeys(np.asarray(groups, dtype=object).tolist()) if g in self._training_groups]
        if known:
            more = f" and {len(known) - 1} more" if len(known) > 1 else ""
            raise ValueError(f"groups has {known[0]!r}{more}, which the estimator was trained on: give rows of others.")

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator).input_tags
        for name in ("sparse", "allow_nan", "categorical", "string"):
            setattr(tags.input_tags, name, getattr(inner, name))
        return tags

    def _get_state(self):
        if not self.prefit:
            raise TypeError(f"save a {type(self).__name__} by its own method save(path).")
        known = self.calibration_
        attributes = {
            "strata": known.strata,
            "weighted": known.weighted,
            "conditional_on": self.conditional_on_,
            "n_features_in": self.n_features_in_,
        }
        if hasattr(self, "feature_names_in_"):
            attributes["feature_names_in"] = self.feature_names_in_.tolist()
        first = known.scores.reshape(len(known.scores), -1)[:, 0]
        order = np.lexsort((first, known.stratum))  # nothing of the rows' order
        return attributes, {name: getattr(known, name)[order] for name in ("scores", "mass", "stratum")}

    @classmethod
    def _from_state(cls, params, attributes, arrays):
        self = cls(**params)
        self.estimator_ = self._adopt(self.estimator)
        self.conditional_on_, self.weights_ = attributes["conditional_on"], None
        self.n_features_in_ = attributes["n_features_in"]
        if "feature_names_in" in attributes:
            self.feature_names_in_ = np.array(attributes["feature_names_in"], dtype=object)
        strata = [tuple(stratum) for stratum in attributes["strata"]]
        fold = np.zeros(len(arrays["scores"]), dtype=int)
        kept = {name: arrays[name] for name in ("scores", "mass", "stratum")}
        self.calibration_ = Calibration(**kept, strata=strata, fold=fold, weighted=attributes["weighted"])
        return self
