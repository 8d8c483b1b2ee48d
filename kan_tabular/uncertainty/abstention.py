"""When it pays to say nothing: what is lost if only the surest predictions are given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kan_tabular.estimators._validation import check_weights


@dataclass(frozen=True)
class AbstentionCurve:
    """Losses of predictors that answer only from some certainty on.

    Attributes
    ----------
    threshold : ndarray (k,)
        Least certainty that is answered, decreasing; the first is infinite: nothing is answered.
    answered : ndarray (k,)
        Share of the rows that are answered, from 0 to 1.
    loss : ndarray (k,)
        Loss of the answers, a row of the table.
    """

    threshold: np.ndarray
    answered: np.ndarray
    loss: np.ndarray

    @property
    def risk(self):
        """Mean loss of an answer (k,); NaN where there is none."""
        return np.divide(self.loss, self.answered, out=np.full_like(self.loss, np.nan), where=self.answered > 0)

    def cost(self, cost_abstain):
        """Mean cost of a row (k,): the loss of an answer, or `cost_abstain` without one."""
        return self.loss + cost_abstain * (1 - self.answered)

    def best(self, cost_abstain):
        """The cheapest rule at a price of abstaining.

        Returns
        -------
        rule : dict
            ``threshold``, ``answered``, ``risk``, ``cost``. Chosen on these rows, its cost is a little too low: measure
            it on others.
        """
        cost = self.cost(cost_abstain)
        k = len(cost) - 1 - int(np.argmin(cost[::-1]))  # of equal ones that which answers more
        values = {"threshold": self.threshold, "answered": self.answered, "risk": self.risk, "cost": cost}
        return {name: float(value[k]) for name, value in values.items()}


def abstention_curve(losses, certainty, *, sample_weight=None):
    """The losses of answering the surest rows only, for every share of them.

    Parameters
    ----------
    losses : array-like (m,)
        What a wrong (or inaccurate) answer costs in each row, in the units of the price of abstaining: ``y !=
        predicted``, the cost of that mistake, an absolute error.
    certainty : array-like (m,)
        Larger is surer. For sets of classes ``1 - second largest p-value``, the highest level at which one class
        remains: answering from L on is the rule of `ConformalClassifier.abstains` at level L, as far as no set is
        empty. For intervals the negative width.
    sample_weight : array-like (m,), optional

    Returns
    -------
    curve : AbstentionCurve

    References
    ----------
    Chow (1970), *IEEE Trans. Information Theory* 16 (the reject option); El-Yaniv & Wiener (2010), JMLR 11.
    """
    losses, certainty = (_numbers(v, name) for v, name in ((losses, "losses"), (certainty, "certainty")))
    if losses.shape != certainty.shape:
        raise ValueError(f"losses has {len(losses)} rows and certainty {len(certainty)}: give one of each a row.")
    weights = check_weights(sample_weight, len(losses))
    order = np.argsort(-certainty, kind="stable")
    sure, w = certainty[order], weights[order] / weights.sum()
    last = np.append(np.flatnonzero(np.diff(sure)), len(sure) - 1)  # equally sure rows are answered together
    answered, loss = np.cumsum(w)[last], np.cumsum(w * losses[order])[last]
    answered[-1] = 1.0
    return AbstentionCurve(np.append(np.inf, sure[last]), np.append(0.0, answered), np.append(0.0, loss))


def _numbers(values, name):
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite numbers, one a row, of at least one row.")
    return values
