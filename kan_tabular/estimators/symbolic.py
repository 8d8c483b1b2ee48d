"""SymbolicClassifier and SymbolicRegressor: formulas as estimators."""

from __future__ import annotations

from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from kan_tabular.estimators._model import LabelsMixin
from kan_tabular.estimators._symbolic import ATTRIBUTES, PARAMETERS, SymbolicEstimator
from kan_tabular.estimators._validation import (
    check_weights,
    known_codes,
    known_targets,
    read,
    read_target,
)
from kan_tabular.estimators.additive import KAAMClassifier, KAAMRegressor
from kan_tabular.exceptions import FormulaError


class SymbolicClassifier(LabelsMixin, ClassifierMixin, SymbolicEstimator):
    __doc__ = f"""A formula for two or more classes.

    ``model.to_symbolic()`` gives one that imitates a fitted model. `fit` finds one for a table: an additive model
    (`KAAMClassifier`) proposes the curves, each becomes a function in closed form, and all constants are fitted jointly
    to the likelihood.

    Parameters
    ----------
    {PARAMETERS}fidelity : float or None, default=None
        Least R2 of the formula's linear predictor with that of the additive model; below, `fit` raises `FidelityError`.
        None: whatever it is.
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        As in `KAAMClassifier`.
    class_weight : dict, "balanced" or None, default=None
        Multiplies the weights of the classes.
    random_state : int, RandomState or None
        Kept for scikit-learn's sake: nothing random depends on it.

    Attributes
    ----------
    {ATTRIBUTES}classes_ : ndarray (n_classes,)
    feature_importances_ : ndarray (n_features,)

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from kan_tabular import SymbolicClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({{"dose": rng.uniform(1, 9, 2000), "noise": rng.normal(size=2000)}})
    >>> y = rng.random(2000) < 1 / (1 + np.exp(-3 * np.log(X["dose"] / 4)))
    >>> list(SymbolicClassifier().fit(X, y).terms_["feature"])
    ['dose']
    """

    def __init__(
        self,
        *,
        max_complexity=3,
        candidates=None,
        digits="auto",
        fidelity=None,
        categorical_features="from_dtype",
        class_weight=None,
        random_state=None,
    ):
        self.max_complexity = max_complexity
        self.candidates = candidates
        self.digits = digits
        self.fidelity = fidelity
        self.categorical_features = categorical_features
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        """Find a formula.

        Parameters
        ----------
        X : table of shape (n, n_features)
        y : array-like (n,)
            Class labels.
        sample_weight : array-like (n,), optional
            Frequencies: 2 is the row twice, 0 leaves it out.

        Raises
        ------
        FidelityError
            If no formula is as faithful to the additive model as `fidelity` asks.
        """
        table, codes, weights, likelihood = self._read_classification(X, y, sample_weight, None, None)
        model = KAAMClassifier(categorical_features=self.categorical_features)
        model._fit(table, codes, weights, likelihood)
        self.encoder_, self.n_iter_ = model.encoder_, model.n_iter_
        return self._distil(model.network_, model.encoder_.transform(table), codes, weights)


class SymbolicRegressor(RegressorMixin, SymbolicEstimator):
    __doc__ = f"""A formula for a number: as `SymbolicClassifier`, with the mean or its log as output.

    Parameters
    ----------
    loss : {{"squared_error", "poisson", "gamma"}}, default="squared_error"
        The mean (identity link), or the mean of counts or positive amounts (log link). Formulas that ``to_symbolic``
        gives have whatever response their model has.
    {PARAMETERS}fidelity, categorical_features, random_state
        As in `SymbolicClassifier`.

    Attributes
    ----------
    {ATTRIBUTES}feature_importances_ : ndarray (n_features,)
    """

    def __init__(
        self,
        *,
        loss="squared_error",
        max_complexity=3,
        candidates=None,
        digits="auto",
        fidelity=None,
        categorical_features="from_dtype",
        random_state=None,
    ):
        self.loss = loss
        self.max_complexity = max_complexity
        self.candidates = candidates
        self.digits = digits
        self.fidelity = fidelity
        self.categorical_features = categorical_features
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        """Find a formula.

        Parameters
        ----------
        X : table of shape (n, n_features)
        y : array-like (n,)
            Finite; at least 0 for counts, above 0 for `loss="gamma"`.
        sample_weight : array-like (n,), optional
            Frequencies.

        Raises
        ------
        FidelityError
            If no formula is as faithful to the additive model as `fidelity` asks.
        """
        losses = KAAMRegressor._LIKELIHOODS
        if self.loss not in losses:
            raise ValueError(f"loss={self.loss!r}: expected one of {', '.join(map(repr, losses))}.")
        table = read(self, X, reset=True)
        y, weights = read_target(self, y, table.n_rows), check_weights(sample_weight, table.n_rows)
        likelihood = losses[self.loss]()
        likelihood.check_target(y)
        model = KAAMRegressor(loss=self.loss, categorical_features=self.categorical_features)
        model._fit(table, y, weights, likelihood)
        self.encoder_, self.n_iter_ = model.encoder_, model.n_iter_
        return self._distil(model.network_, model.encoder_.transform(table), y, weights)

    def predict(self, X):
        """Predicted mean (n,); (n, n_targets) or (n, n_quantiles) where there are several."""
        Z = self._encode(X)
        mean = self.network_.likelihood.inverse_link(self.network_.forward(Z))
        return mean[:, 0] if mean.shape[1] == 1 else mean

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self.loss in ("poisson", "gamma")
        return tags


def symbolic_of(model, X, y, sample_weight, **settings):
    """The formula of a fitted estimator; `settings` are those of `SymbolicClassifier`."""
    check_is_fitted(model)
    if y is not None and X is None:
        raise ValueError("to_symbolic needs X where y is given.")
    if sample_weight is not None and X is None:
        raise ValueError("to_symbolic needs X where sample_weight is given.")
    Z = None if X is None else model._encode(X)
    weights = None if Z is None else check_weights(sample_weight, len(Z))
    settings["categorical_features"] = model.categorical_features
    if hasattr(model, "classes_"):
        new = SymbolicClassifier(**settings)
        new.classes_ = model.classes_
        y = None if y is None else known_codes(model, y, len(Z))
    else:
        loss = getattr(model, "loss", "squared_error")
        new = SymbolicRegressor(**settings, loss=loss)
        y = None if y is None else known_targets(model, y, len(Z))
    for name in ("n_features_in_", "feature_names_in_", "encoder_", "n_iter_"):
        if hasattr(model, name):
            setattr(new, name, getattr(model, name))
    return new._distil(model.network_, Z, y, weights)


def scorecard_of(model, X, y, **settings):
    """The scorecard of a fitted estimator; `settings` are those of `Scorecard.from_model`."""
    from kan_tabular.symbolic.scorecard import Scorecard

    check_is_fitted(model)
    name = type(model).__name__
    if not hasattr(model, "classes_"):
        raise FormulaError(
            f"a scorecard gives the probability of a class, but {name} predicts a number: fit a KAAMClassifier to "
            "classes of the target, such as above and below a threshold."
        )
    if len(model.classes_) != 2:
        raise FormulaError(
            f"a scorecard is for two classes, but this model has {len(model.classes_)}: fit one for a class against "
            "the others."
        )
    if not hasattr(model.network_, "contributions"):
        raise FormulaError(
            f"a scorecard adds up what each column gives by itself, but columns of {name} act together: use an "
            "additive model, KAAMClassifier or SymbolicClassifier."
        )
    if y is not None and X is None:
        raise ValueError("to_scorecard needs X where y is given.")
    if X is not None:
        n_rows = len(model._encode(X))  # refuses tables that do not fit the model
    card = Scorecard.from_model(model.network_, X, classes=model.classes_.tolist(), **settings)
    if y is not None:
        card.auc_ = card.auc(X, model.classes_[known_codes(model, y, n_rows).astype(int)])
    return card
