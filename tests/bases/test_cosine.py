"""Half-period cosines against their definition, and what every family on an interval promises."""

import numpy as np
import pytest
from basis_contract import CHECKS, SKEWED, condition
from scipy.fft import dct

from kan_tabular.bases import Cosine

U = np.linspace(0.0, 1.0, 401)


def fitted(n):
    """On the range [0, 1], where u is x."""
    return Cosine(n).fit(U)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("n", [1, 8, 15])
def test_contract(check, n):
    check(lambda *column: Cosine(n).fit(*column))


@pytest.mark.parametrize("n", [1, 8, 30])
def test_values_and_derivatives_are_the_definitions(n):
    basis, rates = fitted(n), np.pi * np.arange(1, n + 1)
    assert basis.n_functions == n
    np.testing.assert_allclose(basis.evaluate(U), np.cos(np.multiply.outer(U, rates)), rtol=0, atol=1e-12)
    for order in (1, 2):
        expected = rates**order * np.cos(np.multiply.outer(U, rates) + order * np.pi / 2)
        np.testing.assert_allclose(basis.derivative(U, order), expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_coefficients_at_mid_points_are_the_discrete_cosine_transform():
    u, y = (np.arange(64) + 0.5) / 64, np.random.default_rng(0).normal(size=64)
    np.testing.assert_allclose(2 * fitted(20).evaluate(u).T @ y, dct(y, type=2)[1:21], rtol=1e-10, atol=1e-10)


def test_orthogonal_for_a_uniform_input():
    u = (np.arange(64) + 0.5) / 64
    values = np.column_stack([np.ones_like(u), np.sqrt(2) * fitted(12).evaluate(u)])
    np.testing.assert_allclose(values.T @ values / 64, np.eye(13), rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exactly_constant_outside(dtype):
    basis = Cosine(15).fit(SKEWED)
    low, high = np.array(basis.domain, dtype)
    width = high - low
    for end, sign in ((low, -1), (high, 1)):
        x = np.array([end + sign * width * far for far in (0.01, 1, 1e6)], dtype)
        np.testing.assert_array_equal(basis.evaluate(x), basis.evaluate(x[[0, 0, 0]]))
        np.testing.assert_allclose(basis.evaluate(x[0]), (-1.0) ** (np.arange(1, 16) * (sign > 0)), atol=1e-5)
        assert not basis.derivative(x).any()


def test_penalty_in_closed_form():
    rates = np.pi * np.arange(1, 9)
    np.testing.assert_allclose(fitted(8).penalty(), np.diag(rates**4 / 2), rtol=1e-12, atol=1e-9 * rates[-1] ** 4)


@pytest.mark.parametrize("n", [4, 8, 20])
def test_condition_number_in_the_docs(n):
    assert condition(Cosine(n)) == pytest.approx(1.41, abs=0.01)
