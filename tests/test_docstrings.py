"""Every public class and function says what its parameters are: those of its signature, and no others."""

import dataclasses
import inspect
import re
from pathlib import Path
from runpy import run_path

import pytest
from numpydoc.docscrape import ClassDoc, FunctionDoc
from sklearn.base import BaseEstimator

PUBLIC = run_path(str(Path(__file__).parents[1] / "docs" / "public_names.py"))
NAMES = [name for names in PUBLIC["public_names"]().values() for name in names]
CLASSES = [name for name in NAMES if inspect.isclass(PUBLIC["resolve"](name))]
DEVELOPERS = ("kan_tabular.bases", "kan_tabular.likelihoods", "kan_tabular.symbolic")


def in_signature(function):
    """Names of a function's parameters, with stars, without self and private ones."""
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    parameters = inspect.signature(function).parameters.values()
    return [stars.get(p.kind, "") + p.name for p in parameters if p.name != "self" and not p.name.startswith("_")]


def in_section(doc, section):
    """Names in a section, of which a line may list several."""
    return [name.strip() for entry in doc[section] for name in re.split(r",\s*", entry.name or entry.type)]


def methods(cls):
    """Public methods of a class that are our own, inherited ones included."""
    for name, value in inspect.getmembers(cls, inspect.isroutine):
        if not name.startswith("_") and (getattr(value, "__module__", None) or "").startswith("kan_tabular"):
            yield name, value


def documented(cls):
    """Parameters of a class as its docstring has them; dataclasses and named tuples may list them as attributes."""
    doc = ClassDoc(cls, config={"show_class_members": False})
    records = dataclasses.is_dataclass(cls) or issubclass(cls, tuple)
    return in_section(doc, "Parameters") or (in_section(doc, "Attributes") if records else [])


def test_the_reader_of_docstrings_sees_what_is_wrong():
    def wrong(first, *more, second=1):
        """Nothing.

        Parameters
        ----------
        second, third : int
        """

    assert in_signature(wrong) == ["first", "*more", "second"]
    assert in_section(FunctionDoc(wrong), "Parameters") == ["second", "third"]


def test_there_are_public_names():
    assert {"kan_tabular.KAAMClassifier", "kan_tabular.plots.ShapeDisplay", "kan_tabular.metrics.auc_interval"} <= {
        *NAMES
    }


@pytest.mark.parametrize("name", CLASSES)
def test_classes(name):
    cls = PUBLIC["resolve"](name)
    assert cls.__doc__
    if issubclass(cls, Exception) or cls.__init__ is object.__init__ and not issubclass(cls, tuple):
        return  # nothing to construct it with
    assert documented(cls) == in_signature(cls)


@pytest.mark.parametrize("name", CLASSES)
def test_methods(name):
    cls = PUBLIC["resolve"](name)
    for method, function in methods(cls):
        found = in_section(FunctionDoc(function), "Parameters")
        told = in_signature(function)
        assert inspect.getdoc(getattr(cls, method)), f"{name}.{method} has no docstring"
        # What one argument is, a line may say; contracts of developers are written so in bases and likelihoods.
        short = not found and (len(told) < 2 or name.startswith(DEVELOPERS))
        assert short or found == told, f"{name}.{method}"


@pytest.mark.parametrize("name", [name for name in NAMES if name not in CLASSES])
def test_functions(name):
    function = PUBLIC["resolve"](name)
    assert in_section(FunctionDoc(function), "Parameters") == in_signature(function)


@pytest.mark.parametrize("name", [name for name in CLASSES if issubclass(PUBLIC["resolve"](name), BaseEstimator)])
def test_fitted_attributes_end_in_an_underscore(name):
    doc = ClassDoc(PUBLIC["resolve"](name), config={"show_class_members": False})
    attributes = in_section(doc, "Attributes")
    assert attributes
    assert [a for a in attributes if not a.endswith("_")] == []
