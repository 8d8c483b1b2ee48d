"""The README's Python runs as printed."""

import re
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt

README = Path(__file__).parents[1] / "README.md"


def test_python_blocks_run_in_order(tmp_path, monkeypatch):
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 2
    names = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)
    plt.close("all")
    X = names["X"]
    assert (names["same"].predict_proba(X) == names["model"].predict_proba(X)).all()
    assert names["curve"].x.shape == names["curve"].y.shape == names["curve"].lower.shape
