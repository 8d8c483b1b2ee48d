"""What a model itself says about how far off it may be: epistemic and aleatoric parts."""

from __future__ import annotations

import inspect

import numpy as np
from scipy.special import softmax, xlogy
from sklearn.base import is_classifier

from kan_tabular.explain.spaces import encode
from kan_tabular.source import read_source


def uncertainty_parts(estimator, X):
    """How much of a prediction's uncertainty more data could remove (epistemic), and what would stay (aleatoric).

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted network of this package (`LogisticKAN`, `KANRegressor`, S-KAN, dual channel), or a regressor whose
        `predict` takes ``return_std``.
    X : table of shape (m, n_features)

    Returns
    -------
    parts : pandas.DataFrame
        ``epistemic``, ``aleatoric``, ``total`` (NaN where the model does not say), one row a row of `X`.

        * Classifiers, in nats: the mean entropy of the members' probabilities is aleatoric, the rest of the entropy of
          their mean (the mutual information of class and member; Depeweg et al. 2018) epistemic.
        * Regressors, as standard deviations of the response: the spread of the members, or the standard error of the
          mean, is epistemic. Networks say nothing of the noise (``aleatoric`` is NaN); `KAAMRegressor` does:
          ``total^2 = epistemic^2 + aleatoric^2``.

    Notes
    -----
    The names say what each part is meant to be. The members of an ensemble differ in their start, the order of the rows
    and the rows that they leave out; where they agree they may be wrong together. Neither part has a guarantee: only
    calibration on unseen rows gives one, which ``ConformalRegressor(conformity_score="normalized")`` does. A member
    here is all networks that left out the same rows (one of each setting), in the place of the whole ensemble: what
    the settings disagree about is not in the spread. Where the additive fit got all the weight there is no spread.

    References
    ----------
    Lakshminarayanan, Pritzel & Blundell (2017), NeurIPS 30 (ensembles); Depeweg et al. (2018), ICML, section 3.
    """
    import pandas as pd

    source = _source(estimator)
    if source is None:
        epistemic, total = _standard_errors(estimator, X)
        aleatoric = np.sqrt(np.maximum(total**2 - epistemic**2, 0.0))
        return pd.DataFrame({"epistemic": epistemic, "aleatoric": aleatoric, "total": total})
    etas = _views(source.estimator, source.transform(X))
    if is_classifier(estimator):
        if etas.shape[2] == 1:
            etas = np.concatenate([np.zeros_like(etas), etas], axis=2)
        p = softmax(etas, axis=2)
        total, aleatoric = _entropy(p.mean(0)), _entropy(p).mean(0)
        return pd.DataFrame({"epistemic": np.maximum(total - aleatoric, 0.0), "aleatoric": aleatoric, "total": total})
    means = source.estimator.network_.likelihood.inverse_link(etas.reshape(-1, etas.shape[2])).reshape(etas.shape)
    if means.shape[2] != 1:
        raise ValueError("uncertainty_parts needs one output; this regressor has several targets or quantiles.")
    spread = means[:, :, 0].std(0)
    nothing = np.full(len(spread), np.nan)
    return pd.DataFrame({"epistemic": spread, "aleatoric": nothing, "total": nothing})


def has_spread(estimator):
    """Whether `uncertainty_parts` can say something of a fitted regressor."""
    return _source(estimator) is not None or _takes_std(estimator)


def _source(estimator):
    """The ensemble of networks in an estimator or a pipeline, as a `Source`; None where there is none."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    if not hasattr(last, "candidates_"):
        return None
    return read_source(estimator, needs="extrapolation", display="uncertainty_parts")


def _views(model, X):
    """Linear predictor (F, m, C) as the networks of each fold say it in the place of all; the mean is the model's."""
    network = model.network_
    Z = encode(model, X)
    if not network.n_members:  # the additive fit speaks alone
        return network.forward(Z)[None]
    n_settings = sum(c["candidate"] == "network" and c["weight"] > 0 for c in model.candidates_)
    if n_settings == 0 or network.n_members % n_settings or network.n_members == n_settings:
        raise ValueError("uncertainty_parts compares networks of one kind, and this ensemble has one of each.")
    said = network.weights[:, None, None] * network.member_outputs(network.sums(Z))
    by_fold = said.reshape(-1, n_settings, *said.shape[1:]).sum(1)  # members come fold by fold, all settings of each
    apart = len(by_fold) * (by_fold - by_fold.mean(0))
    return network.forward(Z) + network.to_user(apart, shift=False)


def _entropy(p):
    return -xlogy(p, p).sum(-1)


def _takes_std(estimator):
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    return "return_std" in inspect.signature(last.predict).parameters


def _standard_errors(estimator, X):
    """Standard error of the mean and standard deviation of a new response; the latter NaN where it is not given."""
    if is_classifier(estimator) or not _takes_std(estimator):
        name = type(estimator).__name__
        raise TypeError(
            f"uncertainty_parts needs an ensemble of networks, or a regressor whose predict takes return_std; {name} "
            "is neither."
        )
    epistemic = np.asarray(estimator.predict(X, return_std=True)[1], dtype=float)
    try:
        total = np.asarray(estimator.predict(X, return_std="predictive")[1], dtype=float)
    except (TypeError, ValueError):
        total = np.full_like(epistemic, np.nan)
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    if "kan_tabular" not in type(last).__module__:  # others take any true value for True
        total = np.full_like(epistemic, np.nan)
    return epistemic, total
