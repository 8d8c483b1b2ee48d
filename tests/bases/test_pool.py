"""Several families side by side: what all bases promise, and that each space is what it would be alone."""

import json

import numpy as np
import pytest
import sympy
from basis_contract import CHECKS, SKEWED, WITH_TAIL, around, check_continuation

from kan_tabular.bases import BSpline, Chebyshev, Cosine, PiecewiseLinear, Pool, WithLine, basis_from_spec

SPACES = (BSpline(4), Cosine(5), PiecewiseLinear(4))


def fit(*column):
    return Pool(SPACES).fit(*column)


# How each space goes on outside is its own affair: some are flat there.
@pytest.mark.parametrize("check", [check for check in CHECKS if check is not check_continuation])
def test_contract(check):
    check(fit)


@pytest.mark.parametrize("column", [SKEWED, WITH_TAIL], ids=["plain", "with a tail"])
def test_each_space_is_what_it_is_alone(column):
    pool, alone = fit(column), [type(s)(**s.arguments()).fit(column) for s in SPACES]
    x = around(pool)
    for order in (0, 1, 2):
        expected = np.concatenate([space.derivative(x, order) for space in alone], axis=1)
        np.testing.assert_array_equal(pool.derivative(x, order), expected)
    np.testing.assert_array_equal(pool.evaluate(x), pool.derivative(x, 0))
    penalty, owner = pool.penalty(), pool.owner
    assert owner.tolist() == [s for s, space in enumerate(alone) for _ in range(space.n_functions)]
    for s, space in enumerate(alone):
        np.testing.assert_array_equal(penalty[np.ix_(owner == s, owner == s)], space.penalty())
        assert not penalty[np.ix_(owner == s, owner != s)].any()


def test_fitting_leaves_the_given_spaces_alone():
    given = [BSpline(3), Chebyshev(4)]
    first, second = Pool(given).fit(SKEWED), Pool(given).fit(10 + 3 * SKEWED)
    assert all(space.__dict__ == fresh.__dict__ for space, fresh in zip(given, (BSpline(3), Chebyshev(4)), strict=True))
    assert first.domain == (SKEWED.min(), SKEWED.max()) and second.domain[0] == 10 + 3 * SKEWED.min()


def test_a_formula_names_only_spaces_with_coefficients():
    pool, x = fit(SKEWED), sympy.Symbol("x")
    c = np.where(pool.owner == 1, 1.0, 0.0)
    formula = pool.to_sympy(c, x)
    assert formula.has(sympy.cos) and formula == pool.spaces_[1].to_sympy(np.ones((c != 0).sum()), x)
    assert not pool.to_sympy(1.0 - c, x).has(sympy.cos)
    assert pool.to_sympy(0.0 * c, x) == 0


def test_a_space_without_functions_takes_no_coefficients():
    """A constant column leaves some families nothing to do."""

    class Nothing(BSpline):
        n_functions = 0

        def evaluate(self, x):
            return np.zeros((*np.shape(x), 0))

        def to_sympy(self, coefficients, symbol):
            raise AssertionError("it has no coefficients")

    x = sympy.Symbol("x")
    pool = Pool([BSpline(4), Nothing(4), PiecewiseLinear(4)]).fit(SKEWED)
    c = np.arange(1.0, 1 + pool.n_functions)
    formula = sympy.lambdify(x, pool.to_sympy(c, x), "math")
    np.testing.assert_allclose([formula(v) for v in SKEWED[:9].tolist()], pool.evaluate(SKEWED[:9]) @ c, rtol=1e-9)


def test_spec_keeps_nested_families():
    pool = Pool([WithLine(Chebyshev(4)), BSpline(3)]).fit(WITH_TAIL)
    again = basis_from_spec(json.loads(json.dumps(pool.to_spec())))
    assert [type(s) for s in again.spaces_] == [WithLine, BSpline]
    x = around(pool)
    np.testing.assert_array_equal(again.evaluate(x), pool.evaluate(x))
    np.testing.assert_array_equal(again.owner, pool.owner)
