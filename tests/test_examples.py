"""The examples run; those of public tables where these are at hand, and say what to do where they are not."""

import os
import runpy
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from kan_tabular.datasets import files
from kan_tabular.exceptions import DatasetError

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
TABLES = Path(os.environ.get("KAN_TABULAR_DATA") or ROOT.parent / "shared" / "data")
NEEDS = "needs the files of the data sets (KAN_TABULAR_DATA, or ../shared/data beside the project)"
#: Examples that fetch public tables, and those tables.
FETCH = {
    "plot_alloy_strength.py": ["hea_process_strength"],
    "plot_bulk_modulus_formula.py": ["hea_bulk_modulus", "hea_vs_nonhea"],
    "plot_carbide_formula.py": ["hecc_carbide"],
    "plot_clinical_paper.py": ["obesity"],
    "plot_heart_circuit.py": ["heart_failure"],
}
#: Of these, those that say so and go on where the table cannot be had.
GO_ON = {"plot_clinical_paper.py"}
#: What an example prints if it says what its text says.
SAYS = {
    "plot_additive_model.py": "AUC on 143 masses: 0.99",
    "plot_alloy_strength.py": "of 147 rows of 46 new compositions inside: 9",
    "plot_bulk_modulus_formula.py": "B 224 GPa, as the formula has it: 96.5% of the rows",
    "plot_calibration_and_decisions.py": "AUC, body mass index: 0.8",
    "plot_carbide_formula.py": "delta V_mix 20, sigma_VEC 20, delta S_mix 5",
    "plot_clinical_paper.py": "equal to four decimals: paper's logistic regression, paper's forest",
    "plot_critical_assessment.py": "products of columns  default KAN",
    "plot_diabetes.py": "log triglycerides",
    "plot_formula.py": "-- response:",
    "plot_heart_circuit.py": "empty sets: 0",
    "plot_network_and_interactions.py": "       x0        x1",
    "plot_one_patient.py": "out_of_distribution",
}
FIGURES = {
    "plot_alloy_strength.py": 4,
    "plot_bulk_modulus_formula.py": 1,
    "plot_critical_assessment.py": 2,
    "plot_diabetes.py": 2,
    "plot_formula.py": 2,
}
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("plot_*.py"))


@pytest.fixture
def example_data(monkeypatch):
    """The module by which the site decides what to run."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import example_data

    return example_data


@pytest.mark.parametrize("script", [pytest.param(s, marks=[pytest.mark.slow] if s in FETCH else []) for s in SCRIPTS])
def test_examples_run(script, tmp_path, monkeypatch, capsys, example_data):
    if script in FETCH:
        monkeypatch.setenv("KAN_TABULAR_DATA", str(TABLES))
        if example_data.lacking(FETCH[script]):
            pytest.skip(NEEDS)
    plt.close("all")
    plt.switch_backend("agg")
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.extend(plt.get_fignums()))
    monkeypatch.setattr(sys, "argv", [script])
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / script), run_name="__main__")
    assert len(shown) == FIGURES.get(script, 3) and list(tmp_path.iterdir()) == []
    assert all(ax.has_data() for k in shown for ax in plt.figure(k).axes if ax.axison)
    assert SAYS[script] in capsys.readouterr().out
    plt.close("all")


@pytest.mark.parametrize("script", sorted(set(FETCH) - GO_ON))
def test_without_table_and_network_the_fetcher_speaks(script, tmp_path, monkeypatch):
    def no_network(url, most):
        raise ConnectionError("no network")

    monkeypatch.delenv("KAN_TABULAR_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    monkeypatch.setattr(files, "_get", no_network)
    monkeypatch.setattr(files.time, "sleep", lambda seconds: None)
    with pytest.raises(DatasetError, match=r"could not be downloaded.*no network. By hand: save https://.* as "):
        runpy.run_path(str(EXAMPLES / script), run_name="__main__")


def test_the_site_knows_which_tables_an_example_needs(example_data):
    assert {s: example_data.fetched(EXAMPLES / s) for s in SCRIPTS} == {s: FETCH.get(s, []) for s in SCRIPTS}


def test_the_site_runs_no_example_without_its_tables(tmp_path, monkeypatch, example_data):
    monkeypatch.setenv("KAN_TABULAR_DATA", str(tmp_path))
    assert example_data.runnable() == [Path(script).stem for script in SCRIPTS if script not in FETCH]


def test_the_site_runs_an_example_once_its_tables_are_there(tmp_path, monkeypatch, example_data):
    found = list(TABLES.glob("hecc_carbide*"))
    if not found:
        pytest.skip(NEEDS)
    for file in found:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setenv("KAN_TABULAR_DATA", str(tmp_path))
    fetching = {Path(script).stem for script in FETCH} - {"plot_carbide_formula"}
    assert example_data.runnable() == [Path(s).stem for s in SCRIPTS if Path(s).stem not in fetching]
