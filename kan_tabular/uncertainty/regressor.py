"""ConformalRegressor: intervals that contain the response as often as promised."""

from __future__ import annotations

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from kan_tabular.estimators._validation import read_target
from kan_tabular.uncertainty._base import Conformal
from kan_tabular.uncertainty._fitting import readable
from kan_tabular.uncertainty._quantiles import adopt_quantiles, fit_quantiles, wanted
from kan_tabular.uncertainty._rows import take
from kan_tabular.uncertainty._scores import VALUE_SCORES, ends, value_scores
from kan_tabular.uncertainty.spread import has_spread, uncertainty_parts

#: Numbers of a block of intermediate results.
_BLOCK_CELLS = 4_000_000


class ConformalRegressor(RegressorMixin, Conformal):
    """Prediction intervals with a guaranteed coverage, around any regressor.

    If new rows are exchangeable with the calibration rows, the interval contains the response with at least the asked
    probability, whatever the regressor: on average over all rows, or in every group of rows (`conditional_on`).

    Parameters
    ----------
    estimator : regressor or Pipeline
        Of this package or any other; for "cqr" a quantile regressor.
    method : {"split", "cross", "jackknife+", "cqr"}, default="split"
        * "split": part of the rows calibrates and does not train. Coverage at least the level, and at most
          ``1 / (n + 1)`` above it for n calibration rows without ties.
        * "cross": models without each of `cv` folds (CV+). All rows train; coverage at least
          ``1 - 2 (1 - level) - 2 / n ** 0.5`` whatever the model, and usually near the level.
        * "jackknife+": models without each row (or group): n fits; at least ``1 - 2 (1 - level)``, usually the level.
          With `KAAMRegressor` one fit and closed form: exact for a Gaussian response at the smoothness that all rows
          chose, which makes the guarantee approximate. ``"cross"`` with ``cv=n`` fits n times.
        * "cqr": quantile regression whose band is moved until it covers (conformalized quantile regression): split's
          guarantee, with widths that follow the noise. Quantiles are set on ``KANRegressor(loss="quantile")`` (all at
          once) or on any estimator with a parameter ``quantile``, ``quantile_alpha`` or ``alpha`` of a quantile loss.
    confidence_level : float or sequence of float, default=0.9
        Increasing, if several. May be changed after the fit by `set_params`, but for "cqr".
    conformity_score : {"absolute", "gamma", "normalized"}, default="absolute"
        What is calibrated (not for "cqr"). "absolute": the residual; intervals of one width. "gamma": relative to the
        prediction, for positive responses. "normalized": in units of `scale`.
    scale : "auto" or callable, default="auto"
        For "normalized": ``scale(fitted_estimator, X)`` gives positive numbers (m,). "auto": what the model itself says
        (the spread of a network's members, the predictive standard deviation of `KAAMRegressor`, a ``return_std`` of
        others), ``sqrt(spread ** 2 + floor ** 2)`` with its median over the training rows as floor, since an ensemble
        that agrees is not certain.
    calibration_size : float, int or None, default=0.25
        As in `ConformalClassifier`; for "split" and "cqr".
    cv : int, default=5
        Folds of "cross".
    prefit : bool, default=False
        The estimator is fitted already: `conformalize` calibrates it. For "cqr" it is one model of several quantiles
        that names them in ``quantiles``.
    n_jobs : int, optional
        Fits at a time of "cross" and "jackknife+".
    random_state : int, RandomState or None
        Decides which rows calibrate.

    Attributes
    ----------
    estimator_ : regressor
        Fitted to the rows that do not calibrate; to all rows by "cross" and "jackknife+".
    calibration_ : Calibration
        ``scores, mass, stratum, strata`` of the calibration rows.
    scale_floor_ : float
    n_features_in_, feature_names_in_

    Notes
    -----
    Scores are those of MAPIE; intervals equal MAPIE's where both can do the same ("cqr": its symmetric correction).
    Guarantees in groups, likelihood ratios, frequencies, scales and saving are this package's own.

    References
    ----------
    Lei et al. (2018), JASA 113 (split); Barber, Candes, Ramdas & Tibshirani (2021), *Annals of Statistics* 49
    (jackknife+, CV+: theorems 1 and 4); Romano, Patterson & Candes (2019), NeurIPS 32 (CQR); Papadopoulos & Haralambous
    (2011), *Neural Networks* 24 (normalized); Tibshirani, Barber, Candes & Ramdas (2019), NeurIPS 32 (weights).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from kan_tabular import KAAMRegressor
    >>> from kan_tabular.uncertainty import ConformalRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = ConformalRegressor(KAAMRegressor(), confidence_level=(0.8, 0.9), random_state=0).fit(X[:300], y[:300])
    >>> model.predict_interval(X[300:]).shape
    (142, 2, 2)
    """

    _METHODS = ("split", "cross", "jackknife+", "cqr")

    def __init__(
        self,
        estimator,
        *,
        method="split",
        confidence_level=0.9,
        conformity_score="absolute",
        scale="auto",
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
        self.scale = scale
        self.calibration_size = calibration_size
        self.cv = cv
        self.prefit = prefit
        self.n_jobs = n_jobs
        self.random_state = random_state

    def predict_interval(self, X, *, conditional_on=None, weights=None):
        """Lower and upper ends.

        Parameters
        ----------
        X : table of shape (m, n_features)
        conditional_on : str or array-like (m,), optional
            Group of each row, where the calibration had groups; a column's name is remembered.
        weights : array-like (m,) or callable, optional
            Likelihood ratio of each row, where the calibration had them; a callable is remembered.

        Returns
        -------
        interval : ndarray (m, 2), or (m, 2, n_levels) where `confidence_level` is a sequence
            Infinite where the likelihood ratio of a row is more than the calibration rows can answer for. A band of
            "cqr" that had to be narrowed below nothing ends where it begins, in the middle.
        """
        labels, mass = self._new_rows(X, conditional_on, weights)
        stratum = self._strata_of(labels, len(mass))
        levels = self._levels()
        if self.method == "cqr":
            bands = self.estimator_.bands(self._output(self.estimator_, X), levels)
            each = [self.calibration_.at_level(self.estimator_.band(level)) for level in levels]
            columns = [
                _moved(bands[:, :, k], known.thresholds([level], stratum, mass))
                for k, (known, level) in enumerate(zip(each, levels, strict=True))
            ]
        elif self.method == "split":
            said = self._output(self.estimator_, X)
            reach = self.calibration_.thresholds(levels, stratum, mass) * said[:, [1]]
            columns = [np.stack(ends(self.conformity_score, said[:, 0], r), axis=1) for r in reach.T]
        else:
            fold, m = self.out_of_fold_.fold, len(mass)
            step = max(_BLOCK_CELLS // len(fold), 1)
            parts = []
            for rows in np.split(np.arange(m), range(step, m, step)):
                said = self.out_of_fold_.at(take(readable(X), rows))
                parts.append(self._between(said[fold], stratum[rows], mass[rows], levels))
            columns = [np.concatenate(part) for part in zip(*parts, strict=True)]
        interval = np.stack(columns, axis=2)
        return interval[:, :, 0] if self._one_level else interval

    def threshold_rule(self):
        """The intervals in plain numbers, for use outside Python.

        Returns
        -------
        rule : dict or None
            ``{"kind": "absolute", "confidence_level", "quantile"}`` for the first level: the interval is the prediction
            plus and minus the quantile. None where intervals are not of that form.
        """
        check_is_fitted(self, "calibration_")
        known = self.calibration_
        if self.conformity_score != "absolute" or self.method != "split" or known.weighted or len(known.strata) > 1:
            return None
        known.check_enough(self._levels())
        level = self._levels()[0]
        quantile = float(known.thresholds([level], np.zeros(1, dtype=int), np.ones(1))[0, 0])
        return {"kind": "absolute", "confidence_level": level, "quantile": quantile}

    def _between(self, said, stratum, mass, levels):
        """Ends (m, 2) at each level, of what the models that had not seen each row say (n, m, 2) of m new ones."""
        known = self.calibration_
        predicted, scale = said[:, :, 0].T, said[:, :, 1].T
        low, high = ends(self.conformity_score, predicted, known.scores * scale)
        both = [(known.upper(-low, level, stratum, mass), known.upper(high, level, stratum, mass)) for level in levels]
        return [np.stack([-lower, upper], axis=1) for lower, upper in both]

    def _check_own(self):
        if self.conformity_score not in VALUE_SCORES:
            expected = ", ".join(map(repr, VALUE_SCORES))
            raise ValueError(f"conformity_score={self.conformity_score!r}: expected one of {expected}.")
        if self.method == "cqr" and self.conformity_score != "absolute":
            raise ValueError(f"conformity_score={self.conformity_score!r}: method='cqr' has a score of its own.")
        if not callable(self.scale) and self.scale != "auto":
            raise ValueError(f"scale={self.scale!r}: expected 'auto' or a callable scale(fitted_estimator, X).")

    def _read_y(self, y, n):
        return read_target(self, y, n)

    def _fit_one(self, X, y, weights, groups):
        if self.method == "cqr":
            return fit_quantiles(self.estimator, wanted(self._levels()), X, y, weights, groups)
        return super()._fit_one(X, y, weights, groups)

    def _adopt(self, fitted):
        return adopt_quantiles(fitted) if self.method == "cqr" else fitted

    def _inner(self):
        if self.method == "cqr" and len(self.estimator_.models) > 1:
            raise TypeError("method='cqr' fitted a model a quantile, which a file cannot hold: use a KANRegressor.")
        return self.estimator_.models[0] if self.method == "cqr" else self.estimator_

    def _begin(self, model, X):
        if self.conformity_score != "normalized" or callable(self.scale):
            return
        if not has_spread(model):
            raise TypeError(
                "conformity_score='normalized' needs scale=callable for an estimator that says nothing of its own "
                f"uncertainty; {type(model).__name__} is no ensemble of networks, and its predict takes no return_std."
            )
        self.scale_floor_ = float(np.median(_spread(model, X))) or 1.0  # no spread at all: one width for all

    def _output(self, model, X):
        """Prediction and scale (m, 2), or quantiles (m, n_quantiles)."""
        if self.method == "cqr":
            said = model.predict_quantiles(X)
        else:
            predicted = np.asarray(model.predict(X), dtype=float)
            if predicted.ndim != 1:
                raise ValueError(
                    f"the estimator predicts {predicted.shape[1]} numbers a row: intervals are for one "
                    "(method='cqr' for quantiles)."
                )
            said = np.stack([predicted, self._scale_of(model, X, len(predicted))], axis=1)
        if not np.isfinite(said).all():
            row = int(np.flatnonzero(~np.isfinite(said).all(1))[0])
            raise ValueError(f"the estimator predicts {said[row].tolist()} for row {row}: it must predict numbers.")
        return said

    def _says_predictions(self):
        return self.conformity_score != "normalized"

    def _said(self, predicted):
        return np.stack([predicted, np.ones_like(predicted)], axis=-1)

    def _scale_of(self, model, X, m):
        if self.conformity_score != "normalized":
            return np.ones(m)
        if not callable(self.scale):
            scale = np.hypot(_spread(model, X), self.scale_floor_)
        else:
            scale = np.asarray(self.scale(model, X), dtype=float)
        if scale.shape != (m,) or not (scale > 0).all():
            raise ValueError(f"scale gives no positive number for each of the {m} rows: intervals would have no width.")
        return scale

    def _scores(self, said, y):
        if self.method != "cqr":
            return value_scores(self.conformity_score, y, said[:, 0], said[:, 1])
        bands = self.estimator_.bands(said, self.estimator_.confidence_levels)
        return np.maximum(bands[:, 0] - y[:, None], y[:, None] - bands[:, 1])

    def _get_state(self):
        attributes, arrays = super()._get_state()
        return {**attributes, "scale_floor": getattr(self, "scale_floor_", None)}, arrays

    @classmethod
    def _from_state(cls, params, attributes, arrays):
        self = super()._from_state(params, attributes, arrays)
        if attributes["scale_floor"] is not None:
            self.scale_floor_ = attributes["scale_floor"]
        return self


def _moved(band, reach):
    """A band (m, 2), its ends moved outwards by `reach` (m, 1); inwards no further than to its middle."""
    middle = band.mean(1)
    low, high = band[:, 0] - reach[:, 0], band[:, 1] + reach[:, 0]
    return np.stack([np.minimum(low, middle), np.maximum(high, middle)], axis=1)


def _spread(model, X):
    parts = uncertainty_parts(model, X)
    return (parts["epistemic"] if parts["total"].isna().any() else parts["total"]).to_numpy()
