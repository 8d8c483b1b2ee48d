"""The JavaScript function, run by node, equals the formula."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from formula_cases import CASES, assert_same, rows, table

from kan_tabular.symbolic.writers import write

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def _run(source, records):
    main = "const rows = JSON.parse(require('fs').readFileSync(0)); console.log(JSON.stringify(rows.map(predict)));"
    command = ["node", "-e", f'"use strict";\n{source}\n{main}']
    return json.loads(
        subprocess.run(command, input=json.dumps(records), text=True, check=True, capture_output=True).stdout
    )


@needs_node
@pytest.mark.parametrize("case", CASES)
def test_equals_the_formula(case):
    formula = CASES[case]
    frame = table(formula)
    results = _run(write(formula, "javascript"), rows(frame))
    shape = (len(frame), len(formula.outputs))
    eta, response = (np.reshape([r[key] for r in results], shape) for key in ("linearPredictor", "response"))
    assert_same(formula, frame, eta, response)


@needs_node
def test_what_counts_as_missing():
    formula = CASES["several targets"]
    source = write(formula, "javascript")
    explicit = _run(source, [{"a": None, "b": 1, "c": None}])
    assert explicit == _run(source, [{"b": "1"}]) == _run(source, [{"a": "", "b": 1.0}])
    assert explicit != _run(source, [{"b": 1, "c": ""}])


def test_cannot_leave_a_script_element():
    assert "</script" not in write(CASES["hostile names"], "javascript")
