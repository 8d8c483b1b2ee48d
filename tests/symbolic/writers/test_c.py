"""The C function, compiled with every warning an error, equals the formula."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest
from formula_cases import CASES, HOSTILE, assert_same, table

from kan_tabular.symbolic.writers import c, write

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


def _compile(source, folder):
    (folder / "formula.c").write_text(source)
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-pedantic", "-O1", "-shared", "-fPIC"]
    command = ["gcc", *flags, "-o", str(folder / "f.so"), str(folder / "formula.c"), "-lm"]
    subprocess.run(command, check=True, capture_output=True)
    return ctypes.CDLL(str(folder / "f.so")).predict


@needs_gcc
@pytest.mark.parametrize("case", CASES)
def test_equals_the_formula(case, tmp_path):
    formula = CASES[case]
    frame, n = table(formula), len(formula.outputs)
    predict = _compile(write(formula, "c"), tmp_path)
    kinds = {f.name: f.kind for f in formula.features}
    text = [kinds[name] == "category" for name in formula.columns]
    predict.argtypes = [ctypes.c_char_p if t else ctypes.c_double for t in text] + 2 * [ctypes.POINTER(ctypes.c_double)]
    eta, response = (np.empty((len(frame), n)) for _ in range(2))
    pointers = [ctypes.POINTER(ctypes.c_double)] * 2
    for i, row in enumerate(frame[formula.columns].itertuples(index=False)):
        values = [(v.encode() if isinstance(v, str) else None) if t else v for v, t in zip(row, text, strict=True)]
        predict(*values, *(a[i].ctypes.data_as(p) for a, p in zip((eta, response), pointers, strict=True)))
    assert_same(formula, frame, eta, response)


def test_comments_cannot_be_closed_by_a_name():
    source = write(CASES["hostile names"], "c")
    assert source.count("*/") == 1 and source.count("/*") == 1 and "??/" not in source


@pytest.mark.parametrize("text", HOSTILE)
def test_literals_are_plain(text):
    literal = c.quoted(text)
    assert literal.isascii() and "\n" not in literal and "?" not in literal
    assert literal[1:-1].encode().decode("unicode_escape").encode("latin-1").decode() == text
