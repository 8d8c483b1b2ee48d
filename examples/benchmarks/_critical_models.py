"""The models of ``critical_assessment.py``: how many numbers each fits, its settings, and how one is chosen.

Every fit is handed the training part of a fold and answers with a `Fit`. A share of `HELD_OUT` of the training rows is
kept aside: networks choose their best epoch on them, and all models are compared on them with their own other settings.
"""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from _common import folds
from _development_tasks import Task
from _peers import CATEGORY, NUMERIC, one_hot, scaled
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from kan_tabular import KAAMClassifier, KAAMRegressor, KANRegressor, LogisticKAN
from kan_tabular.bases import BSpline

#: Numbers that single networks and trees may fit.
SIZES = (300, 1000, 3000, 10000)
HELD_OUT = 1 / 8
#: Test folds of a table.
N_FOLDS = 5
#: Epochs of an MLP, at most, and those without a better one after which it stops. KANs have 20 to 200, by the rows.
EPOCHS, PATIENCE = 200, 50
#: Knots of the first layer and smoothness of a single KAN of up to `FEW` numbers. With more numbers, few knots
#: would mean hundreds of hidden nodes.
KAN_SETTINGS = ((10, 30.0), (3, 30.0))
LARGE_KAN_SETTINGS = ((10, 30.0), (10, 5.0))
FEW = 3000
#: Rate and weight decay of a single MLP.
MLP_SETTINGS = ((0.02, 1e-3), (0.02, 1.0), (0.005, 1e-3))
#: Eight MLPs of so many nodes each; they share the first setting.
MEMBERS, MEMBER_WIDTH = 8, 64
#: Leaves of a tree.
FOREST_SETTINGS = (32, 8, 128)
#: Leaves of a tree and rate.
BOOSTING_SETTINGS = ((4, 0.2), (4, 0.05), (16, 0.1))
MOST_TREES = 300
DEFAULT_KNOTS = 10
#: Trees on which the size of a tree is measured.
PROBED = 3


@dataclass
class Fit:
    """A fitted model.

    Attributes
    ----------
    size : int
        Numbers fitted.
    predict : callable
        From a table to probabilities (n, n_classes) or means (n,).
    held_out : float
        Log loss or mean squared error of the rows kept aside; NaN where the model chooses by itself.
    seconds, refit_s : float
        Processor seconds of the fit that chooses, and of the one on all rows that follows if it is chosen; 0 where the
        first is kept.
    """

    size: int
    predict: Callable
    held_out: float = np.nan
    seconds: float = 0.0
    refit_s: float = 0.0


def numbers(task):
    """Numbers a leaf or a last node has: one, or one a class if there are more than two."""
    return int(task.y.max()) + 1 if task.kind == "multiclass" else 1


def splits(task, n_folds, seed):
    """Folds of a task of any kind."""
    return folds(task.y, task.groups, n_folds, seed, stratify=task.kind != "regression")


def part(task, rows):
    groups = None if task.groups is None else task.groups[rows]
    return Task(task.name, task.kind, task.X.iloc[rows].reset_index(drop=True), task.y[rows], groups)


def loss_of(task, said):
    """Log loss of probabilities, or mean squared error of means."""
    if task.kind == "regression":
        return float(np.mean((task.y - said) ** 2))
    return float(-np.mean(np.log(np.clip(said[np.arange(len(said)), task.y], 1e-6, 1))))


def full(p, classes, n_classes):
    """Probabilities (n, n_classes), zero for classes that training did not have."""
    out = np.zeros((len(p), n_classes))
    out[:, np.asarray(classes, int)] = p
    return out


def predictor(model, task):
    """The model's `predict` or `predict_proba` in the form of `Fit`."""
    if task.kind == "regression":
        return model.predict
    return lambda X: full(model.predict_proba(X), model.classes_, int(task.y.max()) + 1)


def as_numbers():
    """Medians and indicators for what is missing, z-scores (up to 5: odd rows throw MLPs), one-hot columns."""
    clip = FunctionTransformer(np.clip, kw_args={"a_min": -5, "a_max": 5})
    return make_column_transformer((make_pipeline(scaled(), clip), NUMERIC), (one_hot(), CATEGORY))


def timed(function, *args):
    start = time.process_time()
    value = function(*args)
    return value, time.process_time() - start


# ---------------------------------------------------------------------------------------------------------- networks


def network_size(network):
    """Coefficients of all curves and biases of all nodes of a fitted network, its additive part too."""
    parts = [network.bias, network.intercept, *(c.coefficients for c in network.inputs)]
    parts += [a for layer in network.layers for a in (layer.coefficients, layer.bias)]
    if any(c.coefficients.any() for c in network.additive):  # all zero where there is none
        parts += [c.coefficients for c in network.additive]
    return sum(a.size for a in parts)


def kan(task, settings, epochs="auto", width=1):
    """One bare network of curves with one hidden layer."""
    knots, smoothness = settings
    make = KANRegressor if task.kind == "regression" else LogisticKAN
    alone = {"n_estimators": 1, "additive_start": False, "alpha": 0.5, "validation_fraction": HELD_OUT}
    model = make(
        hidden_layer_sizes=(width,),
        basis="bspline" if knots == DEFAULT_KNOTS else BSpline(knots),  # the name has faster hidden nodes
        smoothness=smoothness,
        max_iter=epochs,
        random_state=0,
        **alone,
    )
    return model.fit(task.X, task.y, groups=task.groups)


def kan_width(task, size, settings, nodes):
    """The most hidden nodes of which a network has at most `size` numbers.

    What a node takes is counted on a network of one; `nodes` keeps it for the next size.
    """
    if settings[0] not in nodes:
        network = kan(task, settings, 1).network_
        columns = sum(c.n_columns for c in network.inputs)
        nodes[settings[0]] = columns + 1 + network.layers[0].coefficients[0].size, len(network.intercept)
    node, outputs = nodes[settings[0]]
    return (size - 2 * outputs) // node


def single_kan(task, size, settings, epochs="auto", nodes=None):
    width = kan_width(task, size, settings, {} if nodes is None else nodes)
    if width < 1:
        return None
    model, seconds = timed(kan, task, settings, epochs, width)
    held_out = model.candidates_[0]["held_out_loss"]
    return Fit(network_size(model.network_), predictor(model, task), held_out, seconds)


class HeldOutMLP:
    """scikit-learn's MLP with one hidden layer, trained an epoch a call; the best epoch by the rows kept aside is kept.

    Its own early stopping looks at accuracy, by which log loss is not chosen. Batches are as large as a KAN's.
    """

    def __init__(self, width, rate, alpha, seed=0):
        self.width, self.rate, self.alpha, self.seed = width, rate, alpha, seed

    def fit(self, task, kept, aside, epochs):
        self.columns_ = as_numbers().fit(task.X.iloc[kept])
        self.regression_ = task.kind == "regression"
        self.shift_, self.scale_ = (task.y[kept].mean(), task.y[kept].std()) if self.regression_ else (0.0, 1.0)
        X = self.columns_.transform(task.X)
        y = (task.y - self.shift_) / self.scale_ if self.regression_ else task.y
        held = Task(task.name, task.kind, None, y[aside])
        classes = {} if self.regression_ else {"classes": np.unique(y[kept])}
        self.n_classes_ = 0 if self.regression_ else int(y.max()) + 1
        self.model_ = (MLPRegressor if self.regression_ else MLPClassifier)(
            hidden_layer_sizes=(self.width,),
            learning_rate_init=self.rate,
            alpha=self.alpha,
            batch_size=min(128, max(len(kept) // 4, 16)),
            random_state=self.seed,
        )
        best = np.inf
        for epoch in range(epochs):
            self.model_.partial_fit(X[kept], y[kept], **(classes if epoch == 0 else {}))
            loss = loss_of(held, self._said(X[aside]))
            if loss < best:
                best, at, state = loss, epoch, copy.deepcopy((self.model_.coefs_, self.model_.intercepts_))
            elif epoch - at >= PATIENCE:
                break
        self.model_.coefs_, self.model_.intercepts_ = state
        self.held_out_, self.n_epochs_ = best, epoch + 1
        return self

    def _said(self, Z):
        if self.regression_:
            return self.model_.predict(Z)
        return full(self.model_.predict_proba(Z), self.model_.classes_, self.n_classes_)

    def predict(self, X):
        return self.shift_ + self.scale_ * self._said(self.columns_.transform(X))

    @property
    def size_(self):
        return sum(a.size for a in (*self.model_.coefs_, *self.model_.intercepts_))


def single_mlp(task, size, settings, epochs=EPOCHS):
    kept, aside = splits(task, round(1 / HELD_OUT), 0)[0]
    C = numbers(task)
    columns = as_numbers().fit(task.X.iloc[kept]).transform(task.X.iloc[:1]).shape[1]
    width = (size - C) // (columns + 1 + C)
    if width < 1:
        return None
    model, seconds = timed(HeldOutMLP(width, *settings).fit, task, kept, aside, epochs)
    return Fit(model.size_, model.predict, model.held_out_, seconds)


def several_mlps(task):
    """Eight MLPs, each leaving out another eighth of the rows, as the members of a KAN ensemble do; their mean."""
    start = time.process_time()
    parts = splits(task, MEMBERS, 0)
    members = [HeldOutMLP(MEMBER_WIDTH, *MLP_SETTINGS[0], k).fit(task, *p, EPOCHS) for k, p in enumerate(parts)]

    def predict(X):
        return np.mean([m.predict(X) for m in members], axis=0)

    return Fit(sum(m.size_ for m in members), predict, seconds=time.process_time() - start)


def default_kan(task):
    """`LogisticKAN()` or `KANRegressor()`: an ensemble that chooses for itself, the additive fit among candidates."""
    model = (KANRegressor if task.kind == "regression" else LogisticKAN)(random_state=0)
    model, seconds = timed(lambda: model.fit(task.X, task.y, groups=task.groups))
    return Fit(network_size(model.network_), predictor(model, task), seconds=seconds)


# ------------------------------------------------------------------------------------------- additive, linear, trees


def kaam(task):
    model = (KAAMRegressor if task.kind == "regression" else KAAMClassifier)()
    model, seconds = timed(lambda: model.fit(task.X, task.y, groups=task.groups))
    network = model.network_
    size = sum(c.coefficients.size for c in network.inputs) + len(np.ravel(network.base))
    return Fit(size, predictor(model, task), seconds=seconds)


def linear(task):
    """Ridge or logistic regression, the strength chosen by five folds that keep groups together."""
    inner = splits(task, 5, 0)
    if task.kind == "regression":
        last = RidgeCV(np.logspace(-3, 4, 15), cv=inner)
    else:
        last = LogisticRegressionCV(Cs=np.logspace(-3, 2, 11), cv=inner, scoring="neg_log_loss", max_iter=5000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its notes on defaults that will change
        model, seconds = timed(make_pipeline(as_numbers(), last).fit, task.X, task.y)
    return Fit(model[-1].coef_.size + np.size(model[-1].intercept_), predictor(model, task), seconds=seconds)


def chosen_then_all(task, make, size_of):
    """Fit on the rows that are not held out for the choice, and on all rows for use."""
    kept, aside = splits(task, round(1 / HELD_OUT), 0)[0]
    less, left = part(task, kept), part(task, aside)
    first, seconds = timed(make().fit, less.X, less.y)
    held_out = loss_of(left, predictor(first, task)(left.X))
    model, refit_s = timed(make().fit, task.X, task.y)
    return Fit(size_of(model), predictor(model, task), held_out, seconds, refit_s)


def tree_size(leaves, outputs):
    """A split is a column and a threshold, a leaf one number an output."""
    return 2 * (leaves - 1) + leaves * outputs


def forest(task, size, settings):
    """As many trees of so many leaves as have `size` numbers; `size` None is 300 trees that grow to the end."""
    C = numbers(task)
    kind = RandomForestRegressor if task.kind == "regression" else RandomForestClassifier
    limits = {"max_leaf_nodes": settings, "max_features": 1 / 3, "min_samples_leaf": 2}

    def make(trees):
        return make_pipeline(as_numbers(), kind(trees, random_state=0, n_jobs=1, **limits))

    def size_of(model):
        return sum(tree_size(int(t.tree_.n_leaves), C) for t in model[-1].estimators_)

    trees = MOST_TREES
    if size is not None:  # small tables do not fill the leaves they may have, so some trees show how large they are
        trees = min(size * PROBED // size_of(make(PROBED).fit(task.X, task.y)), MOST_TREES)
    return chosen_then_all(task, lambda: make(trees), size_of) if trees else None


def boosting(task, size, settings):
    """Histogram boosting; `size` None is 300 iterations."""
    leaves, rate = settings
    C = numbers(task)
    rounds = MOST_TREES if size is None else min(size // (C * tree_size(leaves, 1)), MOST_TREES)
    if rounds < 1:
        return None
    kind = HistGradientBoostingRegressor if task.kind == "regression" else HistGradientBoostingClassifier
    limits = {"max_leaf_nodes": leaves, "learning_rate": rate, "max_iter": rounds, "early_stopping": False}

    def size_of(model):
        return sum(tree_size(int(t.get_n_leaf_nodes()), 1) for trees in model._predictors for t in trees)

    return chosen_then_all(task, lambda: kind(categorical_features="from_dtype", random_state=0, **limits), size_of)


#: Sizes in the order in which a search with limited time comes to them.
ORDER = (1000, 3000, 10000, 300)


def grid(fit, settings):
    """(Size, setting, call) of every size and setting, in the order of the search."""
    return [(size, s, partial(fit, size=size, settings=s)) for size in ORDER for s in settings(size)]


def kan_settings(size):
    return KAN_SETTINGS if size <= FEW else LARGE_KAN_SETTINGS


def candidates():
    """For each model its candidates in the order of the search: (size asked for or None, setting, call on a task).

    To be made anew for every table, on which sizes are remembered.
    """
    curves = partial(single_kan, nodes={})
    quick_kan = (None, "quick", partial(curves, size=1000, settings=KAN_SETTINGS[0], epochs=20))
    quick_mlp = (None, "quick", partial(single_mlp, size=1000, settings=MLP_SETTINGS[0], epochs=50))
    trees = grid(forest, lambda size: FOREST_SETTINGS)
    boosted = grid(boosting, lambda size: BOOSTING_SETTINGS)
    large = [(None, f"{MOST_TREES} trees", partial(forest, size=None, settings=None))]
    long = [(None, f"{MOST_TREES} rounds", partial(boosting, size=None, settings=s)) for s in ((4, 0.05), (16, 0.05))]
    n_trees, n_boosted = len(FOREST_SETTINGS), len(BOOSTING_SETTINGS)
    return {
        "linear": [(None, "", linear)],
        "kaam": [(None, "", kaam)],
        "kan": [quick_kan, *grid(curves, kan_settings)],
        "mlp": [quick_mlp, *grid(single_mlp, lambda size: MLP_SETTINGS)],
        "forest": [*trees[:n_trees], *large, *trees[n_trees:]],
        "boosting": [*boosted[:n_boosted], *long, *boosted[n_boosted:]],
        "kan_default": [(None, "", default_kan)],
        "mlp_several": [(None, "", several_mlps)],
    }
