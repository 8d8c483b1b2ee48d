"""Simulated designs for `coverage.py`: where the truth is known, promises can be counted on fresh draws."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd
from mapie.classification import SplitConformalClassifier
from scipy.stats import norm
from sklearn.linear_model import LinearRegression, QuantileRegressor

from kan_tabular import KAAMClassifier, KAAMRegressor
from kan_tabular.uncertainty import ConformalClassifier, ConformalRegressor, covers

LEVELS = (0.8, 0.9, 0.95)
N_TRAIN, N_CALIBRATION, N_TEST = 300, 300, 1000
#: Rows of the methods that fit as many models as there are rows, or folds.
N_SMALL, N_FOLDED = 60, 200
COLUMNS = ["a", "b", "c"]


def table(rng, n):
    """Three columns and a group: one row in four is of the group "rare", whose outcome is noisier."""
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=COLUMNS)
    return X, np.where(rng.random(n) < 0.25, "rare", "common")


def binary(rng, n):
    X, group = table(rng, n)
    clarity = np.where(group == "rare", 0.5, 2.5)
    eta = clarity * (np.sin(1.5 * X["a"]) + 0.7 * X["b"]) - 0.8
    return X, np.where(rng.random(n) < 1 / (1 + np.exp(-eta)), "yes", "no"), group


def four(rng, n):
    X, group = table(rng, n)
    clarity = np.where(group == "rare", 0.6, 2.0)[:, None]
    scores = np.stack([np.sin(X["a"] + k) + (-1) ** k * X["b"] * (k + 1) / 3 for k in range(4)], axis=1)
    scores = clarity * scores + np.array([0.6, 0.2, 0.0, -0.3])
    return X, np.array(list("pqrs"))[(scores + rng.gumbel(size=scores.shape)).argmax(1)], group


def regression(rng, n):
    X, group = table(rng, n)
    noise = np.where(group == "rare", 2.0, 0.7) * np.exp(X["c"] / 3)
    return X, (np.sin(2 * X["a"]) + X["b"] + noise * rng.normal(size=n)).to_numpy(), group


DESIGNS = {"binary": binary, "four classes": four, "regression": regression}


def expected(n, level):
    """Mean and variance of coverage over one calibration of n rows, of `N_TEST` new ones (beta-binomial)."""
    k = int(np.ceil((n + 1) * level - 1e-9))
    mean = k / (n + 1)
    return mean, mean * (1 - mean) / (n + 2)


class Counts:
    """Coverage of repeated draws, by option, stratum and level, beside what theory expects."""

    def __init__(self):
        self.draws = defaultdict(list)

    def add(self, option, stratum, level, hit, size, n=None):
        """One draw: which rows were covered, the sets' sizes or widths, and the calibration rows behind them."""
        mean, variance = expected(n, level) if n else (np.nan, np.nan)
        m = max(len(hit), 1)
        variance = variance + (mean * (1 - mean) - variance) / m  # of a share of m rows
        finite = size[np.isfinite(size)]
        self.draws[option, stratum, level].append((hit.mean(), finite.mean(), np.mean(size == 0), mean, variance))

    def records(self, design):
        """One record a combination: coverage and its 99.9% range by theory, over all draws."""
        z = norm.ppf(0.9995)
        for (option, stratum, level), draws in self.draws.items():
            cover, size, empty, mean, variance = np.array(draws).T
            half = z * np.sqrt(variance.sum()) / len(draws)
            yield {
                "design": design,
                "option": option,
                "stratum": stratum,
                "level": level,
                "repetitions": len(draws),
                "coverage": cover.mean(),
                "error": cover.std(ddof=1) / np.sqrt(len(draws)),
                "size": size.mean(),
                "empty": empty.mean(),
                "low": mean.mean() - half,
                "high": mean.mean() + half,
            }


def strata(y, group, classes):
    """Rows of all, of each class and of each group, by name."""
    out = {"all": np.ones(len(y), dtype=bool)}
    if classes is not None:
        out |= {f"class {c}": y == c for c in classes}
    return out | {f"group {g}": group == g for g in ("common", "rare")}


def draw_classes(counts, make, rng):
    """One draw of a classification design: a fit, calibrated in several ways, and CV+."""
    X, y, _ = make(rng, N_TRAIN)
    Xc, yc, gc = make(rng, N_CALIBRATION)
    Xt, yt, gt = make(rng, N_TEST)
    fitted = KAAMClassifier().fit(X, y)
    settings = {"confidence_level": LEVELS, "empty": "allow", "prefit": True}
    for option, conditional, by_group in (
        ("split", None, False),
        ("split, by class", "class", False),
        ("split, by group", None, True),
    ):
        model = ConformalClassifier(fitted, conditional=conditional, **settings)
        model.conformalize(Xc, yc, conditional_on=gc if by_group else None)
        sets = model.predict_set(Xt, conditional_on=gt if by_group else None)
        _count(counts, option, model, sets, yt, gt, yc, gc)
    filled = ConformalClassifier(fitted, **{**settings, "empty": "argmax"}).conformalize(Xc, yc)
    _count(counts, "split, default", filled, filled.predict_set(Xt), yt, gt)
    peer = SplitConformalClassifier(KAAMClassifier().fit(X.to_numpy(), y), LEVELS).conformalize(Xc.to_numpy(), yc)
    sets = peer.predict_set(Xt.to_numpy())[1]
    rows, levels = np.nonzero(~sets.any(1))
    sets[rows, filled.predict_proba(Xt).argmax(1)[rows], levels] = True
    _count(counts, "MAPIE LAC, filled", filled, sets, yt, gt)
    whole = ConformalClassifier(
        KAAMClassifier(),
        calibration_size=0.5,
        confidence_level=LEVELS,
        empty="allow",
        random_state=int(rng.integers(2**31)),
    ).fit(pd.concat([X, Xc], ignore_index=True), np.append(y, yc))
    known = np.zeros(len(whole.calibration_.scores))
    _count(counts, "split by fit", whole, whole.predict_set(Xt), yt, gt, known, known, only_all=True)


def draw_folded_classes(counts, make, rng):
    """One draw for CV+."""
    X, y, _ = make(rng, N_FOLDED)
    Xt, yt, gt = make(rng, N_TEST)
    seed = int(rng.integers(2**31))
    model = ConformalClassifier(
        KAAMClassifier(), method="cross", confidence_level=LEVELS, empty="allow", random_state=seed
    ).fit(X, y)
    _count(counts, "cross", model, model.predict_set(Xt), yt, gt, only_all=True)


def _count(counts, option, model, sets, y, group, y_known=None, g_known=None, only_all=False):
    """Add every stratum and level; what theory expects is known where calibration rows are given."""
    hit, size = covers(y, sets, model.classes_), sets.sum(1)
    for name, rows in strata(y, group, model.classes_).items():
        if only_all and name != "all":
            continue
        n = _rows_behind(option, name, y_known, g_known)
        for k, level in enumerate(LEVELS):
            counts.add(option, name, level, hit[rows, k], size[rows, k], n)


def _rows_behind(option, stratum, y_known, g_known):
    """Calibration rows that stand behind a stratum's guarantee; None where there is none."""
    if y_known is None:
        return None
    kind, _, label = stratum.partition(" ")
    if option.endswith("by class"):
        return int((y_known == label).sum()) if kind == "class" else None
    if option.endswith("by group"):
        return int((g_known == label).sum()) if kind == "group" else None
    return len(g_known) if stratum == "all" else None


def draw_values(counts, make, rng):
    """One draw of the regression design."""
    X, y, _ = make(rng, N_TRAIN)
    Xc, yc, gc = make(rng, N_CALIBRATION)
    Xt, yt, gt = make(rng, N_TEST)
    fitted = KAAMRegressor().fit(X, y)
    settings = {"confidence_level": LEVELS, "prefit": True}
    models = {"split": ConformalRegressor(fitted, **settings).conformalize(Xc, yc)}
    models["split, normalized"] = ConformalRegressor(
        fitted, conformity_score="normalized", scale=lambda model, X: np.exp(X["c"] / 3), **settings
    ).conformalize(Xc, yc)
    quantiles = QuantileRegressor(alpha=0, solver="highs")
    cqr = ConformalRegressor(quantiles, method="cqr", calibration_size=None, confidence_level=LEVELS)
    models["cqr"] = cqr.fit(X, y).conformalize(Xc, yc)
    for option, model in models.items():
        _count_values(counts, option, model.predict_interval(Xt), yt, gt, gc)
    by_group = ConformalRegressor(fitted, **settings).conformalize(Xc, yc, conditional_on=gc)
    _count_values(counts, "split, by group", by_group.predict_interval(Xt, conditional_on=gt), yt, gt, gc)


def draw_folded_values(counts, make, rng):
    """One draw for CV+ and jackknife+."""
    X, y, _ = make(rng, N_FOLDED)
    Xt, yt, gt = make(rng, N_TEST)
    seed = int(rng.integers(2**31))
    cross = ConformalRegressor(KAAMRegressor(), method="cross", confidence_level=LEVELS, random_state=seed).fit(X, y)
    _count_values(counts, "cross", cross.predict_interval(Xt), yt, gt, only_all=True)
    small = X[:N_SMALL], y[:N_SMALL]
    jackknife = ConformalRegressor(LinearRegression(), method="jackknife+", confidence_level=LEVELS).fit(*small)
    _count_values(counts, "jackknife+", jackknife.predict_interval(Xt), yt, gt, only_all=True)


def _count_values(counts, option, interval, y, group, g_known=None, only_all=False):
    hit, width = covers(y, interval), interval[:, 1] - interval[:, 0]
    for name, rows in strata(y, group, None).items():
        if only_all and name != "all":
            continue
        n = _rows_behind(option, name, g_known, g_known)
        for k, level in enumerate(LEVELS):
            counts.add(option, name, level, hit[rows, k], width[rows, k], n)


def simulate(design, repetitions, folded, seed=0):
    """Records of one design.

    Parameters
    ----------
    design : str
        A name in `DESIGNS`.
    repetitions : int
        Independent draws of training, calibration and test rows.
    folded : int
        Draws for the methods that fit many models.
    seed : int
        Draw ``i`` has a stream of its own: more draws repeat the fewer ones.
    """
    make, counts = DESIGNS[design], Counts()
    once, many = (draw_values, draw_folded_values) if design == "regression" else (draw_classes, draw_folded_classes)
    for stream, (draw, times) in enumerate(((once, repetitions), (many, folded))):
        for i in range(times):
            draw(counts, make, np.random.default_rng([seed, stream, i]))
    return list(counts.records(design))
