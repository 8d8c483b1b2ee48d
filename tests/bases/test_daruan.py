"""Re-uploading circuits against products of complex 2 x 2 matrices."""

import numpy as np
import pytest
import torch
from basis_contract import CHECKS, SKEWED

from kan_tabular.bases import Daruan

CIRCUITS = [(1, "unit"), (2, "unit"), (3, "unit"), (6, "unit"), (1, "ternary"), (2, "ternary"), (3, "ternary")]
every_circuit = pytest.mark.parametrize("n_repetitions, ladder", CIRCUITS)


def rz(a):
    return np.diag([np.exp(-0.5j * a), np.exp(0.5j * a)])


def ry(a):
    c, s = np.cos(a / 2), np.sin(a / 2)
    return np.array([[c, -s], [s, c]], complex)


def simulated(theta, angle, ladder):
    """<Z> by Born's rule, from the gates' definitions."""
    r = len(theta) // 2 - 1
    state = np.array([[1, 1], [1, -1]]) / np.sqrt(2) @ np.array([1.0, 0.0], complex)
    for i in range(r):
        upload = (3**i if ladder == "ternary" else 1) * angle
        state = rz(upload) @ ry(theta[2 * i + 1]) @ rz(theta[2 * i]) @ state
    state = ry(theta[2 * r + 1]) @ rz(theta[2 * r]) @ state
    return abs(state[0]) ** 2 - abs(state[1]) ** 2


def fitted(n_repetitions=3, ladder="unit"):
    return Daruan(n_repetitions, ladder).fit(SKEWED)


def waves(basis, x, order=0):
    """Derivatives of the documented functions, by phase: d/dx cos(kt) = k t' cos(kt + pi/2)."""
    low, high = basis.domain
    rate = 1.5 * np.pi / (high - low)
    t, out = rate * (x - (low + high) / 2), [np.full_like(x, float(order == 0))]
    for k in range(1, (basis.n_functions - 1) // 2 + 1):
        for f in (np.cos, np.sin):
            out.append((k * rate) ** order * f(k * t + order * np.pi / 2))
    return np.stack(out, axis=-1)


@every_circuit
def test_circuit_is_the_matrix_product(n_repetitions, ladder):
    basis = Daruan(n_repetitions, ladder)
    theta = np.random.default_rng(0).uniform(-4, 4, (3, basis.n_angles))
    angles = np.linspace(-7, 7, 41)
    own = basis.circuit(theta[:, None], angles)
    expected = [[simulated(th, a, ladder) for a in angles] for th in theta]
    np.testing.assert_allclose(own, expected, rtol=0, atol=1e-10)


@every_circuit
def test_circuit_is_its_fourier_series(n_repetitions, ladder):
    basis = fitted(n_repetitions, ladder)
    theta = basis.start(np.random.default_rng(1))
    low, high = basis.domain
    x = np.linspace(low, high, 101)
    angle = 0.75 * np.pi * (2 * x - low - high) / (high - low)
    own = basis.evaluate(x) @ basis.coefficients(theta)
    np.testing.assert_allclose(own, [simulated(theta, a, ladder) for a in angle], rtol=0, atol=1e-10)
    # No more frequencies than stated, and the highest is used.
    assert basis.n_functions == (2 * n_repetitions + 1 if ladder == "unit" else 3**n_repetitions)
    assert np.abs(basis.coefficients(theta)[-2:]).max() > 1e-6


@pytest.mark.parametrize("longer", [3, 4, 7])
def test_extension_changes_no_function(longer):
    basis, theta = Daruan(3), Daruan(3).start(np.random.default_rng(3), (4, 2))
    deep, extended = Daruan(longer), Daruan(3).extended(theta, longer)
    assert extended.shape == (4, 2, deep.n_angles)
    angles = np.linspace(-5, 5, 31)
    before, after = basis.circuit(theta[..., None, :], angles), deep.circuit(extended[..., None, :], angles)
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-12)
    padded = np.zeros((4, 2, deep.n_functions))
    padded[..., : basis.n_functions] = basis.coefficients(theta)
    np.testing.assert_allclose(deep.coefficients(extended), padded, rtol=0, atol=1e-12)
    if longer > 3:  # and the new angles can learn
        t = torch.tensor(extended, requires_grad=True)
        (gradient,) = torch.autograd.grad(deep.circuit(t[..., None, :], torch.tensor(angles)).square().sum(), t)
        assert (gradient[..., basis.n_angles + 1 :: 2].abs().amax(-1) > 1e-3).all()


def test_a_ternary_ladder_extends_too_and_a_shorter_one_is_refused():
    theta, angles = Daruan(2, "ternary").start(np.random.default_rng(4)), np.linspace(-3, 3, 31)
    after = Daruan(3, "ternary").circuit(Daruan(2, "ternary").extended(theta, 3), angles)
    np.testing.assert_allclose(after, Daruan(2, "ternary").circuit(theta, angles), rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="at least 2"):
        Daruan(2).extended(theta, 1)


@every_circuit
def test_angles_have_gradients(n_repetitions, ladder):
    basis = Daruan(n_repetitions, ladder)
    theta = torch.tensor(basis.start(np.random.default_rng(5), (2,)), requires_grad=True)
    angle = torch.tensor([[-3.0, -0.2, 1.9]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda th, a: basis.circuit(th[:, None], a), (theta, angle))
    assert torch.autograd.gradcheck(basis.coefficients, (theta,))
    own = basis.coefficients(theta).detach().numpy()
    np.testing.assert_allclose(own, basis.coefficients(theta.detach().numpy()), rtol=0, atol=1e-13)
    assert basis.coefficients(theta.float()).dtype == torch.float32


@pytest.mark.parametrize("n_repetitions, ladder", [(3, "unit"), (10, "unit"), (3, "ternary")])
def test_start_gives_sines_as_cosines_and_slopes_alike(n_repetitions, ladder):
    basis = Daruan(n_repetitions, ladder)
    theta = basis.start(np.random.default_rng(6), (2000,))
    assert theta.shape == (2000, basis.n_angles)
    c = basis.coefficients(theta)
    assert np.abs(c.mean(0)).max() < 0.06
    power = (c[:, 1:] ** 2).mean(0).reshape(-1, 2)
    assert 0.08 < power.sum() / 2 < 0.2  # the mean square of the function, without its constant
    reached = np.cumsum(basis.uploads)
    power = power[reached - 1]
    np.testing.assert_allclose(power[:, 0], power[:, 1], rtol=0.25)
    slopes = np.sqrt(power.sum(1)) * reached
    assert slopes.max() < 2.5 * slopes.min()
    np.testing.assert_array_equal(theta, basis.start(np.random.default_rng(6), (2000,)))


@every_circuit
def test_functions_and_derivatives_are_waves(n_repetitions, ladder):
    basis = fitted(n_repetitions, ladder)
    x = np.linspace(*basis.domain, 301)[1:-1]
    np.testing.assert_allclose(basis.evaluate(x), waves(basis, x), rtol=0, atol=1e-10)
    for order in (1, 2):
        expected = waves(basis, x, order)
        np.testing.assert_allclose(
            basis.derivative(x, order), expected, rtol=0, atol=1e-10 * max(1, np.abs(expected).max())
        )


@every_circuit
def test_penalty_is_the_integrated_squared_curvature(n_repetitions, ladder):
    basis = fitted(n_repetitions, ladder)
    low, high = basis.domain
    x = low + (high - low) * (np.arange(20_000) + 0.5) / 20_000
    curvature = waves(basis, x, 2)
    expected = curvature.T @ curvature * (high - low) ** 4 / 20_000
    np.testing.assert_allclose(basis.penalty(), expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    assert not basis.penalty()[0].any()


def test_ends_of_the_range_are_not_the_same_point():
    low, high = fitted(1).evaluate(np.array(fitted(1).domain))
    assert np.abs(low - high).max() > 1


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("n_repetitions, ladder", [(3, "unit"), (2, "ternary")])
def test_contract(check, n_repetitions, ladder):
    check(lambda *column: Daruan(n_repetitions, ladder).fit(*column))


@pytest.mark.parametrize("n_repetitions, condition", [(1, 2.04), (3, 6.70), (5, 28.3)])
def test_condition_of_the_series(n_repetitions, condition):
    basis = fitted(n_repetitions)
    own = np.linalg.cond(basis.evaluate(np.linspace(*basis.domain, 2000)))
    np.testing.assert_allclose(own, condition, rtol=0.01)


@pytest.mark.parametrize("arguments", [(0, "unit"), (5, "ternary"), (3, "real")])
def test_bad_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="expected"):
        Daruan(*arguments)
