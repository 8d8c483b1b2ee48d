"""docs/report-engine.md: its code runs, and it names what there is."""

import re
from pathlib import Path

import pytest
from live_model import evaluate, needs_node

PAGE = (Path(__file__).parents[2] / "docs" / "report-engine.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def names():
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    names = {}
    exec(compile(block, "report-engine.md", "exec"), names)
    return names


def first_cells(heading):
    """Code in the first cells of the table below a heading."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [name for row in re.findall(r"^\| (.*?) \|", section, flags=re.M) for name in re.findall(r"`(\w+)`", row)]


def test_features_are_described(names):
    assert all(set(feature) == set(first_cells("Values in")) for feature in names["payload"]["features"])
    assert names["payload"]["features"][0]["unit"] == "years"


@needs_node
def test_answers_are_described(names):
    (answer,) = evaluate(names["payload"], names["patients"].head(1))
    assert set(answer) == set(first_cells("Answers out"))
    assert answer["response"] == pytest.approx(names["model"].predict_proba(names["patients"].head(1))[0], rel=1e-12)


def test_the_page_holds_one_model(names):
    page = names["page"]
    assert page.count("</script>") == 3 and "KanModel(" in page
