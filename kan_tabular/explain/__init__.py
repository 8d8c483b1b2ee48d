"""What a model says about one case beside others, and what other explanations say of it."""

from importlib import import_module

__all__ = ["LimeExplanation", "SimilarCases", "agreement", "lime_explanation"]

_MODULES = {
    "LimeExplanation": "local_linear",
    "SimilarCases": "similar",
    "agreement": "compare",
    "lime_explanation": "local_linear",
}


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__():
    return sorted({*globals(), *__all__})
