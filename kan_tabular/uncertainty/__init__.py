"""Uncertainty that holds what it promises: conformal sets and intervals, what they cover, and when to abstain.

Public names load on first use.
"""

from importlib import import_module

__all__ = [
    "AbstentionCurve",
    "CalibratedClassifier",
    "ConformalClassifier",
    "ConformalRegressor",
    "abstention_curve",
    "coverage_by_group",
    "coverage_range",
    "covers",
    "rows_needed",
    "uncertainty_parts",
]

_HOMES = {
    "AbstentionCurve": "abstention",
    "CalibratedClassifier": "calibrated",
    "ConformalClassifier": "classifier",
    "ConformalRegressor": "regressor",
    "abstention_curve": "abstention",
    "coverage_by_group": "coverage",
    "coverage_range": "coverage",
    "covers": "coverage",
    "rows_needed": "_calibration",
    "uncertainty_parts": "spread",
}


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__():
    return sorted({*globals(), *__all__})
