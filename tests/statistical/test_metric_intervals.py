"""The 95% intervals of measures cover: a short run of ``examples/benchmarks/metric_intervals.py``.

An interval fails when the whole 99% interval of its coverage lies outside .92 to .98.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "examples" / "benchmarks"


@pytest.fixture(scope="module")
def script():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        spec = importlib.util.spec_from_file_location("metric_intervals_benchmark", FOLDER / "metric_intervals.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    sys.modules.pop("bands", None)


def covers(script, held):
    """Whether the coverage of an interval may lie within .92 and .98."""
    _, low, high = script.wilson_interval(held.sum(), len(held), level=0.99)
    return high >= 0.92 and low <= 0.98


@pytest.mark.parametrize(("events", "others", "auc"), [(10, 90, 0.8), (20, 20, 0.9), (50, 150, 0.75)])
def test_intervals_of_the_auc_cover(script, events, others, auc):
    held = script.ranking(events, others, auc, draws=600, resampled=0)
    assert covers(script, held["delong"])


def test_the_judgement_notices_an_interval_that_is_too_narrow(script):
    """The textbook interval covers too seldom with five events."""
    held = script.ranking(5, 100, 0.75, draws=600, resampled=0)
    assert covers(script, held["delong"]) and not covers(script, held["textbook"])


def test_the_bootstrap_of_the_average_precision_covers_with_enough_events(script):
    held = script.ranking(100, 400, 0.8, draws=150, resampled=150)
    assert covers(script, held["average precision"]) and covers(script, held["bootstrap"])


@pytest.mark.parametrize("name", ["right", "too extreme", "bent"])
def test_intervals_of_calibration_cover(script, name):
    slope, intercept, band = script.calibration(script.CALIBRATION[name], 500, 0.2, draws=200)
    mean, low, high = script.mean_interval(band, level=0.99)
    assert high >= 0.93, f"band {mean:.3f} ({low:.3f} to {high:.3f})"
    assert (len(slope), len(intercept)) == {"right": (200, 200), "too extreme": (200, 0), "bent": (0, 0)}[name]
    for held in (slope, intercept):
        assert not len(held) or covers(script, np.asarray(held))
