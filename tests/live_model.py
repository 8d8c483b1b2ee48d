"""What a page computes, computed by node: the script of the what-if panel beside the estimator it stands for."""

import json
import shutil
import subprocess
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from kan_tabular.report.embed import json_for_html
from kan_tabular.report.payload import model_payload

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

SCRIPT = files("kan_tabular.report").joinpath("assets/model.js").read_text(encoding="utf-8")
_MAIN = """
const input = JSON.parse(require("fs").readFileSync(0, "utf8"));
const model = KanModel(input.payload);
const answer = (row) => {
  try { return model.evaluate(row); } catch (error) { return { error: `${error.name}: ${error.message}` }; }
};
console.log(JSON.stringify(input.rows.map(answer)));
"""


def run_script(source, data):
    """Run a script after that of the panel; `data` is its standard input, and what it prints is read as JSON."""
    command = ["node", "--disallow-code-generation-from-strings", "-e", SCRIPT + source]
    done = subprocess.run(command, input=json_for_html(data), text=True, capture_output=True, check=False)
    assert not done.stderr, done.stderr
    return json.loads(done.stdout)


def evaluate(payload, frame):
    """What the script says of each row of a DataFrame, after the payload's way through JSON."""
    return run_script(_MAIN, {"payload": payload, "rows": records(frame)})


def records(frame):
    """Rows as dictionaries; None is missing."""
    frame = frame.astype(object)
    return frame.where(frame.notna(), None).to_dict("records")


def trial_rows(X, n=200, seed=0, missing=0.1, unseen="not in training", far=1e4):
    """Rows like those of the table X: within its ranges, at the ends, outside and far outside, missing, new levels."""
    rng = np.random.default_rng(seed)
    columns = {}
    for name in X.columns:
        known = X[name].dropna()
        if len(known) and all(isinstance(v, str) for v in known):
            values = np.array([*sorted(set(known)), *([unseen] if unseen else [])], dtype=object)
            column = values[rng.integers(len(values), size=n)]
            column[rng.random(n) < missing] = None
        else:
            low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
            column = rng.uniform(low, high, n)
            where = rng.random(n)
            column = np.where(where < 0.2, np.where(rng.random(n) < 0.5, low, high), column)
            column = np.where(where > 0.8, low + 4 * (column - low) - 1.5 * (high - low), column)
            column = np.where(where > 0.95, column * far, column)
            column[rng.random(n) < missing] = np.nan
        columns[name] = column
    return pd.DataFrame(columns)


def table(answers, key):
    """One entry of all answers as an array."""
    return np.array([answer[key] for answer in answers], dtype=float)


def contributions(answers):
    """Contributions (n, p, n_outputs) of all answers, and their columns."""
    names = [c["feature"] for c in answers[0]["contributions"]]
    assert all([c["feature"] for c in answer["contributions"]] == names for answer in answers)
    return np.array([[c["values"] for c in answer["contributions"]] for answer in answers]), names


def payload_and_answers(estimator, frame, **options):
    payload = model_payload(estimator, **options)
    return payload, evaluate(payload, frame)
