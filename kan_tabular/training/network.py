"""The torch side of a network: members with stacked parameters, evaluated together."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from kan_tabular.bases import NodeSpline
from kan_tabular.fitted.products import multiply, n_nodes, n_products, n_sums
from kan_tabular.training.kernels.node_spline import contract

#: Learning rate of the nonlinear parameters of a node's functions, as a share of the coefficients'.
SHAPE_RATE = 0.1


class MemberNetwork(nn.Module):
    """M networks of the same shape over one design matrix.

    The first layer's curves are linear in the design columns (the additive model's own: lines, ever rougher curves,
    levels, missing), so all members' first layers are one matrix product. A hidden node sends a curve of its softly
    clipped value to every node of the next layer.

    Parameters
    ----------
    gains : ndarray (M, P)
        Scale of each design column for each member: how easily its curves bend.
    hidden : sequence of int or (int, int)
        Nodes of each hidden layer; a pair also has nodes that multiply two sums: (sums, products).
    n_outputs : int
    basis : NodeSpline or Clipped
        Of the hidden nodes.
    generator : torch.Generator
    learned : LearnedInputs, optional
        The inputs whose curves are of functions that every member learns.

    Attributes
    ----------
    theta : Parameter (P, M, H)
        First layer in units of the gains: edges ``theta * gain``.
    bias : Parameter (M, H)
    coefficients : ParameterList of (M, K * width, outputs)
    biases : ParameterList of (M, 1, outputs)
    shapes : list of dict of Parameter (M, width or groups, q)
        For each hidden layer the nonlinear parameters of its nodes' functions, where the family has any; by node they
        are `node_shapes`.

    Notes
    -----
    Start. The first layer's nodes have unit variance over the training rows: the columns do, and theta is drawn with
    variance ``1 / sum(gain^2)``. Hidden edges start as straight lines in the clipped value; `even_out` gives the nodes
    of every further layer the variance of one, whatever the clip and the biases take from it. The last layer starts at
    zero, so training starts from the constant (or from the additive model).
    """

    #: What stands beside the hidden layers, in networks that have two channels.
    circuit = None

    def __init__(self, gains, hidden, n_outputs, basis, generator, learned=None):
        super().__init__()
        self.learned = learned
        members, columns = gains.shape
        self.hidden, self.basis, self.n_members = tuple(hidden), basis, members
        gain = torch.as_tensor(np.ascontiguousarray(gains.T[:, :, None]), dtype=torch.float32)
        self.register_buffer("gain", gain)
        norm = gain.square().sum(0, keepdim=True).sqrt().clamp_(min=1e-12)
        first = self.n_first
        self.theta = nn.Parameter(torch.randn(columns, members, first, generator=generator) / norm)
        self.bias = nn.Parameter(0.5 * torch.randn(members, first, generator=generator))
        self.coefficients, self.biases = nn.ParameterList(), nn.ParameterList()
        self.shapes = nn.ModuleList()
        for layer, (width, outputs) in enumerate(self.sizes(n_outputs)):
            start = torch.zeros(members, basis.n_functions, width, outputs)
            shift = torch.zeros(members, 1, outputs)
            if layer < len(hidden) - 1:
                # v = u / 3, and E[u^2] is about 1 for a node of unit variance.
                start[:, 0] = 3 / np.sqrt(width) * torch.randn(members, width, outputs, generator=generator)
                shift = 0.5 * torch.randn(members, 1, outputs, generator=generator)
            self.coefficients.append(nn.Parameter(start.flatten(1, 2)))
            self.biases.append(nn.Parameter(shift))
            n_sets = min(basis.n_groups or width, width)
            own = {
                name: nn.Parameter(torch.as_tensor(value, dtype=torch.float32).repeat(members, n_sets, 1))
                for name, value in basis.parameters().items()
            }
            self.shapes.append(nn.ParameterDict(own))
            # Which set each node takes (width, sets), as a matrix: its product has a gradient in a fixed order of sums.
            sets = torch.arange(width) * n_sets // width
            self.register_buffer(f"takes_{layer}", nn.functional.one_hot(sets, n_sets).float())

    @property
    def n_first(self):
        """Sums H of the first layer's curves."""
        return n_sums(self.hidden[0])

    def sizes(self, n_outputs):
        """(Nodes, outputs) of each hidden layer."""
        outputs = [*(n_sums(layer) for layer in self.hidden[1:]), n_outputs]
        return list(zip(map(n_nodes, self.hidden), outputs, strict=True))

    def forward(self, X, members=slice(None)):
        """Outputs (members, rows, outputs) of design rows `X`, for all members or a slice of them.

        Rows are (rows, P), or as `LearnedInputs.design` has them.
        """
        return self._leave(self.nodes(X, members)[-1], -1, members).contiguous()

    def edges(self, members=slice(None)):
        """Coefficients of the first layer's curves (P, members, H)."""
        return self.theta[:, members] * self.gain[:, members]

    def curves(self, layer, members=slice(None)):
        """Coefficients of the curves that leave a hidden layer (members, K * width, outputs)."""
        return self.coefficients[layer][members]

    def takes(self, layer):
        """Which set of nonlinear parameters each node of a hidden layer takes: zeros and ones (width, sets)."""
        return getattr(self, f"takes_{layer % len(self.hidden)}")

    def node_shapes(self, layer, members=slice(None)):
        """Nonlinear parameters of the nodes of a hidden layer (members, width, q), by name."""
        own = self.shapes[layer].items()
        if self.basis.n_groups is None:
            return {name: value[members] for name, value in own}
        return {name: self.takes(layer) @ value[members] for name, value in own}

    def advance(self, progress):
        """Told before each epoch how far training is (0 to 1); returns whether earlier states are no longer valid."""
        return False

    @property
    def settled(self):
        """Whether `advance` has nothing more to change, so that training may stop for lack of progress."""
        return True

    @torch.no_grad()
    def even_out(self, X, weights=None):
        """Scale what leads to each hidden layer but the first so that its nodes vary by 1 over the design rows `X`."""
        share = X.new_ones(len(X)) if weights is None else weights
        share = (share / share.sum())[:, None]
        for layer in range(len(self.hidden) - 1):
            sums = self._leave(self.nodes(X)[layer], layer, slice(None))  # (M, rows, sums)
            away = sums - (share * sums).sum(1, keepdim=True)
            spread = (share * away.square()).sum(1).mean(1).sqrt()
            self.coefficients[layer] /= torch.where(spread > 1e-6, spread, 1.0)[:, None, None]

    def nodes(self, X, members=slice(None)):
        """Values of the nodes of each hidden layer: (rows, members, width) each."""
        edges, bias = self.edges(members), self.bias[members].reshape(-1, 1)
        h = torch.addmm(bias, edges.flatten(1).t(), X[:, : len(edges)].t())  # rows last, as `contract` wants them
        h = h.view(-1, self.bias.shape[1], len(X))
        if self.learned is not None:
            h = h + self.learned(X, edges, members)
        h, beside = self.split(h, members)
        h, values = h.permute(2, 0, 1), []
        for layer, size in enumerate(self.hidden):
            if layer:
                h = self._leave(values[-1], layer - 1, members).transpose(0, 1)
            values.append(multiply(h, n_products(size), axis=2))
        if beside is not None:
            values[-1] = torch.cat([values[-1], beside.permute(2, 0, 1)], 2)
        return values

    def split(self, sums, members):
        """The first layer's sums (M, H, rows) that lead to the first hidden layer, and nodes to join the last one."""
        return sums, None

    def _leave(self, h, layer, members):
        """What the curves of a hidden layer add up to: (members, rows, outputs)."""
        coefficients, bias = self.curves(layer, members), self.biases[layer][members]
        if isinstance(self.basis, NodeSpline):
            return contract(h, coefficients, self.basis, bias)
        phi = self.basis.functions(h.permute(1, 2, 0), self.node_shapes(layer, members))
        phi = torch.stack(phi, 1).flatten(1, 2)  # (members, K * width, rows)
        return torch.baddbmm(bias.transpose(1, 2), coefficients.transpose(1, 2), phi).transpose(1, 2)

    def decayed(self):
        """Parameters that weight decay shrinks, each with the position of its member axis; biases are left alone."""
        yield self.theta, 1
        for coefficients in self.coefficients:
            yield coefficients, 0

    def groups(self):
        """Parameters that learn at the same rate: (share of the learning rate, list of parameters)."""
        return [
            (1.0, [self.theta, self.bias, *self.coefficients, *self.biases]),
            (SHAPE_RATE, [*self.shapes.parameters(), *self._of_inputs()]),
        ]

    def _of_inputs(self):
        return [] if self.learned is None else list(self.learned.parameters())

    def axes(self):
        """All parameters with the position of their member axis."""
        yield self.theta, 1
        yield self.bias, 0
        for parameter in (*self.coefficients, *self.biases, *self.shapes.parameters(), *self._of_inputs()):
            yield parameter, 0

    def state(self):
        """A copy of all parameters."""
        return [p.detach().clone() for p, _ in self.axes()]

    def keep(self, state, members):
        """Copy the parameters of some members (a list of int) into `state`."""
        for saved, (parameter, axis) in zip(state, self.axes(), strict=True):
            index = torch.as_tensor(members, device=saved.device)
            saved.index_copy_(axis, index, parameter.detach().index_select(axis, index))

    def refine(self, size, state):
        """Move to a finer basis (see `Basis.refined`); no function changes, nor those of `state`."""
        old, n_layers = self.basis, len(self.hidden)

        def finer(coefficients, own, inputs, outputs):
            c, *values = (p.detach().double().cpu().numpy() for p in (coefficients, *own.values()))
            c = np.moveaxis(c.reshape(self.n_members, old.n_functions, inputs, outputs), 1, -1)
            self.basis, c, values = old.refined(size, c, dict(zip(own, values, strict=True)))
            c = np.moveaxis(c, -1, 1).reshape(self.n_members, -1, outputs)
            c, *values = (
                torch.as_tensor(np.ascontiguousarray(a), dtype=coefficients.dtype, device=coefficients.device)
                for a in (c, *values.values())
            )
            return c, values

        start = 2 + 2 * n_layers  # in a state, what the nodes learned follows the biases
        for layer, (inputs, outputs) in enumerate(self.sizes(self.coefficients[-1].shape[2])):
            own, stop = self.shapes[layer], start + len(self.shapes[layer])
            saved = dict(zip(own, state[start:stop], strict=True))
            state[2 + layer], state[start:stop] = finer(state[2 + layer], saved, inputs, outputs)
            c, values = finer(self.coefficients[layer], own, inputs, outputs)
            self.coefficients[layer] = nn.Parameter(c)
            parameters = map(nn.Parameter, values)
            self.shapes[layer] = nn.ParameterDict(dict(zip(own, parameters, strict=True)))
            start = stop
        for group in [] if self.learned is None else self.learned.groups:
            stop = start + len(group.shapes)
            state[start:stop] = group.refine(size, state[start:stop])
            start = stop

    def select(self, members, state=None):
        """Go on with some members only (a list of int); a `state` is cut to them, too."""
        index = torch.as_tensor(members, device=self.gain.device)
        if state is not None:
            state[:] = [saved.index_select(axis, index) for saved, (_, axis) in zip(state, self.axes(), strict=True)]
        self.n_members, self.gain = len(members), self.gain.index_select(1, index)

        def chosen(parameter, axis=0):
            return nn.Parameter(parameter.detach().index_select(axis, index))

        self.theta, self.bias = chosen(self.theta, 1), chosen(self.bias)
        self.coefficients = nn.ParameterList(map(chosen, self.coefficients))
        self.biases = nn.ParameterList(map(chosen, self.biases))
        own = [nn.ParameterDict({name: chosen(p) for name, p in shapes.items()}) for shapes in self.shapes]
        self.shapes = nn.ModuleList(own)
        if self.learned is not None:
            self.learned.select(index)

    @torch.no_grad()
    def silence(self, members):
        """Make some members (a list of int) the constant they start at."""
        self.coefficients[-1][members] = 0.0
        self.biases[-1][members] = 0.0

    def restore(self, state):
        """Set all parameters from `state`."""
        with torch.no_grad():
            for saved, (parameter, _) in zip(state, self.axes(), strict=True):
                parameter.copy_(saved)
