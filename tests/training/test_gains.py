"""Scales of the first layer's design columns: how easily curves bend, and what they may do where there are no rows."""

import numpy as np
import pytest

from kan_tabular.bases import BSpline, Cosine
from kan_tabular.solvers.terms import build_term
from kan_tabular.training.fit import Setting
from kan_tabular.training.gains import first_layer_gains

SETTINGS = (Setting(0.1, 0.03, False), Setting(0.1, 0.5, False))


def term_of(values, family, kind="numeric", n_levels=0):
    values = np.sort(values)
    return build_term(kind, n_levels, values, np.ones(len(values)), 0.1, family=family, max_columns=50)


def curved(term):
    size = dict(term.groups)["curvature"]
    return slice(1, 1 + size)


@pytest.mark.parametrize("family", [BSpline(10), Cosine(12)])
def test_curves_bend_as_asked_beside_a_line_of_one(family):
    term = term_of(np.random.default_rng(0).uniform(size=200), family)
    gains = first_layer_gains([term], SETTINGS)
    assert gains.shape == (2, term.curves.n_columns)
    np.testing.assert_array_equal(gains[:, [0, -1]], 1.0)  # the line, and the missing value
    np.testing.assert_allclose(np.sqrt((gains[:, curved(term)] ** 2).sum(1)), [0.03, 0.5])
    # No gaps: the fourth root of the roughness alone, but for what few rows leave open.
    fall = gains[1, curved(term)] * term.scale[curved(term)] ** 0.25
    assert fall.max() < 1.35 * fall.min()


def test_columns_that_are_wild_between_the_rows_are_scaled_down():
    """Values at 0 and in [0.8, 1] alone: cosines of a period shorter than the gap are seen by few rows."""
    values = np.append(0.0, np.linspace(0.8, 1.0, 60))
    term = term_of(values, Cosine(12))
    own = curved(term)
    even = np.linspace(0, 1, 2001)
    sizes = np.sqrt((term.curves.columns(even)[:, own] ** 2).mean(0))
    assert sizes.max() > 30
    gains = first_layer_gains([term], SETTINGS)[1, own]
    expected = term.scale[own] ** -0.25 / np.maximum(sizes, 1)
    np.testing.assert_allclose(gains, 0.5 * expected / np.linalg.norm(expected), rtol=0.02)


def test_splines_whose_knots_follow_the_rows_keep_their_scale():
    term = term_of(np.append(0.0, np.linspace(0.8, 1.0, 60)), BSpline(12))
    gains = first_layer_gains([term], SETTINGS)[1, curved(term)]
    expected = term.scale[curved(term)] ** -0.25
    np.testing.assert_allclose(gains, 0.5 * expected / np.linalg.norm(expected))


def test_levels_are_as_they_are():
    term = term_of(np.arange(3.0), BSpline(5), kind="category", n_levels=3)
    np.testing.assert_array_equal(first_layer_gains([term], SETTINGS), 1.0)
