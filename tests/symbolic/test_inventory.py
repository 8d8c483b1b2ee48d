"""Small expressions: their values are those of their formulas, each is kept once, none has a pole among the rows."""

import numpy as np
import pytest
import sympy

from kan_tabular.symbolic.candidates import LIBRARY
from kan_tabular.symbolic.inventory import Inventory

NAMES = {c.name for c in LIBRARY}


@pytest.fixture(scope="module")
def filled():
    X = np.random.default_rng(0).uniform(0.5, 3, (40, 3))
    inventory = Inventory(X, NAMES)
    small = inventory.monomials([0, 1, 2], 3)
    columns = [inventory.column(j) for j in range(3)]
    sums = [inventory.sum(i, k, s) for i in columns for k in columns if i < k for s in (1, -1)]
    for i in [*small, *sums, *(inventory.sum(0, m, -1) for m in small)]:
        for p in (2.0, -1.0, 0.5, -0.5):
            inventory.power(i, p)
        for name in ("sin", "cos", "exp", "log"):
            inventory.call(name, i)
    return X, inventory


def test_values_are_those_of_the_formula(filled):
    X, inventory = filled
    symbols = sympy.symbols("a b c", real=True)
    new = np.random.default_rng(1).uniform(0.5, 3, (7, 3))
    for i in np.random.default_rng(2).permutation(len(inventory.trees))[:150].tolist():
        function = sympy.lambdify(symbols, inventory.expression(i, symbols), "numpy")
        np.testing.assert_allclose(inventory.values[i], function(*X.T) * np.ones(len(X)), rtol=1e-9)
        with np.errstate(all="ignore"):
            expected = function(*new.T) * np.ones(len(new))
        np.testing.assert_allclose(inventory.evaluate(i, new), expected, rtol=1e-9)


def test_everything_is_kept_once(filled):
    _, inventory = filled
    V = np.stack(inventory.values)
    V = V / np.take_along_axis(V, np.abs(V).argmax(1)[:, None], 1)
    assert len(np.unique(np.round(V, 7), axis=0)) == len(V)


def test_what_is_equal_up_to_a_factor_is_one():
    inventory = Inventory(np.random.default_rng(0).uniform(1, 2, (30, 2)), NAMES)
    a, b = inventory.column(0), inventory.column(1)
    assert inventory.product(a, b) == inventory.product(b, a)
    assert inventory.power(inventory.power(a, 2.0), 0.5) == a
    assert inventory.sum(a, a) == a


def test_poles_negative_roots_and_constants_are_none():
    X = np.random.default_rng(0).normal(size=(60, 1))
    X[0] = 0.0
    inventory = Inventory(X, NAMES)
    x = inventory.column(0)
    assert inventory.power(x, -1.0) is None and inventory.power(x, 0.5) is None and inventory.call("log", x) is None
    square = inventory.power(x, 2.0)
    assert inventory.power(square, 0.5) is not None
    assert inventory.sum(square, square, -1) is None


def test_functions_that_were_not_asked_for_are_none():
    inventory = Inventory(np.random.default_rng(0).uniform(1, 2, (30, 1)), {"linear", "square"})
    x = inventory.column(0)
    assert inventory.power(x, 2.0) and inventory.power(x, -1.0) is None and inventory.call("exp", x) is None


def test_monomials_are_all_of_their_degree():
    inventory = Inventory(np.random.default_rng(0).uniform(1, 2, (30, 2)), NAMES)
    # Exponents (e, f), |e| + |f| <= 2, each at most 2 in size, without (0, 0).
    assert len(inventory.monomials([0, 1], 2)) == 12
