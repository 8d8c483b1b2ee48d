"""What docs/formulas.md shows is what the code gives."""

import re
from pathlib import Path

import pytest

from kan_tabular.symbolic.writers import write

PAGE = (Path(__file__).parents[2] / "docs" / "formulas.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def names():
    found = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        exec(compile(block, "docs/formulas.md", "exec"), found)
    return found


FENCES = {"python": "text", "excel": "text"}


@pytest.mark.parametrize("language", ["c", "excel", "javascript", "latex", "python", "sql"])
def test_programs(names, language):
    assert f"```{FENCES.get(language, language)}\n{write(names['formula'], language)}```\n" in PAGE


def test_tables(names):
    (shown,) = re.findall(r"^````markdown\n(.*?)^````", PAGE, re.DOTALL | re.MULTILINE)
    assert shown == write(names["formula"], "markdown")
    assert names["card"].to_markdown() in PAGE
    assert f"The formula above counts {names['formula'].complexity}." in PAGE


def test_statements(names):
    assert names["probabilities"].shape == (2,) and 0 < names["probabilities"][1] < names["probabilities"][0] < 1
    assert {s.name for s in names["expression"].free_symbols} == {"age", "crp mg/l", "ward"}
    assert names["auc"].cost < 0.1
