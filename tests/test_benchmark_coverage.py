"""The benchmark of coverage: its theory against simulation, its page on made-up records, stale records left out."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "benchmarks"
OWN = ("_common", "_coverage_jackknife", "_coverage_page", "_coverage_simulated")


@pytest.fixture(scope="module")
def coverage():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        spec = importlib.util.spec_from_file_location("coverage_benchmark", FOLDER / "conformal_coverage.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    for name in OWN:
        sys.modules.pop(name, None)


def test_expected_coverage_is_that_of_uniform_scores(coverage):
    """5000 calibrations of 60 uniform scores: mean and variance of the threshold, which is the coverage."""
    rng = np.random.default_rng(0)
    q = np.sort(rng.random((5000, 60)), axis=1)[:, 54]  # the 55th: ceil(61 * .9)
    mean, variance = sys.modules["_coverage_simulated"].expected(60, 0.9)
    assert abs(q.mean() - mean) < 4 * np.sqrt(variance / 5000)
    assert q.var() == pytest.approx(variance, rel=0.1)


def test_the_range_holds_shares_of_rows(coverage):
    counts = sys.modules["_coverage_simulated"].Counts()
    rng = np.random.default_rng(1)
    for q in np.sort(rng.random((400, 60)), axis=1)[:, 54]:
        counts.add("split", "all", 0.9, rng.random(50) < q, np.ones(50), 60)
    (record,) = counts.records("made up")
    assert record["low"] < record["coverage"] < record["high"]
    # The range is 2 * 3.29 standard errors wide, as the draws themselves show.
    assert (record["high"] - record["low"]) / (2 * 3.2905) == pytest.approx(record["error"], rel=0.15)


def test_page_of_made_up_records(coverage):
    simulated = []
    for option in ("split", "split, by group", "cross", "split, default", "MAPIE LAC, filled"):
        for stratum in ("all", "group common", "group rare"):
            exact = (option, stratum) in {("split", "all"), ("split, by group", "group rare")}
            simulated.append(
                {
                    "part": "simulated",
                    "design": "binary",
                    "option": option,
                    "stratum": stratum,
                    "level": 0.9,
                    "repetitions": 7,
                    "coverage": 0.95 if option == "split, by group" else 0.9,
                    "error": 0.01,
                    "size": 1.25,
                    "empty": 0.0,
                    "low": 0.88 if exact else float("nan"),
                    "high": 0.92 if exact else float("nan"),
                }
            )
    one = {"coverage": [0.8, 0.9, 0.95], "by_class": [[0.7, 0.8, 0.9]] * 2, "size": [1, 1, 1.5], "empty": [0.1, 0, 0]}
    real = [{"part": "real", "task": "t", "method": "split", "split": i, **one} for i in range(3)]
    heart = [{"part": "heart", "method": "KAAM", "split": i, **one} for i in range(2)]
    grid = (0.8, 0.9)
    width = [
        {"part": "width", "task": "t", "method": "m", "fold": f, "n_test": n, "coverage": c, "width": [100.0, 200.0]}
        for f, n, c in ((0, 10, [0.7, 0.9]), (1, 30, [0.9, 0.98]))
    ]
    common = {"date": "2000-01-01", "environment": "a machine"}
    page = sys.modules["_coverage_page"].write_page(
        [{**r, **common} for r in (*simulated, *real, *heart, *width)], grid
    )
    assert "1 of 2 coverages with an exact theory lie inside their range" in page.replace("\n", " ")
    assert "| binary | split, by group | group rare | 0.9 | .9500 | .8800 to .9200 | **outside** |" in page
    assert "| t | split | .800 ± .000 |" in page and "| KAAM | .800 ± .000 |" in page
    # Pooled: (.85, .96) at the two levels, so a measured 90% lies 5/11 of the way from 100 to 200.
    assert "| t | m | .960 | 200 | 145 |" in page


def test_records_of_other_code_are_left_out(coverage, tmp_path, monkeypatch):
    monkeypatch.setattr(coverage, "RESULTS", tmp_path / "records.jsonl")
    cache = coverage.Cache()
    cache.add({"part": "heart", "split": 3})
    assert coverage.Cache().has(part="heart", split=3) and not coverage.Cache().has(part="heart", split=4)
    monkeypatch.setattr(coverage, "fingerprint", lambda: "other")
    assert not coverage.Cache().has(part="heart", split=3)


def test_the_script_is_no_module_named_coverage():
    """numba imports a package of that name if it finds one along the path."""
    spec = importlib.util.spec_from_file_location("coverage", FOLDER / "coverage.py")
    with pytest.raises(ImportError, match="not the package"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
