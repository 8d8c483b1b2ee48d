"""What additive estimators offer beside predictions; reads only the fitted network and the encoder."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from kan_tabular.estimators._model import FittedMixin
from kan_tabular.fitted.shape import ShapeReader

#: Above this share the other terms can tell much the same story.
_CONCURVITY_WARNING = 0.8


class CurvesMixin(FittedMixin):
    """Curves of one layer: exact contributions, bands, concurvity."""

    def explain(self, X):
        """What each feature adds to each prediction, on the link scale.

        Parameters
        ----------
        X : table of shape (n, n_features)

        Returns
        -------
        explanation : shap.Explanation, or `kan_tabular.fitted.explanation.Explanation` without shap
            ``values`` (n, n_features) or (n, n_features, n_classes), ``base_values``, ``data``, ``feature_names``.
            Exact: base value + sum of the values = `decision_function` (the linear predictor of a regressor). Each
            feature's values average to zero over the training data.
        """
        Z = self._encode(X)
        return self._explanation(self.network_.contributions(Z), X)

    def shape_function(self, feature, grid=None, class_=None):
        """The curve of one feature with its bands.

        Parameters
        ----------
        feature : str or int
            Name or position of the column.
        grid : array-like, optional
            Values (or level names) to read it at; by default 200 points across the training range, or all levels.
        class_ : label, optional
            Which class's curve, for more than two classes (default: the last). Otherwise None.

        Returns
        -------
        shape : kan_tabular.fitted.ShapeFunction
            ``x, y, se, lower, upper, lower_simultaneous, upper_simultaneous, kind, missing, density``.
        """
        check_is_fitted(self)
        return ShapeReader(self.network_, self._position(feature), self._output(class_)).read(grid)

    def importance(self, X=None, kind="mean_abs"):
        """Importance of each feature, not normalised.

        Parameters
        ----------
        X : table, optional
            Rows to measure on; by default the training data.
        kind : {"mean_abs", "variance"}
            Mean absolute contribution, or its variance (Apellaniz et al. 2025), on the link scale.

        Returns
        -------
        importance : ndarray (n_features,)
        """
        if kind not in ("mean_abs", "variance"):
            raise ValueError(f"kind={kind!r}: expected 'mean_abs' or 'variance'.")
        check_is_fitted(self)
        sizes = (
            (self.network_.mean_abs, self.network_.variance)
            if X is None
            else self.network_.contribution_sizes(self._encode(X))
        )
        return sizes[kind == "variance"].copy()

    def concurvity(self):
        """How much of each term the others could say as well.

        Returns
        -------
        table : pandas.DataFrame
            Indexed by feature: ``concurvity`` (0: only this feature tells it, 1: the others tell all of it; adjusted R2
            of the fitted curve on the smooth part of the other terms) and ``most_related`` (the feature whose
            contribution is most correlated with it, or None). Above about 0.8 a single curve should not be read on
            its own.
        """
        import pandas as pd

        check_is_fitted(self)
        network = self.network_
        names = network.feature_names
        related = [names[k] if k >= 0 else None for k in network.related]
        return pd.DataFrame(
            {"concurvity": network.concurvity, "most_related": related}, index=pd.Index(names, name="feature")
        )

    def summary(self):
        """The model in one table.

        Returns
        -------
        table : pandas.DataFrame
            Indexed by feature, most important first: ``kind``, ``edf`` (effective degrees of freedom), ``smoothness``
            (the smoothing parameter of the curve or of the levels; inf-like values mean a straight line),
            ``importance`` (share), ``concurvity`` and a ``note``. There are no p-values: after smoothing selection none
            can be defended.
        """
        import pandas as pd

        check_is_fitted(self)
        network = self.network_
        concurvity = self.concurvity()
        rows = []
        for j, feature in enumerate(network.features):
            s = network.smoothing[j]
            shape = [np.exp(r) for k, r in zip(s.kinds, s.rho, strict=True) if k in ("curvature", "level")]
            notes = []
            if not network.inputs[j].n_columns:
                notes.append("constant in training: no effect")
            elif concurvity["concurvity"].iloc[j] > _CONCURVITY_WARNING:
                notes.append(
                    f"overlaps with other columns, most with {concurvity['most_related'].iloc[j]}: do not read it alone"
                )
            if feature.missing:
                notes.append(f"{feature.missing:.1%} missing")
            rows.append(
                (
                    feature.kind,
                    self.edf_[feature.name],
                    shape[0] if shape else np.nan,
                    self.feature_importances_[j],
                    concurvity["concurvity"].iloc[j],
                    "; ".join(notes),
                )
            )
        index = pd.Index(network.feature_names, name="feature")
        table = pd.DataFrame(
            rows, index=index, columns=["kind", "edf", "smoothness", "importance", "concurvity", "note"]
        )
        return table.sort_values("importance", ascending=False, kind="stable")
