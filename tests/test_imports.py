"""The package imports lightly and gives away exactly its public names."""

import subprocess
import sys

import pytest

import kan_tabular

HEAVY = ["torch", "matplotlib", "sympy", "shap", "pandas", "sklearn", "scipy"]


def _loaded_after(statement):
    code = f"{statement}\nimport sys\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_plain_import_loads_no_heavy_library():
    assert _loaded_after("import kan_tabular, kan_tabular.exceptions, kan_tabular.metrics") == []


def test_detector_sees_a_heavy_library():
    assert _loaded_after("import scipy") == ["scipy"]


@pytest.mark.parametrize("library", ["torch", "matplotlib", "sympy", "shap"])
def test_public_names_load_without(library):
    assert library not in _loaded_after("from kan_tabular import *")


def test_all_is_alphabetical_and_resolves():
    names = kan_tabular.__all__
    assert names == sorted(names)
    assert all(isinstance(name, str) and hasattr(kan_tabular, name) for name in names)
    assert set(names) <= set(dir(kan_tabular))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Nonsense"):
        kan_tabular.Nonsense  # noqa: B018
