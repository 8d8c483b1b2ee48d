"""Formulas of several columns are found again: without noise exactly, with noise up to what it hides."""

import numpy as np
import pytest
import sympy

from kan_tabular.symbolic.candidates import LIBRARY
from kan_tabular.symbolic.deep import shaped
from kan_tabular.symbolic.forms import OUTERS
from kan_tabular.symbolic.structure import StructureSearch

SYMBOLS = sympy.symbols("a b c", real=True)


def search(f, low, high, p, noise=0.0, n=500):
    rng = np.random.default_rng(3)
    X = rng.uniform(low, high, (n, p))
    clean = f(*X.T)
    y = clean + noise * clean.std() * rng.normal(size=n)
    own = StructureSearch(X, y, np.ones(n), LIBRARY, 3, n, 1e-16)
    return X, clean, own, own.run()


def values(structure, own, X):
    shape, constants = shaped(structure, own.inventory, SYMBOLS[: X.shape[1]])
    return shape.evaluate(X, constants)[0]


@pytest.mark.parametrize(
    ("f", "low", "high", "p"),
    [
        (lambda a, b, c: a * b / (c**2 + a), 1, 4, 3),
        (lambda a, b, c: np.sqrt(a**2 + (b - c) ** 2), 1, 4, 3),
        (lambda a, b: 1 / (1 / a + 2 / b), 1, 4, 2),
        (lambda a, b: (a - 3) * (b + 2), -2, 4, 2),
        (lambda a, b: np.log(1 + a * b), 1, 4, 2),
    ],
)
def test_exact_formulas_are_found_exactly(f, low, high, p):
    X, clean, own, found = search(f, low, high, p)
    assert found[0].unexplained < 1e-14
    np.testing.assert_allclose(values(found[0], own, X), clean, rtol=1e-8, atol=1e-10)
    # On new rows as well: it is the formula, not its values.
    new = np.random.default_rng(9).uniform(low, high, (50, p))
    np.testing.assert_allclose(values(found[0], own, new), f(*new.T), rtol=1e-8, atol=1e-9)


def test_a_curve_of_a_hidden_node_is_found():
    """exp(-0.3 a b), or the same as a bump of sqrt(a b): the 0.3 is no small expression."""
    X, clean, own, found = search(lambda a, b: a * np.exp(-0.3 * a * b), 0.5, 3, 2)
    assert found[0].unexplained < 1e-8
    assert found[0].curve is not None and found[0].name in ("exp", "gaussian")
    np.testing.assert_allclose(values(found[0], own, X), clean, rtol=1e-3)


def test_noise_is_not_explained():
    X, clean, own, found = search(lambda a, b: a / (1 + b), 1, 4, 2, noise=0.02, n=200)
    assert found[0].unexplained == pytest.approx(0.02**2, rel=0.25)
    error = values(found[0], own, X) - clean
    assert np.mean(error**2) < 0.05 * found[0].unexplained * clean.var()
    assert found[0].cost <= min(s.cost for s in found)


@pytest.mark.parametrize("outer", OUTERS, ids=lambda o: o.name)
def test_outer_functions_have_their_derivative_and_inverse(outer):
    y = np.linspace(0.2, 1.4, 9)
    assert outer.allowed(y).all()
    h = 1e-6
    slope = np.abs(outer.g(y + h) - outer.g(y - h)) / (2 * h)
    np.testing.assert_allclose(outer.slope(y), slope, rtol=1e-5)
    s = sympy.Symbol("s", real=True)
    back = sympy.lambdify(s, outer.inverse(s, 1), "numpy")
    np.testing.assert_allclose(back(outer.g(y)), y, rtol=1e-12)
    if outer.name in ("y^2", "1/y^2", "log"):
        negative = sympy.lambdify(s, outer.inverse(s, -1), "numpy")
        np.testing.assert_allclose(negative(outer.g(-y)), -y, rtol=1e-12)
