"""Every family on a hidden node: finite, centred and of one scale, in NumPy and torch alike."""

import json

import numpy as np
import pytest
import sympy
import torch

from kan_tabular.bases import REGISTRY, Clipped, Legendre, Rational, basis_from_spec, families

FAMILIES = families()
LEARNED = sorted(set(families()) - set(families(linear=True)))
H = np.array([-1e6, -1e3, -40.0, -3.3, -1.07, -0.2, 0.011, 0.43, 1.91, 2.9, 37.0, 1e3, 1e6])


def node(name):
    return Clipped(REGISTRY[name]())


def learned(basis, *nodes, seed=0):
    """Parameters of nodes after some training; none for linear families."""
    rng = np.random.default_rng(seed)
    return {k: v + 0.3 * rng.normal(size=(*nodes, len(v))) for k, v in basis.parameters().items()}


def test_the_families_that_learn():
    assert LEARNED == ["adaptive_rbf", "daruan", "free_knots", "rational"]
    for name in FAMILIES:
        assert bool(node(name).parameters()) == (not node(name).linear) == (name in LEARNED)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_line_comes_first_and_the_others_are_centred_and_of_its_scale(name):
    basis = node(name)
    u = 3 * (2 * np.arange(6000) + 1) / 6000 - 3
    values = basis.evaluate(u / np.sqrt(1 - (u / 3) ** 2))
    np.testing.assert_allclose(values[:, 0], u / 3, atol=1e-12)
    assert values.shape[1] == basis.n_functions > 1
    np.testing.assert_allclose(values.mean(0), 0.0, atol=0.01)
    np.testing.assert_allclose(values.std(0), (u / 3).std(), rtol=0.05)
    assert np.abs(np.corrcoef(values.T) - np.eye(basis.n_functions)).max() < 1 - 1e-9  # no function twice


@pytest.mark.parametrize("name", FAMILIES)
def test_derivative_is_the_slope(name):
    basis, h = node(name), H[3:-3]
    for shapes in ([], [learned(basis)])[: 1 + (name in LEARNED)]:
        step = 1e-6
        slope = (basis.evaluate(h + step, *shapes) - basis.evaluate(h - step, *shapes)) / (2 * step)
        own = basis.derivative(h, 1, *shapes)
        np.testing.assert_allclose(own, slope, rtol=1e-6, atol=1e-6 * np.abs(slope).max())
        t = torch.tensor(h, requires_grad=True)
        tensors = [{k: torch.tensor(v) for k, v in parameters.items()} for parameters in shapes]
        np.testing.assert_allclose(basis.derivative(t, 1, *tensors).detach().numpy(), own, rtol=1e-10, atol=1e-12)
        (gradient,) = torch.autograd.grad(basis.evaluate(t, *tensors).sum(), t)
        np.testing.assert_allclose(gradient.numpy(), own.sum(-1), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_finite_everywhere_and_of_the_inputs_kind(name, dtype):
    basis, h = node(name), H.astype(dtype)
    exact = basis.evaluate(h.astype(float))
    t = torch.tensor(h, requires_grad=True)
    values = basis.evaluate(t)
    for own in (basis.evaluate(h), values.detach().numpy(), np.stack(basis.functions(h), axis=-1)):
        assert own.dtype == dtype
        np.testing.assert_allclose(own, exact, rtol=0, atol=1e-4 * np.abs(exact).max())
    assert basis.derivative(h).dtype == dtype and np.isfinite(basis.derivative(h)).all()
    (gradient,) = torch.autograd.grad(values.sum(), t)
    assert gradient.dtype == t.dtype and torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_spec_and_formula_are_the_same_curves(name):
    basis = node(name)
    again = basis_from_spec(json.loads(json.dumps(basis.to_spec())))
    assert again.to_spec() == basis.to_spec() and again.n_functions == basis.n_functions
    np.testing.assert_array_equal(again.evaluate(H), basis.evaluate(H))
    np.testing.assert_array_equal(again.penalty(), basis.penalty())
    c, symbol = np.random.default_rng(1).normal(size=basis.n_functions), sympy.Symbol("h")
    formula = sympy.lambdify(symbol, basis.to_sympy(c, symbol), "math")
    np.testing.assert_allclose([formula(v) for v in H.tolist()], basis.evaluate(H) @ c, rtol=1e-8, atol=1e-8)
    for key, value in basis.parameters().items():
        np.testing.assert_array_equal(again.parameters()[key], value)


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_node_of_every_member_has_its_own_parameters(name, dtype):
    basis = node(name)
    parameters = {k: v.astype(dtype) for k, v in learned(basis, 2, 3).items()}
    h = np.stack([np.tile(H, (3, 1)), np.tile(-H, (3, 1))]).astype(dtype)
    values, slopes = basis.evaluate(h, parameters), basis.derivative(h, 1, parameters)
    assert values.shape == slopes.shape == (2, 3, len(H), basis.n_functions) and values.dtype == dtype
    for member, width in np.ndindex(2, 3):
        own = {k: v[member, width] for k, v in parameters.items()}
        tolerance = {"rtol": 1e-5, "atol": 1e-5} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-12}
        np.testing.assert_allclose(values[member, width], basis.evaluate(h[member, width], own), **tolerance)
        np.testing.assert_allclose(slopes[member, width], basis.derivative(h[member, width], 1, own), **tolerance)
    tensors = {k: torch.tensor(v, requires_grad=True) for k, v in parameters.items()}
    t = torch.tensor(h, requires_grad=True)
    out = torch.stack(basis.functions(t, tensors), -1)
    assert out.dtype == t.dtype
    np.testing.assert_allclose(out.detach().numpy(), values, rtol=1e-4, atol=1e-4)
    for gradient in torch.autograd.grad((out * torch.linspace(1, 2, out.shape[-1])).sum(), [t, *tensors.values()]):
        assert torch.isfinite(gradient).all() and gradient.dtype == t.dtype and gradient.any()


def test_functions_that_are_the_line_are_left_out_unless_a_node_may_bend_them():
    assert Clipped(Legendre(6)).n_functions == 6
    straight = Clipped(Rational("identity"))  # straight only until it is trained
    assert straight.n_functions == 2
    values = straight.evaluate(np.linspace(-2, 2, 50))
    np.testing.assert_allclose(values[:, 1], values[:, 0], atol=1e-12)
