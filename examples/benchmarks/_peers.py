"""Estimators that others use on tables, prepared as their documentation asks, and one fold of any model.

A peer is made by ``PEERS[name](inner, n_classes)``: `inner` are (train, test) positions for its own tuning, `n_classes`
is None for a regression. What ends in ``t`` is tuned.
"""

from __future__ import annotations

import io
import time
import warnings
from contextlib import redirect_stdout

import numpy as np
from _common import fold_scores, folds, regression_scores
from scipy.stats import loguniform
from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.metrics import log_loss, make_scorer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

NUMERIC = make_column_selector(dtype_include="number")
CATEGORY = make_column_selector(dtype_include="category")


# ------------------------------------------------------------------------------------------------- preparation, tuning


def inner_folds(y, groups, *, stratify=True):
    """Three folds for tuning; rows of a class that a training part would lack move there: every fit has all classes."""
    out = []
    for train, test in folds(y, groups, 3, 0, stratify=stratify):
        known = np.isin(y[test], y[train]) if stratify else np.ones(len(test), bool)
        out.append((np.concatenate([train, test[~known]]), test[known]))
    return out


def one_hot():
    """Text columns for models that need numbers: missing is a level, levels seen once or twice are merged."""
    return make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing"),
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=3, sparse_output=False),
    )


def prepared(model, numeric):
    """`model` behind one-hot text columns and `numeric` for the others."""
    return make_pipeline(make_column_transformer((numeric, NUMERIC), (one_hot(), CATEGORY)), model)


def imputed():
    """Medians for missing numbers, and columns that mark them."""
    return SimpleImputer(strategy="median", add_indicator=True)


def scaled():
    return make_pipeline(imputed(), StandardScaler())


def scoring(n_classes):
    """Log loss or squared error, for a search."""
    if n_classes is None:
        return "neg_root_mean_squared_error"
    return make_scorer(log_loss, response_method="predict_proba", greater_is_better=False, labels=np.arange(n_classes))


def tuned(model, space, inner, n_classes):
    """Random search, 12 draws, by the loss over the inner folds."""
    settings = {"cv": inner, "scoring": scoring(n_classes), "error_score": "raise"}
    return RandomizedSearchCV(model, space, n_iter=12, random_state=0, **settings)


def grid(model, space, inner, n_classes):
    """All settings of a small grid, by the loss over the inner folds."""
    last = model.steps[-1][0]
    space = {f"{last}__{name}": values for name, values in space.items()}
    return GridSearchCV(model, space, cv=inner, scoring=scoring(n_classes), error_score="raise")


# -------------------------------------------------------------------------------------------------------------- peers


def linear(inner, n_classes):
    """L2 logistic or ridge regression, its strength chosen by the inner folds."""
    if n_classes is None:
        model = RidgeCV(np.logspace(-2, 4, 13), cv=inner, scoring=scoring(None))
    else:
        model = LogisticRegressionCV(Cs=np.logspace(-3, 2, 11), cv=inner, scoring="neg_log_loss", max_iter=5000)
    return prepared(model, scaled())


def rf(inner, n_classes):
    """Random forest of 300 trees; leaves of two rows for classes: leaves of one give probabilities of 0 and 1."""
    if n_classes is None:
        return prepared(RandomForestRegressor(300, random_state=0, n_jobs=1), imputed())
    return prepared(RandomForestClassifier(300, min_samples_leaf=2, random_state=0, n_jobs=1), imputed())


def forest_grid(model, inner, n_classes):
    """300 trees; the size of leaves and the share of columns tried at a split, tuned."""
    space = {"min_samples_leaf": [1, 3], "max_features": ["sqrt", 0.5]}
    return grid(prepared(model(300, random_state=0, n_jobs=1), imputed()), space, inner, n_classes)


def rft(inner, n_classes):
    """Random forest, tuned."""
    return forest_grid(RandomForestRegressor if n_classes is None else RandomForestClassifier, inner, n_classes)


def extratreest(inner, n_classes):
    """Extremely randomised trees, tuned."""
    return forest_grid(ExtraTreesRegressor if n_classes is None else ExtraTreesClassifier, inner, n_classes)


def hgbt(inner, n_classes):
    """Histogram boosting, which reads categories and missing values itself, tuned."""
    space = {
        "learning_rate": loguniform(0.01, 0.2),
        "max_iter": [50, 100, 200, 400],
        "max_leaf_nodes": [3, 4, 8, 16, 31],
        "min_samples_leaf": [5, 10, 20, 40],
        "l2_regularization": loguniform(1e-3, 30),
    }
    make = HistGradientBoostingRegressor if n_classes is None else HistGradientBoostingClassifier
    model = make(categorical_features="from_dtype", early_stopping=False, random_state=0)
    return tuned(model, space, inner, n_classes)


def xgbt(inner, n_classes):
    """XGBoost on one-hot columns, missing numbers left to it, tuned."""
    from xgboost import XGBClassifier, XGBRegressor

    space = {
        "learning_rate": loguniform(0.01, 0.2),
        "n_estimators": [50, 100, 200, 400, 800],
        "max_depth": [1, 2, 3, 4, 6],
        "min_child_weight": [1, 3, 10],
        "reg_lambda": loguniform(0.1, 30),
        "subsample": [0.6, 0.8, 1.0],
        "colsample_bytree": [0.4, 0.7, 1.0],
    }
    make = XGBRegressor if n_classes is None else XGBClassifier
    model = prepared(make(n_jobs=1, random_state=0), "passthrough")
    last = model.steps[-1][0]
    return tuned(model, {f"{last}__{k}": v for k, v in space.items()}, inner, n_classes)


def catboost(inner, n_classes):
    """CatBoost with its defaults, on one-hot columns."""
    from catboost import CatBoostClassifier, CatBoostRegressor

    make = CatBoostRegressor if n_classes is None else CatBoostClassifier
    return prepared(make(verbose=0, thread_count=1, random_state=0, allow_writing_files=False), imputed())


def mlpt(inner, n_classes):
    """scikit-learn's MLP of two hidden layers of 64 nodes, scaled columns and target, its weight decay tuned."""
    space, settings = [0.01, 0.1, 1.0], {"hidden_layer_sizes": (64, 64), "max_iter": 300, "random_state": 0}
    if n_classes is None:
        model = prepared(TransformedTargetRegressor(MLPRegressor(**settings), transformer=StandardScaler()), scaled())
        return grid(model, {"regressor__alpha": space}, inner, n_classes)
    return grid(prepared(MLPClassifier(**settings), scaled()), {"alpha": space}, inner, n_classes)


def realmlp(inner, n_classes):
    """RealMLP with its tuned defaults, five networks on five inner folds of its own."""
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    settings = {"device": "cpu", "random_state": 0, "n_cv": 5, "n_threads": 1, "verbosity": 0}
    if n_classes is None:
        model = RealMLP_TD_Regressor(**settings)
    else:
        model = RealMLP_TD_Classifier(val_metric_name="cross_entropy", use_ls=False, **settings)
    single = FunctionTransformer(np.asarray, kw_args={"dtype": np.float32})
    return prepared(make_pipeline(single, model), imputed())


class Ebm:
    """Explainable boosting with its defaults; text columns as objects, missing text as a level."""

    def __init__(self, n_classes=2):
        from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor

        make = ExplainableBoostingRegressor if n_classes is None else ExplainableBoostingClassifier
        self.model = make(n_jobs=1, random_state=0)

    @staticmethod
    def _table(X):
        return X.assign(**{c: X[c].astype(object).where(X[c].notna(), "missing") for c in CATEGORY(X)})

    def fit(self, X, y):
        self.model.fit(self._table(X), y)
        return self

    def predict(self, X):
        return self.model.predict(self._table(X))

    def predict_proba(self, X):
        return self.model.predict_proba(self._table(X))


class PyGam:
    """``LogisticGAM`` with its own grid search over the smoothness; several classes one against the rest, normalised.

    Numbers are splines of the median-imputed column plus a linear term marking the missing ones; a number with two
    values is a linear term, a constant is left out. Text is a factor with missing as a level, and a level that training
    did not have is read as the most frequent one, because pyGAM refuses it.
    """

    def _encode(self, X):
        columns = []
        for name, kind, detail in self.plan_:
            if kind == "f":
                codes = X[name].astype(object).where(X[name].notna(), "missing").map(detail["codes"])
                columns.append(codes.astype(float).fillna(detail["mode"]))
            elif kind == "missing":
                columns.append(X[name].isna().astype(float))
            else:
                columns.append(X[name].fillna(detail))
        return np.column_stack(columns)

    def fit(self, X, y):
        from pygam import LogisticGAM, f, l, s
        from pygam.terms import TermList

        self.plan_ = []
        for name in X.columns:
            if name in CATEGORY(X):
                counts = X[name].astype(object).where(X[name].notna(), "missing").value_counts()
                if len(counts) > 1:
                    codes = {level: float(k) for k, level in enumerate(sorted(counts.index))}
                    self.plan_.append((name, "f", {"codes": codes, "mode": codes[counts.index[0]]}))
                continue
            if X[name].nunique() > 1:
                self.plan_.append((name, "s" if X[name].nunique() > 2 else "l", X[name].median()))
            if 0 < X[name].isna().sum() < len(X):
                self.plan_.append((name, "missing", None))
        make = {"s": s, "l": l, "missing": l, "f": f}
        table, classes = self._encode(X), np.unique(y)
        self.models_ = []
        for k in classes[1:] if len(classes) == 2 else classes:
            terms = TermList(*(make[kind](j) for j, (_, kind, _) in enumerate(self.plan_)))
            with redirect_stdout(io.StringIO()):  # it prints where it does not converge (separable classes)
                model = LogisticGAM(terms, max_iter=25)  # R's limit; separable classes would only diverge further
                self.models_.append(model.gridsearch(table, (y == k).astype(int), progress=False))
        return self

    def predict_proba(self, X):
        table = self._encode(X)
        p = np.column_stack([np.clip(m.predict_proba(table), 1e-9, 1) for m in self.models_])
        return np.column_stack([1 - p, p]) if p.shape[1] == 1 else p / p.sum(axis=1, keepdims=True)


PEERS = {
    "linear": linear,
    "rf": rf,
    "rft": rft,
    "extratreest": extratreest,
    "hgbt": hgbt,
    "xgbt": xgbt,
    "catboost": catboost,
    "mlpt": mlpt,
    "realmlp": realmlp,
    "ebm": lambda inner, n_classes: Ebm(n_classes),
    "pygam": lambda inner, n_classes: PyGam(),
}


# ----------------------------------------------------------------------------------------------------------- one fold


def own_model(name, n_classes):
    """This library's model at its defaults."""
    import kan_tabular

    names = {"kaam": ("KAAMRegressor", "KAAMClassifier"), "kan": ("KANRegressor", "LogisticKAN")}
    settings = {} if name == "kaam" else {"random_state": 0}
    return getattr(kan_tabular, names[name][n_classes is not None])(**settings)


def fit_fold(name, task, train, test, *, clock=time.perf_counter):
    """Scores and seconds of one fit.

    Parameters
    ----------
    name : str
        "kaam", "kan" or a name of `PEERS`.
    task : object
        With ``X``, ``y``, ``groups`` and ``is_classification``.
    train, test : array of int
        Rows. Classes that training lacks get probability zero (then the floor of `fold_scores`).
    clock : callable
        What seconds are counted by.

    Returns
    -------
    dict
        `fold_scores` or `regression_scores`, ``fit_s`` (tuning and preparation included) and ``predict_s``.
    """
    y, classes = task.y[train], None
    if task.is_classification:
        classes, y = np.unique(y, return_inverse=True)
    n_classes = None if classes is None else len(classes)
    groups = None if task.groups is None else task.groups[train]
    X, seen = (task.X.iloc[rows].reset_index(drop=True) for rows in (train, test))
    with warnings.catch_warnings():
        if name in PEERS:
            warnings.simplefilter("ignore")  # peers' own convergence and deprecation notes; scores tell what matters
            estimator, extra = PEERS[name](inner_folds(y, groups, stratify=classes is not None), n_classes), {}
        else:
            estimator, extra = own_model(name, n_classes), {"groups": groups}
        start = clock()
        estimator.fit(X, y, **extra)
        fitted = clock()
        predicted = np.asarray((estimator.predict if classes is None else estimator.predict_proba)(seen), float)
        seconds = {"fit_s": fitted - start, "predict_s": clock() - fitted}
    if classes is None:
        return {**regression_scores(task.y[test], predicted.ravel()), **seconds}
    total = int(task.y.max()) + 1
    full = np.zeros((len(test), total))
    full[:, classes] = predicted
    return {**fold_scores(task.y[test], full, total), **seconds}
