"""Calibration: slope and intercept against scikit-learn and SciPy, distances against a known truth."""

from statistics import NormalDist

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import binomtest, chi2
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from kan_tabular.metrics import calibration_measures, grouped_calibration, smooth_calibration

DROP = chi2.ppf(0.95, 1) / 2


def rows(seed, n, slope=0.7, intercept=0.4):
    """Outcomes whose log-odds are a line of the logit of the given probabilities."""
    rng = np.random.default_rng(seed)
    x = rng.normal(-0.5, 1.5, n)
    return (rng.random(n) < expit(intercept + slope * x)).astype(int), expit(x)


def log_likelihood(y, log_odds):
    return -np.logaddexp(0, np.where(y == 1, -log_odds, log_odds)).sum()


@pytest.mark.parametrize("seed", range(3))
def test_slope_is_that_of_an_unpenalised_logistic_regression(seed):
    y, p = rows(seed, 150)
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(logit(p)[:, None], y)
    assert calibration_measures(y, p).slope.value == pytest.approx(reference.coef_[0, 0], rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_intervals_are_those_of_the_likelihood_ratio(seed):
    y, p = rows(seed, 80)
    x = logit(p)
    measures = calibration_measures(y, p)

    def profile(slope):
        best = minimize(lambda a: -log_likelihood(y, a[0] + slope * x), [0.0], method="BFGS", options={"gtol": 1e-8})
        return -best.fun

    top = max(profile(s) for s in measures.slope.value + np.linspace(-1e-3, 1e-3, 21))
    for end in measures.slope[1:]:
        assert top - profile(end) == pytest.approx(DROP, abs=1e-4)
    assert measures.slope.low < measures.slope.value < measures.slope.high

    levels = measures.intercept.value + np.linspace(-1e-3, 1e-3, 201)
    likelihoods = [log_likelihood(y, level + x) for level in levels]
    assert levels[np.argmax(likelihoods)] == pytest.approx(measures.intercept.value, abs=1.1e-5)
    for end in measures.intercept[1:]:
        assert max(likelihoods) - log_likelihood(y, end + x) == pytest.approx(DROP, abs=1e-6)
    assert expit(measures.intercept.value + x).sum() == pytest.approx(y.sum())  # as many events as there are


def test_the_interval_follows_the_confidence_level():
    y, p = rows(3, 2000)
    z = NormalDist().inv_cdf(0.75)
    wide, narrow = calibration_measures(y, p).slope, calibration_measures(y, p, confidence_level=0.5).slope
    assert (narrow.high - narrow.low) / (wide.high - wide.low) == pytest.approx(z / 1.96, rel=0.01)  # nearly quadratic


@pytest.mark.parametrize("border", [False, True])
@pytest.mark.parametrize("sign", [1, -1])
def test_separated_classes_have_an_infinite_slope_with_a_finite_end(sign, border):
    p = np.array([0.1, 0.2, 0.3, 0.5, 0.5, 0.5, 0.8, 0.9] if border else [0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    value, low, high = calibration_measures(y if sign == 1 else 1 - y, p).slope
    if sign == -1:
        value, low, high = -value, -high, -low
    assert value == high == np.inf and np.isfinite(low)
    # The likelihood of steep slopes is bounded by that of the rows on the border; the end is DROP below it.
    bound = (np.log(1 / 3) + 2 * np.log(2 / 3)) if border else 0.0
    x = logit(p)
    best = minimize(lambda a: -log_likelihood(y, a[0] + low * x), [0.0], method="BFGS", options={"gtol": 1e-9})
    assert bound + best.fun == pytest.approx(DROP, abs=1e-6)


def test_two_rows_do_not_exclude_a_falling_slope():
    value, low, high = calibration_measures([0, 1], [0.4, 0.6]).slope
    # exp(DROP) below certainty, at the intercept 0 that symmetry demands
    assert value == high == np.inf and 2 * np.log(expit(low * logit(0.6))) == pytest.approx(-DROP)
    assert low < 0


@pytest.mark.parametrize("noise", [0, 1e-12])
def test_equal_probabilities_have_no_slope(noise):
    y = np.resize([0, 1, 0, 0], 40)
    measures = calibration_measures(y, 0.5 + noise * np.random.default_rng(0).normal(size=40))
    assert np.isnan(measures.slope.value) and measures.slope[1:] == (-np.inf, np.inf)
    assert measures.intercept.value == pytest.approx(logit(0.25))
    np.testing.assert_allclose([measures.ici, measures.e50, measures.e90, measures.emax], 0.25)


def test_certain_probabilities_count_as_one_millionth_away():
    y, p = rows(4, 300)
    certain, close = p.copy(), p.copy()
    certain[:4], close[:4] = [0, 0, 1, 1], [1e-6, 1e-6, 1 - 1e-6, 1 - 1e-6]
    found, expected = calibration_measures(y, certain), calibration_measures(y, close)
    np.testing.assert_allclose(found.slope, expected.slope, rtol=1e-9)
    np.testing.assert_allclose(found.intercept, expected.intercept, rtol=1e-9)
    close[:4] = [2e-6, 2e-6, 1 - 2e-6, 1 - 2e-6]
    assert not np.allclose(calibration_measures(y, close).slope, expected.slope, rtol=1e-4)


def test_distances_are_those_of_the_truth():
    y, p = rows(5, 40_000)
    measures = calibration_measures(y, p)
    truth = np.abs(p - expit(0.4 + 0.7 * logit(p)))
    np.testing.assert_allclose(
        [measures.ici, measures.e50, measures.e90],
        [truth.mean(), *np.quantile(truth, [0.5, 0.9])],
        atol=0.006,
    )
    assert measures.emax == pytest.approx(truth.max(), abs=0.02)


def test_a_bent_truth_is_followed_and_right_probabilities_are_nearly_so():
    rng = np.random.default_rng(6)
    p = rng.uniform(0.02, 0.98, 30_000)
    bent = 0.5 + 0.35 * np.sin(5 * p)
    curve = smooth_calibration(rng.random(30_000) < bent, p, grid=np.linspace(0.05, 0.95, 40))
    np.testing.assert_allclose(curve.observed, 0.5 + 0.35 * np.sin(5 * curve.predicted), atol=0.03)
    assert calibration_measures(rng.random(30_000) < p, p).ici < 0.01


def test_the_smooth_curve_is_not_bent_to_the_horizontal():
    """Right probabilities that hardly vary, 100 rows: on average the curve is as steep as the diagonal."""
    slopes = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x = rng.normal(scale=0.4, size=100)
        curve = smooth_calibration(rng.random(100) < expit(x), expit(x), grid=expit([-0.4, 0.4]))
        slopes.append(np.diff(logit(curve.observed))[0] / 0.8)
    error = np.std(slopes) / np.sqrt(len(slopes))
    assert abs(np.mean(slopes) - 1) < 2.6 * error


def test_the_band_surrounds_the_curve_and_reaches_where_asked():
    y, p = rows(7, 200)
    curve = smooth_calibration(y, p)
    assert len(curve.predicted) == 200 and (curve.predicted[0], curve.predicted[-1]) == (p.min(), p.max())
    assert ((curve.low < curve.observed) & (curve.observed < curve.high)).all()
    wide, narrow = smooth_calibration(y, p, confidence_level=0.99), smooth_calibration(y, p, confidence_level=0.5)
    assert (wide.high - wide.low > narrow.high - narrow.low).all()
    at_ends = smooth_calibration(y, p, grid=[0.0, 1.0])
    assert 0 < at_ends.observed[0] < at_ends.observed[1] < 1


@pytest.mark.parametrize("grid", [[0.5, 1.5], [np.nan], [[0.1, 0.2]]])
def test_a_grid_beyond_probabilities_is_refused(grid):
    y, p = rows(8, 50)
    with pytest.raises(ValueError, match="grid"):
        smooth_calibration(y, p, grid=grid)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_groups_are_those_of_scikit_learn(strategy):
    y, p = rows(9, 500)
    groups = grouped_calibration(y, p, 8, strategy=strategy)
    observed, predicted = calibration_curve(y, p, n_bins=8, strategy=strategy)
    # Quantiles of scikit-learn lie between rows, ours on one: a row may be in the next group.
    np.testing.assert_allclose(groups["predicted"], predicted, atol=0.01)
    np.testing.assert_allclose(groups["observed"], observed, atol=0.02)
    assert groups["weight"].sum() == 500


def test_intervals_of_groups_are_wilsons():
    y, p = rows(10, 300)
    for row in grouped_calibration(y, p, 6).itertuples():
        reference = binomtest(round(row.observed * row.weight), int(row.weight)).proportion_ci(method="wilson")
        np.testing.assert_allclose([row.low, row.high], [reference.low, reference.high], rtol=1e-10)


def test_intervals_of_groups_without_exception_end_there():
    for n in range(1, 200):
        groups = grouped_calibration(np.repeat([0, 1], n), np.repeat([0.1, 0.9], n), 2)
        assert groups["low"].iloc[0] == 0 and groups["high"].iloc[1] == 1
        assert groups["high"].iloc[0] == pytest.approx(1 - groups["low"].iloc[1]) and groups["high"].iloc[0] > 1 / (
            n + 1
        )


def test_equal_probabilities_stay_in_one_group():
    p = np.repeat([0.1, 0.4, 0.8], [70, 20, 10])
    groups = grouped_calibration(np.resize([0, 1], 100), p, 10)
    np.testing.assert_allclose(groups["predicted"], [0.1, 0.4, 0.8])
    assert groups["weight"].tolist() == [70, 20, 10]
