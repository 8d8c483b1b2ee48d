"""Quantile regressors of any make, as one model of several quantiles."""

from __future__ import annotations

import numpy as np
from sklearn.base import clone

from kan_tabular.uncertainty._fitting import fit_clone, last_step

#: Parameters that set one quantile, and what loss or objective they need to mean that.
_ONE = ("quantile", "quantile_alpha", "alpha")
_LOSSES = ("quantile", "reg:quantileerror", None)


class QuantileModels:
    """Fitted models of increasing quantiles.

    Attributes
    ----------
    levels : list of float
    models : list
        One of all levels, or one a level.
    """

    def __init__(self, levels, models):
        self.levels, self.models = levels, models

    def __getattr__(self, name):
        if name in ("n_features_in_", "feature_names_in_"):
            return getattr(self.models[0], name)
        raise AttributeError(name)

    @property
    def confidence_levels(self):
        """Levels of the bands that pairs of the quantiles make, rounded as users write them."""
        mirrored = [q for q in self.levels if q < 0.5 and np.isclose(self.levels, 1 - q, rtol=0, atol=1e-9).any()]
        return [round(1 - 2 * q, 9) for q in reversed(mirrored)]

    def band(self, confidence_level):
        """Position of a level among `confidence_levels`; refused as by `place`."""
        self.place((1 - confidence_level) / 2), self.place((1 + confidence_level) / 2)
        return int(np.argmin(np.abs(np.array(self.confidence_levels) - confidence_level)))

    def predict_quantiles(self, X):
        """Quantiles (m, n_levels) as the models give them."""
        return np.column_stack([np.asarray(model.predict(X), dtype=float) for model in self.models])

    def predict(self, X):
        """The median (m,)."""
        return self.predict_quantiles(X)[:, self.place(0.5)]

    def place(self, level):
        """Position of a level."""
        at = np.flatnonzero(np.isclose(self.levels, level, rtol=0, atol=1e-9))
        if not len(at):
            raise ValueError(
                f"method='cqr': the fitted model has the quantiles {[float(f'{q:.6g}') for q in self.levels]} and not "
                f"{level:.6g}: fit again for another confidence_level."
            )
        return int(at[0])

    def bands(self, quantiles, confidence_levels):
        """Ends (m, 2, n_levels) of the bands that the `quantiles` (m, n) make; ends that crossed are exchanged."""
        places = [[self.place((1 - c) / 2), self.place((1 + c) / 2)] for c in confidence_levels]
        return np.stack([np.sort(quantiles[:, place], axis=1) for place in places], axis=2)


def wanted(confidence_levels):
    """Quantiles that intervals at these levels start from, with the median."""
    outer = [q for level in confidence_levels for q in ((1 - level) / 2, (1 + level) / 2)]
    return sorted({0.5, *(round(q, 12) for q in outer)})


def fit_quantiles(estimator, levels, X, y, weights, groups):
    """Fit clones of a quantile regressor (or of a pipeline that ends in one) to the `levels`.

    Raises
    ------
    TypeError
        If it has no parameter for a quantile.
    """
    last, prefix = last_step(estimator)
    params = last.get_params(deep=False)
    loss = params.get("loss", params.get("objective"))
    if "quantiles" in params and loss in _LOSSES:
        several = clone(estimator).set_params(**{f"{prefix}quantiles": tuple(levels)})
        return QuantileModels(levels, [fit_clone(several, X, y, weights, groups)])
    name = next((name for name in _ONE if name in params), None)
    if name is None or loss not in _LOSSES or (name == "alpha" and loss is None):
        raise TypeError(
            f"method='cqr' needs a quantile regressor, such as KANRegressor(loss='quantile') or "
            f"HistGradientBoostingRegressor(loss='quantile'); {type(last).__name__} here is none."
        )
    models = []
    for level in levels:
        one = clone(estimator).set_params(**{f"{prefix}{name}": level})
        models.append(fit_clone(one, X, y, weights, groups))
    return QuantileModels(levels, models)


def adopt_quantiles(fitted):
    """A fitted model of several quantiles, which it names in its parameter `quantiles`."""
    levels = getattr(fitted, "quantiles", None)
    if levels is None or getattr(fitted, "loss", "quantile") != "quantile":
        raise TypeError(
            "prefit=True with method='cqr' needs one fitted model of several quantiles, such as "
            f"KANRegressor(loss='quantile', quantiles=(.05, .5, .95)); got {type(fitted).__name__}."
        )
    return QuantileModels(list(np.atleast_1d(levels)), [fitted])
