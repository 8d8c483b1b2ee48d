"""Functional ANOVA of a deep network: what features do alone, and what pairs of them do beyond that.

A feature is "absent" when all its edges are at their training means (the network's own reference point, so no
background rows are needed). With the linear predictor ``eta(S)`` where only the features in S are present, the base is
``eta({})``, a main effect ``eta({j}) - eta({})`` and a pair effect ``eta({j, k}) - eta({j}) - eta({k}) + eta({})``.
"""

from __future__ import annotations

import numpy as np

from kan_tabular.fitted.shape import Density, MissingLevel, ShapeFunction, read_grid


def main_effect(network, j, output=0, grid=None):
    """Main effect of feature `j` on one output, as a shape; a network has no standard errors, so they are NaN."""
    feature = network.features[j]
    x, z = read_grid(feature, grid)
    at = np.append(z, np.nan)
    Z = np.zeros((len(at), len(network.features)))
    Z[:, j] = at
    seen = network.front(Z)[:, j]
    nothing = network.bias.reshape(1, -1)
    own = network.inputs[j].evaluate(seen)
    eta = network.head(nothing + own) - network.head(nothing) + network.additive_curves(Z)[:, j]
    effect = network.to_user(eta, shift=False)[:, output]
    missing = MissingLevel(float(effect[-1]), np.nan, feature.missing) if network.inputs[j].has_missing else None
    edges, unknown = network.density_edges[j], np.full(len(z), np.nan)
    density = Density(edges if len(edges) else None, network.density[j])
    return ShapeFunction(feature.name, feature.kind, x, effect[:-1], unknown, unknown, np.nan, missing, density)


def pair_effects(network, Z, pairs):
    """Pair effects of the `pairs` of positions on the encoded rows `Z` (n, p): (n, n_pairs, n_outputs)."""
    read, nothing = network.reader(Z), network.bias.reshape(1, -1)
    own = {j: read(j) for j in sorted({j for pair in pairs for j in pair})}
    base = network.head(nothing)
    alone = {j: network.head(nothing + part) for j, part in own.items()}
    effects = [network.head(nothing + own[j] + own[k]) - alone[j] - alone[k] + base for j, k in pairs]
    return np.stack([network.to_user(effect, shift=False) for effect in effects], axis=1)
