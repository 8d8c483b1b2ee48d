"""What a network sees of a numeric column: robustly scaled, softly clipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_RANGE = 3.0
#: Quartiles closer than this count as one value; columns that vary by less are refused.
_TIED = 1e-70


@dataclass
class Front:
    """``z = s / sqrt(1 + (s / 3)^2)`` with ``s = (x - center) / spread`` for numeric columns; others as they are.

    Every number lands in (-3, 3), nearly as a line within two spreads of the center, so one absurd value moves no other
    and a network levels off outside the training range instead of continuing its last slope (Holzmueller, Grinsztajn
    and Steinwart 2024, section 3).

    Attributes
    ----------
    center, spread : ndarray (p,)
        Median and interquartile range of the training values (half the range where that is 0); a spread of 0 marks a
        column to leave alone.
    """

    center: np.ndarray
    spread: np.ndarray

    @classmethod
    def fit(cls, encoded, features, weights):
        """From the encoded training rows (n, p) and their frequencies (n,)."""
        center, spread = np.zeros(len(features)), np.zeros(len(features))
        for j, feature in enumerate(features):
            x = encoded[:, j]
            known = ~np.isnan(x)
            if feature.kind == "category" or not known.any():
                continue
            values, index = np.unique(x[known], return_inverse=True)
            counts = np.bincount(index, weights[known])
            low, center[j], high = _quantiles(values, counts, [0.25, 0.5, 0.75])
            spread[j] = high - low if high - low > _TIED else (feature.high - feature.low) / 2
        return cls(center, spread)

    def __call__(self, Z):
        """Encoded rows (n, p) as the network sees them."""
        used = self.spread > 0
        s = (Z - self.center) / np.where(used, self.spread, 1.0)
        return np.where(used, s / np.sqrt(1 + (s / _RANGE) ** 2), Z)


def _quantiles(values, counts, shares):
    """Quantiles of sorted values with frequencies: the inverse of the distribution function, averaged at its steps.

    No interpolation: in a column that is mostly zero the quartiles must be zero, not a little of the smallest number.
    """
    cumulative = np.cumsum(counts)
    rank, slack = np.asarray(shares) * cumulative[-1], 1e-12 * cumulative[-1]
    below = np.searchsorted(cumulative, rank - slack, side="left")
    above = np.searchsorted(cumulative, rank + slack, side="right")
    return values[below] / 2 + values[above] / 2
