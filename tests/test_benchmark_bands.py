"""Second part of the benchmark of bands: known bands, truths from the prior, mgcv's answers."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "benchmarks"
OWN = ("_bands_designs", "_bands_width")


@pytest.fixture(scope="module")
def scripts():
    """Both modules: designs, and width."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield SimpleNamespace(**{name.removeprefix("_bands_"): importlib.import_module(name) for name in OWN})
    for name in OWN:
        sys.modules.pop(name, None)


@pytest.fixture
def design(scripts):
    return scripts.designs.Design(50, "poisson", {"wave": scripts.designs.wave, "line": scripts.designs.line})


def test_the_truth_is_centred_on_the_rows_not_on_the_grid(scripts):
    x = np.array([0.0, 0.0, 0.0, 1.0])
    grid, truth = scripts.designs.grid_and_truth(x, lambda x: 4 * x)
    np.testing.assert_allclose(truth, 4 * grid - 1)
    assert grid[100] == 0.0 and grid[-1] > 0.9


def test_coverage_of_bands_that_are_known(scripts):
    """Fits that are off by 1, then 3, with standard errors of .6 (smoothing unknown) and .4 (known)."""
    X = pd.DataFrame({"a": np.arange(9.0), "b": np.arange(9.0)})
    curves = {"a": np.zeros_like, "b": np.zeros_like}

    def shape_function(name, grid):
        off = np.where(grid < np.median(grid), 1.0, {"a": 1.0, "b": 3.0}[name])
        return SimpleNamespace(y=off, se=np.full_like(grid, 0.6), se_conditional=np.full_like(grid, 0.4))

    covered = scripts.width.term_coverage(SimpleNamespace(shape_function=shape_function), X, curves)
    np.testing.assert_array_equal(covered, [[1.0, 0.0], [0.5, 0.0]])


def test_lines_of_the_prior_have_the_hierarchys_distribution(scripts):
    """Slopes of drawn curves, on the standardised column, against a simulation of their definition."""
    X = pd.DataFrame({"a": np.linspace(0, 1, 60), "b": np.linspace(0, 1, 60) ** 2})
    z = stats.zscore(X["a"])
    curves = [scripts.width.prior_curves(np.random.default_rng(i), ["a", "b"], X, 0.5)["a"] for i in range(150)]
    values = np.array([curve(X["a"].to_numpy()) for curve in curves])
    np.testing.assert_allclose(values.mean(axis=1), 0, atol=1e-10)
    rng = np.random.default_rng(0)
    sizes = 0.5 * np.exp(np.clip(2 * rng.standard_t(3, size=20_000), -5, 5) / 2)
    assert stats.ks_2samp(values @ z / len(z), sizes * rng.normal(size=20_000)).pvalue > 0.01
    # The curved part: coefficients whose variances sum to the same kind of size squared.
    curved = (values - np.outer(values @ z / len(z), z)).std(axis=1)
    assert 0.25 < np.median(curved) < 0.6


def test_answers_of_mgcv_are_read_in_their_order(scripts, design, monkeypatch):
    """In place of R: the true curves, off by 1 for one term and by 3 for the other."""

    def answer(command, check):
        folder, family = Path(command[2]), command[3]
        assert family == "poisson" and check
        tables, grids = (pd.read_csv(folder / f"{name}.csv") for name in ("tables", "grids"))
        parts = []
        for draw, grid in grids.groupby("draw"):
            table = tables[tables.draw == draw]
            for name, off in (("wave", 1.0), ("line", 3.0)):
                curve = design.curves[name]
                fit = curve(grid[name].to_numpy()) - curve(table[name].to_numpy()).mean() + off
                parts.append(pd.DataFrame({"draw": draw, "term": name, "fit": fit, "se": 0.4, "se_unconditional": 0.6}))
        pd.concat(parts).to_csv(folder / "curves.csv", index=False)

    monkeypatch.setattr(subprocess, "run", answer)
    covered = scripts.width.of_mgcv(design, 3)
    np.testing.assert_array_equal(covered, np.broadcast_to([[1.0, 0.0], [0.0, 0.0]], (3, 2, 2)))


def test_without_r_its_columns_are_empty(scripts, design, monkeypatch):
    monkeypatch.setattr(scripts.width.shutil, "which", lambda name: None)
    monkeypatch.setattr(scripts.width, "PRIORS", (("a prior", 40, 2, "gaussian", 0.5),))
    lines = scripts.width.why({"mine": design}, 2, progress=lambda text: None).splitlines()
    rows = [line.split("|")[1:-1] for line in lines if line.startswith("| ")]
    assert [row[0].strip() for row in rows] == [
        *("design", "mine", "**lines and nothing**", "**curves**", "design", "a prior")
    ]
    assert [cell.strip() for cell in rows[1][-2:]] == ["-", "-"] and "±" in rows[1][1]
    # Both terms together are the mean of the line and of the wave.
    mean, plain, curved = (float(row[1].split("±")[0]) for row in rows[1:4])
    assert mean == pytest.approx((plain + curved) / 2, abs=0.0015)
