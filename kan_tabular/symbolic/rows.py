"""The rows on which a network is turned into a formula: those given, or what the network kept of its training rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kan_tabular.symbolic.refit import Imitation, Response, variance

#: Rows on which formulas are sought; more are thinned out.
_MOST_ROWS = 30_000
#: Rows that stand for the training rows where only their statistics are known.
_STAND_INS = 1024
#: Curvature of a row that counts as none, as a share of the largest.
_FLAT = 1e-8


@dataclass
class Rows:
    """Encoded rows and what the network says about them.

    Attributes
    ----------
    Z : ndarray (n, p)
    weights : ndarray (n,)
    eta : ndarray (n, K)
        The network's linear predictor.
    effects : ndarray (n, p, K)
        What each column adds to it.
    base : ndarray (K,)
    response : Response
        What formulas are fitted to.
    points : ndarray (n, K)
        Where the effects would have to go for the response: residuals of its working model.
    precision : ndarray (n, K)
        Weight of each row in that model.
    dispersion : float
        Variance of a point of precision 1.
    centred : bool
        Whether only differences between the outputs count (classes).
    """

    Z: np.ndarray
    weights: np.ndarray
    eta: np.ndarray
    effects: np.ndarray
    base: np.ndarray
    response: Response
    points: np.ndarray
    precision: np.ndarray
    dispersion: float
    centred: bool


def read_rows(network, Z=None, y=None, weights=None):
    """Rows for `distil`; `y` as the likelihood wants it.

    Without `y` the formula imitates the network, as closely as the training rows could tell.
    """
    if Z is None:
        Z = _stand_ins(network)
        weights = np.full(len(Z), _n_training_rows(network) / len(Z))
    weights = np.ones(len(Z)) if weights is None else weights
    keep = np.flatnonzero(weights > 0)
    if len(keep) > _MOST_ROWS:
        keep = np.sort(np.random.default_rng(0).permutation(keep)[:_MOST_ROWS])
    if y is None:  # rows left out say as little about noise as those that are there
        weights = weights * (weights.sum() / weights[keep].sum())
    Z, weights, y = Z[keep], weights[keep], None if y is None else y[keep]
    eta = network.forward(Z)
    precision = _precision(network, eta)
    dispersion = _dispersion(network, eta, precision, weights)
    if y is None or network.likelihood.name == "quantile":  # the pinball loss has no working model
        # Fidelity counts every row alike, also where a probability is so near 0 or 1 that the likelihood does not mind.
        precision = (precision + np.average(precision, axis=0, weights=weights)) / 2
        response, dispersion = Imitation(eta, precision, weights, dispersion), 1.0
    else:
        response = Response(network.likelihood, network.output_map, y, weights)
        dispersion = dispersion if response.scale_known else None
    points, precision = working_points(response, eta)
    effects, centred = network.effects(Z), network.likelihood.link_name == "softmax"
    return Rows(Z, weights, eta, effects, network.base, response, points, precision, dispersion, centred)


def working_points(response, eta):
    """Residuals of the working model of the response at `eta` (n, K), and the precision of each: (n, K) both."""
    gradient, hessian = response.derivatives(eta)
    precision = np.einsum("nkk->nk", hessian)
    trusted = precision > _FLAT * precision.max()
    return np.where(trusted, gradient / np.where(trusted, precision, 1.0), 0.0), precision


def _precision(network, eta):
    """Curvature of the log-likelihood of a row at the linear predictor `eta`: (n, K)."""
    back = np.linalg.pinv(network.output_map)
    if network.likelihood.name == "quantile":
        return np.ones_like(eta)
    # For the likelihoods here it does not depend on the target.
    hessian = network.likelihood.hessian(eta @ back, np.ones(len(eta)), np.ones(len(eta)))
    return np.einsum("ck,ncd,dk->nk", back.T, hessian, back.T)


def _dispersion(network, eta, precision, weights):
    """The network's own, or, where it has none and no likelihood gives it, 1/1000 of the variance of its output."""
    if network.likelihood.scale_known and network.likelihood.name != "quantile":
        return 1.0
    own = getattr(network, "dispersion", None)
    floor = 1e-3 * float(variance(eta, weights).mean())
    return max(own if own is not None else floor, 1e-300)


def _n_training_rows(network):
    """From the variance of the intercept, where the fit has one."""
    V = getattr(network, "covariance", None)
    if V is None:
        return float(_STAND_INS)
    precision = _precision(network, network.base[None])[0].mean()
    return float(np.clip(network.dispersion / max(V[0, 0] * precision, 1e-300), 20, 1e9))


def _stand_ins(network):
    """Rows whose columns have the training density, each independent of the others."""
    rng = np.random.default_rng(0)
    Z = np.zeros((_STAND_INS, len(network.features)))
    for j, feature in enumerate(network.features):
        share, edges = network.density[j], network.density_edges[j]
        ranks = (np.arange(_STAND_INS) + 0.5) / _STAND_INS
        known = ranks < 1 - feature.missing if share.sum() > 0 else np.zeros(_STAND_INS, dtype=bool)
        column = np.full(_STAND_INS, np.nan)
        cumulative = np.cumsum(share) / max(share.sum(), 1e-300)
        inner = ranks[known] / max(1 - feature.missing, 1e-300)
        if feature.kind == "category":
            column[known] = np.minimum(np.searchsorted(cumulative, inner), len(share) - 1)
        elif known.any():
            occupied = np.append(True, share > 0)
            column[known] = np.interp(inner, np.append(0, cumulative)[occupied], edges[occupied])
            column[np.flatnonzero(known)[[0, -1]]] = feature.low, feature.high
        Z[:, j] = rng.permutation(column)
    return Z
