"""Activation pairs against torch's activations, sympy's derivatives, quadrature and a fine search for the maximum."""

import numpy as np
import pytest
from basis_contract import CHECKS, SKEWED, assert_penalty_integrates

from kan_tabular.bases import ActivationPairs

ACTIVATIONS = ["silu", "gelu", "softplus", "relu"]
COMBINATIONS = {
    "quad1": lambda a, b: (a * b) ** 2,
    "quad2": lambda a, b: a * b + a**2 + b**2,
    "sum": lambda a, b: a + b,
    "prod": lambda a, b: a * b,
    "sum_prod": lambda a, b: a + b + a * b,
    "cubic1": lambda a, b: (a + b) * (a**2 + b**2),
    "cubic2": lambda a, b: (a * b) ** 3,
}
ALL = [(a, c) for a in ACTIVATIONS for c in COMBINATIONS]


def reference(activation, combination, z, grid_size=3, order=3):
    """The functions before scaling, by torch, at the tensor z (m, K)."""
    import torch
    from torch.nn import functional as F

    act = {
        "silu": F.silu,
        "gelu": lambda u: F.gelu(u, approximate="tanh"),
        "softplus": lambda u: F.softplus(u, threshold=100),
        "relu": F.relu,
    }[activation]
    start = -1 + 2 * (torch.arange(grid_size + order, dtype=torch.float64) - order) / grid_size
    end = start + 2 * (order + 1) / grid_size
    return COMBINATIONS[combination](act(z - start), act(end - z))


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("activation, combination", [("silu", "quad1"), ("gelu", "cubic1"), ("softplus", "sum_prod")])
def test_contract(check, activation, combination):
    check(lambda *column: ActivationPairs(activation=activation, combination=combination).fit(*column))


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("combination", ["quad1", "prod", "quad2"])
def test_contract_with_corners(check, combination):
    check(lambda *column: ActivationPairs(activation="relu", combination=combination).fit(*column))


@pytest.mark.parametrize("activation, combination", ALL)
def test_values_and_derivatives_are_torchs(activation, combination):
    import torch

    basis = ActivationPairs(activation=activation, combination=combination).fit(np.array([-1.0, 1.0]))
    points = np.linspace(-0.9987, 0.9991, 150)
    z = torch.tensor(points).repeat(6, 1).T.contiguous().requires_grad_()  # its own copy for each function
    functions = reference(activation, combination, z) * torch.tensor(basis.scales)  # tested below
    (first,) = torch.autograd.grad(functions.sum(), z, create_graph=True)
    (second,) = torch.autograd.grad((first + 0 * z).sum(), z, materialize_grads=True)
    for order, expected in enumerate((functions, first, second)):
        expected = expected.detach().numpy()
        scale = max(np.abs(expected).max(), 1.0)
        own = basis.derivative(points, order)
        np.testing.assert_allclose(own / scale, expected / scale, rtol=0, atol=1e-10)


@pytest.mark.parametrize("grid_size, order", [(1, 0), (5, 2)])
@pytest.mark.parametrize("activation, combination", ALL)
def test_largest_absolute_values_are_one(activation, combination, grid_size, order):
    basis = ActivationPairs(grid_size, order, activation, combination).fit(np.array([-1.0, 1.0]))
    largest = np.abs(basis.evaluate(np.linspace(-1, 1, 10_001))).max(0)
    assert basis.n_functions == grid_size + order
    np.testing.assert_allclose(largest, 1.0, rtol=0, atol=1e-6)
    assert largest.max() <= 1 + 1e-12


@pytest.mark.parametrize("combination", ["quad1", "sum", "cubic2"])
def test_penalty_is_the_integrated_squared_curvature(combination):
    assert_penalty_integrates(ActivationPairs(combination=combination).fit(SKEWED))


@pytest.mark.parametrize("combination", list(COMBINATIONS))
def test_with_relu_corners_are_part_of_the_penalty(combination):
    basis = ActivationPairs(4, 1, activation="relu", combination=combination).fit(np.array([-1.0, 1.0]))
    corners, near = np.array([-0.5, 0.0, 0.5]), 1e-9
    change = 2 * (basis.derivative(corners + near) - basis.derivative(corners - near))  # in units of the width, 2
    assert (np.abs(change).max() < 1e-6) == (combination in ("quad1", "cubic2"))
    assert_penalty_integrates(basis, np.linspace(-1, 1, 5), corners=change.T @ change / 0.25)


@pytest.mark.parametrize(
    "activation, combination, expected",
    [
        ("silu", "quad1", 489),
        ("silu", "prod", 2.65e4),
        ("silu", "cubic2", 307),
        ("gelu", "quad1", 185),
        ("gelu", "cubic2", 14),
        ("softplus", "quad1", 5.76e4),
        ("relu", "quad1", 79),
        ("relu", "cubic2", 42.7),
    ],
)
def test_conditioning_of_the_design(activation, combination, expected):
    z = np.linspace(-1, 1, 2000)
    basis = ActivationPairs(activation=activation, combination=combination).fit(z)
    np.testing.assert_allclose(np.linalg.cond(basis.evaluate(z)), expected, rtol=0.01)


@pytest.mark.parametrize("wrong", [{"activation": "tanh"}, {"combination": "quad3"}])
def test_unknown_names_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong.values()))!r}: expected one of"):
        ActivationPairs(**wrong)
