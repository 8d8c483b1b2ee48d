"""`NodeSpline` and the contraction with its coefficients in one step, with a hand-written backward pass.

Plain form: ``basis.evaluate(h)`` and a matrix product. Here the functions are written once into the matrix that the
product reads, and the backward pass reuses the squares that the cubes needed. In memory the rows come last, so that
each function of all nodes of a member is one contiguous block.
"""

from __future__ import annotations

import torch


class _Contract(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, coefficients, bias, basis):
        h = h.permute(1, 2, 0).contiguous()
        members, width, rows = h.shape
        slopes = basis.slopes.tolist()
        phi = h.new_empty(members, basis.n_functions, width, rows)
        v, v2, v3, *bends = phi.unbind(1)
        root = torch.square(h).add_(9).rsqrt_()  # v = u / 3 = h / sqrt(9 + h^2)
        torch.mul(h, root, out=v)
        torch.mul(v, v, out=v2)
        torch.mul(v2, v, out=v3)
        squares = []
        starts = torch.as_tensor(basis.starts, dtype=h.dtype, device=h.device).unbind()
        for bend, slope, start in zip(bends, slopes, starts, strict=True):
            reach = torch.add(start, v, alpha=3 * slope).relu_()
            squares.append(torch.square(reach))
            torch.mul(squares[-1], reach, out=bend)
        ctx.save_for_backward(root, phi, coefficients, *squares)
        ctx.slopes = slopes
        curves, phi = coefficients.transpose(1, 2), phi.flatten(1, 2)
        out = torch.bmm(curves, phi) if bias is None else torch.baddbmm(bias.transpose(1, 2), curves, phi)
        return out.transpose(1, 2)

    @staticmethod
    def backward(ctx, grad):
        root, phi, coefficients, *squares = ctx.saved_tensors
        members, k, width, rows = phi.shape
        d_coefficients = torch.bmm(phi.flatten(1, 2), grad)
        d_bias = grad.sum(1, keepdim=True) if ctx.needs_input_grad[2] else None
        if not ctx.needs_input_grad[0]:
            return None, d_coefficients, d_bias, None
        # 9 times the derivative in v; dv/dh = 9 root^3.
        v, v2 = phi[:, 0], phi[:, 1]
        if grad.shape[2] == 1:  # one output: the edge's own slope, then its gradient
            c = coefficients.view(members, k, width, 1)
            slope = torch.addcmul(9 * c[:, 0], 18 * c[:, 1], v).addcmul_(27 * c[:, 2], v2)
            for i, (square, a) in enumerate(zip(squares, ctx.slopes, strict=True)):
                slope.addcmul_(81 * a * c[:, 3 + i], square)
            slope.mul_(grad.transpose(1, 2))
        else:
            d_phi = torch.bmm(coefficients, grad.transpose(1, 2)).view(members, k, width, rows)
            d1, d2, d3, *d_bends = d_phi.unbind(1)
            slope = torch.addcmul(9 * d1, d2, v, value=18).addcmul_(d3, v2, value=27)
            for d_bend, square, a in zip(d_bends, squares, ctx.slopes, strict=True):
                slope.addcmul_(d_bend, square, value=81 * a)
        return slope.mul_(root).mul_(root).mul_(root).permute(2, 0, 1), d_coefficients, d_bias, None


def contract(h, coefficients, basis, bias=None):
    """Bias plus the sum of curves of every node: (members, rows, outputs).

    Parameters
    ----------
    h : tensor (rows, members, width)
        Read without a copy where the rows come last in memory, as they do in the result.
    coefficients : tensor (members, K * width, outputs)
        Function by function, node by node.
    basis : NodeSpline
    bias : tensor (members, 1, outputs), optional
    """
    return _Contract.apply(h, coefficients, bias, basis)
