"""The candidate functions against sympy: values, derivatives, symmetries, domains."""

import numpy as np
import pytest
import sympy

from kan_tabular.symbolic.candidates import LIBRARY, Candidate, read_candidates

U = sympy.Symbol("u", real=True)
each = pytest.mark.parametrize("candidate", LIBRARY, ids=lambda c: c.name)


def inside(candidate):
    low, high = (np.clip(end, -2.5, 2.5) for end in candidate.domain)
    return np.linspace(low + 0.07, high - 0.07, 60)


@each
def test_values_and_derivatives_are_those_of_the_formula(candidate):
    u = inside(candidate)
    formula = candidate.formula(U)
    expected = [float(formula.subs(U, v)) for v in u]
    np.testing.assert_allclose(candidate.value(u), expected, rtol=1e-12, atol=1e-14)
    step = 1e-6
    slope = (candidate.value(u + step) - candidate.value(u - step)) / (2 * step)
    np.testing.assert_allclose(candidate.derivative(u), slope, rtol=1e-5, atol=1e-6)


@each
def test_monotone_and_parity_are_what_they_say(candidate):
    u = inside(candidate)
    steps = np.diff(candidate.value(u))
    assert candidate.monotone == bool((steps >= 0).all() or (steps <= 0).all())
    sign = {"odd": -1, "even": 1, None: None}[candidate.parity]
    if sign:
        np.testing.assert_allclose(candidate.value(-u), sign * candidate.value(u), atol=1e-12)


@each
def test_scale_takes_the_slope_out(candidate):
    u = np.abs(inside(candidate)) + 0.1
    if candidate.scale == "log":
        np.testing.assert_allclose(candidate.value(3 * u), candidate.value(u) + np.log(3))
    elif candidate.scale is not None:
        np.testing.assert_allclose(candidate.value(3 * u), 3**candidate.scale * candidate.value(u))


@each
def test_every_start_is_finite_over_the_column(candidate):
    a, b = candidate.bounded(*candidate.starts.T)
    t = np.linspace(-1, 1, 41)
    u = np.clip(a[:, None] * t + b[:, None], *candidate.domain)
    assert np.abs(u - (a[:, None] * t + b[:, None])).max() < 1e-12
    assert np.isfinite(candidate.value(u)).all()
    assert np.isfinite(candidate.derivative(u)).all()


def test_poles_stay_outside():
    reciprocal = next(c for c in LIBRARY if c.name == "1/x")
    a, b = reciprocal.bounded(np.array([1.0, -1.0]), np.array([-3.0, 0.2]))
    assert (b - np.abs(a) >= reciprocal.margin - 1e-12).all()


def test_a_candidate_from_its_formula_alone():
    softsign = Candidate("softsign", lambda u: u / (1 + sympy.Abs(u)), monotone=True)
    u = np.array([-2.0, 0.5, 3.0])
    np.testing.assert_allclose(softsign.value(u), u / (1 + np.abs(u)))
    np.testing.assert_allclose(softsign.derivative(u), 1 / (1 + np.abs(u)) ** 2)


def test_constant_derivatives_have_the_shape_of_the_argument():
    assert Candidate("triple", lambda u: 3 * u).derivative(np.zeros((2, 5))).shape == (2, 5)


def test_names_and_instances_are_read():
    own = Candidate("own", lambda u: u**6, free="b", scale=6.0)
    assert [c.name for c in read_candidates(["log", own])] == ["log", "own"]
    assert read_candidates(None) is LIBRARY


@pytest.mark.parametrize("wrong, hint", [("log", "list"), (["logarithm"], "'logarithm'"), ([], "empty"), (3, "list")])
def test_wrong_candidates_are_refused(wrong, hint):
    with pytest.raises(ValueError, match=hint):
        read_candidates(wrong)


def test_wrong_formulas_are_refused():
    with pytest.raises(ValueError, match="free"):
        Candidate("f", lambda u: u, free="c")
    with pytest.raises(ValueError, match="needs scale"):
        Candidate("f", lambda u: 1 / (1 + u**2), free="b")
    with pytest.raises(ValueError, match="linear"):
        Candidate("f", lambda u: u, free="")
    with pytest.raises(ValueError, match="symbol"):
        Candidate("f", lambda u: u * sympy.Symbol("k"))
