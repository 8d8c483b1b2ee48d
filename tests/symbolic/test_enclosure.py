"""Where expressions are finite and real."""

import numpy as np
import pytest
import sympy
from formula_cases import FUNCTIONS
from hypothesis import given, settings
from hypothesis import strategies as st

from kan_tabular.exceptions import FormulaError
from kan_tabular.symbolic.enclosure import LARGEST_VALUE, _enclose, check_reach, check_real, find_reach, largest_value
from kan_tabular.symbolic.expressions import T


def _values(expression, x):
    """NumPy's values of the expression, with what is not real as NaN."""
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(sympy.lambdify(T, expression, "numpy")(x), float), x.shape)


@pytest.mark.parametrize("expression", FUNCTIONS, ids=str)
@settings(max_examples=15, deadline=None, derandomize=True)
@given(low=st.floats(-20, 20), width=st.floats(0, 5), scale=st.floats(-3, 3))
def test_values_lie_within_the_bounds(expression, low, width, scale):
    composed = expression.xreplace({T: round(scale, 2) * T + 0.3})
    (lo,), (hi,) = _enclose(composed, [low], [low + width])
    values = _values(composed, np.linspace(low, low + width, 101))
    if np.isnan(lo):
        return  # not certain: `check_real` halves such pieces
    slack = 1e-9 * (1 + np.abs(values).max())
    assert (values >= lo - slack).all() and (values <= hi + slack).all()


@pytest.mark.parametrize("expression", FUNCTIONS, ids=str)
def test_bounds_of_small_pieces_are_tight(expression):
    edges = np.linspace(-5, 5, 3001)
    lo, hi = _enclose(expression, edges[:-1], edges[1:])
    # A few pieces hold a jump, or a point by itself.
    assert not np.isnan(lo).any() and (hi - lo > 0.5).sum() <= 4


@pytest.mark.parametrize(
    ("expression", "low", "high", "place"),
    [
        (1 / T, -1, 2, 0.0),
        (1 / (T - sympy.Float(0.123456)), -1, 2, 0.123456),
        (1 / (T**2 - 2), 0, 2, np.sqrt(2)),
        (sympy.log(T), 0, 1, 0.0),
        (sympy.log(T), -1, 1, -1.0),
        (sympy.sqrt(T - 2), 1, 3, 1.0),
        (T ** sympy.Rational(-1, 2), 0, 1, 0.0),
        ((T - 1) ** 1.5, 0, 2, 0.0),
        (sympy.tan(T), 0, 2, np.pi / 2),
        (sympy.asin(T), 0, 2, 1.0),
        (sympy.acos(T), -2, 0, -2.0),
        (sympy.atanh(T), 0, 1, 1.0),
        (sympy.exp(T), 0, 400, 300.0),
        (sympy.cosh(T), 0, 400, 300.0),
        (sympy.sinh(T), -400, 0, -400.0),
        (T**T, -1, 1, -1.0),
        (sympy.sin(1000 * T), 0, 1000, 100.0),
        (T**40, 1, 1e4, 1e150 ** (1 / 40)),
        (sympy.Piecewise((sympy.log(T), T > 0), (0, True)), -1, 1, 0.0),
        (sympy.Piecewise((1, sympy.log(T) > 0), (0, True)), -1, 1, -1.0),
        (sympy.Piecewise((1, T < 0), (2, T > 1)), -1, 2, 0.0),
        (1 / sympy.Piecewise((1, T < 0), (0, True)), -1, 1, 0.0),
    ],
    ids=str,
)
def test_names_the_first_place_of_trouble(expression, low, high, place):
    with pytest.raises(FormulaError, match="guard its argument") as error:
        check_real(expression, low, high)
    named = float(str(error.value).split("near T = ")[1].split(", inside")[0])
    assert named == pytest.approx(place, abs=1e-4 * max(1, abs(place)))


@pytest.mark.parametrize(
    ("expression", "low", "high"),
    [
        (sympy.sqrt(T), 0, 1),
        (sympy.sqrt(1 - T**2), -1, 1),
        (1 / (T**2 - T + 1), -5, 5),
        (1 / (sympy.sin(T) + 1.001), 0, 50),
        (1 / (1 + sympy.exp(-5 * T)), -60, 1e9),
        (sympy.exp(-(((T - 5) / 0.01) ** 2)), 0, 100),
        (sympy.Piecewise((sympy.sqrt(T), T >= 0), (0, True)), -1, 1),
        (sympy.Piecewise((0, T < 0), (sympy.sqrt(T), True)), -1, 1),
        (sympy.Piecewise((sympy.log(T), sympy.And(T > 1, T < 3)), (sympy.log(5 - T), T < 4), (0, True)), -1, 9),
        (sympy.Piecewise((0, sympy.Or(T < 1, T > 3)), (sympy.log(T) + sympy.log(4 - T), True)), -9, 9),
        (sympy.Float(2) ** T, -10, 10),
        (T**T, 0.1, 3),
        (sympy.Integer(3), 0, 0),
        (sympy.log(T), 2, 2),
    ],
    ids=str,
)
def test_accepts(expression, low, high):
    check_real(expression, low, high)


@pytest.mark.parametrize(("low", "high"), [(1, 0), (np.nan, 1), (0, np.inf)])
def test_refuses_what_is_no_range(low, high):
    with pytest.raises(FormulaError, match="two finite numbers in increasing order"):
        check_real(T, low, high)


@pytest.mark.parametrize("expression", [*FUNCTIONS, 1 / (T + 7), sympy.log(T + 6), sympy.exp(3 * T), T**9], ids=str)
def test_reach_is_safe_and_holds_the_domain(expression):
    low, high = find_reach(expression, -5, 5)
    assert low <= -5 and high >= 5
    values = _values(expression, np.concatenate([np.linspace(low, high, 9999), -np.geomspace(1e-9, -low, 999)]))
    assert np.isfinite(values).all() and np.abs(values).max() <= LARGEST_VALUE


@pytest.mark.parametrize(
    ("expression", "reach"),
    [
        (T**3, (-1e30, 1e30)),
        (sympy.exp(T), (-1e30, 5 + 295 / 2)),
        (sympy.log(T + 6), (-5.5, 1e30)),
        (1 / (T - 6), (-1e30, 5.5)),
        (sympy.sin(T), (-5e4, 5e4)),
    ],
    ids=str,
)
def test_reach_ends_halfway_to_the_trouble(expression, reach):
    assert find_reach(expression, -5, 5) == pytest.approx(reach, rel=0.01)


@pytest.mark.parametrize("expression", [1 / (T**2 - T + 1), 1 / (T + 7), sympy.exp(3 * T)], ids=str)
def test_a_reach_found_is_a_reach_accepted(expression):
    check_reach(expression, (-5, 5), find_reach(expression, -5, 5))


@pytest.mark.parametrize(
    ("expression", "place"), [(1 / (T + 7e6), -7e6), (sympy.exp(3 * T), 100), (T**6, 1e25)], ids=str
)
def test_a_reach_too_wide_is_refused(expression, place):
    with pytest.raises(FormulaError, match="near T") as error:
        check_reach(expression, (-5, 5), (-9e29, 9e29))
    named = float(str(error.value).split("near T = ")[1].split(", inside")[0])
    assert abs(named) == pytest.approx(abs(place), rel=1e-3)


def test_reach_of_a_limit():
    assert find_reach(T, 0, 1, limit=50.0) == (-50.0, 50.0)
    assert find_reach(T, 0, 100, limit=50.0) == (-100.0, 100.0)


@pytest.mark.parametrize(
    ("expression", "largest"), [(sympy.sin(T), 1), (T**2, 9), (1 / (1 + sympy.exp(-T)), 0.953)], ids=str
)
def test_largest_value(expression, largest):
    assert 0.999 * largest <= largest_value(expression, -1, 3) <= 1.1 * largest
