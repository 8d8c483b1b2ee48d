"""Formulas: are known functions found again, how fast, and do formulas of clinical models predict as well as these?

Run the parts (each resumes from its cache; one thread)::

    python examples/benchmarks/symbolic.py edges
    python examples/benchmarks/symbolic.py sums
    python examples/benchmarks/symbolic.py clinical
    python examples/benchmarks/symbolic.py pykan --python PATH_TO_PYKANS_PYTHON

Print the report as Markdown, and write it::

    python examples/benchmarks/symbolic.py report --out docs/benchmarks/symbolic.md
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before NumPy is imported

import argparse
import json
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from _common import append_line, fold_scores, folds, machine_section, read_lines, table
from _symbolic_edges import FUNCTIONS, draw
from _symbolic_sums import FEYNMAN, SYNTHETIC
from additive import clinical_tasks

from kan_tabular.exceptions import FidelityError
from kan_tabular.symbolic.atoms import Atom
from kan_tabular.symbolic.candidates import LIBRARY
from kan_tabular.symbolic.edge import fit_edge

HERE = Path(__file__).resolve().parent
PARTS = {part: HERE / "results" / f"symbolic_{part}.jsonl" for part in ("edges", "sums", "clinical", "pykan")}
PACKAGES = ("kan-tabular", "numpy", "scipy", "scikit-learn", "sympy")
NOISES, DRAWS, ROWS, N_FOLDS = (0.01, 0.05), 20, 600, 5


def points(name, number, noise):
    """The points of one draw."""
    rng = np.random.default_rng([2026, list(FUNCTIONS).index(name), number, int(noise * 1000)])
    return draw(name, noise, rng)


def keep(part, record, note):
    append_line(PARTS[part], record, PACKAGES)
    print(*record.values() if not note else (note,), flush=True)


def done(part, *keys):
    return {tuple(r[k] for k in keys) for r in read_lines(PARTS[part])}


# --------------------------------------------------------------------------------------------------------- edges


def truth(name, candidate, a, b, low, high):
    """True constants in the canonical form of the fit over [low, high]."""
    half, middle = (high - low) / 2, (high + low) / 2
    a, b, c, d = a * half, a * middle + b, 1.0, 0.0
    if name == "cos":
        b += np.pi / 2
    if name == "sigmoid":
        a, b, c, d = a / 2, b / 2, 0.5, 0.5
    if name == "sgn":
        c, d = 2.0, -1.0
    if name == "exp":
        b, c = 0.0, np.exp(b)
    if a < 0 and candidate.free in ("", "b") and not candidate.mirrored:  # f(-u) is a multiple of f(u)
        sign = -1.0 if candidate.name in ("linear", "cube", "power 5") else 1.0
        a, b, c = -a, -b, sign * c
        if candidate.name == "step":
            c, d = -c, d + c
    atom, rest = Atom.scaled(candidate, a, b, c, low, high)
    return atom, d + rest


def edges(args):
    """25 functions of a x + b, 200 samples each: is the function found, with the right constants, how fast?"""
    finished, by_name = done("edges", "function", "draw", "noise"), {c.name: c for c in LIBRARY}
    for noise in NOISES:
        for name, (_, family, *_) in FUNCTIONS.items():
            for number in range(DRAWS):
                if (name, number, noise) in finished:
                    continue
                x, y, a, b = points(name, number, noise)
                start, cpu = time.perf_counter(), time.process_time()
                fit = fit_edge(x, y)[0]
                record = {"function": name, "draw": number, "noise": noise, "found": fit.name, "true": family}
                record |= {"seconds": time.perf_counter() - start, "cpu_s": time.process_time() - cpu}
                if fit.name == family:
                    atom, constant = truth(name, by_name[family], a, b, fit.low, fit.high)
                    if atom.shift == fit.atoms[0].shift or "b" in atom.candidate.free:  # the same reference point
                        away = np.abs(fit.parameters - np.append(atom.parameters, constant))
                        errors = fit.standard_errors
                        known = errors > 0  # a threshold between two points has none
                        record["z"] = (away[known] / errors[known]).tolist()
                append_line(PARTS["edges"], record, PACKAGES)
        print(f"noise {noise:.0%} done", flush=True)


def pykan(args):
    """pykan's `auto_symbolic` on the first draw of each function at 1% noise, and ours in turn."""
    todo = [n for n in FUNCTIONS if (n,) not in done("pykan", "function")][: args.limit]
    for name in todo:
        x, y, *_ = points(name, 0, NOISES[0])
        with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
            json.dump([{"name": name, "x": x.tolist(), "y": y.tolist()}], file)
        output = subprocess.run(
            [args.python, HERE / "_symbolic_pykan.py", file.name], capture_output=True, text=True, check=True
        ).stdout
        os.unlink(file.name)
        peer = json.loads(next(line for line in output.splitlines() if line.startswith("RESULT"))[7:])
        fit_edge(x, y)  # first-call work, as pykan's training has done it
        start = time.process_time()
        fit = fit_edge(x, y)[0]
        own = time.process_time() - start
        record = {"function": name, "pykan_s": peer["cpu_s"], "own_s": own, "pykan_found": peer["found"]}
        keep("pykan", {**record, "own_found": fit.name, "pykan": peer["pykan"]}, f"{name}: {peer['cpu_s'] / own:.0f}")


# ---------------------------------------------------------------------------------------------------------- sums


def sums(args):
    """Additive laws: fit a KAAM on all rows, ask for its formula, compare with the truth."""
    from kan_tabular import KAAMRegressor

    finished = done("sums", "law", "draw", "noise")
    for number in range(args.draws):
        for noise in (0.0, 0.01):
            for source, laws in (("Feynman", FEYNMAN), ("synthetic", SYNTHETIC)):
                for law in laws:
                    if (law.name, number, noise) in finished:
                        continue
                    rng = np.random.default_rng([7, [*FEYNMAN, *SYNTHETIC].index(law), number, int(noise * 1000)])
                    X, y, _ = law.draw(ROWS, noise, rng)
                    frame = pd.DataFrame(X, columns=list(law.ranges))
                    test = law.draw(ROWS, 0.0, rng)
                    start = time.perf_counter()
                    formula = KAAMRegressor().fit(frame, y).to_symbolic(frame, y)
                    seconds = time.perf_counter() - start
                    found = functions_of(formula)
                    error = formula.predict(pd.DataFrame(test[0], columns=list(law.ranges))) - test[2]
                    record = {"law": law.name, "source": source, "draw": number, "noise": noise, "seconds": seconds}
                    record["functions"] = found
                    record["solved"] = solved(found, law)
                    record["unexplained"] = float(error.var() / test[2].var())
                    dummies = [c for c in law.ranges if c not in law.terms]
                    record["dummies"], record["dummies_kept"] = len(dummies), sum(c in found for c in dummies)
                    note = (
                        f"{law.name} {noise:.0%} {'solved' if record['solved'] else found} {record['unexplained']:.1e}"
                    )
                    keep("sums", record, note)


def functions_of(formula):
    """Names of the functions in each column's term."""
    return dict(zip(formula.terms_["feature"], formula.terms_["function"], strict=True))


def solved(found, law):
    """Whether exactly the true columns have a term, each with exactly the true function: {column: name}."""
    return found == {column: family for column, (_, family) in law.terms.items()}


# ------------------------------------------------------------------------------------------------------ clinical


def held_out(model, X, y, classes, n_classes):
    """Scores on a test fold; `classes` are those of the training folds."""
    p = np.zeros((len(X), n_classes))
    p[:, classes] = model.predict_proba(X)
    return fold_scores(y, p, n_classes)


def clinical(args):
    """On every clinical task: does the formula of a KAAM predict held-out rows as well as the KAAM?"""
    from kan_tabular import KAAMClassifier

    finished = done("clinical", "task", "fold")
    makers = clinical_tasks()
    tasks = sorted(((name, makers[name]()) for name in makers), key=lambda t: t[1].X.size)
    for number in range(N_FOLDS):
        for name, task in tasks:
            if (name, number) in finished:
                continue
            train, test = folds(task.y, task.groups, N_FOLDS, 0)[number]
            classes, y = np.unique(task.y[train], return_inverse=True)
            X, X_test = (task.X.iloc[rows].reset_index(drop=True) for rows in (train, test))
            n_classes = int(task.y.max()) + 1

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # unseen levels
                model = KAAMClassifier().fit(X, y)
                record = {"task": name, "fold": number, "rows": len(task.y), "columns": X.shape[1]}
                record |= {
                    f"{k}_model": v for k, v in held_out(model, X_test, task.y[test], classes, n_classes).items()
                }
                start = time.perf_counter()
                try:
                    formula = model.to_symbolic(X, y)
                except FidelityError as error:
                    record |= {"refused": str(error)}
                else:
                    record |= {
                        f"{k}_formula": v
                        for k, v in held_out(formula, X_test, task.y[test], classes, n_classes).items()
                    }
                    record |= {"terms": len(formula.terms_), "complexity": int(formula.formula_.complexity)}
                    record["fidelity"] = formula.fidelity_["r2_model"]
                record["seconds"] = time.perf_counter() - start
            shown = record.get("auc_formula", np.nan) - record["auc_model"]
            keep("clinical", record, f"{name} {number}: AUC {shown:+.4f}  {record['seconds']:.1f} s")


# -------------------------------------------------------------------------------------------------------- report


def edges_section():
    records = pd.DataFrame(read_lines(PARTS["edges"])).drop_duplicates(["function", "draw", "noise"], keep="last")
    records["hit"] = records["found"] == records["true"]
    rows = []
    for name in FUNCTIONS:
        cells = []
        for noise in NOISES:
            own = records[(records["function"] == name) & (records["noise"] == noise)]
            wrong = own.loc[~own["hit"], "found"].value_counts()
            cells += [f"{own['hit'].sum()} / {len(own)}", ", ".join(f"{k} {v}" for k, v in wrong.items())]
        rows.append([name, *cells])
    total = []
    for noise in NOISES:
        own = records[records["noise"] == noise]
        z = np.concatenate([np.asarray(v) for v in own["z"].dropna()])
        inside = f"{np.mean(z <= 3):.1%} of their constants within 3 standard errors"
        total.append(f"{noise:.0%} noise: **{own['hit'].mean():.1%}** found; {inside}")
    seconds, cpu = records["seconds"], records["cpu_s"]
    return [
        f"{len(FUNCTIONS)} functions, {DRAWS} draws each of a, b and the range of x, 200 samples (where each "
        "function is drawn: `_symbolic_edges.py`). Found: the candidate that is cheapest is the true one in canonical "
        "form (cosines are sines, sigmoids tanh, scales inside exp, log and powers go outside).\n",
        "; ".join(total) + ".\n",
        f"Processor time for one curve, all candidates: median **{cpu.median() * 1e3:.0f} ms**, 95% below "
        f"{cpu.quantile(0.95) * 1e3:.0f} ms (wall time on a busy machine: median {seconds.median() * 1e3:.0f} ms).\n",
        table(["function", "1% noise", "taken for", "5% noise", "taken for"], rows),
    ]


def pykan_section():
    records = pd.DataFrame(read_lines(PARTS["pykan"]))
    if records.empty:
        return ["Not run (`symbolic.py pykan`).\n"]
    records = records.drop_duplicates("function", keep="last")
    ratio = records["pykan_s"] / records["own_s"]
    rows = [
        [r.function, f"{r.pykan_s:.1f}", f"{r.own_s * 1e3:.0f}", f"{q:.0f}", r.pykan_found, r.own_found]
        for r, q in zip(records.itertuples(), ratio, strict=True)
    ]
    return [
        f"`auto_symbolic` of pykan {records['pykan'].iloc[0]}, its defaults, on a KAN of one edge trained on the same "
        "points (the training is not timed), and the search here, in turn, processor time, one thread each. pykan "
        "prefers simple functions by design: what either finds is shown without a verdict.\n",
        f"pykan / own: median **{ratio.median():.0f}**, lowest {ratio.min():.0f}, over {len(records)} curves.\n",
        table(["function", "pykan, s", "own, ms", "ratio", "pykan finds", "own finds"], rows),
    ]


def sums_section():
    records = pd.DataFrame(read_lines(PARTS["sums"]))
    if records.empty:
        return ["Not run (`symbolic.py sums`).\n"]
    records = records.drop_duplicates(["law", "draw", "noise"], keep="last")
    rows = []
    for (law, noise), own in records.groupby(["law", "noise"], sort=False):
        others = own.loc[~own["solved"], "functions"].astype(str).tolist()
        rows.append(
            [law, f"{noise:.0%}", f"{own['solved'].sum()} / {len(own)}", f"{own['unexplained'].max():.0e}", *others[:1]]
        )
    rows = [row + [""] * (5 - len(row)) for row in rows]
    out = []
    for source, own in [("all", records), *records.groupby("source")]:
        for noise, part in own.groupby("noise"):
            out.append(f"{source}, {noise:.0%} noise: **{part['solved'].mean():.0%}** solved of {len(part)}")
    rejected = 1 - records["dummies_kept"].sum() / records["dummies"].sum()
    return [
        f"{len(FEYNMAN)} formulas of AI-Feynman whose logarithm is a sum (the table has log y), and {len(SYNTHETIC)} "
        f"additive models with as many irrelevant columns as relevant ones; {ROWS} rows. Solved: exactly the true "
        "columns, each with exactly the true function; constants are free, and judged by the share of the variance of "
        "clean, new rows that is left unexplained (the largest over the draws).\n",
        "; ".join(out) + ".\n",
        f"Irrelevant columns left out: **{rejected:.1%}** of {records['dummies'].sum()}. Median of fit and formula: "
        f"{records['seconds'].median():.1f} s.\n",
        table(["law", "noise", "solved", "unexplained", "otherwise (first)"], rows),
    ]


def clinical_section():
    records = pd.DataFrame(read_lines(PARTS["clinical"]))
    if records.empty:
        return ["Not run (`symbolic.py clinical`).\n"]
    records = records.drop_duplicates(["task", "fold"], keep="last")
    if "refused" not in records:
        records["refused"] = None
    rows, differences = [], {}
    for task, own in records.groupby("task", sort=False):
        kept = own[own["refused"].isna()]
        refused = f"{len(own) - len(kept)} / {len(own)}"
        if kept.empty:
            rows.append([task, f"{own['auc_model'].mean():.4f}", "-", "-", "-", "-", refused, "-"])
            continue
        difference = kept["auc_formula"].mean() - kept["auc_model"].mean()
        differences[task] = difference
        rows.append(
            [
                task,
                f"{kept['auc_model'].mean():.4f}",
                f"{kept['auc_formula'].mean():.4f}",
                f"{difference:+.4f}",
                f"{kept['log_loss_formula'].mean() - kept['log_loss_model'].mean():+.4f}",
                f"{kept['terms'].mean():.1f}",
                refused,
                f"{own['seconds'].median():.1f}",
            ]
        )
    values = np.array(list(differences.values()))
    return [
        "5-fold cross-validation (groups together); KAAM and its formula (`to_symbolic(X, y)` on the training folds: "
        "at most three constants a term, fidelity at least 0.98) on the same held-out folds. AUC and log loss over the "
        "folds whose formula was not refused.\n",
        f"Tasks whose formula has an AUC within .005 of its model's, or above: **{np.sum(values >= -0.005)}** of "
        f"{len(rows)} (on {len(rows) - len(values)} every fold is refused); lowest difference {values.min():+.4f}; "
        "folds refused: "
        f"{int(records['refused'].notna().sum())} of {len(records)}.\n",
        table(
            ["task", "AUC KAAM", "AUC formula", "difference", "log loss, difference", "terms", "refused", "seconds"],
            rows,
        ),
    ]


def report(args):
    """All sections as Markdown."""
    sections = {
        "One curve": edges_section,
        "Against pykan": pykan_section,
        "Sums": sums_section,
        "Clinical tasks": clinical_section,
    }
    out = [
        "# Formulas\n",
        "Written by `examples/benchmarks/symbolic.py report`; all figures are from its cached runs.\n",
    ]
    for title, section in sections.items():
        out += [f"## {title}\n", *section()]
    used = [r for path in PARTS.values() for r in read_lines(path)]
    out += machine_section(records=used)
    text = "\n".join(out).rstrip() + "\n"
    print(text)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for do in (edges, sums, clinical, pykan, report):
        command = commands.add_parser(do.__name__, help=do.__doc__.splitlines()[0])
        command.set_defaults(do=do)
        if do is sums:
            command.add_argument("--draws", type=int, default=3)
        if do is pykan:
            command.add_argument("--python", required=True, help="the Python of an environment that has pykan")
            command.add_argument("--limit", type=int, default=len(FUNCTIONS))
        if do is report:
            command.add_argument("--out", type=Path)
    args = parser.parse_args(argv)
    args.do(args)


if __name__ == "__main__":
    main()
