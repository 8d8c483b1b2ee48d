"""Legendre polynomials against NumPy's and Gauss's quadrature, and what every family on an interval promises."""

import numpy as np
import pytest
from basis_contract import CHECKS, SKEWED, assert_penalty_integrates, condition
from numpy.polynomial import legendre

from kan_tabular.bases import Legendre
from kan_tabular.bases.recurrence import zeros

Z = np.linspace(-1.0, 1.0, 401)


def fitted(degree):
    """On the range [-1, 1], where z is x."""
    return Legendre(degree).fit(Z)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("degree", [1, 6])
def test_contract(check, degree):
    check(lambda *column: Legendre(degree).fit(*column))


@pytest.mark.parametrize("degree", [1, 2, 6, 20])
def test_values_and_derivatives_are_numpys(degree):
    basis, c = fitted(degree), np.diag(np.sqrt(2 * np.arange(degree + 1) + 1))[1:].T
    assert basis.n_functions == degree
    np.testing.assert_allclose(basis.evaluate(Z), legendre.legval(Z, c).T, rtol=0, atol=1e-12)
    for order in (1, 2):
        expected = legendre.legval(Z, legendre.legder(c, order)).T.reshape(len(Z), -1)
        scale = max(np.abs(expected).max(), 1.0)
        np.testing.assert_allclose(basis.derivative(Z, order), expected, rtol=1e-10, atol=1e-12 * scale)


@pytest.mark.parametrize("degree", [1, 6, 20])
def test_orthonormal_and_centred_for_a_uniform_input(degree):
    z, w = legendre.leggauss(degree + 1)
    values = np.column_stack([np.ones_like(z), fitted(degree).evaluate(z)])
    np.testing.assert_allclose((values * w[:, None] / 2).T @ values, np.eye(degree + 1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("degree", [1, 2, 5, 12])
def test_zeros_are_gausss_nodes_and_symmetric_to_the_last_bit(degree):
    found = zeros(fitted(degree)._steps())
    np.testing.assert_allclose(found, legendre.leggauss(degree)[0], rtol=0, atol=1e-14)
    np.testing.assert_array_equal(found, -found[::-1])


def test_first_functions_in_closed_form():
    expected = np.stack([np.sqrt(3) * Z, np.sqrt(5) * (3 * Z**2 - 1) / 2, np.sqrt(7) * (5 * Z**3 - 3 * Z) / 2], axis=1)
    np.testing.assert_allclose(fitted(3).evaluate(Z), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("degree, expected", [(4, 1.004), (6, 1.01), (10, 1.02), (20, 1.06)])
def test_condition_numbers_in_the_docs(degree, expected):
    assert condition(Legendre(degree)) == pytest.approx(expected, abs=5e-3)


def test_penalty_is_the_integrated_squared_curvature():
    assert_penalty_integrates(Legendre(6).fit(SKEWED))
