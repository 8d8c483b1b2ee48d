"""Where a function has ends, the limits of its argument stay inside, whatever they are rounded to."""

import numpy as np
import pytest

from kan_tabular.symbolic import LIBRARY
from kan_tabular.symbolic.atoms import Atom
from kan_tabular.symbolic.enclosure import check_real
from kan_tabular.symbolic.expressions import T

BOUNDED = [c for c in LIBRARY if np.isfinite(c.domain).any()]


@pytest.mark.parametrize("candidate", BOUNDED, ids=lambda c: c.name)
@pytest.mark.parametrize("gap", [0.5, 0.1, 0.02, 0.003])
def test_limits_stay_between_the_column_and_the_ends(candidate, gap):
    start, end = candidate.domain
    low = start + gap if np.isfinite(start) else -3.0
    high = end - gap if np.isfinite(end) else low + 3.0
    if low >= high:
        pytest.skip("nothing is left of the domain")
    atom = Atom(candidate, 1.0, 0.0, 1.0).limited(low, high)
    assert start < atom.lowest <= low or atom.lowest == start == -np.inf
    assert high <= atom.highest < end or atom.highest == end == np.inf
    values = atom.evaluate(np.array([-1e6, low, high, 1e6]))
    assert np.isfinite(values).all()


def test_a_tangent_that_nearly_reaches_its_pole_is_a_formula():
    """1.56 between the column's 1.55 and the pole at 1.5708 is not to be rounded to 1.6."""
    (tangent,) = (c for c in LIBRARY if c.name == "tan")
    atom = Atom(tangent, 0.014, -1.5, 1.3).limited(41.6, 217.0)
    assert atom.highest < np.pi / 2
    check_real(atom.expression(T), 41.6, 242.4)
