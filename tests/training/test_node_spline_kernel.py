"""The fused layer against its plain form and numerical derivatives."""

import numpy as np
import pytest
import torch

from kan_tabular.bases import NodeSpline
from kan_tabular.training.kernels.node_spline import contract

GRIDS = [1, 2, 5, 8]


def inputs(grid_size, outputs, dtype=torch.float64, rows=7, members=3, width=4):
    generator = torch.Generator().manual_seed(grid_size)
    basis = NodeSpline(grid_size)
    h = 2 * torch.randn(rows, members, width, generator=generator, dtype=torch.float64)
    h[0, 0, 0], h[1, 1, 1], h[2, 2, 2] = 25.0, -1e3, 0.0
    c = torch.randn(members, basis.n_functions * width, outputs, generator=generator, dtype=torch.float64)
    return basis, h.to(dtype).requires_grad_(), c.to(dtype).requires_grad_()


def plain(h, coefficients, basis):
    """Every node's functions, then every member's matrix product, by autograd."""
    _, members, width = h.shape
    c = coefficients.view(members, basis.n_functions, width, -1)
    return torch.einsum("nmwk,mkwo->mno", basis.evaluate(h), c)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("grid_size", GRIDS)
def test_numerical_derivatives(grid_size, outputs):
    basis, h, c = inputs(grid_size, outputs, rows=5, width=3)
    assert torch.autograd.gradcheck(lambda h, c: contract(h, c, basis), (h, c))


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("grid_size", GRIDS)
def test_values_and_gradients_are_those_of_the_plain_form(grid_size, outputs):
    basis, h, c = inputs(grid_size, outputs)
    own, expected = contract(h, c, basis), plain(h, c, basis)
    assert own.shape == (3, 7, outputs)
    np.testing.assert_allclose(own.detach().numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-12)
    # A gradient that differs from entry to entry, so that no two can be confused.
    seed = torch.linspace(-1, 2, own.numel(), dtype=torch.float64).view_as(own)
    for a, b in zip(torch.autograd.grad(own, (h, c), seed), torch.autograd.grad(expected, (h, c), seed), strict=True):
        assert a.abs().max() > 0.1
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("outputs", [1, 3])
def test_single_precision_stays_close_and_finite(outputs):
    basis, h, c = inputs(5, outputs, torch.float32)
    own, double = contract(h, c, basis), contract(h.double(), c.double(), basis)
    np.testing.assert_allclose(own.detach().numpy(), double.detach().numpy(), rtol=1e-4, atol=1e-4)
    far = torch.full((1, 3, 4), 1e6, requires_grad=True)
    out = contract(far, c, basis)
    (slope,) = torch.autograd.grad(out.sum(), far)
    assert torch.isfinite(out).all() and torch.isfinite(slope).all()


@pytest.mark.parametrize("outputs", [1, 3])
def test_neither_the_inputs_nor_other_rows_are_touched(outputs):
    basis, h, c = inputs(5, outputs)
    before_h, before_c = h.detach().clone(), c.detach().clone()
    out = contract(h, c, basis)
    out.sum().backward()
    assert torch.equal(h.detach(), before_h) and torch.equal(c.detach(), before_c)
    alone = torch.cat([contract(h.detach()[i : i + 1], c.detach(), basis) for i in range(len(h))], dim=1)
    np.testing.assert_allclose(out.detach().numpy(), alone.numpy(), rtol=1e-12, atol=1e-12)
    # Members do not see each other either.
    other = h.detach().clone()
    other[:, 1] += 1.0
    changed = contract(other, c.detach(), basis)
    np.testing.assert_allclose(changed[[0, 2]].numpy(), out.detach()[[0, 2]].numpy(), rtol=1e-12, atol=1e-12)
    assert not torch.allclose(changed[1], out.detach()[1])


def test_gradient_of_the_coefficients_alone():
    basis, h, c = inputs(5, 1)
    (own,) = torch.autograd.grad(contract(h.detach(), c, basis).sum(), c)
    (expected,) = torch.autograd.grad(plain(h.detach(), c, basis).sum(), c)
    np.testing.assert_allclose(own.numpy(), expected.numpy(), rtol=1e-10, atol=1e-12)


def test_the_bias_is_added_and_has_its_gradient():
    basis, h, c = inputs(5, 2)
    bias = torch.linspace(-1, 1, 6, dtype=torch.float64).view(3, 1, 2).requires_grad_()
    torch.testing.assert_close(contract(h, c, basis, bias), contract(h, c, basis) + bias)
    assert torch.autograd.gradcheck(lambda h, c, bias: contract(h, c, basis, bias), (h, c, bias))


def test_the_order_in_memory_changes_nothing():
    basis, h, c = inputs(5, 2)
    rows_last = h.detach().permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert torch.equal(contract(rows_last, c, basis), contract(h, c, basis))
