"""Kolmogorov-Arnold models for tables, behind the scikit-learn API.

Public names load on first use, so that ``import kan_tabular`` stays light (no torch, matplotlib, sympy or shap).
"""

from importlib import import_module

__version__ = "0.1.0"

__all__ = [
    "DualChannelKAN",
    "KAAMClassifier",
    "KAAMRegressor",
    "KANRegressor",
    "LogisticKAN",
    "SKANClassifier",
    "SKANRegressor",
    "SymbolicClassifier",
    "SymbolicRegressor",
    "__version__",
    "load",
]

_HOMES = {
    "DualChannelKAN": "kan_tabular.estimators.dual_channel",
    "KAAMClassifier": "kan_tabular.estimators.additive",
    "KAAMRegressor": "kan_tabular.estimators.additive",
    "KANRegressor": "kan_tabular.estimators.network",
    "LogisticKAN": "kan_tabular.estimators.network",
    "SKANClassifier": "kan_tabular.estimators.selectable",
    "SKANRegressor": "kan_tabular.estimators.selectable",
    "SymbolicClassifier": "kan_tabular.estimators.symbolic",
    "SymbolicRegressor": "kan_tabular.estimators.symbolic",
    "load": "kan_tabular.persistence",
}


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'kan_tabular' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(set(globals()) | set(_HOMES))
