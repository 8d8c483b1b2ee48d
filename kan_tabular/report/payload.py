"""A fitted model as plain data that ``assets/model.js`` computes in a page."""

from __future__ import annotations

import json
import math
import numbers

import numpy as np
from scipy.special import ndtri
from sklearn.base import is_classifier

from kan_tabular.exceptions import LiveModelError
from kan_tabular.report.columns import read_columns
from kan_tabular.report.model_data import curves_data, formula_data
from kan_tabular.report.network_data import network_data
from kan_tabular.source import read_source

#: Links with which one output has an interval: its ends on the link scale are taken through the inverse link.
WITH_INTERVAL = ("identity", "log", "logit")
#: Most characters of a model's data.
_LARGEST = 4_000_000


def model_payload(estimator, *, interval=0.95, conformal=None, units=None):
    """The model as data (JSON) for ``KanModel`` of ``assets/model.js``, which computes the same predictions.

    It holds what the model file holds (curves, ranges and histograms of the columns) and no training rows.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted additive model, network or formula of this package, or a pipeline that ends in one and whose other
        steps work column by column (docs/report-engine.md says which).
    interval : float or None, default=0.95
        Level of the interval of the response, for additive models with one output: ``inverse_link(eta -+ z se)`` with
        the standard error of the linear predictor (smoothing uncertainty included). It is an approximate credible
        interval of the mean or of the probability, not of a new case's response. None leaves it out, and with it most
        of the data; so do models that would be too large for a page otherwise.
    conformal : dict, optional
        ``{"confidence_level": .9, "kind": "lac", "quantile": q}`` (a number, or one for each class): the labels with
        ``p_k >= 1 - q_k``, or the most probable one if there is none. ``"kind": "absolute"``: prediction -+ q. An
        infinite q puts no limit.
    units : dict of {str: str}, optional
        Units of columns of the original table.

    Returns
    -------
    payload : dict
        ``features`` (what a panel asks for, in units of the original table), ``classes``, ``outputs`` (names of the
        linear predictors), ``responses`` (names of the entries of the response), ``interval``, and what the page
        computes with. See docs/report-engine.md.

    Raises
    ------
    LiveModelError
        A model that the page cannot compute. The message is a sentence for the page's reader.
    ValueError
        Arguments that mean nothing for this model.
    """
    source = read_source(estimator, needs="explain", display="model_payload")
    model, network = source.estimator, source.estimator.network_
    link = network.likelihood.link_name
    has_interval = _check_interval(interval) and link in WITH_INTERVAL and network.n_outputs == 1
    data = _fitting_data(network, has_interval)
    classes = [str(c) for c in model.classes_.tolist()] if is_classifier(model) else None
    outputs, responses = _names(model, network, classes)
    features, inputs = read_columns(source, _check_units(units, source.columns))
    with_interval = has_interval and "covariance" in data
    return {
        "format": "kan-tabular-model",
        "version": 1,
        "classes": classes,
        "outputs": outputs,
        "responses": responses,
        "link": link,
        "interval": {"level": interval, "z": float(ndtri((1 + interval) / 2))} if with_interval else None,
        "conformal": _check_conformal(conformal, classes),
        "features": features,
        "inputs": inputs,
        "model": data,
    }


def _fitting_data(network, with_covariance):
    """The model's data; without what intervals take, if only that makes it small enough for a page."""
    for covariance in (True, False) if with_covariance else (False,):
        data = _model_data(network, covariance)
        size = len(json.dumps(data))
        if size <= _LARGEST:
            return data
    raise LiveModelError(f"a model of {size / 1e6:.1f} MB is too large for the page (at most {_LARGEST / 1e6:g} MB)")


def _model_data(network, with_covariance):
    if hasattr(network, "covariance"):
        return curves_data(network, with_covariance)
    if hasattr(network, "formula"):
        return formula_data(network)
    return network_data(network)


def _names(model, network, classes):
    """Names of the linear predictors, and of the entries of the response."""
    if classes is not None:
        return (classes[1:] if len(classes) == 2 else classes), classes
    levels = getattr(network.likelihood, "levels", None)
    if levels is not None:
        names = [f"quantile {level:g}" for level in levels]
    else:
        n = network.n_outputs
        names = ["prediction"] if n == 1 else [f"prediction {k + 1}" for k in range(n)]
    return names, names


def _check_interval(interval):
    """Whether an interval is wanted."""
    if interval is None:
        return False
    proper = isinstance(interval, numbers.Real) and not isinstance(interval, bool) and 0 < interval < 1
    if not proper:
        raise ValueError(f"interval={interval!r}: expected a number between 0 and 1, or None for no interval.")
    return True


def _check_units(units, columns):
    units = dict(units or {})
    unknown = [name for name in units if name not in columns]
    if unknown:
        raise ValueError(f"units names {unknown[0]!r}, which is not a column of the table.")
    return units


def _check_conformal(conformal, classes):
    """`conformal` with plain numbers, None for an infinite quantile."""
    if conformal is None:
        return None
    missing = {"confidence_level", "kind", "quantile"} - set(conformal)
    if missing:
        raise ValueError(f"conformal has no {min(missing)!r}: give confidence_level, kind and quantile.")
    kind = "absolute" if classes is None else "lac"
    if conformal["kind"] != kind:
        what = "a regressor" if classes is None else "a classifier"
        raise ValueError(f"conformal has kind {conformal['kind']!r}: {what} needs {kind!r}.")
    quantile = np.asarray(conformal["quantile"], dtype=float)
    if quantile.shape not in [(), () if classes is None else (len(classes),)] or np.isnan(quantile).any():
        wanted = "a number" if classes is None else f"a number, or {len(classes)} of them, one a class"
        raise ValueError(f"conformal has quantile {conformal['quantile']!r}: give {wanted}.")
    finite = [q if math.isfinite(q) else None for q in quantile.ravel().tolist()]
    level = float(conformal["confidence_level"])
    return {"confidence_level": level, "kind": kind, "quantile": finite if quantile.ndim else finite[0]}
