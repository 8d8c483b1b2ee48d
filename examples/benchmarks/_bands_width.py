"""Second part of bands.py: why some bands are a little too wide, and when they are too narrow.

Other bands on the same draws (smoothing parameters taken as known; ``smoothing="reml"``; mgcv's, if ``Rscript`` is on
the path), and the same bands where the truth is drawn from the prior of the model. Then designs with little
information, where the default shrinks too far for its bands. All figures are pointwise, across the function.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from _bands_designs import grid_and_truth, line, nothing, respond
from scipy import stats

from kan_tabular import KAAMRegressor

_Z = stats.norm.ppf(0.975)
_FAMILIES = {"gaussian": "gaussian", "binary": "binomial", "poisson": "poisson"}
#: Title, rows, columns, response, and what a term's parts have for a common standard deviation.
PRIORS = (
    ("gaussian, 3 terms of moderate size", 400, 3, "gaussian", 0.5),
    ("gaussian, 3 small terms", 400, 3, "gaussian", 0.1),
    ("gaussian, 8 terms", 500, 8, "gaussian", 0.3),
    ("logistic, 3 terms", 800, 3, "binary", 0.5),
)


def term_coverage(model, X, curves):
    """Share of each term's grid within 1.96 standard errors (n_terms, 2): smoothing unknown, and known."""
    out = np.empty((len(curves), 2))
    for j, (name, curve) in enumerate(curves.items()):
        grid, truth = grid_and_truth(X[name].to_numpy(), curve)
        shape = model.shape_function(name, grid=grid)
        for k, se in enumerate((shape.se, shape.se_conditional)):
            out[j, k] = np.mean(np.abs(shape.y - truth) <= _Z * se)
    return out


def of_kaam(design, draws, seed=0, **settings):
    """Coverage (draws, n_terms, 2) of KAAM's bands with some settings, on the streams of `bands.simulate`."""
    out = []
    for i in range(draws):
        X, y, model = design.draw(np.random.default_rng([seed, i]))
        out.append(term_coverage(model.set_params(**settings).fit(X, y), X, design.curves))
    return np.array(out)


def of_mgcv(design, draws, seed=0):
    """The same of mgcv's ``gam(method="REML")``: ``unconditional=TRUE``, and its default. None without R."""
    if not shutil.which("Rscript"):
        return None
    tables, grids, truths = [], [], []
    for i in range(draws):
        X, y, _ = design.draw(np.random.default_rng([seed, i]))
        tables.append(X.assign(y=y, draw=i))
        pairs = {name: grid_and_truth(X[name].to_numpy(), curve) for name, curve in design.curves.items()}
        grids.append(pd.DataFrame({name: grid for name, (grid, _) in pairs.items()}).assign(draw=i))
        truths.append([truth for _, truth in pairs.values()])
    with tempfile.TemporaryDirectory() as folder:
        pd.concat(tables).to_csv(Path(folder, "tables.csv"), index=False)
        pd.concat(grids).to_csv(Path(folder, "grids.csv"), index=False)
        script = Path(__file__).with_name("bands_mgcv.R")
        subprocess.run(["Rscript", str(script), folder, _FAMILIES[design.response]], check=True)
        curves = pd.read_csv(Path(folder, "curves.csv"))
    truths = np.array(truths)
    away = np.abs(curves["fit"].to_numpy().reshape(truths.shape) - truths)
    errors = [curves[name].to_numpy().reshape(truths.shape) for name in ("se_unconditional", "se")]
    return np.stack([np.mean(away <= _Z * se, axis=2) for se in errors], axis=2)


def prior_curves(rng, names, X, common):
    """Curves drawn from the prior of KAAM's default, as functions of each column of `X`.

    The standard deviations of a term's line and of its curvature have logarithms that are half of Student's t with 3
    degrees of freedom, scaled by ``sqrt(1 + 6 / p)``, around that of `common` (``smoothing="auto"``; tails cut at a
    factor of ``exp(2.5)``). Given these, the coefficients of the model's own columns are independent and normal.
    """
    # The columns depend on X alone, not on the response or on how it is smoothed.
    network = KAAMRegressor(smoothing=1.0, select=False).fit(X, rng.normal(size=len(X))).network_
    curves = {}
    for name, columns, smoothing in zip(names, network.inputs, network.smoothing, strict=True):
        t = np.sqrt(1 + 6 / len(names)) * rng.standard_t(3, size=2)
        size = common * np.exp(np.clip(t, -5, 5) / 2)
        sd = np.repeat(size, smoothing.sizes) / np.sqrt(smoothing.scale)
        curves[name] = _Curve(columns, sd * rng.normal(size=len(sd)))
    return curves


class _Curve:
    def __init__(self, columns, coefficients):
        self.columns, self.coefficients = columns, coefficients

    def __call__(self, x):
        return self.columns.columns(x) @ self.coefficients


def of_prior(n, p, response, common, draws, seed=0, noise=0.5):
    """Coverage (draws, p, 2) where each draw has truths of its own, from the prior."""
    names, out = [f"x{j}" for j in range(p)], []
    for i in range(draws):
        rng = np.random.default_rng([seed, i])
        X = pd.DataFrame(rng.uniform(size=(n, p)), columns=names)
        curves = prior_curves(rng, names, X, common)
        y, model = respond(rng, response, sum(curve(X[name].to_numpy()) for name, curve in curves.items()), noise)
        out.append(term_coverage(model.fit(X, y), X, curves))
    return np.array(out)


def _cell(per_draw):
    """Mean over the draws and half of its 95% interval."""
    if per_draw is None:
        return "-"
    half = _Z * per_draw.std(ddof=1) / np.sqrt(len(per_draw))
    return f"{per_draw.mean():.3f} ± {half:.3f}".replace("0.", ".")


def _row(title, bands, terms=slice(None)):
    """One row: each band's cell, over some terms; `bands` holds (draws, n_terms) arrays or None."""
    return f"| {title} | " + " | ".join(_cell(None if b is None else b[:, terms].mean(axis=1)) for b in bands) + " |"


def why(designs, draws, progress=print):
    """Both comparisons as Markdown."""
    lines = [
        "## Why some bands are a little too wide",
        "",
        f"Other bands on the first {draws} of these draws: pointwise, across the function, all terms together. *Known* "
        "means that smoothing parameters count as known. The last rows take the terms of all designs that are a line "
        'or nothing, and all others. mgcv is `gam(method="REML")` with as many B-splines, `unconditional=TRUE` and '
        "`FALSE`.",
        "",
        '| design | KAAM | known | `smoothing="reml"` | known | mgcv | known |',
        "|---|---|---|---|---|---|---|",
    ]
    plain, curved = [], []
    for name, design in designs.items():
        fits = [of_kaam(design, draws), of_kaam(design, draws, smoothing="reml")]
        fits.append(of_mgcv(design, draws))
        bands = [None if fit is None else fit[:, :, k] for fit in fits for k in (0, 1)]
        lines.append(_row(name, bands))
        for j, curve in enumerate(design.curves.values()):
            one = [None if b is None else b[:, [j]] for b in bands]
            (plain if curve in (line, nothing) else curved).append(one)
        progress(f"{name}: compared")
    for title, terms in (("**lines and nothing**", plain), ("**curves**", curved)):
        if terms:
            lines.append(_row(title, [None if b[0] is None else np.hstack(b) for b in zip(*terms, strict=True)]))
    lines += [
        "",
        f"Truths drawn from the prior of the model, another one in each of {draws} draws:",
        "",
        "| design | KAAM | known |",
        "|---|---|---|",
    ]
    for title, *setting in PRIORS:
        covered = of_prior(*setting, draws)
        lines.append(_row(title, [covered[:, :, 0], covered[:, :, 1]]))
    return "\n".join([*lines, "", *_CONCLUSION]) + "\n"


def little(designs, draws):
    """Coverage where there is little information, as Markdown: a row for each design, and for each of its terms."""
    lines = [
        "## Where there is little information",
        "",
        f"Other designs, {draws} draws. `select=True`, the default, also shrinks straight lines, towards nothing.",
        "",
        '| design | KAAM | `select=False` | `select=False, smoothing="reml"` | mgcv |',
        "|---|---|---|---|---|",
    ]
    for name, design in designs.items():
        fits = [of_kaam(design, draws, **settings) for settings in _UNSHRUNK]
        bands = [None if fit is None else fit[:, :, 0] for fit in (*fits, of_mgcv(design, draws))]
        lines.append(_row(f"**{name}**", bands))
        lines += [_row(term, bands, [j]) for j, term in enumerate(design.curves)]
    return "\n".join([*lines, "", *_LITTLE]) + "\n"


_UNSHRUNK = ({}, {"select": False}, {"select": False, "smoothing": "reml"})

_CONCLUSION = (
    "A band is a posterior interval: it promises 95% on average over the functions that its prior expects (Nychka "
    "1988; Marra and Wood 2012). The curves of these designs are smoother than most of those, and a line, or nothing, "
    "is the extreme: the data cannot rule out a little curvature, the band leaves room for it, and the truth never "
    "uses it. mgcv's bands are about as wide around curves, and somewhat narrower around lines. Where the truth comes "
    "from the prior, bands hold it slightly less often than 95%. Narrower bands would look better on these designs and "
    "miss more elsewhere, so they stay as they are; in particular, smoothing parameters do not count as known.",
)
_LITTLE = (
    "Shrinkage is a bias that the prior expects, but these truths do not follow the prior: with few rows, lines and "
    "waves are drawn towards nothing by more than the bands allow for. **Where there are few events and the bands are "
    "what is read, use `select=False`.** With more rows the default comes up to it.",
)
