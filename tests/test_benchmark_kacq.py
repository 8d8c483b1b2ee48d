"""The heart disease benchmark: its interval and its page on made-up numbers, and that its models are what it says."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "benchmarks"


@pytest.fixture(scope="module")
def kacq():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            patch.setenv(name, "1")  # the script sets them on import; put them back after the module
        patch.syspath_prepend(str(FOLDER))
        spec = importlib.util.spec_from_file_location("kacq", FOLDER / "kacq.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    for name in ("_common", "additive"):
        sys.modules.pop(name, None)


def test_the_interval_by_hand(kacq):
    """Mean 2, variance 1, three splits of 70/30 rows: 1/3 + 3/7 = 16/21; t of 2 degrees of freedom is 4.302653."""
    half = 4.302653 * np.sqrt(16 / 21)
    np.testing.assert_allclose(kacq.corrected_interval([1.0, 2.0, 3.0], 70, 30), (2 - half, 2 + half), rtol=1e-6)


def test_splits_are_those_of_the_protocol(kacq):
    y = np.repeat([0, 1], [410, 508])
    parts = kacq.splits(y)
    assert [name for name, _, _ in parts] == [*map(str, range(20)), "seed 42"]
    for _, train, test in parts:
        assert len(train) == 642 and len(test) == 276 and len(np.unique(np.r_[train, test])) == 918
        assert np.bincount(y[test]).tolist() == [123, 153]
    assert len({tuple(test) for _, _, test in parts}) == 21


def test_models_are_what_their_names_say(kacq):
    assert kacq.MODELS["circuit_bare"][1]().get_params()["channels"] == ("circuit",)
    assert kacq.MODELS["dual_amplitude"][1]().get_params()["embedding"] == "amplitude"
    assert kacq.MODELS["dual"][1]().get_params()["random_state"] == 0
    for name in ("kan", "kan_bare", "dual_bare"):
        assert (kacq.MODELS[name][1]().additive_start is False) == name.endswith("bare")


def test_the_page_pairs_the_splits(kacq, monkeypatch, capsys):
    """Model b is worse than model a by exactly 0.01 on every split, however the splits differ."""
    level = np.linspace(0.85, 0.94, 20)
    about = {"fit_s": 1.0, "additive_weight": 0.25, "date": "2000-01-01", "environment": "a machine"}
    results = {}
    for model, away in (("kan", 0.0), ("dual", -0.01)):
        for k in range(20):
            scores = {"accuracy": level[k] + away, "auc": level[k] + away, "log_loss": 0.5 - away}
            results[str(k), model] = {**scores, **about}
    monkeypatch.setattr(kacq, "read_results", lambda: results)
    kacq.main(["report"])
    page = capsys.readouterr().out
    assert "| DualChannelKAN | -0.0100 | -0.0100 to -0.0100 |" in page
    assert page.count("the best mean has **LogisticKAN = KAN channel alone**") == 3
    ablation = "-0.0100 (-0.0100 to -0.0100) | -0.0100 (-0.0100 to -0.0100) | +0.0100 (+0.0100 to +0.0100) |"
    assert f"| both - KAN alone | {ablation}" in page and "Of these 3 intervals, 3 leave out 0." in page
    assert f"{level.mean():.4f} ({kacq.corrected_interval(level, 642, 276)[0]:.4f} to" in page
    reached = [int((level + away >= 254 / 276).sum()) for away in (0.0, -0.01)]
    assert f"| LogisticKAN = KAN channel alone | {reached[0]} | 0 |" in page and reached[0] > reached[1] > 0
    assert f"| DualChannelKAN | {reached[1]} | 0 |" in page
