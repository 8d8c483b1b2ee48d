"""What a conformal predictor keeps of its calibration rows, and what follows from it.

One inequality serves every method. A value is kept at level L if the calibration rows (of its stratum) whose scores are
*below* its own weigh less than L times everything, the new row included::

    mass{i : s_i < s} < L (sum of masses + mass of the new row)

With masses of 1 this is "at most the ceil(L (n + 1))-th smallest score" (split conformal: Vovk, Gammerman &
Shafer 2005; Lei et al. 2018), with scores of out-of-fold models CV+ and jackknife+ (Barber et al. 2021; for classes
Romano, Sesia & Candes 2020), with strata Mondrian prediction (Vovk, Lindsay, Nouretdinov & Gammerman 2003), with
likelihood ratios as masses covariate shift (Tibshirani, Barber, Candes & Ramdas 2019), and frequencies count as
repeated rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

#: Relative size below which masses count as equal: 0.9 (9 + 1) is not exactly 9 in floating point.
_ROUNDING = 1e-9


def rows_needed(level):
    """The smallest number n of calibration rows for a finite threshold: ``ceil((n + 1) level) <= n``.

    Parameters
    ----------
    level : float
        Of confidence, between 0 and 1.
    """
    return int(np.ceil(level / (1 - level) - _ROUNDING / (1 - level)))


@dataclass
class Calibration:
    """Scores of rows that the models had not seen.

    Attributes
    ----------
    scores : ndarray (n,), or (n, n_levels)
        Several where each level has a score of its own.
    mass : ndarray (n,)
        Frequencies, times likelihood ratios where the guarantee is for another population.
    stratum : ndarray of int (n,)
        Position in `strata`: scores are compared within a stratum only.
    strata : list of (class or None, group or None)
        What each stratum is, for messages and for finding that of a new row.
    fold : ndarray of int (n,)
        Which model had not seen the row; all 0 where a single model saw none.
    weighted : bool
        Whether masses hold likelihood ratios: every new row then needs its own.
    """

    scores: np.ndarray
    mass: np.ndarray
    stratum: np.ndarray
    strata: list
    fold: np.ndarray
    weighted: bool = False

    @cached_property
    def _sorted(self):
        """Scores in increasing order and their cumulative masses, with a leading 0, by (stratum, fold)."""
        out = {}
        for key in set(zip(self.stratum.tolist(), self.fold.tolist(), strict=True)):
            own = np.flatnonzero((self.stratum == key[0]) & (self.fold == key[1]))
            own = own[np.argsort(self.scores[own], kind="stable")]
            out[key] = self.scores[own], np.concatenate([[0.0], np.cumsum(self.mass[own])])
        return out

    @cached_property
    def totals(self):
        """Mass of the calibration rows of each stratum (n_strata,)."""
        return np.bincount(self.stratum, self.mass, len(self.strata))

    @property
    def n_folds(self):
        return int(self.fold.max()) + 1

    def check_enough(self, levels):
        """Refuse a level that the rows of some stratum cannot give (likelihood ratios may: unbounded, then)."""
        if self.weighted:
            return
        needed, fewest = rows_needed(levels[-1]), int(np.argmin(self.totals))
        if self.totals[fewest] < needed - _ROUNDING:
            raise ValueError(
                f"confidence_level={levels[-1]:g} needs at least {needed} calibration rows{_of(self.strata[fewest])}, "
                f"found {self.totals[fewest]:g}: give more rows (calibration_size), ask for a lower level, or merge "
                "small groups."
            )

    def p_values(self, scores, stratum, test_mass):
        """Conformal p-values.

        Parameters
        ----------
        scores : ndarray (n_folds, m)
            Of m new values, by each model.
        stratum : ndarray of int (m,)
        test_mass : ndarray (m,)

        Returns
        -------
        p : ndarray (m,)
            Mass of what is at least as strange as the new value, itself included, as a share of everything.
        """
        p = np.empty(scores.shape[1])
        for s in np.unique(stratum):
            new = np.flatnonzero(stratum == s)
            below = np.zeros(len(new))
            for f in range(self.n_folds):
                if (s, f) in self._sorted:
                    known, cumulative = self._sorted[s, f]
                    below += cumulative[np.searchsorted(known, scores[f, new], side="left")]
            p[new] = 1 - below / (self.totals[s] + test_mass[new])
        return p

    def at_level(self, k):
        """The same with the scores of the k-th level alone (n,)."""
        return replace(self, scores=self.scores[:, k])

    def thresholds(self, levels, stratum, test_mass):
        """The largest score that is kept (m, n_levels), for a single model; infinite where the masses demand it."""
        out = np.empty((len(stratum), len(levels)))
        for s in np.unique(stratum):
            new = np.flatnonzero(stratum == s)
            known, cumulative = self._sorted[s, 0]
            total = self.totals[s] + test_mass[new]
            for k, level in enumerate(levels):
                at = np.searchsorted(cumulative[1:], (level - _ROUNDING) * total, side="left")
                out[new, k] = np.append(known, np.inf)[at]
        return out

    def upper(self, values, level, stratum, test_mass):
        """The level's order statistic of values that carry the calibration rows' masses: an upper end.

        Parameters
        ----------
        values : ndarray (m, n)
            For each new row what every calibration row says.
        level : float
        stratum : ndarray of int (m,)
        test_mass : ndarray (m,)

        Returns
        -------
        ends : ndarray (m,)
        """
        out = np.empty(len(values))
        for s in np.unique(stratum):
            new, own = np.flatnonzero(stratum == s), np.flatnonzero(self.stratum == s)
            order = np.argsort(values[np.ix_(new, own)], axis=1, kind="stable")
            cumulative = np.cumsum(self.mass[own][order], axis=1)
            target = (level - _ROUNDING) * (self.totals[s] + test_mass[new])
            at = (cumulative < target[:, None]).sum(1)
            there = at < len(own)
            out[new] = np.inf
            rows = np.flatnonzero(there)
            out[new[rows]] = values[new[rows], own[order[rows, at[rows]]]]
        return out


def keeps(p, level):
    """Whether a p-value keeps its value at a level."""
    return p > 1 - level + _ROUNDING


def _of(stratum):
    label, group = stratum
    parts = ([f"class {label!r}"] if label is not None else []) + ([f"group {group!r}"] if group is not None else [])
    return f" of {' in '.join(parts)}" if parts else ""
