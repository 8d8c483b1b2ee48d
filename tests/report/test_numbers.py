"""What is told of people, and numbers as texts."""

import itertools

import numpy as np
import pytest
from scipy.stats import binomtest

from kan_tabular.report.numbers import Disclosure, cell, figure, percent, signed


def compatible(texts, total, min_group):
    """All counts that a reader who knows the total, and the rule, cannot rule out."""
    ranges = []
    for text in texts:
        if text.startswith("<"):
            ranges.append(range(1, min_group))
        elif text == "not shown":
            ranges.append(range(total + 1))
        else:
            ranges.append([int(text.replace(",", ""))])
    return [counts for counts in itertools.product(*ranges) if sum(counts) == total]


@pytest.mark.parametrize("seed", range(30))
def test_no_small_count_follows_from_the_others(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 14, rng.integers(2, 4))
    texts = Disclosure(5).counts(counts)
    left = compatible(texts, int(counts.sum()), 5)
    assert tuple(counts) in left
    for k, n in enumerate(counts):
        if 0 < n < 5 and counts.sum() >= 5:
            assert len({own[k] for own in left}) > 1
        elif not ((counts > 0) & (counts < 5)).any():
            assert texts[k] == str(n)


def test_counts_by_hand():
    told = Disclosure(5)
    assert told.counts([3, 40, 20]) == ["< 5", "40", "not shown"]
    assert told.counts([3, 40, 0]) == ["< 5", "not shown", "0"]
    assert told.counts([3, 4, 1200]) == ["< 5", "< 5", "1,200"]
    assert told.counts([0, 5]) == ["0", "5"]
    assert Disclosure(1).counts([1, 2]) == ["1", "2"]
    assert [told.part(k, 100) for k in (0, 4, 5, 95, 96, 100)] == ["0", "< 5", "5", "95", "> 95", "100"]
    assert (told.total(4), told.total(5)) == ("< 5", "5")


def test_rates_are_exact_or_bounds():
    told = Disclosure(5)
    interval = binomtest(30, 80).proportion_ci(0.9, method="wilson")
    assert told.rate(30, 80, 0.9) == ("37.5%", f"{100 * interval.low:.1f}% to {100 * interval.high:.1f}%")
    assert told.rate(30, 80, 0.9, coarse=True)[0] == "38%"
    assert told.rate(3, 80, 0.9) == ("< 6.2%", "")
    assert told.rate(77, 80, 0.9) == ("> 93.8%", "")
    assert told.rate(0, 80, 0.9)[0] == "0.0%" and told.rate(80, 80, 0.9)[0] == "100.0%"
    assert told.rate(1, 3, 0.9) == ("not shown", "") and told.rate(0, 0, 0.9) == ("not defined", "")


def test_numbers_as_texts():
    assert [percent(p) for p in (0.0, 1e-9, 0.0314, 0.9996, 1.0, np.nan)] == [
        "0.0%",
        "< 0.1%",
        "3.1%",
        "> 99.9%",
        "100.0%",
        "\N{EN DASH}",
    ]
    assert [figure(v) for v in (0.0, 1234.4, -0.01234, 3e9, 12.0)] == [
        "0.00",
        "1,234",
        "\N{MINUS SIGN}0.0123",
        "3.00e+09",
        "12.0",
    ]
    assert [signed(v) for v in (0.0, 0.001, -0.001, 1.5, -1.5)] == [
        "0.00",
        "0.00",
        "0.00",
        "+1.50",
        "\N{MINUS SIGN}1.50",
    ]
    assert [cell(v) for v in (3.0, 3.14159265, None, np.nan, "a\x00b", True, np.int64(7))] == [
        "3",
        "3.1416",
        "missing",
        "missing",
        "a\N{REPLACEMENT CHARACTER}b",
        "True",
        "7",
    ]
