"""The bootstrap of any metric, by rows and by groups of rows."""

from functools import partial

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, r2_score, recall_score, root_mean_squared_error

from kan_tabular.metrics import bootstrap_interval


def mean_error(y_true, y_pred):
    return np.mean(y_pred - y_true)


def test_the_interval_of_a_mean_is_that_of_theory():
    errors = np.random.default_rng(0).normal(2.0, 3.0, 400)
    found = bootstrap_interval(mean_error, np.zeros(400), errors, n_resamples=4000, random_state=0)
    half = 1.96 * errors.std() / 20
    assert found.value == errors.mean()
    np.testing.assert_allclose(found[1:], [errors.mean() - half, errors.mean() + half], atol=0.08 * half)


@pytest.mark.parametrize("metric", [r2_score, root_mean_squared_error])
def test_percentiles_of_a_plain_loop(metric):
    rng = np.random.default_rng(1)
    y = rng.normal(size=80)
    prediction = y + rng.normal(scale=0.5, size=80)
    found = bootstrap_interval(metric, y, prediction, confidence_level=0.8, n_resamples=600, random_state=0)
    assert found.value == metric(y, prediction)
    draws = rng.integers(80, size=(600, 80))
    plain = np.quantile([metric(y[rows], prediction[rows]) for rows in draws], [0.1, 0.9])
    np.testing.assert_allclose(found[1:], plain, atol=0.15 * np.ptp(plain))


def test_rows_of_a_group_are_drawn_together():
    rng = np.random.default_rng(2)
    errors = rng.normal(size=50)
    copies, patients = np.repeat(errors, 20), np.repeat([f"patient {i}" for i in range(50)], 20)
    alone = bootstrap_interval(mean_error, np.zeros(50), errors, random_state=0)
    together = bootstrap_interval(mean_error, np.zeros(1000), copies, groups=patients, random_state=0)
    apart = bootstrap_interval(mean_error, np.zeros(1000), copies, random_state=0)
    width = alone.high - alone.low
    assert together.high - together.low == pytest.approx(width, rel=0.1)
    assert apart.high - apart.low == pytest.approx(width / np.sqrt(20), rel=0.1)


def test_groups_of_other_sizes_count_by_their_rows():
    # One group of 90 rows of error 1, ten of a row of error 0: the large one is drawn Binomial(11, 1/11) times.
    errors, groups = np.repeat([1.0, 0.0], [90, 10]), np.append(np.zeros(90), np.arange(1, 11))
    found = bootstrap_interval(mean_error, np.zeros(100), errors, groups=groups, random_state=0)
    times = np.array([0, 3])  # 2.5% and 97.5% quantiles of that binomial
    np.testing.assert_allclose(found[1:], 90 * times / (90 * times + 11 - times))
    assert found.value == 0.9


def test_resamples_without_a_value_are_left_out_or_refused():
    rare, rarer = np.repeat([1, 0], [5, 95]), np.repeat([1, 0], [1, 99])
    recall, settings = partial(recall_score, zero_division=np.nan), {"n_resamples": 200, "random_state": 0}
    assert bootstrap_interval(recall, rare, rare, **settings) == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="undefined in 3[0-9]% of the resamples"):
        bootstrap_interval(recall, rarer, rarer, **settings)
    with pytest.raises(ValueError, match="undefined in 3[0-9]% of the resamples"):  # log_loss raises in these
        bootstrap_interval(log_loss, rarer, np.full(100, 0.1), **settings)


def test_text_labels_and_columns_of_probabilities():
    y = np.resize(["no", "yes", "maybe"], 90)
    probability = np.full((90, 3), 1 / 3)
    measure = partial(log_loss, labels=["maybe", "no", "yes"])
    np.testing.assert_allclose(bootstrap_interval(measure, y, probability, n_resamples=100), np.log(3))
    found = bootstrap_interval(accuracy_score, y, np.full(90, "yes"), n_resamples=200, random_state=0)
    assert found.value == pytest.approx(1 / 3) and found.low < found.value < found.high


@pytest.mark.parametrize("random_state", [0, np.random.RandomState(0), np.random.default_rng(0)])
def test_random_state(random_state):
    y, prediction = np.arange(30.0), np.arange(30.0)[::-1] / 2
    found = bootstrap_interval(r2_score, y, prediction, n_resamples=100, random_state=random_state)
    again = bootstrap_interval(r2_score, y, prediction, n_resamples=100, random_state=1)
    assert found != again


def no_weights(y_true, y_pred):
    return 0.0


@pytest.mark.parametrize(
    ("metric", "y", "prediction", "options", "message"),
    [
        (r2_score, [1, 2, 3], [1, 2], {}, "y_pred has shape \\(2,\\): give a value for each of the 3 rows"),
        (r2_score, [1, 2, 3], [1, 2, 3], {"groups": [1, 2]}, "groups has 2 rows, but y_true has 3"),
        (r2_score, [1, 2, 3], [1, 2, 3], {"groups": [1, 1, 1]}, "groups holds one group"),
        (r2_score, [1, 2, 3], [1, 2, 3], {"groups": ["a", None, "b"]}, "groups is missing or not finite in row 1"),
        (no_weights, [1, 2, 3], [1, 2, 3], {"sample_weight": [1, 2, 3]}, "metric takes no sample_weight"),
        (r2_score, [1, 2, 3], [1, 2, 3], {"sample_weight": [0.3, 0.3, 0.3]}, "There are 0.9 rows"),
        (r2_score, [1, 2, 3], [1, 2, 3], {"n_resamples": 2.5}, "n_resamples=2.5: expected a whole number"),
        (r2_score, [1, 2, 3], [1, 2, 3], {"confidence_level": 1.0}, "confidence_level=1.0: expected"),
        (r2_score, [1, 2, np.nan], [1, 2, 3], {}, "NaN"),
    ],
)
def test_bad_input_is_named(metric, y, prediction, options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(metric, y, prediction, **options)


def test_a_name_is_no_metric():
    with pytest.raises(TypeError, match="metric='r2': expected a function"):
        bootstrap_interval("r2", [1, 2, 3], [1, 2, 3])
