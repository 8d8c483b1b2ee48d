"""What the README, the guides and the examples show runs as printed."""

import re
import shlex
import sys
from pathlib import Path
from runpy import run_path

import matplotlib
import matplotlib.pyplot as plt
import pytest
from typer.testing import CliRunner

from kan_tabular import KAAMRegressor
from kan_tabular.cli import app
from kan_tabular.likelihoods import REGISTRY

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Files land in an empty folder; pictures are drawn without a window."""
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    yield
    plt.close("all")


def blocks(page, language="python"):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


def run_python(page):
    """The names that the page's blocks define, run in order."""
    names = {}
    for block in blocks(page):
        exec(compile(block, page, "exec"), names)
    return names


def test_readme():
    assert len(blocks("README.md")) >= 2
    names = run_python("README.md")
    X = names["X"]
    assert (names["same"].predict_proba(X) == names["model"].predict_proba(X)).all()
    assert names["curve"].x.shape == names["curve"].y.shape == names["curve"].lower.shape


def test_user_guide():
    """The statements the guide makes about its made-up tables hold, and its commands follow on its Python."""
    assert len(blocks("docs/user-guide.md")) >= 8
    names = run_python("docs/user-guide.md")
    summary = names["summary"]
    assert summary.index[-1] == "smoker" and summary.loc["smoker", "importance"] < 0.05
    assert names["scores"].mean() > 0.7
    later = names["alloys"][300:], names["hard"][300:]
    assert names["interacting"].score(*later) > 0.97 and names["additive"].score(*later) < 0.9
    assert names["curve"].missing.weight == pytest.approx(0.2, abs=0.05)
    true = [4 + 6 * 15 - 0.12 * 15**2, 4 + 6 * 29 - 0.12 * 29**2]
    true = [396 + t + 500 / s**0.5 + f for t, s, f in zip(true, (8, 3), (60, 0), strict=True)]
    assert abs(names["mean"][:2] - true).max() < 25
    assert (names["sd"] > names["se"]).all() and names["sd"][0] == pytest.approx(25, rel=0.2)
    assert names["fixed"].edf_["age"] < 1.1
    lines = [line for block in blocks("docs/user-guide.md", "sh") for line in block.splitlines()]
    assert len(lines) == 3
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "kan-tabular"
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
    assert Path("predictions.csv").stat().st_size > 0 and Path("why.png").stat().st_size > 0


def test_extending_guide(monkeypatch):
    """Its likelihood fits, once added as the guide says."""
    monkeypatch.setattr(KAAMRegressor, "_LIKELIHOODS", dict(KAAMRegressor._LIKELIHOODS))
    before = dict(REGISTRY)
    try:
        names = run_python("docs/extending.md")
    finally:
        REGISTRY.clear()
        REGISTRY.update(before)
    error = names["fitted"] - names["truth"]
    assert (error**2).mean() < 0.05 * names["truth"].var()


def test_diabetes_example(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["plot_diabetes.py", "--out", "shapes.png"])
    run_path(str(ROOT / "examples" / "plot_diabetes.py"), run_name="__main__")
    assert [path.name for path in Path().iterdir()] == ["shapes.png"]
