"""The arithmetic of the additive benchmark, on numbers worked out by hand."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "benchmarks"


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def common():
    return load("_common")


@pytest.fixture(scope="module")
def additive():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            patch.setenv(name, "1")  # the script sets them on import; put them back after the module
        patch.syspath_prepend(str(FOLDER))
        yield load("additive")
    sys.modules.pop("_common", None)


def test_mean_ranks_share_ties(common):
    # ranks by row: (1, 2, 3), (2.5, 2.5, 1), (3, 1, 2)
    losses = [[0.1, 0.2, 0.3], [0.5, 0.5, 0.4], [0.9, 0.1, 0.2]]
    np.testing.assert_allclose(common.mean_ranks(losses), [6.5 / 3, 5.5 / 3, 2.0])


def test_log_ratio_is_negative_where_own_loss_is_lower(common):
    np.testing.assert_allclose(common.log_ratios([0.5, 0.2, 0.3], [1.0, 0.2, 0.1]), [-np.log(2), 0.0, np.log(3)])


def test_bootstrap_of_two_tasks_has_the_exact_quantiles(common):
    # the mean of two draws from {0, 1} is 0, 1/2 or 1 with probability 1/4, 1/2, 1/4
    assert common.bootstrap_interval([0.0, 1.0], level=0.95) == (0.0, 1.0)
    assert common.bootstrap_interval([0.0, 1.0], level=0.40) == (0.5, 0.5)


def test_bootstrap_of_many_tasks_is_near_the_normal_interval(common):
    values = np.linspace(-1, 1, 400)
    half = 1.96 * values.std() / np.sqrt(400)
    np.testing.assert_allclose(common.bootstrap_interval(values), (-half, half), atol=0.006)


def test_scores_of_a_binary_fold(common):
    y, p = np.array([0, 1, 1]), np.array([0.2, 0.6, 0.1])
    scores = common.fold_scores(y, np.column_stack([1 - p, p]), 2)
    assert scores["log_loss"] == pytest.approx(-np.log(0.8 * 0.6 * 0.1) / 3, rel=1e-5)
    assert scores["auc"] == pytest.approx(0.5)  # one of the two pairs is in order
    assert scores["brier"] == pytest.approx((0.2**2 + 0.4**2 + 0.9**2) / 3)


def test_a_certain_and_wrong_prediction_costs_the_clipped_probability(common):
    scores = common.fold_scores([0, 1], np.array([[1.0, 0.0], [1.0, 0.0]]), 2)
    assert scores["log_loss"] == pytest.approx(-np.log(1e-6) / 2, rel=1e-3)


def test_scores_of_several_classes_when_the_fold_lacks_one(common):
    y = np.array([0, 0, 1, 1])
    p = np.array([[0.7, 0.2, 0.1], [0.3, 0.5, 0.2], [0.4, 0.4, 0.2], [0.1, 0.8, 0.1]])
    scores = common.fold_scores(y, p, 3)
    assert scores["log_loss"] == pytest.approx(-np.log(0.7 * 0.3 * 0.4 * 0.8) / 4, rel=1e-5)
    assert scores["auc"] == pytest.approx(3 / 4)  # 3 of 4 pairs in order for either class
    squares = [0.09 + 0.04 + 0.01, 0.49 + 0.25 + 0.04, 0.16 + 0.36 + 0.04, 0.01 + 0.04 + 0.01]
    assert scores["brier"] == pytest.approx(np.mean(squares))


def test_folds_keep_groups_together_and_cover_each_row_once(common):
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 3)
    y = np.repeat(rng.integers(0, 2, 40), 3)
    parts = common.folds(y, groups, 5, 0)
    assert all(not set(groups[train]) & set(groups[test]) for train, test in parts)
    np.testing.assert_array_equal(np.sort(np.concatenate([test for _, test in parts])), np.arange(120))


def record(loss):
    return {"folds": {"log_loss": loss, "fit_s": [1.0, 9.0, 2.0]}}


def test_a_task_uses_only_the_repeats_that_all_its_models_have(additive):
    scores = {
        ("t", "kaam", 0): record([0.1, 0.2, 0.3]),
        ("t", "kaam", 1): record([9.0, 9.0, 9.0]),
        ("t", "ebm", 0): record([0.4, 0.4, 0.4]),
        ("t", "rf", 0): {"error": "it failed"},
    }
    values, repeats = additive.collect(scores, ["t", "empty"], ["kaam", "ebm", "rf"])
    assert repeats == {"t": 1, "empty": 0}
    assert set(values) == {("t", "kaam"), ("t", "ebm")}
    assert values["t", "kaam"]["log_loss"] == pytest.approx(0.2)
    assert values["t", "kaam"]["fit_s"] == pytest.approx(2.0)  # a median


def test_the_best_glassbox_peer_is_the_one_with_the_lowest_mean_loss(additive):
    loss = {("a", "kaam"): 0.1, ("b", "kaam"): 0.4, ("a", "linear"): 0.2, ("b", "linear"): 0.4}
    loss |= {("a", "ebm"): 0.1, ("b", "ebm"): 0.6, ("a", "pygam"): 0.5, ("b", "pygam"): 0.5, ("a", "rf"): 0.1}
    text = "\n".join(additive.relative_tables(loss, ["a", "b"], ["kaam", "linear", "rf", "ebm", "pygam"]))
    assert "is **linear** (linear 0.3000, ebm 0.3500, pygam 0.5000)" in text
    assert "**-0.3466** (-0.6931 to +0.0000)" in text  # half of log(1/2), and the two tasks' own ratios
    assert "| b | +0.0000 | -0.6931 |" in text  # without b only a is left


def test_a_line_cut_short_is_left_out_of_the_cache(common, tmp_path):
    path = tmp_path / "cache.jsonl"
    common.append_line(path, {"task": "t"}, ["numpy"])
    with path.open("a") as file:
        file.write('{"task": "u", "mod')
    (only,) = common.read_lines(path)
    assert only["task"] == "t" and f"numpy {np.__version__}" in only["environment"]
