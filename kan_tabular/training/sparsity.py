"""Sparse first layers: whole edges shrink, and vanish, in units of what they add to a node."""

from __future__ import annotations

import torch


class EdgeSparsity:
    """Proximal step of a group lasso on the edges of the first layer.

    The design columns of one input are uncorrelated with variance 1 over the training rows, so the norm of an edge's
    coefficients *is* the standard deviation of what it adds to its node: no activations have to be measured. (Levels
    of a category and the missing column have less variance; their norm is an upper bound.) The proximal step (Yuan
    and Lin 2006) takes the same amount off every edge and sets what remains below zero to exactly zero.

    Parameters
    ----------
    strength : float
        Taken off, per unit of learning rate and step.
    sizes : list of int
        Design columns of each input.
    device : torch.device
    """

    def __init__(self, strength, sizes, device):
        self.strength = strength
        self.inputs = len(sizes)
        self.owner = torch.repeat_interleave(torch.arange(len(sizes)), torch.as_tensor(sizes)).to(device)

    def shrink(self, network, rate):
        """One step, in place."""
        if not self.strength:
            return
        theta, gain = network.theta, network.gain
        squares = (theta * gain).square()
        norm = torch.zeros(self.inputs, *squares.shape[1:], device=squares.device).index_add_(0, self.owner, squares)
        kept = (1 - rate * self.strength / norm.sqrt().clamp_(min=1e-12)).clamp_(min=0)
        theta.mul_(kept[self.owner])
