"""The command: what it prints and writes, and how it refuses."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from typer.testing import CliRunner

import kan_tabular
from kan_tabular.cli import app

MAGIC = b"\x89PNG\r\n\x1a\n"


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def refused(result, *words):
    """Exit code 2 and one readable line on stderr that has all the words."""
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("error: ")
    for word in words:
        assert word in result.stderr
    assert "Traceback" not in result.output
    return result.stderr


@pytest.fixture(autouse=True)
def in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def patients():
    """A table with numbers, text, true/false and missing cells, and a target that depends on them."""
    rng = np.random.default_rng(11)
    n = 240
    frame = pd.DataFrame(
        {
            "age": rng.normal(60, 12, n).round(1),
            "site": rng.choice(["north", "south", "east"], n),
            "smoker": rng.choice(["True", "False"], n),
            "crp": rng.lognormal(size=n).round(3),
        }
    )
    risk = (frame["age"] - 60) / 12 + (frame["site"] == "north") * 1.5 + (frame["smoker"] == "True")
    frame["died"] = np.where(risk + rng.logistic(size=n) > 1, "yes", "no")
    frame.loc[::19, "crp"] = np.nan
    frame.loc[::23, "smoker"] = np.nan
    return frame


@pytest.fixture
def fitted(patients, tmp_path):
    """Folder with patients.csv and the model fitted to it."""
    patients.to_csv("patients.csv", index=False)
    result = run("fit", "patients.csv", "--target", "died", "--out", "m.kan")
    assert result.exit_code == 0, result.output
    return result


# ---- fit ----


def test_fit_tells_what_it_read_and_how_good_the_model_is(fitted):
    lines = [line.split() for line in fitted.stdout.splitlines()]
    assert ["age", "number"] in lines
    assert ["site", "category,", "3", "levels"] in lines
    assert ["smoker", "number", "11"] in lines
    assert ["crp", "number", "13"] in lines
    assert "240 rows, 4 columns" in fitted.stdout
    assert "task: classification (the target is text with 2 different values)" in fitted.stdout
    assert "held out (5-fold cross-validation): AUC 0." in fitted.stdout
    assert "model written to m.kan" in fitted.stdout


def test_fitted_model_is_the_one_python_fits(fitted, patients):
    X = patients.drop(columns="died")
    X["smoker"] = X["smoker"].map({"True": 1.0, "False": 0.0})
    expected = kan_tabular.KAAMClassifier().fit(X, patients["died"]).predict_proba(X)
    np.testing.assert_allclose(kan_tabular.load("m.kan").predict_proba(X), expected, atol=1e-10)


@pytest.mark.parametrize(
    ("target", "task"),
    [
        (np.arange(60) % 2, "classification"),
        (np.arange(60) % 10, "classification"),
        (np.arange(60) % 11, "regression"),
        (np.arange(60) % 3 / 2, "regression"),
        (np.where(np.arange(60) % 2, "a", "b"), "classification"),
        (np.arange(60) % 2 == 0, "classification"),
    ],
    ids=["two", "ten", "eleven", "fractions", "text", "bool"],
)
def test_task_rule(target, task):
    x = np.random.default_rng(0).normal(size=60)
    pd.DataFrame({"x": x, "y": target}).to_csv("d.csv", index=False)
    result = run("fit", "d.csv", "--target", "y")
    assert result.exit_code == 0, result.output
    assert f"task: {task} (" in result.stdout
    wanted = {"classification": kan_tabular.KAAMClassifier, "regression": kan_tabular.KAAMRegressor}[task]
    assert type(kan_tabular.load("model.kan")) is wanted


def test_loss_and_task_options():
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    pd.DataFrame({"x": x, "y": rng.poisson(np.exp(0.3 * x))}).to_csv("d.csv", index=False)
    assert (
        "regression (asked for by --loss poisson)" in run("fit", "d.csv", "--target", "y", "--loss", "poisson").stdout
    )
    assert kan_tabular.load("model.kan").loss == "poisson"
    assert (
        "regression (asked for by --task regression)"
        in run("fit", "d.csv", "--target", "y", "--task", "regression").stdout
    )
    refused(run("fit", "d.csv", "--target", "y", "--loss", "poisson", "--task", "classification"), "--loss poisson")


def test_drop_leaves_columns_out(fitted):
    assert run("fit", "patients.csv", "--target", "died", "--drop", "crp", "--drop", "site").exit_code == 0
    assert list(kan_tabular.load("model.kan").feature_names_in_) == ["age", "smoker"]


def test_concurvity_is_warned_about():
    rng = np.random.default_rng(0)
    radius = rng.uniform(5, 20, 300)
    table = pd.DataFrame({"radius": radius, "perimeter": 6.28 * radius, "other": rng.normal(size=300)})
    table["y"] = radius + rng.normal(size=300)
    table.to_csv("d.csv", index=False)
    stderr = run("fit", "d.csv", "--target", "y").stderr
    assert "warning: concurvity: 2 of 3 columns" in stderr
    assert "radius" in stderr and "perimeter" in stderr


def test_few_rows_get_a_training_score_that_says_so():
    pd.DataFrame({"x": range(8), "y": list("aabbabba")}).to_csv("d.csv", index=False)
    result = run("fit", "d.csv", "--target", "y")
    assert "on the training rows (too few rows of one class for held-out scores): AUC" in result.stdout


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_and_a_byte_order_mark(patients, separator):
    patients.to_csv("d.csv", index=False, sep=separator, encoding="utf-8-sig")
    assert "240 rows, 4 columns" in run("fit", "d.csv", "--target", "died").stdout


def _write(content):
    with open("bad.csv", "wb") as file:
        file.write(content)
    return "bad.csv"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["bad.csv is empty"]),
        (b"\n\n", ["bad.csv is empty"]),
        (b"x,y\n", ["has a header but no rows"]),
        (b"\x89PNG\x00\x01", ["binary"]),
        ("x,y\nä,1\n".encode("latin-1"), ["UTF-8"]),
        (b"x,y\n1,2\n1,2,3\n", ["cannot be read as CSV"]),
        (b"x,y\n1,2,3\n1,2,3\n", ["cannot be read as CSV"]),
        (b'x,y\n1,"2\n', ["cannot be read as CSV"]),
        (b"x,x,y\n1,2,3\n", ["two columns named 'x'"]),
        (b",x,y\n0,1,2\n1,2,3\n", ["no name", "--drop 'Unnamed: 0'"]),
        (b"x,z\n1,2\n", ["no column 'y'", "'x', 'z'"]),
        (b"y\n1\n2\n", ["no column besides the target"]),
        (b"x,y\n1,0\n2,\n3,1\n", ["missing in 1 of 3 rows", "row 1"]),
        (b"x,y\n1,0.5\n2,inf\n3,1\n", ["not finite in row 1", "inf"]),
        (b"x,y\n1,a\n2,a\n3,a\n", ["a in every row"]),
        (b"x,y\n1,a\n", ["a in every row"]),
        (b"x,y\n1,0.5\ninf,0.7\n3,1\n", ["'x'", "inf"]),
    ],
    ids=lambda v: None if isinstance(v, list) else repr(v[:20]),
)
def test_bad_tables_are_refused_in_one_line(content, words):
    refused(run("fit", _write(content), "--target", "y"), *words)
    assert not os.path.exists("model.kan")


def test_bad_paths_and_options_are_refused(fitted):
    refused(run("fit", "none.csv", "--target", "y"), "no file none.csv")
    refused(run("fit", ".", "--target", "y"), "not a file")
    refused(run("fit", "patients.csv", "--target", "died", "--drop", "nope"), "no column 'nope'")
    refused(run("fit", "patients.csv", "--target", "died", "--drop", "died"), "is the target")
    refused(run("fit", "patients.csv", "--target", "died", "--task", "regression"), "numeric target")
    refused(run("fit", "patients.csv", "--target", "died", "--out", "."), "folder")
    refused(run("fit", "patients.csv", "--target", "died", "--out", "no/m.kan"), "does not exist")
    assert run("fit", "patients.csv").exit_code == 2


# ---- predict ----


def test_predictions_are_the_models_own(fitted, patients):
    result = run("predict", "m.kan", "patients.csv")
    assert result.exit_code == 0, result.output
    assert "240 predictions written to predictions.csv" in result.stdout
    written = pd.read_csv("predictions.csv", keep_default_na=False)
    X = patients.drop(columns="died")
    X["smoker"] = X["smoker"].map({"True": 1.0, "False": 0.0})
    model = kan_tabular.load("m.kan")
    assert list(written) == ["row", "prediction", "probability_no", "probability_yes", "outside_training"]
    np.testing.assert_allclose(written[["probability_no", "probability_yes"]], model.predict_proba(X), atol=1e-12)
    assert (written["prediction"] == model.predict(X)).all()
    assert (written["outside_training"] == "").all()


def test_regression_predictions_have_a_standard_error():
    load_diabetes(as_frame=True).frame.to_csv("d.csv", index=False)
    assert run("fit", "d.csv", "--target", "target", "--out", "r.kan").exit_code == 0
    assert run("predict", "r.kan", "d.csv", "--out", "p.csv").exit_code == 0
    written = pd.read_csv("p.csv")
    mean, error = kan_tabular.load("r.kan").predict(load_diabetes(as_frame=True).data, return_std=True)
    np.testing.assert_allclose(written["prediction"], mean)
    np.testing.assert_allclose(written["standard_error"], error)


def test_rows_outside_the_training_data_are_flagged(fitted, patients):
    new = patients.drop(columns="died").head(3).assign(age=[60, 160, 60], site=["north", "north", "mars"])
    new.to_csv("new.csv", index=False)
    result = run("predict", "m.kan", "new.csv")
    written = pd.read_csv("predictions.csv", keep_default_na=False)
    assert written["outside_training"].tolist() == ["", "age", "site"]
    assert "2 of them" in result.stdout
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("warning: ") and "mars" in result.stderr


def test_predict_refuses_what_does_not_fit_the_model(fitted, patients):
    patients.rename(columns={"age": "Age"}).to_csv("new.csv", index=False)
    refused(run("predict", "m.kan", "new.csv"), "column 'age'", "'Age'")
    patients.assign(age="old").to_csv("new.csv", index=False)
    refused(run("predict", "m.kan", "new.csv"), "'age'", "row 0", "'old'")
    patients.head(0).to_csv("new.csv", index=False)
    refused(run("predict", "m.kan", "new.csv"), "no rows")
    refused(run("predict", "patients.csv", "patients.csv"), "not a kan-tabular model file")
    refused(run("predict", "none.kan", "patients.csv"), "no model file")
    refused(run("predict", "m.kan", "patients.csv", "--out", "."), "error")


def test_cells_from_the_input_cannot_become_formulas():
    x = np.random.default_rng(0).normal(size=(60, 2))
    table = pd.DataFrame(x, columns=["=cmd|'/c calc'!A0", "b"])
    table["y"] = np.where(x[:, 0] > 0, "=HYPERLINK(1)", "@SUM(1)")
    table.to_csv("d.csv", index=False)
    assert run("fit", "d.csv", "--target", "y").exit_code == 0
    table.iloc[[0], 0] = 99.0
    table.to_csv("d.csv", index=False)
    assert run("predict", "model.kan", "d.csv").exit_code == 0
    written = pd.read_csv("predictions.csv", keep_default_na=False, dtype=str)
    cells = [*written.columns, *written.to_numpy().ravel()]
    assert set(written["prediction"]) == {"'=HYPERLINK(1)", "'@SUM(1)"}
    assert written["outside_training"][0] == "'=cmd|'/c calc'!A0"
    assert not [c for c in cells if c.startswith(("=", "+", "@", "\t"))]


# ---- explain ----


def _contributions(stdout):
    """The printed table {column: contribution}."""
    table = stdout.split("contributions to the")[1].splitlines()[2:]
    return {line.split()[0]: float(line.split()[-1]) for line in table if line.strip() and "written" not in line}


def test_contributions_add_up_to_the_models_score(fitted, patients):
    result = run("explain", "m.kan", "patients.csv", "--row", 3, "--plot", "why.png")
    assert result.exit_code == 0, result.output
    shown = _contributions(result.stdout)
    assert set(shown) == {"age", "site", "smoker", "crp", "average", "sum"}
    assert sum(v for k, v in shown.items() if k != "sum") == pytest.approx(shown["sum"], abs=5e-3)
    X = patients.drop(columns="died").iloc[[3]]
    X["smoker"] = X["smoker"].map({"True": 1.0, "False": 0.0})
    assert shown["sum"] == pytest.approx(kan_tabular.load("m.kan").decision_function(X)[0], rel=1e-3)
    assert "log-odds of class yes" in result.stdout
    with open("why.png", "rb") as file:
        assert file.read(8) == MAGIC


def test_multiclass_explains_the_predicted_class():
    frame = load_iris(as_frame=True).frame
    frame["target"] = load_iris().target_names[frame["target"]]
    frame.columns = ["sl", "sw", "pl", "pw", "target"]
    frame.to_csv("d.csv", index=False)
    assert run("fit", "d.csv", "--target", "target").exit_code == 0
    result = run("explain", "model.kan", "d.csv", "--row", 120)
    assert "score of class virginica" in result.stdout
    scores = kan_tabular.load("model.kan").decision_function(frame[["sl", "sw", "pl", "pw"]].iloc[[120]])
    assert _contributions(result.stdout)["sum"] == pytest.approx(scores.max(), rel=1e-3)


@pytest.mark.parametrize("row", [-1, 240])
def test_row_out_of_range_is_refused(fitted, row):
    refused(run("explain", "m.kan", "patients.csv", "--row", row), f"--row {row}", "0 to 239")


# ---- formula ----


@pytest.fixture
def doses():
    """doses.csv and the model of it: a logistic curve in log dose, and a group."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"dose": rng.uniform(1, 9, 600).round(3), "group": rng.choice(["a", "b"], 600)})
    eta = 3 * np.log(table["dose"] / 4) + (table["group"] == "b")
    table["answer"] = np.where(rng.random(600) < 1 / (1 + np.exp(-eta)), "yes", "no")
    table.to_csv("doses.csv", index=False)
    model = kan_tabular.KAAMClassifier().fit(table[["dose", "group"]], table["answer"])
    model.save("m.kan")
    return table, model


def test_languages_are_those_there_are():
    from kan_tabular.symbolic.writers import REGISTRY

    shown = "".join(run("formula", "--help").stdout.split())
    for name in REGISTRY:
        assert name in shown
        assert "no model file" in run("formula", "none.kan", "--language", name).stderr


def test_formula_is_that_of_the_model_and_all_there_is_on_stdout(doses):
    table, model = doses
    result = run("formula", "m.kan", "--language", "python")
    assert result.exit_code == 0, result.output
    names = {}
    exec(compile(result.stdout, "stdout", "exec"), names)
    eta, response = names["predict"](table)
    expected = model.to_symbolic()
    np.testing.assert_allclose(eta[:, 0], expected.decision_function(table[["dose", "group"]]), atol=1e-9)
    np.testing.assert_allclose(response[:, 0], expected.predict_proba(table[["dose", "group"]])[:, 1], atol=1e-9)
    assert result.stderr == f"formula: R2 with the model {expected.fidelity_['r2_model']:.4f}\n"


def test_formula_is_fitted_to_rows_and_written_to_a_file(doses):
    table, model = doses
    arguments = ["formula", "m.kan", "--language", "sql", "--data", "doses.csv", "--target", "answer"]
    result = run(*arguments, "--output", "f.sql", "--dialect", "postgres")
    assert result.exit_code == 0, result.output
    formula = model.to_symbolic(table[["dose", "group"]], table["answer"])
    with open("f.sql", encoding="utf-8") as file:
        assert file.read().rstrip() == formula.to_sql("postgres").rstrip()
    figures = formula.fidelity_
    assert f"R2 with the model {figures['r2_model']:.4f}" in result.stdout
    assert f"AUC {figures['auc_formula']:.4g} (model: {figures['auc_model']:.4g})" in result.stdout
    assert "formula written to f.sql" in result.stdout and result.stderr == ""
    imitation = run("formula", "m.kan", "--language", "c", "--data", "doses.csv")
    assert imitation.stdout.rstrip() == model.to_symbolic(table[["dose", "group"]]).to_c().rstrip()


@pytest.mark.parametrize("label", [bool, int, lambda v: f"{v:d}"], ids=["bool", "int", "text of numbers"])
def test_classes_of_a_file_are_those_of_python(doses, label):
    table, _ = doses
    X, y = table[["dose"]], np.array([label(v == "yes") for v in table["answer"]])
    model = kan_tabular.KAAMClassifier().fit(X, y)
    model.save("b.kan")
    X.assign(answer=y).to_csv("b.csv", index=False)
    result = run("formula", "b.kan", "--language", "c", "--data", "b.csv", "--target", "answer")
    assert result.exit_code == 0, result.output
    assert result.stdout.rstrip() == model.to_symbolic(X, y).to_c().rstrip()


def test_saved_formulas_are_written_as_they_are(doses):
    _, model = doses
    formula = model.to_symbolic()
    formula.save("f.kan")
    assert run("formula", "f.kan", "--language", "excel").stdout.rstrip() == formula.to_excel_formula().rstrip()
    refused(run("formula", "f.kan", "--language", "excel", "--data", "doses.csv"), "a formula already", "--data")


def test_formula_refuses_what_cannot_be(doses):
    table, _ = doses
    sql, data = ["formula", "m.kan", "--language", "sql"], ["--data", "doses.csv"]
    refused(run("formula", "m.kan", "--language", "c", "--dialect", "ansi"), "--dialect is for --language sql")
    refused(run(*sql, "--target", "answer"), "--target answer needs --data")
    refused(run(*sql, *data, "--target", "reply"), "no column 'reply'", "'answer'")
    refused(run(*sql, *data, "--target", "group"), "'a'", "does not know")
    refused(run(*sql, "--fidelity", "2"), "fidelity=2", "at most 1")
    refused(run(*sql, "--fidelity", "1"), "below fidelity=1")
    refused(run(*sql, "--max-complexity", "0"), "max_complexity=0")
    refused(run(*sql, "--data", "none.csv"), "no file none.csv")
    refused(run(*sql, "--output", "no/f.sql"), "no/f.sql")
    assert run("formula", "m.kan", "--language", "fortran").exit_code == 2
    table.rename(columns={"dose": "Dose"}).to_csv("doses.csv", index=False)
    refused(run(*sql, *data), "column 'dose'", "'Dose'")


def test_names_cannot_take_over_the_terminal(doses):
    table, _ = doses
    odd = table[["dose"]].rename(columns={"dose": "\x1b[2Jdose"})
    kan_tabular.KAAMClassifier().fit(odd, table["answer"]).save("odd.kan")
    assert "\x1b" not in refused(run("formula", "odd.kan", "--language", "sql"), "--output FILE")
    assert run("formula", "odd.kan", "--language", "sql", "--output", "odd.sql").exit_code == 0
    with open("odd.sql", encoding="utf-8") as file:
        assert "\x1b[2Jdose" in file.read()


# ---- demo and the process ----


def test_demo_writes_what_it_says():
    result = run("demo", "--out", "here/demo")
    assert result.exit_code == 0, result.output
    assert "held out (5-fold cross-validation): AUC 0.99" in result.stdout
    assert "written to here/demo/" in result.stdout
    names = {"shapes.png", "importance.png", "contribution.png", "predictions.csv", "model.kan", "report.html"}
    assert set(os.listdir("here/demo")) == names
    assert all(name in result.stdout for name in names)
    for name in names:
        if name.endswith("png"):
            with open(f"here/demo/{name}", "rb") as file:
                assert file.read(8) == MAGIC
    data = load_breast_cancer(as_frame=True)
    assert kan_tabular.load("here/demo/model.kan").score(data.data, data.target_names[data.target]) > 0.95
    assert len(pd.read_csv("here/demo/predictions.csv")) == len(data.target)


def _process(*arguments):
    # The package under test, whichever is installed.
    environment = os.environ | {"PYTHONPATH": os.path.dirname(os.path.dirname(kan_tabular.__file__))}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment)


def test_a_real_process_refuses_in_one_line_and_exits_2():
    done = _process("-m", "kan_tabular", "fit", "none.csv", "--target", "y")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: there is no file none.csv\n"


def test_a_real_process_fits(patients):
    patients.to_csv("patients.csv", index=False)
    done = _process("-m", "kan_tabular", "fit", "patients.csv", "--target", "died")
    assert done.returncode == 0, done.stderr
    assert os.path.exists("model.kan")


def test_starting_up_is_light():
    heavy = ["numpy", "pandas", "sklearn", "torch", "matplotlib", "sympy", "shap"]
    done = _process("-c", f"import sys, kan_tabular.cli; print([m for m in {heavy} if m in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


def test_help_lists_the_commands():
    result = run("--help")
    assert result.exit_code == 0
    assert all(command in result.stdout for command in ("demo", "fit", "predict", "explain", "formula"))


# ---- networks ----


def test_a_network_is_fitted_used_and_explained(tmp_path, monkeypatch):
    load_diabetes(as_frame=True).frame.head(120).to_csv("d.csv", index=False)
    short = lambda **settings: kan_tabular.estimators.network.KANRegressor(  # noqa: E731
        max_iter=2, n_estimators=2, **settings
    )
    monkeypatch.setattr(kan_tabular, "KANRegressor", short)
    result = run("fit", "d.csv", "--target", "target", "--model", "network", "--out", "n.kan")
    assert result.exit_code == 0, result.output
    assert "held out (5-fold cross-validation): R2" in result.stdout
    assert "importance" in result.stdout and "degrees of freedom" not in result.stdout
    assert type(kan_tabular.load("n.kan")).__name__ == "KANRegressor"

    assert run("predict", "n.kan", "d.csv").exit_code == 0
    predictions = pd.read_csv("predictions.csv")
    assert list(predictions.columns) == ["row", "prediction", "outside_training"] and len(predictions) == 120
    result = run("explain", "n.kan", "d.csv", "--row", "3", "--plot", "why.png")
    assert result.exit_code == 0, result.output
    total = float(result.stdout.split("sum")[1].split()[0])
    assert total == pytest.approx(predictions["prediction"][3], rel=1e-3)
    assert (tmp_path / "why.png").read_bytes().startswith(MAGIC)
