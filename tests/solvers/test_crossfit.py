"""Fits without some rows against plain penalised regressions of the other rows."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from kan_tabular.bases import BSpline
from kan_tabular.encoding import TableEncoder, read_table
from kan_tabular.likelihoods import Bernoulli, Gaussian, Multinomial, Poisson
from kan_tabular.solvers.crossfit import cross_fit
from kan_tabular.solvers.problem import build_problem

N = 240


def problem_of(likelihood):
    """Design of two curves and a category, weights, response, and a penalty; coefficients of the whole table."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"a": rng.normal(size=N), "b": np.where(rng.random(N) < 0.1, np.nan, rng.exponential(size=N))}
    ).assign(level=rng.choice(list("xyz"), N))
    w = rng.integers(1, 4, N).astype(float)
    encoder = TableEncoder()
    Z = encoder.fit_transform(read_table(table), w)
    problem = build_problem(
        Z,
        encoder.features_,
        w,
        family=BSpline(5),
        smoothing="auto",
        select=True,
        n_outputs=likelihood.n_outputs,
        device="cpu",
    )
    eta = np.sin(2 * table["a"].to_numpy()) + 0.5 * (table["level"] == "x").to_numpy()
    y = {
        "squared_error": lambda: eta + 0.5 * rng.normal(size=N),
        "log_loss": lambda: (rng.random(N) < 1 / (1 + np.exp(-eta))) * 1.0,
        "poisson": lambda: rng.poisson(np.exp(eta)) * 1.0,
        "multinomial": lambda: np.digitize(eta + 0.5 * rng.logistic(size=N), [0.0, 0.8]) * 1.0,
    }[likelihood.name]()
    precision = problem.groups.precision(problem.rho)
    held_out = [np.arange(0, 30), np.flatnonzero(np.arange(N) % 3 == 0), np.array([7])]
    return problem.design, y, w, precision, held_out


def mode(X, likelihood, y, w, offset, precision):
    """Penalised maximum likelihood by scipy, from zero."""
    q, C = X.shape[1], likelihood.n_outputs

    def objective(flat):
        b = flat.reshape(C, q).T
        eta = X @ b + offset
        slope = X.T @ likelihood.gradient(eta, y, w)
        return (
            -likelihood.value(eta, y, w) + 0.5 * precision @ flat**2,
            -slope.T.ravel() + precision * flat,
        )

    found = minimize(objective, np.zeros(q * C), jac=True, method="BFGS", options={"gtol": 1e-6, "maxiter": 5000})
    return found.x.reshape(C, q).T


@pytest.mark.parametrize("with_offset", [False, True])
def test_gaussian_is_ridge_regression_on_the_other_rows(with_offset):
    design, y, w, precision, held_out = problem_of(Gaussian())
    X = np.column_stack([np.ones(N), design.matrix(np.float64)])
    offset = np.random.default_rng(1).normal(size=(N, 1)) if with_offset else 0.0
    start = np.random.default_rng(2).normal(size=(X.shape[1], 1))  # wherever it starts, one step is exact
    fits = cross_fit(design, Gaussian(), y, w, offset, precision, start, held_out)
    assert fits.shape == (3, X.shape[1], 1)
    for b, rows in zip(fits, held_out, strict=True):
        keep = np.delete(np.arange(N), rows)
        response = y[keep] - (offset[keep, 0] if with_offset else 0.0)
        XtW = X[keep].T * w[keep]
        expected = np.linalg.solve(XtW @ X[keep] + np.diag(precision), XtW @ response)
        np.testing.assert_allclose(b[:, 0], expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("likelihood", [Bernoulli(), Poisson(), Multinomial(3)], ids=lambda v: v.name)
def test_others_are_close_to_the_penalised_mode_of_the_other_rows(likelihood):
    design, y, w, precision, held_out = problem_of(likelihood)
    X = np.column_stack([np.ones(N), design.matrix(np.float64)])
    offset = 0.3 * np.random.default_rng(1).normal(size=(N, 1)) if likelihood.name == "poisson" else 0.0
    whole = mode(X, likelihood, y, w, offset, precision)
    fits = cross_fit(design, likelihood, y, w, offset, precision, whole, held_out)
    for b, rows in zip(fits, held_out, strict=True):
        keep = np.delete(np.arange(N), rows)
        o = offset[keep] if likelihood.name == "poisson" else 0.0
        expected = mode(X[keep], likelihood, y[keep], w[keep], o, precision)
        # Near enough: a small part of what leaving the rows out changed.
        moved = np.abs(X @ (whole - expected)).max()
        assert np.abs(X @ (b - expected)).max() < 0.05 * moved
    assert moved > 1e-4


def test_held_out_rows_have_no_say():
    design, y, w, precision, held_out = problem_of(Bernoulli())
    start = np.zeros((design.n_columns, 1))
    other = y.copy()
    other[held_out[0]] = 1 - other[held_out[0]]
    own = cross_fit(design, Bernoulli(), y, w, 0.0, precision, start, held_out)
    changed = cross_fit(design, Bernoulli(), other, w, 0.0, precision, start, held_out)
    np.testing.assert_array_equal(own[0], changed[0])
    assert not np.allclose(own[1], changed[1])


def test_a_bad_start_is_no_obstacle():
    """Far from the mode a Newton step overshoots; halving brings it back."""
    design, y, w, precision, held_out = problem_of(Poisson())
    start = np.zeros((design.n_columns, 1))
    start[0] = -6.0
    with np.errstate(all="raise"):
        fits = cross_fit(design, Poisson(), y, w, 0.0, precision, start, held_out)
    for b, rows in zip(fits, held_out, strict=True):
        keep = np.delete(np.arange(N), rows)
        before = Poisson().value(design.linear(start)[keep], y[keep], w[keep])
        assert Poisson().value(design.linear(b)[keep], y[keep], w[keep]) > before
