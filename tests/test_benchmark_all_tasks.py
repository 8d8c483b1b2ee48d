"""The arithmetic of the page on all tasks, on numbers worked out by hand or by brute force."""

import importlib
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "benchmarks"


@pytest.fixture(scope="module")
def page():
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield importlib.import_module("_all_tasks_page")
    for name in set(sys.modules) - before:
        if name.startswith("_"):
            sys.modules.pop(name)


def record(task, model, repeat, loss, key="log_loss"):
    folds = {key: loss, {"log_loss": "auc", "rmse": "r2"}[key]: [1 - v for v in loss], "fit_s": [1.0] * len(loss)}
    about = {"date": "2000-01-01", "environment": "a machine", "commit": "abc"}
    return {"task": task, "model": model, "repeat": repeat, "folds": folds, **about}


def test_a_comparison_uses_the_repeats_that_all_have(page):
    records = [record("a", "kan", 0, [1.0, 3.0]), record("a", "kan", 1, [9.0, 9.0]), record("a", "rft", 0, [2.0, 2.0])]
    records += [record("b", "kan", 0, [1.0, 1.0])]
    values, repeats = page.collect(records, ["a", "b"], ["kan", "rft"])
    assert repeats == {"a": 1}
    assert values["a", "kan"]["log_loss"].tolist() == [1.0, 3.0]


def test_dependent_tasks_count_once(page):
    losses = {"heart918": (1.0, 4.0), "cleveland": (4.0, 1.0), "pima": (1.0, np.e)}
    values = {
        (t, m): {"log_loss": np.array([v])} for t, pair in losses.items() for m, v in zip("pq", pair, strict=True)
    }
    log, blocks = page.block_log_losses(values, ["p", "q"])
    assert blocks == [("pima",), ("heart918", "cleveland")]
    np.testing.assert_allclose(log, [[0, 1], [np.log(2), np.log(2)]])


def test_nemenyi_distance_is_that_of_demsars_table(page):
    # Demsar (2006), section 3.2.2: four classifiers, 14 data sets, q = 2.569
    assert page.nemenyi_distance(4, 14) == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=2e-3)


def test_signed_rank_probabilities_follow_the_differences(page):
    assert page.signed_rank_probabilities(np.full(20, -0.5), 0.01)[0] > 0.999
    assert page.signed_rank_probabilities(np.full(20, 0.0), 0.01)[1] > 0.999
    d = np.array([-0.4, -0.1, 0.2, -0.3, 0.05])
    forth, back = page.signed_rank_probabilities(d, 0.01), page.signed_rank_probabilities(-d, 0.01)
    assert forth == back[::-1] and forth[0] > 0.5


def test_signed_rank_probabilities_by_brute_force(page):
    """The same Dirichlet draws, the middle of every ordered pair counted one by one."""
    d, rope, n = [-0.2, 0.05, -0.1], 0.04, 300
    weights = np.random.default_rng(3).dirichlet([0.5, 1, 1, 1], n)
    most = []
    for w in weights:
        mass = [0.0, 0.0, 0.0]
        for (a, x), (b, y) in product(zip(w, [0.0, *d], strict=True), repeat=2):
            middle = (x + y) / 2
            mass[0 if middle < -rope else 2 if middle > rope else 1] += a * b
        most.append(int(np.argmax(mass)))
    expected = [most.count(k) / n for k in range(3)]
    assert page.signed_rank_probabilities(d, rope, n_draws=n, seed=3) == pytest.approx(expected)


class Tiny:
    y = np.zeros(100)


def test_the_page_says_where_the_network_is_behind(page):
    rng = np.random.default_rng(0)
    records = []
    for task, offset in (("pima", 0.3), ("ilpd", -0.3), ("biopsy", -0.1), ("mpea_yield", 0.0)):
        key = "rmse" if task == "mpea_yield" else "log_loss"
        for repeat in range(2):
            base = 1 + 0.01 * rng.random(5)
            records.append(record(task, "kan", repeat, (base + offset).tolist(), key))
            records += [record(task, m, repeat, (base + d).tolist(), key) for m, d in (("kaam", 0.5), ("rft", 0.01))]
    records.append(record("pima", "ebm", 0, [1.0] * 5))
    text = page.page(
        records, dict.fromkeys(("pima", "ilpd", "biopsy", "mpea_yield"), Tiny), ("kaam", "rft", "ebm", "kan")
    )
    assert "On 3 of 4 tasks the network has the lowest mean loss" in text
    behind = next(line for line in text.splitlines() if line.startswith("| pima | random forest"))
    assert behind.endswith("| behind |")
    assert "| mpea_yield | r2 |" in text.split("## Alloys")[1]
