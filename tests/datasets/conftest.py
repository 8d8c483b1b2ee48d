"""Cards made on the fly, the local server, and the staged files."""

import hashlib
import os
from pathlib import Path

import pytest
from dataset_server import CSV, serving

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def staged():
    """The folder with the real files; tests that need it are skipped where there is none."""
    folder = Path(os.environ.get("KAN_TABULAR_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "pima_diabetes_768.csv").exists():
        pytest.skip("needs the files of the data sets (KAN_TABULAR_DATA, or ../shared/data beside the project)")
    return folder


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No test reads or writes the user's own folders, or asks a proxy."""
    for name in (
        "KAN_TABULAR_DATA",
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "default"))


@pytest.fixture
def card_file(tmp_path):
    """A function that writes a card for `CSV` and gives its path; `more` is TOML put at the end of the top level."""

    def write(url="https://127.0.0.1:1/nothing.csv", content=CSV, more="", file="", name="tiny", tables=""):
        path = tmp_path / f"{name}.toml"
        path.write_text(
            f'''schema = 1
title = "Doses in two wards"
domain = "clinical"
rows = 4
features = 2
citation = "Nobody 2020"
bibtex = "@misc{{nobody2020, author = {{Nobody}}}}"
missing = ["?", "-9"]
{more}
columns = [
  {{ name = "row", role = "id" }},
  {{ name = "dose", unit = "mg", meaning = "of the drug" }},
  {{ name = "ward", kind = "category" }},
  {{ name = "state", kind = "category", role = "target" }},
]

[licence]
repository = "CC0"

[[files]]
name = "{name}.csv"
url = "{url}"
sha256 = "{hashlib.sha256(content).hexdigest()}"
bytes = {len(content)}
{file}

[[targets]]
name = "state"
column = "state"
task = "binary"
classes = [{{ name = "well", values = ["well"] }}, {{ name = "ill", values = ["ill"] }}]
{tables}
''',
            encoding="utf-8",
        )
        return path

    return write


@pytest.fixture
def server():
    with serving() as running:
        yield running
