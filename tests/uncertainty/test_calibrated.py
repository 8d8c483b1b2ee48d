"""Calibration against scikit-learn's own, brute force and known truths; explanations that still add up."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kan_tabular import KAAMClassifier
from kan_tabular.uncertainty import CalibratedClassifier
from kan_tabular.uncertainty._maps import MAPS, BetaMap, VennAbersMap

METHODS = list(MAPS)


def simulate(n=500, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.choice(["x", "y"], n)})
    eta = np.sin(2 * X["a"]) + X["b"] + (X["c"] == "x")
    return X, np.where(rng.random(n) < expit(eta), "ill", "healthy")


def three_classes(n=500, seed=0):
    X, _ = load_wine(return_X_y=True, as_frame=True)
    rng = np.random.default_rng(seed)
    X = X.iloc[rng.integers(0, len(X), n), [0, 6, 9]].reset_index(drop=True)
    eta = (X - X.mean()) / X.std()
    return X, np.array(["p", "q", "r"])[(eta.to_numpy() + rng.gumbel(size=(n, 3))).argmax(axis=1)]


@pytest.mark.parametrize("simulated", [simulate, three_classes])
@pytest.mark.parametrize("method", ["isotonic", "temperature"])
def test_equals_scikit_learn_where_it_has_the_method(simulated, method):
    X, y = simulated()
    X = X.select_dtypes("number")
    folds = StratifiedKFold(4, shuffle=True, random_state=0)
    peer = CalibratedClassifierCV(LinearDiscriminantAnalysis(), method=method, cv=folds, ensemble=False).fit(X, y)
    model = CalibratedClassifier(LinearDiscriminantAnalysis(), calibrate=method, cv=folds).fit(X, y)
    # isotonic answers are kept 1 / (n + 2) away from 0 and 1, and normalised after
    np.testing.assert_allclose(model.predict_proba(X), peer.predict_proba(X), atol=5 / len(X) * (method == "isotonic"))


def test_beta_map_finds_the_truth():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.02, 0.98, 40_000)
    truth = 0.5 * np.log(p) - 2.0 * np.log(1 - p) + 0.3
    fitted = BetaMap().fit(logit(p)[:, None], (rng.random(len(p)) < expit(truth)).astype(int), None)
    np.testing.assert_allclose([*fitted.coef_, fitted.intercept_], [0.5, 2.0, 0.3], atol=0.12)


def test_beta_map_never_falls():
    rng = np.random.default_rng(1)
    p = rng.uniform(0.02, 0.98, 4000)
    truth = np.sin(3 * p) * 2  # rises, then falls
    fitted = BetaMap().fit(logit(p)[:, None], (rng.random(len(p)) < expit(truth)).astype(int), None)
    assert (fitted.coef_ >= 0).all()
    assert (np.diff(fitted.predict(np.linspace(-8, 8, 99)[:, None])) >= 0).all()


def test_venn_abers_merges_the_two_isotonic_answers():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=60)
    y = (rng.random(60) < expit(scores)).astype(int)
    new = rng.normal(size=8)
    fitted = VennAbersMap().fit(scores[:, None], y, None).predict(new[:, None])
    for s, merged in zip(new, fitted, strict=True):
        p0, p1 = (IsotonicRegression().fit_transform(np.append(scores, s), np.append(y, label))[-1] for label in (0, 1))
        assert merged == pytest.approx(p1 / (1 - p0 + p1), abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_a_weighted_fit_is_brought_back_to_the_frequencies(method):
    X, y = simulate(1500)
    X_new, y_new = simulate(4000, seed=1)
    skewed = KAAMClassifier(class_weight={"ill": 8.0}).fit(X[:700], y[:700])
    model = CalibratedClassifier(FrozenEstimator(skewed), calibrate=method).fit(X[700:], y[700:])
    p = model.predict_proba(X_new)[:, 1]
    assert skewed.predict_proba(X_new)[:, 1].mean() > np.mean(y_new == "ill") + 0.1
    # a temperature alone cannot shift, which is why it is not the default
    assert abs(p.mean() - np.mean(y_new == "ill")) < (0.3 if method == "temperature" else 0.04)
    assert log_loss(y_new, model.predict_proba(X_new)) < log_loss(y_new, skewed.predict_proba(X_new)) - 0.01


@pytest.mark.parametrize("simulated", [simulate, three_classes])
@pytest.mark.parametrize("method", METHODS)
def test_contributions_and_the_calibration_term_add_up(simulated, method):
    X, y = simulated()
    model = CalibratedClassifier(KAAMClassifier(), calibrate=method).fit(X, y)
    explained = model.explain(X[:50])
    total = explained.values.sum(axis=1) + explained.base_values
    p = model.predict_proba(X[:50])
    expected = logit(p[:, 1]) if p.shape[1] == 2 else np.log(p) - np.log(p).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(total, expected, atol=1e-9)
    own = model.estimator_.explain(X[:50])
    np.testing.assert_array_equal(explained.values[:, :-1], own.values)
    assert explained.feature_names == [*X.columns, "(calibration)"]


def test_works_around_a_pipeline_and_inside_a_search():
    X, y = simulate(200)
    X = X[["a", "b"]]
    search = GridSearchCV(
        CalibratedClassifier(make_pipeline(StandardScaler(), KAAMClassifier()), cv=3),
        {"calibrate": ["beta", "temperature"], "estimator__kaamclassifier__n_knots": [4, 8]},
        cv=2,
        scoring="neg_log_loss",
    ).fit(X, y)
    best = search.best_estimator_
    assert best.classes_.tolist() == ["healthy", "ill"]
    total = best.explain(X).values.sum(axis=1) + best.explain(X).base_values
    np.testing.assert_allclose(total, best.decision_function(X), atol=1e-9)


def test_leave_one_out_scores_are_those_of_the_classifier():
    X, y = simulate(150)
    kaam = KAAMClassifier().fit(X, y)
    model = CalibratedClassifier(KAAMClassifier(), calibrate="temperature").fit(X, y)
    frozen = CalibratedClassifier(FrozenEstimator(kaam), calibrate="temperature").fit(X, y)
    unseen = logit(kaam.leave_one_out(X, y)[:, 1])
    # the one parameter by the likelihood of these scores, found on a grid
    grid = np.linspace(0.05, 3, 2000)
    losses = [log_loss(y, expit(factor * unseen), labels=kaam.classes_) for factor in grid]
    eta = kaam.decision_function(X)
    np.testing.assert_allclose(model.decision_function(X), grid[np.argmin(losses)] * eta, rtol=2e-3, atol=1e-9)
    # its own training rows flatter it
    assert np.abs(frozen.decision_function(X)).mean() > 1.05 * np.abs(model.decision_function(X)).mean()


def test_groups_stay_in_one_fold():
    X, y = simulate(120)
    groups = np.repeat(np.arange(40), 3)
    seen = []

    class Spy(LogisticRegression):
        def fit(self, X, y):
            seen.append(set(groups[X.index]))
            return super().fit(X, y)

    CalibratedClassifier(Spy()).fit(X[["a", "b"]], y, groups=groups)
    assert len(seen) == 6
    counts = np.sum([[g in kept for g in range(40)] for kept in seen[1:]], axis=0)
    assert (counts == 4).all()  # each group is absent from one of the five folds


def test_weights_are_frequencies():
    X, y = simulate(200)
    weights = np.random.default_rng(0).integers(1, 4, 200)
    rows = np.repeat(np.arange(200), weights)
    kaam = FrozenEstimator(KAAMClassifier().fit(X, y))
    for method in ("beta", "temperature"):
        a = CalibratedClassifier(kaam, calibrate=method).fit(X, y, sample_weight=weights)
        b = CalibratedClassifier(kaam, calibrate=method).fit(X.iloc[rows], y[rows])
        np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), atol=1e-5)


def test_same_seed_same_folds():
    X, y = simulate(150)
    model = CalibratedClassifier(LogisticRegression(), cv=3, random_state=0)
    X = X[["a", "b"]]
    p = [clone(model).set_params(random_state=seed).fit(X, y).predict_proba(X) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(p[0], p[1])
    assert (p[0] != p[2]).any()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"calibrate": "platt"}, "calibrate='platt'"),
        ({"cv": "loo"}, "cv='loo'"),
        ({"cv": 100}, "100"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    X, y = simulate(60)
    with pytest.raises(ValueError, match=message):
        CalibratedClassifier(KAAMClassifier()).set_params(**change).fit(X, y)


def test_weights_that_cannot_be_used_are_refused():
    X, y = simulate(60)
    weights = np.linspace(1, 2, 60)
    with pytest.raises(ValueError, match="takes no sample_weight"):
        CalibratedClassifier(KAAMClassifier(), calibrate="venn-abers").fit(X, y, sample_weight=weights)


def test_classes_that_a_frozen_estimator_does_not_know_are_named():
    X, y = simulate(60)
    model = FrozenEstimator(KAAMClassifier().fit(X, y))
    with pytest.raises(ValueError, match="'dead'"):
        CalibratedClassifier(model).fit(X, np.where(y == "ill", "dead", y))


def test_before_fit():
    X, _ = simulate(10)
    with pytest.raises(NotFittedError):
        CalibratedClassifier(KAAMClassifier()).predict_proba(X)
