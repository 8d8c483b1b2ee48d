"""Pictures of a fitted model, after scikit-learn's Display convention.

A display is built by ``from_estimator``, which computes and draws, or from computed results; ``plot`` draws again. The
matplotlib figure and axes are kept as ``figure_`` and ``ax_`` or ``axes_``.
"""

from importlib import import_module

__all__ = [
    "AbstentionDisplay",
    "CalibrationCurveDisplay",
    "ContributionDisplay",
    "CoverageDisplay",
    "DecisionCurveDisplay",
    "DependenceDisplay",
    "FormulaParetoDisplay",
    "ImportanceDisplay",
    "InteractionDisplay",
    "IntervalWidthDisplay",
    "MixtureDisplay",
    "NeighborDisplay",
    "NetworkDisplay",
    "NomogramDisplay",
    "PatientDisplay",
    "RadarDisplay",
    "SetSizeDisplay",
    "ShapeDisplay",
    "SortedProbabilityDisplay",
    "SpacesDisplay",
]

_MODULES = {
    "AbstentionDisplay": "abstention",
    "CalibrationCurveDisplay": "calibration",
    "ContributionDisplay": "contribution",
    "CoverageDisplay": "coverage",
    "DecisionCurveDisplay": "decision",
    "DependenceDisplay": "dependence",
    "FormulaParetoDisplay": "formula",
    "ImportanceDisplay": "importance",
    "InteractionDisplay": "interaction",
    "IntervalWidthDisplay": "interval_width",
    "MixtureDisplay": "mixture",
    "NeighborDisplay": "neighbors",
    "NetworkDisplay": "network",
    "NomogramDisplay": "nomogram",
    "PatientDisplay": "patient",
    "RadarDisplay": "radar",
    "SetSizeDisplay": "set_size",
    "ShapeDisplay": "shape",
    "SortedProbabilityDisplay": "sorted_probability",
    "SpacesDisplay": "spaces",
}


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__():
    return sorted({*globals(), *__all__})
