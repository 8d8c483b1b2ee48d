"""Indicators of levels against one-hot matrices."""

import json

import numpy as np
import pytest

from kan_tabular.bases import Category, basis_from_spec

CODES = np.array([2.0, 0.0, 1.0, -1.0, 2.0])
ONE_HOT = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]], dtype=float)
EFFECTS = np.array([0.5, -1.25, 3.0])


def test_each_level_has_its_indicator_and_an_unseen_one_has_none():
    basis = Category(3)
    assert basis.fit(CODES) is basis and basis.n_functions == 3 and basis.domain == (0.0, 2.0)
    np.testing.assert_array_equal(basis.evaluate(CODES), ONE_HOT)
    np.testing.assert_array_equal(basis.evaluate(np.array([3.0, 7.0, -5.0])), np.zeros((3, 3)))


def test_the_penalty_is_the_sum_of_squared_effects():
    assert EFFECTS @ Category(3).penalty() @ EFFECTS == pytest.approx((EFFECTS**2).sum())


def test_levels_have_no_slope():
    with pytest.raises(TypeError, match="category"):
        Category(3).derivative(CODES)


def test_sympy_and_piecewise_and_spec_are_the_same_effects():
    import sympy

    basis, symbol = Category(3), sympy.Symbol("code")
    expected = ONE_HOT @ EFFECTS
    expression = basis.to_sympy(EFFECTS, symbol)
    assert [float(expression.subs(symbol, int(k))) for k in CODES] == expected.tolist()

    breaks, origins, table = basis.piecewise(np.column_stack([EFFECTS, 2 * EFFECTS]))
    interval = (CODES[:, None] >= breaks).sum(1)
    assert table.shape == (4, 1, 2) and origins.shape == (4,)
    np.testing.assert_array_equal(table[interval, 0], np.column_stack([expected, 2 * expected]))

    again = basis_from_spec(json.loads(json.dumps(basis.to_spec())))
    np.testing.assert_array_equal(again.evaluate(CODES), ONE_HOT)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_torch_tensors_give_numpys_values(dtype):
    import torch

    own = Category(3).evaluate(torch.tensor(CODES, dtype=getattr(torch, dtype)))
    assert own.dtype == getattr(torch, dtype)
    np.testing.assert_array_equal(own.numpy(), ONE_HOT)


def test_a_row_does_not_depend_on_the_other_rows():
    basis = Category(3)
    alone = np.concatenate([basis.evaluate(CODES[i : i + 1]) for i in range(len(CODES))])
    np.testing.assert_array_equal(basis.evaluate(CODES), alone)
