"""Chebyshev polynomials against NumPy's, their cosine form, and what every family on an interval promises."""

import numpy as np
import pytest
import torch
from basis_contract import CHECKS, SKEWED, assert_penalty_integrates, condition
from numpy.polynomial import chebyshev

from kan_tabular.bases import Chebyshev

Z = np.linspace(-1.0, 1.0, 401)


def fitted(degree):
    """On the range [-1, 1], where z is x."""
    return Chebyshev(degree).fit(Z)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("degree", [1, 6, 12])
def test_contract(check, degree):
    check(lambda *column: Chebyshev(degree).fit(*column))


@pytest.mark.parametrize("degree", [1, 2, 6, 20])
def test_values_and_derivatives_are_numpys(degree):
    basis, c = fitted(degree), np.eye(degree + 1)[1:].T
    assert basis.n_functions == degree
    np.testing.assert_allclose(basis.evaluate(Z), chebyshev.chebval(Z, c).T, rtol=0, atol=1e-12)
    for order in (1, 2):
        expected = chebyshev.chebval(Z, chebyshev.chebder(c, order)).T.reshape(len(Z), -1)
        scale = max(np.abs(expected).max(), 1.0)
        np.testing.assert_allclose(basis.derivative(Z, order), expected, rtol=1e-10, atol=1e-12 * scale)


def test_no_function_exceeds_one_and_all_are_cosines_of_multiples():
    t = np.linspace(0.0, np.pi, 1001)
    values = fitted(15).evaluate(np.cos(t))
    assert np.abs(values).max() <= 1 + 1e-12
    np.testing.assert_allclose(values, np.cos(np.multiply.outer(t, np.arange(1, 16))), rtol=0, atol=1e-10)


def test_gradients_at_the_ends_where_the_form_with_acos_has_none():
    x = torch.tensor([-1.0, 1.0, 10.0, 1e6], requires_grad=True)
    weights = torch.arange(1.0, 7.0)
    (slopes,) = torch.autograd.grad((fitted(6).evaluate(x) @ weights).sum(), x)
    n = np.arange(1, 7)
    ends = [(n * n**2 * (-1.0) ** (n - 1)).sum(), (n * n**2).sum()]  # T_n'(1) = n^2
    np.testing.assert_allclose(slopes.numpy(), [*ends, ends[1], ends[1]], rtol=1e-5)


@pytest.mark.parametrize("degree, expected", [(4, 2.49), (6, 2.94), (10, 3.65), (20, 4.87)])
def test_condition_numbers_in_the_docs(degree, expected):
    assert condition(Chebyshev(degree)) == pytest.approx(expected, rel=5e-3)


def test_penalty_is_the_integrated_squared_curvature():
    assert_penalty_integrates(Chebyshev(6).fit(SKEWED))
