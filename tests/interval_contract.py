"""What every family on an interval promises, tested alike for each.

A test file derives a class from `IntervalContract` and gives the fixture `make`: a function that returns a new basis,
not yet fitted. What is special about a family, its functions above all, it tests itself against an independent source.
"""

import json

import numpy as np
import pytest
import sympy
import torch
from scipy.integrate import quad_vec

from kan_tabular.bases import basis_from_spec

RNG = np.random.default_rng(0)
SKEWED = RNG.gamma(2.0, 1.5, 300) - 1.0
AWKWARD = {
    "two values": np.repeat([1.0, 2.0], [30, 3]),
    "integers": np.round(RNG.normal(size=500)),
    "mostly zero": np.concatenate([np.zeros(900), RNG.exponential(size=100)]),
    "nearly tied": np.concatenate([np.full(400, 3.0), 3.0 + 1e-9 * np.arange(10), [5.0]]),
    "Cauchy": RNG.standard_cauchy(1000),
    "lognormal": RNG.lognormal(sigma=2.0, size=1000),
    "large offset": 1e6 + RNG.uniform(-1, 1, 300),
    "tiny": 1e-200 * RNG.normal(size=100),
    "constant": np.full(20, 7.0),
}
WITH_TAIL = np.append(SKEWED, 1e6)


def around(basis):
    """Points inside, at both ends and outside, near and far."""
    low, high = basis.domain
    far = (high - low) * np.array([1e-9, 0.1, 3.0, 1e3])
    return np.concatenate([low - far[::-1], np.linspace(low, high, 41), high + far])


class IntervalContract:
    @pytest.fixture(params=["linear ends", "trimmed"])
    def basis(self, make, request):
        return make().fit(SKEWED if request.param == "linear ends" else WITH_TAIL)

    @pytest.mark.parametrize("order", [0, 1, 2])
    def test_derivatives_are_those_of_automatic_differentiation(self, basis, order):
        low, high = basis.domain
        # Ends left out: there the second derivative jumps.
        x = torch.tensor(around(basis), dtype=torch.float64)
        x = x[(x != low) & (x != high)].requires_grad_()
        values = basis.derivative(x, order) if order else basis.evaluate(x)
        expected = basis.derivative(x.detach().numpy(), order + 1)
        scale = np.abs(expected).max()
        for k in range(basis.n_functions):
            own = torch.zeros_like(x)
            if values.requires_grad:
                (grad,) = torch.autograd.grad(values[:, k].sum(), x, retain_graph=True, allow_unused=True)
                own = own if grad is None else grad
            np.testing.assert_allclose(own.detach().numpy(), expected[:, k], rtol=1e-10, atol=1e-12 * scale)

    def test_gradcheck(self, basis):
        low, high = basis.domain
        x = low + (high - low) * torch.tensor([-2.0, -0.4, 0.05, 0.31, 0.5, 0.77, 1.3, 5.0], dtype=torch.float64)
        assert torch.autograd.gradcheck(basis.evaluate, (x.requires_grad_(),))

    def test_continuation_is_the_tangent_at_the_end_or_constant(self, basis):
        low, high = basis.domain
        for end, sign, held in ((low, -1, basis.hold_[0]), (high, 1, basis.hold_[1])):
            at = np.array([end])
            slope = 0.0 if held else basis.derivative(at)
            x = end + sign * (high - low) * np.array([0.01, 1.0, 40.0, 1e6])
            tangent = basis.evaluate(at) + (x - end)[:, None] * slope
            np.testing.assert_allclose(basis.evaluate(x), tangent, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(basis.derivative(x), 0 * tangent + slope, rtol=1e-12, atol=1e-12)
            assert not basis.derivative(x, 2).any()

    def test_a_far_tail_is_trimmed(self, make):
        low, high = make().fit(WITH_TAIL).domain
        assert low == SKEWED.min() and SKEWED.max() < high < 1e6

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_finite_with_finite_gradients_and_of_the_inputs_kind(self, basis, dtype):
        x = np.array([-1e6, -1e3, -1.0, 0.0, 0.7, 2.5, 10.0, 1e3, 1e6], dtype=dtype)
        x = np.concatenate([x, np.array(basis.domain, dtype)])
        exact = basis.evaluate(x.astype(float))
        # To the size of the row (far out, a slope of 0 is one of rounding size) and of the function on its range.
        inside = np.abs(basis.evaluate(np.linspace(*basis.domain, 201))).max(0)
        largest = np.maximum(np.abs(exact).max(1, keepdims=True), np.maximum(inside, 1.0))
        t = torch.tensor(x, requires_grad=True)
        for values in (basis.evaluate(x), basis.evaluate(t).detach().numpy()):
            assert values.dtype == dtype
            np.testing.assert_allclose(values / largest, exact / largest, rtol=0, atol=1e-4)
        for order in (1, 2):
            assert basis.derivative(x, order).dtype == basis.derivative(t, order).detach().numpy().dtype == dtype
        (slopes,) = torch.autograd.grad(basis.evaluate(t).sum(), t)
        assert slopes.dtype == t.dtype and torch.isfinite(slopes).all()

    @pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_a_row_does_not_depend_on_the_other_rows_or_the_shape(self, basis, kind, dtype):
        x = around(basis)[:48].astype(dtype)
        together = np.asarray(basis.evaluate(kind(x)))
        alone = np.stack([np.asarray(basis.evaluate(kind(v))) for v in x])
        np.testing.assert_array_equal(together, alone)
        np.testing.assert_array_equal(np.asarray(basis.evaluate(kind(x[::-1].copy())))[::-1], alone)
        cube = np.asarray(basis.evaluate(kind(x.reshape(2, 4, 6))))
        np.testing.assert_array_equal(cube, alone.reshape(2, 4, 6, -1))
        assert basis.evaluate(kind(x[:0])).shape == (0, basis.n_functions)

    @pytest.mark.parametrize("x", AWKWARD.values(), ids=AWKWARD)
    def test_awkward_columns(self, make, x):
        basis = make().fit(x)
        points = np.concatenate([x, [-1e6, 1e6] if np.ptp(x) > 1e-100 else x[:0]])
        t = torch.tensor(points, requires_grad=True)
        values = basis.evaluate(t)
        assert values.shape == (len(points), basis.n_functions) and torch.isfinite(values).all()
        (slopes,) = torch.autograd.grad(values.sum() + 0 * t.sum(), t)
        assert torch.isfinite(slopes).all()
        assert basis.penalty().shape == (basis.n_functions,) * 2 and np.isfinite(basis.penalty()).all()

    def test_the_unit_and_the_origin_of_a_column_do_not_matter(self, make):
        x = np.round(SKEWED * 2**20) / 2**20  # shifted without rounding
        plain, shifted, scaled = make().fit(x), make().fit(x + 2.0**20), make().fit(1000 * x)
        np.testing.assert_allclose(shifted.evaluate(x + 2.0**20), plain.evaluate(x), rtol=0, atol=1e-12)
        np.testing.assert_allclose(scaled.evaluate(1000 * x), plain.evaluate(x), rtol=0, atol=1e-11)
        np.testing.assert_allclose(scaled.penalty(), plain.penalty(), rtol=1e-7, atol=1e-7 * plain.penalty().max())

    def test_weights_are_frequencies(self, make):
        rng = np.random.default_rng(3)
        x, repeats = np.round(rng.normal(size=80), 1), rng.integers(1, 6, 80)
        weighted, repeated = make().fit(x, repeats.astype(float)), make().fit(np.repeat(x, repeats))
        np.testing.assert_allclose(weighted.evaluate(x), repeated.evaluate(x), rtol=0, atol=1e-12)

    def test_penalty_is_the_integrated_squared_curvature(self, basis):
        low, high = basis.domain

        def outer(x):
            curvature = basis.derivative(np.array([x]), 2)[0]
            return np.outer(curvature, curvature)

        # In units of the domain's width: curvature has units width^-2, the integral one more width.
        expected = (high - low) ** 3 * quad_vec(outer, low, high, epsrel=1e-11)[0]
        np.testing.assert_allclose(basis.penalty(), expected, rtol=1e-8, atol=1e-9 * np.abs(expected).max())

    def test_sympy_is_the_same_curve(self, basis):
        c = np.random.default_rng(4).normal(size=basis.n_functions)
        x = around(basis)[1:-1]
        expected = basis.evaluate(x) @ c
        symbol = sympy.Symbol("x")
        curve = sympy.lambdify(symbol, basis.to_sympy(c, symbol), "numpy")
        np.testing.assert_allclose(curve(x), expected, rtol=1e-9, atol=1e-9)

    def test_spec_is_plain_data_and_bitwise_the_same_basis(self, basis):
        again = basis_from_spec(json.loads(json.dumps(basis.to_spec())))
        x = around(basis)
        assert type(again) is type(basis) and again.domain == basis.domain
        assert again.n_functions == basis.n_functions and again.to_spec() == basis.to_spec()
        for order in (1, 2):
            np.testing.assert_array_equal(again.derivative(x, order), basis.derivative(x, order))
        np.testing.assert_array_equal(again.evaluate(x), basis.evaluate(x))
        np.testing.assert_array_equal(again.penalty(), basis.penalty())


def condition(basis, n=2000):
    """Condition number of the design matrix, with the layer's constant, on n uniform points."""
    x = np.linspace(-1.0, 1.0, n)
    return np.linalg.cond(np.column_stack([np.ones(n), basis.fit(x).evaluate(x)]))
