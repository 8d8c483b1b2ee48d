"""The page on uncertainty runs as printed, and what it says of its table holds."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from kan_tabular.uncertainty import coverage_range, rows_needed

PAGE = Path(__file__).parents[2] / "docs" / "uncertainty.md"


def test_page_runs_and_holds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("agg")
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)
    plt.close("all")
    coverage = names["table"].set_index("group")["coverage"]
    assert coverage["all"] > 0.85 and set(coverage.index) == {"all", "f", "m"}
    assert names["interval"].shape == (500, 2, 2) and names["older"].shape == (500, 2)
    assert names["rule"].keys() == {"threshold", "answered", "risk", "cost"}
    assert [rows_needed(level) for level in (0.9, 0.95, 0.99)] == [9, 19, 99]
    assert coverage_range(100, 0.9) == pytest.approx((0.81, 0.96), abs=0.005)
