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
from _common import append_line, machine_section, read_lines, table
from _feynman_laws import DEVELOPMENT, LAWS, equal_up_to_constants, read

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "feynman.jsonl"
PACKAGES = ("kan-tabular", "numpy", "scipy", "scikit-learn", "sympy", "torch")
ROWS, NOISES, SECONDS = 1000, (0.0, 0.01), 20.0
METHODS = {"own": "KANRegressor.to_symbolic", "operon": "pyoperon", "gplearn": "gplearn"}


#: What the page says before its tables.
INTRODUCTION = f"""\
The first {len(LAWS)} formulas of AI-Feynman's table with two to four variables that are not sums in them (a rule fixed
before anything was run; `_feynman_laws.py` has them with their ranges), {ROWS} rows, without noise and with 1% of the
spread. `KANRegressor(n_estimators=1).fit(X, y).to_symbolic(X, y)`, everything else at its defaults, beside operon and
gplearn, which go on until they have used {SECONDS:g} s of processor time or nothing is left (processor time, since
machines are shared). The search was developed on other formulas, later ones of the table and made-up ones
(`DEVELOPMENT`); these here were run once. Since then only which constants are rounded to 0, the lower end of the domain
of hidden nodes, the choice of columns where there are more than five, how many outputs there may be (three), and
messages have changed.

Peers: operon with two objectives (R2, and length up to 30), 5 steps of local optimisation, its BIC to choose one of its
front, restarted with new seeds; gplearn with a population of 1000, its arithmetic, roots, logarithm and waves, and exp
and arcsin as functions of our own. Both have every function that the formulas need.

*Solved*: equal to the law up to the values of constants. That is SRBench's question, decided numerically: constants,
rounded to three decimals and then fitted to clean new points, leave less than 1e-12 of the variance; none vanishes with
what it multiplies; the formula is at most 6 + 2 times as large as the law. *Equal*: the same at any size. *Within
0.1%*: the formula as it is explains 99.9% of clean new rows. *Powers*: laws that are products of powers.
"""


#: Why they are not.
UNSOLVED = """\
Looked up afterwards, and left as it is: of what each law needs, something is beyond the expressions that are kept. With
four columns 1/sqrt(1 - u^2/c^2) is no longer among the factors (I.15.3), x1 x2 cos(theta1 - theta2) and I0 cos(n theta)
are not among the terms (I.29.16, I.30.3), and u v/c^2 is a term, but not one of the smallest, which alone are tried
beside factors of 1/y (I.16.6). I.34.14 is only missed with noise: what is found there differs from it by less than
noise can show.
"""


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
            for method in [args.method] if args.method else ["operon", "gplearn"]:
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
    records = pd.DataFrame(read_lines(RESULTS)).drop_duplicates(["law", "noise", "method"], keep="last")
    laws = {law.name: law for law in LAWS}
    records["power_law"] = [laws[name].is_power_law for name in records["law"]]
    out = [
        "# Formulas in which columns meet",
        "",
        "Written by `examples/benchmarks/feynman.py report`; all figures are from its cached runs.",
        "",
        INTRODUCTION,
        "",
        *_summary(records),
        "",
        "## Each formula",
        "",
        "`+` is solved, `(+)` equal but too long; otherwise the share of the variance of clean new rows unexplained.",
        "",
        *_each(records, laws),
        "",
        "## What the network's formula is where it is not solved",
        "",
        UNSOLVED,
        "",
        *_unsolved(records, laws),
        "",
        *machine_section(
            records=records.to_dict("records"), notes=[f"peers: {', '.join(sorted(set(records['version'].dropna())))}"]
        ),
    ]
    text = "\n".join(out).rstrip() + "\n"
    print(text)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text)


def _summary(records):
    rows = []
    for noise in NOISES:
        for method, name in METHODS.items():
            own = records[(records["noise"] == noise) & (records["method"] == method)]
            powers = own[own["power_law"]]
            others = own[~own["power_law"]]
            close = (own["unexplained"].fillna(np.inf).astype(float) < 1e-3).sum()
            counts = [f"{part['solved'].sum()} / {len(part)}" for part in (own, powers, others)]
            rows.append(
                [name, f"{noise:.0%}", *counts, own["equal"].sum(), close, f"{own['cpu_s'].median():.1f}",
                 f"{own['cpu_s'].max():.1f}"]
            )  # fmt: skip
    head = ["", "noise", "solved", "powers", "others", "equal", "within 0.1%", "median s", "most s"]
    front = records[(records["method"] == "operon") & (records["front_solved"] == True)]  # noqa: E712
    counts = ", ".join(f"{(front['noise'] == noise).sum()} at {noise:.0%} noise" for noise in NOISES)
    return [table(head, rows), f"Counting any formula of operon's front as its answer, it has {counts}."]


def _each(records, laws):
    rows = []
    for name, law in laws.items():
        cells = []
        for noise in NOISES:
            for method in METHODS:
                own = records[(records["law"] == name) & (records["noise"] == noise) & (records["method"] == method)]
                cells.append(_mark(own.iloc[0]) if len(own) else "")
        rows.append([name, f"`{law.formula}`", *cells])
    short = ["own", "operon", "gplearn"]
    return [table(["", "formula", *(f"{m}, {noise:.0%}" for noise in NOISES for m in short)], rows)]


def _mark(record):
    if record["solved"]:
        return "+"
    if record["equal"]:
        return "(+)"
    unexplained = record["unexplained"]
    return "-" if unexplained is None or not np.isfinite(unexplained) else f"{unexplained:.0e}"


def _unsolved(records, laws):
    own = records[(records["method"] == "own") & ~records["solved"].astype(bool)]
    rows = []
    for r in own.itertuples():
        expression = read(r.formula, laws[r.law].symbols)
        short = expression.xreplace({f: sympy.Float(float(f), 4) for f in expression.atoms(sympy.Float)})
        rows.append([r.law, f"{r.noise:.0%}", "refused" if r.formula == "0" else f"`{short}`"])
    return [table(["law", "noise", "found"], rows)]


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
            command.add_argument("--method", choices=["operon", "gplearn"], help="only this one")
            command.add_argument("--peers-python", required=True, help="the Python of an environment with both")
        if do is report:
            command.add_argument("--out", type=Path)
    args = parser.parse_args(argv)
    args.do(args)


if __name__ == "__main__":
    main()
