"""The Brier score and its parts, against sums over the bins."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from kan_tabular.metrics import brier_decomposition


def rows(seed, n=200):
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(1, 2, n), 2)
    return (rng.random(n) < p**0.7).astype(int), p


def direct(y, p, edges):
    """Murphy's and Stephenson's sums, bin by bin and row by row."""
    bins = [
        (y[in_bin], p[in_bin])
        for low, high in zip(edges[:-1], edges[1:], strict=True)
        if (in_bin := (p > low) & (p <= high)).any()
    ]
    n, base = len(y), y.mean()
    reliability = sum(len(o) * (f.mean() - o.mean()) ** 2 for o, f in bins) / n
    resolution = sum(len(o) * (o.mean() - base) ** 2 for o, f in bins) / n
    variance = sum(((f - f.mean()) ** 2).sum() for o, f in bins) / n
    covariance = 2 * sum(((o - o.mean()) * (f - f.mean())).sum() for o, f in bins) / n
    return reliability, resolution, base * (1 - base), variance, covariance


@pytest.mark.parametrize("n_bins", [1, 3, 10])
@pytest.mark.parametrize("seed", range(3))
def test_parts_are_the_direct_sums(seed, n_bins):
    y, p = rows(seed)
    parts = brier_decomposition(y, p, n_bins)
    edges = np.linspace(0, 1, n_bins + 1)
    edges[0] = -1  # 0 belongs to the first bin
    found = [
        parts.reliability,
        parts.resolution,
        parts.uncertainty,
        parts.within_bin_variance,
        parts.within_bin_covariance,
    ]
    np.testing.assert_allclose(found, direct(y, p, edges), rtol=1e-10, atol=1e-15)


def test_quantile_bins_hold_about_equal_numbers():
    y, p = rows(3, n=1000)
    parts = brier_decomposition(y, p, 4, strategy="quantile")
    edges = [-1, *np.sort(p)[[249, 499, 749]], 1]
    assert parts.reliability == pytest.approx(direct(y, p, edges)[0], rel=1e-10)
    assert parts.resolution == pytest.approx(direct(y, p, edges)[1], rel=1e-10)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("n_bins", [1, 2, 7, 50, 1000])
def test_parts_add_up_to_the_score_of_scikit_learn(n_bins, strategy):
    y, p = rows(4)
    parts = brier_decomposition(y, p, n_bins, strategy=strategy)
    total = parts.reliability - parts.resolution + parts.uncertainty
    total += parts.within_bin_variance - parts.within_bin_covariance
    assert total == pytest.approx(parts.brier, rel=1e-12)
    assert parts.brier == pytest.approx(brier_score_loss(y, p), rel=1e-12)
    assert parts.reliability - parts.generalized_resolution + parts.uncertainty == pytest.approx(parts.brier, rel=1e-12)


def test_scaled_score():
    y, p = rows(5)
    assert brier_decomposition(y, np.full(200, y.mean())).scaled == pytest.approx(0, abs=1e-12)
    assert brier_decomposition(y, y).scaled == 1
    expected = 1 - brier_score_loss(y, p) / brier_score_loss(y, np.full(200, y.mean()))
    assert brier_decomposition(y, p).scaled == pytest.approx(expected)


def test_the_other_class_has_the_same_score():
    y, p = rows(6)
    names = np.array(["alive", "dead"])[y]
    mirrored = brier_decomposition(names, 1 - p, pos_label="alive")
    assert mirrored.brier == pytest.approx(brier_decomposition(names, p).brier, rel=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"n_bins": 0}, "n_bins=0: expected a whole number"), ({"strategy": "kmeans"}, "strategy='kmeans': expected")],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        brier_decomposition(*rows(7), **options)
