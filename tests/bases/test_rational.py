"""Rational functions against numpy.polynomial, their presets' targets and automatic differentiation."""

import numpy as np
import pytest
import torch
from basis_contract import CHECKS, SKEWED, check_formula, check_spec
from numpy.polynomial import Polynomial
from scipy.integrate import quad
from scipy.special import expit, ndtr
from scipy.stats import norm

from kan_tabular.bases import Rational
from kan_tabular.bases.rational import PRESETS

TARGETS = {
    "gelu": (lambda u: u * ndtr(u), 5.1e-4),
    "identity": (lambda u: u, 1e-15),
    "sigmoid": (expit, 2e-9),
    "swish": (lambda u: u * expit(u), 5e-7),
    "tanh": (np.tanh, 1.5e-6),
}
U = np.linspace(-3, 3, 2001)


def unit(preset="swish"):
    """A basis whose input is u itself."""
    return Rational(preset).fit(np.array([-3.0, 3.0]))


def drawn(seed=0, shape=()):
    """Parameters whose denominators change sign inside the range."""
    rng = np.random.default_rng(seed)
    return {"numerator": rng.normal(size=(*shape, 6)), "denominator": rng.normal(size=(*shape, 4))}


def fitted(seed=None):
    basis = Rational().fit(SKEWED)
    return basis if seed is None else basis.at(drawn(seed))


def fit_preset(target):
    """Least squares on Chebyshev points of [-3, 3] with an even denominator (Sanathanan and Koerner's iteration)."""
    u = 3 * np.cos(np.pi * (np.arange(400) + 0.5) / 400)
    y, above, below = target(u), u[:, None] ** np.arange(6), u[:, None] ** [2, 4]
    scale = np.ones_like(u)
    for _ in range(30):
        design = np.hstack([above, -y[:, None] * below])
        c = np.linalg.lstsq(design / scale[:, None], y / scale, rcond=None)[0]
        scale = 1 + below @ c[6:]
    assert scale.min() >= 1  # Q does not change sign, so |Q| is Q
    return c[:6], np.array([0, c[6], 0, c[7]])


@pytest.mark.parametrize("preset", TARGETS)
def test_presets_are_their_functions(preset):
    target, tolerance = TARGETS[preset]
    error = np.abs(unit(preset).evaluate(U)[:, 0] - target(U)).max()
    assert tolerance / 10 < error < tolerance or preset == "identity" and error <= tolerance


@pytest.mark.parametrize("preset", TARGETS)
def test_preset_constants_are_reproduced(preset):
    for own, expected in zip(PRESETS[preset], fit_preset(TARGETS[preset][0]), strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-6, atol=1e-9)
    assert set(PRESETS) == set(TARGETS)


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_values_and_derivatives_are_the_quotients(seed):
    basis = unit() if seed is None else unit().at(drawn(seed))
    p = Polynomial(basis.parameters()["numerator"])
    q = Polynomial(np.r_[0.0, basis.parameters()["denominator"]])
    sign, u = np.sign(q(U)), U[1:-1]
    u, sign = u[np.abs(q(u)) > 1e-9], sign[1:-1][np.abs(q(u)) > 1e-9]
    d, d1, d2 = 1 + sign * q(u), sign * q.deriv()(u), sign * q.deriv(2)(u)
    first = (p.deriv()(u) * d - p(u) * d1) / d**2
    second = p.deriv(2)(u) / d - 2 * p.deriv()(u) * d1 / d**2 - p(u) * d2 / d**2 + 2 * p(u) * d1**2 / d**3
    np.testing.assert_allclose(basis.evaluate(u)[:, 0], p(u) / d, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(basis.derivative(u)[:, 0], first, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(basis.derivative(u, 2)[:, 0], second, rtol=1e-10, atol=1e-10 * np.abs(second).max())


@pytest.mark.parametrize("preset", TARGETS)
def test_gain_keeps_the_variance(preset):
    target = TARGETS[preset][0]
    expected = 1 / quad(lambda u: target(u) ** 2 * norm.pdf(u), -12, 12, points=[0])[0]
    # The continuation outside [-3, 3] is a line: a part in a hundred of the square of gelu's tail.
    np.testing.assert_allclose(Rational(preset).gain, expected, rtol=5e-3)
    x = np.random.default_rng(0).normal(size=200_000)
    own = Rational(preset).gain * np.mean(unit(preset).evaluate(x) ** 2)
    np.testing.assert_allclose(own, 1.0, atol=0.02)


def test_gain_is_that_of_the_learned_function():
    double = {"numerator": [0.0, 2.0, 0, 0, 0, 0], "denominator": [0.0, 0, 0, 0]}
    basis = fitted().at({k: np.array(v) for k, v in double.items()})
    np.testing.assert_allclose(basis.gain, 0.25)
    assert basis.domain == fitted().domain


def test_nodes_have_their_own_parameters_and_groups_share_them():
    basis, parameters = fitted(), drawn(shape=(4, 2))
    x = np.random.default_rng(1).normal(1.0, 4.0, (4, 2, 30))
    values, slopes = basis.evaluate(x, parameters), basis.derivative(x, 1, parameters)
    assert values.shape == slopes.shape == (4, 2, 30, 1)
    for i in np.ndindex(4, 2):
        node = basis.at({name: v[i] for name, v in parameters.items()})
        np.testing.assert_allclose(values[i], node.evaluate(x[i]), rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(slopes[i], node.derivative(x[i]), rtol=1e-13, atol=1e-13)
    shared = basis.evaluate(x, {name: v[:1, :1] for name, v in parameters.items()})
    np.testing.assert_array_equal(shared[0, 0], values[0, 0])
    np.testing.assert_array_equal(basis.evaluate(x, basis.parameters()), basis.evaluate(x))


def test_gradients_reach_inputs_and_parameters():
    basis = fitted()
    x = torch.tensor(np.random.default_rng(2).normal(1.0, 5.0, (3, 8)), requires_grad=True)
    a, b = (torch.tensor(v, requires_grad=True) for v in drawn(shape=(3,)).values())
    assert torch.autograd.gradcheck(lambda x, a, b: basis.evaluate(x, {"numerator": a, "denominator": b}), (x, a, b))


@pytest.mark.parametrize("preset", TARGETS)
def test_denominators_that_start_at_zero_can_leave_it(preset):
    start = {k: torch.tensor(v, requires_grad=True) for k, v in Rational(preset).parameters().items()}
    x = torch.tensor([-2.0, 0.5, 1.5], dtype=torch.float64)
    (gradient,) = torch.autograd.grad(unit(preset).evaluate(x, start).sum(), start["denominator"])
    assert (gradient != 0).all()


@pytest.mark.parametrize("preset", [*TARGETS, "drawn"])
def test_single_precision_gradients_are_finite_far_outside(preset):
    start = drawn() if preset == "drawn" else Rational(preset).parameters()
    start = {k: torch.tensor(v, dtype=torch.float32, requires_grad=True) for k, v in start.items()}
    x = torch.tensor([-1e6, -300.0, -3.0, 0.0, 2.0, 1e3, 1e6], requires_grad=True)
    values = unit().evaluate(x, start)
    assert values.dtype == torch.float32 and torch.isfinite(values).all()
    for gradient in torch.autograd.grad(values.sum(), (x, *start.values())):
        assert torch.isfinite(gradient).all() and gradient.dtype == torch.float32


@pytest.mark.parametrize("preset", TARGETS)
def test_penalty_is_the_integrated_squared_curvature(preset):
    target = TARGETS[preset][0]
    curvature = Rational(preset).fit(np.array([0.0, 1.0]))

    def squared(x, step=1e-3):
        u = 6 * x - 3
        return ((target(u + step) - 2 * target(u) + target(u - step)) / step**2 * 36) ** 2

    own = curvature.penalty()
    assert own.shape == (1, 1)
    tolerance = 0.1 if preset == "gelu" else 1e-4  # the preset's curvature is further from gelu's than its values
    np.testing.assert_allclose(own[0, 0], quad(squared, 0, 1)[0], rtol=tolerance, atol=1e-6)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("seed", [None, 4])
def test_contract(check, seed):
    """At the start, and with a function that a node learned."""
    check(lambda *column: Rational().fit(*column).at(Rational().parameters() if seed is None else drawn(seed)))


@pytest.mark.parametrize("preset", TARGETS)
def test_every_preset_is_saved_and_written_out(preset):
    check_formula(Rational(preset).fit)
    check_spec(Rational(preset).fit)


@pytest.mark.parametrize("n_groups", [0, -1, 2.5, True, "all"])
def test_bad_numbers_of_groups_are_refused(n_groups):
    with pytest.raises(ValueError, match="n_groups"):
        Rational(n_groups=n_groups)


def test_unknown_presets_and_orders_are_refused():
    with pytest.raises(ValueError, match="gelu, identity"):
        Rational("relu6")
    with pytest.raises(ValueError, match="order=3"):
        unit().derivative(U, 3)
