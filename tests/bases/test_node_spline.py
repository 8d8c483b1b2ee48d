"""Splines of a hidden node against SciPy's on the same knots, quadrature and automatic differentiation."""

import json

import numpy as np
import pytest
from scipy.integrate import quad_vec
from scipy.interpolate import BSpline as SciPySpline

from kan_tabular.bases import NodeSpline, basis_from_spec

GRIDS = [1, 2, 3, 5, 8]


def clipped(h):
    return h / np.sqrt(1 + (h / 3) ** 2)


def unclipped(u):
    return u / np.sqrt(1 - (u / 3) ** 2)


def scipy_spline(grid_size):
    """SciPy's cubic splines on equal intervals of (-3, 3)."""
    inner = np.linspace(-3, 3, grid_size + 1)
    return SciPySpline(np.r_[[-3.0] * 3, inner, [3.0] * 3], np.eye(grid_size + 3), 3)


def everywhere(n=401):
    return np.concatenate([unclipped(np.linspace(-2.999, 2.999, n)), [-1e6, -40.0, 0.0, 40.0, 1e6]])


@pytest.mark.parametrize("grid_size", GRIDS)
def test_with_constants_they_span_all_cubic_splines_in_the_clipped_value(grid_size):
    basis, u = NodeSpline(grid_size), np.linspace(-2.99, 2.99, 997)
    own = np.column_stack([np.ones_like(u), basis.evaluate(unclipped(u))])
    expected = scipy_spline(grid_size)(u)
    assert own.shape[1] == expected.shape[1] == grid_size + 3
    for a, b in ((own, expected), (expected, own)):  # each in the span of the other: the same space
        c, _, rank, _ = np.linalg.lstsq(a, b, rcond=None)
        assert rank == grid_size + 3
        np.testing.assert_allclose(a @ c, b, atol=1e-9)
    # And no fewer intervals would do.
    if grid_size > 1:
        coarse = np.column_stack([np.ones_like(u), u, u**2, u**3])
        assert np.abs(own - coarse @ np.linalg.lstsq(coarse, own, rcond=None)[0]).max() > 1e-3


@pytest.mark.parametrize("grid_size", GRIDS)
def test_no_function_exceeds_one_or_is_negligible(grid_size):
    values = NodeSpline(grid_size).evaluate(everywhere())
    assert np.abs(values).max() <= 1 + 1e-12
    assert np.abs(values).max(0).min() > 0.99


@pytest.mark.parametrize("grid_size", GRIDS)
def test_derivative_is_the_slope_of_the_values(grid_size):
    basis, step = NodeSpline(grid_size), 1e-5
    x = np.linspace(-12.0, 12.0, 400) + 1e-3
    slope = (basis.evaluate(x + step) - basis.evaluate(x - step)) / (2 * step)
    np.testing.assert_allclose(basis.derivative(x), slope, rtol=1e-6, atol=1e-9)
    far = basis.derivative(np.array([-1e6, 1e6]))
    assert np.isfinite(far).all() and np.abs(far).max() < 1e-15  # levelled off
    with pytest.raises(ValueError, match="order=2"):
        basis.derivative(x, order=2)


@pytest.mark.parametrize("grid_size", GRIDS)
def test_penalty_is_the_integrated_squared_curvature(grid_size):
    basis, u = NodeSpline(grid_size), np.linspace(-2.99, 2.99, 997)
    spline = scipy_spline(grid_size)
    change = np.linalg.lstsq(spline(u), basis.evaluate(unclipped(u)), rcond=None)[0]

    def outer(v):
        curvature = spline(v, nu=2) @ change
        return np.outer(curvature, curvature)

    edges = np.linspace(-3, 3, grid_size + 1)
    expected = sum(quad_vec(outer, a, b, epsrel=1e-12)[0] for a, b in zip(edges[:-1], edges[1:], strict=True))
    np.testing.assert_allclose(basis.penalty(), expected, rtol=1e-7, atol=1e-9 * np.abs(expected).max())


def limits(basis):
    """Limits of the functions at minus and plus infinity, from their definition."""
    rising = basis.slopes > 0
    return np.array([[-1, 1, -1, *np.where(rising, 0.0, 1.0)], [1, 1, 1, *np.where(rising, 1.0, 0.0)]])


@pytest.mark.parametrize("kind", ["torch", "numpy"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finite_and_levelled_off_far_outside(kind, dtype):
    import torch

    basis = NodeSpline(5)
    x = np.array([-1e6, -1e5, -1e3, -1.0, 0.0, 2.5, 10.0, 1e3, 1e5, 1e6], dtype=dtype)
    for function in (basis.evaluate, basis.derivative):
        values = function(torch.tensor(x)).numpy() if kind == "torch" else function(x)
        assert values.dtype == dtype and np.isfinite(values).all()
        np.testing.assert_allclose(values, function(x.astype(float)), rtol=1e-4, atol=2e-6)
    values = basis.evaluate(x.astype(float))
    np.testing.assert_allclose(values[[0, -1]], limits(basis), atol=1e-4)


def test_a_row_does_not_depend_on_the_other_rows():
    basis, x = NodeSpline(5), np.array([-40.0, -0.5, 0.0, 2.2, 5.0, 1e5])
    alone = np.concatenate([basis.evaluate(x[i : i + 1]) for i in range(len(x))])
    np.testing.assert_array_equal(basis.evaluate(x), alone)
    np.testing.assert_array_equal(basis.evaluate(x[::-1])[::-1], alone)
    np.testing.assert_array_equal(basis.evaluate(np.append(x, np.nan))[:-1], alone)
    assert basis.evaluate(x[:0]).shape == (0, basis.n_functions)
    np.testing.assert_array_equal(basis.evaluate(x.reshape(2, 3)), alone.reshape(2, 3, -1))


@pytest.mark.parametrize("coarse, fine", [(1, 4), (2, 2), (2, 6), (3, 6), (5, 10), (5, 15), (4, 8)])
def test_refining_changes_no_curve(coarse, fine):
    basis = NodeSpline(coarse)
    c = np.random.default_rng(0).normal(size=(4, 2, basis.n_functions))
    finer, d, _ = basis.refined(fine, c, {})
    assert finer.grid_size == fine and d.shape == (4, 2, finer.n_functions)
    x = everywhere()
    np.testing.assert_allclose(finer.evaluate(x) @ d[1, 1], basis.evaluate(x) @ c[1, 1], rtol=0, atol=1e-12)
    np.testing.assert_allclose(finer.evaluate(x) @ d[3, 0], basis.evaluate(x) @ c[3, 0], rtol=0, atol=1e-12)


def test_refining_to_a_grid_that_loses_knots_is_refused():
    with pytest.raises(ValueError, match="multiple of 5"):
        NodeSpline(5).refined(8, np.zeros(7), {})


@pytest.mark.parametrize("grid_size", GRIDS)
def test_sympy_and_spec_are_the_same_curve(grid_size):
    import sympy

    basis = NodeSpline(grid_size)
    c = np.random.default_rng(1).normal(size=basis.n_functions)
    x = np.concatenate([np.linspace(-6, 6, 25), [-1e3, 1e3]])
    symbol = sympy.Symbol("h")
    expression = basis.to_sympy(c, symbol)
    np.testing.assert_allclose([float(expression.subs(symbol, v)) for v in x], basis.evaluate(x) @ c, atol=1e-10)

    again = basis_from_spec(json.loads(json.dumps(basis.to_spec())))
    assert isinstance(again, NodeSpline) and again.n_functions == basis.n_functions
    np.testing.assert_array_equal(again.evaluate(x), basis.evaluate(x))
    np.testing.assert_array_equal(again.penalty(), basis.penalty())


@pytest.mark.parametrize("grid_size", GRIDS)
def test_torch_tensors_give_numpys_values_and_gradients(grid_size):
    import torch

    basis, x = NodeSpline(grid_size), everywhere()
    for function in (basis.evaluate, basis.derivative):
        own = function(torch.tensor(x))
        assert isinstance(own, torch.Tensor) and own.dtype == torch.float64
        np.testing.assert_allclose(own.numpy(), function(x), rtol=1e-13, atol=1e-13)
    t = torch.tensor([-9.0, -0.3, 0.123, 1.7, 3.21, 30.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(basis.evaluate, (t,))
    weights = torch.linspace(-1, 1, basis.n_functions, dtype=torch.float64)
    (slope,) = torch.autograd.grad((basis.evaluate(t) @ weights).sum(), t)
    np.testing.assert_allclose(slope.numpy(), basis.derivative(t.detach().numpy()) @ weights.numpy(), rtol=1e-12)


def test_fitting_asks_nothing_of_the_data():
    x = everywhere()
    fitted = NodeSpline(4).fit(np.array([100.0, 200.0]), np.ones(2))
    np.testing.assert_array_equal(fitted.evaluate(x), NodeSpline(4).evaluate(x))
    assert fitted.domain == (-np.inf, np.inf)
