"""scikit-learn's own conformance suite on conformal estimators, at a level that its tiny tables allow."""

from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from kan_tabular import KAAMClassifier
from kan_tabular.uncertainty import ConformalClassifier, ConformalRegressor


def expected_failed_checks(estimator):
    """Which rows calibrate is drawn by row: a row twice may be drawn apart, a row of weight 2 not."""
    reason = "which rows calibrate is random: weights are frequencies within that draw"
    checks = ["check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"]
    return dict.fromkeys(checks, reason)


@parametrize_with_checks(
    [
        ConformalClassifier(KAAMClassifier(), confidence_level=0.5, random_state=0),
        ConformalClassifier(LogisticRegression(), method="cross", confidence_level=0.5, cv=2, random_state=0),
        ConformalRegressor(LinearRegression(), confidence_level=0.5, random_state=0),
    ],
    expected_failed_checks=expected_failed_checks,
)
def test_scikit_learn_conformance(estimator, check):
    check(estimator)
