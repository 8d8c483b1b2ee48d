"""The comparison of network settings: its arithmetic on made-up numbers, and that alternatives reach the fit."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "benchmarks"


@pytest.fixture(scope="module")
def settings():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            patch.setenv(name, "1")  # the script sets them on import; put them back after the module
        patch.syspath_prepend(str(FOLDER))
        spec = importlib.util.spec_from_file_location("network_settings", FOLDER / "network_settings.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    for name in ("_common", "_development_tasks", "_network_settings_page"):
        sys.modules.pop(name, None)


def record(settings, alternative, task, loss, seconds=1.0):
    weights = {"additive": 0.25, "additive start": 0.25, "plain start": 0.5}
    values = {"alternative": alternative, "task": task, "loss": loss, "seconds": [seconds] * len(loss)}
    about = {"fingerprint": settings.fingerprint(alternative), "date": "2000-01-01", "environment": "a machine"}
    return {**values, "weights": weights, **about}


def rows(text):
    """Cells of the rows of all tables, by their first cell."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    out = {}
    for first, *cells in lines:
        out.setdefault(first, []).append(cells)
    return out


@pytest.fixture
def records(settings):
    return [
        record(settings, "default", "fr1", [1.0, 3.0], 2.0),
        record(settings, "default", "wine", [0.1, 0.1]),
        record(settings, "default", "wine_50", [0.1, 0.1]),
        record(settings, "default", "diab", [5.0, 5.0]),
        record(settings, "wide", "fr1", [2.0, 4.0], 4.0),  # log 1.5
        record(settings, "wide", "wine", [0.1, 0.1], 2.0),  # 0
        record(settings, "wide", "wine_50", [0.05, 0.05], 2.0),  # -log 2
    ]


def test_alternatives_are_compared_with_the_default_on_the_tasks_that_both_have(settings, records):
    found = rows(settings.page(records, settings.ALTERNATIVES))
    overall, by_kind = found["wide"]
    mean = (np.log(1.5) - np.log(2)) / 3
    assert overall[:2] == ["3", f"{mean:+.4f}"]
    assert overall[3:] == ["+0.0000", "1", "1", "2.00"]  # median, better, worse (a tie is neither), fit time
    low, high = map(float, overall[2].split(" to "))
    assert low == pytest.approx(-np.log(2), abs=1e-4) and high == pytest.approx(np.log(1.5), abs=1e-4)
    log_15, log_2 = np.log(1.5), np.log(2)
    assert by_kind == [f"{v:+.4f}" for v in (log_15 / 2, -log_2, mean, log_15 / 2)]


def test_losses_are_means_over_folds_with_the_lowest_in_bold(settings, records):
    found = rows(settings.page(records, settings.ALTERNATIVES))
    assert found["fr1"] == [["**2.0000**", "3.0000"]]
    assert found["wine"] == [["**0.1000**", "**0.1000**"]]
    assert found["diab"] == [["**5.0000**", "-"]]


def test_the_page_says_what_is_missing(settings, records):
    text = settings.page(records, settings.ALTERNATIVES)
    assert "wide: `hidden_layer_sizes=(48, 16)` (on 3 of 22 tasks)" in text
    assert "(not measured yet)" in text and "has **not been measured**" in text
    text = settings.page([*records, record(settings, "another seed", "fr1", [1.0])], settings.ALTERNATIVES)
    assert "changes nothing but chance" in text and "has **not been measured**" not in text


def test_only_the_folds_that_both_have_are_compared(settings):
    records = [
        record(settings, "default", "fr1", [1.0]),
        record(settings, "wide", "fr1", [2.0, 100.0]),
    ]
    assert rows(settings.page(records, settings.ALTERNATIVES))["wide"][0][1] == f"{np.log(2):+.4f}"


def test_additive_starts_are_compared_with_plain_ones(settings, records):
    more = [
        record(settings, "only additive start", "fr1", [1.0, 1.0]),
        record(settings, "no additive start", "fr1", [2.0, 2.0]),
    ]
    assert "Not measured yet" in settings.page(records, settings.ALTERNATIVES)
    text = " ".join(settings.page(records + more, settings.ALTERNATIVES).split())
    assert (
        f"relative loss of **{-np.log(2):+.4f}**" in text
        and "better on 1, worse on 0, and the interval excludes 0" in text
    )
    assert "mean weight of 0.25" in text


def test_the_page_of_an_empty_cache_says_so(settings):
    assert settings.page([], settings.ALTERNATIVES).count("(not measured yet)") == len(settings.ALTERNATIVES)


def test_results_of_other_settings_are_not_used(settings, records, monkeypatch):
    assert len(settings.current(records)) == len(records)
    monkeypatch.setattr("kan_tabular.estimators._network._STEPS", 123)
    assert not settings.current(records)
    monkeypatch.undo()
    assert len({settings.fingerprint(a) for a in settings.ALTERNATIVES}) == len(settings.ALTERNATIVES)


def test_an_alternative_changes_the_fit_and_only_while_it_runs(settings, tmp_path, monkeypatch):
    from kan_tabular.estimators import _network

    seen = []

    def fit_fold(task, train, test, arguments):
        seen.append((_network._STEPS, arguments, len(train)))
        return {"loss": 1.0, "seconds": 1.0, "weight": {"additive": 0.0}}

    monkeypatch.setattr(settings, "fit_fold", fit_fold)
    monkeypatch.setattr(settings, "RESULTS", tmp_path / "results" / "settings.jsonl")
    before = _network._STEPS
    settings.main(["run", "--alternatives", "steps 400,wide", "--tasks", "diab", "--folds", "1"])
    assert [s for s in seen if s[2] > 300] == [
        (400, {"random_state": 0}, 353),
        (before, {"random_state": 0, "hidden_layer_sizes": (48, 16)}, 353),
    ]
    assert before == _network._STEPS
    n = len(seen)
    settings.main(["run", "--alternatives", "steps 400,wide", "--tasks", "diab", "--folds", "1"])
    assert len(seen) == n + 1  # nothing but the fit that loads the libraries


@pytest.mark.parametrize("name", ["fr1_60", "wine_50"])
def test_a_fold_has_the_loss_of_a_fit_on_its_training_rows(settings, name):
    task = settings.development.load(name)
    train, test = settings.splits(task)[0]
    arguments = {"random_state": 0, "max_iter": 3, "n_estimators": 2}
    found = settings.fit_fold(task, train, test, arguments)
    if task.kind == "regression":
        model = settings.KANRegressor(**arguments).fit(task.X.iloc[train], task.y[train])
        expected = np.mean((model.predict(task.X.iloc[test]) - task.y[test]) ** 2) ** 0.5
    else:
        model = settings.LogisticKAN(**arguments).fit(task.X.iloc[train], task.y[train])
        p = model.predict_proba(task.X.iloc[test])
        expected = -np.mean(np.log(np.maximum(p[np.arange(len(test)), task.y[test]], 1e-6)))
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    assert sum(found["weight"].values()) == pytest.approx(sum(c["weight"] for c in model.candidates_))


def test_splits_keep_groups_together(settings):
    y, groups = np.arange(40.0), np.repeat(np.arange(10), 4)
    task = settings.development.Task("made", "regression", None, y, groups)
    parts = settings.splits(task)
    assert len(parts) == 5 and sorted(np.concatenate([test for _, test in parts])) == list(range(40))
    assert all(not set(groups[train]) & set(groups[test]) for train, test in parts)
