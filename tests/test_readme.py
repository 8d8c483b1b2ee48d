"""What the README, the guides and the examples show runs as printed."""

import re
import shlex
import sys
from pathlib import Path
from runpy import run_path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from basis_contract import CHECKS
from typer.testing import CliRunner

from kan_tabular import KAAMRegressor
from kan_tabular.bases import REGISTRY as BASES
from kan_tabular.bases import families
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
    assert len(lines) == 5
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "kan-tabular"
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
    assert Path("predictions.csv").stat().st_size > 0 and Path("why.png").stat().st_size > 0
    assert "linear_predictor" in Path("risk.sql").read_text(encoding="utf-8")


def test_report_page():
    run_python("docs/report.md")
    assert "<h1>Risk of death in hospital</h1>" in Path("report.html").read_text(encoding="utf-8")


def test_extending_guide(monkeypatch):
    """Its likelihood fits, once added as the guide says."""
    monkeypatch.setattr(KAAMRegressor, "_LIKELIHOODS", dict(KAAMRegressor._LIKELIHOODS))
    before = [(registry, dict(registry)) for registry in (REGISTRY, BASES)]
    try:
        names = run_python("docs/extending.md")
        for check in CHECKS:
            check(lambda *column: names["Multiquadric"]().fit(*column))
    finally:
        for registry, content in before:
            registry.clear()
            registry.update(content)
    error = names["fitted"] - names["truth"]
    assert (error**2).mean() < 0.05 * names["truth"].var()
    assert names["waves"].network_.inputs[0].basis.family.name == "multiquadric"
    assert (names["residual"] ** 2).mean() < 0.05 * np.sin(names["column"]).var()
    assert list(names["found"].terms_["function"]) == ["softsign"]


def test_materials_page():
    """The numbers it quotes, and what it says about its made-up alloys."""
    names = run_python("docs/materials.md")
    assert len(names["messages"]) == 6 and "'_' at position 3, where an element symbol" in names["messages"][0]
    importances = names["importances"]
    assert importances["VEC"] > 3 * importances["mixing_enthalpy"] and importances["cold work"] > 0.2
    # Along Cox's direction from CoCrFeNi (VEC 8.25), VEC falls by 5.25 for each unit of aluminium (VEC 3).
    np.testing.assert_allclose(names["effect"].effect, [0, 80 * 0.525, 80 * 1.05], atol=8)
    assert sorted(line.get_label() for line in names["lines"].lines_) == ["Al", "Co", "Cr", "Fe", "Ni"]
    assert names["steel"].notna().all(axis=None) and names["described"].notna().all(axis=None)
    assert names["element_properties"]().loc["Mn", "radius"] == 135.7
    radii = dict.fromkeys((127.0, 135.7))
    for radius in radii:
        featurizer = names["CompositionFeaturizer"](properties={"Mn": {"radius": radius}})
        radii[radius] = featurizer.fit_transform(["CoCrFeMnNi"])["size_difference"].item()
    assert [round(size) for size in radii.values()] == [1, 3]


def test_families_page():
    """Its table has all families, and the sizes and condition numbers that its code gives."""
    page = (ROOT / "docs" / "bases" / "index.md").read_text(encoding="utf-8")
    conditions = run_python("docs/bases/index.md")["conditions"]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| ")
    ]
    rows = {re.search(r"`(\w+)`", row[0]).group(1): row for row in rows[1:]}
    assert sorted(rows) == families() == sorted(conditions)
    for name, (_, size, linear, _, condition, _) in rows.items():
        basis = BASES[name]().fit(np.linspace(-1, 1, 2000))
        assert int(size) == basis.n_functions and (linear == "yes") == basis.linear
        assert float(condition) == pytest.approx(conditions[name], rel=0.05)
        assert name == "bspline" or (ROOT / "docs" / "bases" / f"{name}.md").exists()


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs" / "bases").glob("*.md")))
def test_pages_of_families(page):
    run_python(f"docs/bases/{page}")


def test_diabetes_example(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["plot_diabetes.py", "--out", "shapes.png"])
    run_path(str(ROOT / "examples" / "plot_diabetes.py"), run_name="__main__")
    assert [path.name for path in Path().iterdir()] == ["shapes.png"]
