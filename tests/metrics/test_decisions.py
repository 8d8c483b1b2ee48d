"""Net benefit, by counting."""

import numpy as np
import pytest

from kan_tabular.metrics import net_benefit


def rows(seed, n=120):
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(1, 3, n), 1)  # many probabilities lie on thresholds
    return (rng.random(n) < p).astype(int), p


@pytest.mark.parametrize("seed", range(3))
def test_net_benefit_is_what_counting_gives(seed):
    y, p = rows(seed)
    thresholds = [0.0, 0.1, 0.15, 0.3, 0.5, 0.99, 0.3]
    table = net_benefit(y, p, thresholds)
    assert list(table.columns) == ["threshold", "model", "treat_all", "treat_none"]
    assert table["threshold"].tolist() == thresholds
    for row in table.itertuples():
        odds = row.threshold / (1 - row.threshold)
        treated = p >= row.threshold
        expected = (np.sum(treated & (y == 1)) - odds * np.sum(treated & (y == 0))) / len(y)
        assert row.model == pytest.approx(expected, abs=1e-12)
        assert row.treat_all == pytest.approx((np.sum(y) - odds * np.sum(1 - y)) / len(y), abs=1e-12)
        assert row.treat_none == 0


def test_default_thresholds_are_percents():
    table = net_benefit(*rows(3))
    np.testing.assert_array_equal(table["threshold"], [k / 100 for k in range(1, 100)])


def test_one_threshold_may_be_a_number():
    y, p = rows(4)
    assert net_benefit(y, p, 0.3).equals(net_benefit(y, p, [0.3]))


def test_perfect_predictions_find_every_event():
    y, _ = rows(5)
    np.testing.assert_allclose(net_benefit(y, y)["model"], y.mean())


@pytest.mark.parametrize("thresholds", [[0.2, 1.0], [-0.1], [], [np.nan], ["high"]])
def test_bad_thresholds_are_named(thresholds):
    with pytest.raises(ValueError, match="thresholds"):
        net_benefit(*rows(6), thresholds)
