"""The fused contraction of hidden layers is the plain product of basis functions and coefficients."""

import pytest
import torch

from kan_tabular.bases import NodeSpline
from kan_tabular.training.kernels.node_spline import contract


def inputs(members, rows, width, outputs, basis):
    generator = torch.Generator().manual_seed(0)
    h = 3 * torch.randn(rows, members, width, dtype=torch.float64, generator=generator)
    shape = (members, basis.n_functions * width, outputs)
    c = torch.randn(shape, dtype=torch.float64, generator=generator)
    bias = torch.randn(members, 1, outputs, dtype=torch.float64, generator=generator)
    return h.requires_grad_(), c.requires_grad_(), bias.requires_grad_()


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("grid_size", [1, 4, 5])
def test_contraction_is_the_plain_product(outputs, grid_size):
    basis = NodeSpline(grid_size)
    h, c, bias = inputs(2, 6, 3, outputs, basis)
    phi = basis.evaluate(h.detach()).permute(1, 0, 3, 2).flatten(2)  # (members, rows, K * width)
    torch.testing.assert_close(contract(h, c, bias, basis), phi @ c + bias)


@pytest.mark.parametrize("outputs", [1, 3])
def test_gradients_are_right(outputs):
    basis = NodeSpline(5)
    assert torch.autograd.gradcheck(lambda h, c, bias: contract(h, c, bias, basis), inputs(2, 4, 3, outputs, basis))


def test_the_order_in_memory_changes_nothing():
    basis = NodeSpline(5)
    h, c, bias = inputs(2, 6, 3, 2, basis)
    rows_last = h.detach().permute(1, 2, 0).contiguous().permute(2, 0, 1)
    torch.testing.assert_close(contract(rows_last, c, bias, basis), contract(h, c, bias, basis), rtol=0, atol=0)


def test_far_values_stay_finite():
    basis = NodeSpline(5)
    h = torch.tensor([-1e18, -1e3, 0.0, 1e3, 1e18]).view(5, 1, 1).requires_grad_()
    c = torch.ones(1, basis.n_functions, 2, requires_grad=True)
    out = contract(h, c, torch.zeros(1, 1, 2), basis)
    out.sum().backward()
    assert torch.isfinite(out).all() and torch.isfinite(h.grad).all() and torch.isfinite(c.grad).all()
