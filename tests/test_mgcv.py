"""The textbook answer, ``smoothing="reml"``, against mgcv's.

Same data, knots, basis and penalties; performance iteration on both sides. The numbers of mgcv were printed once by
``tests/fixtures/mgcv/reference.R`` from the data of ``simulate.py`` beside it. Run with ``-s`` to see the figures.

With ``select=True`` the second penalty must be the same on both sides too. mgcv's own is a projection of the
coefficients and depends on the parameterisation (its `bam` and `gam` differ from each other by up to a third of a
curve's range on this data set), so `reference.R` writes ours, the least-squares slope of the curve, as an mgcv smooth.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, mean_poisson_deviance, mean_squared_error

from kan_tabular import KAAMClassifier, KAAMRegressor

FOLDER = Path(__file__).parent / "fixtures" / "mgcv"
DATA_SETS = ("gaussian", "logistic", "poisson", "select")
NULL_FEATURES = {"select": ("x3", "x4")}
#: Terms that mgcv shrinks below this many degrees of freedom have a standard error near zero: no ratio to speak of.
SHRUNK_EDF = 0.5


@cache
def reference(name):
    """The fixture and its table."""
    return json.loads((FOLDER / f"{name}.json").read_text()), pd.read_csv(FOLDER / f"{name}.csv")


@cache
def fitted(name):
    """Our fit of a data set."""
    fixture, table = reference(name)
    X, y = table[fixture["features"]], table["y"]
    options = {"smoothing": "reml", "select": name == "select"}
    if fixture["family"] == "binomial":
        return KAAMClassifier(**options).fit(X, y)
    if fixture["family"] == "poisson":
        return KAAMRegressor(loss="poisson", **options).fit(X, y, exposure=table["exposure"])
    return KAAMRegressor(**options).fit(X, y)


def curves(name):
    """Per feature: our shape function on mgcv's grid, and mgcv's numbers as arrays."""
    fixture, _ = reference(name)
    for feature, theirs in fixture["fits"]["reference"]["curves"].items():
        ours = fitted(name).shape_function(feature, grid=np.asarray(fixture["grids"][feature]))
        yield feature, ours, {key: np.asarray(value) for key, value in theirs.items()}


@pytest.mark.parametrize("name", DATA_SETS)
def test_fixture_has_our_knots(name):
    fixture, table = reference(name)
    for feature in fixture["features"]:
        x = table[feature].to_numpy()
        values, counts = np.unique(x, return_counts=True)
        middle = (np.cumsum(counts) - counts / 2) / len(x)
        interior = np.interp(np.arange(1, 11) / 11, middle, values)
        expected = np.concatenate([[x.min()], interior, [x.max()]])
        np.testing.assert_allclose(fixture["knots"][feature][3:15], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", DATA_SETS)
def test_curves_within_two_percent_of_their_range(name):
    pairs = list(curves(name))
    largest = max(np.ptp(theirs["fit"]) for _, _, theirs in pairs)
    errors = {}
    for feature, ours, theirs in pairs:
        scale = largest if feature in NULL_FEATURES.get(name, ()) else np.ptp(theirs["fit"])
        errors[feature] = float(np.max(np.abs(ours.y - theirs["fit"])) / scale)
    print(f"\n{name}: largest difference of a curve, share of its range: {_show(errors)}")
    assert max(errors.values()) < 0.02, errors


@pytest.mark.parametrize("name", DATA_SETS)
def test_total_edf_within_ten_percent(name):
    theirs = reference(name)[0]["fits"]["reference"]["edf"]
    ours = 1 + sum(fitted(name).edf_.values())
    print(
        f"\n{name}: edf {ours:.3f}, mgcv {theirs:.3f}; per term {_show(fitted(name).edf_)}, mgcv "
        + _show({feature: float(term["edf"]) for feature, _, term in curves(name)})
    )
    assert abs(ours / theirs - 1) < 0.10


@pytest.mark.parametrize("name", DATA_SETS)
def test_deviance_within_one_percent(name):
    fixture, table = reference(name)
    X, y = table[fixture["features"]], table["y"]
    model = fitted(name)
    if fixture["family"] == "binomial":
        ours = 2 * log_loss(y, model.predict_proba(X), normalize=False)
    elif fixture["family"] == "poisson":
        ours = len(y) * mean_poisson_deviance(y, table["exposure"] * model.predict(X))
    else:
        ours = len(y) * mean_squared_error(y, model.predict(X))
    theirs = fixture["fits"]["reference"]["deviance"]
    print(f"\n{name}: deviance {ours:.4f}, mgcv {theirs:.4f}, relative difference {ours / theirs - 1:.2e}")
    assert abs(ours / theirs - 1) < 0.01


@pytest.mark.parametrize("name", DATA_SETS)
def test_standard_errors_within_ten_percent(name):
    errors = {
        feature: float(np.median(np.abs(ours.se_conditional / theirs["se"] - 1)))
        for feature, ours, theirs in curves(name)
        if theirs["edf"] > SHRUNK_EDF
    }
    print(f"\n{name}: median relative difference of the conditional standard errors: {_show(errors)}")
    assert max(errors.values()) < 0.10, errors


@pytest.mark.parametrize("name", DATA_SETS)
def test_smoothing_uncertainty_widens_each_curve(name):
    """At the median over the grid: at single points the average over smoothing parameters may lie below the mode's."""
    ratios = {}
    for feature, ours, theirs in curves(name):
        assert np.median(ours.se / ours.se_conditional) > 1, feature
        if theirs["edf"] > SHRUNK_EDF:
            ratios[feature] = float(np.median(ours.se / theirs["se_unconditional"]))
    print(f"\n{name}: our standard error over mgcv's with unconditional=TRUE, median: {_show(ratios)}")


def _show(figures):
    return ", ".join(f"{key} {value:.4f}" for key, value in figures.items())
