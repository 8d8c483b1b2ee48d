"""FormulaParetoDisplay: what formulas of growing complexity lose, and which one was chosen."""

import numpy as np

from kan_tabular.plots._style import new_axes, palette, quiet_spines, safe_text, text_colour


class FormulaParetoDisplay:
    """Loss of candidate formulas on held-out rows against their complexity.

    All parameters are stored as attributes; `plot` draws them.

    Parameters
    ----------
    complexity : array-like of shape (n_formulas,)
        Operations and constants of each formula.
    loss : array-like of shape (n_formulas,)
        Loss of each formula on rows it was not fitted to.
    chosen : int
        Position of the formula that was chosen.
    reference : float, default=None
        Loss of the model that the formulas stand for, on the same rows.
    loss_name : str, default="loss on held-out rows"
        Label of the axis.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    points_ : matplotlib Line2D
        All formulas.
    front_ : matplotlib Line2D
        The least loss up to each complexity, as a staircase.
    chosen_ : matplotlib Line2D
        The mark of the chosen formula.
    reference_ : matplotlib Line2D or None
        The model's loss.
    """

    def __init__(self, *, complexity, loss, chosen, reference=None, loss_name="loss on held-out rows"):
        self.complexity = complexity
        self.loss = loss
        self.chosen = chosen
        self.reference = reference
        self.loss_name = loss_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw `pareto_` of a formula found with a target: itself and its simpler versions, beside the model's loss.

        Parameters
        ----------
        estimator : SymbolicClassifier or SymbolicRegressor
        ax : matplotlib Axes, default=None
        """
        table = estimator.pareto_
        if table["loss"].isna().all():
            raise ValueError("this formula knows no losses: find it with to_symbolic(X, y), or by fit.")
        reference = estimator.fidelity_["loss_model"]
        reference = None if np.isnan(reference) else reference
        return cls(complexity=table["complexity"], loss=table["loss"], chosen=0, reference=reference).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the formulas.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : FormulaParetoDisplay
            This display.
        """
        complexity, loss = (np.asarray(v, dtype=float) for v in (self.complexity, self.loss))
        if complexity.ndim != 1 or complexity.shape != loss.shape or not complexity.size:
            raise ValueError(
                f"complexity and loss need one number a formula; their shapes are {complexity.shape} and {loss.shape}."
            )
        if not 0 <= self.chosen < len(loss):
            raise ValueError(f"chosen must be a position from 0 to {len(loss) - 1}; got {self.chosen!r}.")
        steps, least = _front(complexity, loss)
        self.ax_ = ax = new_axes(ax, figsize=(5.6, 3.6))
        self.figure_ = ax.figure
        colour, mark = palette()[:2]
        (self.front_,) = ax.plot(
            [*steps, max(complexity)], [*least, least[-1]], drawstyle="steps-post", color=colour, lw=1.4, zorder=1
        )
        (self.points_,) = ax.plot(complexity, loss, "o", ms=4, color=colour, alpha=0.8, lw=0, zorder=2)
        x, y = complexity[self.chosen], loss[self.chosen]
        (self.chosen_,) = ax.plot([x], [y], "o", ms=11, mfc="none", mec=mark, mew=1.8, zorder=3)
        right = x > (min(complexity) + max(complexity)) / 2
        ax.annotate(
            f"chosen ({x:g})",
            (x, y),
            xytext=(-10 if right else 10, 9),
            textcoords="offset points",
            ha="right" if right else "left",
            color=mark,
            fontsize="small",
        )
        self.reference_ = None
        if self.reference is not None:
            self.reference_ = ax.axhline(self.reference, ls="--", lw=1, color=text_colour(), alpha=0.5, zorder=0)
            ax.annotate(
                "the model itself",
                (1, self.reference),
                xycoords=("axes fraction", "data"),
                xytext=(-2, -3),
                textcoords="offset points",
                ha="right",
                va="top",
                fontsize="small",
                alpha=0.7,
            )
        ax.margins(x=0.06, y=0.16)
        if np.ptp(complexity) < 2:
            ax.set_xlim(min(complexity) - 1, max(complexity) + 1)
        ax.set_xlabel("complexity (operations and constants)")
        ax.set_ylabel(safe_text(self.loss_name, width=48))
        ax.xaxis.get_major_locator().set_params(integer=True)
        quiet_spines(ax, keep=("left", "bottom"))
        return self


def _front(complexity, loss):
    """Complexities at which the least loss so far falls, and that loss."""
    order = np.lexsort((loss, complexity))
    least = np.minimum.accumulate(loss[order])
    falls = np.append(True, np.diff(least) < 0)
    return complexity[order][falls], least[falls]
