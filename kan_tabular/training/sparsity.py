"""Sparse networks: whole edges shrink, and vanish, in units of what they add to their node."""

from __future__ import annotations

import math

import torch

#: Steps between two measurements of the hidden nodes.
_EVERY = 10


class EdgeSparsity:
    """Proximal steps of ``strength * sum_e n_e (1 + H / log E) / 2`` in every layer of E edges.

    ``n_e`` is the standard deviation of what edge e adds to its node, and H the entropy of the shares
    ``p_e = n_e / sum n``: L1 and entropy on measured edges, as KANs regularise them (Liu et al. 2024, section 2.5.1),
    joined so that no second strength is needed. The slope of the penalty in ``n_e`` is
    ``strength * (1 - log p_e / log E) / 2``: the strength itself for equal edges, less for those that carry much, more
    for those that carry little. The step takes that amount off the edge and sets what remains below zero to exactly
    zero (a group lasso; Yuan and Lin 2006).

    The design columns of one input are uncorrelated with variance 1 over the training rows, so in the first layer
    the norm of an edge's coefficients *is* ``n_e``. (Levels of a category and the missing column have less
    variance; their norm is an upper bound; columns whose functions are learned have the variance 1 at their start.)
    In hidden layers ``n_e^2 = c' G c`` with the covariance G of the functions of the edge's node over a batch: one
    matrix a node, and never a number for each row and edge.

    Parameters
    ----------
    strength : float
        Per unit of learning rate and step.
    sizes : list of int
        Design columns of each input.
    device : torch.device
    """

    def __init__(self, strength, sizes, device):
        self.strength = strength
        self.inputs = len(sizes)
        self.owner = torch.repeat_interleave(torch.arange(len(sizes)), torch.as_tensor(sizes)).to(device)
        self.used = int((torch.as_tensor(sizes) > 0).sum())
        self.steps, self.covariances = 0, None

    def shrink(self, network, rate, X):
        """One step, in place; hidden nodes are measured on the design rows `X` (rows, P)."""
        if not self.strength:
            return
        shape = network.n_members, network.basis.n_functions
        if self.steps % _EVERY == 0 or tuple(self.covariances[0].shape[:3:2]) != shape:
            self.covariances = list(self._measure(network, X))
        self.steps += 1
        theta = network.theta
        squares = network.edges().square()
        norm = torch.zeros(self.inputs, *squares.shape[1:], device=squares.device).index_add_(0, self.owner, squares)
        kept = self._kept(norm.sqrt(), (0, 2), self.used * norm.shape[2], rate)
        theta.mul_(kept[self.owner])
        for layer, (coefficients, G) in enumerate(zip(network.coefficients, self.covariances, strict=True)):
            M, width, K = G.shape[:3]
            c = network.curves(layer).view(M, K, width, -1)
            norm = torch.einsum("mkwo,mwkl,mlwo->mwo", c, G, c).clamp_(min=0).sqrt_()
            coefficients.view(M, K, width, -1).mul_(self._kept(norm, (1, 2), norm[0].numel(), rate)[:, None])

    def _kept(self, norm, edges, n_edges, rate):
        """What is left of each edge, as a factor; `edges` are the axes over which a member's layer extends."""
        total = norm.sum(edges, keepdim=True).clamp_(min=1e-12)
        rarity = -(norm / total).clamp_(min=1e-12).log_() / max(math.log(max(n_edges, 1)), 1e-12)
        taken = rate * self.strength * 0.5 * (1 + rarity)
        return (1 - taken / norm.clamp(min=1e-12)).clamp_(min=0)

    @staticmethod
    def _measure(network, X):
        """Covariance of the functions of every hidden node: (M, width, K, K) a layer."""
        for layer, h in enumerate(network.nodes(X)):
            shapes = network.node_shapes(layer)
            extra = [shapes] if shapes else []
            phi = torch.stack(network.basis.functions(h.permute(1, 2, 0), *extra), 2)  # (M, width, K, rows)
            phi = phi - phi.mean(3, keepdim=True)
            yield phi @ phi.transpose(2, 3) / phi.shape[3]
