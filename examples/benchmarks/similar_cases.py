"""Time of exact retrieval with `SimilarCases` as the number of stored cases grows, beside scikit-learn's neighbours.

Usage::

    OMP_NUM_THREADS=1 python examples/benchmarks/similar_cases.py --out docs/benchmarks/similar-cases.md

Data: 30 independent normal columns and a logistic response; the model is fitted on the first 20,000 rows, the cases are
all of them. Each query is a new row by itself, as in a consulting room, in the space of contributions. Shown are the
median and the 95th percentile over `QUERIES` of them. `NearestNeighbors` searches the same coordinates; the k-d tree is
left out above `TREE_UP_TO` cases. Our search always runs on one thread, scikit-learn's on those it is given
(`OMP_NUM_THREADS`); one each is the comparison that a busy machine does not distort.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _common import machine_section
from sklearn.neighbors import NearestNeighbors

from kan_tabular import KAAMClassifier
from kan_tabular.explain import SimilarCases

N_COLUMNS, QUERIES, TRAINING, TREE_UP_TO = 30, 40, 20_000, 100_000
SIZES = (10_000, 100_000, 1_000_000)


def simulate(n, seed=0):
    """Thirty normal columns, ten of which bend the log-odds."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.standard_normal((n, N_COLUMNS)), columns=[f"lab {j}" for j in range(N_COLUMNS)])
    Z = X.to_numpy()
    log_odds = np.sin(2 * Z[:, :4]).sum(1) + 0.5 * Z[:, 4:8].sum(1) + 0.3 * (Z[:, 8:10] ** 2 - 1).sum(1)
    return X, (rng.random(n) < 1 / (1 + np.exp(-log_odds))).astype(int)


def milliseconds(answer, queries):
    """Median and 95th percentile of the time of one answer."""
    answer(queries[0])
    times = []
    for query in queries:
        start = time.perf_counter()
        answer(query)
        times.append(1e3 * (time.perf_counter() - start))
    return tuple(np.percentile(times, [50, 95]))


def measure(model, X, y, queries):
    """One row of the table, for the cases X."""
    start = time.perf_counter()
    cases = SimilarCases(model).fit(X, y)
    row = {"cases": len(X), "fit": time.perf_counter() - start}
    row["kneighbors"] = milliseconds(cases.kneighbors, queries)
    row["query"] = milliseconds(cases.query, queries)
    rows = model.explain(X).values
    points = [model.explain(query).values for query in queries]
    for algorithm in ("brute", "kd_tree"):
        if algorithm == "brute" or len(X) <= TREE_UP_TO:
            peer = NearestNeighbors(n_neighbors=5, algorithm=algorithm).fit(rows)
            row[algorithm] = milliseconds(peer.kneighbors, points)
            for point, query in zip(points, queries, strict=True):
                np.testing.assert_allclose(peer.kneighbors(point)[0], cases.kneighbors(query)[0], atol=1e-6)
    return row


def page(rows):
    """The measurements as a Markdown page."""
    lines = [
        "# Time of a query for similar cases",
        "",
        f"{N_COLUMNS} numeric columns, one query at a time, 5 neighbours, exact",
        "(`examples/benchmarks/similar_cases.py`). Milliseconds, median (95th percentile).",
        "`kneighbors` and `query` start from a table's row and include its contributions;",
        "the columns of scikit-learn's `NearestNeighbors` start from contributions.",
        "`fit` stores the cases and measures the usual distances, in seconds. Our search runs on one thread.",
        "Ten of the columns matter to the model: a k-d tree gains from the others' small contributions.",
        "",
        "| cases | fit, s | `kneighbors`, ms | `query`, ms | scikit-learn brute, ms | scikit-learn k-d tree, ms |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        times = [
            f"{row[name][0]:.1f} ({row[name][1]:.1f})" if name in row else "-"
            for name in ("kneighbors", "query", "brute", "kd_tree")
        ]
        lines.append(f"| {row['cases']} | {row['fit']:.1f} | {' | '.join(times)} |")
    end = machine_section(("kan-tabular", "numpy", "scipy", "scikit-learn"))
    return "\n".join([*lines, "", *end]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the page here as well")
    out = parser.parse_args().out
    X, y = simulate(max(SIZES))
    model = KAAMClassifier().fit(X[:TRAINING], y[:TRAINING])
    new = simulate(QUERIES, seed=1)[0]
    queries = [new[i : i + 1] for i in range(QUERIES)]
    text = page([measure(model, X[:n], y[:n], queries) for n in SIZES])
    print(text, end="")
    if out:
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
