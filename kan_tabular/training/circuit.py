"""Networks with two channels, one of curves and one through a simulated quantum circuit, trained together."""

from __future__ import annotations

import math

import torch
from torch import nn

from kan_tabular.training.network import SHAPE_RATE, MemberNetwork


class DualNetwork(MemberNetwork):
    """A `MemberNetwork` with a circuit beside its hidden layers (the idea of KACQ-DCNN, arXiv 2410.07446).

    The first layer's curves lead to the first hidden layer and, by sums of their own, to the inputs of a `Circuit`. Its
    expectations stand beside the nodes of the last hidden layer: the last layer's curves join both. Where `hidden` is
    ``(0,)`` the circuit is alone.

    Parameters
    ----------
    gains, hidden, n_outputs, basis, generator, learned
        As in `MemberNetwork`.
    circuit : Circuit

    Attributes
    ----------
    angles : Parameter (M, n_layers, n_qubits, 3)
        At the start, uniform over the circle. They are periodic, so weight decay leaves them alone.
    """

    def __init__(self, gains, hidden, n_outputs, basis, generator, circuit, learned=None):
        self.circuit = circuit  # first: it decides the size of two layers
        super().__init__(gains, hidden, n_outputs, basis, generator, learned)
        shape = (self.n_members, *circuit.angles_shape)
        self.angles = nn.Parameter(2 * math.pi * torch.rand(shape, generator=generator))

    @property
    def n_first(self):
        return super().n_first + self.circuit.n_inputs

    def sizes(self, n_outputs):
        *before, (width, outputs) = super().sizes(n_outputs)
        return [*before, (width + self.circuit.n_qubits, outputs)]

    def split(self, sums, members):
        own = self.circuit.n_inputs
        return sums[:, :-own], self.circuit.nodes(sums[:, -own:], self.circuit.matrix(self.angles[members]))

    def groups(self):
        return [*super().groups(), (SHAPE_RATE, [self.angles])]

    def axes(self):
        yield from super().axes()
        yield self.angles, 0

    def select(self, members, state=None):
        super().select(members, state)
        index = torch.as_tensor(members, device=self.gain.device)
        self.angles = nn.Parameter(self.angles.detach().index_select(0, index))
