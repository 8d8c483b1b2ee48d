"""AUC and average precision: values against scikit-learn, DeLong's variance against all pairs, resampling."""

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import norm, t
from sklearn.metrics import average_precision_score, roc_auc_score

from kan_tabular.metrics import auc_difference, auc_interval, average_precision_interval
from kan_tabular.metrics.ranking import _Ranking

Z = norm.ppf(0.975)


def rows(seed, n=60, levels=None):
    """Outcomes and two scores that know something of them; with `levels` the scores have ties."""
    rng = np.random.default_rng(seed)
    y = np.resize([0, 1, 0], n)
    a, b = y + rng.normal(size=n), y + rng.normal(scale=2, size=n)
    if levels:
        a, b = np.round(a * levels) / levels, np.round(b * levels) / levels
    return y, a, b


def kernel(y, score):
    """Mann-Whitney kernel of all pairs (events, others)."""
    positive, negative = score[y == 1][:, None], score[y == 0][None, :]
    return (positive > negative) + 0.5 * (positive == negative)


def all_pairs(pairs):
    """DeLong's standard error from the whole table of pairs, and t with the degrees of freedom of Welch's test."""
    means = [pairs.mean(axis=1), pairs.mean(axis=0)]
    own = [values.var(ddof=1) / len(values) for values in means]
    freedom = sum(own) ** 2 / sum(v**2 / (len(values) - 1) for v, values in zip(own, means, strict=True))
    return np.sqrt(sum(own)), t(freedom)


@pytest.mark.parametrize("levels", [None, 4, 1])
@pytest.mark.parametrize("seed", range(4))
def test_delong_is_that_of_all_pairs(seed, levels):
    y, score, _ = rows(seed, levels=levels)
    pairs = kernel(y, score)
    if levels == 1:
        assert len(np.unique(score)) < 8  # nearly all is tied
    error, student = all_pairs(pairs)
    half = student.ppf(0.975) * error / (pairs.mean() * (1 - pairs.mean()))
    found = auc_interval(y, score)
    middle = logit(pairs.mean())
    np.testing.assert_allclose(found, [pairs.mean(), expit(middle - half), expit(middle + half)], rtol=1e-12)
    assert found.value == pytest.approx(roc_auc_score(y, score), rel=1e-12)


@pytest.mark.parametrize("levels", [None, 2])
def test_delong_and_bootstrap_agree(levels):
    y, score, _ = rows(5, n=600, levels=levels)
    delong, bootstrap = auc_interval(y, score), auc_interval(y, score, method="bootstrap", random_state=0)
    assert bootstrap.value == pytest.approx(delong.value, rel=1e-12)
    width = delong.high - delong.low
    assert abs(bootstrap.low - delong.low) < 0.12 * width and abs(bootstrap.high - delong.high) < 0.12 * width


def test_many_rows_have_the_interval_of_delong():
    y, score, _ = rows(6, n=3000)
    pairs = kernel(y, score)
    error, auc = all_pairs(pairs)[0], pairs.mean()
    np.testing.assert_allclose(auc_interval(y, score)[1:], [auc - Z * error, auc + Z * error], atol=0.07 * error)


def test_any_increasing_function_of_the_score_gives_the_same():
    y, score, _ = rows(1, levels=3)
    assert auc_interval(y, np.exp(score) - 7) == auc_interval(y, score)


def test_the_other_class_mirrors_the_interval():
    y, score, _ = rows(2)
    names = np.array(["malignant", "benign"])[y]  # "malignant" comes second in order, and is 0 here
    found, mirrored = auc_interval(names, score, pos_label="benign"), auc_interval(names, score)
    np.testing.assert_allclose(mirrored, [1 - found.value, 1 - found.high, 1 - found.low], rtol=1e-12)
    assert found == auc_interval(y, score)


def test_more_confidence_is_a_wider_interval():
    y, score, _ = rows(3)
    narrow, wide = auc_interval(y, score, confidence_level=0.5), auc_interval(y, score, confidence_level=0.99)
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


@pytest.mark.parametrize(("m", "n"), [(2, 2), (5, 40), (300, 300)])
def test_perfect_separation_is_not_certain(m, n):
    y = np.repeat([0, 1], [n, m])
    value, low, high = auc_interval(y, np.arange(m + n))
    assert (value, high) == (1.0, 1.0)
    # Newcombe's method 5: the observed 1 is z standard errors above the bound.
    pairs = (m + n) / 2 - 1
    variance = low * (1 - low) * (1 + pairs * ((1 - low) / (2 - low) + low / (1 + low))) / (m * n)
    assert 1 - low == pytest.approx(Z * np.sqrt(variance), rel=1e-9)
    assert auc_interval(y, -np.arange(m + n)) == pytest.approx((0.0, 0.0, 1 - low))


def test_a_constant_score_ranks_nothing():
    y, _, _ = rows(0)
    assert auc_interval(y, np.full(60, 0.3)) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("levels", [None, 2])
@pytest.mark.parametrize("seed", range(3))
def test_difference_is_that_of_all_pairs(seed, levels):
    y, a, b = rows(seed, levels=levels)
    pairs = kernel(y, a) - kernel(y, b)
    error, student = all_pairs(pairs)
    half = student.ppf(0.975) * error
    expected = [pairs.mean(), pairs.mean() - half, pairs.mean() + half]
    found = auc_difference(y, a, b)
    np.testing.assert_allclose(found[:3], expected, rtol=1e-10)
    assert found.p_value == pytest.approx(2 * student.sf(abs(pairs.mean()) / error), rel=1e-10)
    swapped = auc_difference(y, b, a)
    np.testing.assert_allclose(swapped, [-found.value, -found.high, -found.low, found.p_value], rtol=1e-10)


def test_scores_that_rank_alike_do_not_differ():
    y, a, _ = rows(4)
    assert auc_difference(y, a, np.exp(a)) == (0.0, 0.0, 0.0, 1.0)


def test_a_difference_of_one_pair_among_many_is_seen():
    y = np.resize([0, 1], 20_000)
    a = np.sort(np.random.default_rng(0).normal(size=20_000))
    b = a.copy()
    b[[100, 101]] = b[[101, 100]]  # one event and one other change places
    found = auc_difference(y, a, b)
    assert abs(found.value) == pytest.approx(1e-8, rel=1e-6) and found.low < found.value < found.high


def test_a_difference_without_variance_is_refused():
    y, _, _ = rows(0)
    with pytest.raises(ValueError, match="differ by \\+0.5 but have no variance"):
        auc_difference(y, y, np.zeros(60))


@pytest.mark.parametrize("levels", [None, 3])
def test_ranking_measures_are_those_of_scikit_learn(levels):
    y, score, _ = rows(7, levels=levels)
    ranking = _Ranking(y == 1, score)
    rng = np.random.default_rng(0)
    for _ in range(20):
        counts = rng.poisson(1.0, len(y)).astype(float)
        assert ranking.auc(counts) == pytest.approx(roc_auc_score(y, score, sample_weight=counts), rel=1e-12)
        expected = average_precision_score(y, score, sample_weight=counts)
        assert ranking.average_precision(counts) == pytest.approx(expected, rel=1e-12)


def three_classes(n=150):
    rng = np.random.default_rng(8)
    y = rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2])
    scores = (y[:, None] == np.array(["a", "b", "c"])) + rng.normal(size=(n, 3))
    return y, np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("measure", "score_of"),
    [
        (auc_interval, lambda y, s: roc_auc_score(y, s, multi_class="ovr")),
        (average_precision_interval, average_precision_score),
    ],
)
def test_more_classes_are_averaged_and_resampled_within(measure, score_of):
    y, scores = three_classes()
    found = measure(y, scores, random_state=0, n_resamples=300)
    assert found.value == pytest.approx(score_of(y, scores), rel=1e-12)
    assert measure(y, scores[:, ::-1], labels=["c", "b", "a"], n_resamples=100).value == pytest.approx(found.value)
    # The plain way: draw rows within each class, measure by scikit-learn.
    rng = np.random.default_rng(1)
    members = [np.flatnonzero(y == label) for label in "abc"]
    drawn = [np.concatenate([rng.choice(own, len(own)) for own in members]) for _ in range(200)]
    plain = np.quantile([score_of(y[rows], scores[rows]) for rows in drawn], [0.025, 0.975])
    assert np.abs(plain - found[1:]).max() < 0.2 * np.ptp(plain)


def test_average_precision_of_two_classes():
    y, score, _ = rows(9, n=200)
    found = average_precision_interval(y, score, n_resamples=200, random_state=0)
    assert found.value == pytest.approx(average_precision_score(y, score), rel=1e-12)
    assert found.low < found.value < found.high
    flipped = average_precision_interval(y, -score, pos_label=0, n_resamples=100)
    assert flipped.value == pytest.approx(average_precision_score(1 - y, -score), rel=1e-12)


def test_random_state_decides_the_bootstrap_and_leaves_numpy_alone():
    y, score, _ = rows(10)
    before = np.random.get_state()[1].copy()

    def measured(random_state):
        return auc_interval(y, score, method="bootstrap", n_resamples=100, random_state=random_state)

    assert measured(3) == measured(3) != measured(4)
    assert measured(np.random.RandomState(0)) == measured(np.random.RandomState(0))
    assert measured(None) != measured(None)
    assert np.array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize(
    ("y", "score", "options", "message"),
    [
        ([0, 0, 0, 1], [1, 2, 3, 4], {}, "positive class has 1 row: an interval needs at least 2"),
        ([0, 1, 1, 1], [1, 2, 3, 4], {}, "other class has 1 row"),
        ([0, 1, 1, 1], [1, 2, 3, 4], {"method": "bootstrap"}, "other class has 1 row"),
        ([0, 0, 1, 1], [1, 2, 3, 4], {"method": "wald"}, "method='wald': expected 'delong' or 'bootstrap'"),
        (
            [0, 0, 1, 1],
            [1, 2, 3, 4],
            {"confidence_level": 95},
            "confidence_level=95: expected a number between 0 and 1",
        ),
        ([0, 0, 1, 1], [1, 2, 3, 4], {"method": "bootstrap", "n_resamples": 10}, "n_resamples=10: expected"),
        ([0, 0, 1, 1], [[1, 2]] * 4, {}, "y_score has 2 columns: give one number a row, such as predict_proba"),
        ([0, 0, 1, 1], [1, 2, 3, 4], {"labels": [0, 1], "method": "bootstrap"}, "for two, give pos_label"),
        ([0, 0, 1, 1, 2], np.eye(5, 3), {}, "class 2 has 1 row"),
        ([0, 0, 1, 1], np.eye(4, 3), {}, "y_score has shape \\(4, 3\\), but there are 2 classes"),
        ([0, 0, 1, 1], np.eye(4, 3), {"labels": [0, 1, 2]}, "class 2 has 0 rows"),
        ([0, 0, 1, 5], np.eye(4, 3), {"labels": [0, 1, 2]}, "y_true holds 5, which is not among labels"),
        ([0, 0, 1, 1], np.eye(4, 3), {"pos_label": 1}, "pos_label is for two classes"),
    ],
)
def test_what_cannot_be_measured_is_said(y, score, options, message):
    with pytest.raises(ValueError, match=message):
        auc_interval(y, score, **options)
