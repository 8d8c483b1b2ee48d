"""Groups of rows of similar probability."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kan_tabular.metrics.reading import check_count


class Bins(NamedTuple):
    """Rows by group: `index` (n,), and of each of the m groups its weight, mean probability and share of events."""

    index: np.ndarray
    weight: np.ndarray
    predicted: np.ndarray
    observed: np.ndarray


def bin_rows(read, n_bins, strategy):
    """Groups of the rows of `read` by probability; rows of equal probability stay together, empty groups are left out.

    Parameters
    ----------
    read : Binary
    n_bins : int
    strategy : {"uniform", "quantile"}
        Bins of equal width, or of (about) equal numbers of rows.

    Returns
    -------
    bins : Bins
    """
    check_count("n_bins", n_bins, 1)
    if strategy == "uniform":
        edges = np.linspace(0.0, 1.0, n_bins + 1)[1:-1]
    elif strategy == "quantile":
        shares = np.arange(1, n_bins) / n_bins
        edges = np.quantile(read.score, shares, weights=read.weight, method="inverted_cdf")
    else:
        raise ValueError(f"strategy={strategy!r}: expected 'uniform' or 'quantile'.")
    # As in sklearn.calibration.calibration_curve, a row on an edge is in the lower bin.
    index = np.unique(np.searchsorted(edges, read.score), return_inverse=True)[1]
    weight = np.bincount(index, read.weight)
    predicted = np.bincount(index, read.weight * read.score) / weight
    observed = np.bincount(index, read.weight * read.event) / weight
    return Bins(index, weight, predicted, observed)
