"""Coverage of the 95% bands of KAAM's curves on eight simulated designs.

For every draw a design simulates a table, fits the additive model with its defaults and looks at each term on a grid
that is uniform *in the data* (200 quantiles of the training column). The truth is centred on the training rows, as the
fitted curves are. Two figures come out:

pointwise
    The share of the grid where the pointwise band holds the truth, averaged over the grid, the draws and the terms
    ("across the function", Nychka 1988; Marra and Wood 2012). Its nominal value is .95.
simultaneous
    The share of draws in which the simultaneous band holds the truth on the whole grid, averaged over the terms.

Intervals are 95%: normal over the draws' means for the pointwise figure, Wilson for the simultaneous one of a term,
normal over the draws for the simultaneous figure of a design (the terms of one draw are not independent).

A second part compares with other bands on the first of these draws, and with truths drawn from the model's prior
(``_bands_width.py``).

Run ``python examples/benchmarks/bands.py --out docs/benchmarks/bands.md`` with one thread (``OMP_NUM_THREADS=1``).
"""

import argparse
import time
from pathlib import Path

import numpy as np
from _bands_designs import DESIGNS, LITTLE, grid_and_truth
from _bands_width import little, why
from _common import machine_section
from scipy import stats


def simulate(design, draws, seed=0):
    """Coverage of each term in each draw.

    Parameters
    ----------
    design : Design
    draws : int
    seed : int
        Draw ``i`` uses the stream ``[seed, i]``, so that more draws repeat the fewer ones.

    Returns
    -------
    pointwise : ndarray of shape (draws, n_terms)
        Share of the grid inside the pointwise band.
    simultaneous : ndarray of shape (draws, n_terms)
        1 where the whole grid lies inside the simultaneous band.
    """
    pointwise = np.empty((draws, len(design.curves)))
    simultaneous = np.empty_like(pointwise)
    for i in range(draws):
        X, y, model = design.draw(np.random.default_rng([seed, i]))
        model.fit(X, y)
        for j, (name, curve) in enumerate(design.curves.items()):
            grid, truth = grid_and_truth(X[name].to_numpy(), curve)
            shape = model.shape_function(name, grid=grid)
            pointwise[i, j] = np.mean((shape.lower <= truth) & (truth <= shape.upper))
            simultaneous[i, j] = np.all((shape.lower_simultaneous <= truth) & (truth <= shape.upper_simultaneous))
    return pointwise, simultaneous


def mean_interval(per_draw, level=0.95):
    """Mean over the draws and its normal interval, clipped to (0, 1)."""
    mean = per_draw.mean()
    half = stats.norm.ppf((1 + level) / 2) * per_draw.std(ddof=1) / np.sqrt(len(per_draw))
    return mean, max(mean - half, 0.0), min(mean + half, 1.0)


def wilson_interval(successes, trials, level=0.95):
    """A share and its Wilson interval."""
    interval = stats.binomtest(int(successes), int(trials)).proportion_ci(level, method="wilson")
    return successes / trials, interval.low, interval.high


def _cell(figure):
    mean, low, high = (f"{value:.3f}".removeprefix("0") for value in figure)
    return f"{mean} ({low} to {high})"


def rows(name, pointwise, simultaneous):
    """The table's rows for one design: all its terms together, then each."""
    draws = len(pointwise)
    yield [f"**{name}**", "all", mean_interval(pointwise.mean(axis=1)), mean_interval(simultaneous.mean(axis=1))]
    for j, term in enumerate(DESIGNS[name].curves):
        yield ["", term, mean_interval(pointwise[:, j]), wilson_interval(simultaneous[:, j].sum(), draws)]


def report(names, draws, progress=print):
    """Simulate the designs and write the result as a Markdown table."""
    lines = [
        f"Coverage of nominal 95% bands, {draws} draws a design (95% intervals in brackets); "
        "written by `examples/benchmarks/bands.py`.",
        "",
        "| design | term | pointwise, across the function | simultaneous |",
        "|---|---|---|---|",
    ]
    for name in names:
        start = time.perf_counter()
        for design, term, pointwise, simultaneous in rows(name, *simulate(DESIGNS[name], draws)):
            lines.append(f"| {design} | {term} | {_cell(pointwise)} | {_cell(simultaneous)} |")
        progress(f"{name}: {time.perf_counter() - start:.0f} s")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--compare", type=int, default=100, help="draws of the comparison with other bands; 0: none")
    parser.add_argument("--designs", default=",".join(DESIGNS), help="comma-separated names; all by default")
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    arguments = parser.parse_args()
    names = [name.strip() for name in arguments.designs.split(",")]
    unknown = sorted(set(names) - set(DESIGNS))
    if unknown:
        parser.error(f"unknown designs {unknown}; choose from {list(DESIGNS)}")
    table = report(names, arguments.draws)
    if arguments.compare:
        table += "\n" + why({name: DESIGNS[name] for name in names}, arguments.compare)
        table += "\n" + little(LITTLE, arguments.compare)
    table = "\n".join([table, *machine_section(("kan-tabular", "numpy", "scipy", "pandas"))]) + "\n"
    print(table)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text("# Coverage of the bands\n\n" + table, encoding="utf-8")


if __name__ == "__main__":
    main()
