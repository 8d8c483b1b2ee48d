"""Every benchmark in one list: what it runs, about how long it takes, its page; and one page with every table.

Usage, from the root of the project::

    python examples/benchmarks/run_all.py --list
    python examples/benchmarks/run_all.py --only bands,similar_cases
    python examples/benchmarks/run_all.py                       # all of them
    python examples/benchmarks/run_all.py --tables              # the page with every table alone

A script that stops with an error does not stop the others; the exit status then is 1. Scripts that keep records go on
where they were stopped. At the end ``docs/benchmarks/tables.md`` is made of all pages there are: every table, and when,
where and with which versions its numbers came about.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE, PAGES = Path("examples") / "benchmarks", Path("docs") / "benchmarks"
TABLES = PAGES / "tables.md"


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
    Benchmark(
        "all_tasks.py",
        ("run", "report --out {page}"),
        None,
        "all-tasks.md",
        "../shared/bench; pip install '.[benchmark]' catboost pytabkit",
    ),
    Benchmark("bands.py", ("--out {page}",), 11, "bands.md", "Rscript with mgcv for its columns"),
    Benchmark(
        "critical_assessment.py",
        ("run", "report --out {page}"),
        35,
        "critical-assessment.md",
        "KAN_TABULAR_DATA or a network for six of its tables",
    ),
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
    Benchmark(
        "clinical_paper.py",
        ("published", "repeated", "repeated --models ebm --repeats 2", "report --out {page}"),
        None,
        "clinical-paper.md",
        "the obesity table; pip install '.[benchmark]'; recipe is a part of its own and needs another environment",
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


def tables_of(text):
    """Title of a page, its tables below the headings they stand under, and its last section.

    Parameters
    ----------
    text : str
        Markdown.

    Returns
    -------
    title : str
    lines : list of str
        Headings, all of the third level, and tables.
    end : list of str
        The lines under "Machine and versions".
    """
    title, lines, end, heading, in_table = "", [], [], "", False
    for line in text.splitlines():
        if line.startswith("# "):
            title = line[2:]
        elif line.startswith("#"):
            heading = line
        elif heading == "## Machine and versions":
            end += [line] if line else []
        elif line.startswith("|"):
            if not in_table:
                lines += ["", f"### {heading.lstrip('# ')}", ""] if heading else [""]
                heading = ""
            lines.append(line)
        in_table = line.startswith("|")
    return title, lines, end


def every_table(benchmarks):
    """One page of all tables that the pages of these benchmarks have."""
    out = [
        "# Every table",
        "",
        f"Collected by `{HERE / 'run_all.py'} --tables` from the pages of the benchmarks, which say what was measured "
        "and how to read it. Under each title: when, on which machine and with which versions.",
    ]
    for benchmark in benchmarks:
        page = ROOT / PAGES / benchmark.page
        if not page.exists():
            continue
        title, lines, end = tables_of(page.read_text(encoding="utf-8"))
        out += ["", f"## {title}", "", f"[{benchmark.page}]({benchmark.page}), `{HERE / benchmark.script}`.", "", *end]
        out += lines
    return "\n".join(out) + "\n"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    parser.add_argument("--tables", action="store_true", help="run nothing, only collect the tables of all pages")
    parser.add_argument("--only", type=lambda text: text.split(","), help="names, with commas between them")
    args = parser.parse_args(argv)
    benchmarks = chosen(args.only)
    if args.list:
        print(listing(benchmarks))
        return 0
    failed = [] if args.tables else [benchmark.script for benchmark in benchmarks if not run(benchmark)]
    (ROOT / TABLES).write_text(every_table(BENCHMARKS), encoding="utf-8")
    print(f"{TABLES} is written" + (f"; stopped with an error: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
