"""Formulas of physics that are no sums: how often are they found, by a network's formula, gplearn and operon?

Run the methods (each resumes from its cache; one thread; processor time, since machines are shared)::

    python examples/benchmarks/feynman.py own
    python examples/benchmarks/feynman.py peers --peers-python PATH_TO_A_PYTHON_WITH_GPLEARN_AND_PYOPERON

Print the report as Markdown, and write it::

    python examples/benchmarks/feynman.py report --out docs/benchmarks/feynman.md

``own --development`` prints what is found of the formulas on which the search was developed; nothing is kept.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before NumPy is imported

import argparse
import hashlib
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import sympy
from _common import append_line, read_lines
from _feynman_laws import DEVELOPMENT, LAWS, equal_up_to_constants, read

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "feynman.jsonl"
PACKAGES = ("kan-tabular", "numpy", "scipy", "scikit-learn", "sympy", "torch")
ROWS, NOISES, SECONDS = 1000, (0.0, 0.01), 20.0
METHODS = {"own": "KANRegressor.to_symbolic", "operon": "pyoperon", "gplearn": "gplearn"}


def fingerprint(method):
    """Of the code that a method's results depend on."""
    package = HERE.parents[1] / "kan_tabular"
    folders = ("estimators", "fitted", "symbolic", "training", "solvers", "encoding")
    paths = (
        [p for f in folders for p in (package / f).rglob("*.py")] if method == "own" else [HERE / "_feynman_peer.py"]
    )
    return hashlib.sha256(b"".join(p.read_bytes() for p in sorted(paths))).hexdigest()[:12]


def sample(law, noise):
    rng = np.random.default_rng([30, *law.name.encode(), int(noise * 1000)])
    return law.draw(ROWS, noise, rng)


def judged(law, text, symbols):
    """What a formula, as text in the names of `symbols`, is worth."""
    expression = read(text, symbols).xreplace(dict(zip(symbols, law.symbols, strict=True)))
    X, _, clean = law.draw(ROWS, 0.0, np.random.default_rng(1))
    with np.errstate(all="ignore"):
        values = np.real(sympy.lambdify(law.symbols, expression, "numpy")(*X.T) * np.ones(ROWS))
    unexplained = float(np.mean((values - clean) ** 2) / clean.var()) if np.isfinite(values).all() else None
    solved, equal = equal_up_to_constants(expression, law)
    return {"solved": solved, "equal": equal, "unexplained": unexplained}


def keep(law, noise, method, record):
    record = {"law": law.name, "noise": noise, "method": method, **record, "fingerprint": fingerprint(method)}
    append_line(RESULTS, record, PACKAGES)
    mark = "solved" if record["solved"] else "equal, too long" if record["equal"] else ""
    print(f"{law.name} {noise:.0%} {method}: {mark} {record['cpu_s']:.1f} s {record['formula'][:100]}", flush=True)


def find(law, noise):
    """The formula of a network: text, processor seconds of fit and formula, and the steps."""
    from kan_tabular import KANRegressor
    from kan_tabular.exceptions import FidelityError

    X, y, _ = sample(law, noise)
    frame = pd.DataFrame(X, columns=list(law.ranges))
    start = time.process_time()
    model = KANRegressor(n_estimators=1, random_state=0).fit(frame, y)
    fitted = time.process_time() - start
    try:
        formula = model.to_symbolic(frame, y)
        text = sympy.sstr(formula.expression_, full_prec=True)
    except FidelityError:
        text = "0"
    return {"formula": text, "cpu_s": time.process_time() - start, "fit_s": fitted}


def finished(method):
    return {
        (r["law"], r["noise"])
        for r in read_lines(RESULTS)
        if r["method"] == method and r["fingerprint"] == fingerprint(method)
    }


def own(args):
    """Fit a network, ask for its formula."""
    find(DEVELOPMENT[0], 0.0)  # imports, first calls
    if args.development:
        hits = 0
        for noise in NOISES:
            for law in DEVELOPMENT:
                if args.only and args.only not in law.name:
                    continue
                record = find(law, noise)
                record |= judged(law, record["formula"], law.symbols)
                hits += record["solved"]
                mark = "solved" if record["solved"] else "equal" if record["equal"] else "-"
                print(
                    f"{law.name:10} {noise:.0%} {mark:6}"
                    f" {record['fit_s']:.1f}+{record['cpu_s'] - record['fit_s']:.1f} s  {record['unexplained']:.1e}"
                    f"  {record['formula'][:150]}",
                    flush=True,
                )
        print(f"{hits} solved")
        return
    done = finished("own")
    for noise in [args.noise] if args.noise is not None else NOISES:
        for law in LAWS:
            if (law.name, noise) not in done:
                record = find(law, noise)
                keep(law, noise, "own", record | judged(law, record["formula"], law.symbols))


def peers(args):
    """gplearn and operon, each with the same processor time."""
    for noise in NOISES:
        for law in LAWS:
            X, y, _ = sample(law, noise)
            for method in ("operon", "gplearn"):
                if (law.name, noise) in finished(method):
                    continue
                with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
                    json.dump({"X": X.tolist(), "y": y.tolist(), "seed": 1}, file)
                output = subprocess.run(
                    [args.peers_python, HERE / "_feynman_peer.py", method, file.name, str(SECONDS)],
                    capture_output=True, text=True, check=True,
                ).stdout  # fmt: skip
                os.unlink(file.name)
                record = json.loads(next(line for line in output.splitlines() if line.startswith("RESULT"))[7:])
                symbols = [sympy.Symbol(f"x{k}", real=True) for k in range(len(law.ranges))]
                record["front_solved"] = any(judged(law, text, symbols)["solved"] for text in record["front"])
                keep(law, noise, method, record | judged(law, record["formula"], symbols))


def report(args):
    """All results as Markdown."""
    raise NotImplementedError


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for do in (own, peers, report):
        command = commands.add_parser(do.__name__, help=do.__doc__.splitlines()[0])
        command.set_defaults(do=do)
        if do is own:
            command.add_argument("--development", action="store_true", help="other formulas, nothing is kept")
            command.add_argument("--noise", type=float, help="only this level of noise")
            command.add_argument("--only", help="development formulas whose name holds this")
        if do is peers:
            command.add_argument("--peers-python", required=True, help="the Python of an environment with both")
        if do is report:
            command.add_argument("--out", type=Path)
    args = parser.parse_args(argv)
    args.do(args)


if __name__ == "__main__":
    main()
