"""What is true of all measures: weights are repeated rows, and bad input is named."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss

from kan_tabular import metrics

BOOTSTRAP = {"n_resamples": 100, "random_state": 0}
MEASURES = {
    "auc": metrics.auc_interval,
    "auc by bootstrap": lambda y, p, **k: metrics.auc_interval(y, p, method="bootstrap", **BOOTSTRAP, **k),
    "average precision": lambda y, p, **k: metrics.average_precision_interval(y, p, **BOOTSTRAP, **k),
    "auc difference": lambda y, p, **k: metrics.auc_difference(y, p, np.round(np.asarray(p, float) ** 2, 1), **k),
    "calibration": metrics.calibration_measures,
    "smooth calibration": metrics.smooth_calibration,
    "groups": metrics.grouped_calibration,
    "groups of equal width": lambda y, p, **k: metrics.grouped_calibration(y, p, strategy="uniform", **k),
    "brier": metrics.brier_decomposition,
    "brier by quantiles": lambda y, p, **k: metrics.brier_decomposition(y, p, strategy="quantile", **k),
    "net benefit": metrics.net_benefit,
}
WITH_PROBABILITIES = sorted(set(MEASURES) - {"auc", "auc by bootstrap", "average precision", "auc difference"})


def numbers(result):
    """All that a measure returns, as one array."""
    if isinstance(result, (tuple, pd.DataFrame)):
        return np.asarray(result, dtype=float).ravel()
    return np.concatenate([np.ravel(value) for value in vars(result).values()])


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    p = np.round(rng.beta(2, 3, 90), 2)
    return (rng.random(90) < p).astype(int), p, np.where(p < 0.3, 5, rng.integers(0, 3, 90))


@pytest.mark.parametrize("name", MEASURES)
def test_weights_are_repeated_rows(name, rows):
    y, p, weight = rows
    weighted = numbers(MEASURES[name](y, p, sample_weight=weight))
    repeated = numbers(MEASURES[name](np.repeat(y, weight), np.repeat(p, weight)))
    np.testing.assert_allclose(weighted, repeated, rtol=1e-6, atol=1e-9)
    assert not np.allclose(weighted, numbers(MEASURES[name](y, p)))


@pytest.mark.parametrize("grouped", [True, False])
def test_weights_of_the_bootstrap_are_repeated_rows(grouped, rows):
    y, p, weight = rows
    weight[:6] = 0  # two whole groups are absent
    groups = np.arange(90) // 3 if grouped else None
    found = metrics.bootstrap_interval(brier_score_loss, y, p, sample_weight=weight, groups=groups, **BOOTSTRAP)
    apart = [np.repeat(values, weight) for values in (y, p)]
    kept = None if groups is None else np.repeat(groups, weight)
    np.testing.assert_allclose(found, metrics.bootstrap_interval(brier_score_loss, *apart, groups=kept, **BOOTSTRAP))


@pytest.mark.parametrize("name", MEASURES)
def test_labels_may_be_text_or_truth_values(name, rows):
    y, p, _ = rows
    expected = numbers(MEASURES[name](y, p))
    text = pd.Series(np.where(y, "dead", "gone home"))
    np.testing.assert_array_equal(numbers(MEASURES[name](text, pd.Series(p), pos_label="dead")), expected)
    np.testing.assert_array_equal(numbers(MEASURES[name](y == 1, list(p))), expected)
    np.testing.assert_array_equal(numbers(MEASURES[name](pd.Categorical(text), p, pos_label="dead")), expected)
    other = numbers(MEASURES[name](text, p))  # the second in order
    assert other.shape != expected.shape or not np.allclose(other, expected)


BAD = [
    ([0, 0, 0, 0], [0.1, 0.2, 0.3, 0.4], {}, "y_true holds only the class 0: rows of both classes are needed"),
    ([0, 1, 2, 0], [0.1, 0.2, 0.3, 0.4], {}, "y_true holds 3 classes \\(0, 1, 2 ...\\): two are needed"),
    ([0, 1, 0, 1], [0.1, 0.2, 0.3], {}, "has 3 rows, but y_true has 4"),
    ([0, 1, 0, 1], [0.1, np.nan, 0.3, 0.4], {}, "is missing or not finite in row 1"),
    ([0, 1, 0, 1], [0.1, 0.2, np.inf, 0.4], {}, "is missing or not finite in row 2"),
    ([0, 1, None, 1], [0.1, 0.2, 0.3, 0.4], {}, "y_true is missing or not finite in row 2"),
    ([0, 1, "a", 1], [0.1, 0.2, 0.3, 0.4], {}, "y_true mixes labels of several kinds \\(int, str\\)"),
    ([0, 1, 0, 1], ["0.1", "high", 0.3, 0.4], {}, "which is not a number"),
    ([], [], {}, "y_true is empty"),
    ([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], {"pos_label": "yes"}, "pos_label='yes' is not in y_true, which holds 0 and 1"),
    ([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], {"sample_weight": [1, 1, -1, 1]}, "sample_weight holds -1 in row 2"),
    ([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], {"sample_weight": [0, 0, 0, 0]}, "sample_weight is 0 in every row"),
    ([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], {"sample_weight": [1, 0, 1, 0]}, "y_true holds only the class 0"),
    ([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], {"sample_weight": [1, 1]}, "sample_weight has 2 rows, but y_true has 4"),
]


@pytest.mark.parametrize(("y", "p", "options", "message"), BAD)
@pytest.mark.parametrize("name", sorted(set(MEASURES) - {"auc difference"}))
def test_bad_input_is_named(name, y, p, options, message):
    with pytest.raises(ValueError, match=message):
        MEASURES[name](np.array(y, dtype=object) if None in y or "a" in y else y, p, **options)


@pytest.mark.parametrize("name", WITH_PROBABILITIES)
@pytest.mark.parametrize("value", [-0.001, 1.2, 40])
def test_scores_that_are_no_probabilities_are_refused(name, value):
    with pytest.raises(ValueError, match=f"y_prob holds {value:g} in row 1: probabilities lie between 0 and 1"):
        MEASURES[name]([0, 1, 0, 1], [0.1, value, 0.3, 0.4])


def test_either_score_of_a_difference_is_named():
    with pytest.raises(ValueError, match="score_b is missing or not finite in row 0"):
        metrics.auc_difference([0, 1, 0, 1], [1, 2, 3, 4], [np.nan, 1, 2, 3])


def test_decimals_and_whole_numbers_are_numbers(rows):
    y, p, _ = rows
    exact = [Decimal(f"{value:.2f}") for value in p]
    assert metrics.brier_decomposition(y, exact) == metrics.brier_decomposition(y, p)
    assert metrics.auc_interval(y, (100 * p).round().astype(int)) == metrics.auc_interval(y, p)


def test_public_names_resolve():
    assert metrics.__all__ == sorted(metrics.__all__)
    assert all(hasattr(metrics, name) for name in metrics.__all__) and set(metrics.__all__) <= set(dir(metrics))
    with pytest.raises(AttributeError, match="nonsense"):
        metrics.nonsense  # noqa: B018
