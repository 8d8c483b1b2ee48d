"""The Brier score and what it is made of."""

from __future__ import annotations

from dataclasses import dataclass

from kan_tabular.metrics.binning import bin_rows
from kan_tabular.metrics.reading import read_binary


@dataclass(frozen=True)
class BrierDecomposition:
    """Parts of a Brier score; they add up to it exactly.

    ``brier = reliability - resolution + uncertainty + within_bin_variance - within_bin_covariance``

    Attributes
    ----------
    brier : float
        Mean squared distance of probability and outcome; 0 is perfect.
    reliability : float
        Mean squared distance of probability and frequency over the bins; 0 is perfectly calibrated.
    resolution : float
        How much the frequency varies between the bins: more is better.
    uncertainty : float
        Variance of the outcome: the Brier score of predicting its frequency for everyone.
    within_bin_variance, within_bin_covariance : float
        What bins hide: the variance of the probabilities in the bins, and twice their covariance with the outcome.
    """

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within_bin_variance: float
    within_bin_covariance: float

    @property
    def generalized_resolution(self):
        """Resolution with what the bins hide: ``brier = reliability - generalized_resolution + uncertainty``."""
        return self.resolution - self.within_bin_variance + self.within_bin_covariance

    @property
    def scaled(self):
        """Share of the uncertainty that the probabilities remove, ``1 - brier / uncertainty``: at most 1."""
        return 1 - self.brier / self.uncertainty


def brier_decomposition(y_true, y_prob, n_bins=10, *, strategy="uniform", sample_weight=None, pos_label=None):
    """The Brier score as reliability, resolution and uncertainty, and the two parts that bins hide.

    Murphy's three parts (1973, Journal of Applied Meteorology 12) only add up where all probabilities in a bin are
    equal; the two parts within bins close the gap (Stephenson, Coelho and Jolliffe 2008, Weather and Forecasting 23).

    Parameters
    ----------
    y_true : array-like (n,)
        Labels of two classes.
    y_prob : array-like (n,)
        Probability of the positive class.
    n_bins : int, default=10
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width, or of (about) equal numbers of rows.
    sample_weight : array-like (n,), default=None
        Frequencies.
    pos_label : label, default=None
        The positive class; by default the second in order.

    Returns
    -------
    parts : BrierDecomposition

    Raises
    ------
    ValueError
        For missing values, other lengths, one class only, or probabilities outside [0, 1].
    """
    read = read_binary(y_true, y_prob, sample_weight, pos_label, name="y_prob", probability=True)
    bins = bin_rows(read, n_bins, strategy)
    total = read.weight.sum()
    frequency = (read.weight * read.event).sum() / total
    off_predicted = read.score - bins.predicted[bins.index]
    off_observed = read.event - bins.observed[bins.index]

    def mean(values, weight=read.weight):
        return float((weight * values).sum() / total)

    return BrierDecomposition(
        brier=mean((read.score - read.event) ** 2),
        reliability=mean((bins.predicted - bins.observed) ** 2, bins.weight),
        resolution=mean((bins.observed - frequency) ** 2, bins.weight),
        uncertainty=float(frequency * (1 - frequency)),
        within_bin_variance=mean(off_predicted**2),
        within_bin_covariance=2 * mean(off_predicted * off_observed),
    )
