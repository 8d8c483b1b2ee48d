"""Hermite polynomials against NumPy's and Gauss's quadrature, and what every family on an interval promises."""

from math import factorial

import numpy as np
import pytest
from basis_contract import CHECKS, SKEWED, assert_penalty_integrates, condition
from numpy.polynomial import hermite_e

from kan_tabular.bases import Hermite
from kan_tabular.bases.recurrence import polynomials

T = np.linspace(-3.0, 3.0, 401)


def fitted(degree):
    """On the range [-3, 3], where t is x."""
    return Hermite(degree).fit(T)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("degree", [1, 5])
def test_contract(check, degree):
    check(lambda *column: Hermite(degree).fit(*column))


@pytest.mark.parametrize("degree", [1, 2, 5, 15])
def test_values_and_derivatives_are_numpys(degree):
    basis, c = fitted(degree), np.diag([factorial(n) ** -0.5 for n in range(degree + 1)])[1:].T
    assert basis.n_functions == degree
    np.testing.assert_allclose(basis.evaluate(T), hermite_e.hermeval(T, c).T, rtol=1e-10, atol=1e-11)
    for order in (1, 2):
        expected = hermite_e.hermeval(T, hermite_e.hermeder(c, order)).T.reshape(len(T), -1)
        scale = max(np.abs(expected).max(), 1.0)
        np.testing.assert_allclose(basis.derivative(T, order), expected, rtol=1e-10, atol=1e-12 * scale)


@pytest.mark.parametrize("degree", [1, 5, 9])
def test_orthonormal_and_centred_for_a_standard_normal_input(degree):
    t, w = hermite_e.hermegauss(degree + 1)
    # The polynomials themselves, not their linear continuation: some nodes are beyond 3.
    values = np.column_stack([np.ones_like(t), polynomials(t / 3, Hermite(degree)._steps())])
    gram = (values * w[:, None]).T @ values / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(gram, np.eye(degree + 1), rtol=0, atol=1e-12)


def test_first_functions_in_closed_form():
    expected = np.stack([T, (T**2 - 1) / np.sqrt(2), (T**3 - 3 * T) / np.sqrt(6)], axis=1)
    np.testing.assert_allclose(fitted(3).evaluate(T), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("degree, expected", [(3, 3.55), (5, 3.98), (6, 7.12), (8, 42.4), (10, 361)])
def test_condition_numbers_in_the_docs(degree, expected):
    assert condition(Hermite(degree)) == pytest.approx(expected, rel=5e-3)


def test_penalty_is_the_integrated_squared_curvature():
    assert_penalty_integrates(Hermite(5).fit(SKEWED))
