"""LogisticKAN and KANRegressor: networks of curves with hidden layers, trained as an ensemble."""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from kan_tabular.estimators._model import LabelsMixin
from kan_tabular.estimators._network import NetworkEstimator
from kan_tabular.estimators._validation import (
    check_exposure,
    check_levels,
    check_weights,
    read,
    read_target,
    read_targets,
)
from kan_tabular.likelihoods import Gamma, Gaussian, MultiGaussian, Poisson, Quantile

_PARAMETERS = """hidden_layer_sizes : tuple of int or (int, int), default=(24, 8)
        Nodes of each hidden layer. A pair is (sums, products): nodes that add up curves, and nodes that multiply two
        such sums, as in ``((16, 8), 8)``.
    basis : str or Basis, default="bspline"
        Family of the curves: a name, or an instance of a family in `kan_tabular.bases` with arguments of its own.
        Nonlinear parameters, where it has any, are learned by every column and every hidden node of each network; the
        additive part has B-splines then.
    grid_size : int or tuple of int, default=5
        Intervals of the splines of the hidden nodes (of ``basis="bspline"``). A tuple such as (3, 6, 12) trains coarse
        to fine, equal shares of the epochs each; every grid must be a multiple of the one before, and no function
        changes in between. (Other families that grow take their sizes themselves: ``Daruan(n_repetitions=(1, 3))``.)
    projection : int or None, default=None
        For wide tables: numeric columns enter as straight lines alone, into that many nodes before those of
        `hidden_layer_sizes` (``Linear -> KAN``, as in hybrid QKANs), which makes the first layer a tenth of the size.
    n_estimators : int, default=8
        Networks trained for each setting of `alpha`, `smoothness` and `additive_start`, all at once. Each leaves out
        its own share of the rows (or of the `groups`), on which the best epoch and the weight of each setting are
        chosen.
    additive_start : "auto" or bool, default="auto"
        Whether the hidden layers begin at the convex additive fit and learn what it leaves. "auto" trains both kinds.
        Where that fit would have more than 1200 coefficients (wide tables of many classes) there is none.
    max_iter : "auto" or int, default="auto"
        Epochs. "auto" makes about 800 steps, in at least 20 and at most 200 epochs.
    batch_size : "auto" or int, default="auto"
        Rows of a step. "auto": 128; a quarter of the rows where that is less, 1/64 of them where that is more, at
        most 1024.
    solver : {"adam", "lbfgs"}, default="adam"
        Stochastic steps of all networks at once, or L-BFGS on all rows, one network after the other: for small tables
        of smooth relations with little noise. `max_iter` then counts its iterations (200 by default).
    learning_rate_init : float, default=0.04
        Peak learning rate; it falls to zero as a cosine.
    alpha : "auto" or float, default="auto"
        Weight decay. "auto" trains several strengths.
    smoothness : "auto" or float, default="auto"
        How reluctant the curves of the first layer are to bend: 1 for curves as free as lines, more for straighter
        ones. "auto" trains several.
    sparsity : float, default=0.0
        Shrinks whole edges, in units of what they add to their node, to exactly nothing; those that carry little of
        their layer more than others (L1 and entropy). Try 0.03 to 0.3; from about 1 on hardly anything is left.
    early_stopping : "auto" or bool, default="auto"
        Whether rows are left out to choose epochs and weights. "auto" does so from 20 rows on. Without, all rows train
        every member for `max_iter` epochs and all settings count the same.
    validation_fraction : float, default=0.125
        Rows to leave out when ``n_estimators=1``.
    n_iter_no_change : int or None, default=None
        Stop after that many epochs without a better held-out loss; None: after half of all epochs.
    max_time : float or None, default=None
        Seconds after which training stops, at the best state so far.
    warm_start : bool, default=False
        Go on with the networks of the last fit, on rows with the same columns and levels, and with the same rows left
        out where the table is the same. The state they begin in stays a candidate.
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Columns to be read as categories, as in `KAAMClassifier`.
"""


class LogisticKAN(LabelsMixin, ClassifierMixin, NetworkEstimator):
    __doc__ = f"""Kolmogorov-Arnold network for two or more classes.

    The log-odds are a weighted sum of small networks of curves: in each, one curve of every feature is summed into each
    hidden node, and one curve of every node into the output. Members with several strengths of regularisation, started
    at zero or at the convex additive fit, train in one program; held-out rows choose the epoch of each setting and the
    weights of the settings and of the additive fit itself, which therefore is what remains where nothing interacts.

    Parameters
    ----------
    {_PARAMETERS}    class_weight : dict, "balanced" or None, default=None
        Multiplies the weights of the classes.
    device : {{"auto", "cpu", "cuda"}}, default="auto"
        Where the network trains; prediction is always on the CPU, without torch.
    random_state : int, RandomState or None
        Decides the folds, the start and the order of the rows; the same number gives the same model.
    verbose : int, default=0
        Show progress.

    Attributes
    ----------
    classes_ : ndarray (n_classes,)
    network_ : kan_tabular.fitted.deep.DeepNetwork
    encoder_ : kan_tabular.encoding.TableEncoder
    candidates_ : list of dict
        Settings with their held-out losses and weights.
    feature_importances_ : ndarray (n_features,)
        Mean absolute change of the linear predictor when a feature's curves are set to their training means, on a
        sample of the training rows, summing to 1.
    n_iter_ : int
        Epochs trained.

    Notes
    -----
    Minibatches make a weight of 2 only in expectation the same as a row twice.

    References
    ----------
    Liu et al. (2024), arXiv 2404.19756 (KAN); Apellaniz et al. (2025), arXiv 2509.16750 (Logistic-KAN); Holzmueller,
    Grinsztajn & Steinwart (2024), arXiv 2407.04491 (smooth clipping, schedules); Breiman (1996), "Stacked regressions".
    """

    def __init__(
        self,
        *,
        hidden_layer_sizes=(24, 8),
        basis="bspline",
        grid_size=5,
        projection=None,
        n_estimators=8,
        additive_start="auto",
        max_iter="auto",
        batch_size="auto",
        solver="adam",
        learning_rate_init=0.04,
        alpha="auto",
        smoothness="auto",
        sparsity=0.0,
        early_stopping="auto",
        validation_fraction=0.125,
        n_iter_no_change=None,
        max_time=None,
        warm_start=False,
        categorical_features="from_dtype",
        class_weight=None,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.basis = basis
        self.grid_size = grid_size
        self.projection = projection
        self.n_estimators = n_estimators
        self.additive_start = additive_start
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.solver = solver
        self.learning_rate_init = learning_rate_init
        self.alpha = alpha
        self.smoothness = smoothness
        self.sparsity = sparsity
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.max_time = max_time
        self.warm_start = warm_start
        self.categorical_features = categorical_features
        self.class_weight = class_weight
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y, sample_weight=None, *, groups=None, exposure=None):
        """Train.

        Parameters
        ----------
        X : table of shape (n, n_features)
            DataFrame (pandas, polars, ...), array or lists; numbers, booleans, text or categories, with missing values.
        y : array-like (n,)
            Class labels.
        sample_weight : array-like (n,), optional
            Frequencies: 2 is the row twice (in expectation over the batches), 0 leaves it out.
        groups : array-like (n,), optional
            Rows of one group (a patient, a composition) are left out together.
        exposure : None
            Only for counts (`KANRegressor`).
        """
        table, codes, weights, likelihood = self._read_classification(X, y, sample_weight, groups, exposure)
        return self._fit(table, codes, weights, likelihood, groups=groups)


class KANRegressor(RegressorMixin, NetworkEstimator):
    __doc__ = f"""Kolmogorov-Arnold network for a number: as `LogisticKAN`, with the mean or its log as output.

    Parameters
    ----------
    loss : {{"squared_error", "quantile", "poisson", "gamma"}}, default="squared_error"
        The mean (identity link), quantiles, or the mean of counts or positive amounts (log link).
    quantiles : sequence of float, default=(0.5,)
        Levels for ``loss="quantile"``, all fitted at once; predictions are in increasing order.
    {_PARAMETERS}    device, random_state, verbose
        As in `LogisticKAN`.

    Attributes
    ----------
    network_, encoder_, candidates_, feature_importances_, n_iter_
        As in `LogisticKAN`.
    """

    _LIKELIHOODS = {"squared_error": Gaussian, "poisson": Poisson, "gamma": Gamma}

    def __init__(
        self,
        *,
        loss="squared_error",
        quantiles=(0.5,),
        hidden_layer_sizes=(24, 8),
        basis="bspline",
        grid_size=5,
        projection=None,
        n_estimators=8,
        additive_start="auto",
        max_iter="auto",
        batch_size="auto",
        solver="adam",
        learning_rate_init=0.04,
        alpha="auto",
        smoothness="auto",
        sparsity=0.0,
        early_stopping="auto",
        validation_fraction=0.125,
        n_iter_no_change=None,
        max_time=None,
        warm_start=False,
        categorical_features="from_dtype",
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.loss = loss
        self.quantiles = quantiles
        self.hidden_layer_sizes = hidden_layer_sizes
        self.basis = basis
        self.grid_size = grid_size
        self.projection = projection
        self.n_estimators = n_estimators
        self.additive_start = additive_start
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.solver = solver
        self.learning_rate_init = learning_rate_init
        self.alpha = alpha
        self.smoothness = smoothness
        self.sparsity = sparsity
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.max_time = max_time
        self.warm_start = warm_start
        self.categorical_features = categorical_features
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y, sample_weight=None, *, groups=None, exposure=None):
        """Train.

        Parameters
        ----------
        X : table of shape (n, n_features)
        y : array-like (n,), or (n, n_targets) for `loss="squared_error"`
            Finite; at least 0 for counts, above 0 for `loss="gamma"`.
        sample_weight, groups
            As in `LogisticKAN`.
        exposure : array-like (n,), optional
            For `loss="poisson"`: the mean is ``exposure`` times what the network says; predictions are per unit.
        """
        table = read(self, X, reset=True)
        n = table.n_rows
        y = read_targets(self, y, n) if self.loss == "squared_error" else read_target(self, y, n)
        weights = check_weights(sample_weight, n)
        exposure = check_exposure(exposure, n, self.loss)
        likelihood = self._likelihood(y)
        likelihood.check_target(y)
        return self._fit(table, y, weights, likelihood, 0.0 if exposure is None else np.log(exposure), groups)

    def _likelihood(self, y):
        if self.loss == "quantile":
            return Quantile(check_levels(self.quantiles))
        if self.loss not in self._LIKELIHOODS:
            expected = ", ".join(map(repr, ["quantile", *self._LIKELIHOODS]))
            raise ValueError(f"loss={self.loss!r}: expected one of {expected}.")
        return MultiGaussian(y.shape[1]) if y.ndim == 2 else self._LIKELIHOODS[self.loss]()

    def predict(self, X):
        """Predicted mean (n,); (n, n_targets) or (n, n_quantiles) where there are several."""
        check_is_fitted(self)
        network = self.network_
        mean = network.likelihood.inverse_link(network.forward(self._encode(X)))
        return mean[:, 0] if mean.shape[1] == 1 else mean

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self.loss in ("poisson", "gamma")
        tags.target_tags.multi_output = self.loss == "squared_error"
        return tags
