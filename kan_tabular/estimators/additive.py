"""KAAM: Kolmogorov-Arnold additive models, solved exactly."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from kan_tabular.bases import BSpline, Pool
from kan_tabular.estimators._curves import CurvesMixin
from kan_tabular.estimators._leave_one_out import LeaveOneOutMixin
from kan_tabular.estimators._model import LabelsMixin
from kan_tabular.estimators._validation import (
    check_exposure,
    check_groups,
    check_settings,
    check_weights,
    read,
    read_basis,
    read_target,
    resolve_device,
)
from kan_tabular.fitted.network import FittedNetwork
from kan_tabular.likelihoods import Gamma, Gaussian, Poisson
from kan_tabular.solvers.fit import fit_network

_PARAMETERS = """n_knots : int, default=10
        Interior knots of each numeric curve, at quantiles of the training values (of ``basis="bspline"``).
    basis : str, Basis or sequence of these, default="bspline"
        Family of the numeric curves: "bspline", or another one that is linear in its coefficients
        (docs/bases), by name or with arguments of its own as `kan_tabular.bases` has it. Of several, each column gets
        the one that marginal likelihood asks for (`spaces_`).
    smoothing : {"auto", "reml"}, float or dict, default="auto"
        How the smoothness of the curves is chosen. "auto": marginal likelihood with terms that inform each other (a
        hierarchy of smoothing parameters), the better predictor where rows are few. "reml": textbook restricted
        maximum likelihood, each term for itself. A number fixes the smoothing parameter of every curve (and the ridge
        of categories); a dict fixes those of the named columns.
    select : bool, default=True
        Also shrink the straight-line part of each curve, so that a useless feature comes out as (nearly) nothing.
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Columns to be read as categories: those of text or category type, or the given names, indices or mask.
"""


class _Additive(LeaveOneOutMixin, CurvesMixin, BaseEstimator):
    """Shared fit of the additive estimators."""

    _network_class = FittedNetwork

    def _fit(self, table, y, weights, likelihood, offset=0.0):
        encoded, keep = self._encode_training(table, weights)
        names = [f.name for f in self.encoder_.features_]
        check_settings(self, names)
        family = self._family()
        if not keep.all():
            encoded, y, weights = encoded[keep], y[keep], weights[keep]
            offset = offset[keep] if isinstance(offset, np.ndarray) else offset
        with _progress(self.verbose) as report:
            self.network_, edf, self.n_iter_ = fit_network(
                encoded,
                self.encoder_.features_,
                y,
                weights,
                likelihood,
                family=family,
                smoothing=self.smoothing,
                select=self.select,
                offset=offset,
                max_iter=self.max_iter,
                tol=self.tol,
                device=resolve_device(self.device, len(encoded)),
                report=report,
            )
        self.edf_ = dict(zip(names, edf.tolist(), strict=True))
        return self

    def _family(self):
        """B-splines with the wanted number of knots, another family as it is, or a pool of several."""
        several = isinstance(self.basis, (list, tuple))
        if several and len(self.basis) < 2:
            raise ValueError(f"basis={self.basis!r}: expected a family, or at least two to choose from.")
        spaces = [
            BSpline(self.n_knots) if isinstance(basis, str) and basis == "bspline" else read_basis(basis, linear=True)
            for basis in (self.basis if several else [self.basis])
        ]
        return Pool(tuple(spaces)) if several else spaces[0]

    @property
    def spaces_(self):
        """Family of each numeric column's curve, by name of the column."""
        check_is_fitted(self)
        network = self.network_
        bases = {
            f.name: getattr(c.basis, "family", c.basis) for f, c in zip(network.features, network.inputs, strict=True)
        }
        return {name: basis.name for name, basis in bases.items() if basis is not None and basis.name != "category"}

    @property
    def intercept_(self):
        """Linear predictor of the average training row: float, or (n_classes,) for more than two classes."""
        check_is_fitted(self)
        base = self.network_.base
        return float(base[0]) if len(base) == 1 else base

    @property
    def smoothing_(self):
        """Chosen smoothing parameters: {feature: {"linear" | "curvature" | "level" | "missing": lambda}}."""
        check_is_fitted(self)
        return {
            name: {k: float(np.exp(r)) for k, r in zip(s.kinds, s.rho, strict=True)}
            for name, s in zip(self.network_.feature_names, self.network_.smoothing, strict=True)
        }

    def _get_state(self):
        attributes, arrays = super()._get_state()
        return {**attributes, "edf": self.edf_}, arrays

    @classmethod
    def _from_state(cls, params, attributes, arrays):
        self = super()._from_state(params, attributes, arrays)
        self.edf_ = attributes["edf"]
        return self


class KAAMClassifier(LabelsMixin, ClassifierMixin, _Additive):
    __doc__ = f"""Additive classifier: the log-odds are a sum of one curve a feature.

    ``logit P(y = 1 | x) = intercept + sum_j f_j(x_j)`` for two classes; for more, one set of curves a class whose sum
    over the classes is zero (softmax). The curves are penalised splines and the fit is a convex problem, solved by
    penalised iteratively reweighted least squares with the smoothness chosen from the data.

    Parameters
    ----------
    {_PARAMETERS}    class_weight : dict, "balanced" or None, default=None
        Multiplies the weights of the classes.
    max_iter : int, default=100
        Limit of the reweighted least-squares steps.
    tol : float, default=1e-4
        Stop when a step would gain less than about this in log-likelihood for each effective parameter.
    device : {{"auto", "cpu", "cuda"}}, default="auto"
        Where the large sums are computed; "auto" uses CUDA from a million rows on.
    random_state : int, RandomState or None
        Kept for scikit-learn's sake: the fit uses no random numbers.
    verbose : int, default=0
        Show progress.

    Attributes
    ----------
    classes_ : ndarray (n_classes,)
    network_ : kan_tabular.fitted.FittedNetwork
    encoder_ : kan_tabular.encoding.TableEncoder
    intercept_ : float or ndarray (n_classes,)
    edf_ : dict
        Effective degrees of freedom of each feature.
    smoothing_ : dict
    feature_importances_ : ndarray (n_features,)
    n_iter_ : int

    References
    ----------
    Apellaniz et al. (2025), arXiv 2509.16750 (the additive network); Wood (2017), *Generalized Additive Models*, 2nd
    ed., sections 6.2 and 6.5 (the fit); Wood, Li, Shaddick & Augustin (2017), JASA 112 (large tables).

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from kan_tabular import KAAMClassifier
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = KAAMClassifier().fit(X, y)
    >>> round(model.score(X, y), 2) > 0.95
    True
    """

    def __init__(
        self,
        *,
        n_knots=10,
        basis="bspline",
        smoothing="auto",
        select=True,
        categorical_features="from_dtype",
        class_weight=None,
        max_iter=100,
        tol=1e-4,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.n_knots = n_knots
        self.basis = basis
        self.smoothing = smoothing
        self.select = select
        self.categorical_features = categorical_features
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.tol = tol
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y, sample_weight=None, *, groups=None, exposure=None):
        """Fit the curves.

        Parameters
        ----------
        X : table of shape (n, n_features)
            DataFrame (pandas, polars, ...), array or lists; numbers, booleans, text or categories, with missing values.
        y : array-like (n,)
            Class labels.
        sample_weight : array-like (n,), optional
            Frequencies: 2 is the row twice, 0 leaves it out.
        groups : array-like (n,), optional
            Accepted for a common signature; this fit makes no internal split.
        exposure : None
            Only for counts (`KAAMRegressor`).
        """
        table, codes, weights, likelihood = self._read_classification(X, y, sample_weight, groups, exposure)
        return self._fit(table, codes, weights, likelihood)


class KAAMRegressor(RegressorMixin, _Additive):
    __doc__ = f"""Additive regressor: the mean, or its log, is a sum of one curve a feature.

    Parameters
    ----------
    loss : {{"squared_error", "poisson", "gamma"}}, default="squared_error"
        Gaussian response with identity link, counts or positive amounts with log link.
    {_PARAMETERS}    max_iter, tol, device, random_state, verbose
        As in `KAAMClassifier`.

    Attributes
    ----------
    network_, encoder_, intercept_, edf_, smoothing_, feature_importances_, n_iter_
        As in `KAAMClassifier`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from kan_tabular import KAAMRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> mean, se = KAAMRegressor().fit(X, y).predict(X, return_std=True)
    >>> bool((se > 0).all())
    True
    """

    _LIKELIHOODS = {"squared_error": Gaussian, "poisson": Poisson, "gamma": Gamma}

    def __init__(
        self,
        *,
        loss="squared_error",
        n_knots=10,
        basis="bspline",
        smoothing="auto",
        select=True,
        categorical_features="from_dtype",
        max_iter=100,
        tol=1e-4,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.loss = loss
        self.n_knots = n_knots
        self.basis = basis
        self.smoothing = smoothing
        self.select = select
        self.categorical_features = categorical_features
        self.max_iter = max_iter
        self.tol = tol
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y, sample_weight=None, *, groups=None, exposure=None):
        """Fit the curves.

        Parameters
        ----------
        X : table of shape (n, n_features)
        y : array-like (n,)
            Finite; at least 0 for counts, above 0 for `loss="gamma"`.
        sample_weight : array-like (n,), optional
            Frequencies: 2 is the row twice, 0 leaves it out.
        groups : array-like (n,), optional
            Accepted for a common signature; this fit makes no internal split.
        exposure : array-like (n,), optional
            For `loss="poisson"`: the mean is ``exposure * exp(sum of curves)``; predictions are per unit of exposure.
        """
        if self.loss not in self._LIKELIHOODS:
            raise ValueError(f"loss={self.loss!r}: expected one of {', '.join(map(repr, self._LIKELIHOODS))}.")
        table = read(self, X, reset=True)
        n = table.n_rows
        y = read_target(self, y, n)
        check_groups(groups, n)
        weights = check_weights(sample_weight, n)
        exposure = check_exposure(exposure, n, self.loss)
        likelihood = self._LIKELIHOODS[self.loss]()
        likelihood.check_target(y)
        offset = 0.0 if exposure is None else np.log(exposure)
        return self._fit(table, y, weights, likelihood, offset)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self.loss != "squared_error"
        return tags

    def predict(self, X, return_std=False):
        """Predicted mean (n,), and its uncertainty.

        Parameters
        ----------
        X : table of shape (n, n_features)
        return_std : {False, True, "predictive"}
            True: also the standard error of the mean (smoothing uncertainty included). "predictive": also the
            response's own noise, so about 95% of new responses fall within 1.96 of it for a Gaussian response.

        Returns
        -------
        mean : ndarray (n,), or (mean, standard deviation)
        """
        if return_std not in (False, True, "predictive"):
            raise ValueError(f"return_std={return_std!r}: expected False, True or 'predictive'.")
        Z = self._encode(X)
        network = self.network_
        likelihood = network.likelihood
        mean = self._response(network.forward(Z))
        if not return_std:
            return mean
        se = network.standard_error(Z)[:, 0] * likelihood.slope(mean)
        if return_std == "predictive":
            se = np.sqrt(se**2 + network.dispersion * likelihood.variance(mean))
        return mean, se

    def _response(self, eta):
        """Means (...) of linear predictors (..., 1)."""
        return self.network_.likelihood.inverse_link(eta[..., 0])


class _progress:
    """A progress line on standard error while `verbose`; nothing otherwise."""

    def __init__(self, verbose):
        self.verbose = verbose

    def __enter__(self):
        if not self.verbose:
            return None
        from tqdm import tqdm

        self.bar = tqdm(desc="fitting", unit=" steps")

        def report(iteration, value):
            self.bar.update()
            self.bar.set_postfix_str(f"log posterior {value:.4f}")

        return report

    def __exit__(self, *_):
        if self.verbose:
            self.bar.close()
