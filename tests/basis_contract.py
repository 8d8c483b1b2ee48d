"""What every basis of a column promises, as checks; `make` gives an unfitted basis. Formulas are tested elsewhere."""

import json

import numpy as np

from kan_tabular.bases import basis_from_spec


def skewed(n=300):
    return np.random.default_rng(0).gamma(2.0, 1.5, n) - 1.0


def both_fits(make):
    """Fitted to a plain column and to one whose upper tail is trimmed (held constant there)."""
    return make().fit(skewed()), make().fit(np.append(skewed(), 1e6))


def around(basis):
    """Points inside and outside the domain, none on a kink of a regular grid."""
    low, high = basis.domain
    width = high - low
    return np.concatenate([np.linspace(low + 0.0123 * width, high - 0.0071 * width, 14), [low - width, high + width]])


def check_continuation(make):
    for basis, trimmed in zip(both_fits(make), (False, True), strict=True):
        for end, sign in zip(basis.domain, (-1, 1), strict=True):
            x = end + sign * np.array([1e-9, 0.5, 40.0]) * (basis.domain[1] - basis.domain[0])
            slope = np.zeros(basis.n_functions) if trimmed and sign > 0 else basis.derivative(np.array([end]))[0]
            just_inside = basis.derivative(np.array([end - sign * 1e-9]))[0]
            if not trimmed:
                np.testing.assert_allclose(slope, just_inside, rtol=1e-6, atol=1e-6 * np.abs(slope).max())
            expected = basis.evaluate(np.array([end])) + np.multiply.outer(x - end, slope)
            np.testing.assert_allclose(basis.evaluate(x), expected, rtol=1e-10, atol=1e-10)
            np.testing.assert_allclose(basis.derivative(x), np.tile(slope, (3, 1)), rtol=1e-10, atol=1e-10)
            assert not basis.derivative(x, 2).any()


def check_derivative_is_the_slope(make):
    for basis in both_fits(make):
        x, step = around(basis), 1e-6 * (basis.domain[1] - basis.domain[0])
        for order in (1, 2):
            lower = basis.evaluate if order == 1 else basis.derivative
            slope = (lower(x + step) - lower(x - step)) / (2 * step)
            scale = np.abs(slope).max() + 1e-12
            np.testing.assert_allclose(basis.derivative(x, order) / scale, slope / scale, atol=1e-6)


def check_single_precision(make):
    import torch

    x = np.array([-1e6, -1e3, -1.0, 0.0, 0.321, 2.5, 10.0, 1e3, 1e6], dtype=np.float32)
    for basis in both_fits(make):
        t = torch.tensor(x, requires_grad=True)
        values = basis.evaluate(t)
        (gradient,) = torch.autograd.grad(values.sum(), t)
        assert values.dtype == gradient.dtype == torch.float32
        assert torch.isfinite(values).all() and torch.isfinite(gradient).all()
        exact = basis.evaluate(x.astype(float))
        for own in (values.detach().numpy(), basis.evaluate(x)):
            assert own.dtype == np.float32
            # Far outside, rounding of the slopes is worth as much as the largest function.
            assert (np.abs(own - exact) < 1e-5 * np.abs(exact).max(-1, keepdims=True) + 1e-5).all()
        assert basis.derivative(x).dtype == np.float32 and np.isfinite(basis.derivative(x)).all()


def check_rows_are_independent(make):
    for basis in both_fits(make):
        x = np.array([-40.0, -0.5, 0.0, 2.2, 5.0, 1e5])
        alone = np.concatenate([basis.evaluate(x[i : i + 1]) for i in range(len(x))])
        np.testing.assert_array_equal(basis.evaluate(x), alone)
        np.testing.assert_array_equal(basis.evaluate(x[::-1])[::-1], alone)
        np.testing.assert_array_equal(basis.evaluate(np.append(x, np.nan))[:-1], alone)
        np.testing.assert_array_equal(basis.evaluate(x.reshape(2, 3)), alone.reshape(2, 3, -1))
        np.testing.assert_array_equal(basis.evaluate(x[3]), alone[3])
        assert basis.evaluate(x[:0]).shape == (0, basis.n_functions)


def check_torch(make):
    import torch

    for basis in both_fits(make):
        x = around(basis)
        for order in (0, 1, 2):
            values = basis.derivative(x, order)
            own = basis.derivative(torch.tensor(x), order)
            assert isinstance(own, torch.Tensor) and own.dtype == torch.float64
            np.testing.assert_allclose(own.numpy(), values, rtol=1e-12, atol=1e-12 * np.abs(values).max())
        t = torch.tensor(x, requires_grad=True)
        assert torch.autograd.gradcheck(basis.evaluate, (t,))
        weights = torch.linspace(-1, 2, basis.n_functions, dtype=torch.float64)
        (slope,) = torch.autograd.grad((basis.evaluate(t) @ weights).sum(), t)
        np.testing.assert_allclose(slope.numpy(), basis.derivative(x) @ weights.numpy(), rtol=1e-10, atol=1e-10)


def check_awkward_columns(make):
    rng = np.random.default_rng(1)
    columns = [
        np.full(20, 3.0),
        np.tile([0.0, 1.0], 30),
        np.append(np.zeros(999), 1.0),
        np.concatenate([np.zeros(990), rng.exponential(size=10)]),
        np.round(rng.normal(size=200)),
        rng.standard_cauchy(500),
        np.concatenate([np.full(400, 3.0), 3.0 + 1e-9 * np.arange(10), [5.0]]),
    ]
    for x in columns:
        basis = make().fit(x)
        n, far = basis.n_functions, np.concatenate([x, [-1e6, 1e6]])
        for order in (0, 1, 2):
            assert basis.derivative(far, order).shape == (len(far), n) and n > 0
            assert np.isfinite(basis.derivative(far, order)).all()
        # Something tells distinct values apart.
        assert np.ptp(basis.evaluate(x), axis=0).max() > 1e-3 or np.ptp(x) == 0
        penalty = basis.penalty()
        assert penalty.shape == (n, n) and np.isfinite(penalty).all()
        np.testing.assert_allclose(penalty, penalty.T, rtol=0, atol=1e-13 * np.abs(penalty).max())
        assert np.linalg.eigvalsh(penalty).min() > -1e-9 * max(np.abs(penalty).max(), 1.0)
        np.testing.assert_array_equal(make().fit(x, np.ones(len(x))).evaluate(far), basis.evaluate(far))


def check_formula(make):
    import sympy

    for basis in both_fits(make):
        c = np.random.default_rng(2).normal(size=basis.n_functions)
        x = np.concatenate([around(basis), basis.domain])
        symbol = sympy.Symbol("x")
        formula = sympy.lambdify(symbol, basis.to_sympy(c, symbol), "math")
        np.testing.assert_allclose([formula(v) for v in x.tolist()], basis.evaluate(x) @ c, rtol=1e-9, atol=1e-9)


def check_spec(make):
    for basis in both_fits(make):
        again = basis_from_spec(json.loads(json.dumps(basis.to_spec())))
        x = np.concatenate([around(basis), skewed(), [-1e5, 1e5]])
        assert type(again) is type(basis) and again.domain == basis.domain
        np.testing.assert_array_equal(again.evaluate(x), basis.evaluate(x))
        np.testing.assert_array_equal(again.penalty(), basis.penalty())
        assert again.to_spec() == basis.to_spec()


#: For ``@pytest.mark.parametrize("check", CHECKS)``.
CHECKS = [
    check_awkward_columns,
    check_continuation,
    check_derivative_is_the_slope,
    check_formula,
    check_rows_are_independent,
    check_single_precision,
    check_spec,
    check_torch,
]


def assert_is_formula(basis, formulas, symbol):
    """Values and two derivatives in z on (-1, 1) are those of the sympy expressions `formulas` of `symbol`."""
    import sympy

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


def assert_penalty_integrates(basis, breaks=(-1.0, 1.0), corners=None):
    """The penalty is the squared second derivative, integrated by Simpson's rule between `breaks` in [-1, 1]."""
    from scipy.integrate import simpson

    low, high = basis.domain
    width, total = high - low, 0.0
    for a, b in zip(breaks[:-1], breaks[1:], strict=True):
        z = np.linspace(a, b, 4001)
        z[0], z[-1] = a + 1e-12, b - 1e-12  # one side of a jump
        second = basis.derivative(low + width * (z + 1) / 2, 2) * width**2
        total = total + simpson(second[:, :, None] * second[:, None, :], dx=(b - a) / 8000, axis=0)
    if corners is not None:
        total = total + corners
    np.testing.assert_allclose(basis.penalty(), total, rtol=0, atol=1e-6 * np.abs(total).max())
