"""What every family on an interval must do, whatever its functions: checks that the families' tests call."""

import json

import numpy as np
import sympy
import torch

from kan_tabular.bases import basis_from_spec

COLUMNS = {
    "constant": np.full(50, 3.0),
    "two values": np.repeat([-1.0, 4.0], 30),
    "three values": np.repeat([0.0, 1.0, 10.0], [90, 5, 1]),
    "mostly zero": np.concatenate([np.zeros(900), np.random.default_rng(1).exponential(size=100)]),
    "nearly tied": np.concatenate([np.linspace(0, 5, 50), 3.0 + 1e-9 * np.arange(400)]),
    "heavy tails": np.random.default_rng(2).standard_cauchy(1000),
    "far from zero": 1e6 + np.random.default_rng(3).normal(size=300),
}


def skewed(n=300):
    return np.random.default_rng(0).gamma(2.0, 1.5, n) - 1.0


def points(basis, n=60):
    """Points inside and outside the domain, none at an end, a centre or a knot."""
    low, high = basis.domain
    away = (high - low) * np.array([1e-3, 0.7, 5.0])
    return np.concatenate([np.linspace(low, high, n + 1)[:-1] + (high - low) * 0.37 / n, low - away, high + away])


def check_continuation(basis):
    """Outside the range, curves are the tangents at the ends, whose slopes are measured from inside."""
    low, high = basis.domain
    for end, inward in ((low, 1.0), (high, -1.0)):
        step = inward * 1e-6 * (high - low)
        at = basis.evaluate(np.array([end, end + step, end + 2 * step]))
        slope = (-3 * at[0] + 4 * at[1] - at[2]) / (2 * step)
        x = end - inward * (high - low) * np.array([1e-9, 0.5, 4.0])
        tangent = at[0] + (x - end)[:, None] * slope
        np.testing.assert_allclose(basis.evaluate(x), tangent, rtol=1e-6, atol=1e-6 * np.abs(at).max())
        np.testing.assert_allclose(basis.derivative(x), np.tile(slope, (3, 1)), rtol=1e-6, atol=1e-7 / (high - low))
        assert not basis.derivative(x, 2).any()


def check_torch(basis):
    """Tensors give NumPy's numbers, and gradients are the derivatives."""
    x = points(basis)
    t = torch.tensor(x, requires_grad=True)
    values = basis.evaluate(t)
    assert values.dtype == torch.float64
    np.testing.assert_allclose(values.detach().numpy(), basis.evaluate(x), rtol=1e-12, atol=1e-12)
    for order in (1, 2):
        expected = basis.derivative(x, order)
        own = basis.derivative(torch.tensor(x), order).numpy()
        np.testing.assert_allclose(own, expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())
    assert torch.autograd.gradcheck(basis.evaluate, (t[::5].detach().requires_grad_(),))
    for k in range(basis.n_functions):
        (slope,) = torch.autograd.grad(values[:, k].sum(), t, retain_graph=True)
        np.testing.assert_allclose(slope.numpy(), basis.derivative(x)[:, k], rtol=1e-10, atol=1e-10)


def check_single_precision(basis):
    """Values and gradients are finite far outside, in NumPy and torch, and close to double precision."""
    x = np.array([-1e6, -1e5, -1e3, -1.0, 0.0, 2.5, 10.0, 1e3, 1e5, 1e6], dtype=np.float32)
    t = torch.tensor(x, requires_grad=True)
    values = basis.evaluate(t)
    (slope,) = torch.autograd.grad(values.sum(), t)
    assert values.dtype == torch.float32 and torch.isfinite(values).all() and torch.isfinite(slope).all()
    expected = basis.evaluate(x.astype(float))
    for own in (values.detach().numpy(), basis.evaluate(x)):
        assert own.dtype == np.float32
        np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-4 * np.abs(basis.evaluate(points(basis))).max())


def check_rows_and_shapes(basis):
    """A row's numbers are its own, bit by bit, in any shape."""
    x = np.concatenate([[-40.0, -0.5, 0.0, 2.2, 5.0, 1e5], skewed(45)])  # longer than a vector register
    alone = np.concatenate([basis.evaluate(x[i : i + 1]) for i in range(len(x))])
    np.testing.assert_array_equal(basis.evaluate(x), alone)
    np.testing.assert_array_equal(basis.evaluate(x[::-1])[::-1], alone)
    np.testing.assert_array_equal(basis.evaluate(np.append(x, 1e9))[:-1], alone)
    np.testing.assert_array_equal(basis.evaluate(x.reshape(1, 3, 17)), alone.reshape(1, 3, 17, -1))
    np.testing.assert_array_equal(basis.evaluate(np.asarray(2.2)), alone[3])
    assert basis.evaluate(x[:0]).shape == (0, basis.n_functions)


def check_formula(basis, atol=1e-9):
    """The sympy expression is the curve, inside and outside."""
    c = np.random.default_rng(4).normal(size=basis.n_functions)
    symbol, x = sympy.Symbol("x"), np.concatenate([points(basis, 30), basis.domain])
    expression = basis.to_sympy(c, symbol)
    own = [float(expression.subs(symbol, sympy.Float(float(v)))) for v in x]
    # A number has its rounding, which on a steep curve far from zero is more than the tolerance.
    rounding = 8 * np.finfo(float).eps * np.abs(x).max() * np.abs(basis.derivative(x) @ c).max()
    np.testing.assert_allclose(own, basis.evaluate(x) @ c, rtol=atol, atol=atol + rounding)


def check_spec(basis):
    again = basis_from_spec(json.loads(json.dumps(basis.to_spec())))
    assert type(again) is type(basis) and again.domain == basis.domain and again.to_spec() == basis.to_spec()
    x = points(basis)
    np.testing.assert_array_equal(again.evaluate(x), basis.evaluate(x))
    np.testing.assert_array_equal(again.derivative(x), basis.derivative(x))
    np.testing.assert_array_equal(again.penalty(), basis.penalty())


def check_column(basis, x):
    """Values, slopes and penalty of a basis fitted to a column `x` are finite on it and beyond, and the values vary."""
    basis.fit(x)
    at = np.concatenate([x, [x.min() - 10, x.max() + 10, -1e6, 1e6]])
    for numbers in (basis.evaluate(at), basis.derivative(at), basis.derivative(at, 2), basis.penalty()):
        assert np.isfinite(numbers).all()
    low, high = basis.domain
    assert low <= np.median(x) <= high
    if high > low:
        assert np.ptp(basis.evaluate(np.linspace(low, high, 101)), axis=0).max() > 0.1
