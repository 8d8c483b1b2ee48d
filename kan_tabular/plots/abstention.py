"""AbstentionDisplay: what is gained by answering the surest rows only."""

import numpy as np
from sklearn.utils import column_or_1d

from kan_tabular.plots._conformal import read_conformal
from kan_tabular.plots._style import new_figure, palette, quiet_spines, text_colour


class AbstentionDisplay:
    """The loss of an answer, and the cost of a row, for every share of the rows that is answered.

    It is recommended to use :meth:`from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    curve : AbstentionCurve
        From `kan_tabular.uncertainty.abstention_curve`.
    cost_abstain : sequence of float
        Prices of giving no answer, in the units of the losses.
    loss_name : str, default="error rate"
        What the mean loss of an answer is.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : list of matplotlib Axes
        Loss of the answers; cost.
    risk_ : matplotlib Line2D
    costs_ : list of matplotlib Line2D
        One a price; a ring marks the cheapest rule.
    """

    def __init__(self, *, curve, cost_abstain, loss_name="error rate"):
        self.curve = curve
        self.cost_abstain = cost_abstain
        self.loss_name = loss_name

    @classmethod
    def from_estimator(cls, estimator, X, y, *, cost_abstain=None, conditional_on=None, weights=None):
        """Measure on new rows and draw.

        Parameters
        ----------
        estimator : ConformalClassifier, ConformalRegressor, or a pipeline that ends in one
            Rows are answered in the order of conformal certainty: one less the second largest p-value, or the narrower
            interval first. A wrong class costs 1, a number its absolute error.
        X : table of shape (m, n_features)
        y : array-like (m,)
        cost_abstain : sequence of float, optional
            Prices of giving no answer; by default 5%, 10% and 20% of a wrong class, or half, one and one and a half
            mean absolute errors.
        conditional_on, weights
            As `predict_set` and `predict_interval` take them.

        Returns
        -------
        display : AbstentionDisplay
        """
        model = read_conformal(estimator, X, cls.__name__, conditional_on, weights)
        predicted = model.estimator.predict(model.X)
        if model.classifies:
            losses = (column_or_1d(y) != predicted).astype(float)
            certainty = 1 - np.sort(model.estimator.p_values(model.X, **model.given), axis=1)[:, -2]
            prices, name = (0.05, 0.1, 0.2), "error rate"
        else:
            losses = np.abs(column_or_1d(y).astype(float) - predicted)
            low, high = model.predict()[:, :, 0].T
            widths = high - low
            certainty = -np.where(np.isfinite(widths), widths, np.finfo(float).max)
            prices, name = tuple(losses.mean() * share for share in (0.5, 1.0, 1.5)), "mean absolute error"
        prices = prices if cost_abstain is None else cost_abstain
        return cls.from_predictions(losses, certainty, cost_abstain=prices, loss_name=name)

    @classmethod
    def from_predictions(cls, losses, certainty, *, cost_abstain, sample_weight=None, loss_name="mean loss"):
        """Sort, average and draw.

        Parameters
        ----------
        losses, certainty
            As of `abstention_curve`.
        cost_abstain : float or sequence of float
            Prices of giving no answer, in the units of the losses.
        sample_weight
            As of `abstention_curve`.
        loss_name : str, default="mean loss"
            What the mean loss of an answer is.

        Returns
        -------
        display : AbstentionDisplay
        """
        from kan_tabular.uncertainty import abstention_curve

        curve = abstention_curve(losses, certainty, sample_weight=sample_weight)
        return cls(curve=curve, cost_abstain=np.atleast_1d(cost_abstain).tolist(), loss_name=loss_name).plot()

    def plot(self):
        """Draw both panels in a new figure.

        Returns
        -------
        display : AbstentionDisplay
            This display.
        """
        curve, colours = self.curve, palette()
        self.figure_ = new_figure((8.6, 3.5))
        self.axes_ = list(self.figure_.subplots(1, 2))
        answered = curve.answered
        steps = {"drawstyle": "default" if len(answered) > 40 else "steps-pre"}
        (self.risk_,) = self.axes_[0].plot(answered, curve.risk, color=colours[0], lw=1.8, **steps)
        self.axes_[0].axhline(curve.risk[-1], color=text_colour(), alpha=0.4, lw=1, ls="--")
        self.axes_[0].set_ylabel(f"{self.loss_name} of the answers")
        self.costs_ = []
        for k, price in enumerate(self.cost_abstain):
            colour = colours[k % len(colours)]
            label = f"no answer costs {price:.3g}"
            self.costs_ += self.axes_[1].plot(answered, curve.cost(price), color=colour, lw=1.8, label=label, **steps)
            best = curve.best(price)
            self.axes_[1].plot([best["answered"]], [best["cost"]], "o", ms=8, mfc="none", mew=1.8, color=colour)
        self.axes_[1].set_ylabel("cost of a row")
        self.axes_[1].legend(frameon=False, fontsize="small")
        for ax in self.axes_:
            ax.set_xlim(0, 1.02)
            ax.set_ylim(bottom=0)
            ax.set_xlabel("share of rows answered")
            quiet_spines(ax, keep=("left", "bottom"))
        return self
