"""How good predictions are, and how sure that is: discrimination, calibration and usefulness, with intervals.

Intervals for measures that scikit-learn has, and measures that it lacks. Weights are frequencies: weight 2 is the row
twice, weight 0 is the row absent.
"""

from importlib import import_module

__all__ = [
    "BrierDecomposition",
    "CalibrationMeasures",
    "Difference",
    "Interval",
    "SmoothCalibration",
    "auc_difference",
    "auc_interval",
    "average_precision_interval",
    "bootstrap_interval",
    "brier_decomposition",
    "calibration_measures",
    "grouped_calibration",
    "net_benefit",
    "smooth_calibration",
]

_MODULES = {
    "BrierDecomposition": "brier",
    "CalibrationMeasures": "calibration",
    "Difference": "intervals",
    "Interval": "intervals",
    "SmoothCalibration": "calibration",
    "auc_difference": "discrimination",
    "auc_interval": "discrimination",
    "average_precision_interval": "discrimination",
    "bootstrap_interval": "resampling",
    "brier_decomposition": "brier",
    "calibration_measures": "calibration",
    "grouped_calibration": "calibration",
    "net_benefit": "decisions",
    "smooth_calibration": "calibration",
}


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__():
    return sorted({*globals(), *__all__})
