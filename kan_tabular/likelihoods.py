"""Responses: how a target is distributed around the sum of the curves.

Every likelihood sees the linear predictor ``eta`` of shape (n, n_outputs) and the target in the form that
`prepare` gives it. Written against the array API: NumPy arrays and torch tensors both work. `weights` (n,) are
frequencies everywhere.

To add one, see docs/extending.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from array_api_compat import array_namespace
from scipy.special import expit, softmax

#: |eta| beyond which curvature is that of the limit: keeps exp() finite.
_LIMIT = 30.0
#: |log mean| beyond which a mean stands still: it is yet to be multiplied by weights and targets.
_FAR = 500.0


class Likelihood(ABC):
    """One distribution with its link.

    Attributes
    ----------
    n_outputs : int
        Columns of ``eta``.
    scale_known : bool
        Whether the dispersion is 1 (Bernoulli, multinomial, Poisson) or has to be estimated.
    canonical : bool
        Whether `hessian` is the true second derivative, so that the iteration is Newton's.
    quadratic : bool
        Whether `value` is quadratic in ``eta``, so that one working model is exact.
    moves_with_target : bool
        Whether shifting and scaling the target does the same to ``eta``, so that networks may standardise it.
    lowest, above_lowest : float, bool
        Smallest target, and whether it is itself excluded.
    link_name : str
        How formulas know `inverse_link` of what users see (`kan_tabular.symbolic.formula.INVERSE_LINKS`).
    """

    name: str
    link_name = "identity"
    n_outputs = 1
    scale_known = True
    canonical = True
    quadratic = False
    moves_with_target = False
    #: Names of the constructor's arguments, which are kept as attributes.
    arguments = ()
    lowest, above_lowest = -np.inf, False

    @abstractmethod
    def link(self, mean):
        """Linear predictor of a mean (NumPy)."""

    @abstractmethod
    def inverse_link(self, eta):
        """Mean of a linear predictor (NumPy)."""

    def slope(self, mean):
        """Derivative of the mean with respect to ``eta``, in terms of the mean (NumPy)."""
        raise TypeError(f"{self.name} has no single mean")

    def variance(self, mean):
        """Variance of a response with that mean, at dispersion 1 (NumPy)."""
        raise TypeError(f"{self.name} has no single mean")

    def check_target(self, y):
        """Refuse targets that cannot come from this distribution, naming one."""
        bad = (y <= self.lowest) if self.above_lowest else (y < self.lowest)
        if bad.any():
            least = f"{'above' if self.above_lowest else 'of at least'} {self.lowest:g}"
            raise ValueError(f"y holds {y.min():g} (row {int(y.argmin())}): {self.name!r} needs targets {least}.")

    @abstractmethod
    def value(self, eta, y, weights):
        """Log-likelihood at dispersion 1, up to a constant: a float."""

    @abstractmethod
    def gradient(self, eta, y, weights):
        """Derivative of `value` with respect to ``eta``: (n, n_outputs)."""

    @abstractmethod
    def hessian(self, eta, y, weights):
        """Negative (expected) second derivative: (n, n_outputs, n_outputs), positive semi-definite."""

    @abstractmethod
    def initial(self, y, weights, offset=0.0):
        """Intercepts of the model without features, beside a fixed `offset` (NumPy): (n_outputs,)."""

    @abstractmethod
    def deviance(self, mean, y, weights):
        """Twice the log-likelihood ratio to the saturated model (NumPy)."""


def _weighted_mean(y, weights):
    return float(np.average(y, weights=weights))


class Gaussian(Likelihood):
    """Normal response, identity link."""

    name = "squared_error"
    scale_known = False
    quadratic = True
    moves_with_target = True

    def link(self, mean):
        return mean

    def inverse_link(self, eta):
        return eta

    def slope(self, mean):
        return np.ones_like(mean)

    def variance(self, mean):
        return np.ones_like(mean)

    def value(self, eta, y, weights):
        return float(-0.5 * (weights * (y - eta[:, 0]) ** 2).sum())

    def gradient(self, eta, y, weights):
        return (weights * (y - eta[:, 0]))[:, None]

    def hessian(self, eta, y, weights):
        return weights[:, None, None]

    def initial(self, y, weights, offset=0.0):
        return np.array([_weighted_mean(y, weights)])

    def deviance(self, mean, y, weights):
        return float((weights * (y - mean) ** 2).sum())


class Bernoulli(Likelihood):
    """Two classes (``y`` 0 or 1), logit link."""

    name = "log_loss"
    link_name = "logit"

    def link(self, mean):
        return np.log(mean / (1 - mean))

    def inverse_link(self, eta):
        return expit(eta)

    def value(self, eta, y, weights):
        xp = array_namespace(eta)
        e = eta[:, 0]
        return float((weights * (y * e - xp.logaddexp(e, xp.zeros_like(e)))).sum())

    def gradient(self, eta, y, weights):
        return (weights * (y - _sigmoid(eta[:, 0])))[:, None]

    def hessian(self, eta, y, weights):
        p = _sigmoid(eta[:, 0])
        return (weights * p * (1 - p))[:, None, None]

    def initial(self, y, weights, offset=0.0):
        p = _weighted_mean(y, weights)
        return np.array([np.log(p / (1 - p))])

    def deviance(self, mean, y, weights):
        return float(-2 * (weights * np.log(np.where(y > 0.5, mean, 1 - mean))).sum())


def _sigmoid(e):
    xp = array_namespace(e)
    return 1 / (1 + xp.exp(-xp.clip(e, -_LIMIT, _LIMIT)))


class Multinomial(Likelihood):
    """K > 2 classes (``y`` = 0 ... K - 1), softmax link.

    The K class curves sum to zero: ``theta = eta C'`` with an orthonormal basis C (K, K - 1) of the space of
    contrasts. The K - 1 columns of ``eta`` are identified, and a ridge on them is the same ridge on the K curves,
    whatever the order of the classes.

    Parameters
    ----------
    n_classes : int
        K.
    """

    name = "multinomial"
    link_name = "softmax"
    arguments = ("n_classes",)

    def __init__(self, n_classes):
        self.n_classes = n_classes
        self.n_outputs = n_classes - 1
        self.contrasts = helmert(n_classes)

    def link(self, mean):
        return np.log(mean) @ self.contrasts

    def inverse_link(self, eta):
        return softmax(eta @ self.contrasts.T, axis=-1)

    def _probabilities(self, eta):
        xp = array_namespace(eta)
        c = xp.asarray(self.contrasts, dtype=eta.dtype, device=eta.device)
        theta = eta @ c.T
        e = xp.exp(theta - xp.max(theta, axis=1, keepdims=True))
        return xp, c, theta, e / xp.sum(e, axis=1, keepdims=True)

    def value(self, eta, y, weights):
        xp, _, theta, _ = self._probabilities(eta)
        top = xp.max(theta, axis=1, keepdims=True)
        norm = top[:, 0] + xp.log(xp.sum(xp.exp(theta - top), axis=1))
        own = xp.sum(theta * self._one_hot(xp, y, theta), axis=1)
        return float((weights * (own - norm)).sum())

    def _one_hot(self, xp, y, like):
        return xp.astype(y[:, None] == xp.arange(self.n_classes, dtype=y.dtype, device=y.device)[None, :], like.dtype)

    def gradient(self, eta, y, weights):
        xp, c, _, p = self._probabilities(eta)
        return weights[:, None] * ((self._one_hot(xp, y, p) - p) @ c)

    def hessian(self, eta, y, weights):
        _, c, _, p = self._probabilities(eta)
        pc = p @ c
        full = (p[:, None, :] * c.T[None, :, :]) @ c
        return weights[:, None, None] * (full - pc[:, :, None] * pc[:, None, :])

    def initial(self, y, weights, offset=0.0):
        share = np.bincount(y.astype(int), weights, self.n_classes)
        return np.log(share / share.sum()) @ self.contrasts

    def deviance(self, mean, y, weights):
        return float(-2 * (weights * np.log(mean[np.arange(len(y)), y.astype(int)])).sum())


def helmert(k):
    """Orthonormal basis (k, k - 1) of the vectors of length k that sum to zero.

    Parameters
    ----------
    k : int
    """
    c = np.zeros((k, k - 1))
    for j in range(1, k):
        c[:j, j - 1], c[j, j - 1] = 1.0, -j
        c[:, j - 1] /= np.sqrt(j * (j + 1))
    return c


class _LogLink(Likelihood):
    """Positive mean, ``eta`` its log."""

    link_name = "log"

    def link(self, mean):
        return np.log(mean)

    def inverse_link(self, eta):
        return np.exp(np.clip(eta, None, 700.0))

    def slope(self, mean):
        return mean


class Poisson(_LogLink):
    """Counts, log link."""

    name = "poisson"
    lowest = 0.0

    def variance(self, mean):
        return mean

    def _mean(self, eta):
        xp = array_namespace(eta)
        return xp.exp(xp.clip(eta[:, 0], -_FAR, _FAR))

    def value(self, eta, y, weights):
        return float((weights * (y * eta[:, 0] - self._mean(eta))).sum())

    def gradient(self, eta, y, weights):
        return (weights * (y - self._mean(eta)))[:, None]

    def hessian(self, eta, y, weights):
        return (weights * self._mean(eta))[:, None, None]

    def initial(self, y, weights, offset=0.0):
        expected = (weights * np.exp(offset)).sum()
        return np.array([np.log(max((weights * y).sum() / expected, 1e-8))])

    def deviance(self, mean, y, weights):
        ratio = np.where(y > 0, y * np.log(np.where(y > 0, y, 1.0) / mean), 0.0)
        return float(2 * (weights * (ratio - (y - mean))).sum())


class Gamma(_LogLink):
    """Positive response with constant coefficient of variation, log link."""

    name = "gamma"
    lowest, above_lowest = 0.0, True
    scale_known = False
    canonical = False

    def variance(self, mean):
        return mean**2

    def _ratio(self, eta, y):
        xp = array_namespace(eta)
        return y * xp.exp(-xp.clip(eta[:, 0], -_FAR, _FAR))

    def value(self, eta, y, weights):
        return float(-(weights * (self._ratio(eta, y) + eta[:, 0])).sum())

    def gradient(self, eta, y, weights):
        return (weights * (self._ratio(eta, y) - 1))[:, None]

    def hessian(self, eta, y, weights):
        # Fisher scoring: the observed curvature (y / mu) makes single large targets dominate the working model.
        return weights[:, None, None]

    def initial(self, y, weights, offset=0.0):
        return np.array([np.log(_weighted_mean(y, weights))])

    def deviance(self, mean, y, weights):
        return float(2 * (weights * (y / mean - 1 - np.log(y / mean))).sum())


class MultiGaussian(Likelihood):
    """Several normal responses (``y`` (n, k)) with identity links and one dispersion, given ``eta`` independent.

    Parameters
    ----------
    n_targets : int
        k.
    """

    name = "squared_errors"
    arguments = ("n_targets",)
    scale_known = False
    quadratic = True
    moves_with_target = True

    def __init__(self, n_targets):
        self.n_targets = self.n_outputs = n_targets

    def link(self, mean):
        return mean

    def inverse_link(self, eta):
        return eta

    def value(self, eta, y, weights):
        return float(-0.5 * (weights[:, None] * (y - eta) ** 2).sum())

    def gradient(self, eta, y, weights):
        return weights[:, None] * (y - eta)

    def hessian(self, eta, y, weights):
        xp = array_namespace(eta)
        return weights[:, None, None] * xp.eye(self.n_outputs, dtype=eta.dtype, device=eta.device)

    def initial(self, y, weights, offset=0.0):
        return np.average(y, axis=0, weights=weights)

    def deviance(self, mean, y, weights):
        return float((weights[:, None] * (y - mean) ** 2).sum())


class Quantile(Likelihood):
    """Quantiles of the response at several levels, identity link: the pinball loss, rounded at its corner.

    With ``u = y - eta`` the loss of level t is ``t u + d softplus(-u / d)``, which is the pinball loss but for u within
    a few d of 0 (Zheng 2011, "Gradient descent algorithms for quantile regression with smooth approximation"). Targets
    are expected in units of their standard deviation.

    Parameters
    ----------
    levels : sequence of float
        Increasing, between 0 and 1.
    """

    name = "quantile"
    link_name = "sorted"
    arguments = ("levels",)
    moves_with_target = True
    #: Width of the rounded corner.
    corner = 0.02

    def __init__(self, levels):
        self.levels = tuple(levels)
        self.n_outputs = len(self.levels)

    def link(self, mean):
        return mean

    def inverse_link(self, eta):
        """In increasing order: quantiles may not cross."""
        return np.sort(eta, axis=-1)

    def _levels(self, xp, eta):
        return xp.asarray(self.levels, dtype=eta.dtype, device=eta.device)

    def value(self, eta, y, weights):
        xp = array_namespace(eta)
        u = y[:, None] - eta
        soft = xp.logaddexp(-u / self.corner, xp.zeros_like(u)) * self.corner
        return float(-(weights[:, None] * (self._levels(xp, eta) * u + soft)).sum())

    def gradient(self, eta, y, weights):
        xp = array_namespace(eta)
        return weights[:, None] * (self._levels(xp, eta) - _sigmoid((eta - y[:, None]) / self.corner))

    def hessian(self, eta, y, weights):
        xp = array_namespace(eta)
        p = _sigmoid((eta - y[:, None]) / self.corner)
        diagonal = weights[:, None] * p * (1 - p) / self.corner
        return diagonal[:, :, None] * xp.eye(self.n_outputs, dtype=eta.dtype, device=eta.device)

    def initial(self, y, weights, offset=0.0):
        values, index = np.unique(y, return_inverse=True)
        counts = np.bincount(index, weights)
        cumulative = np.cumsum(counts)
        return np.interp(self.levels, (cumulative - counts / 2) / cumulative[-1], values)

    def deviance(self, mean, y, weights):
        u = y[:, None] - mean
        levels = np.asarray(self.levels)
        return float(2 * (weights[:, None] * np.maximum(levels * u, (levels - 1) * u)).sum())


REGISTRY = {cls.name: cls for cls in (Gaussian, Bernoulli, Multinomial, Poisson, Gamma, MultiGaussian, Quantile)}


def likelihood_from_spec(spec):
    """Rebuild a likelihood from its plain data.

    Parameters
    ----------
    spec : dict
        ``{"name": ..., **arguments}``.
    """
    arguments = {k: v for k, v in spec.items() if k != "name"}
    return REGISTRY[spec["name"]](**arguments)


__all__ = [
    "REGISTRY",
    "Bernoulli",
    "Gamma",
    "Gaussian",
    "Likelihood",
    "MultiGaussian",
    "Multinomial",
    "Poisson",
    "Quantile",
    "helmert",
    "likelihood_from_spec",
]
