"""How far a prediction can be trusted: probabilities that come true."""

from importlib import import_module

__all__ = ["CalibratedClassifier"]

_HOMES = {"CalibratedClassifier": "kan_tabular.uncertainty.calibrated"}


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__():
    return sorted({*globals(), *__all__})
