"""Numbers as a reader of the report sees them, small groups of people not told apart."""

from __future__ import annotations

import math
import numbers

import numpy as np

from kan_tabular.explain.intervals import rate
from kan_tabular.report.svg import clean, minus


def figure(value, digits=3):
    """A number with so many significant digits."""
    if value is None or not np.isfinite(value):
        return "\N{EN DASH}"
    size = math.floor(math.log10(abs(value))) if value else 0
    if not -4 <= size <= 6:
        return minus(f"{value:.{digits - 1}e}")
    return minus(f"{value:,.{max(digits - 1 - size, 0)}f}")


def fixed(value, digits=3):
    """A number between about -10 and 10 with so many decimals."""
    return "\N{EN DASH}" if value is None or not np.isfinite(value) else minus(f"{value:.{digits}f}")


def signed(value, digits=2):
    """A contribution, with its sign."""
    text = f"{value:+.{digits}f}"
    return minus(text if float(text) else f"{0:.{digits}f}")


def percent(value):
    """A probability: one decimal, and never 0 or 100% unless it is."""
    if value is None or not np.isfinite(value):
        return "\N{EN DASH}"
    if 0 < value < 0.001:
        return "< 0.1%"
    return "> 99.9%" if 0.999 < value < 1 else f"{100 * value:.1f}%"


def cell(value):
    """A cell of the table: whole numbers without decimals, others with five digits, missing ones by that word."""
    import pandas as pd

    if value is None or pd.isna(value):
        return "missing"
    if isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_)):
        value = float(value)
        return minus(f"{value:.0f}" if value.is_integer() and abs(value) < 1e7 else f"{value:.5g}")
    return clean(value)


def _whole_percent(value):
    return f"{100 * value:.0f}%"


class Disclosure:
    """Counts and rates of people, without telling groups of 1 to `min_group` - 1.

    A suppressed count shows as ``< 5``. Where a known total would give it away, the next smallest count is withheld as
    well; a rate that would is told as a bound, and others that it enters in whole percent.
    """

    def __init__(self, min_group):
        self.min_group = min_group

    def small(self, n):
        """Whether a group of n, or each of several, is not told."""
        return (n > 0) & (n < self.min_group)

    def total(self, n):
        """n people as text."""
        return f"< {self.min_group}" if self.small(n) else f"{n:,}"

    def part(self, k, n):
        """k of n people as text."""
        if self.small(k):
            return f"< {self.min_group}"
        return f"> {n - self.min_group:,}" if self.small(n - k) else f"{k:,}"

    def rate(self, k, n, level, coarse=False):
        """k of n people as a share with Wilson's interval: two texts; `coarse` in whole percent."""
        if not n:
            return "not defined", ""
        if self.small(n):
            return "not shown", ""
        if self.small(k):
            return f"< {percent(self.min_group / n)}", ""
        if self.small(n - k):
            return f"> {percent(1 - self.min_group / n)}", ""
        write = _whole_percent if coarse else percent
        value, low, high = rate(int(k), int(n), level)
        return write(value), span(write(low), write(high))

    def counts(self, counts):
        """Counts whose sum is known, as texts."""
        counts = np.asarray(counts, dtype=int)
        small = self.small(counts)
        hidden = small.copy()
        if small.sum() == 1 and (others := np.flatnonzero(~small)).size:  # the total would give it away
            hidden[others[np.lexsort((counts[others], counts[others] == 0))[0]]] = True  # an empty group only at last
        return [
            f"< {self.min_group}" if s else "not shown" if h else f"{n:,}"
            for n, h, s in zip(counts, hidden, small, strict=True)
        ]


def span(low, high):
    """An interval as text."""
    return f"{low} to {high}"
