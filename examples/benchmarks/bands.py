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

Run ``python examples/benchmarks/bands.py --out docs/benchmarks/bands.md`` with one thread (``OMP_NUM_THREADS=1``).
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from _common import machine_section
from scipy import stats

from kan_tabular import KAAMClassifier, KAAMRegressor

Curve = Callable[[np.ndarray], np.ndarray]
N_GRID = 200


def wave(x):
    return np.sin(2 * np.pi * x)


def hill(x):
    return 2 * np.exp(-0.5 * ((x - 0.6) / 0.2) ** 2)


def rise(x):
    return np.exp(2 * x) / 4


def line(x):
    return 1.5 * x


def nothing(x):
    return np.zeros_like(x)


def rough(x):
    """Two unequal peaks: the third test function of Gu and Wahba (1991), scaled to unit height."""
    return (0.2 * x**11 * (10 * (1 - x)) ** 6 + 10 * (10 * x) ** 3 * (1 - x) ** 10) / 8


def ripple(x):
    return np.sin(4 * np.pi * x)


def uniform(rng, n, p):
    """Independent columns on (0, 1)."""
    return rng.uniform(size=(n, p))


def sparse(rng, n, p):
    """A skewed column whose right half is nearly empty, a column with a gap, then uniform ones."""
    X = rng.uniform(size=(n, p))
    X[:, 0] = rng.beta(1, 4, n)
    left = rng.random(n) < 0.7
    X[:, 1] = np.where(left, rng.uniform(0, 0.4, n), rng.uniform(0.75, 1, n))
    return X


def correlated(rng, n, p):
    """Uniform columns whose normal scores correlate by .7."""
    shared = rng.normal(size=(n, 1))
    return stats.norm.cdf(np.sqrt(0.7) * shared + np.sqrt(0.3) * rng.normal(size=(n, p)))


@dataclass(frozen=True)
class Design:
    """One simulated situation.

    Attributes
    ----------
    n : int
        Rows a draw.
    response : {"gaussian", "binary", "poisson"}
    curves : dict of str to callable
        The true term of each column, on the link scale.
    columns : callable
        ``columns(rng, n, p)`` draws the table.
    noise : float
        Standard deviation of a Gaussian response.
    intercept : float
    """

    n: int
    response: str
    curves: dict[str, Curve]
    columns: Callable = uniform
    noise: float = 0.5
    intercept: float = 0.0

    def draw(self, rng):
        """One table, its response and an unfitted model."""
        X = pd.DataFrame(self.columns(rng, self.n, len(self.curves)), columns=list(self.curves))
        eta = self.intercept + sum(curve(X[name].to_numpy()) for name, curve in self.curves.items())
        if self.response == "gaussian":
            return X, eta + self.noise * rng.normal(size=self.n), KAAMRegressor()
        if self.response == "poisson":
            return X, rng.poisson(np.exp(eta)).astype(float), KAAMRegressor(loss="poisson")
        return X, (rng.random(self.n) < 1 / (1 + np.exp(-eta))).astype(int), KAAMClassifier()


DESIGNS = {
    "gaussian smooth": Design(400, "gaussian", {"wave": wave, "hill": hill, "rise": rise}),
    "gaussian rough": Design(600, "gaussian", {"rough": rough, "ripple": ripple, "line": line}, noise=0.4),
    "gaussian null": Design(400, "gaussian", {"wave": wave, "rise": rise, "nothing": nothing}),
    "gaussian sparse": Design(400, "gaussian", {"skewed": hill, "gap": wave, "line": line}, columns=sparse),
    "gaussian correlated": Design(
        500, "gaussian", {"wave": wave, "hill": hill, "rise": rise, "line": line}, columns=correlated
    ),
    "logistic smooth": Design(1000, "binary", {"wave": wave, "hill": hill, "rise": rise}, intercept=-1.5),
    "logistic line and null": Design(800, "binary", {"wave": wave, "line": line, "nothing": nothing}, intercept=-0.7),
    "poisson": Design(500, "poisson", {"wave": wave, "hill": hill, "rise": rise}, intercept=-0.5),
}


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
    share = (np.arange(N_GRID) + 0.5) / N_GRID
    for i in range(draws):
        X, y, model = design.draw(np.random.default_rng([seed, i]))
        model.fit(X, y)
        for j, (name, curve) in enumerate(design.curves.items()):
            x = X[name].to_numpy()
            grid = np.quantile(x, share)
            truth = curve(grid) - curve(x).mean()
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
    parser.add_argument("--designs", default=",".join(DESIGNS), help="comma-separated names; all by default")
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    arguments = parser.parse_args()
    names = [name.strip() for name in arguments.designs.split(",")]
    unknown = sorted(set(names) - set(DESIGNS))
    if unknown:
        parser.error(f"unknown designs {unknown}; choose from {list(DESIGNS)}")
    lines = machine_section(("kan-tabular", "numpy", "scipy", "pandas"))
    table = "\n".join([report(names, arguments.draws), *lines]) + "\n"
    print(table)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text("# Coverage of the bands\n\n" + table, encoding="utf-8")


if __name__ == "__main__":
    main()
