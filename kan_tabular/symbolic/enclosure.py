"""Where an expression is a finite real number: interval arithmetic over pieces of its argument's range.

Sampling misses a pole between two points; an interval cannot. Every sub-expression is enclosed over each piece, pieces
that fail are halved until they pass or are too small to matter (Moore, Kearfott & Cloud, *Introduction to Interval
Analysis*, 2009, chapters 5 and 6).
"""

from __future__ import annotations

import numpy as np
import sympy

from kan_tabular.exceptions import FormulaError
from kan_tabular.symbolic.expressions import FUNCTIONS, T

#: No sub-expression may be larger: the product of two such values is still finite.
LARGEST_VALUE = 1e150
#: Columns are read within this; the fifth power is still allowed.
LARGEST_ARGUMENT = 1e30
#: Largest exponent of e: one of opposite sign is finite as well, and so is the product of a few.
_LARGEST_EXPONENT = 300.0
#: Largest angle: beyond, rounding of the argument (which differs between languages) is visible in the result.
_LARGEST_ANGLE = 1e5
_PIECES, _MOST_PIECES, _HALVINGS = 64, 2**15, 45
#: Width of the pieces towards the far ends, as a share of the distance.
_GROWTH = 1.3


def check_real(expression, low, high):
    """Refuse an expression that is not a finite real number everywhere between `low` and `high`.

    Parameters
    ----------
    expression : sympy.Expr
        In `T`.
    low, high : float
        Range of `T`.

    Raises
    ------
    FormulaError
        Naming a place where it is not real, not finite, or beyond `LARGEST_VALUE` (exponents of e beyond 300, angles
        beyond 1e5).
    """
    if not (np.isfinite([low, high]).all() and low <= high):
        raise FormulaError(f"domain ({low}, {high}): expected two finite numbers in increasing order.")
    _refuse(expression, _first_failure(expression, np.linspace(low, high, _PIECES + 1)), low, high)


def check_reach(expression, domain, reach):
    """As `check_real`, for a `reach` that may be many orders of magnitude wider than the `domain` it holds."""
    check_real(expression, *domain)
    below = _first_failure(expression.xreplace({T: -T}), _outward(-domain[1], -domain[0], -reach[0]))
    _refuse(expression, None if below is None else -below, *reach)
    _refuse(expression, _first_failure(expression, _outward(*domain, reach[1])), *reach)


def _refuse(expression, place, low, high):
    if place is not None:
        raise FormulaError(
            f"{expression} is not a finite real number of moderate size near T = {place:.6g}, inside its domain "
            f"({low:g}, {high:g}): guard its argument, for example log(Max(T + 3, 0.01)) or exp(Min(T, 300))."
        )


def find_reach(expression, low, high, limit=LARGEST_ARGUMENT):
    """The range around [low, high], at most [-limit, limit], in which the expression is finite and real.

    Where the expression fails beyond an end of the domain, the reach goes half the way from there to the trouble.
    """
    limit = max(limit, abs(low), abs(high))
    return (
        -_reach(expression.xreplace({T: -T}), -high, -low, limit),
        _reach(expression, low, high, limit),
    )


def largest_value(expression, low, high):
    """A number that the expression does not exceed in size between `low` and `high`, where `check_real` holds."""
    edges = _far_edges(low, high)
    lo, hi = _enclose(expression, edges[:-1], edges[1:])
    sizes = np.fmax(np.abs(lo), np.abs(hi))
    return float(np.where(np.isnan(sizes), LARGEST_VALUE, sizes).max())


def _reach(expression, low, high, limit):
    """Upper end of the reach."""
    if high >= limit:
        return float(high)
    place = _first_failure(expression, _outward(low, high, limit))
    if place is None:
        return float(limit)
    halfway = high + (place - high) / 2
    rounded = float(f"{halfway:.3g}")
    return rounded if high <= rounded <= place - (place - high) / 4 else float(halfway)


def _outward(low, high, limit):
    """Pieces from the upper end of [low, high] to `limit`, each longer than the one before."""
    step = max(high - low, 1e-3 * abs(high), 1e-6) / 4
    n = int(np.ceil(np.log(1 + (limit - high) / step) / np.log(_GROWTH)))
    edges = np.minimum(high + step * (_GROWTH ** np.arange(n + 1) - 1), limit)
    edges[-1] = limit
    return edges


def _far_edges(low, high):
    """Pieces of [low, high], fine around zero and geometric far out."""
    size = max(abs(low), abs(high), 1e-300)
    steps = size * np.geomspace(1e-36, 1, 8 * _PIECES)
    edges = np.concatenate([-steps[::-1], [0.0], steps, np.linspace(low, high, _PIECES)])
    return np.unique(np.clip(edges, low, high)) if low < high else np.array([low, high])


def _first_failure(expression, edges):
    """Low end of the first piece between `edges` in which the expression fails, or None."""
    breaks = [b for b in _breaks(expression) if edges[0] < b < edges[-1]]
    edges = np.unique(np.append(edges, breaks)) if edges[0] < edges[-1] else edges
    low, high = edges[:-1], edges[1:]
    for _ in range(_HALVINGS):
        bad = np.isnan(_enclose(expression, low, high)[0])
        if not bad.any():
            return None
        low, high = low[bad], high[bad]
        middle = low + (high - low) / 2
        if len(low) > _MOST_PIECES or (high - low).max() <= 1e-9 * np.abs([low, high]).max() + 1e-300:
            break
        low, high = np.stack([low, middle], 1).ravel(), np.stack([middle, high], 1).ravel()
    return float(low[0])


def _breaks(expression):
    """Numbers that a condition of the expression compares `T` with."""
    for relation in expression.atoms(sympy.core.relational.Relational):
        for side, other in ((relation.lhs, relation.rhs), (relation.rhs, relation.lhs)):
            if side in (T, -T) and other.is_number:
                yield float(other if side == T else -other)


# ---- interval arithmetic: (low, high) arrays, NaN where the expression fails ----


def _enclose(expression, low, high):
    """Bounds of the expression over the pieces [low, high] (m,): two arrays (m,), NaN where it fails."""
    with np.errstate(all="ignore"):
        return _bounds(expression, np.asarray(low, float), np.asarray(high, float))


def _bounds(e, low, high):
    if e == T:
        lo, hi = low, high
    elif e.is_number:
        lo = hi = np.full(len(low), float(e) if e.is_real and e.is_finite else np.nan)
    elif isinstance(e, sympy.Add):
        parts = [_bounds(a, low, high) for a in e.args]
        lo, hi = sum(p[0] for p in parts), sum(p[1] for p in parts)
    elif isinstance(e, sympy.Mul):
        lo, hi = _bounds(e.args[0], low, high)
        for a in e.args[1:]:
            lo, hi = _times((lo, hi), _bounds(a, low, high))
    elif isinstance(e, sympy.Pow):
        lo, hi = _power(e, low, high)
    elif isinstance(e, sympy.Min | sympy.Max):
        choose = np.minimum if isinstance(e, sympy.Min) else np.maximum
        parts = [_bounds(a, low, high) for a in e.args]
        lo, hi = (choose.reduce([p[k] for p in parts]) for k in (0, 1))
    elif isinstance(e, sympy.Piecewise):
        lo, hi = _piecewise(e, low, high)
    else:
        lo, hi = _BY_FUNCTION[type(e)](*_bounds(e.args[0], low, high))
    fails = ~((np.abs(lo) <= LARGEST_VALUE) & (np.abs(hi) <= LARGEST_VALUE))
    return np.where(fails, np.nan, lo), np.where(fails, np.nan, hi)


def _times(a, b):
    products = np.stack([a[i] * b[j] for i in (0, 1) for j in (0, 1)])
    return products.min(0), products.max(0)


def _power(e, low, high):
    base, exponent = e.args
    b = _bounds(base, low, high)
    if not exponent.is_number or not exponent.is_real:
        if base.is_number and base == sympy.E:
            return _exp(*_bounds(exponent, low, high))
        return _exp(*_times(_log(*b), _bounds(exponent, low, high)))
    if exponent.is_negative:
        contains_zero = (b[0] <= 0) & (b[1] >= 0)
        lo, hi = _positive_power(b, -exponent)
        return np.where(contains_zero, np.nan, 1 / hi), np.where(contains_zero, np.nan, 1 / lo)
    return _positive_power(b, exponent)


def _positive_power(b, exponent):
    p = float(exponent)
    if p != int(p):
        return np.where(b[0] < 0, np.nan, b[0] ** p), b[1] ** p
    ends = np.stack([b[0] ** p, b[1] ** p])
    lo, hi = ends.min(0), ends.max(0)
    if int(p) % 2 == 0:
        lo = np.where((b[0] <= 0) & (b[1] >= 0), 0.0, lo)
    return lo, hi


def _exp(lo, hi):
    return np.where(hi > _LARGEST_EXPONENT, np.nan, np.exp(lo)), np.exp(hi)


def _log(lo, hi):
    return np.where(lo <= 0, np.nan, np.log(lo)), np.log(hi)


def _sin(lo, hi, shift=0.0):
    lo, hi = lo + shift, hi + shift
    fails = np.isnan(lo) | (np.abs([lo, hi]).max(0) > _LARGEST_ANGLE)
    lo, hi = np.where(fails, np.nan, lo), np.where(fails, np.nan, hi)  # sines of huge angles are slow

    def holds(at):
        return np.floor((hi - at) / (2 * np.pi)) >= np.ceil((lo - at) / (2 * np.pi))

    ends = np.sin([lo, hi])
    bottom = np.where(holds(-np.pi / 2), -1.0, ends.min(0))
    top = np.where(holds(np.pi / 2), 1.0, ends.max(0))
    return np.where(fails, np.nan, bottom), np.where(fails, np.nan, top)


def _tan(lo, hi):
    branch = [np.floor((x + np.pi / 2) / np.pi) for x in (lo, hi)]
    fails = (branch[0] != branch[1]) | (np.abs([lo, hi]).max(0) > _LARGEST_ANGLE)
    return np.where(fails, np.nan, np.tan(lo)), np.tan(hi)


def _abs(lo, hi):
    ends = np.abs([lo, hi])
    return np.where((lo <= 0) & (hi >= 0), 0.0, ends.min(0)), ends.max(0)


def _cosh(lo, hi):
    lo, hi = _abs(lo, hi)
    return np.cosh(lo), np.where(hi > _LARGEST_EXPONENT, np.nan, np.cosh(hi))


def _sinh(lo, hi):
    fails = np.abs([lo, hi]).max(0) > _LARGEST_EXPONENT
    return np.where(fails, np.nan, np.sinh(lo)), np.sinh(hi)


def _increasing(f):
    return lambda lo, hi: (f(lo), f(hi))


_BY_FUNCTION = {
    FUNCTIONS["abs"]: _abs,
    FUNCTIONS["acos"]: lambda lo, hi: (np.arccos(hi), np.arccos(lo)),
    FUNCTIONS["asin"]: _increasing(np.arcsin),
    FUNCTIONS["asinh"]: _increasing(np.arcsinh),
    FUNCTIONS["atan"]: _increasing(np.arctan),
    FUNCTIONS["atanh"]: _increasing(np.arctanh),
    FUNCTIONS["cos"]: lambda lo, hi: _sin(lo, hi, np.pi / 2),
    FUNCTIONS["cosh"]: _cosh,
    FUNCTIONS["exp"]: _exp,
    FUNCTIONS["log"]: _log,
    FUNCTIONS["sign"]: _increasing(np.sign),
    FUNCTIONS["sin"]: _sin,
    FUNCTIONS["sinh"]: _sinh,
    FUNCTIONS["tan"]: _tan,
    FUNCTIONS["tanh"]: _increasing(np.tanh),
}


def _piecewise(e, low, high):
    """Union of the branches that some point of the piece may take; what no branch takes fails."""
    lo, hi = np.full(len(low), np.inf), np.full(len(low), -np.inf)
    fails, open_ = np.zeros(len(low), bool), np.ones(len(low), bool)
    for value, condition in e.args:
        can, cannot = _truth(condition, low, high)
        fails |= open_ & _fails(condition, low, high)
        taken = open_ & can
        a, b = _bounds(value, *_narrowed(condition, low, high))
        fails |= taken & np.isnan(a)
        lo, hi = np.where(taken, np.minimum(lo, a), lo), np.where(taken, np.maximum(hi, b), hi)
        open_ = open_ & cannot
        low, high = _narrowed(sympy.Not(condition), low, high)
    return np.where(fails | open_, np.nan, lo), hi


def _fails(condition, low, high):
    """Where a side of a comparison fails."""
    sides = [s for r in condition.atoms(sympy.core.relational.Relational) for s in r.args]
    return np.any([np.isnan(_bounds(s, low, high)[0]) for s in sides] or [np.zeros(len(low), bool)], axis=0)


def _truth(condition, low, high):
    """Whether the condition can be true, and whether it can be false, somewhere in each piece."""
    if condition in (sympy.true, sympy.false):
        yes = np.full(len(low), condition is sympy.true)
        return yes, ~yes
    if isinstance(condition, sympy.Not):
        return _truth(condition.args[0], low, high)[::-1]
    if isinstance(condition, sympy.And | sympy.Or):
        parts = [_truth(a, low, high) for a in condition.args]
        every, some = np.logical_and.reduce, np.logical_or.reduce
        join = (every, some) if isinstance(condition, sympy.And) else (some, every)
        return join[0]([p[0] for p in parts]), join[1]([p[1] for p in parts])
    a, b = _bounds(condition.lhs, low, high), _bounds(condition.rhs, low, high)
    # What compares with NaN may be true or false: `_fails` refuses it.
    if isinstance(condition, sympy.Eq | sympy.Ne):
        equal, differ = ~((a[1] < b[0]) | (b[1] < a[0])), ~((a[0] == a[1]) & (b[0] == b[1]) & (a[0] == b[0]))
        return (equal, differ) if isinstance(condition, sympy.Eq) else (differ, equal)
    if isinstance(condition, sympy.Lt | sympy.Le):
        a, b = b, a  # now: is a above b?
    if isinstance(condition, sympy.Lt | sympy.Gt):
        return ~(a[1] <= b[0]), ~(a[0] > b[1])
    return ~(a[1] < b[0]), ~(a[0] >= b[1])


def _narrowed(condition, low, high):
    """The pieces, cut to where comparisons of `T` with a number can hold (to an end where they cannot)."""
    if isinstance(condition, sympy.And):
        for part in condition.args:
            low, high = _narrowed(part, low, high)
    if not isinstance(condition, sympy.Gt | sympy.Ge | sympy.Lt | sympy.Le):
        return low, high
    above = isinstance(condition, sympy.Gt | sympy.Ge)
    left, right = condition.args
    if right == T:
        left, right, above = right, left, not above
    if left != T or not right.is_number:
        return low, high
    cut = np.maximum if above else np.minimum
    return cut(low, float(right)), cut(high, float(right))
