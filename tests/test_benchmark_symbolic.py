"""The benchmark of formulas: what it counts as solved, the truth it compares with, and its page on made-up records."""

import importlib.util
import json
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "benchmarks"


@pytest.fixture(scope="module")
def script():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            patch.setenv(name, "1")  # the script sets them on import; put them back after the module
        patch.syspath_prepend(str(FOLDER))
        spec = importlib.util.spec_from_file_location("symbolic_benchmark", FOLDER / "symbolic.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    for name in ("_common", "_symbolic_edges", "_symbolic_sums", "additive"):
        sys.modules.pop(name, None)


@pytest.fixture
def cache(script, tmp_path, monkeypatch):
    """Where the parts keep their records: empty files of its own."""
    parts = {part: tmp_path / f"{part}.jsonl" for part in script.PARTS}
    monkeypatch.setattr(script, "PARTS", parts)
    return parts


def law(script, name):
    return next(own for own in (*script.FEYNMAN, *script.SYNTHETIC) if own.name.startswith(name))


# ---- what is asked ----


def test_solved_is_the_true_functions_of_the_true_columns_and_no_others(script):
    own = law(script, "step + linear + sqrt")
    true = {"x1": "step", "x2": "linear", "x3": "sqrt"}
    assert script.solved(true, own) and script.solved(dict(reversed(true.items())), own)
    assert not script.solved(true | {"x3": "log"}, own)
    assert not script.solved(true | {"x2": "linear + step"}, own)
    assert not script.solved(true | {"dummy1": "linear"}, own)
    assert not script.solved({"x1": "step", "x2": "linear"}, own)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("I.12.2 ", lambda v: v["q1"] * v["q2"] / (v["eps"] * v["r"] ** 2)),
        ("I.32.5 ", lambda v: v["q"] ** 2 * v["a"] ** 2 / (v["eps"] * v["c"] ** 3)),
        ("I.39.11 ", lambda v: v["p"] * v["V"] / (v["gamma"] - 1)),
        ("I.43.43 ", lambda v: v["k"] * v["v"] / (v["A"] * (v["gamma"] - 1))),
        ("I.6.20a ", lambda v: np.exp(-(v["theta"] ** 2) / 2)),
    ],
)
def test_laws_are_the_logarithms_of_the_formulas(script, name, formula):
    own = law(script, name)
    X, y, clean = own.draw(50, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(np.exp(clean), formula(dict(zip(own.ranges, X.T, strict=True))))
    np.testing.assert_array_equal(y, clean)


def test_noise_is_a_share_of_the_spread(script):
    _, y, clean = law(script, "I.12.4 ").draw(4000, 0.25, np.random.default_rng(0))
    assert np.std(y - clean) / np.std(clean) == pytest.approx(0.25, rel=0.05)


def test_the_true_constants_give_the_true_curve(script):
    """Whatever the canonical form of a function is: it has to be that function."""
    from _symbolic_edges import FUNCTIONS

    by_name = {c.name: c for c in script.LIBRARY}
    for name, (function, family, *_) in FUNCTIONS.items():
        for number in range(6):
            x, y, a, b = script.points(name, number, 0.0)
            inside = np.ones(len(x), dtype=bool)
            if name.startswith("arc"):  # the ends of a draw are clipped into the domain
                inside = np.abs(a * x + b) < 1 - 1e-9
            atom, constant = script.truth(name, by_name[family], a, b, x.min(), x.max())
            shown = atom.evaluate(x) + constant
            np.testing.assert_allclose(shown[inside], function(a * x + b)[inside], atol=1e-9, rtol=1e-9, err_msg=name)
            np.testing.assert_allclose(y[inside], function(a * x + b)[inside], atol=1e-9, rtol=1e-9, err_msg=name)


# ---- what is kept ----


def test_a_part_resumes_from_its_cache(script, cache, monkeypatch):
    """One law, two levels of noise: solved, and not run twice."""
    monkeypatch.setattr(script, "FEYNMAN", (law(script, "I.14.4 "),))
    monkeypatch.setattr(script, "SYNTHETIC", ())
    script.sums(Namespace(draws=1))
    records = script.read_lines(cache["sums"])
    assert [r["noise"] for r in records] == [0.0, 0.01]
    assert all(r["solved"] and r["functions"] == {"k": "log", "x": "log"} for r in records)
    assert records[0]["unexplained"] < 1e-9 and 0 < records[1]["unexplained"] < 1e-3
    script.sums(Namespace(draws=1))
    assert len(script.read_lines(cache["sums"])) == 2


def test_held_out_scores_give_unseen_classes_no_probability(script):
    class Model:
        def predict_proba(self, X):
            return np.tile([0.25, 0.75], (len(X), 1))

    scores = script.held_out(Model(), np.zeros((4, 1)), np.array([2, 2, 0, 2]), np.array([0, 2]), 3)
    assert scores["log_loss"] == pytest.approx(-(3 * np.log(0.75) + np.log(0.25)) / 4, abs=1e-5)


# ---- the page ----


def write(path, records):
    about = {"date": "2000-01-01", "environment": "a machine"}
    path.write_text("".join(json.dumps({**r, **about}) + "\n" for r in records))


def page(script, cache):
    edge = {"seconds": 0.03, "cpu_s": 0.02, "noise": 0.01}
    write(
        cache["edges"],
        [
            {"function": "x", "draw": 0, "found": "linear", "true": "linear", "z": [0.5, 3.5], **edge},
            {"function": "x", "draw": 1, "found": "hinge", "true": "linear", **edge},
            {"function": "x", "draw": 1, "found": "linear", "true": "linear", "z": [1.0, 2.0], **edge},  # run again
            {"function": "log", "draw": 0, "found": "arctanh", "true": "log", **edge},
            {"function": "log", "draw": 0, "found": "log", "true": "log", "z": [0.0], **edge, "noise": 0.05},
        ],
    )
    found = {"pykan_found": "x", "own_found": "linear", "pykan": "0.0"}
    write(
        cache["pykan"],
        [{"function": f, "pykan_s": 2.0, "own_s": s, **found} for f, s in (("x", 0.01), ("exp", 0.02), ("log", 0.04))],
    )
    one = {"law": "A", "source": "synthetic", "noise": 0.0, "seconds": 1.0, "dummies": 2}
    write(
        cache["sums"],
        [
            {**one, "draw": 0, "solved": True, "functions": {"x": "log"}, "unexplained": 1e-9, "dummies_kept": 0},
            {**one, "draw": 1, "solved": False, "functions": {"x": "sin"}, "unexplained": 3e-4, "dummies_kept": 1},
        ],
    )
    task = {"auc_model": 0.8, "log_loss_model": 0.5, "seconds": 2.0}
    kept = {"auc_formula": 0.79, "log_loss_formula": 0.52, "terms": 4, **task}
    write(
        cache["clinical"],
        [
            {"task": "worse", "fold": 0, **kept},
            {"task": "worse", "fold": 1, "refused": "why", **task, "auc_model": 0.6},
            {"task": "same", "fold": 0, **kept, "auc_formula": 0.796},
            {"task": "refused", "fold": 0, "refused": "why", **task},
        ],
    )
    return script.main(["report"])


def test_the_page_counts_by_hand(script, cache, capsys):
    page(script, cache)
    text = capsys.readouterr().out
    assert "1% noise: **66.7%** found; 75.0% of their constants within 3 standard errors" in text
    assert "5% noise: **100.0%** found" in text
    assert "| log | 0 / 1 | arctanh 1 | 1 / 1 |  |" in text and "| x | 2 / 2 |  | 0 / 0 |  |" in text
    assert "pykan / own: median **100**, lowest 50, over 3 curves." in text
    assert "all, 0% noise: **50%** solved of 2" in text
    assert "Irrelevant columns left out: **75.0%** of 4." in text
    assert "| A | 0% | 1 / 2 | 3e-04 | {'x': 'sin'} |" in text
    assert "**1** of 3 (on 1 every fold is refused); lowest difference -0.0100; folds refused: 2 of 4." in text
    assert "| worse | 0.8000 | 0.7900 | -0.0100 | +0.0200 | 4.0 | 1 / 2 | 2.0 |" in text
    assert "| refused | 0.8000 | - |" in text
    assert text.rstrip().endswith("* a machine")


def test_the_page_in_the_docs_is_that_of_the_cached_runs(script, tmp_path, capsys):
    script.main(["report", "--out", str(tmp_path / "page.md")])
    assert (tmp_path / "page.md").read_text() == (FOLDER.parents[1] / "docs" / "benchmarks" / "symbolic.md").read_text()
    assert pd.DataFrame(script.read_lines(script.PARTS["clinical"]))["task"].nunique() > 10
