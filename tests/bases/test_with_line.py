"""Every linear family beside the line: what all bases promise, and a line that ends only where a tail was trimmed."""

import numpy as np
import pytest
from basis_contract import CHECKS, SKEWED, WITH_TAIL

from kan_tabular.bases import REGISTRY, WithLine, families

#: What the family's own test file checks in more detail is not repeated.
SOME = {"check_continuation", "check_derivatives", "check_formula", "check_single_and_double_precision", "check_spec"}
LINEAR = families(linear=True)


@pytest.mark.parametrize("check", [check for check in CHECKS if check.__name__ in SOME])
@pytest.mark.parametrize("name", LINEAR)
def test_contract(name, check):
    check(lambda *column: WithLine(REGISTRY[name]()).fit(*column))


@pytest.mark.parametrize("name", LINEAR)
def test_the_line_comes_first_and_the_family_follows(name):
    basis, family = WithLine(REGISTRY[name]()).fit(WITH_TAIL), REGISTRY[name]().fit(WITH_TAIL)
    low, high = family.domain
    x = np.concatenate([np.linspace(low - 20, high, 50), [high + 1, 1e6, 1e9]])
    values = basis.evaluate(x)
    np.testing.assert_allclose(values[:, 0], np.minimum(2 * (x - low) / (high - low) - 1, 1.0), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(values[:, 1:], family.evaluate(x))
    np.testing.assert_array_equal(basis.line(), np.eye(1 + family.n_functions)[0])
    penalty = basis.penalty()
    assert not penalty[0].any()
    np.testing.assert_array_equal(penalty[1:, 1:], family.penalty())


@pytest.mark.parametrize("name", LINEAR)
def test_a_family_with_a_line_of_its_own_gives_its_coefficients(name):
    family = REGISTRY[name]().fit(SKEWED)
    if family.line() is None:
        # It needs one: no combination comes close.
        x = np.linspace(*family.domain, 500)
        design = np.column_stack([np.ones_like(x), family.evaluate(x)])
        z = np.linspace(-1, 1, 500)
        assert np.abs(design @ np.linalg.lstsq(design, z, rcond=1e-6)[0] - z).max() > 1e-4
        return
    x = np.linspace(family.domain[0] - 5, family.domain[1] + 5, 101)
    curve = family.evaluate(x) @ family.line()
    fitted = np.polyval(np.polyfit(x, curve, 1), x)
    np.testing.assert_allclose(curve, fitted, atol=1e-9)
    assert np.ptp(curve) > 0.1
    assert family.line() @ family.penalty() @ family.line() < 1e-9 * np.abs(family.penalty()).max()
