"""Reference layers that ``networks.py layers`` times against, written from their published formulas.

Each maps (rows, width) to (rows, outputs). Everything that would slow them down without being part of the algorithm
(LayerNorm of the Gaussian layer, the separate scale of each spline) is left out.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import linear, silu


class CoxDeBoorLayer(nn.Module):
    """B-splines by the dense Cox-de Boor recursion, and a SiLU branch: the algorithm of efficient-kan.

    All G + k splines are built at every input by k passes over (rows, width, G + 2k) numbers; then two matrix products.

    Parameters
    ----------
    width, outputs : int
    generator : torch.Generator
    grid_size, degree : int
        G intervals on [-1, 1] and degree k.
    """

    def __init__(self, width, outputs, generator, grid_size=5, degree=3):
        super().__init__()
        self.degree = degree
        step = 2 / grid_size
        knots = step * torch.arange(-degree, grid_size + degree + 1, dtype=torch.float32) - 1
        self.register_buffer("knots", knots.expand(width, -1).contiguous())
        scale = width**-0.5
        self.base = nn.Parameter(scale * torch.randn(outputs, width, generator=generator))
        self.spline = nn.Parameter(scale * torch.randn(outputs, width * (grid_size + degree), generator=generator))

    def functions(self, x):
        """Splines of every input: (rows, width, G + k)."""
        x, t = x.unsqueeze(-1), self.knots
        b = ((x >= t[:, :-1]) & (x < t[:, 1:])).to(x.dtype)
        for p in range(1, self.degree + 1):
            rising = (x - t[:, : -(p + 1)]) / (t[:, p:-1] - t[:, : -(p + 1)])
            falling = (t[:, p + 1 :] - x) / (t[:, p + 1 :] - t[:, 1:-p])
            b = rising * b[..., :-1] + falling * b[..., 1:]
        return b

    def forward(self, x):
        return linear(silu(x), self.base) + linear(self.functions(x).flatten(1), self.spline)


class GaussianLayer(nn.Module):
    """Gaussian bumps ``exp(-((x - c) / h)^2)`` at K equidistant centres, and a SiLU branch: the layer of fast-kan.

    Parameters
    ----------
    width, outputs : int
    generator : torch.Generator
    n_functions : int
        K centres on [-2, 2]; h is their distance.
    """

    def __init__(self, width, outputs, generator, n_functions=8):
        super().__init__()
        self.register_buffer("centres", torch.linspace(-2, 2, n_functions))
        self.rate = (n_functions - 1) / 4
        scale = width**-0.5
        self.base = nn.Parameter(scale * torch.randn(outputs, width, generator=generator))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.spline = nn.Parameter(scale * torch.randn(outputs, width * n_functions, generator=generator))

    def functions(self, x):
        """Bumps of every input: (rows, width, K)."""
        return torch.exp(-(((x.unsqueeze(-1) - self.centres) * self.rate) ** 2))

    def forward(self, x):
        return linear(silu(x), self.base, self.bias) + linear(self.functions(x).flatten(1), self.spline)


class NodeSplineLayer(nn.Module):
    """This library's hidden layer with one member.

    Parameters
    ----------
    width, outputs : int
    generator : torch.Generator
    grid_size : int
    """

    def __init__(self, width, outputs, generator, grid_size=5):
        super().__init__()
        from kan_tabular.bases import NodeSpline

        self.basis = NodeSpline(grid_size)
        shape = (1, self.basis.n_functions * width, outputs)
        self.coefficients = nn.Parameter(width**-0.5 * torch.randn(shape, generator=generator))
        self.bias = nn.Parameter(torch.zeros(1, 1, outputs))

    def forward(self, x):
        from kan_tabular.training.kernels.node_spline import contract

        return contract(x.unsqueeze(1), self.coefficients, self.basis, self.bias).squeeze(0)
