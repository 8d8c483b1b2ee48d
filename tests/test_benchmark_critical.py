"""The critical assessment: what is counted and chosen, by hand, and that models have the sizes asked for."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "benchmarks"
OWN = ("_common", "_critical_models", "_critical_page", "_development_tasks", "_peers")


@pytest.fixture(scope="module")
def critical():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            patch.setenv(name, "1")  # the script sets them on import; put them back after the module
        patch.syspath_prepend(str(FOLDER))
        spec = importlib.util.spec_from_file_location("critical_assessment", FOLDER / "critical_assessment.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    for name in OWN:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def page(critical):
    return sys.modules["_critical_page"]


@pytest.fixture(scope="module")
def wine(critical):
    """Three classes, 13 columns, 118 rows to learn from."""
    X, y = load_wine(return_X_y=True, as_frame=True)
    task = critical.Task("wine", "multiclass", X, y.to_numpy())
    return critical.models.part(task, np.setdiff1d(np.arange(178), np.arange(0, 178, 3)))


def tried(asked=None, held_out=1.0, seconds=0.0, refit_s=0.0, loss=1.0, size=10):
    numbers = {"held_out": held_out, "seconds": seconds, "refit_s": refit_s, "loss": loss, "size": size}
    return {"asked": asked, "setting": "", "score": 0.0, **numbers}


# ------------------------------------------------------------------------------------------------------- what is chosen


def test_rows_held_out_choose_among_the_candidates_of_a_size(page):
    record = {"tried": [tried(300, 0.2, loss=5), tried(1000, 0.1, loss=6), tried(300, 0.15, loss=9)]}
    assert page.at_size(record, 300)["loss"] == 9 and page.at_size(record, 1000)["loss"] == 6
    assert page.at_size(record, 3000) is None


def test_time_pays_for_the_search_and_the_last_fit(page):
    """Fits of 1, 2 and 4 s; the second is best, and its refit takes 3 s: alone 3 s, then 1 + 2 + 3, then + 4."""
    record = {
        "tried": [
            tried(held_out=0.5, seconds=1, refit_s=3, loss=1),
            tried(held_out=0.2, seconds=2, refit_s=3, loss=2),
            tried(held_out=0.1, seconds=4, refit_s=5, loss=3),
        ]
    }
    chosen = {seconds: page.in_time(record, seconds) for seconds in (2.9, 3, 5.9, 6, 11.9, 12)}
    assert chosen[2.9] is None
    assert [chosen[s]["loss"] for s in (3, 5.9, 6, 11.9, 12)] == [1, 1, 2, 2, 3]


def test_a_network_is_kept_as_it_is(page):
    record = {"tried": [tried(held_out=0.5, seconds=1, loss=1), tried(held_out=0.9, seconds=2, loss=2)]}
    assert page.in_time(record, 0.9) is None
    assert page.in_time(record, 1)["loss"] == 1 and page.in_time(record, 9)["loss"] == 1


# ------------------------------------------------------------------------------------------------------------- the page


@pytest.fixture
def records(page):
    """Two tables of five folds: the KAN has half the MLP's loss on one and is 1% worse, by the same in every fold, on
    the other."""
    level = {"first": np.array([1.0, 2, 3, 4, 10]), "second": np.full(5, 3.0)}
    out = []
    for name, losses in level.items():
        for fold, loss in enumerate(losses):
            for model in page.LABELS:
                factor = {"kan": 0.5 if name == "first" else 1.01, "forest": 2.0, "kaam": 4.0}.get(model, 1.0)
                sizes = page.SIZES if model in page.SIZED else [None]
                about = {"table": name, "kind": "regression", "rows": 100, "columns": 3, "repeat": 0, "fold": fold}
                about |= {"model": model, "commit": "abc", "date": "2000-01-01", "environment": "a machine"}
                found = [tried(size, loss=factor * loss, seconds=0.05) for size in sizes]
                out.append({**about, "tried": found})
    return out


def test_losses_are_compared_over_tables_and_over_folds(page, records):
    results = page.Results(records, ["first", "second", "third"])
    found = results.compare(page.of_size("kan", 300), page.of_size("mlp", 300))
    assert found["mean"] == pytest.approx((np.log(0.5) + np.log(1.01)) / 2)
    assert (found["low"], found["high"]) == pytest.approx((np.log(0.5), np.log(1.01)), abs=1e-3)
    assert (found["n"], found["better"], found["same"], found["worse"]) == (2, 0, 1, 1) and found["lost"] == ["second"]
    assert page.verdict(found) == "not told apart" and found["median"] == pytest.approx(found["mean"])
    two = page.Results([r for r in records if r["fold"] < 2], ["first", "second"])
    found = two.compare(page.of_size("kan", 300), page.of_size("mlp", 300))
    assert (found["n"], found["better"], found["same"], found["worse"]) == (2, 0, 0, 0)  # too few to tell on a table
    assert page.comparison_row(["a"], found)[-1] == "too few folds"
    assert page.verdict(results.compare(page.of_size("kan", 300), page.of_size("kaam", 300))) == "better"


def test_folds_that_a_model_lacks_are_left_out(page, records):
    less = [r for r in records if not (r["table"] == "first" and r["fold"] == 4 and r["model"] == "forest")]
    assert page.Results(less, ["first"]).losses(*page.of_size("mlp", 300)) == {"first": 2.5}
    assert page.Results(records, ["first"]).losses(*page.of_size("mlp", 300)) == {"first": 4.0}


def test_a_table_without_a_network_so_small_is_not_compared(page, records):
    for r in records:
        if r["table"] == "first" and r["model"] == "kan" and r["fold"] == 2:
            r["tried"] = [c for c in r["tried"] if c["asked"] != 300]
    results = page.Results(records, ["first", "second"])
    assert results.losses(*page.of_size("kan", 300)).keys() == {"second"}
    assert results.compare(page.of_size("kan", 300), page.of_size("mlp", 300)) is None


def test_the_page_says_it_in_words_and_numbers(page, records):
    text = page.page(records, ["first", "second", "third"])
    geometric = 100 * (np.sqrt(0.5 * 1.01) - 1)
    assert f"beside an MLP of the same size**: not told apart with 300 numbers (loss {geometric:+.1f}%)" in text
    assert "| 1,000 | KAN - random forest | 2 | -64.5% (-75.0% to -49.5%) | -64.5% | better | 1 / 1 / 0 |" in text
    assert "KAN, one bare network loses**, by the interval of its folds: second (to MLP, one network" in text
    assert "Not there when this was run: third." in text and "at commit abc" in text
    assert "| first | 100 x 3 | regression | **2** | 4 | 8 | 4 | 4 | 4 | 16 | 4 |" in text
    assert "Not run yet" in page.page([], ["first"])
    assert "no verdict, with fewer than 3 folds" in page.page(
        [r for r in records if r["fold"] < 2], ["first", "second"]
    )


# ----------------------------------------------------------------------------------------------------------- the models


def test_sizes_are_those_of_the_arrays(critical, wine):
    """Counted from the parts that a fitted network shows, and from widths by hand."""
    models = critical.models
    fit = models.single_mlp(wine, 300, models.MLP_SETTINGS[0], 2)
    width = (300 - 3) // (13 + 1 + 3)
    assert fit.size == width * (13 + 1) + (width + 1) * 3 <= 300
    for settings in models.KAN_SETTINGS:
        for size in (300, 1000):
            fit = models.single_kan(wine, size, settings, 1)
            network = models.kan(wine, settings, 1, models.kan_width(wine, size, settings, {})).network_
            columns, hidden = sum(c.n_columns for c in network.inputs), network.bias.shape[1]
            functions, outputs = network.layers[0].coefficients.shape[1], len(network.intercept)
            by_hand = hidden * (columns + 1 + functions * outputs) + 2 * outputs
            assert fit.size == by_hand <= size < by_hand + columns + 1 + functions * outputs
    assert models.single_kan(wine, 60, models.KAN_SETTINGS[0], 1) is None


def test_trees_are_counted_by_splits_and_leaves(critical, wine):
    models = critical.models
    assert models.tree_size(1, 3) == 3 and models.tree_size(8, 1) == 7 * 2 + 8
    for size in (300, 3000):
        assert 0.5 * size < models.forest(wine, size, 8).size <= 1.15 * size
        assert models.boosting(wine, size, (4, 0.05)).size <= size
    fit = models.boosting(wine, 300, (4, 0.05))
    assert 270 <= fit.size <= 10 * 3 * models.tree_size(4, 1) == 300 and fit.seconds > 0 and fit.refit_s > 0


def test_the_mlp_keeps_its_best_epoch(critical, wine):
    """More epochs cannot make the held-out loss worse, and what is kept has the loss that it says."""
    models = critical.models
    kept, aside = models.splits(wine, 8, 0)[0]
    losses = []
    for epochs in (3, 40):
        model = models.HeldOutMLP(8, 0.05, 1e-3).fit(wine, kept, aside, epochs)
        p = model.predict(wine.X.iloc[aside])
        losses.append(model.held_out_)
        assert -np.log(p[np.arange(len(aside)), wine.y[aside]]).mean() == pytest.approx(losses[-1])
    assert losses[1] < losses[0]


def test_the_mlp_stops_without_a_better_epoch(critical, wine, monkeypatch):
    """With a rate at which it only gets worse, after as many epochs as its patience has."""
    models = critical.models
    monkeypatch.setattr(models, "PATIENCE", 4)
    kept, aside = models.splits(wine, 8, 0)[0]
    assert models.HeldOutMLP(8, 10.0, 1e-3).fit(wine, kept, aside, 100).n_epochs_ < 100


def test_no_model_pays_without_end_for_one_row(critical):
    task = critical.Task("made", "binary", pd.DataFrame(index=range(4)), np.array([0, 1, 1, 1]))
    said = np.array([[0.0, 1.0]] * 4)
    found = critical.scores(task, np.arange(4), said, 99)
    assert found["loss"] == pytest.approx(-(np.log(0.005) + 3 * np.log(0.995)) / 4) and found["score"] == 0.75


def test_runs_go_on_where_they_stopped(critical, tmp_path, monkeypatch, capsys):
    calls = []

    def one(task):
        calls.append(len(task.y))
        return critical.models.Fit(1, lambda X: np.full((len(X), 3), 1 / 3), 0.0, 0.5)

    monkeypatch.setattr(critical, "RESULTS", tmp_path / "records.jsonl")
    monkeypatch.setattr(critical.models, "candidates", lambda: {"linear": [(None, "", one)]})
    critical.main(["run", "--tables", "wine"])
    critical.main(["run", "--tables", "wine"])
    assert len(calls) == 5 and min(calls) >= 142
    lines = critical.read_lines(tmp_path / "records.jsonl")
    assert [r["fold"] for r in lines] == [0, 1, 2, 3, 4] and all(r["commit"] and r["date"] for r in lines)
    assert all(r["tried"][0]["loss"] == pytest.approx(np.log(3)) for r in lines)


def test_tables_are_those_of_the_rule(critical):
    found = critical.fetched_names()
    assert "pima_diabetes" in found and "heart_failure" not in found and "breast_cancer_wdbc" not in found
    interaction, digits = critical.load("interaction"), critical.load("digits")
    assert interaction.kind == "binary" and interaction.X.shape == (800, 8)
    assert digits.X.shape == (539, 64) and np.bincount(digits.y).tolist() == [183, 182, 174]
