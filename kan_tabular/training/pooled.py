"""Networks whose nodes choose among families of curves while they train."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from kan_tabular.bases import Pool
from kan_tabular.training.network import MemberNetwork
from kan_tabular.training.stages import FULL, SELECTIVE

#: Weights are sharpened by dividing their logits by a temperature that falls from 1 to this.
_COLDEST = 0.1
#: A space whose weight has fallen below this part of an equal share is frozen out.
_LOST = 0.1
#: Learning rate of the weights, as a share of the coefficients'.
_GATE_RATE = 0.5


class PooledNetwork(MemberNetwork):
    """A `MemberNetwork` over a pool of spaces: every node weighs them, and ends with one.

    A node's curves are ``sum_s w_s (curve in space s)`` with weights ``w = softmax(logits / temperature)`` of its own
    (per node, or per edge); the straight line belongs to all spaces. Three stages:

    1. *Full training*: all spaces, temperature 1.
    2. *Selective training*: the temperature falls, so that weights sharpen; a space whose weight has become small is
       frozen out for good.
    3. *Pruning and fine-tuning*: every node keeps its heaviest space, with weight 1, which takes over what all spaces
       together drew, as nearly as it can (least squares).

    Parameters
    ----------
    gains, hidden, n_outputs, basis, generator, learned
        As in `MemberNetwork`. Where `basis` is `Clipped` of a `Pool`, hidden nodes choose, too.
    owners : ndarray of int (P,)
        The space of each design column, -1 for columns that are no space's.
    grams : list of ndarray (P_j, P_j)
        Inner products of each input's design columns over the training rows.
    n_spaces : int
    per_edge : bool
    only : sequence of int or None (M,)
        For each member the space that all its nodes have from the start; None for those that choose.

    Attributes
    ----------
    gates : ParameterList
        Logits, first (p, M, S, 1), then (M, width, S, 1) a hidden layer; per edge, the last axis is the targets'.
    stage : int
    path : list of tuple
        For each epoch, and for the end of training: progress, and the weights that it starts with of each layer,
        averaged over the members that choose (all, if none does): (p, S), then (width, S).
    """

    def __init__(
        self,
        gains,
        hidden,
        n_outputs,
        basis,
        generator,
        learned=None,
        *,
        owners,
        grams,
        n_spaces,
        per_edge=False,
        only=(),
    ):
        super().__init__(gains, hidden, n_outputs, basis, generator, learned)
        M, S, sizes = self.n_members, n_spaces, [len(gram) for gram in grams]
        self.register_buffer("owners", torch.as_tensor(owners))
        self.register_buffer("inputs", torch.as_tensor(np.repeat(np.arange(len(grams)), sizes)))
        own = np.split(np.asarray(owners), np.cumsum(sizes)[:-1])
        self.projections = [_projections(gram, o, S) for gram, o in zip(grams, own, strict=True)]
        first = (len(grams), M, S, self.bias.shape[1]) if per_edge else (len(grams), M, S, 1)
        shapes = [first]
        if isinstance(getattr(basis, "family", None), Pool):
            shapes += [(M, width, S, outputs if per_edge else 1) for width, outputs in self.sizes(n_outputs)]
            of_function = np.concatenate([[-1], basis.family.owner[basis.kept]])
            self.register_buffer("function_owners", torch.as_tensor(of_function))
        self.gates = nn.ParameterList(nn.Parameter(torch.zeros(shape)) for shape in shapes)
        self.closed = [torch.zeros(shape, dtype=torch.bool) for shape in shapes]
        self.choosing = torch.tensor([space is None for space in only] or [True] * M)
        for member, space in enumerate(only):
            if space is not None:
                for layer, closed in enumerate(self.closed):
                    others = [s for s in range(S) if s != space]
                    closed.movedim(1 if layer == 0 else 0, 0)[member].movedim(1, 0)[others] = True
        self.n_spaces = S
        self.per_edge, self.temperature, self.stage, self.path = per_edge, 1.0, 1, []

    def weights(self, layer):
        """Weights of the spaces at one layer, the inputs first: (..., S, 1 or outputs), summing to 1 over S."""
        logits = (self.gates[layer] / self.temperature).masked_fill(self.closed[layer].to(self.gain.device), -torch.inf)
        return logits.softmax(2)

    def edges(self, members=slice(None)):
        w = self.weights(0)[:, members]
        w = torch.cat([w, torch.ones_like(w[:, :, :1])], 2)  # the last: columns that are no space's
        return super().edges(members) * w[self.inputs, :, self.owners]

    def curves(self, layer, members=slice(None)):
        if len(self.gates) == 1:
            return super().curves(layer, members)
        layer = layer % len(self.hidden)
        w = self.weights(1 + layer)[members]
        w = torch.cat([w, torch.ones_like(w[:, :, :1])], 2)[:, :, self.function_owners].transpose(1, 2)
        c = super().curves(layer, members)
        return (c.view(*w.shape[:3], -1) * w).flatten(1, 2)

    def advance(self, progress):
        before = self.stage
        with torch.no_grad():
            if before < 3:
                self.stage = 1 if progress < FULL else 2 if progress < SELECTIVE else 3
            if self.stage == 2:
                self.temperature = _COLDEST ** ((progress - FULL) / (SELECTIVE - FULL))
                for layer, closed in enumerate(self.closed):
                    w = self.weights(layer).cpu()
                    closed |= w < _LOST / w.shape[2]
            if before < self.stage == 3:
                self._prune()
            self.path.append((progress, *(self._mean(layer) for layer in range(len(self.gates)))))
        return self.stage != before

    def _prune(self):
        """One space a node: the heaviest, which takes over from the others."""
        drawn = [self.edges(), *(self.curves(layer) for layer in range(len(self.gates) - 1))]
        for layer, closed in enumerate(self.closed):
            heaviest = self.weights(layer).cpu().argmax(2, keepdim=True)
            closed[:] = True
            closed.scatter_(2, heaviest, False)
        self.temperature = 1.0
        edges, w = drawn[0], self.weights(0).permute(0, 2, 1, 3)  # (p, S, M, 1 or H)
        means = {}
        for j in range(len(self.projections)):
            own, (projections, means[j]) = torch.nonzero(self.inputs == j)[:, 0], self._input_projections(j)
            projections = projections.to(edges)
            places = "skl" if projections.dim() == 3 else "smkl"
            by_space = torch.einsum(f"{places},lmh->skmh", projections, edges[own])
            self.theta[own] = (by_space * w[j][:, None]).sum(0) / self.gain[own]
        lost = edges - self.edges()
        for j, mean in means.items():
            if mean is not None:
                self.bias += torch.einsum("mk,kmh->mh", mean.to(edges), lost[self.inputs == j])
        for layer, curves in enumerate(drawn[1:]):
            w = self.weights(1 + layer)
            curves = curves.view(self.n_members, -1, *w.shape[1:2], curves.shape[-1])  # (M, K, width, outputs)
            projections = self._node_projections(layer).to(curves)
            places = "skl" if projections.dim() == 3 else "smwkl"
            by_space = torch.einsum(f"{places},mlwo->mskwo", projections, curves)
            pruned = (by_space * w.transpose(1, 2)[:, :, None]).sum(1)
            self.coefficients[layer].copy_(pruned.flatten(1, 2))

    def even_out(self, X, weights=None):
        """As in `MemberNetwork`; what is learned is measured on the same rows when inputs keep one space."""
        super().even_out(X, weights)
        self._rows = X, X.new_ones(len(X)) if weights is None else weights

    def _input_projections(self, j):
        """`_projections` of an input (S, K, K) and None; or, where members have functions of their own, (S, M, K, K)
        of the centred columns, and what centring took off them (M, K)."""
        if self.learned is None or j not in self.learned.inputs:
            return self.projections[j], None
        X, weights = self._rows
        share = (weights / weights.sum()).double()
        columns = self.learned.columns(j, X).double()
        mean = share @ columns
        columns = columns - mean[:, None]
        gram = columns.transpose(1, 2) @ (columns * share[:, None])
        owners = self.owners[self.inputs == j].cpu().numpy()
        return _projections(gram.cpu().numpy(), owners, self.n_spaces), mean

    def _node_projections(self, layer):
        """The same for the nodes of a hidden layer: (S, K, K) or (S, M, width, K, K)."""
        own, owners = self.node_shapes(layer), self.function_owners.cpu().numpy()
        if not own:
            return _projections(self.basis.gram(), owners, self.n_spaces)
        own = {name: value.detach().double().cpu().numpy() for name, value in own.items()}
        by_member = [{name: value[m] for name, value in own.items()} for m in range(self.n_members)]
        return _projections(np.stack([self.basis.gram(shapes) for shapes in by_member]), owners, self.n_spaces)

    @property
    def settled(self):
        return self.stage == 3

    def _mean(self, layer):
        """Weights (p or width, S) averaged over edges and the members that choose."""
        w = self.weights(layer).mean(3).movedim(1 if layer == 0 else 0, 0).cpu()
        return w[self.choosing if self.choosing.any() else slice(None)].mean(0).numpy()

    def chosen(self):
        """Heaviest space of each node: (p, M[, H]), then (M, width[, outputs]) a hidden layer, lists of ndarray."""
        chosen = [self.weights(layer).argmax(2) for layer in range(len(self.gates))]
        return [(c if self.per_edge else c.squeeze(-1)).cpu().numpy() for c in chosen]

    def groups(self):
        return [*super().groups(), (_GATE_RATE, list(self.gates))]

    def axes(self):
        yield from super().axes()
        for layer, gate in enumerate(self.gates):
            yield gate, 1 if layer == 0 else 0

    def select(self, members, state=None):
        super().select(members, state)
        index = torch.as_tensor(members, device=self.gain.device)
        gates, closed = [], []
        for layer, (gate, shut) in enumerate(zip(self.gates, self.closed, strict=True)):
            axis = 1 if layer == 0 else 0
            gates.append(nn.Parameter(gate.detach().index_select(axis, index)))
            closed.append(shut.index_select(axis, index.cpu()))
        self.gates, self.closed = nn.ParameterList(gates), closed
        self.choosing = self.choosing[index.cpu()]


def _projections(gram, owners, n_spaces):
    """Coefficients, in each space and what all share, of the curve nearest to any: (S, ..., K, K) times those in all.

    `gram` (..., K, K) has the inner products of the functions.
    """
    projections = np.zeros((n_spaces, *gram.shape), dtype=np.float32)
    for s in range(n_spaces):
        kept = np.flatnonzero((owners == s) | (owners == -1))
        own = gram[..., kept, :]
        projections[s][..., kept, :] = np.linalg.pinv(own[..., kept], rcond=1e-6, hermitian=True) @ own
    return torch.as_tensor(projections)
