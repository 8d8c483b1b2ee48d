"""The public names of kan_tabular, as packages list them: for the API reference and the test of docstrings."""

from __future__ import annotations

import inspect
from importlib import import_module
from importlib.util import find_spec

#: Packages of the reference in the order of its pages; a module without ``__all__`` stands for its own classes.
PACKAGES = (
    "kan_tabular",
    "kan_tabular.explain",
    "kan_tabular.plots",
    "kan_tabular.metrics",
    "kan_tabular.uncertainty",
    "kan_tabular.symbolic",
    "kan_tabular.report",
    "kan_tabular.datasets",
    "kan_tabular.materials",
    "kan_tabular.bases",
    "kan_tabular.likelihoods",
    "kan_tabular.exceptions",
)
#: Public names whose packages do not list them.
ELSEWHERE = {
    "kan_tabular.symbolic": (
        "kan_tabular.symbolic.formula.Formula",
        "kan_tabular.symbolic.nodes.Sum",
        "kan_tabular.symbolic.nodes.Product",
        "kan_tabular.symbolic.nodes.Term",
        "kan_tabular.symbolic.scorecard.Scorecard",
        "kan_tabular.symbolic.enclosure.check_real",
        "kan_tabular.symbolic.writers.write",
    )
}


def public_names():
    """Dotted names of public classes and functions by package, and of what else is public (dicts, symbols).

    Returns
    -------
    names : dict of list of str
        Dotted names of classes and functions.
    """
    found = {}
    for package in PACKAGES:
        if find_spec(package) is None:
            continue
        module = import_module(package)
        names = [f"{package}.{name}" for name in _listed(module)]
        found[package] = [name for name in (*names, *ELSEWHERE.get(package, ())) if _described(resolve(name))]
    return found


def resolve(name):
    """The object of a dotted name, which a package may load on first use."""
    package, _, last = name.rpartition(".")
    return getattr(import_module(package), last)


def _listed(module):
    if hasattr(module, "__all__"):
        return [name for name in module.__all__ if not name.startswith("__")]
    own = [(name, value) for name, value in vars(module).items() if inspect.isclass(value)]
    return [name for name, value in own if value.__module__ == module.__name__ and not name.startswith("_")]


def _described(value):
    return inspect.isclass(value) or inspect.isroutine(value)
