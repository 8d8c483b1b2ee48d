"""The examples that need tables of their own say so where these are absent."""

import shutil
from pathlib import Path
from runpy import run_path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.mark.parametrize(
    ("script", "file"),
    [
        ("plot_carbide_formula.py", "hecc_carbide_features_53.csv"),
        ("plot_bulk_modulus_formula.py", "hea_bulk_modulus_1149"),
    ],
)
def test_absent_tables_are_named(script, file, tmp_path):
    copy = tmp_path / "project" / "examples" / script
    copy.parent.mkdir(parents=True)
    shutil.copy(EXAMPLES / script, copy)
    with pytest.raises(SystemExit, match=f"needs {file}.*shared/data beside the project"):
        run_path(str(copy), run_name="__main__")
