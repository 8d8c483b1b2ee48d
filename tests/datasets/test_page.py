"""docs/datasets.md: its table is that of the cards, and its blocks run."""

import re
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest

from kan_tabular.datasets.cards import card_names

DOCS = Path(__file__).parents[2] / "docs"


def test_table_is_current():
    """Otherwise run `python docs/make_datasets.py`."""
    page = (DOCS / "datasets.md").read_text(encoding="utf-8")
    assert run_path(str(DOCS / "make_datasets.py"))["page"]() == page
    assert page.count("\n| [`") == len(card_names())


def test_blocks(staged, monkeypatch, capsys):
    monkeypatch.setenv("KAN_TABULAR_DATA", str(staged))
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "datasets.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    names = {}
    for block in blocks:
        exec(compile(block, "docs/datasets.md", "exec"), names)
    assert names["heart"].data["Cholesterol"].isna().sum() == 172
    assert "serum cholesterol" in capsys.readouterr().out
    assert list(names["measured"])[::15] == ["C", "Anneal_Time(h)"]
    assert names["r2"].shape == (5,) and names["r2"].mean() > 0.3
    assert np.abs(names["error"]).max() < 0.2


def test_extending_guide(tmp_path, monkeypatch):
    """The card that it shows; its other blocks are run by tests/test_readme.py."""
    (block,) = re.findall(
        r"```python\n([^`]*fetch_dataset.*?)```", (DOCS / "extending.md").read_text(encoding="utf-8"), re.DOTALL
    )
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(block, "docs/extending.md", "exec"), names)
    doses = names["doses"]
    assert doses.feature_names == ["dose", "ward"] and doses.data.shape == (4, 2)
    assert doses.data["dose"].isna().tolist() == [False, True, False, False]
    assert doses.data["ward"].tolist() == ["medical", "surgical", "surgical", "medical"]
    assert doses.groups.tolist() == [0, 0, 1, 2] and doses.target.tolist() == [1, 0, 1, 0]
    with pytest.raises(ValueError, match="target='days'"):
        names["fetch_dataset"]("doses.toml", data_home=".", target="days")
