"""examples/benchmarks/run_all.py knows every benchmark and page, runs them, and says with what."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER, PAGES = ROOT / "examples" / "benchmarks", ROOT / "docs" / "benchmarks"


@pytest.fixture
def run_all(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in ("run_all", "_common"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import run_all

    return run_all


@pytest.fixture
def project(run_all, tmp_path, monkeypatch):
    """A project with two scripts: one writes a page, the other fails in its first part."""
    scripts, pages = tmp_path / "examples" / "benchmarks", tmp_path / "docs" / "benchmarks"
    scripts.mkdir(parents=True)
    pages.mkdir(parents=True)
    (scripts / "good.py").write_text("import sys; open(sys.argv[2], 'w').write('figures')")
    (scripts / "bad.py").write_text("import sys; sys.exit(sys.argv[1] == 'run') if sys.argv[1] == 'run' else 1 / 0")
    benchmarks = [
        run_all.Benchmark("bad.py", ("run", "report --out {page}"), 30, "bad.md"),
        run_all.Benchmark("good.py", ("--out {page}",), 90, "good.md"),
    ]
    monkeypatch.setattr(run_all, "ROOT", tmp_path)
    monkeypatch.setattr(run_all, "BENCHMARKS", benchmarks)
    return pages


def test_every_script_and_page_is_listed(run_all):
    scripts = {p.name for p in FOLDER.glob("*.py") if not p.name.startswith("_")} - {"run_all.py"}
    assert {b.script for b in run_all.BENCHMARKS} == scripts - set(run_all.APART) and set(run_all.APART) <= scripts
    pages = {p.name for p in PAGES.glob("*.md")} - {"index.md", "tables.md"}
    assert pages <= {b.page for b in run_all.BENCHMARKS}
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", (PAGES / "index.md").read_text(encoding="utf-8")))
    assert linked == pages | {"tables.md"}


def test_parts_are_commands_of_the_scripts(run_all):
    for benchmark in run_all.BENCHMARKS:
        text = (FOLDER / benchmark.script).read_text(encoding="utf-8")
        words = {part.split()[0] for part in benchmark.parts}
        assert all(re.search(rf'["\'(, ]{re.escape(word)}["\',)]', text) for word in words), benchmark.script
        assert benchmark.parts[-1].endswith("--out {page}")


def test_listing_runs_nothing(run_all, project, capsys):
    assert run_all.main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert "good: about 90 minutes, docs/benchmarks/good.md" in printed
    assert "python examples/benchmarks/bad.py report --out docs/benchmarks/bad.md" in printed
    assert "2.0 hours" in printed and list(project.iterdir()) == []
    run_all.BENCHMARKS[0] = replace(run_all.BENCHMARKS[0], minutes=None)
    run_all.main(["--list"])
    assert "bad: not timed yet" in (again := capsys.readouterr().out) and "1.5 hours" in again


def test_a_failure_does_not_stop_the_others(run_all, project, capsys):
    assert run_all.main([]) == 1
    assert (project / "good.md").read_text() == "figures"
    assert capsys.readouterr().out.endswith("stopped with an error: bad.py\n")


def test_only(run_all, project):
    assert run_all.main(["--only", "good"]) == 0
    assert (project / "good.md").exists() and not (project / "bad.md").exists()
    with pytest.raises(SystemExit, match="no benchmark best; there are bad, good"):
        run_all.main(["--only", "good,best"])


PAGE = """# Speed

| a |
|---|
| 1 |

## How fast
Words | with bars.

| b |
|---|
| 2 |
between
| c |
|---|
| 3 |

## Machine and versions

Run 2026-01-01, on a shared machine.

* a machine
"""


def test_every_table_stands_under_its_heading(run_all, project):
    (project / "good.md").write_text(PAGE)
    assert run_all.main(["--tables"]) == 0
    said = (project / "tables.md").read_text().split("## Speed")[1].split()
    order = ["[good.md](good.md),", "2026-01-01,", "1", "###", "2", "3"]
    assert sorted(map(said.index, order)) == [*map(said.index, order)]
    assert "Words" not in said and "between" not in said and "bad.md" not in said


def test_every_page_says_when_and_where(run_all):
    for page in sorted(PAGES.glob("*.md")):
        if page.name not in ("index.md", "tables.md"):
            _, _, end = run_all.tables_of(page.read_text(encoding="utf-8"))
            assert re.match(r"Run \d{4}-\d\d-\d\d", end[0]) and any("Python 3" in line for line in end), page.name
