"""Where cases are compared: each encoded row as coordinates, and which feature they come from."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import validate_data

from kan_tabular.encoding import as_frame, read_table

_BLOCK_CELLS = 4_000_000


def encode(model, X, warn=True):
    """The table X as the network of a fitted `model` takes it (n, p); scikit-learn compares the columns' names."""
    X = as_frame(X)
    table = read_table(X)
    validate_data(model, X, reset=False, skip_check_array=True)
    return model.encoder_.transform(table, warn)


def make_space(name, source, metric, class_):
    """The space of that name for the fitted model of a `Source`, with arguments as `SimilarCases` takes them."""
    network = source.estimator.network_
    if name == "contribution":
        return ContributionSpace(network, None if class_ is None else source.output(class_))
    if name not in ("input", "embedding"):
        raise ValueError(f"space={name!r}: expected 'contribution', 'input' or 'embedding'.")
    if class_ is not None:
        raise ValueError(f"class_={class_!r} is for space='contribution': give None with {name!r}.")
    if name == "input":
        return InputSpace(network, metric)
    if not getattr(network, "n_members", 0) or not (network.weights > 0).any():
        raise ValueError("space='embedding' needs a model with hidden layers: use 'contribution' for this one.")
    return EmbeddingSpace(network)


class _Owned:
    """A space in which every coordinate belongs to one feature (`_owners`, (q,))."""

    def coordinates(self, Z):
        """Coordinates (n, q) of encoded rows (n, p)."""
        return np.concatenate([self._block(Z[rows]) for rows in _row_blocks(len(Z), len(self._owners))])

    def compare(self, d, metric, cases, query):
        """What each feature has to do with the differences `d` (k, q) between `cases` and `query`, encoded rows.

        Returns
        -------
        differences : ndarray (k, p)
            Case minus query where a feature has one coordinate; otherwise the size of the difference.
        parts : ndarray (k, p)
            What each feature adds to the squared Euclidean, or to the Manhattan, distance.
        """
        owner = np.equal.outer(self._owners, np.arange(self.n_features)).astype(float)
        parts = (d**2 if metric == "euclidean" else np.abs(d)) @ owner
        if len(self._owners) == self.n_features:
            return d @ owner, parts
        return np.sqrt(parts) if metric == "euclidean" else parts, parts


class ContributionSpace(_Owned):
    """Contributions on the link scale: what a feature alone adds to the linear predictor.

    One coordinate a feature, or one for each feature and class (or target). For a network with hidden layers these are
    main effects (`DeepNetwork.effects`). Apellaniz et al. (2025), arXiv 2509.16750, compare patients so.
    """

    arrays = ()

    def __init__(self, network, output=None):
        self.network, self.output, self.n_features = network, output, len(network.features)
        self._owners = np.repeat(np.arange(self.n_features), network.n_outputs if output is None else 1)

    def fit(self, Z):
        return self

    def _block(self, Z):
        effects = self.network.effects(Z)
        return effects.reshape(len(Z), -1) if self.output is None else effects[:, :, self.output]


class InputSpace(_Owned):
    """The table itself, so that a difference of one standard deviation counts as much as another level.

    Numbers are standardised over the cases (a column that does not vary there counts as 0). Two different levels of a
    category are at distance 1, as in Gower's (1971, Biometrics 27) coefficient; a missing category is a level of its
    own, and so is one that training did not have. A missing number stands at the column's mean, one unit beside it:
    ``sqrt(1 + z^2)`` from a number z standard deviations off the mean (Manhattan: ``1 + |z|``) and 0 from another
    missing one. (A constant distance would break the triangle inequality.)
    """

    arrays = ("center", "spread")

    def __init__(self, network, metric):
        self.features, self.n_features = network.features, len(network.features)
        # Levels that differ are told apart by two coordinates.
        self._level = np.sqrt(0.5) if metric == "euclidean" else 0.5
        widths = [len(f.levels) + 2 if f.kind == "category" else 2 for f in self.features]
        self._owners = np.repeat(np.arange(self.n_features), widths)

    def fit(self, Z):
        with np.errstate(invalid="ignore", divide="ignore"):
            present = ~np.isnan(Z)
            n = np.maximum(present.sum(0), 1)
            self.center = np.where(present, Z, 0.0).sum(0) / n
            self.spread = np.sqrt(np.where(present, (Z - self.center) ** 2, 0.0).sum(0) / n)
        return self

    def _block(self, Z):
        out = np.zeros((len(Z), len(self._owners)))
        at = 0
        for feature, x, center, spread in zip(self.features, Z.T, self.center, self.spread, strict=True):
            missing = np.isnan(x)
            if feature.kind == "category":
                width = len(feature.levels) + 2
                codes = np.where(missing, width - 1, np.where(x == -1, width - 2, x)).astype(int)
                out[np.arange(len(x)), at + codes] = self._level
            else:
                width = 2
                if spread > 1e-12 * abs(center):  # else constant, up to the rounding of its mean
                    out[:, at] = np.where(missing, 0.0, (x - center) / spread)
                out[:, at + 1] = missing
            at += width
        return out


class EmbeddingSpace:
    """What the first layer of a network hands on: the sums in its hidden nodes, before any of them multiply.

    Each sum is measured in its standard deviations over the cases and counts with the weight of its member, shared
    among the member's nodes. A sum is made of one curve a feature, so the difference between two cases splits exactly
    into the features' parts; a part is negative where a feature brings together what the others separate.
    """

    arrays = ("scale",)

    def __init__(self, network):
        self.network, self.n_features = network, len(network.features)
        self._used = np.repeat(network.weights > 0, network.bias.shape[1])

    def fit(self, Z):
        spread = self.network.sums(Z)[:, self._used].std(0)
        weights = np.repeat(self.network.weights / self.network.bias.shape[1], self.network.bias.shape[1])
        seen = spread > 1e-12
        self.scale = np.where(seen, np.sqrt(weights[self._used]) / np.where(seen, spread, 1.0), 0.0)
        return self

    def coordinates(self, Z):
        """Coordinates (n, q) of encoded rows (n, p)."""
        return self.network.sums(Z)[:, self._used] * self.scale

    def compare(self, d, metric, cases, query):
        """As in the other spaces; differences are sizes."""
        parts = self.network.sums_by_feature(np.concatenate([cases, query[None]]))[:, :, self._used] * self.scale
        own = parts[:-1] - parts[-1]
        if metric == "euclidean":
            return np.sqrt((own**2).sum(2)), np.einsum("kjq,kq->kj", own, d)
        return np.abs(own).sum(2), np.einsum("kjq,kq->kj", own, np.sign(d))


def _row_blocks(n, width):
    step = max(_BLOCK_CELLS // width, 1)
    return [slice(i, min(i + step, n)) for i in range(0, n, step)]
