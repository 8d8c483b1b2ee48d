"""Fit time, peak memory and one-row latency of the additive classifier as the number of rows grows.

Usage::

    python examples/benchmarks/scaling.py --out docs/benchmarks/scaling.md     # 1e3 to 1e6 rows, mgcv beside it
    python examples/benchmarks/scaling.py --latency                            # one-row predict_proba
    python examples/benchmarks/scaling.py --wide                               # 2000 rows x 500 columns

Data: ten independent features, uniform and normal, and a logistic response with smooth additive truth
(:func:`simulate`); both programs read the same file. Each fit runs in a process of its own, so that its peak resident
memory is its own; only the call of ``fit`` (ours) or ``bam`` (mgcv) is timed. Below ``REPEAT_BELOW`` rows the median of
``REPEATS`` fits is shown. The mgcv column needs R with mgcv and jsonlite; without ``Rscript`` on the path it is empty.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _common import machine_section

N_FEATURES = 10
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
SLOPE_ABOVE = 10_000
REPEAT_BELOW = 100_000
REPEATS = 3
MGCV_BASES = ("bs", "cr")
SETTINGS = {
    "default": {},
    "reml": {"smoothing": "reml", "select": False},  # the problem that bam solves
}


def simulate(n, seed=0):
    """Ten features and a binary response whose log-odds are a sum of smooth functions.

    Parameters
    ----------
    n : int
        Rows.
    seed : int
        Seed of the generator.

    Returns
    -------
    X : ndarray of shape (n, 10)
        Five uniform columns on (0, 1), five standard normal ones. The functions of the last of each are zero.
    y : ndarray of shape (n,)
        0 or 1, as floats.
    """
    rng = np.random.default_rng(seed)
    u = rng.random((n, 5))
    z = rng.standard_normal((n, 5))
    log_odds = (
        np.sin(2 * np.pi * u[:, 0])
        + 4 * (u[:, 1] - 0.5) ** 2
        + np.exp(-50 * (u[:, 2] - 0.4) ** 2)
        + 1.5 * u[:, 3]
        + 0.6 * z[:, 0]
        + np.tanh(2 * z[:, 1])
        + 0.5 * np.cos(2 * z[:, 2])
        - 0.2 * z[:, 3] ** 2
        - 1.2
    )
    y = (rng.random(n) < 1 / (1 + np.exp(-log_odds))).astype(float)
    return np.hstack([u, z]), y


def write_table(path, n):
    """Write ``simulate(n)`` as float64, column by column, the response last."""
    X, y = simulate(n)
    with open(path, "wb") as file:
        np.asfortranarray(X).T.tofile(file)
        y.tofile(file)


def read_table(path, n):
    """Read what :func:`write_table` wrote: X of shape (n, 10) and y of shape (n,)."""
    columns = np.fromfile(path).reshape(N_FEATURES + 1, n)
    return np.ascontiguousarray(columns[:-1].T), columns[-1].copy()


def fit_ours(path, n, setting):
    """Fit in this process; return seconds, total edf, deviance and memory in MiB.

    ``memory`` is the peak resident set of the whole process and ``memory_before`` what it was just before the fit:
    interpreter, imports and the table.
    """
    from kan_tabular import KAAMClassifier

    X, y = read_table(path, n)
    model = KAAMClassifier(**SETTINGS[setting])
    memory_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    eta = model.decision_function(X)
    deviance = 2 * float(np.sum(np.logaddexp(0, eta) - y * eta))
    edf = 1 + sum(model.edf_.values())
    return {"seconds": seconds, "edf": edf, "deviance": deviance, "memory": memory, "memory_before": memory_before}


def child(*arguments, threads):
    """Run this file in a fresh process and return the JSON it prints.

    The parent must stay small: on Linux a child's peak memory starts at the size of the process that forked it.
    """
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    done = subprocess.run(
        [sys.executable, __file__, *map(str, arguments)],
        env=os.environ | limits,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    return json.loads(done.stdout or "null")


def fit_mgcv(path, n, basis, threads):
    """Fit ``bam(discrete = TRUE)`` in R and return the JSON it prints."""
    script = Path(__file__).with_name("bam_discrete.R")
    command = ["Rscript", str(script), str(path), str(n), str(N_FEATURES), str(threads), basis]
    return json.loads(subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout)


def median_run(run, n):
    """The run with the median time, of several for small n."""
    runs = sorted((run() for _ in range(REPEATS if n < REPEAT_BELOW else 1)), key=lambda r: r["seconds"])
    return runs[len(runs) // 2]


def slope(sizes, seconds):
    """Least-squares slope of log seconds on log rows, above ``SLOPE_ABOVE`` rows; NaN with fewer than two sizes."""
    sizes, seconds = np.asarray(sizes, float), np.asarray(seconds, float)
    large = sizes >= SLOPE_ABOVE
    if large.sum() < 2:
        return float("nan")
    return float(np.polyfit(np.log(sizes[large]), np.log(seconds[large]), 1)[0])


def measure(sizes, threads):
    """One dict per size: rows, and the runs of ours under each setting and of mgcv with its faster basis."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.bin")
        for n in sizes:
            child("--write", path, n, threads=threads)
            result = {"rows": n}
            for setting in SETTINGS:
                result[setting] = median_run(lambda s=setting, n=n: child("--fit", path, n, s, threads=threads), n)
            if shutil.which("Rscript"):
                runs = [median_run(lambda b=b, n=n: fit_mgcv(path, n, b, threads), n) for b in MGCV_BASES]
                result["mgcv"] = min(runs, key=lambda r: r["seconds"])
            results.append(result)
            print(f"{n} rows done", file=sys.stderr, flush=True)
    return results


def scaling_report(results, threads):
    """The results as Markdown."""
    lines = [
        "# Fit time and memory against rows",
        "",
        f"Logistic response, {N_FEATURES} features, {threads} threads each, same data in one run "
        "(`examples/benchmarks/scaling.py`). ",
        "Time is the fit alone; memory is the peak of the whole process, in brackets what it held before the fit. ",
        '`default`: `KAAMClassifier()`; `reml`: `KAAMClassifier(smoothing="reml", select=False)`, the problem that '
        "`bam` solves.",
        "",
        "| rows | default, s | reml, s | bam(discrete), s | peak memory, MiB | edf default / reml / bam "
        "| deviance default / reml / bam |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for result in results:
        runs = [result["default"], result["reml"], result.get("mgcv")]
        times = [f"{r['seconds']:.3f}" if r else "" for r in runs]
        if runs[2]:
            times[2] += f" ({runs[2]['basis']})"
        edf = " / ".join(f"{r['edf']:.1f}" for r in runs if r)
        deviance = " / ".join(f"{r['deviance']:.1f}" for r in runs if r)
        memory = f"{runs[0]['memory']:.0f} ({runs[0]['memory_before']:.0f})"
        lines.append(f"| {result['rows']} | {' | '.join(times)} | {memory} | {edf} | {deviance} |")
    sizes = [result["rows"] for result in results]
    lines.append("")
    for name in ("default", "reml", "mgcv"):
        if all(name in result for result in results):
            value = slope(sizes, [result[name]["seconds"] for result in results])
            lines.append(f"Log-log slope of time on rows, from {SLOPE_ABOVE} rows, {name}: {value:.2f}. ")
    lines.append("")
    last = results[-1]
    if "mgcv" in last:
        mgcv = last["mgcv"]
        lines.append(
            f"mgcv {mgcv['mgcv']}, {mgcv['r']}, BLAS {Path(mgcv['blas']).name}: "
            '`bam(method="fREML", discrete=TRUE)`, k = 14, the faster of '
            f"{' and '.join(MGCV_BASES)} (named beside the time). "
        )
    else:
        lines.append("mgcv was not measured: no `Rscript` on the path.")
    lines += ["", *machine_section(("kan-tabular", "numpy", "scipy", "pandas"))]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def latency_report(rows=1_000, calls=2_000):
    """One-row ``predict_proba`` on an ndarray, in microseconds, against a scaled logistic regression, as Markdown.

    The two models take turns, call by call, so that a busy machine slows both.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from kan_tabular import KAAMClassifier

    X, y = simulate(rows)
    models = {
        "StandardScaler + LogisticRegression": make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y),
        "KAAMClassifier": KAAMClassifier().fit(X, y),
    }
    times = {name: np.empty(calls) for name in models}
    for call in range(calls):
        row = X[call % rows : call % rows + 1]
        for name, model in models.items():
            start = time.perf_counter()
            model.predict_proba(row)
            times[name][call] = time.perf_counter() - start
    medians = {name: 1e6 * float(np.median(t)) for name, t in times.items()}
    lines = ["| model | median one-row predict_proba, microseconds |", "|---|---:|"]
    lines += [f"| {name} | {value:.0f} |" for name, value in medians.items()]
    reference, ours = medians.values()
    lines += ["", f"Ratio {ours / reference:.2f} (bar: 3), {calls} calls each, {N_FEATURES} features."]
    return "\n".join(lines) + "\n"


def wide_report(rows=2_000, columns=500):
    """Seconds to fit a table with many columns, three of which matter, as Markdown."""
    from kan_tabular import KAAMClassifier

    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, columns))
    score = np.sin(2 * X[:, 0]) + X[:, 1] - X[:, 2] ** 2 / 2
    y = score + rng.logistic(size=rows) > 0
    start = time.perf_counter()
    model = KAAMClassifier().fit(X, y)
    seconds = time.perf_counter() - start
    return f"{rows} rows x {columns} columns: {seconds:.1f} s, {model.n_iter_} steps (bar: 60 s).\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=lambda text: [int(float(n)) for n in text.split(",")], default=SIZES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="also write the Markdown here")
    parser.add_argument("--latency", action="store_true", help="measure one-row latency instead")
    parser.add_argument("--wide", action="store_true", help="time a table of 2000 rows and 500 columns instead")
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--fit", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()

    if options.write:
        write_table(options.write[0], int(options.write[1]))
        return
    if options.fit:
        path, n, setting = options.fit
        print(json.dumps(fit_ours(path, int(n), setting)))
        return

    if options.latency:
        report = latency_report()
    elif options.wide:
        report = wide_report()
    else:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)  # said on the page
        report = scaling_report(measure(options.sizes, options.threads), options.threads)
    print(report)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
