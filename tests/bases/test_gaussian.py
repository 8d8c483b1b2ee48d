"""Gaussian bumps against their formula, differentiated by sympy."""

import numpy as np
import pytest
import sympy
from basis_contract import CHECKS, SKEWED, assert_is_formula, assert_penalty_integrates
from scipy.special import eval_hermitenorm

from kan_tabular.bases import GaussianRBF
from kan_tabular.bases.gaussian import gaussian_derivative


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("n_centers", [2, 8])
def test_contract(check, n_centers):
    check(lambda *column: GaussianRBF(n_centers).fit(*column))


@pytest.mark.parametrize("n_centers", [2, 5, 8, 20])
def test_values_and_derivatives_are_the_formulas(n_centers):
    basis, z = GaussianRBF(n_centers).fit(SKEWED), sympy.Symbol("z")
    step = sympy.Rational(2, n_centers - 1)
    assert basis.n_functions == n_centers
    assert_is_formula(basis, [sympy.exp(-(((z + 1 - m * step) / step) ** 2)) for m in range(n_centers)], z)


@pytest.mark.parametrize("n_centers", [3, 8])
def test_penalty_is_the_integrated_squared_curvature(n_centers):
    assert_penalty_integrates(GaussianRBF(n_centers).fit(SKEWED))


@pytest.mark.parametrize("order", range(6))
def test_derivatives_of_the_bell_are_hermite_polynomials(order):
    v = np.linspace(-6, 6, 101)
    expected = (-1) ** order * eval_hermitenorm(order, v) * np.exp(-v * v / 2)
    np.testing.assert_allclose(gaussian_derivative(v, order), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("n_centers, expected", [(8, 7.5), (13, 7.9), (23, 8.2)])
def test_the_design_is_well_conditioned_at_every_size(n_centers, expected):
    z = np.linspace(-1, 1, 2000)
    assert np.linalg.cond(GaussianRBF(n_centers).fit(z).evaluate(z)) == pytest.approx(expected, abs=0.1)


def test_lines_are_only_nearly_in_the_span():
    z = np.linspace(-1, 1, 500)
    design = GaussianRBF(8).fit(z).evaluate(z)
    line = np.column_stack([np.ones_like(z), z])
    error = np.abs(design @ np.linalg.lstsq(design, line, rcond=None)[0] - line).max()
    assert error == pytest.approx(0.086, abs=0.002)


def test_one_centre_is_refused():
    with pytest.raises(ValueError, match="n_centers=1"):
        GaussianRBF(1)
