"""What every fitted estimator offers; reads only the fitted network and the encoder."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax
from sklearn.utils.validation import check_is_fitted, validate_data

from kan_tabular.encoding import TableEncoder
from kan_tabular.estimators._validation import (
    check_exposure,
    check_groups,
    check_weights,
    class_factors,
    read,
    read_labels,
)
from kan_tabular.exceptions import DataError
from kan_tabular.fitted.explanation import explanation
from kan_tabular.likelihoods import Bernoulli, Multinomial


class FittedMixin:
    """Needs ``network_`` and ``encoder_``."""

    #: Class of `network_`.
    _network_class: type

    def _encode(self, X, warn=True):
        """X as the network takes it (n, n_features); `warn` of unseen levels."""
        check_is_fitted(self)
        if self.encoder_.is_encoded(X):
            if hasattr(self, "feature_names_in_"):  # scikit-learn warns that X has none
                validate_data(self, X, reset=False, skip_check_array=True)
            return X
        return self.encoder_.transform(read(self, X, reset=False), warn)

    def _position(self, feature):
        names = self.network_.feature_names
        if isinstance(feature, (int, np.integer)) and not isinstance(feature, bool):
            if not -len(names) <= feature < len(names):
                raise ValueError(
                    f"feature {feature} is out of range: give a name, or a position up to {len(names) - 1}."
                )
            return int(feature) % len(names)
        if feature not in names:
            some = f"{', '.join(names[:10])}{' ...' if len(names) > 10 else ''}"
            raise ValueError(f"feature {feature!r} is not a column of this model: choose one of {some}.")
        return names.index(feature)

    def _output(self, class_):
        """Column of the linear predictor for a class label, or for the position of a regressor's target or quantile."""
        if self.network_.n_outputs == 1:
            if class_ is not None:
                raise ValueError(
                    "class_ is for models of more than two classes; give None: this one has a single curve a feature."
                )
            return 0
        classes = self.classes_.tolist() if hasattr(self, "classes_") else list(range(self.network_.n_outputs))
        if class_ is None:
            return len(classes) - 1
        if class_ not in classes:
            raise ValueError(f"class_={class_!r} is not a class of this model: choose one of {classes}.")
        return classes.index(class_)

    @property
    def feature_importances_(self):
        """Mean absolute contribution on the training data, summing to 1 (n_features,)."""
        check_is_fitted(self)
        return _share(self.network_.mean_abs)

    def extrapolation(self, X):
        """Where the model was asked about what training did not show.

        Returns
        -------
        flags : ndarray of bool (n, n_features)
            True where a number lies outside its training range, a level is new, or a value is missing in a column that
            was complete in training.
        """
        Z = self._encode(X, warn=False)  # the flags say it
        flags = np.zeros(Z.shape, dtype=bool)
        for j, feature in enumerate(self.network_.features):
            x = Z[:, j]
            known = ~np.isnan(x)
            if feature.kind == "category":
                flags[:, j] = x == -1
            elif np.isnan(feature.low):
                flags[:, j] = known
            else:
                flags[known, j] = (x[known] < feature.low) | (x[known] > feature.high)
            if not feature.missing:
                flags[:, j] |= ~known
        return flags

    def save(self, path):
        """Write the model to one file without pickle; `kan_tabular.load` reads it back."""
        from kan_tabular.persistence import save

        check_is_fitted(self)
        save(self, path)

    def to_symbolic(
        self, X=None, y=None, *, sample_weight=None, fidelity=0.98, max_complexity=3, candidates=None, digits="auto"
    ):
        """The model as a formula, itself an estimator.

        Each curve becomes a function in closed form, in the units of its column. Categories and missing values become
        tables. With X and y the constants are fitted jointly to the likelihood (and kept if the formula is as faithful
        to the model as asked, otherwise fitted to the model); with X alone to the model's predictions; with neither to
        the model under the training density of each column, for which nothing else is needed.

        Parameters
        ----------
        X : table of shape (n, n_features), optional
            Such as the training rows. Rows the model has not seen make the comparison in ``fidelity_`` fair.
        y : array-like (n,), optional
            Targets of these rows.
        sample_weight : array-like (n,), optional
            Frequencies of these rows.
        fidelity : float or None, default=0.98
            Least R2 of the formula's linear predictor with the model's. None: whatever it is.
        max_complexity, candidates, digits
            As in `SymbolicClassifier`.

        Returns
        -------
        formula : SymbolicClassifier or SymbolicRegressor
            Fitted: ``expression_``, ``terms_``, ``fidelity_``, ``pareto_``, ``latex()``, ``to_sql()`` ...

        Raises
        ------
        FidelityError
            If no formula is that faithful: which columns are missed, and what to do.
        """
        from kan_tabular.estimators.symbolic import symbolic_of

        return symbolic_of(
            self,
            X,
            y,
            sample_weight,
            fidelity=fidelity,
            max_complexity=max_complexity,
            candidates=candidates,
            digits=digits,
        )

    def to_scorecard(self, X=None, y=None, *, max_bands=5, max_points=10):
        """Points to add up by hand: an additive model of two classes (`KAAMClassifier`, `SymbolicClassifier`).

        Each column is cut into bands, each band gives whole points, and a table turns their total into a probability.

        Parameters
        ----------
        X : table of shape (n, n_features), optional
            Rows that say where bands matter; by default the density of the training rows, which the model keeps.
        y : array-like (n,), optional
            Classes of these rows: ``auc_`` of the scorecard then says what the points cost. Rows the model has not
            seen make that fair.
        max_bands : int, default=5
            Most bands of a number; fewer where half a point tells no more apart.
        max_points : int, default=10
            Points of the column that matters most, which sets how fine points are.

        Returns
        -------
        scorecard : kan_tabular.symbolic.scorecard.Scorecard
            ``table``, ``probabilities``, ``to_markdown()``, ``total(X)``, ``predict_proba(X)``, ``auc_``.

        Raises
        ------
        FormulaError
            For regressors, more than two classes, and networks (whose columns have no points of their own).
        """
        from kan_tabular.estimators.symbolic import scorecard_of

        return scorecard_of(self, X, y, max_bands=max_bands, max_points=max_points)

    def _explanation(self, values, X, base=None):
        """Contributions (n, p, n_outputs) to the predictions of the table X, as shap has them."""
        network = self.network_
        base = np.broadcast_to(network.base if base is None else base, (len(values), network.n_outputs)).copy()
        if network.n_outputs == 1:
            values, base = values[:, :, 0], base[:, 0]
        data = X.to_numpy() if hasattr(X, "to_numpy") else np.asarray(X)
        return explanation(values, base, data, network.feature_names)

    def _encode_training(self, table, weights):
        """Fit the encoder: the encoded table and which of its rows count."""
        keep = weights > 0
        if keep.sum() < 2:
            raise ValueError(
                f"Found {int(keep.sum())} sample(s) with a positive weight (n_samples = {len(weights)}); "
                "at least 2 rows are needed."
            )
        self.encoder_ = TableEncoder(self.categorical_features)
        return self.encoder_.fit_transform(table, weights), keep

    def _get_state(self):
        """Plain attributes and arrays for `kan_tabular.persistence`."""
        spec, arrays = self.network_.to_spec()
        attributes = {"network": spec, "n_iter": self.n_iter_}
        if hasattr(self, "feature_names_in_"):
            attributes["feature_names_in"] = self.feature_names_in_.tolist()
        return attributes, arrays

    @classmethod
    def _read_network(cls, spec, arrays):
        return cls._network_class.from_spec(spec, arrays)

    @classmethod
    def _from_state(cls, params, attributes, arrays):
        self = cls(**params)
        self.network_ = cls._read_network(attributes["network"], arrays)
        self.encoder_ = TableEncoder(self.categorical_features)
        self.encoder_.features_ = self.network_.features
        self.n_features_in_ = len(self.network_.features)
        self.n_iter_ = attributes["n_iter"]
        if "feature_names_in" in attributes:
            self.feature_names_in_ = np.array(attributes["feature_names_in"], dtype=object)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


class LabelsMixin:
    """Class labels in, probabilities out."""

    def _read_classification(self, X, y, sample_weight, groups, exposure):
        """Table, class codes (n,), weights (n,) and the likelihood; sets ``classes_``."""
        table = read(self, X, reset=True)
        n = table.n_rows
        y = read_labels(self, y, n)
        check_groups(groups, n)
        check_exposure(exposure, n, "log_loss")
        weights = check_weights(sample_weight, n)
        self.classes_, codes = np.unique(y, return_inverse=True)
        weights = weights * class_factors(self.class_weight, self.classes_, codes, weights)
        present = np.bincount(codes, weights, len(self.classes_)) > 0
        if not present.all():
            self.classes_ = self.classes_[present]
            codes = np.where(present[codes], np.cumsum(present)[codes] - 1, 0)
        if len(self.classes_) < 2:
            raise DataError(
                f"y holds only one class ({self.classes_[0]!r}): a classifier needs at least two with positive weight."
            )
        likelihood = Bernoulli() if len(self.classes_) == 2 else Multinomial(len(self.classes_))
        return table, codes.astype(float), weights, likelihood

    def decision_function(self, X):
        """Log-odds of the second class (n,); for more classes, scores that sum to zero (n, n_classes)."""
        Z = self._encode(X)
        eta = self.network_.forward(Z)
        return eta[:, 0] if eta.shape[1] == 1 else eta

    def predict_proba(self, X):
        """Class probabilities (n, n_classes)."""
        eta = self.decision_function(X)
        return self._response(eta[:, None] if eta.ndim == 1 else eta)

    def _response(self, eta):
        """Class probabilities (..., n_classes) of linear predictors (..., n_outputs)."""
        if eta.shape[-1] > 1:
            return softmax(eta, axis=-1)
        p = self.network_.likelihood.inverse_link(eta[..., 0])
        return np.stack([1 - p, p], axis=-1)

    def predict(self, X):
        """Most probable class (n,)."""
        eta = self.decision_function(X)
        return self.classes_[(eta > 0).astype(int) if eta.ndim == 1 else eta.argmax(axis=1)]

    def _get_state(self):
        attributes, arrays = super()._get_state()
        return {**attributes, "classes": self.classes_.tolist(), "classes_dtype": self.classes_.dtype.str}, arrays

    @classmethod
    def _from_state(cls, params, attributes, arrays):
        self = super()._from_state(params, attributes, arrays)
        self.classes_ = np.array(attributes["classes"], dtype=np.dtype(attributes["classes_dtype"]))
        return self


def _share(sizes):
    total = sizes.sum()
    return sizes / total if total > 0 else np.full(len(sizes), 1 / len(sizes))
