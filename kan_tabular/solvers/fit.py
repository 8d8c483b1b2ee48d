"""From an encoded table and a target to a fitted network of curves."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from kan_tabular.bases import Pool
from kan_tabular.fitted.network import FittedNetwork
from kan_tabular.fitted.smoothing import TermSmoothing
from kan_tabular.solvers.additive import fit_additive
from kan_tabular.solvers.choice import choose_spaces
from kan_tabular.solvers.concurvity import concurvity_of
from kan_tabular.solvers.problem import build_problem, columns_of
from kan_tabular.solvers.smoothing import HyperPrior

#: Scale beyond which a contribution's standard deviation is implausible, in log-odds, log units or units of the noise.
GUARD = 50.0
_BINS = 40
#: Design columns below which one BLAS thread is faster.
_THREADED_COLUMNS = 600


def fit_network(
    encoded,
    features,
    y,
    weights,
    likelihood,
    *,
    family,
    smoothing,
    select,
    offset=0.0,
    max_iter=100,
    tol=1e-4,
    device="cpu",
    report=None,
):
    """Fit the additive model.

    Parameters
    ----------
    encoded : ndarray (n, p)
        From `TableEncoder`.
    features : list of Feature
    y : ndarray (n,)
        Target as the likelihood wants it.
    weights : ndarray (n,)
        Frequencies, all positive.
    likelihood : Likelihood
    family : Basis
        Of numeric columns. With a `Pool` each column gets the space that marginal likelihood asks for.
    offset : float or ndarray (n,)
        Added to the linear predictor (log exposure).

    Returns
    -------
    network : FittedNetwork
    edf : ndarray (p,)
        Effective degrees of freedom of each feature.
    n_iter : int
    """
    p = encoded.shape[1]

    def solve(family):
        problem = build_problem(
            encoded,
            features,
            weights,
            family=family,
            smoothing=smoothing,
            select=select,
            n_outputs=likelihood.n_outputs,
            device=device,
        )
        design, groups = problem.design, problem.groups
        prior = HyperPrior(groups, smoothing != "reml", GUARD)
        fit = fit_additive(
            design,
            likelihood,
            design.asarray(y),
            design.asarray(weights),
            design.asarray(offset)[:, None] if isinstance(offset, np.ndarray) else offset,
            groups,
            prior,
            problem.rho,
            max_iter=max_iter,
            tol=tol,
            report=report,
        )
        return problem, prior, fit

    with small_blas(p * (columns_of(family) + 1)):
        if isinstance(family, Pool):
            problem, _, fit = solve(family)
            family = choose_spaces(family, problem, fit)
        problem, prior, fit = solve(family)
        groups, terms = problem.groups, problem.terms
        concurvity, related = concurvity_of(terms, fit.b, fit.model.A, float(weights.sum()))

    network = _hand_over(problem, fit, prior, encoded, features, weights, likelihood, concurvity, related)
    edf = np.bincount(groups.feature, fit.posterior.edf, p)
    return network, edf, fit.n_iter


def _hand_over(problem, fit, prior, encoded, features, weights, likelihood, concurvity, related):
    """The fitted network: curves, what was chosen for them, and aggregated statistics of the training rows."""
    groups, terms, p = problem.groups, problem.terms, len(features)
    inputs, smoothings, stop = [], [], 1
    center, spread = prior.center(fit.rho), prior.spread()
    for j, term in enumerate(terms):
        start, stop = stop, stop + term.curves.n_columns
        inputs.append(replace(term.curves, coefficients=fit.b[start:stop]))
        mine = np.flatnonzero(groups.feature == j)
        smoothings.append(
            TermSmoothing(
                kinds=groups.kind[mine].tolist(),
                sizes=groups.size[mine].tolist(),
                scale=term.scale.tolist(),
                rho=fit.rho[mine].tolist(),
                free=groups.free[mine].tolist(),
                center=center[mine].tolist(),
                spread=spread[mine].tolist(),
            )
        )
    density, edges = densities(encoded, features, weights)
    network = FittedNetwork(
        features=features,
        inputs=inputs,
        intercept=fit.b[0],
        likelihood=likelihood,
        covariance=fit.posterior.V * fit.posterior.phi,
        dispersion=fit.posterior.phi,
        smoothing=smoothings,
        density=density,
        density_edges=edges,
        mean_abs=np.zeros(p),
        variance=np.zeros(p),
        concurvity=concurvity,
        related=related,
    )
    network.mean_abs, network.variance = _training_sizes(network, problem, weights.sum())
    return network


def small_blas(n_columns):
    """A context with one BLAS thread where there are few design columns.

    Threads cost small matrices more than they give, and far more on a busy machine.
    """
    return _blas().limit(limits=1 if n_columns < _THREADED_COLUMNS else None, user_api="blas")


@cache
def _blas():
    """The BLAS libraries of this process; looking them up takes milliseconds, so once."""
    return ThreadpoolController()


def _training_sizes(network, problem, total):
    """`FittedNetwork.contribution_sizes` of the training rows, from the distinct values of each column."""
    p = len(network.inputs)
    mean_abs, variance = np.zeros(p), np.zeros(p)
    for j, (table, counts) in problem.distinct.items():
        c = table @ network.inputs[j].coefficients @ network.output_map
        share = counts / total
        mean_abs[j] = (share @ np.abs(c)).mean()
        variance[j] = (share @ c**2 - (share @ c) ** 2).clip(0.0).mean()
    return mean_abs, variance


def densities(encoded, features, weights):
    """Histogram (or level shares) of each feature over the training rows."""
    density, edges = [], []
    total = weights.sum()
    for j, feature in enumerate(features):
        x = encoded[:, j]
        known = ~np.isnan(x)
        if feature.kind == "category":
            weight = np.bincount(x[known].astype(int), weights[known], len(feature.levels))
            edge = np.empty(0)
        elif not known.any():
            weight, edge = np.empty(0), np.empty(0)
        else:
            low, high = feature.low, feature.high
            edge = np.linspace(low, high, _BINS + 1)
            width = (high - low) or 1.0
            cell = np.minimum(((x[known] - low) / width * _BINS).astype(int), _BINS - 1)
            weight = np.bincount(cell, weights[known], _BINS)
        density.append(weight / total)
        edges.append(edge)
    return density, edges
