"""Every benchmark in one list: what it runs, about how long it takes, and the page it writes.

Usage, from the root of the project::

    python examples/benchmarks/run_all.py --list
    python examples/benchmarks/run_all.py --only bands,similar_cases
    python examples/benchmarks/run_all.py                       # all of them

A script that stops with an error does not stop the others; the exit status then is 1. Scripts that keep records go on
where they were stopped. Each run writes the date, the machine and the versions to ``docs/benchmarks/environment.md``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from _common import environment

ROOT = Path(__file__).resolve().parents[2]
HERE, PAGES = Path("examples") / "benchmarks", Path("docs") / "benchmarks"
PACKAGES = (
    *("kan-tabular", "numpy", "scipy", "scikit-learn", "pandas", "torch", "sympy"),
    *("xgboost", "interpret-core", "pygam", "mapie"),
)


@dataclass(frozen=True)
class Benchmark:
    """One script.

    Attributes
    ----------
    script : str
    parts : tuple of str
        Arguments of its runs, one after the other; each as on a command line.
    minutes : int or None
        Roughly, all parts together on one core without any records yet: the seconds in the records, or of a few draws
        times their number. None: nobody has looked.
    page : str
        In ``docs/benchmarks``; written by the last part.
    needs : str
        What it cannot run without, or leaves out.
    """

    script: str
    parts: tuple[str, ...]
    minutes: int | None
    page: str
    needs: str = ""

    @property
    def name(self):
        return self.script.removesuffix(".py")

    def commands(self):
        """Arguments of Python for each part."""
        page = str(PAGES / self.page)
        return [[str(HERE / self.script), *part.format(page=page).split()] for part in self.parts]


BENCHMARKS = (
    Benchmark(
        "additive.py",
        ("run", "timing", "report --out {page}"),
        190,
        "additive.md",
        "../shared/bench; pip install '.[benchmark]'",
    ),
    Benchmark("bands.py", ("--out {page}",), 3, "bands.md"),
    Benchmark("scaling.py", ("--out {page}",), None, "scaling.md", "Rscript with mgcv and jsonlite for one column"),
    Benchmark(
        "networks.py",
        ("layers", "variance", "fit-time", "predict", "scaling", "report --out {page}"),
        50,
        "networks.md",
        "pykan and accuracy are parts of their own: they need another environment, and ../shared/bench",
    ),
    Benchmark(
        "network_settings.py", ("run", "report --out {page}"), 25, "network-settings.md", "../shared/bench for some"
    ),
    Benchmark("function_fitting.py", ("run", "report --out {page}"), 65, "function-fitting.md"),
    Benchmark("learned_first_layer.py", ("run", "report --out {page}"), 15, "learned-first-layer.md"),
    Benchmark("kacq.py", ("run", "report --out {page}"), 25, "kacq.md", "../shared/bench"),
    Benchmark(
        "symbolic.py",
        ("edges", "sums", "clinical", "report --out {page}"),
        10,
        "symbolic.md",
        "../shared/bench; pykan is a part of its own and needs another environment",
    ),
    Benchmark(
        "feynman.py",
        ("own", "report --out {page}"),
        None,
        "feynman.md",
        "peers is a part of its own and needs another environment",
    ),
    Benchmark("similar_cases.py", ("--out {page}",), None, "similar-cases.md"),
    Benchmark("metric_intervals.py", ("--out {page}",), 6, "metric-intervals.md"),
    Benchmark("report.py", ("--out {page}",), None, "report.md", "pip install '.[test]'; chromium"),
    Benchmark("descriptors.py", ("--out {page}",), None, "descriptors.md", "../shared/data"),
    Benchmark(
        "conformal_coverage.py",
        ("simulated", "real", "heart", "width", "report --out {page}"),
        None,
        "coverage.md",
        "../shared/bench",
    ),
)
#: A short name of another script, and one that compares environments, which have to be made by hand.
APART = ("coverage.py", "element_libraries.py")


def chosen(names):
    """The benchmarks of these names, in the order of the list; all without names.

    Raises
    ------
    SystemExit
        Naming those that do not exist.
    """
    known = {benchmark.name: benchmark for benchmark in BENCHMARKS}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise SystemExit(f"no benchmark {', '.join(unknown)}; there are {', '.join(known)}.")
    return [benchmark for name, benchmark in known.items() if not names or name in names]


def listing(benchmarks):
    """A line a benchmark, and a line a part."""
    lines = []
    for benchmark in benchmarks:
        needs = f"; needs {benchmark.needs}" if benchmark.needs else ""
        time = "not timed yet" if benchmark.minutes is None else f"about {benchmark.minutes} minutes"
        lines.append(f"{benchmark.name}: {time}, {PAGES / benchmark.page}{needs}")
        lines.extend(f"    python {' '.join(command)}" for command in benchmark.commands())
    total = sum(benchmark.minutes or 0 for benchmark in benchmarks)
    return "\n".join([*lines, f"those that were timed: together about {total / 60:.1f} hours without records"])


def run(benchmark):
    """Run all parts of one script; whether all went well. A part that fails ends it, so no page is made of half."""
    for command in benchmark.commands():
        print(f"== {' '.join(command)}", flush=True)
        if subprocess.run([sys.executable, *command], cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode:
            return False
    return True


def describe(results):
    """The page on when, where and with what these benchmarks ran."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = ["# The last run of the benchmarks", "", f"Written by `{HERE / 'run_all.py'}`, {now}.", ""]
    lines += [environment(PACKAGES) + ".", "", "| script | page | finished |", "|---|---|---|"]
    for benchmark, well in results:
        lines.append(f"| `{benchmark.script}` | [{benchmark.page}]({benchmark.page}) | {'yes' if well else 'no'} |")
    return "\n".join([*lines, ""])


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    parser.add_argument("--only", type=lambda text: text.split(","), help="names, with commas between them")
    args = parser.parse_args(argv)
    benchmarks = chosen(args.only)
    if args.list:
        print(listing(benchmarks))
        return 0
    results = [(benchmark, run(benchmark)) for benchmark in benchmarks]
    (ROOT / PAGES / "environment.md").write_text(describe(results), encoding="utf-8")
    return 0 if all(well for _, well in results) else 1


if __name__ == "__main__":
    sys.exit(main())
