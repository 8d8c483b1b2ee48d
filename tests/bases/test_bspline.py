"""B-splines against SciPy's on the same knots, quadrature and automatic differentiation."""

import json

import numpy as np
import pytest
from basis_contract import CHECKS
from scipy.integrate import quad_vec
from scipy.interpolate import BSpline as SciPySpline

from kan_tabular.bases import BSpline, basis_from_spec
from kan_tabular.bases.bspline import weighted_quantiles


def skewed(n=300):
    return np.random.default_rng(0).gamma(2.0, 1.5, n) - 1.0


def reference(basis):
    """SciPy's functions on the same knots, in the units of x."""
    low, high = basis.domain
    return SciPySpline(low + (high - low) * basis.knots_, np.eye(basis.n_functions), basis.degree_)


def inside(basis, n=2001):
    """Points of the domain, its right end left out: there the continuation begins."""
    return np.linspace(*basis.domain, n)[:-1]


def fitted(degree=3, n_knots=8):
    return BSpline(n_knots, degree).fit(skewed())


def trimmed():
    """A basis whose upper tail was trimmed."""
    return BSpline(6).fit(np.append(skewed(), 1e6))


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("degree", [2, 3])
def test_contract(check, degree):
    check(lambda *column: BSpline(8, degree).fit(*column))


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("n_knots", [0, 1, 8])
def test_values_and_derivatives_are_scipys(degree, n_knots):
    basis = fitted(degree, n_knots)
    assert basis.n_functions == n_knots + degree + 1
    # No point on a knot: there the highest derivative jumps, and rounding chooses the side.
    x, spline = inside(basis) + 1e-7, reference(basis)
    np.testing.assert_allclose(basis.evaluate(x), spline(x), rtol=0, atol=1e-10)
    for order in range(1, degree + 1):
        expected = spline(x, nu=order)
        np.testing.assert_allclose(
            basis.derivative(x, order), expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max()
        )
    assert not basis.derivative(x, degree + 1).any()


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_functions_sum_to_one_everywhere(degree):
    basis = fitted(degree)
    x = np.linspace(-100.0, 100.0, 1001)
    np.testing.assert_allclose(basis.evaluate(x).sum(1), 1.0, atol=1e-9)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_continuation_is_the_tangent_at_the_end(degree):
    basis, far = fitted(degree), np.array([1e-9, 0.5, 40.0])
    spline = reference(basis)
    for end, sign in zip(basis.domain, (-1, 1), strict=True):
        x = end + sign * far
        tangent = spline(end) + np.multiply.outer(x - end, spline(end, nu=1))
        np.testing.assert_allclose(basis.evaluate(x), tangent, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(basis.derivative(x), np.tile(spline(end, nu=1), (3, 1)), rtol=1e-10, atol=1e-10)
        assert not basis.derivative(x, 2).any()


def test_a_trimmed_tail_is_constant_and_the_other_end_stays_linear():
    basis = trimmed()
    low, high = basis.domain
    assert low == skewed().min() and skewed().max() < high < 1e6
    beyond = np.array([high, high + 1.0, 1e6, 1e9])
    np.testing.assert_allclose(basis.evaluate(beyond), np.tile(reference(basis)(high), (4, 1)), atol=1e-12)
    assert not basis.derivative(beyond[1:]).any()
    assert np.abs(basis.derivative(np.array([low - 5.0]))).max() > 0


def test_both_tails_can_be_trimmed_and_a_mild_tail_is_not():
    basis = BSpline(4).fit(np.concatenate([skewed(), [-1e5, 1e6]]))
    assert basis.domain[0] > -1e5 and basis.domain[1] < 1e6
    mild = np.append(skewed(), 100.0)
    assert BSpline(4).fit(mild).domain == (mild.min(), 100.0)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_penalty_is_the_integrated_squared_curvature(degree):
    basis = fitted(degree, 5)
    spline, (low, high) = reference(basis), basis.domain

    def outer(x):
        curvature = spline(x, nu=2)
        return np.outer(curvature, curvature)

    expected = np.zeros((basis.n_functions, basis.n_functions))
    knots = np.unique(spline.t)
    if degree > 1:
        for a, b in zip(knots[:-1], knots[1:], strict=True):
            expected += quad_vec(outer, a, b, epsrel=1e-12)[0]
    # In units of the domain's width: curvature has units width^-2, the integral one more width.
    expected *= (high - low) ** 3
    np.testing.assert_allclose(basis.penalty(), expected, rtol=1e-8, atol=1e-9 * max(np.abs(expected).max(), 1))


def test_penalty_ignores_lines_and_the_unit_of_the_column():
    basis = fitted()
    d, t = basis.degree_, basis.knots_
    line = np.array([t[k + 1 : k + d + 1].mean() for k in range(basis.n_functions)])
    assert abs(line @ basis.penalty() @ line) < 1e-8 * np.abs(basis.penalty()).max()
    in_grams = BSpline(8).fit(skewed() * 1000 + 5)
    np.testing.assert_allclose(in_grams.penalty(), basis.penalty(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("n_values, degree", [(1, 0), (2, 1), (3, 2), (4, 3)])
def test_few_distinct_values_get_the_polynomial_they_can_carry(n_values, degree):
    values = np.array([-1.0, 0.5, 4.0, 9.0])[:n_values]
    basis = BSpline(10).fit(np.tile(values, 20))
    assert basis.degree_ == degree and basis.n_functions == n_values
    y = np.array([2.0, -1.0, 3.0, 0.5])[:n_values]
    c = np.linalg.solve(basis.evaluate(values), y)
    x = np.linspace(values[0], values[-1], 50)
    np.testing.assert_allclose(basis.evaluate(x) @ c, np.polyval(np.polyfit(values, y, degree), x), atol=1e-9)


@pytest.mark.parametrize(
    "x",
    [
        np.concatenate([np.zeros(900), np.random.default_rng(1).exponential(size=100)]),
        np.round(np.random.default_rng(2).normal(size=500)),
        np.concatenate([np.full(400, 3.0), 3.0 + 1e-9 * np.arange(10), [5.0]]),
        np.concatenate([np.linspace(0, 5, 50), 3.0 + 1e-9 * np.arange(400)]),
    ],
    ids=["mostly zero", "integers", "nearly tied at the end", "nearly tied inside"],
)
def test_knots_are_unique_and_spaced_under_ties(x):
    basis = BSpline(10).fit(x)
    breaks = np.unique(basis.knots_)
    assert len(breaks) == len(basis.knots_) - 2 * basis.degree_
    assert np.diff(breaks).min() > 0.99e-6
    np.testing.assert_allclose(basis.evaluate(x).sum(1), 1.0, atol=1e-9)


def test_repeating_rows_and_weighting_them_give_the_same_knots():
    rng = np.random.default_rng(3)
    x, repeats = np.round(rng.normal(size=80), 1), rng.integers(1, 6, 80)
    weighted = BSpline(7).fit(x, repeats.astype(float))
    repeated = BSpline(7).fit(np.repeat(x, repeats))
    assert weighted.domain == repeated.domain
    np.testing.assert_allclose(weighted.knots_, repeated.knots_, rtol=0, atol=1e-14)
    assert not np.allclose(BSpline(7).fit(x).knots_, weighted.knots_)


def test_weighted_quantiles_do_not_prefer_a_direction():
    values, weights, p = np.array([-3.0, 0.0, 0.5, 7.0]), np.array([5.0, 1.0, 2.0, 4.0]), np.linspace(0, 1, 21)
    mirrored = -weighted_quantiles(-values[::-1], weights[::-1], 1 - p)
    np.testing.assert_allclose(weighted_quantiles(values, weights, p), mirrored, atol=1e-12)
    # Equal weights: the mid-point rule, which NumPy calls Hazen's.
    expected = np.quantile(values, p, method="hazen")
    np.testing.assert_allclose(weighted_quantiles(values, np.full(4, 3.0), p), expected, atol=1e-12)


@pytest.mark.parametrize("make", [fitted, trimmed], ids=["linear ends", "trimmed"])
def test_sympy_and_piecewise_and_spec_are_the_same_curve(make):
    import sympy

    basis = make()
    c = np.random.default_rng(4).normal(size=basis.n_functions)
    low, high = basis.domain
    width = high - low
    x = np.concatenate([inside(basis, 40), [low - 3 * width, low, high, high + 3 * width]])
    expected = basis.evaluate(x) @ c

    symbol = sympy.Symbol("x")
    expression = basis.to_sympy(c, symbol)
    np.testing.assert_allclose([float(expression.subs(symbol, float(v))) for v in x], expected, atol=1e-8)

    breaks, origins, table = basis.piecewise(c)
    z = (x - low) / width
    interval = (z[:, None] >= breaks).sum(1)
    pieces = [np.polyval(table[i][::-1], v - origins[i]) for i, v in zip(interval, z, strict=True)]
    np.testing.assert_allclose(pieces, expected, atol=1e-10)
    two = basis.piecewise(np.column_stack([c, -c]))[2]
    np.testing.assert_allclose(two, np.stack([table, -table], axis=-1), atol=1e-12)

    again = basis_from_spec(json.loads(json.dumps(basis.to_spec())))
    assert again.domain == basis.domain
    np.testing.assert_array_equal(again.evaluate(x), basis.evaluate(x))
    np.testing.assert_array_equal(again.penalty(), basis.penalty())


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_torch_tensors_give_numpys_values_and_derivatives(degree):
    import torch

    basis = fitted(degree)
    x = np.concatenate([inside(basis, 200), [-50.0, 80.0]])
    t = torch.tensor(x)
    for order in range(degree + 1):
        own = basis.derivative(t, order)
        assert isinstance(own, torch.Tensor) and own.dtype == torch.float64
        np.testing.assert_allclose(own.numpy(), basis.derivative(x, order), rtol=1e-13, atol=1e-13)
    # A column of a matrix, as callers have it.
    matrix = torch.tensor(np.column_stack([x, x]))
    np.testing.assert_array_equal(basis.evaluate(matrix[:, 1]).numpy(), basis.evaluate(t).numpy())
