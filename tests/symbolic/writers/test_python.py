"""The Python function equals the formula."""

import pytest
from formula_cases import CASES, assert_same, formulas, table
from hypothesis import given, settings

from kan_tabular.symbolic.writers import write


def _run(source, frame):
    names = {}
    exec(compile(source, "formula", "exec"), names)
    return names["predict"]({name: frame[name].to_numpy() for name in frame})


@pytest.mark.parametrize("case", CASES)
def test_equals_the_formula(case):
    frame = table(CASES[case])
    assert_same(CASES[case], frame, *_run(write(CASES[case], "python"), frame))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(formulas())
def test_random_formulas(formula):
    frame = table(formula, 50)
    assert_same(formula, frame, *_run(write(formula, "python"), frame))


def test_takes_frames_lists_and_numbers_as_levels():
    names = {}
    exec(write(CASES["two classes"], "python"), names)
    frame = table(CASES["two classes"], 20)
    assert_same(CASES["two classes"], frame, *names["predict"](frame))
    assert_same(CASES["two classes"], frame, *names["predict"]({k: list(frame[k]) for k in frame}))
    assert names["_level"]([3.0, True, 0, None, 2.5], {"3": 1.0, "1": 2.0, "0": 3.0}, 9.0, 8.0).tolist() == [
        1,
        2,
        3,
        9,
        8,
    ]


def test_needs_only_numpy():
    source = write(CASES["hostile names"], "python")
    assert [line for line in source.splitlines() if "import" in line] == ["import numpy"]
