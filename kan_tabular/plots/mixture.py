"""MixtureDisplay: what each part of a mixture does while the others keep their proportions."""

import numpy as np

from kan_tabular.materials.mixture import mixture_effect, parts_of_mixture
from kan_tabular.plots._style import (
    check_count,
    class_styles,
    new_axes,
    quiet_spines,
    safe_labels,
    safe_text,
    text_colour,
)


class MixtureDisplay:
    """Predictions along Cox's directions from a reference mixture, one curve a part (response trace plot).

    It is recommended to use :meth:`from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    effects : list of MixtureEffect
        One a part, all with the same reference.
    response : str, default="prediction"
        What is predicted: the label of the axis.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    lines_ : list of matplotlib Line2D
        The curves, the part with the largest range of predictions first.

    References
    ----------
    Piepel, G. F. (1982). Measuring component effects in constrained mixture experiments. Technometrics 24, 29-39.
    """

    def __init__(self, *, effects, response="prediction"):
        self.effects = effects
        self.response = response

    @classmethod
    def from_estimator(
        cls,
        estimator,
        reference,
        *,
        elements=None,
        composition=None,
        X=None,
        class_=None,
        max_elements=8,
        ax=None,
    ):
        """Predict along the direction of each element and draw the curves.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A fitted model of any library.
        reference : table of one row, or str
            The reference mixture, as for `kan_tabular.materials.mixture_effect`.
        elements : list of str, default=None
            The parts to show; by default all that the reference contains.
        composition : str or list of str, default=None
            As for `mixture_effect`.
        X : table, default=None
            Data whose range of each fraction is covered.
        class_ : label, default=None
            Class whose probability is shown, for a classifier; by default the last. For a regressor of several targets
            or quantiles the position of one.
        max_elements : int, default=8
            Most curves to draw: those with the largest range of predictions.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : MixtureDisplay
        """
        if elements is None:
            elements = parts_of_mixture(estimator, reference, composition)
        effects = [
            mixture_effect(estimator, reference, element, composition=composition, X=X, class_=class_)
            for element in elements
        ]
        if not effects:
            raise ValueError("elements is empty; name at least one part of the mixture.")
        return cls(effects=effects, response=effects[0].response).plot(max_elements=max_elements, ax=ax)

    def plot(self, *, max_elements=8, ax=None):
        """Draw the curves.

        Parameters
        ----------
        max_elements : int, default=8
            Most curves to draw: those with the largest range of predictions.
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.

        Returns
        -------
        display : MixtureDisplay
            This display.
        """
        check_count("max_elements", max_elements)
        effects = sorted(self.effects, key=lambda effect: -np.ptp(effect.prediction))[:max_elements]
        labels = safe_labels([effect.element for effect in effects], width=24)
        # Room for the key, which stands beside the curves: they end anywhere.
        figsize = (6.0 + 0.08 * max(map(len, labels)), max(4.0, 0.4 + 0.23 * len(labels)))
        self.ax_ = ax = new_axes(ax, figsize=figsize)
        self.figure_ = ax.figure
        helper = {"color": text_colour(), "alpha": 0.45, "linewidth": 0.8, "zorder": 1}
        ax.axhline(effects[0].reference_prediction, **helper)
        ax.axvline(0, **helper)
        self.lines_ = []
        for effect, label, (colour, style) in zip(effects, labels, class_styles(len(effects)), strict=True):
            change = 100 * (effect.fraction - effect.reference_fraction)
            self.lines_ += ax.plot(change, effect.prediction, color=colour, linestyle=style, linewidth=1.8, label=label)
        left_out = len(self.effects) - len(effects)
        title = f"{left_out} flatter not shown" if left_out else None
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, title=title, title_fontsize="small")
        ax.set_xlabel("change of its share, others in proportion (percentage points)")
        ax.set_ylabel(safe_text(self.response, width=40))
        quiet_spines(ax, keep=("left", "bottom"))
        return self
