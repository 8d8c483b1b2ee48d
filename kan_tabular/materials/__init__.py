"""Compositions of materials: formulas and fractions become descriptors; effects along the directions of a mixture.

Properties of elements come from a library in the extra ``materials``, imported when they are first needed.
"""

from importlib import import_module

__all__ = [
    "DESCRIPTORS",
    "INTERSTITIALS",
    "PROPERTIES",
    "CompositionFeaturizer",
    "MixtureEffect",
    "element_properties",
    "mixture_effect",
    "pair_enthalpies",
    "parse_formula",
]

_MODULES = {
    "DESCRIPTORS": "descriptors",
    "INTERSTITIALS": "elements",
    "PROPERTIES": "elements",
    "CompositionFeaturizer": "featurizer",
    "MixtureEffect": "mixture",
    "element_properties": "elements",
    "mixture_effect": "mixture",
    "pair_enthalpies": "elements",
    "parse_formula": "formulas",
}


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__():
    return sorted({*globals(), *__all__})
