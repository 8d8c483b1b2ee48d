"""Hat functions against linear interpolation, and their roughness against broken lines and parabolas."""

import numpy as np
import pytest
from basis_contract import CHECKS, SKEWED

from kan_tabular.bases import PiecewiseLinear


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("n_knots", [0, 10])
def test_contract(check, n_knots):
    check(lambda *column: PiecewiseLinear(n_knots).fit(*column))


def knots(basis):
    low, high = basis.domain
    return low + (high - low) * np.asarray(basis.breaks_)


@pytest.mark.parametrize("n_knots", [0, 1, 10])
def test_coefficients_are_heights_at_quantiles_joined_by_lines(n_knots):
    x = SKEWED
    basis = PiecewiseLinear(n_knots).fit(x)
    own = knots(basis)
    inner = np.quantile(x, np.arange(1, n_knots + 1) / (n_knots + 1), method="hazen")
    np.testing.assert_allclose(own, [x.min(), *inner, x.max()], atol=1e-12)
    heights = np.random.default_rng(0).normal(size=basis.n_functions)
    grid = np.linspace(*basis.domain, 777)
    np.testing.assert_allclose(basis.evaluate(grid) @ heights, np.interp(grid, own, heights), atol=1e-12)
    slopes = np.diff(heights) / np.diff(own)
    middles = (own[1:] + own[:-1]) / 2
    np.testing.assert_allclose(basis.derivative(middles) @ heights, slopes, rtol=1e-10)


def test_roughness_is_the_sum_of_squared_changes_of_slope_over_the_spacing():
    basis = PiecewiseLinear(7).fit(SKEWED)
    t = np.asarray(basis.breaks_)
    heights, expected = np.random.default_rng(1).normal(size=basis.n_functions), 0.0
    for k in range(1, len(t) - 1):
        left = (heights[k] - heights[k - 1]) / (t[k] - t[k - 1])
        right = (heights[k + 1] - heights[k]) / (t[k + 1] - t[k])
        expected += (right - left) ** 2 / ((t[k + 1] - t[k - 1]) / 2)
    assert heights @ basis.penalty() @ heights == pytest.approx(expected, rel=1e-10)


def test_straight_lines_are_not_rough_and_only_they_are():
    basis = PiecewiseLinear(7).fit(SKEWED)
    values = np.linalg.eigvalsh(basis.penalty())
    assert (values > 1e-8 * values.max()).sum() == basis.n_functions - 2
    line = 3 - 2 * knots(basis)
    assert np.abs(basis.penalty() @ line).max() < 1e-8 * np.abs(basis.penalty()).max()


def test_roughness_tends_to_the_integrated_squared_curvature():
    errors = []
    for n_knots in (20, 200):
        basis = PiecewiseLinear(n_knots).fit(np.linspace(0, 1, 5000))
        heights = np.sin(6 * np.asarray(basis.breaks_))
        exact = 36**2 * (0.5 - np.sin(12) / 24)  # of the squared second derivative of sin(6 t) over [0, 1]
        errors.append(abs(heights @ basis.penalty() @ heights / exact - 1))
    assert errors[1] < 0.01 and errors[1] < errors[0] / 5


def test_piecewise_is_the_same_curve():
    basis = PiecewiseLinear(6).fit(np.append(SKEWED, 1e6))
    c = np.random.default_rng(2).normal(size=basis.n_functions)
    low, high = basis.domain
    x = np.linspace(low - 3, high + 3, 101)
    breaks, origins, table = basis.piecewise(c)
    z = (x - low) / (high - low)
    interval = (z[:, None] >= breaks).sum(1)
    own = [np.polyval(table[i][::-1], v - origins[i]) for i, v in zip(interval, z, strict=True)]
    np.testing.assert_allclose(own, basis.evaluate(x) @ c, atol=1e-12)


@pytest.mark.parametrize("n_knots, expected", [(4, 1.97), (10, 1.98), (20, 1.98)])
def test_the_design_is_well_conditioned_at_every_size(n_knots, expected):
    z = np.linspace(-1, 1, 2000)
    assert np.linalg.cond(PiecewiseLinear(n_knots).fit(z).evaluate(z)) == pytest.approx(expected, abs=0.01)
