"""The benchmark of formulas in which columns meet: its laws, what counts as solved, and its page."""

import importlib.util
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import sympy

#: Nothing, at length.
WAVES = "".join(f" + 1.5*Y - 1.5*Y*cos({k}*sigma)**2 - 1.5*Y*sin({k}*sigma)**2" for k in (2, 3, 4))
FOLDER = Path(__file__).resolve().parents[1] / "examples" / "benchmarks"


@pytest.fixture(scope="module")
def script():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            patch.setenv(name, "1")  # the script sets them on import; put them back after the module
        patch.syspath_prepend(str(FOLDER))
        spec = importlib.util.spec_from_file_location("feynman_benchmark", FOLDER / "feynman.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    for name in ("_common", "_feynman_laws"):
        sys.modules.pop(name, None)


def law(script, name):
    return next(own for own in (*script.LAWS, *script.DEVELOPMENT) if own.name == name)


def test_thirty_laws_that_are_no_sums_and_none_developed_on(script):
    assert len(script.LAWS) == 30 == len({own.name for own in script.LAWS})
    assert not {own.name for own in script.LAWS} & {own.name for own in script.DEVELOPMENT}
    for own in script.LAWS:
        assert 2 <= len(own.ranges) <= 4
        assert own.expression.free_symbols == set(own.symbols)
        X, *_ = own.draw(1, 0.0, np.random.default_rng(0))
        at = dict(zip(own.symbols, X[0].tolist(), strict=True))
        pairs = itertools.combinations(own.symbols, 2)
        assert any(abs(sympy.diff(own.expression, a, b).subs(at).evalf()) > 1e-9 for a, b in pairs), own.name
        assert np.isfinite(own.draw(50, 0.0, np.random.default_rng(0))[1]).all()
    assert sum(own.is_power_law for own in script.LAWS) == 10


@pytest.mark.parametrize(
    ("text", "solved", "equal"),
    [
        ("0.3*Y/(sigma + 1)", True, True),
        ("7 - 0.3*Y/(0.5*sigma + 0.7)", True, True),
        ("Y/(sigma + 1) + 0.0001*sin(sigma)", True, True),  # rounds to nothing
        ("Y/(sigma + exp(0.02*sigma))", False, False),  # would be equal at exp(0), which it is not
        ("Y/(sigma**2 + 1)", False, False),
        ("0.5*Y", False, False),
        ("Y/(2*sigma + 2) + 0*sigma" + WAVES, False, True),
        ("asin(3.0)*Y", False, False),
    ],
)
def test_solved_is_equal_up_to_constants(script, text, solved, equal):
    own = law(script, "II.38.14")
    found = script.judged(own, text, own.symbols)
    assert (found["solved"], found["equal"]) == (solved, equal)


def test_every_law_is_equal_to_itself(script):
    for own in script.LAWS:
        found = script.judged(own, own.formula, own.symbols)
        assert found["solved"] and found["unexplained"] < 1e-20, own.name


def test_gplearn_programs_are_read(script, monkeypatch):
    spec = importlib.util.spec_from_file_location("feynman_peer", FOLDER / "_feynman_peer.py")
    peer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peer)

    class Node:
        def __init__(self, name, arity):
            self.name, self.arity = name, arity

    program = [Node("div", 2), Node("sqrt", 1), 0, Node("add", 2), 1, 0.5]
    assert peer._gplearn_text(program) == "(sqrt(Abs(x0)) / (x1 + (0.5)))"
    assert peer._operon_text("(X1 + (2.0 * X12))") == "(x0 + (2.0 * x11))"


def test_the_page_counts_by_hand(script, tmp_path, monkeypatch, capsys):
    one = {
        "environment": "a machine",
        "date": "2000-01-01",
        "cpu_s": 2.0,
        "fingerprint": "f",
        "formula": "0",
        "unexplained": 0.5,
    }
    made = [
        {**one, "law": "I.12.1", "noise": 0.0, "method": "own", "solved": True, "equal": True, "unexplained": 1e-9},
        {**one, "law": "I.16.6", "noise": 0.0, "method": "own", "solved": False, "equal": False},
        {**one, "law": "I.12.1", "noise": 0.0, "method": "operon", "solved": False, "equal": True,
         "front_solved": True, "version": "pyoperon 1"},
    ]  # fmt: skip
    path = tmp_path / "f.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in made))
    monkeypatch.setattr(script, "RESULTS", path)
    script.main(["report"])
    text = capsys.readouterr().out
    assert "| KANRegressor.to_symbolic | 0% | 1 / 2 | 1 / 1 | 0 / 1 | 1 | 1 | 2.0 | 2.0 |" in text
    assert "| pyoperon | 0% | 0 / 1 | 0 / 1 | 0 / 0 | 1 | 0 | 2.0 | 2.0 |" in text
    assert "it has 1 at 0% noise, 0 at 1% noise" in text
    assert "| I.12.1 | `mu*Nn` | + | (+) |" in text and "| I.16.6 | 0% | refused |" in text


def test_the_page_in_the_docs_is_that_of_the_cached_runs(script, tmp_path):
    script.main(["report", "--out", str(tmp_path / "page.md")])
    assert (tmp_path / "page.md").read_text() == (FOLDER.parents[1] / "docs" / "benchmarks" / "feynman.md").read_text()
