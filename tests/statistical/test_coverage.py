"""Conformal promises are kept: a short run of the simulated part of ``examples/benchmarks/coverage.py``.

Coverage of a split-conformal calibration has an exact distribution, so the mean over some draws has a range that it
leaves once in a thousand times, above or below. With 40 draws that finds errors of about .02; the full script, with
500, smaller ones.
"""

import importlib.util
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:The fit stopped")]  # of single small fits

SCRIPT = Path(__file__).parents[2] / "examples" / "benchmarks" / "_coverage_simulated.py"
spec = importlib.util.spec_from_file_location("coverage_simulated", SCRIPT)
simulated = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = simulated
spec.loader.exec_module(simulated)

DRAWS = {"binary": 40, "four classes": 30, "regression": 40}


@pytest.mark.parametrize("design", DRAWS)
def test_coverage_is_what_was_promised(design):
    records = {(r["option"], r["stratum"], r["level"]): r for r in simulated.simulate(design, DRAWS[design], 8)}
    judged = [r for r in records.values() if r["low"] == r["low"]]
    outside = [r for r in judged if not r["low"] <= r["coverage"] <= r["high"]]
    assert len(judged) >= 15 and not outside, outside
    for level in simulated.LEVELS:
        # The design breaks a promise about all rows in one group, and keeps the promise for each.
        assert records["split", "group rare", level]["coverage"] < level - 0.05
        assert records["split", "group common", level]["coverage"] > level
        assert ("split, by group", "group rare", level) in records
        folded = [records[o, "all", level] for o in ("cross", "jackknife+") if (o, "all", level) in records]
        for r in folded:
            assert r["coverage"] > 2 * level - 1
            assert abs(r["coverage"] - level) < 0.02 + 3.3 * r["error"]
        if design != "regression":
            own, peer = records["split, default", "all", level], records["MAPIE LAC, filled", "all", level]
            assert own["size"] <= 1.03 * peer["size"] and own["empty"] == 0


@pytest.mark.parametrize("shift", [-0.03, 0.03])
def test_the_measurement_notices_a_wrong_threshold(monkeypatch, shift):
    from kan_tabular.uncertainty import classifier

    keeps = classifier.keeps
    monkeypatch.setattr(classifier, "keeps", lambda p, level: keeps(p, level + shift))
    records = simulated.simulate("binary", 12, 2)
    low, high = (
        [r for r in records if sign * r["coverage"] > sign * r[end]] for sign, end in ((-1, "low"), (1, "high"))
    )
    assert len(low if shift < 0 else high) > 5 and not (high if shift < 0 else low)
