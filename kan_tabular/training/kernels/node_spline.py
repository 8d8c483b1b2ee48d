"""`NodeSpline` and the contraction with its coefficients in one step, with a hand-written backward pass.

Plain form: ``basis.evaluate(h)`` and a matrix product. Here the functions are written once into the matrix that the
product reads, and the backward pass reuses the squares that the cubes needed: about three times faster on a CPU.
"""

from __future__ import annotations

import torch


class _Contract(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, coefficients, basis):
        rows, members, width = h.shape
        root = torch.rsqrt(h.square().mul_(1 / 9).add_(1))
        u = h * root
        phi = torch.empty(rows, members, basis.n_functions, width, dtype=h.dtype, device=h.device)
        torch.mul(u, 1 / 3, out=phi[:, :, 0])
        torch.mul(phi[:, :, 0], phi[:, :, 0], out=phi[:, :, 1])
        torch.mul(phi[:, :, 1], phi[:, :, 0], out=phi[:, :, 2])
        squares = []
        for k, (slope, start) in enumerate(zip(basis.slopes.tolist(), basis.starts.tolist(), strict=True)):
            reach = torch.mul(u, slope).add_(start).clamp_(min=0)
            squares.append(reach * reach)
            torch.mul(squares[-1], reach, out=phi[:, :, 3 + k])
        ctx.save_for_backward(root, phi, coefficients, *squares)
        ctx.slopes = basis.slopes.tolist()
        return torch.bmm(phi.flatten(2).transpose(0, 1), coefficients)

    @staticmethod
    def backward(ctx, grad):
        root, phi, coefficients, *squares = ctx.saved_tensors
        rows, members, k, width = phi.shape
        d_coefficients = torch.bmm(phi.flatten(2).permute(1, 2, 0), grad)
        d_h = None
        if ctx.needs_input_grad[0]:
            v, v2 = phi[:, :, 0], phi[:, :, 1]
            if grad.shape[2] == 1:  # one output: the edge's own slope, then its gradient
                c = coefficients.view(members, k, width)
                slope = torch.addcmul(c[:, 0] / 3, c[:, 1] * (2 / 3), v).addcmul_(c[:, 2], v2)
                for i, (square, a) in enumerate(zip(squares, ctx.slopes, strict=True)):
                    slope.addcmul_(c[:, 3 + i] * (3 * a), square)
                slope.mul_(grad[:, :, 0].t().unsqueeze(-1))
            else:
                d_phi = torch.bmm(grad, coefficients.transpose(1, 2)).view(members, rows, k, width).transpose(0, 1)
                slope = (d_phi[:, :, 0] / 3).addcmul_(d_phi[:, :, 1], v, value=2 / 3).addcmul_(d_phi[:, :, 2], v2)
                for i, (square, a) in enumerate(zip(squares, ctx.slopes, strict=True)):
                    slope.addcmul_(d_phi[:, :, 3 + i], square, value=3 * a)
            d_h = slope.mul_(root).mul_(root).mul_(root)
        return d_h, d_coefficients, None


def contract(h, coefficients, basis):
    """Sum of curves of every node: (members, rows, outputs).

    Parameters
    ----------
    h : tensor (rows, members, width)
    coefficients : tensor (members, K * width, outputs)
        Function by function, node by node.
    basis : NodeSpline
    """
    return _Contract.apply(h, coefficients, basis)
