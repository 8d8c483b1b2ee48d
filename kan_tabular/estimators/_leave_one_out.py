"""Predictions of a fitted additive model by the fits that leave one training row out."""

from __future__ import annotations

import numpy as np

from kan_tabular.estimators._validation import (
    check_exposure,
    check_weights,
    class_factors,
    known_codes,
    known_targets,
)
from kan_tabular.solvers.fit import small_blas
from kan_tabular.solvers.leave_one_out import LeaveOneOut


class LeaveOneOutMixin:
    """Needs ``network_`` of one layer, ``encoder_`` and ``_response`` (from linear predictors to predictions)."""

    def leave_one_out(self, X, y, sample_weight=None, *, exposure=None, at=None):
        """What the model would predict for each training row had it not seen that row, from the one fit there is.

        Smoothing parameters, knots and encoding stay those of the whole table. For a Gaussian response the result is
        exact; for others it is that of one Newton step, of more for the rows that need them
        (`kan_tabular.solvers.leave_one_out`).

        Parameters
        ----------
        X : table of shape (n, n_features)
            The training table. Estimators keep no rows, so it has to be given again.
        y, sample_weight, exposure
            As given to `fit`. A row of weight 2 is left out both times.
        at : table of shape (m, n_features), optional
            Other rows to be predicted by each of the n fits, as the jackknife+ needs it.

        Returns
        -------
        predictions : ndarray (n,) or (n, n_classes)
            Means, or class probabilities, per unit of exposure; with `at` a pair, the second one (m, n) or
            (m, n, n_classes).

        Raises
        ------
        ValueError
            If the model was fitted to other rows.
        """
        Z = self._encode(X)
        n = len(Z)
        weights = check_weights(sample_weight, n)
        if hasattr(self, "classes_"):
            y = known_codes(self, y, n)
            weights = weights * class_factors(self.class_weight, self.classes_, y.astype(int), weights)
            exposure = check_exposure(exposure, n, "log_loss")
        else:
            y = known_targets(self, y, n)
            exposure = check_exposure(exposure, n, self.loss)
        network = self.network_
        with small_blas(len(network.covariance)):
            fits = LeaveOneOut(network, Z, y, weights, 0.0 if exposure is None else np.log(exposure))
            own = self._response(fits.own)
            return own if at is None else (own, self._response(fits.predict(self._encode(at))))
