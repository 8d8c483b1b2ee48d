"""`kan-tabular report`: what it writes, and how it refuses."""

import pandas as pd
import pytest
from test_cli import run

from kan_tabular import KAAMClassifier


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame({"age": range(120), "site": ["north", "south", "east"] * 40})
    table["died"] = ["yes" if (7 * i) % 120 < i else "no" for i in range(120)]
    table.to_csv("patients.csv", index=False)
    KAAMClassifier().fit(table.drop(columns="died"), table["died"]).save("m.kan")


def test_a_report_of_a_file(files, tmp_path):
    options = ["--target", "died", "--title", "Ward <7>", "--unit", "age=years", "--label", "site=Hospital"]
    result = run("report", "m.kan", "patients.csv", *options, "--patient", 3, "--n-training", 120)
    assert result.exit_code == 0, result.output
    assert result.stdout == "report on 120 rows written to report.html\n" and result.stderr == ""
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for text in ("<h1>Ward &lt;7&gt;</h1>", "age (years)", ">Hospital<", ">Row 3<", "died = yes"):
        assert text in page


def test_a_calibrated_model_shows_its_sets(files, tmp_path):
    assert run("fit", "patients.csv", "--target", "died", "--out", "c.kan", "--conformal", 0.3).exit_code == 0
    result = run("report", "c.kan", "patients.csv", "--target", "died")
    assert result.exit_code == 0, result.output
    assert '"conformal":{"confidence_level":0.9,"kind":"lac"' in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target", "dead"], "no column 'dead'"),
        (["--target", "age"], "not a class of the model"),
        (["--target", "died", "--unit", "age"], "COLUMN=TEXT"),
        (["--target", "died", "--unit", "size=cm"], "not a column of X_test"),
        (["--target", "died", "--patient", "500"], "from 0 to 119"),
        (["--target", "died", "--out", "."], "it is a folder"),
        (["--target", "died", "--out", "no/report.html"], "does not exist"),
    ],
)
def test_refusals_are_one_line(files, arguments, words, tmp_path):
    result = run("report", "m.kan", "patients.csv", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1 and words in result.stderr
    assert not (tmp_path / "report.html").exists()
