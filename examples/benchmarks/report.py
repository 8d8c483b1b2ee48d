"""Time to build a report, its size, and how soon a browser can use it, for 30 columns and 2,000 test rows.

Usage::

    OMP_NUM_THREADS=1 python examples/benchmarks/report.py --out docs/benchmarks/report.md

Data: 24 numeric columns, a tenth of two of them missing, and 6 categories; 2,000 training and 2,000 test rows. Each
build runs in a process of its own, so that "first" includes importing what it needs (shap and matplotlib, too, where
they are installed); "again" is the next one in that process. With one thread, seconds of the processor are those of a
core that nobody else uses. The browser is the system's Chromium, without a network: "usable" is when the page has been
parsed and the panel has computed its first answer (the end of DOMContentLoaded, from the start of the navigation),
"answer" the time from an input event to the page with the new answer written, both as the median over `OPENINGS`
openings of the file. Needs playwright (extra ``test``) and chromium.
"""

import argparse
import multiprocessing
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _common import machine_section

N_NUMERIC, N_CATEGORIES, ROWS, OPENINGS = 24, 6, 2000, 15
MODELS = ("KAAMClassifier", "KAAMClassifier, 3 classes", "KAAMRegressor", "LogisticKAN")


def simulate(seed=0):
    """A table of training and test rows, and the latent score of each row."""
    rng = np.random.default_rng(seed)
    n = 2 * ROWS
    X = pd.DataFrame(rng.lognormal(0, 0.5, (n, N_NUMERIC)), columns=[f"laboratory value {j}" for j in range(N_NUMERIC)])
    for j in range(N_CATEGORIES):
        X[f"category {j}"] = rng.choice([f"level {k}" for k in range(2 + 3 * j)], n)
    score = np.log(X.iloc[:, :6]).to_numpy() @ [2, -1.5, 1, 1, -1, 0.5] + (X["category 0"] == "level 0")
    holes = rng.random((n, 2)) < 0.1
    X.iloc[:, :2] = X.iloc[:, :2].mask(holes)
    return X, np.asarray(score + rng.logistic(size=n))


def build(name, path, pipe):
    """Fit a model and build its report twice; sends the two times in seconds of the processor."""
    import kan_tabular
    from kan_tabular.report import build_report

    X, score = simulate()
    kind = name.split(",")[0]
    if kind == "KAAMRegressor":
        y = score
    else:
        n_classes = 3 if "3" in name else 2
        y = np.searchsorted(np.quantile(score, np.arange(1, n_classes) / n_classes), score)
    model = getattr(kan_tabular, kind)(random_state=0).fit(X[:ROWS], y[:ROWS])
    times = []
    for _ in range(2):
        start = time.process_time()
        build_report(model, X[ROWS:], y[ROWS:], path, outcome="outcome", n_training=ROWS, patients=[0, 1])
        times.append(time.process_time() - start)
    pipe.send(times)


def open_page(browser, path):
    """Milliseconds until the page can be used, and from an input to its answer."""
    context = browser.new_context()
    context.set_offline(True)
    page = context.new_page()
    page.goto(Path(path).as_uri())
    usable = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    assert page.locator("#panel").is_visible()
    answer = page.evaluate(
        """() => {
          const field = document.querySelector("#panel input[type=number]");
          field.value = String(Number(field.value) * 1.1);
          const start = performance.now();
          field.dispatchEvent(new Event("input"));
          return performance.now() - start;
        }"""
    )
    context.close()
    return usable, answer


def measure(browser, folder):
    """One row of the table for each model."""
    context = multiprocessing.get_context("spawn")
    for name in MODELS:
        path = Path(folder) / "report.html"
        receive, send = context.Pipe(duplex=False)
        process = context.Process(target=build, args=(name, path, send))
        process.start()
        send.close()  # so that a build that fails is an error here, too
        first, again = receive.recv()
        process.join()
        opened = np.median([open_page(browser, path) for _ in range(OPENINGS)], axis=0)
        yield name, first, again, path.stat().st_size / 1e6, *opened


def page(rows):
    """The measurements as a Markdown page."""
    lines = [
        "# Time and size of a report",
        "",
        f"{N_NUMERIC} numeric columns, {N_CATEGORIES} categories, {ROWS:,} test rows, two patients",
        "(`examples/benchmarks/report.py`). Seconds of one core to build (first: with imports), size of the",
        "file, and milliseconds in Chromium without a network: until the page can be used, and from an input to its",
        "answer.",
        "",
        "| model | first, s | again, s | size, MB | usable, ms | answer, ms |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [f"| {name} | {a:.1f} | {b:.1f} | {size:.2f} | {u:.0f} | {w:.1f} |" for name, a, b, size, u, w in rows]
    lines += ["", *machine_section(("kan-tabular", "numpy", "scikit-learn", "torch", "playwright"))]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="Markdown file to write; by default the page is printed.")
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        parser.error("needs the chromium of the system (Debian: apt-get install chromium)")
    with sync_playwright() as running, tempfile.TemporaryDirectory() as folder:
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        text = page(list(measure(browser, folder)))
        browser.close()
    if arguments.out is None:
        print(text)
    else:
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
