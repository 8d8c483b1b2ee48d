"""What must not change a fit does not: property tests over random tables with categories, ties and missing values.

Tolerances are relative to the *contribution scale*, the largest absolute contribution of the reference fit (at least
1e-3): the decision function of a strong model is a large number and of an empty model a small one, and rounding errors
grow with the numbers that are summed. ``EXACT`` (1e-8) is what the documentation promises for weights; reordering sums
and rescaling a column only reorder or rescale the same arithmetic, so the same figure is asked of them.
"""

import os
import random
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from kan_tabular import KAAMClassifier, KAAMRegressor
from kan_tabular.exceptions import UnseenCategoryWarning

pytestmark = pytest.mark.filterwarnings("error")

EXACT = 1e-8
FEW = settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
LEVELS = ["amber", "blue", "cyan", "dun"]


class Case:
    """A random table with its response and an unfitted model.

    Parameters
    ----------
    seed : int
    n : int
        Number of rows.
    response : {"binary", "multiclass", "gaussian", "poisson", "gamma"}
    holes : float
        Share of missing cells in the columns that have any.
    smoothing : "auto", "reml" or float
    """

    def __init__(self, seed, n, response, holes, smoothing):
        rng = np.random.default_rng(seed)
        smooth, level = rng.normal(size=n), rng.integers(0, len(LEVELS), n)
        self.X = pd.DataFrame(
            {
                "smooth": smooth,
                "holed": np.where(rng.random(n) < holes, np.nan, rng.exponential(size=n)),
                "tied": np.round(rng.normal(50, 4, n)),  # a measured integer: many equal values
                "flag": (rng.random(n) < 0.4).astype(float),
                "level": np.where(rng.random(n) < holes, None, np.array(LEVELS)[level]),
            }
        )
        eta = np.sin(2 * smooth) + 0.5 * (level == 2) + 0.3 * self.X["flag"].to_numpy()
        self.y = {
            "binary": lambda: (rng.random(n) < 1 / (1 + np.exp(-2 * eta))).astype(int),
            "multiclass": lambda: np.digitize(eta + 0.5 * rng.logistic(size=n), [0.0, 0.9]),
            "gaussian": lambda: eta + 0.3 * rng.normal(size=n),
            "poisson": lambda: rng.poisson(np.exp(eta)).astype(float),
            "gamma": lambda: rng.gamma(4.0, np.exp(eta) / 4.0),
        }[response]()
        if response in ("binary", "multiclass"):
            self.y[:6] = [0, 1, 2 if response == "multiclass" else 1] * 2  # every class is there, whatever the draw
        self.response, self.smoothing = response, smoothing

    def model(self, **parameters):
        parameters = {"smoothing": self.smoothing, **parameters}
        if self.response in ("binary", "multiclass"):
            return KAAMClassifier(**parameters)
        return KAAMRegressor(loss={"gaussian": "squared_error"}.get(self.response, self.response), **parameters)

    def fit(self, X=None, y=None, **arguments):
        return self.model().fit(self.X if X is None else X, self.y if y is None else y, **arguments)


def cases(responses=("binary", "multiclass", "gaussian", "poisson", "gamma")):
    return st.builds(
        Case,
        seed=st.integers(0, 10**6),
        n=st.integers(40, 150),
        response=st.sampled_from(responses),
        holes=st.sampled_from([0.0, 0.1, 0.4]),
        smoothing=st.sampled_from(["auto", "auto", "reml", 1.0]),
    )


def link(model, X):
    """The prediction on the link scale."""
    if hasattr(model, "decision_function"):
        return model.decision_function(X)
    mean = model.predict(X)
    return mean if model.loss == "squared_error" else np.log(mean)


def assert_same(actual, expected, scale_of, X, tolerance=EXACT):
    scale = max(np.abs(scale_of.explain(X).values).max(), 1e-3)
    difference = np.abs(actual - expected).max()
    assert difference <= tolerance * scale, f"{difference:.2e} apart, {difference / scale:.2e} of the contributions"


@FEW
@given(cases(), st.permutations(range(5)))
def test_the_order_of_columns_does_not_matter(case, order):
    reference = case.fit()
    shuffled = case.X.iloc[:, order]
    model = case.fit(shuffled)
    assert_same(link(model, shuffled), link(reference, case.X), reference, case.X)
    assert_same(model.explain(shuffled).values, reference.explain(case.X).values[:, order], reference, case.X)


@FEW
@given(cases(), st.integers(0, 10**6))
def test_the_order_of_rows_does_not_matter(case, seed):
    reference = case.fit()
    order = np.random.default_rng(seed).permutation(len(case.X))
    model = case.fit(case.X.iloc[order], case.y[order])
    assert_same(link(model, case.X), link(reference, case.X), reference, case.X)


@FEW
@given(
    cases(), st.sampled_from(["smooth", "holed", "tied", "flag"]), st.sampled_from([1e-6, 0.3, 1.8, 1e4]), st.booleans()
)
def test_the_unit_of_a_numeric_column_does_not_matter(case, column, factor, negative):
    reference = case.fit()
    # The shift stays within a few spreads: a larger one would cost digits of the column itself.
    scale = -factor if negative else factor
    rescaled = case.X.assign(**{column: scale * (case.X[column] - 1.0)})
    assert_same(link(case.fit(rescaled), rescaled), link(reference, case.X), reference, case.X)


@FEW
@given(cases(), st.permutations(["z", "10", "an odd name, with commas", "Ä"]))
def test_the_names_of_levels_do_not_matter(case, names):
    reference = case.fit()
    renamed = case.X.assign(level=case.X["level"].map(dict(zip(LEVELS, names, strict=True)), na_action="ignore"))
    assert_same(link(case.fit(renamed), renamed), link(reference, case.X), reference, case.X)


@FEW
@given(cases())
def test_doubling_all_weights_is_doubling_all_rows(case):
    doubled = case.fit(pd.concat([case.X, case.X]), np.concatenate([case.y, case.y]))
    weighted = case.fit(sample_weight=np.full(len(case.X), 2.0))
    assert_same(link(weighted, case.X), link(doubled, case.X), doubled, case.X)


@FEW
@given(cases(), st.integers(0, 10**6))
def test_a_weight_is_a_number_of_rows(case, seed):
    weight = np.random.default_rng(seed).integers(0, 3, len(case.X)).astype(float)
    weight[:6] = 1.0  # the rows that make sure of every class
    repeat = np.repeat(np.arange(len(case.X)), weight.astype(int))
    repeated = case.fit(case.X.iloc[repeat], case.y[repeat])
    weighted = case.fit(sample_weight=weight)
    seen = case.X[case.X["level"].isin(case.X["level"].iloc[repeat]) | case.X["level"].isna()]
    assert_same(link(weighted, seen), link(repeated, seen), repeated, seen)
    assert set(weighted.edf_) == set(repeated.edf_)
    for name, edf in repeated.edf_.items():
        assert weighted.edf_[name] == pytest.approx(edf, abs=1e-6), name


@FEW
@given(cases())
def test_a_row_of_weight_zero_is_absent_whatever_it_holds(case):
    absent = case.X.iloc[:5].assign(smooth=1e7, holed=-1e7, tied=3e5, flag=0.5, level="never seen")
    X = pd.concat([absent, case.X], ignore_index=True)
    y = np.concatenate([case.y[:5], case.y])
    weight = np.concatenate([np.zeros(5), np.ones(len(case.X))])
    reference = case.fit()
    model = case.fit(X, y, sample_weight=weight)
    assert_same(link(model, case.X), link(reference, case.X), reference, case.X)
    if case.response == "gaussian":
        for actual, expected in zip(
            model.predict(case.X, return_std="predictive"),
            reference.predict(case.X, return_std="predictive"),
            strict=True,
        ):
            assert_same(actual, expected, reference, case.X, tolerance=1e-6)
    with warnings.catch_warnings():  # the level of the absent rows is as unseen to the one model as to the other
        warnings.simplefilter("ignore", UnseenCategoryWarning)
        np.testing.assert_array_equal(model.extrapolation(absent), reference.extrapolation(absent))


@FEW
@given(cases())
def test_the_same_data_and_seed_give_the_same_bits(case):
    first, second = (case.model(random_state=3).fit(case.X.copy(), case.y.copy()) for _ in range(2))
    np.testing.assert_array_equal(link(first, case.X), link(second, case.X))
    np.testing.assert_array_equal(first.intercept_, second.intercept_)
    for name in case.X:
        one, two = first.shape_function(name), second.shape_function(name)
        for part in ("y", "se", "lower", "upper", "lower_simultaneous", "upper_simultaneous"):
            np.testing.assert_array_equal(getattr(one, part), getattr(two, part))


@FEW
@given(cases(["binary"]))
def test_swapping_the_two_classes_flips_the_sign(case):
    reference = case.fit()
    swapped = case.fit(y=np.where(case.y == 1, "a", "b"))  # sorted, the other class now comes second
    assert_same(link(swapped, case.X), -link(reference, case.X), reference, case.X)


@FEW
@given(cases(["multiclass"]), st.permutations(["first", "second", "third"]))
def test_renaming_classes_permutes_the_probabilities(case, names):
    reference = case.fit()
    renamed = case.fit(y=np.array(names)[case.y])
    order = [list(renamed.classes_).index(name) for name in names]
    assert_same(renamed.predict_proba(case.X)[:, order], reference.predict_proba(case.X), reference, case.X)


@FEW
@given(cases())
def test_a_prediction_does_not_depend_on_the_other_rows(case):
    model = case.fit()
    together = link(model, case.X)
    apart = np.concatenate([link(model, case.X.iloc[[i]]) for i in range(5)])
    assert_same(apart, together[:5], model, case.X, tolerance=1e-12)


def global_state():
    return {
        "numpy random": tuple(map(str, np.random.get_state(legacy=False)["state"]["key"])),
        "python random": random.getstate(),
        "warning filters": list(warnings.filters),
        "floating-point errors": np.geterr(),
        "print options": str(np.get_printoptions()),
        "environment": dict(os.environ),
        "threads": sorted((pool["filepath"], pool["num_threads"]) for pool in threadpool_info()),
    }


@pytest.mark.parametrize("response", ["binary", "multiclass", "gaussian", "poisson", "gamma"])
def test_global_state_and_inputs_are_left_as_they_were(response):
    case = Case(7, 80, response, 0.2, "auto")
    case.fit()  # the first use may import libraries; what is compared is the state that using the model leaves
    X, y, weight = case.X.copy(), case.y.copy(), np.ones(len(case.X))
    np.random.seed(5)
    before = global_state()
    model = case.fit(sample_weight=weight)
    model.predict(case.X)
    model.explain(case.X)
    model.shape_function("smooth")
    model.summary()
    after = global_state()
    for what in before:
        assert after[what] == before[what], what
    pd.testing.assert_frame_equal(case.X, X)
    np.testing.assert_array_equal(case.y, y)
    np.testing.assert_array_equal(weight, 1.0)


def test_the_model_keeps_no_handle_on_the_users_arrays():
    case = Case(8, 80, "gaussian", 0.0, "auto")
    X = case.X.drop(columns="level").to_numpy().copy()
    model = case.fit(X)
    expected = model.predict(X.copy())
    kept = X.copy()
    X[:] = 0.0
    np.testing.assert_array_equal(model.predict(kept), expected)
