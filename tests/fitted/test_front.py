"""The front: bounded, the same in every unit, blind to how frequencies are written."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kan_tabular.encoding import TableEncoder, read_table
from kan_tabular.encoding.encoder import Feature
from kan_tabular.fitted.front import Front

pytestmark = pytest.mark.filterwarnings("error")

quick = settings(max_examples=60, deadline=None)
columns = arrays(float, st.integers(2, 30), elements=st.floats(-1e60, 1e60).map(lambda v: v if abs(v) > 1e-60 else 0.0))
tame = arrays(float, st.integers(3, 30), elements=st.integers(-50, 50).map(float))


def feature(x):
    known = x[~np.isnan(x)]
    if not len(known):
        return Feature("x", "numeric")
    return Feature("x", "numeric", low=known.min(), high=known.max(), missing=float(np.isnan(x).mean()))


def fitted(x, weights=None):
    return Front.fit(x[:, None], [feature(x)], np.ones(len(x)) if weights is None else weights)


@quick
@given(columns, arrays(float, 4, elements=st.floats(-1e70, 1e70)))
def test_every_number_lands_within_three_in_the_right_order(x, later):
    if np.ptp(x) == 0:
        return
    front, z = fitted(x), np.sort(np.concatenate([x, later]))
    shown = front(z[:, None])[:, 0]
    assert np.abs(shown).max() <= 3 + 1e-9
    assert (np.diff(shown) >= -1e-9).all()
    # And something of the column is left to see.
    own = front(x[:, None])[:, 0]
    assert own.max() - own.min() > 0.3


@quick
@given(tame, st.sampled_from([-1e12, -3.0, 1e-9, 0.25, 7.0, 1e9]), st.integers(-1000, 1000))
def test_the_unit_and_the_sign_of_a_column_do_not_matter(x, factor, shift):
    if np.ptp(x) == 0:
        return
    moved = factor * (x + shift)
    expected = np.sign(factor) * fitted(x)(x[:, None])
    np.testing.assert_allclose(fitted(moved)(moved[:, None]), expected, atol=1e-7)


@quick
@given(tame, st.data())
def test_a_weight_of_two_is_the_row_twice(x, data):
    repeats = data.draw(arrays(int, len(x), elements=st.integers(1, 4)))
    weighted, repeated = fitted(x, repeats.astype(float)), fitted(np.repeat(x, repeats))
    np.testing.assert_allclose(weighted.center, repeated.center, atol=1e-9)
    np.testing.assert_allclose(weighted.spread, repeated.spread, atol=1e-9)


@quick
@given(tame)
def test_the_order_of_rows_does_not_matter_nor_do_other_rows(x):
    front = fitted(x)
    backwards = fitted(x[::-1])
    assert front.center == backwards.center and front.spread == backwards.spread
    whole = front(x[:, None])
    np.testing.assert_array_equal(whole, np.concatenate([front(x[i : i + 1, None]) for i in range(len(x))]))


@pytest.mark.parametrize("n, digits", [(101, 9), (100, 9), (120, 1)])
def test_median_and_quartiles_are_numpys(n, digits):
    x = np.random.default_rng(0).exponential(size=n).round(digits)
    front = fitted(x)
    quartiles = np.quantile(x, [0.25, 0.5, 0.75], method="averaged_inverted_cdf")
    np.testing.assert_allclose(front.center, quartiles[1])
    np.testing.assert_allclose(front.spread, quartiles[2] - quartiles[0])
    s = (x - quartiles[1]) / (quartiles[2] - quartiles[0])
    np.testing.assert_allclose(front(x[:, None])[:, 0], s / np.sqrt(1 + s**2 / 9))


def test_nearly_a_line_within_the_quartiles_and_one_outlier_moves_nothing():
    x = np.random.default_rng(1).normal(size=200)
    front = fitted(x)
    inside = np.linspace(-0.5, 0.5, 21)
    shown = front((front.center + front.spread * inside)[:, None])[:, 0]
    np.testing.assert_allclose(shown, inside, atol=0.01)
    absurd = np.append(x, 1e50)
    np.testing.assert_allclose(fitted(absurd)(x[:, None]), front(x[:, None]), atol=0.05)


def test_columns_that_are_left_alone():
    level = np.array([0.0, 1, 2, -1, np.nan, 2])
    Z = np.column_stack([np.full(6, 7.0), np.full(6, np.nan), level, np.array([1.0, 2, np.nan, 4, 5, 6])])
    features = [feature(Z[:, 0]), feature(Z[:, 1]), Feature("c", "category", levels=["a", "b", "c"]), feature(Z[:, 3])]
    front = Front.fit(Z, features, np.ones(6))
    shown = front(Z)
    np.testing.assert_array_equal(shown[:, :3], Z[:, :3])
    np.testing.assert_array_equal(front.spread[:3], 0.0)
    np.testing.assert_array_equal(np.isnan(shown[:, 3]), np.isnan(Z[:, 3]))
    known = Z[[0, 1, 3, 4, 5], 3]
    np.testing.assert_allclose(shown[[0, 1, 3, 4, 5], 3], fitted(known)(known[:, None])[:, 0])


@pytest.mark.parametrize(
    "x",
    [
        np.r_[np.zeros(90), np.arange(10.0)],  # quartiles agree
        np.r_[np.zeros(60), np.full(30, 1e-120), np.linspace(0.1, 1, 10)],  # and all but
        np.r_[np.full(30, -1e60), np.full(30, 1e60)],
    ],
    ids=["mostly zero", "nearly tied", "two far values"],
)
def test_tied_columns_stay_visible(x):
    encoder = TableEncoder()
    Z = encoder.fit_transform(read_table(x[:, None]), np.ones(len(x)))
    shown = Front.fit(Z, encoder.features_, np.ones(len(x)))(Z)[:, 0]
    assert np.isfinite(shown).all() and np.abs(shown).max() <= 3 + 1e-9
    top = shown[np.argsort(x)[-10:]]
    if len(np.unique(x)) > 2:
        assert top.max() - top.min() > 0.3  # the values that differ still do
    assert shown.max() - shown.min() > 0.5


def test_a_column_that_is_mostly_zero_keeps_its_other_values_apart():
    """Quartiles that interpolate would be a sliver above zero, and every other value the same as the largest."""
    x = np.concatenate([np.zeros(80), np.linspace(0.01, 0.5, 20)])[:, None]
    front = Front.fit(x, [Feature("share", "numeric", low=0.0, high=0.5)], np.ones(100))
    assert front.center == 0 and front.spread == 0.25
    z = front(x)[80:, 0]
    assert np.diff(z).min() > 0.03 and z[0] < 0.05 and z[-1] > 1.5
