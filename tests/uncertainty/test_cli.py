"""The command with calibrated models."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split
from typer.testing import CliRunner

from kan_tabular import load
from kan_tabular.cli import app


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(autouse=True)
def in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def written(table, target, *options):
    """A calibrated model of most rows, and its predictions of the rest at two levels."""
    X, y = table
    rows = X.assign(**{target: y})
    known, new = train_test_split(rows, test_size=0.3, random_state=0)
    known.to_csv("known.csv", index=False)
    new.to_csv("new.csv", index=False)
    fit = run("fit", "known.csv", "--target", target, "--conformal", "0.4", *options)
    assert fit.exit_code == 0, fit.output
    predict = run("predict", "model.kan", "new.csv", "--confidence", "0.9", "--confidence", "0.8")
    assert predict.exit_code == 0, predict.output
    return fit, new, pd.read_csv("predictions.csv", keep_default_na=False)


def test_sets_are_those_of_the_calibrated_model(four_classes):
    fit, new, table = written(four_classes, "kind")
    model = load("model.kan")
    assert f"calibrated on {len(model.calibration_.scores)} of the rows" in fit.stdout
    assert list(table)[-3:] == ["set_0.8", "set_0.9", "outside_training"]
    sets = model.set_params(confidence_level=0.9).predict_set(new.drop(columns="kind"))
    assert [set(cell.split("; ")) for cell in table["set_0.9"]] == [set(model.classes_[own]) for own in sets]
    hit = [truth in cell.split("; ") for truth, cell in zip(new["kind"], table["set_0.9"], strict=True)]
    assert np.mean(hit) > 0.8


def test_intervals_are_those_of_the_calibrated_model(line):
    _, new, table = written(line, "strength")
    model = load("model.kan").set_params(confidence_level=0.8)
    interval = model.predict_interval(new.drop(columns="strength"))
    np.testing.assert_allclose(table[["lower_0.8", "upper_0.8"]].astype(float), interval, rtol=1e-12)
    assert (table["lower_0.9"].astype(float) < table["lower_0.8"].astype(float)).all()


def test_calibrated_models_explain_and_write_formulas_as_others_do(line):
    written(line, "strength")
    explained = run("explain", "model.kan", "new.csv", "--row", 0)
    assert explained.exit_code == 0 and "contributions" in explained.stdout
    formula = run("formula", "model.kan", "--language", "python", "--fidelity", 0.5)
    assert formula.exit_code == 0 and "def " in formula.stdout, formula.output


def test_levels_without_a_basis_are_refused_in_one_line(line):
    X, y = line
    X.assign(strength=y).to_csv("known.csv", index=False)
    assert run("fit", "known.csv", "--target", "strength").exit_code == 0
    for command, words in [
        (("predict", "model.kan", "known.csv", "--confidence", 0.9), "was not calibrated"),
        (("fit", "known.csv", "--target", "strength", "--conformal", 1.2), "--conformal 1.2: give a share"),
        (("fit", "known.csv", "--target", "strength", "--conformal", 0.01), "needs at least 9 calibration rows"),
    ]:
        result = run(*command)
        assert result.exit_code == 2 and words in result.stderr and result.stderr.count("\n") == 1
    assert run("fit", "known.csv", "--target", "strength", "--conformal", 0.25).exit_code == 0
    for level, words in ((1.5, "between 0 and 1"), (0.999, "needs at least 999")):
        result = run("predict", "model.kan", "known.csv", "--confidence", level)
        assert result.exit_code == 2 and words in result.stderr
