"""Piecewise polynomials against the functions they stand for."""

import numpy as np
import pytest
from scipy.interpolate import PPoly

from kan_tabular.exceptions import LiveModelError
from kan_tabular.report.polynomials import piecewise_polynomials


def read(function, low, high, x, knots=()):
    """Values at `x` of what stands for `function`, and how many pieces and powers it has."""
    breaks, origins, table = piecewise_polynomials(function, low, high, knots)
    ends = np.concatenate([[0.0], breaks, [1.0]])
    assert (np.diff(ends) > 0).all() and np.allclose(origins, (ends[:-1] + ends[1:]) / 2)
    z = (x - low) / (high - low)
    index = np.searchsorted(breaks, z, side="right")
    values = [PPoly(table[i, ::-1][:, None], [0.0, 1.0])(z_i - origins[i]) for i, z_i in zip(index, z, strict=True)]
    return np.array(values), table.shape[:2]


def waves(x):
    return np.stack([np.sin(9 * x), np.exp(x), 1 / (1 + 25 * x**2)], axis=1)


def test_smooth_functions():
    x = np.random.default_rng(0).uniform(-1, 2, 500)
    values, (n_pieces, _) = read(waves, -1.0, 2.0, x)
    assert np.abs(values - waves(x)).max() < 3e-10
    assert n_pieces < 40


def test_far_from_zero():
    low, high = 1e6 - 3.0, 1e6 + 3.0
    x = np.random.default_rng(1).uniform(low, high, 500)
    values, _ = read(lambda x: waves(x - 1e6), low, high, x)
    assert np.abs(values - waves(x - 1e6)).max() < 1e-8  # x itself is only known to 1e-10


def test_polynomials_are_one_piece_of_their_own_degree():
    values, shape = read(lambda x: (x**3 - 2 * x)[:, None], 0.0, 5.0, np.linspace(0, 5, 50))
    assert shape == (1, 4)
    assert np.abs(values[:, 0] - (np.linspace(0, 5, 50) ** 3 - 2 * np.linspace(0, 5, 50))).max() < 1e-10


def test_jumps_of_the_third_derivative_are_found_or_told():
    x = np.linspace(0, 1, 333)
    found, (many, _) = read(lambda x: np.clip(x - 0.3, 0, None)[:, None] ** 3, 0.0, 1.0, x)
    told, (two, powers) = read(lambda x: np.clip(x - 0.3, 0, None)[:, None] ** 3, 0.0, 1.0, x, knots=[-1.0, 0.3, 1.0])
    assert (two, powers) == (2, 4) and many > 5
    for values in (found, told):
        assert np.abs(values[:, 0] - np.clip(x - 0.3, 0, None) ** 3).max() < 3e-11


@pytest.mark.parametrize("function", [lambda x: np.abs(x - 1 / 3), lambda x: np.sign(x - 1 / 3)])
def test_corners_and_jumps_are_refused(function):
    with pytest.raises(LiveModelError, match="jumps or has corners"):
        piecewise_polynomials(lambda x: function(x)[:, None], 0.0, 1.0)
