"""Truncated powers against SciPy's splines on the same knots and their jumps."""

import numpy as np
import pytest
from basis_contract import AWKWARD, CHECKS, SKEWED, around, check_formula, check_spec
from scipy.interpolate import BSpline as SciPySpline

from kan_tabular.bases import BSpline, TruncatedPower


def fitted(knots="uniform", degree=3, n_knots=6):
    return TruncatedPower(n_knots, degree, knots).fit(SKEWED)


def trimmed():
    return TruncatedPower().fit(np.append(SKEWED, 1e6))


BASES = {
    "uniform": fitted,
    "quantile": lambda: fitted("quantile"),
    "line pieces": lambda: fitted(degree=1),
    "parabolas": lambda: fitted(degree=2),
    "no knots": lambda: fitted(n_knots=0),
    "many knots": lambda: fitted(n_knots=15),
    "trimmed": trimmed,
    "two values": lambda: TruncatedPower().fit(np.array([1.0, 4.0, 4.0])),
}
every_basis = pytest.mark.parametrize("make", BASES.values(), ids=BASES.keys())


def reference(basis, coefficients):
    low, high = basis.domain
    return SciPySpline(low + (high - low) * basis.knots_, coefficients, basis.degree_)


@pytest.mark.parametrize("n_knots", [0, 1, 6, 12])
def test_uniform_knots_divide_the_range_equally(n_knots):
    basis = fitted(n_knots=n_knots)
    _, knots, _ = basis.truncated_powers(np.ones(basis.n_functions))
    np.testing.assert_allclose(knots, np.linspace(*basis.domain, n_knots + 2)[1:-1], rtol=1e-12)


def test_quantile_knots_are_the_b_splines_where_these_are_apart():
    expected = BSpline(6).fit(SKEWED)
    x = around(expected)
    np.testing.assert_array_equal(fitted("quantile").evaluate(x), expected.evaluate(x))


def test_near_quantiles_are_dropped():
    basis = TruncatedPower(6, knots="quantile").fit(AWKWARD["nearly tied inside"])
    assert np.diff(basis.breaks_).min() > 0.02 and basis.n_functions == 5


@every_basis
def test_truncated_powers_are_scipys_spline(make):
    basis = make()
    c = np.random.default_rng(0).normal(size=(basis.n_functions, 2))
    polynomial, knots, jumps = basis.truncated_powers(c)
    k, (low, high) = basis.degree_, basis.domain
    assert polynomial.shape == (k + 1, 2) and jumps.shape == (len(knots), 2)
    assert len(polynomial) + len(knots) == basis.n_functions
    x = np.linspace(low, high, 501)[:-1]
    powers = (x - basis.origin)[:, None] ** np.arange(k + 1)
    bends = np.maximum(0, x[:, None] - knots) ** k
    np.testing.assert_allclose(powers @ polynomial + bends @ jumps, reference(basis, c)(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_jumps_are_those_of_the_highest_derivative(degree):
    basis = fitted(degree=degree)
    c = np.random.default_rng(1).normal(size=basis.n_functions)
    _, knots, jumps = basis.truncated_powers(c)
    top, eps = reference(basis, c).derivative(degree), 1e-6
    factorial = np.prod(np.arange(1, degree + 1))
    np.testing.assert_allclose(factorial * jumps, top(knots + eps) - top(knots - eps), rtol=1e-9)


def test_the_change_of_basis_is_invertible():
    basis = fitted()
    a, _, b = basis.truncated_powers(np.eye(basis.n_functions))
    width = np.diff(basis.domain)[0]
    change = np.vstack([a * width ** np.arange(4)[:, None], b * width**3])
    assert np.linalg.matrix_rank(change) == basis.n_functions == 10


def test_an_offset_of_the_column_costs_no_digits():
    far = TruncatedPower().fit(SKEWED + 1e6)
    c = np.random.default_rng(2).normal(size=10)
    for own, expected in zip(far.truncated_powers(c)[::2], fitted().truncated_powers(c)[::2], strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-6, atol=1e-9)


def test_b_spline_coordinates_are_the_well_conditioned_ones():
    basis = fitted()
    x = np.linspace(*basis.domain, 2000)
    z = np.linspace(-1, 1, 2000)
    knots = np.linspace(-1, 1, 8)[1:-1]
    powers = np.hstack([z[:, None] ** np.arange(4), np.maximum(0, z[:, None] - knots) ** 3])
    assert np.linalg.cond(basis.evaluate(x)) < 6 < 1000 < np.linalg.cond(powers)


@every_basis
def test_derivatives_are_scipys(make):
    basis = make()
    low, high = basis.domain
    x = around(basis)
    x = x[(x > low) & (x < high)]
    spline = reference(basis, np.eye(basis.n_functions))
    np.testing.assert_allclose(basis.evaluate(x), spline(x), rtol=0, atol=1e-10)
    for order in (1, 2):
        np.testing.assert_allclose(basis.derivative(x, order), spline(x, nu=order), rtol=0, atol=1e-10 * 10**order)


@pytest.mark.parametrize("make", [fitted, trimmed], ids=["linear ends", "trimmed"])
def test_piecewise_is_the_same_curve(make):
    basis = make()
    c = np.random.default_rng(3).normal(size=basis.n_functions)
    breaks, origins, table = basis.piecewise(c)
    x = around(basis)
    z = (x - basis.domain[0]) / np.diff(basis.domain)[0]
    interval = (z[:, None] >= breaks).sum(1)
    own = [np.polyval(table[i][::-1], v - origins[i]) for i, v in zip(interval, z, strict=True)]
    np.testing.assert_allclose(own, basis.evaluate(x) @ c, atol=1e-10)


@every_basis
def test_formula_and_spec_are_the_same_curve(make):
    check_formula(lambda *_: make())
    check_spec(lambda *_: make())


def test_the_formula_is_a_polynomial_and_truncated_powers():
    import sympy

    c = np.random.default_rng(5).normal(size=10)
    _, (curve, _), _ = fitted().to_sympy(c, sympy.Symbol("x")).args
    assert len(curve.atoms(sympy.Max)) == 6


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("knots", ["uniform", "quantile"])
def test_contract(check, knots):
    check(lambda *column: TruncatedPower(knots=knots).fit(*column))


@pytest.mark.parametrize("column", AWKWARD.values(), ids=AWKWARD)
@pytest.mark.parametrize("knots", ["uniform", "quantile"])
def test_functions_sum_to_one_on_awkward_columns(knots, column):
    np.testing.assert_allclose(TruncatedPower(knots=knots).fit(column).evaluate(column).sum(1), 1.0, atol=1e-9)


def test_unknown_knots_are_refused():
    with pytest.raises(ValueError, match="'uniform' or 'quantile'"):
        TruncatedPower(knots="random").fit(SKEWED)
