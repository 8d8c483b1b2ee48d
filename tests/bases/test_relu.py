"""Bumps of rectifiers against the published product of two rectifiers, sympy's derivatives and quadrature."""

import numpy as np
import pytest
import sympy
from basis_contract import CHECKS, SKEWED, assert_is_formula, assert_penalty_integrates

from kan_tabular.bases import ReLUKAN

SIZES = [(5, 3, 2), (5, 3, 3), (1, 0, 2), (4, 1, 4)]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("grid_size, order, power", SIZES[:2])
def test_contract(check, grid_size, order, power):
    check(lambda *column: ReLUKAN(grid_size, order, power).fit(*column))


@pytest.mark.parametrize("grid_size, order, power", SIZES)
def test_values_and_derivatives_are_the_published_products(grid_size, order, power):
    basis, z, u = ReLUKAN(grid_size, order, power).fit(SKEWED), sympy.Symbol("z"), (sympy.Symbol("z") + 1) / 2
    formulas = []
    for i in range(1, grid_size + order + 1):  # the paper's, for u in [0, 1]
        start = sympy.Rational(i - order - 1, grid_size)
        end = start + sympy.Rational(order + 1, grid_size)
        product = ((end - u) * (u - start)) ** power * (2 / (end - start)) ** (2 * power)
        formulas.append(sympy.Piecewise((product, (u > start) & (u < end)), (0, True)))
    assert basis.n_functions == len(formulas) == grid_size + order
    assert_is_formula(basis, formulas, z)


@pytest.mark.parametrize("grid_size, order, power", SIZES)
def test_peaks_are_one(grid_size, order, power):
    basis = ReLUKAN(grid_size, order, power).fit(np.array([-1.0, 1.0]))
    peaks = basis._functions(basis.centers, 0)
    np.testing.assert_allclose(np.diag(peaks), 1.0, atol=1e-15)
    assert peaks.max() <= 1


@pytest.mark.parametrize("power", [2, 3, 4])
def test_power_less_one_derivatives_are_continuous(power):
    basis = ReLUKAN(4, 2, power).fit(np.array([-1.0, 1.0]))
    knots = np.array([-0.5, 0.0, 0.5])
    for order in (0, 1, 2):
        jump = basis.derivative(knots + 1e-9, order) - basis.derivative(knots - 1e-9, order)
        assert (np.abs(jump).max() < 1e-6) == (order < power)


@pytest.mark.parametrize("grid_size, order, power", SIZES)
def test_penalty_is_the_integrated_squared_curvature(grid_size, order, power):
    basis = ReLUKAN(grid_size, order, power).fit(SKEWED)
    assert_penalty_integrates(basis, np.linspace(-1, 1, grid_size + 1))


@pytest.mark.parametrize("power, conditions", [(2, [44.9, 30.1, 30.0]), (3, [45.1, 35.5, 32.3])])
def test_conditioning_of_the_design(power, conditions):
    z = np.linspace(-1, 1, 2000)
    own = [np.linalg.cond(ReLUKAN(g, 3, power).fit(z).evaluate(z)) for g in (5, 10, 20)]
    np.testing.assert_allclose(own, conditions, rtol=0.01)


def test_a_power_of_one_is_refused():
    with pytest.raises(ValueError, match="power=1"):
        ReLUKAN(power=1)
