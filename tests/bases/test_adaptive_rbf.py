"""Trained Gaussian bumps against their formula, quadrature and automatic differentiation."""

import json

import numpy as np
import pytest
import sympy
from basis_contract import CHECKS, SKEWED, around, assert_is_formula, assert_penalty_integrates

from kan_tabular.bases import AdaptiveRBF, basis_from_spec


def softplus(x):
    return np.log1p(np.exp(x))


def expected_shapes(increments, log_widths):
    """Centres and widths in [-1, 1] of one node, from the definition."""
    k = len(log_widths)
    floor = 0.005 * 2 / (k + 1)
    s = softplus(increments) + 1e-6
    gaps = floor + (2 - (k + 1) * floor) * s / s.sum()
    spacing = [(gaps[m] + gaps[m + 1]) / 2 for m in range(k)]
    return -1 + np.cumsum(gaps)[:-1], np.array(spacing) * (0.3 + np.exp(np.minimum(log_widths, 5)))


def trained(seed=0, nodes=(), basis=None):
    """Nonlinear parameters of nodes after some training."""
    basis = basis or AdaptiveRBF(5).fit(SKEWED)
    rng = np.random.default_rng(seed)
    return {name: v + rng.normal(size=(*nodes, len(v))) for name, v in basis.parameters().items()}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("n_centers", [2, 8])
def test_contract(check, n_centers):
    check(lambda *column: AdaptiveRBF(n_centers).fit(*column))


def test_centres_start_at_quantiles_and_widths_at_half_the_distance_of_the_neighbours():
    x = SKEWED
    basis = AdaptiveRBF(7).fit(x)
    centers, widths = basis.shapes()
    low, high = basis.domain
    expected = 2 * (np.quantile(x, np.arange(1, 8) / 8, method="hazen") - low) / (high - low) - 1
    np.testing.assert_allclose(centers, expected, atol=1e-12)
    edges = np.array([-1.0, *expected, 1.0])
    np.testing.assert_allclose(widths, (edges[2:] - edges[:-2]) / 2, rtol=1e-10)


@pytest.mark.parametrize("move", [0.0, 1.0])
def test_values_and_derivatives_are_the_formulas(move):
    basis, z = AdaptiveRBF(6).fit(SKEWED), sympy.Symbol("z")
    parameters = {name: v + move * np.sin(np.arange(len(v))) for name, v in basis.parameters().items()}
    basis = basis.at(parameters)
    shapes = expected_shapes(parameters["increments"], parameters["log_widths"])
    assert_is_formula(basis, [sympy.exp(-(((z - c) / h) ** 2)) for c, h in zip(*shapes, strict=True)], z)


def test_penalty_is_the_integrated_squared_curvature_however_narrow_the_bumps():
    basis = AdaptiveRBF(6).fit(np.random.default_rng(0).standard_cauchy(400))
    centers, widths = basis.shapes()
    assert widths.min() < 0.02
    spread = np.concatenate([centers + d * widths for d in range(-6, 7, 3)])
    assert_penalty_integrates(basis, np.unique(np.clip([-1.0, *spread, 1.0], -1, 1)))


@pytest.mark.parametrize(
    "x, n",
    [
        (np.tile([0.0, 1.0], 20), 2),
        (np.full(9, 2.0), 1),
        (np.concatenate([np.zeros(990), np.linspace(0.1, 1, 10)]), 8),
        (np.concatenate([np.linspace(0, 5, 50), 3.0 + 1e-9 * np.arange(400)]), 8),
    ],
    ids=["two values", "constant", "mostly zero", "nearly tied"],
)
def test_centres_are_distinct_and_spaced_under_ties(x, n):
    centers, widths = AdaptiveRBF(8).fit(x).shapes()
    edges = np.concatenate([[-1.0], centers, [1.0]])
    assert len(centers) == n and np.diff(edges).min() > 0.0099 * 2 / (n + 1)
    assert np.ptp(x) == 0 or widths.max() < 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [10.0, 300.0])
def test_no_parameters_collapse_reorder_or_blow_up_the_bumps(size, dtype):
    import torch

    basis = AdaptiveRBF(8).fit(SKEWED)
    rng = np.random.default_rng(3)
    q = {name: size * rng.normal(size=(50, len(v))).astype(dtype) for name, v in basis.parameters().items()}
    q["increments"][0] = -size
    q = {name: torch.tensor(v, requires_grad=True) for name, v in q.items()}
    x = torch.linspace(-20, 40, 30, dtype=q["increments"].dtype).expand(50, 30)
    like = torch.zeros(0, dtype=x.dtype)
    centers, widths = basis.at(q).shapes(like)
    edges = np.pad(centers.detach().numpy(), ((0, 0), (1, 1)), constant_values=((0, 0), (-1, 1)))
    gaps = np.diff(edges)
    assert gaps.min() > 0.0049 * 2 / 9
    assert (widths.detach().numpy() >= 0.299 * (edges[:, 2:] - edges[:, :-2]) / 2).all()
    values = basis.evaluate(x, q)
    gradients = torch.autograd.grad(values.sum(), list(q.values()))
    assert torch.isfinite(values).all() and all(torch.isfinite(g).all() for g in gradients)


def test_every_node_has_its_own_parameters():
    import torch

    basis = AdaptiveRBF(5).fit(SKEWED)
    q = trained(nodes=(2, 3))
    x = np.random.default_rng(1).normal(size=(2, 3, 7)) * 5
    values = basis.evaluate(x, q)
    slopes = basis.derivative(x, 1, q)
    tensors = {name: torch.tensor(v) for name, v in q.items()}
    np.testing.assert_allclose(basis.evaluate(torch.tensor(x), tensors).numpy(), values, rtol=1e-12, atol=1e-12)
    assert values.shape == slopes.shape == (2, 3, 7, 5)
    for i, j in np.ndindex(2, 3):
        own = basis.at({name: v[i, j] for name, v in q.items()})
        np.testing.assert_allclose(own.evaluate(x[i, j]), values[i, j], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(own.derivative(x[i, j]), slopes[i, j], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(basis.evaluate(x, basis.parameters()), basis.evaluate(x), rtol=1e-14)


def test_gradients_reach_the_parameters():
    import torch

    basis = AdaptiveRBF(4).fit(SKEWED)
    q = {name: torch.tensor(v, requires_grad=True) for name, v in trained(2, (2,), basis).items()}
    x = torch.tensor([[-9.0, -0.3, 1.1], [0.2, 3.3, 30.0]], dtype=torch.float64, requires_grad=True)

    def values(x, increments, log_widths):
        return basis.evaluate(x, {"increments": increments, "log_widths": log_widths})

    assert torch.autograd.gradcheck(values, (x, q["increments"], q["log_widths"]))


def test_a_trained_node_keeps_its_parameters_when_saved_and_as_a_formula():
    start = AdaptiveRBF(5).fit(SKEWED)
    basis = start.at(trained())
    x = around(basis)
    again = basis_from_spec(json.loads(json.dumps(basis.to_spec())))
    np.testing.assert_array_equal(again.evaluate(x), basis.evaluate(x))
    assert np.abs(basis.evaluate(x) - start.evaluate(x)).max() > 0.1
    c, symbol = np.array([1.0, -2.0, 0.5, 3.0, -1.0]), sympy.Symbol("x")
    formula = sympy.lambdify(symbol, basis.to_sympy(c, symbol), "math")
    np.testing.assert_allclose([formula(v) for v in x.tolist()], basis.evaluate(x) @ c, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n_centers, expected", [(8, 6.3), (13, 7.4), (23, 8.0)])
def test_the_design_is_well_conditioned_at_the_start(n_centers, expected):
    z = np.linspace(-1, 1, 2000)
    assert np.linalg.cond(AdaptiveRBF(n_centers).fit(z).evaluate(z)) == pytest.approx(expected, abs=0.1)
