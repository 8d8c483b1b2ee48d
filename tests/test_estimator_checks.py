"""scikit-learn's own conformance suite, with no expected failures, for every response the estimators offer."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from kan_tabular import KAAMClassifier, KAAMRegressor


@parametrize_with_checks(
    [
        KAAMClassifier(),
        KAAMRegressor(),
        KAAMRegressor(loss="poisson"),
        KAAMRegressor(loss="gamma"),
        KAAMClassifier(smoothing="reml", class_weight="balanced"),
        KAAMRegressor(smoothing=1.0, select=False, n_knots=4),
    ]
)
def test_scikit_learn_conformance(estimator, check):
    check(estimator)
