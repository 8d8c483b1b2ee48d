"""The pages: their code is run by some test, fences say what they hold, and the benchmarks are all listed."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
#: Pages whose code has a test of its own, which checks what the page says about it.
OWN_TEST = {
    "README.md": "test_readme.py",
    "docs/datasets.md": "datasets/test_page.py",
    "docs/extending.md": "test_readme.py",
    "docs/formulas.md": "symbolic/test_formulas_page.py",
    "docs/report-engine.md": "report/test_engine_page.py",
    "docs/uncertainty.md": "uncertainty/test_page.py",
    "docs/user-guide.md": "test_readme.py",
}
#: Languages of fences: what runs, and what is shown.
LANGUAGES = {
    "python",
    "sh",
    "text",
    "sql",
    "c",
    "javascript",
    "latex",
    "html",
    "json",
    "markdown",
    "toml",
    "{toctree}",
    "{include} ../CHANGELOG.md",
}


def sources():
    """README, changelog and pages, without what the site's build leaves behind."""
    written = [p for p in DOCS.rglob("*.md") if not {"_build", "api", "auto_examples"} & set(p.relative_to(DOCS).parts)]
    return {str(p.relative_to(ROOT)): p.read_text(encoding="utf-8") for p in (ROOT / "README.md", *sorted(written))}


def fences(text):
    """Language and content of each fenced block; one with more backquotes may hold others."""
    found = re.findall(r"^(`{3,})([^`\n]*)\n(.*?)^\1$", text, re.DOTALL | re.MULTILINE)
    return [(language, content) for _, language, content in found]


def test_every_fence_says_what_it_holds():
    languages = [(page, language) for page, text in sources().items() for language, _ in fences(text)]
    assert [found for found in languages if found[1] not in LANGUAGES] == []


def test_code_of_every_page_runs(tmp_path, monkeypatch):
    """Families' pages are run by test_readme.py, which finds them by itself."""
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("agg")
    for page, text in sources().items():
        code = [content for language, content in fences(text) if language == "python"]
        if page in OWN_TEST:
            assert code and Path(page).name in (ROOT / "tests" / OWN_TEST[page]).read_text(encoding="utf-8")
        elif not page.startswith("docs/bases/"):
            names = {}
            for block in code:
                exec(compile(block, page, "exec"), names)
    plt.close("all")


@pytest.mark.parametrize("page", ["design.md", "extending.md", "mathematics.md"])
def test_files_that_pages_name_exist(page):
    """Paths in backquotes: of the package, or from the root."""
    named = set(re.findall(r"`([\w/]+/\w+\.(?:py|md|toml))`", (DOCS / page).read_text(encoding="utf-8")))
    assert [name for name in named if not ((ROOT / name).exists() or (ROOT / "kan_tabular" / name).exists())] == []


def test_public_names_have_no_gap():
    """A new package has to be listed, or be internal on purpose."""
    listed = {
        name.removeprefix("kan_tabular.") for name in re.findall(r'^    "(kan_tabular\.\w+)",$', NAMES_FILE, re.M)
    }
    internal = {"encoding", "estimators", "fitted", "solvers", "training"}
    packages = {p.parent.name for p in (ROOT / "kan_tabular").glob("*/__init__.py")}
    assert packages - internal <= listed


NAMES_FILE = (DOCS / "public_names.py").read_text(encoding="utf-8")
