"""The order statistics behind every set and interval, against counting."""

import itertools

import numpy as np
import pytest

from kan_tabular.uncertainty import rows_needed
from kan_tabular.uncertainty._calibration import Calibration, keeps

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)


def calibration(scores, mass=None, stratum=None, fold=None, weighted=False):
    n = len(scores)
    stratum = np.zeros(n, dtype=int) if stratum is None else stratum
    return Calibration(
        scores=np.asarray(scores, dtype=float),
        mass=np.ones(n) if mass is None else np.asarray(mass, dtype=float),
        stratum=stratum,
        strata=[(None, None)] if stratum.max() == 0 else [(None, g) for g in range(stratum.max() + 1)],
        fold=np.zeros(n, dtype=int) if fold is None else fold,
        weighted=weighted,
    )


@pytest.mark.parametrize("level", [*LEVELS, 0.1, 0.7, 1 / 3, 0.999])
def test_rows_needed_is_the_smallest_number_with_a_finite_threshold(level):
    from fractions import Fraction

    exact = Fraction(str(round(level, 12)))
    n = next(n for n in itertools.count(1) if -(-(n + 1) * exact // 1) <= n)
    assert rows_needed(level) == n


@pytest.mark.parametrize("n", [9, 19, 20, 99, 100, 1000])
def test_thresholds_are_the_order_statistic_of_split_conformal(n):
    from fractions import Fraction

    scores = np.random.default_rng(n).normal(size=n)
    levels = [level for level in LEVELS if rows_needed(level) <= n]
    found = calibration(scores).thresholds(levels, np.zeros(1, dtype=int), np.ones(1))[0]
    ranks = [-(-(n + 1) * Fraction(str(level)) // 1) for level in levels]
    assert found.tolist() == [np.sort(scores)[int(k) - 1] for k in ranks]


def test_p_values_count_what_is_at_least_as_strange():
    rng = np.random.default_rng(0)
    scores, new = rng.integers(0, 6, 40), rng.integers(-1, 8, (1, 30))  # with ties
    p = calibration(scores).p_values(new.astype(float), np.zeros(30, dtype=int), np.ones(30))
    counted = [(1 + sum(s >= v for s in scores.tolist())) / 41 for v in new[0].tolist()]
    np.testing.assert_allclose(p, counted, rtol=1e-12)


@pytest.mark.parametrize("level", LEVELS)
def test_a_value_is_kept_exactly_up_to_the_threshold(level):
    rng = np.random.default_rng(1)
    known = calibration(rng.normal(size=99))
    q = known.thresholds([level], np.zeros(1, dtype=int), np.ones(1))[0, 0]
    new = np.array([[np.nextafter(q, -9), q, np.nextafter(q, 9)]])
    p = known.p_values(new, np.zeros(3, dtype=int), np.ones(3))
    assert keeps(p, level).tolist() == [True, True, False]


def test_masses_are_repeated_rows():
    rng = np.random.default_rng(2)
    scores, mass = rng.normal(size=30), rng.integers(0, 5, 30)
    weighted, repeated = calibration(scores, mass), calibration(np.repeat(scores, mass))
    zeros = np.zeros(20, dtype=int)
    new = rng.normal(size=(1, 20))
    levels = [0.5, 0.8, 0.9]
    np.testing.assert_allclose(weighted.p_values(new, zeros, np.ones(20)), repeated.p_values(new, zeros, np.ones(20)))
    assert weighted.thresholds(levels, zeros[:1], np.ones(1)).tolist() == (
        repeated.thresholds(levels, zeros[:1], np.ones(1)).tolist()
    )


def test_masses_count_up_to_a_constant_when_the_new_row_has_it_too():
    rng = np.random.default_rng(6)
    scores, new = rng.normal(size=9), rng.normal(size=(1, 40))
    zeros = np.zeros(40, dtype=int)
    one, tenth = calibration(scores), calibration(scores, np.full(9, 0.1))
    for level in (0.5, 0.7, 0.8, 0.9):  # 0.1 summed up is not exactly a multiple of it
        kept = keeps(one.p_values(new, zeros, np.ones(40)), level)
        assert np.array_equal(kept, keeps(tenth.p_values(new, zeros, np.full(40, 0.1)), level))
        q = [c.thresholds([level], zeros[:1], m)[0, 0] for c, m in ((one, np.ones(1)), (tenth, np.full(1, 0.1)))]
        assert q[0] == q[1]
        values = rng.normal(size=(40, 9))
        ends = [c.upper(values, level, zeros, np.full(40, m)) for c, m in ((one, 1.0), (tenth, 0.1))]
        assert np.array_equal(*ends)


def test_likelihood_ratios_follow_the_weighted_quantile():
    """Tibshirani et al. (2019), equation 9, from its definition: a point mass at infinity stands for the new row."""
    rng = np.random.default_rng(3)
    scores, mass, new = rng.normal(size=25), rng.exponential(size=25), rng.exponential(3, size=12)
    found = calibration(scores, mass, weighted=True).thresholds([0.9], np.zeros(12, dtype=int), new)[:, 0]
    for w, q in zip(new, found, strict=True):
        share = np.append(mass, w) / (mass.sum() + w)
        values = np.append(scores, np.inf)
        smallest = min(v for v in values if share[values <= v].sum() >= 0.9 - 1e-12)
        assert q == smallest
    assert np.isinf(found).any() and np.isfinite(found).any()


def test_strata_and_folds_do_not_mix():
    rng = np.random.default_rng(4)
    scores, stratum, fold = rng.normal(size=60), rng.integers(0, 2, 60), rng.integers(0, 3, 60)
    new, of = rng.normal(size=(3, 10)), rng.integers(0, 2, 10)
    p = calibration(scores, stratum=stratum, fold=fold).p_values(new, of, np.ones(10))
    for r in range(10):
        own = [scores[i] >= new[fold[i], r] for i in range(60) if stratum[i] == of[r]]
        assert p[r] == pytest.approx((1 + sum(own)) / (len(own) + 1))


def test_upper_ends_are_order_statistics_of_what_each_row_says():
    rng = np.random.default_rng(5)
    values, stratum = rng.normal(size=(7, 50)), rng.integers(0, 2, 50)
    of = rng.integers(0, 2, 7)
    known = calibration(np.zeros(50), stratum=stratum)
    found = known.upper(values, 0.8, of, np.ones(7))
    for r in range(7):
        own = np.sort(values[r, stratum == of[r]])
        assert found[r] == own[int(np.ceil(0.8 * (len(own) + 1))) - 1]
    many = known.upper(values, 0.8, of, np.full(7, 1000.0))
    assert np.isinf(many).all()


def test_too_few_rows_are_refused_with_the_number_needed():
    with pytest.raises(ValueError, match=r"confidence_level=0\.95 needs at least 19 calibration rows, found 18"):
        calibration(np.zeros(18)).check_enough([0.8, 0.95])
    calibration(np.zeros(19)).check_enough([0.8, 0.95])
    few = calibration(np.zeros(30), stratum=np.r_[np.zeros(25, dtype=int), np.ones(5, dtype=int)])
    with pytest.raises(ValueError, match=r"needs at least 9 calibration rows of group 1, found 5"):
        few.check_enough([0.9])
