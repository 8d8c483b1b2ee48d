"""Counting coverage, what to expect of it, and when to abstain."""

import numpy as np
import pytest
from scipy.stats import beta

from kan_tabular.uncertainty import abstention_curve, coverage_by_group, coverage_range, covers


def test_covers_counts_sets_and_intervals():
    sets = np.array([[True, False], [False, True], [True, True], [False, False]])
    assert covers(["a", "a", "b", "b"], sets, ["a", "b"]).tolist() == [True, False, True, False]
    levels = np.stack([sets, np.ones_like(sets)], axis=2)
    assert covers(["a", "a", "b", "b"], levels, ["a", "b"])[:, 1].all()
    assert not covers(["new"] * 4, levels, ["a", "b"]).any()
    interval = np.array([[0.0, 1.0], [0.0, 1.0], [-np.inf, np.inf]])
    assert covers([1.0, 1.5, 9.0], interval).tolist() == [True, False, True]
    assert covers([0.0, -1e-9, 9.0], interval).tolist() == [True, False, True]
    assert covers([1.0, 1.5, 9.0], np.stack([interval, interval], axis=2)).shape == (3, 2)
    for y, predicted, classes in (
        ([1], interval, None),
        ([1, 2, 3], interval[:, :1], None),
        ([1] * 4, sets, [1, 2, 3]),
    ):
        with pytest.raises(ValueError, match="y has shape|predicted has"):
            covers(y, predicted, classes)


def test_coverage_by_group_has_wilsons_intervals():
    covered = np.r_[np.ones(45), np.zeros(5), np.ones(8), np.zeros(2)].astype(bool)
    table = coverage_by_group(covered, np.repeat(["big", "small"], [50, 10]))
    assert table["group"].tolist() == ["all", "big", "small"] and table["n"].tolist() == [60, 50, 10]
    z, p, n = 1.959963985, 0.9, 50
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    np.testing.assert_allclose(
        table.loc[1, ["coverage", "low", "high"]].astype(float), [p, centre - half, centre + half]
    )
    with pytest.raises(ValueError, match="groups has shape"):
        coverage_by_group(covered, ["a"])
    with pytest.raises(ValueError, match="one value a row"):
        coverage_by_group(np.ones((3, 2)))


def test_coverage_range_is_what_split_conformal_does():
    """Uniform scores: coverage of one calibration is its threshold; 4000 calibrations against the stated range."""
    rng = np.random.default_rng(0)
    low, high = coverage_range(99, 0.9, probability=0.9)
    assert (low, high) == pytest.approx(beta.ppf([0.05, 0.95], 90, 10))
    q = np.sort(rng.random((4000, 99)), axis=1)[:, 89]
    assert abs(np.mean((low <= q) & (q <= high)) - 0.9) < 4 * np.sqrt(0.09 / 4000)
    seen = rng.binomial(50, q) / 50
    low, high = coverage_range(99, 0.9, 50, probability=0.9)
    share = np.mean((low <= seen) & (seen <= high))
    assert 0.9 - 4 * np.sqrt(0.09 / 4000) < share < 0.96  # whole rows: the range is a little wide
    with pytest.raises(ValueError, match="needs at least 19"):
        coverage_range(18, 0.95)


def test_abstention_curve_against_counting():
    rng = np.random.default_rng(0)
    certainty = rng.integers(0, 8, 50) / 8  # with ties
    losses = rng.random(50)
    curve = abstention_curve(losses, certainty)
    for t, answered, loss, risk in zip(curve.threshold, curve.answered, curve.loss, curve.risk, strict=True):
        given = certainty >= t
        assert answered == pytest.approx(given.mean()) and loss == pytest.approx(losses[given].sum() / 50)
        assert (np.isnan(risk) and not given.any()) or risk == pytest.approx(losses[given].mean())
    assert curve.threshold[0] == np.inf and curve.answered[-1] == 1 and len(curve.threshold) == 9
    best = curve.best(0.3)
    by_hand = [losses[certainty >= t].sum() / 50 + 0.3 * (certainty < t).mean() for t in curve.threshold]
    assert best["cost"] == pytest.approx(min(by_hand)) and best["threshold"] == curve.threshold[np.argmin(by_hand)]
    assert abstention_curve(losses, np.ones(50)).best(10.0)["answered"] == 1
    assert abstention_curve(losses + 1, certainty).best(0.0)["answered"] == 0


def test_abstention_weights_are_repeated_rows():
    rng = np.random.default_rng(1)
    losses, certainty, weight = rng.random(20), rng.random(20), rng.integers(1, 4, 20)
    one = abstention_curve(losses, certainty, sample_weight=weight)
    other = abstention_curve(np.repeat(losses, weight), np.repeat(certainty, weight))
    np.testing.assert_allclose(one.cost(0.2), other.cost(0.2))


def test_abstention_refuses_what_is_no_number():
    with pytest.raises(ValueError, match="certainty must be finite"):
        abstention_curve([1.0], [np.inf])
    with pytest.raises(ValueError, match="losses has 2 rows and certainty 1"):
        abstention_curve([1.0, 0.0], [0.5])
