"""The registry of writers."""

from importlib import import_module

import pytest
from formula_cases import CASES

from kan_tabular.exceptions import FormulaError
from kan_tabular.symbolic.writers import REGISTRY, write


@pytest.mark.parametrize("language", REGISTRY)
def test_every_writer_documents_itself_and_ends_its_last_line(language):
    source = write(CASES["two classes"], language)
    assert source.endswith("\n") and source.count("\n") > 1
    assert "Parameters" in import_module(REGISTRY[language]).write.__doc__


def test_unknown_language():
    with pytest.raises(FormulaError, match="language='cobol': expected one of 'c', 'excel'"):
        write(CASES["constant"], "cobol")
