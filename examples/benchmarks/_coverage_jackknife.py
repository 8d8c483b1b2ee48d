"""The jackknife+ around additive models in closed form, for `coverage.py`: exact, how fast, what it covers."""

from __future__ import annotations

import time

import numpy as np
from _coverage_simulated import DESIGNS, LEVELS, Counts
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_breast_cancer

from kan_tabular import KAAMClassifier, KAAMRegressor
from kan_tabular.encoding import read_table
from kan_tabular.uncertainty import ConformalClassifier, ConformalRegressor, covers

N, N_TEST = 300, 1000
#: Training rows of the coverage draws.
N_SMALL = 150


class Refitted(RegressorMixin, BaseEstimator):
    """KAAM at given smoothing parameters, without its closed form: the jackknife+ fits it n times."""

    def __init__(self, smoothing):
        self.smoothing = smoothing

    def fit(self, X, y):
        self.model_ = KAAMRegressor(smoothing=self.smoothing).fit(X, y)
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return self.model_.predict(X)


def design_and_penalty(model, X):
    """Design matrix (n, q), penalty (q,) and coefficients (q, C) of a fitted additive model."""
    network = model.network_
    D = network.design(model.encoder_.transform(read_table(X)))
    own = [np.repeat(np.exp(s.rho), s.sizes) * s.scale for s in network.smoothing]
    coefficients = np.vstack([network.intercept, *(c.coefficients for c in network.inputs)])
    return D, np.concatenate([[0.0], *own]), coefficients


def exactness():
    """Closed form against n explicit solutions without a row, at the smoothing parameters of all rows."""
    rng = np.random.default_rng(0)
    X, y, _ = DESIGNS["regression"](rng, N)
    Xt, _, _ = DESIGNS["regression"](rng, N)
    model = KAAMRegressor().fit(X, y)
    own, others = model.leave_one_out(X, y, at=Xt)
    D, penalty, _ = design_and_penalty(model, X)
    Dt, worst = design_and_penalty(model, Xt)[0], 0.0
    for i in range(N):
        kept = np.delete(D, i, axis=0)
        b = np.linalg.solve(kept.T @ kept + np.diag(penalty), kept.T @ np.delete(y, i))
        worst = max(worst, abs(D[i] @ b - own[i]), np.abs(Dt @ b - others[:, i]).max())
    yield {"part": "jackknife exact", "n": N, "worst": float(worst)}


def speed(rounds=3):
    """Seconds of processor time: one fit and the closed form against n fits at fixed smoothing parameters."""
    rng = np.random.default_rng(1)
    X, y, _ = DESIGNS["regression"](rng, N)
    Xt, _, _ = DESIGNS["regression"](rng, N)
    chosen = KAAMRegressor().fit(X, y).smoothing_
    smoothing = {name: float(np.exp(np.mean(np.log(list(each.values()))))) for name, each in chosen.items()}
    seconds = {}
    for name, model in (("closed", KAAMRegressor(smoothing=smoothing)), ("refits", Refitted(smoothing))):
        taken = []
        for _ in range(rounds):
            start = time.process_time()
            ConformalRegressor(model, method="jackknife+").fit(X, y).predict_interval(Xt)
            taken.append(time.process_time() - start)
        seconds[name] = float(np.median(taken))
    yield {"part": "jackknife speed", "n": N, **seconds}


def approximation():
    """Probabilities of approximate leave-one-out against optima without the row, by Newton's method from scratch."""
    rng = np.random.default_rng(2)
    tables = {"breast": load_breast_cancer(return_X_y=True, as_frame=True)}
    tables |= {f"binary, {n} rows": DESIGNS["binary"](rng, n)[:2] for n in (100, 300, 1000)}
    for name, (X, y) in tables.items():
        model = KAAMClassifier().fit(X, y)
        own = model.leave_one_out(X, y)[:, 1]
        moved = np.abs(own - model.predict_proba(X)[:, 1])
        checked = np.unique([*np.argsort(moved)[-30:], *rng.choice(len(X), 70, replace=False)])
        D, penalty, b = design_and_penalty(model, X)
        y = (np.asarray(y) == model.classes_[1]).astype(float)
        away = [abs(own[i] - _without(D, y, penalty, b[:, 0], i)) for i in checked]
        yield {
            "part": "jackknife approximate",
            "table": name,
            "checked": len(checked),
            "worst": float(np.max(away)),
            "median": float(np.median(away)),
            "moved": float(moved.max()),
        }


def _without(D, y, penalty, b, i):
    """Probability of row i at the penalised optimum of the others."""
    kept, target = np.delete(D, i, axis=0), np.delete(y, i)
    for _ in range(100):
        p = 1 / (1 + np.exp(-kept @ b))
        step = np.linalg.solve((kept.T * (p * (1 - p))) @ kept + np.diag(penalty), kept.T @ (target - p) - penalty * b)
        b = b + step
        if np.abs(step).max() < 1e-10:
            break
    return 1 / (1 + np.exp(-D[i] @ b))


def covered(design, repetitions):
    """Coverage of the closed form on fresh draws."""
    counts = Counts()
    for i in range(repetitions):
        rng = np.random.default_rng([3, i])
        X, y, _ = DESIGNS[design](rng, N_SMALL)
        Xt, yt, _ = DESIGNS[design](rng, N_TEST)
        if design == "regression":
            model = ConformalRegressor(KAAMRegressor(), method="jackknife+", confidence_level=LEVELS).fit(X, y)
            interval = model.predict_interval(Xt)
            hit, size = covers(yt, interval), interval[:, 1] - interval[:, 0]
        else:
            kaam = KAAMClassifier()
            model = ConformalClassifier(kaam, method="jackknife+", empty="allow", confidence_level=LEVELS).fit(X, y)
            sets = model.predict_set(Xt)
            hit, size = covers(yt, sets, model.classes_), sets.sum(1)
        for k, level in enumerate(LEVELS):
            counts.add("jackknife+, closed form", "all", level, hit[:, k], size[:, k])
    for record in counts.records(design):
        yield {"part": "jackknife coverage", "n_train": N_SMALL, **record}
