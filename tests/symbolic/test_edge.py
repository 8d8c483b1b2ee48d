"""Fits of single curves: what is found, with which constants and errors; SciPy as the judge of the optimum."""

import numpy as np
import pytest
import sympy
from scipy.optimize import least_squares

from kan_tabular.symbolic.candidates import LIBRARY, Candidate
from kan_tabular.symbolic.edge import fit_edge

X = sympy.Symbol("x", real=True)
KNOWN = {
    "linear": (lambda x: 3 - 2 * x, 0.0, 4.0),
    "square": (lambda x: (x - 1) ** 2, -1.0, 4.0),
    "cube": (lambda x: (x - 1) ** 3, -1.0, 3.0),
    "sqrt": (np.sqrt, 0.0, 5.0),
    "log": (np.log, 0.2, 6.0),
    "1/x": (lambda x: 1 / x, 0.4, 4.0),
    "1/x^2": (lambda x: 1 / x**2, 0.5, 4.0),
    "exp": (lambda x: np.exp(-0.7 * x), 0.0, 5.0),
    "sin": (lambda x: np.sin(2 * x + 1), -3.0, 3.0),
    "tanh": (lambda x: np.tanh((x - 50) / 9), 20.0, 80.0),
    "gaussian": (lambda x: np.exp(-((x - 2) ** 2)), 0.0, 4.0),
    "abs": (lambda x: np.abs(x - 2), 0.0, 5.0),
    "hinge": (lambda x: np.maximum(x - 65, 0) / 10, 30.0, 90.0),
    "step": (lambda x: (x > 65) * 1.0, 30.0, 90.0),
    "arcsin": (np.arcsin, -1.0, 1.0),
    "tan": (np.tan, -1.3, 1.3),
}


def sample(name, noise=0.02, n=200, seed=0):
    f, low, high = KNOWN[name]
    rng = np.random.default_rng(seed)
    x = rng.uniform(low, high, n)
    y = f(x)
    return x, y + noise * y.std() * rng.normal(size=n)


@pytest.mark.parametrize("name", KNOWN)
def test_known_functions_are_found(name):
    x, y = sample(name)
    (fit,) = fit_edge(x, y)
    assert fit.name == name
    f, low, high = KNOWN[name]
    grid = np.linspace(low, high, 300)
    assert np.corrcoef(fit.evaluate(grid), f(grid))[0, 1] > 0.995


@pytest.mark.parametrize("name", ["log", "exp", "sin", "tanh", "gaussian", "1/x"])
def test_no_optimiser_does_better_and_the_errors_are_those_of_least_squares(name):
    x, y = sample(name)
    fit = fit_edge(x, y)[0]
    atom = fit.atoms[0]

    def residuals(p):
        changed = atom.with_parameters(p[:-1])
        return y - changed.evaluate(x) - p[-1]

    best = least_squares(residuals, fit.parameters, x_scale=np.maximum(np.abs(fit.parameters), 1e-3), xtol=1e-14)
    assert residuals(fit.parameters) @ residuals(fit.parameters) <= 2 * best.cost * (1 + 1e-6)
    noise = 2 * best.cost / (len(x) - len(best.x))
    errors = np.sqrt(np.diag(noise * np.linalg.inv(best.jac.T @ best.jac)))
    np.testing.assert_allclose(fit.standard_errors, errors, rtol=0.02)


def test_constants_lie_within_three_standard_errors():
    inside = []
    for seed in range(40):
        x, y = sample("sin", 0.05, seed=seed)
        fit = fit_edge(x, y, candidates=[c for c in LIBRARY if c.name == "sin"])[0]
        inside += list(np.abs(fit.parameters - [2, 1, 1, 0]) < 3 * fit.standard_errors)
    assert np.mean(inside) > 0.98


def test_expression_evaluates_to_the_fit_also_outside_the_domain():
    for name in ("log", "1/x", "sqrt", "step", "arcsin"):
        fit = fit_edge(*sample(name))[0]
        f = sympy.lambdify(X, fit.expression(X), "numpy")
        grid = np.linspace(-20, 100, 77)
        np.testing.assert_allclose(np.array([f(v) for v in grid], float), fit.evaluate(grid), rtol=1e-9, atol=1e-12)
        assert np.isfinite(fit.evaluate(grid)).all()


def test_cosines_are_sines_and_sigmoids_tanh():
    x = np.linspace(-5, 5, 200)
    assert fit_edge(x, np.cos(x))[0].name == "sin"
    assert fit_edge(x, 1 / (1 + np.exp(-x)))[0].name == "tanh"


def test_the_unit_of_x_changes_nothing_but_constants():
    x, y = sample("log")
    one, other = fit_edge(x, y)[0], fit_edge(1000 * x, y)[0]
    assert one.name == other.name
    np.testing.assert_allclose(other.parameters[0], 1000 * one.parameters[0], rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(one.evaluate(x), other.evaluate(1000 * x), rtol=1e-6, atol=1e-6)


def test_sums_of_two_are_found_only_where_one_does_not_do():
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 5, 300)
    noise = 0.02 * rng.normal(size=300)
    assert set(fit_edge(x, x + np.sin(3 * x) + noise)[0].name.split(" + ")) == {"linear", "sin"}
    assert len(fit_edge(x, np.sin(3 * x) + noise)[0].atoms) == 1
    assert fit_edge(x, x + np.sin(3 * x) + noise, max_constants=3)[0].n_constants <= 3


def test_noise_is_a_constant():
    rng = np.random.default_rng(3)
    fit = fit_edge(rng.uniform(size=200), rng.normal(size=200))[0]
    assert fit.name == "constant" and fit.expression(X).is_number


def test_a_known_noise_keeps_wiggles_out():
    x = np.linspace(0, 1, 200)
    y = x + 0.05 * np.sin(20 * x)
    assert fit_edge(x, y, scale=1.0)[0].name in ("constant", "linear")
    assert "sin" in fit_edge(x, y, scale=1e-6)[0].name


def test_weights_are_repeated_points():
    x, y = sample("tanh", 0.1, n=60)
    w = np.random.default_rng(1).integers(0, 4, 60).astype(float)
    one = fit_edge(x, y, w, n_rows=w.sum())[0]
    other = fit_edge(np.repeat(x, w.astype(int)), np.repeat(y, w.astype(int)))[0]
    assert one.name == other.name
    np.testing.assert_allclose(one.parameters, other.parameters, rtol=1e-4, atol=1e-4)


def test_many_points_are_averaged_without_bias():
    rng = np.random.default_rng(0)
    x = rng.uniform(20, 80, 20_000)
    fit = fit_edge(x, np.tanh((x - 50) / 9) + 0.3 * rng.normal(size=len(x)))[0]
    assert fit.name == "tanh"
    np.testing.assert_allclose(fit.parameters[0], 1 / 9, rtol=0.03)


def test_two_values_give_a_line():
    assert fit_edge(np.array([0.0, 1.0] * 20), np.array([0.0, 1.0] * 20) + 0.01 * np.arange(40))[0].name == "linear"


def test_own_candidates_compete():
    x = np.linspace(-4, 4, 200)
    own = Candidate("lorentzian", lambda u: 1 / (1 + u**2), parity="even")
    y = 1 / (1 + (1.5 * x - 1) ** 2) + 0.01 * np.random.default_rng(0).normal(size=200)
    fit = fit_edge(x, y, candidates=[*LIBRARY, own])[0]
    assert fit.name == "lorentzian"
    np.testing.assert_allclose(fit.parameters[:2], [1.5, -1], rtol=0.03)


def test_bad_points_are_refused():
    with pytest.raises(ValueError, match="finite"):
        fit_edge([0.0, np.nan], [1.0, 2.0])
    with pytest.raises(ValueError, match="two different"):
        fit_edge([1.0, 1.0], [1.0, 2.0])
