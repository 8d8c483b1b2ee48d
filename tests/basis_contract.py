"""What every basis of a column promises, checked alike for each family.

A family's test file runs them by ``@pytest.mark.parametrize("check", CHECKS)``, each on a `fit`: a function of a
column, and maybe weights, that returns a new basis fitted to it. What is special about a family, its functions above
all, is tested in its own file against an independent source.
"""

import json

import numpy as np
import sympy
import torch
from scipy.integrate import simpson

from kan_tabular.bases import basis_from_spec

_RNG = np.random.default_rng(0)
SKEWED = _RNG.gamma(2.0, 1.5, 300) - 1.0
WITH_TAIL = np.append(SKEWED, 1e6)
AWKWARD = {
    "constant": np.full(20, 7.0),
    "two values": np.repeat([1.0, 2.0], [30, 3]),
    "three values": np.repeat([0.0, 1.0, 10.0], [90, 5, 1]),
    "one of another value": np.append(np.zeros(999), 1.0),
    "integers": np.round(_RNG.normal(size=500)),
    "mostly zero": np.concatenate([np.zeros(900), _RNG.exponential(size=100)]),
    "nearly tied at the end": np.concatenate([np.full(400, 3.0), 3.0 + 1e-9 * np.arange(10), [5.0]]),
    "nearly tied inside": np.concatenate([np.linspace(0, 5, 50), 3.0 + 1e-9 * np.arange(400)]),
    "Cauchy": _RNG.standard_cauchy(1000),
    "lognormal": _RNG.lognormal(sigma=2.0, size=1000),
    "large offset": 1e6 + _RNG.uniform(-1, 1, 300),
    "tiny": 1e-200 * _RNG.normal(size=100),
}


def both(fit):
    """Fitted to a plain column, and to one whose upper tail is trimmed (curves are constant there)."""
    return fit(SKEWED), fit(WITH_TAIL)


def around(basis, n=31):
    """Points inside and outside, near and far, none at an end or on a regular grid's point."""
    low, high = basis.domain
    away = (high - low) * np.array([1e-9, 0.1, 3.0, 1e3])
    inside = low + (high - low) * (np.arange(n) + 0.3741) / n
    return np.concatenate([low - away[::-1], inside, high + away])


def constant_ends(basis):
    """Whether curves are constant beyond each end."""
    return [held or getattr(basis, "flat_ends", False) for held in basis.hold_]


def check_a_far_tail_is_trimmed(fit):
    low, high = fit(WITH_TAIL).domain
    assert low == SKEWED.min() and SKEWED.max() < high < 1e6
    assert fit(SKEWED).domain == (SKEWED.min(), SKEWED.max())


def check_continuation(fit):
    """Curves go on along the tangent at the end, whose slope is measured from inside, or are constant."""
    for basis in both(fit):
        width = basis.domain[1] - basis.domain[0]
        for end, inward, constant in zip(basis.domain, (1, -1), constant_ends(basis), strict=True):
            step = inward * 1e-6 * width
            near = basis.evaluate(end + step * np.arange(3))
            measured = (-3 * near[0] + 4 * near[1] - near[2]) / (2 * step) * (not constant)
            slope = np.zeros(basis.n_functions) if constant else basis.derivative(np.array([end]))[0]
            scale = np.abs(basis.derivative(around(basis))).max() + 1 / width
            np.testing.assert_allclose(slope, measured, rtol=0, atol=1e-6 * scale)
            away = np.array([1e-9, 0.5, 40.0, 1e6])
            x = end - inward * width * away
            tangent = basis.evaluate(np.array([end])) + np.multiply.outer(x - end, slope)
            rounding = 1e-10 + 1e-10 * np.abs(tangent) + 1e-13 * away[:, None]  # of the slope, far outside
            assert (np.abs(basis.evaluate(x) - tangent) <= rounding).all()
            np.testing.assert_allclose(basis.derivative(x), np.tile(slope, (4, 1)), rtol=1e-10, atol=1e-10)
            assert not basis.derivative(x, 2).any()


def check_derivatives(fit):
    """They are those of automatic differentiation, NumPy's and torch's alike."""
    for basis in both(fit):
        x = around(basis)
        t = torch.tensor(x, requires_grad=True)
        for order in (0, 1, 2):
            expected, values = basis.derivative(x, order), basis.derivative(t, order)
            assert values.dtype == torch.float64
            own, scale = values.detach().numpy(), np.abs(expected).max(initial=1e-300)
            np.testing.assert_allclose(own, expected, rtol=1e-12, atol=1e-12 * scale)
            if order == 2:
                break
            expected = basis.derivative(x, order + 1)
            scale = np.abs(expected).max(initial=1e-300)
            for k in range(basis.n_functions):
                own = torch.zeros_like(t)
                if values.requires_grad:
                    own = torch.autograd.grad(values[:, k].sum(), t, retain_graph=True, materialize_grads=True)[0]
                np.testing.assert_allclose(own.numpy(), expected[:, k], rtol=1e-9, atol=1e-11 * scale)
        np.testing.assert_array_equal(basis.derivative(x, 0), basis.evaluate(x))


def check_slopes(fit):
    """Automatic differentiation and finite differences give the same slopes."""
    for basis in both(fit):
        low, high = basis.domain
        x = low + (high - low) * torch.tensor([-2.0, -0.41, 0.053, 0.317, 0.513, 0.771, 1.3, 5.0], dtype=torch.float64)
        assert torch.autograd.gradcheck(basis.evaluate, (x.requires_grad_(),))


def check_single_and_double_precision(fit):
    """Values, derivatives and gradients are finite, of the input's kind, and near to double precision."""
    for basis in both(fit):
        inside = np.abs(basis.evaluate(np.linspace(*basis.domain, 201))).max(0)
        for dtype in ("float32", "float64"):
            x = np.array([-1e6, -1e3, -1.0, 0.0, 0.321, 2.5, 10.0, 1e3, 1e6, *basis.domain], dtype)
            t = torch.tensor(x, requires_grad=True)
            exact = basis.evaluate(x.astype(float))
            # Far outside, rounding of the slopes is worth as much as the largest function.
            largest = np.maximum(np.abs(exact).max(1, keepdims=True), np.maximum(inside, 1.0))
            for own in (basis.evaluate(x), basis.evaluate(t).detach().numpy()):
                assert own.dtype == dtype
                np.testing.assert_allclose(own / largest, exact / largest, rtol=0, atol=1e-4)
            for order in (1, 2):
                for own in (basis.derivative(x, order), basis.derivative(t, order).detach().numpy()):
                    assert own.dtype == dtype and np.isfinite(own).all()
            (slopes,) = torch.autograd.grad(basis.evaluate(t).sum(), t)
            assert slopes.dtype == t.dtype and torch.isfinite(slopes).all()


def check_rows_are_independent(fit):
    """A row's numbers are its own, bit by bit, whatever rows are beside it and in any shape."""
    for basis in both(fit):
        for dtype in ("float32", "float64"):
            x = around(basis, 40).astype(dtype)  # longer than a vector register
            for kind in (np.asarray, torch.tensor):
                together = np.asarray(basis.evaluate(kind(x)))
                alone = np.stack([np.asarray(basis.evaluate(kind(v))) for v in x])
                np.testing.assert_array_equal(together, alone)
                np.testing.assert_array_equal(np.asarray(basis.evaluate(kind(x[::-1].copy())))[::-1], alone)
                mates = np.append(x, np.asarray([np.nan, 1e9], dtype))
                np.testing.assert_array_equal(np.asarray(basis.evaluate(kind(mates)))[:-2], alone)
                cube = np.asarray(basis.evaluate(kind(x.reshape(2, 4, 6))))
                np.testing.assert_array_equal(cube, alone.reshape(2, 4, 6, -1))
                assert basis.evaluate(kind(x[:0])).shape == (0, basis.n_functions)


def check_awkward_columns(fit):
    for name, x in AWKWARD.items():
        basis = fit(x)
        n = basis.n_functions
        points = np.concatenate([x, [-1e6, 1e6] if name != "tiny" else x[:0]])  # 1e206 widths away
        t = torch.tensor(points, requires_grad=True)
        values = basis.evaluate(t)
        assert values.shape == (len(points), n) and torch.isfinite(values).all(), name
        (slopes,) = torch.autograd.grad(values.sum() + 0 * t.sum(), t)
        assert torch.isfinite(slopes).all(), name
        if name != "tiny":  # its curvature would have units 1e400
            assert all(np.isfinite(basis.derivative(points, order)).all() for order in (1, 2)), name
        penalty = basis.penalty()
        largest = np.abs(penalty).max(initial=0.0)
        assert penalty.shape == (n, n) and np.isfinite(penalty).all(), name
        np.testing.assert_allclose(penalty, penalty.T, rtol=0, atol=1e-13 * largest)
        assert n == 0 or np.linalg.eigvalsh(penalty).min() > -1e-9 * max(largest, 1.0), name
        np.testing.assert_array_equal(fit(x, np.ones(len(x))).evaluate(points), basis.evaluate(points))


def check_distinct_values_are_told_apart(fit):
    for name, x in AWKWARD.items():
        assert np.ptp(fit(x).evaluate(x), axis=0).max(initial=0.0) > 1e-3 or np.ptp(x) == 0, name


def check_the_unit_and_the_origin_of_a_column_do_not_matter(fit):
    x = np.round(SKEWED * 2**20) / 2**20  # shifted without rounding
    plain, shifted, scaled = fit(x), fit(x + 2.0**20), fit(1000 * x)
    at = np.where(np.arange(len(x)) % 2, x, x + 2.0**-21)
    tolerance = 1e-9 * max(np.abs(plain.evaluate(at)).max(), 1.0)
    np.testing.assert_allclose(shifted.evaluate(at + 2.0**20), plain.evaluate(at), rtol=0, atol=tolerance)
    np.testing.assert_allclose(scaled.evaluate(1000 * at), plain.evaluate(at), rtol=0, atol=tolerance)
    largest = np.abs(plain.penalty()).max()
    np.testing.assert_allclose(scaled.penalty(), plain.penalty(), rtol=1e-6, atol=1e-6 * largest)


def check_weights_are_frequencies(fit):
    rng = np.random.default_rng(3)
    x, repeats = np.round(rng.normal(size=80), 1), rng.integers(1, 6, 80)
    weighted, repeated = fit(x, repeats.astype(float)), fit(np.repeat(x, repeats))
    np.testing.assert_allclose(weighted.evaluate(x), repeated.evaluate(x), rtol=0, atol=1e-11)


def check_formula(fit):
    """The sympy expression is the curve, inside, at the ends and outside."""
    for basis in both(fit):
        c = np.random.default_rng(2).normal(size=basis.n_functions)
        x = np.concatenate([around(basis)[1:-1], basis.domain])
        symbol = sympy.Symbol("x")
        formula = sympy.lambdify(symbol, basis.to_sympy(c, symbol), "math")
        np.testing.assert_allclose([formula(v) for v in x.tolist()], basis.evaluate(x) @ c, rtol=1e-9, atol=1e-9)


def check_spec(fit):
    """Plain data, which rebuild the same basis to the last bit."""
    for basis in both(fit):
        again = basis_from_spec(json.loads(json.dumps(basis.to_spec())))
        assert type(again) is type(basis) and again.domain == basis.domain
        assert again.n_functions == basis.n_functions and again.to_spec() == basis.to_spec()
        x = around(basis)
        for order in (0, 1, 2):
            np.testing.assert_array_equal(again.derivative(x, order), basis.derivative(x, order))
        np.testing.assert_array_equal(again.evaluate(SKEWED), basis.evaluate(SKEWED))
        np.testing.assert_array_equal(again.penalty(), basis.penalty())


#: For ``@pytest.mark.parametrize("check", CHECKS)``.
CHECKS = [
    check_a_far_tail_is_trimmed,
    check_awkward_columns,
    check_continuation,
    check_derivatives,
    check_distinct_values_are_told_apart,
    check_formula,
    check_rows_are_independent,
    check_single_and_double_precision,
    check_slopes,
    check_spec,
    check_the_unit_and_the_origin_of_a_column_do_not_matter,
    check_weights_are_frequencies,
]


def assert_is_formula(basis, formulas, symbol):
    """Values and two derivatives in z on (-1, 1) are those of the sympy expressions `formulas` of `symbol`."""
    z = np.linspace(-0.9987, 0.9991, 211)
    low, high = basis.domain
    x = low + (high - low) * (z + 1) / 2
    for order in (0, 1, 2):
        columns = []
        for formula in formulas:
            own = sympy.lambdify(symbol, sympy.diff(formula, symbol, order), "numpy")
            columns.append(own(z) + 0 * z)
        expected = np.column_stack(columns) * (2 / (high - low)) ** order
        scale = max(np.abs(expected).max(), 1.0)
        np.testing.assert_allclose(basis.derivative(x, order) / scale, expected / scale, rtol=0, atol=1e-10)


def assert_penalty_integrates(basis, breaks=(-1.0, 1.0), corners=0.0):
    """The penalty is the squared second derivative, integrated by Simpson's rule between `breaks` in [-1, 1].

    In units of the domain's width: curvature has units width^-2, the integral one more width. `corners` are added.
    """
    low, high = basis.domain
    width, total = high - low, corners
    for a, b in zip(breaks[:-1], breaks[1:], strict=True):
        z = np.linspace(a, b, 4001)
        z[0], z[-1] = a + 1e-12, b - 1e-12  # one side of a jump
        second = basis.derivative(low + width * (z + 1) / 2, 2) * width**2
        total = total + simpson(second[:, :, None] * second[:, None, :], dx=(b - a) / 8000, axis=0)
    np.testing.assert_allclose(basis.penalty(), total, rtol=0, atol=1e-7 * np.abs(total).max())


def condition(basis, constant=True, n=2000):
    """Condition number of the design matrix on n uniform points, with or without the layer's constant."""
    x = np.linspace(-1.0, 1.0, n)
    design = basis.fit(x).evaluate(x)
    return np.linalg.cond(np.column_stack([np.ones(n), design]) if constant else design)
