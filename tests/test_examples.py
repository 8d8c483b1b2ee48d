"""The examples run; those that need tables of their own say so where these are absent."""

import os
import runpy
import shutil
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
#: Where examples find downloaded tables; without them, they say so and go on. Nothing is downloaded here.
TABLES = Path(os.environ.get("KAN_TABULAR_DATA") or EXAMPLES.parents[1] / "shared" / "data")
#: Scripts that read a table beside the project, and how its name starts.
NEED_A_TABLE = {
    "plot_bulk_modulus_formula.py": "hea_bulk_modulus_1149",
    "plot_carbide_formula.py": "hecc_carbide_features_53.csv",
}
#: What an example prints if it says what its text says.
SAYS = {
    "plot_additive_model.py": "AUC on 143 masses: 0.99",
    "plot_calibration_and_decisions.py": "AUC, body mass index: 0.8",
    "plot_clinical_paper.py": "equal to four decimals: paper's logistic regression, paper's forest",
    "plot_diabetes.py": "log triglycerides",
    "plot_formula.py": "-- response:",
    "plot_network_and_interactions.py": "       x0        x1",
    "plot_one_patient.py": "out_of_distribution",
}
FIGURES = {"plot_clinical_paper.py": 2 + TABLES.is_dir(), "plot_diabetes.py": 2, "plot_formula.py": 2}


@pytest.mark.parametrize("script", sorted({path.name for path in EXAMPLES.glob("plot_*.py")} - set(NEED_A_TABLE)))
def test_examples_run(script, tmp_path, monkeypatch, capsys):
    plt.close("all")
    plt.switch_backend("agg")
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.extend(plt.get_fignums()))
    monkeypatch.setattr(sys, "argv", [script])
    monkeypatch.setenv("KAN_TABULAR_DATA", str(TABLES if TABLES.is_dir() else EXAMPLES))
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / script), run_name="__main__")
    assert len(shown) == FIGURES.get(script, 3) and list(tmp_path.iterdir()) == []
    assert all(ax.has_data() for k in shown for ax in plt.figure(k).axes if ax.axison)
    assert SAYS[script] in capsys.readouterr().out
    plt.close("all")


@pytest.mark.parametrize(("script", "file"), NEED_A_TABLE.items())
def test_absent_tables_are_named(script, file, tmp_path):
    copy = tmp_path / "project" / "examples" / script
    copy.parent.mkdir(parents=True)
    shutil.copy(EXAMPLES / script, copy)
    with pytest.raises(SystemExit, match=f"needs {file}.*shared/data beside the project"):
        runpy.run_path(str(copy), run_name="__main__")
