"""The first layer of families whose shape is learned: every column is a node, as those of hidden layers are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from kan_tabular.bases import Pool, WithLine


@dataclass
class LearnedPart:
    """The functions of one input whose shape is learned.

    Attributes
    ----------
    input : int
    prefix : str
        Of the parameters' names in the input's basis.
    family : ParametricBasis
        Placed on the column.
    columns : ndarray of int (r,)
        The design columns that they are part of, as positions in the whole design.
    transform : ndarray (K, r)
        From these design columns to the functions.
    """

    input: int
    prefix: str
    family: object
    columns: np.ndarray
    transform: np.ndarray


def learned_parts(terms):
    """A `LearnedPart` for each input (of a `Pool`: and space) that has functions to learn."""
    parts, stop = [], 0
    for j, term in enumerate(terms):
        start, stop = stop, stop + term.curves.n_columns
        basis, row = term.curves.basis, 0
        for s, space in enumerate(basis.spaces_ if isinstance(basis, Pool) else [basis]):
            if space is None or space.linear:
                row += 0 if space is None else space.n_functions
                continue
            family = space.family if isinstance(space, WithLine) else space
            row += space.n_functions
            own = term.curves.transform[row - family.n_functions : row]
            used = 1 + np.flatnonzero(own[:, 1:].any(axis=0))  # the first is the line, whatever is learned
            prefix = f"{s}_" if isinstance(basis, Pool) else ""
            if len(used):
                parts.append(LearnedPart(j, prefix, family, start + used, own[:, used]))
    return parts


class LearnedInputs(nn.Module):
    """What inputs with functions of their own add to the first layer's sums, for M members.

    A design column of such an input is ``fixed + phi(t; parameters) @ transform``: `design` gives what is fixed (all of
    the column but the functions that are learned) and the values t. At the start this is the design of the linear
    problem, with columns of variance 1 that are ever rougher; so coefficients, their gains and the weights of spaces
    mean the same as for linear families, and only the functions move, every input's and member's for themselves.

    Parameters
    ----------
    terms : list of Term
        As the additive problem has them, with the family at its start.
    n_members : int

    Attributes
    ----------
    parts : list of LearnedPart
    groups : ModuleList
        Inputs with equally many parameters each, which are computed together.
    """

    def __init__(self, terms, n_members):
        super().__init__()
        self.parts, self.n_columns = learned_parts(terms), sum(term.curves.n_columns for term in terms)
        self.terms, by_kind = terms, {}
        for place, part in enumerate(self.parts):
            shapes = tuple(len(value) for value in part.family.parameters().values())
            by_kind.setdefault((part.prefix, shapes), []).append(place)
        self.groups = nn.ModuleList(_Group(self.parts, own, n_members, self.n_columns) for own in by_kind.values())

    @property
    def inputs(self):
        """Positions of the inputs that have functions to learn."""
        return sorted({part.input for part in self.parts})

    def design(self, X, seen):
        """Design rows (n, P + parts) from the linear problem's `X` (n, P) and what the front shows, `seen` (n, p)."""
        X, values = X.copy(), np.full((len(X), len(self.parts)), np.nan)
        stops = np.cumsum([term.curves.n_columns for term in self.terms])
        for j in self.inputs:  # not binned, as X may be
            curves = self.terms[j].curves
            X[:, stops[j] - curves.n_columns : stops[j]] = curves.columns(seen[:, j])
        for place, part in enumerate(self.parts):
            x = seen[:, part.input]
            known = ~np.isnan(x)
            X[np.ix_(known, part.columns)] -= part.family.evaluate(x[known]) @ part.transform
            values[known, place] = part.family.scaled(x[known])
        return np.concatenate([X, values], axis=1)

    def forward(self, X, edges, members=slice(None)):
        """Sums (members, H, rows) from design rows and the coefficients `edges` (P, members, H) of the columns."""
        return sum(group(X[:, self.n_columns :], edges, members) for group in self.groups)

    def own_columns(self, j):
        """Which design columns of input `j` hang on what is learned, among its own."""
        start = sum(term.curves.n_columns for term in self.terms[:j])
        return np.unique(np.concatenate([part.columns for part in self.parts if part.input == j])) - start

    def columns(self, j, X, members=slice(None)):
        """Design columns (members, rows, k) of input `j`, with each member's functions."""
        stop = sum(term.curves.n_columns for term in self.terms[: j + 1])
        start = stop - self.terms[j].curves.n_columns
        out = X[None, :, start:stop].expand(self.n_members, -1, -1)[members].clone()
        for group in self.groups:
            for i, place in enumerate(group.places):
                part = self.parts[place]
                if part.input == j:
                    phi = group.functions(X[:, self.n_columns :], members)[:, i]  # (members, rows, K)
                    out[:, :, torch.as_tensor(part.columns - start)] += phi @ X.new_tensor(part.transform)
        return out

    @property
    def n_members(self):
        return len(next(self.groups.parameters()))

    def bases(self):
        """Each learned input's basis, refined as its functions are, and its parameters: {input: (basis, by name)}."""
        out = {}
        for group in self.groups:
            for i, place in enumerate(group.places):
                part = self.parts[place]
                basis, shapes = out.setdefault(part.input, (self.terms[part.input].curves.basis, {}))
                if group.size is not None:
                    basis = basis.refined(group.size, np.zeros(basis.n_functions), basis.parameters())[0]
                shapes.update({part.prefix + name: value[:, i] for name, value in group.shapes.items()})
                out[part.input] = basis, shapes
        return out

    def select(self, index):
        """Go on with the members of `index`."""
        for group in self.groups:
            own = {name: nn.Parameter(p.detach().index_select(0, index)) for name, p in group.shapes.items()}
            group.shapes = nn.ParameterDict(own)


class _Group(nn.Module):
    """Inputs whose functions have equally many parameters.

    Attributes
    ----------
    places : list of int
        Positions of the parts, and of their values in the design rows.
    unit : ParametricBasis
        The family on [-1, 1].
    size : int or None
        That `unit` was refined to.
    shapes : ParameterDict of (M, parts, q)
    """

    def __init__(self, parts, places, n_members, n_columns):
        super().__init__()
        own = [parts[place] for place in places]
        self.places, self.unit, self.size = places, own[0].family.unit(), None
        width = max(len(part.columns) for part in own)
        take = np.full((len(own), width), n_columns)  # beyond the last: nothing
        transform = np.zeros((len(own), self.unit.n_functions, width))
        for i, part in enumerate(own):
            take[i, : len(part.columns)], transform[i, :, : len(part.columns)] = part.columns, part.transform
        self.register_buffer("take", torch.as_tensor(take.ravel()))
        self.register_buffer("place", torch.as_tensor(places))
        self.register_buffer("transform", torch.as_tensor(transform))
        starts = {name: np.stack([part.family.parameters()[name] for part in own]) for name in self.unit.parameters()}
        self.shapes = nn.ParameterDict(
            {
                name: nn.Parameter(torch.as_tensor(value, dtype=torch.float32).repeat(n_members, 1, 1))
                for name, value in starts.items()
            }
        )

    def functions(self, values, members):
        """The functions at the rows' `values` (rows, all parts): (members, parts, rows, K), 0 where one is missing."""
        t = values.index_select(1, self.place).t()
        known = ~torch.isnan(t)
        phi = self.unit.evaluate(torch.where(known, t, 0.0), {name: p[members] for name, p in self.shapes.items()})
        return phi * known[..., None]

    def forward(self, values, edges, members):
        phi = self.functions(values, members)
        padded = torch.cat([edges, torch.zeros_like(edges[:1])])
        own = padded.index_select(0, self.take).view(*self.transform.shape[::2], *edges.shape[1:])
        own = torch.einsum("pkr,prmh->mpkh", self.transform.to(own), own).flatten(1, 2)  # of the functions
        return own.transpose(1, 2) @ phi.transpose(2, 3).flatten(1, 2)

    def refine(self, size, saved):
        """Move to the finer functions of `size`, none of which changes; a list of parameters `saved` follows."""

        def finer(tensors):
            arrays = {n: v.detach().double().cpu().numpy() for n, v in zip(self.shapes, tensors, strict=True)}
            self.unit, _, new = old.refined(size, np.zeros(old.n_functions), arrays)
            return [v.new_tensor(value) for v, value in zip(tensors, new.values(), strict=True)]

        old, self.size = self.unit, size
        own = map(nn.Parameter, finer(list(self.shapes.values())))
        self.shapes = nn.ParameterDict(dict(zip(self.shapes, own, strict=True)))
        return finer(saved)
