"""What conformal estimators refuse, in words that say what to do."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.svm import LinearSVC

from kan_tabular import KAAMClassifier, KAAMRegressor
from kan_tabular.uncertainty import ConformalClassifier, ConformalRegressor

COLUMNS = ["a", "b", "c"]


def test_training_rows_are_recognised(two_classes):
    X, y = two_classes
    model = ConformalClassifier(KAAMClassifier(), calibration_size=None).fit(X[:300], y[:300])
    with pytest.raises(ValueError, match="300 of 300 rows are rows that the estimator was trained on"):
        model.conformalize(X[:300], y[:300])
    shuffled = np.random.default_rng(0).permutation(300)
    with pytest.raises(ValueError, match="300 of 300 rows"):
        model.conformalize(X.iloc[shuffled], y[shuffled])
    with pytest.warns(UserWarning, match="20 of 200 rows are rows that the estimator was trained on"):
        model.conformalize(X[280:480], y[280:480])
    model.conformalize(X[300:], y[300:])  # no warning, which would be an error here
    assert model.predict_set(X).shape == (600, 2)
    whole = ConformalClassifier(KAAMClassifier(), random_state=0).fit(X[:300], y[:300])
    with pytest.raises(ValueError, match=r"22\d of 300 rows"):
        whole.conformalize(X[:300], y[:300])


def test_training_rows_are_recognised_in_arrays_and_after_zeros_change_sign():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2)).round(1)
    X[:5, 0] = 0.0
    y = X[:, 0] + rng.normal(size=200)
    model = ConformalRegressor(Ridge(), calibration_size=None).fit(X, y)
    with pytest.raises(ValueError, match="200 of 200 rows"):
        model.conformalize(np.where(X == 0, -0.0, X), y)
    model.conformalize(X, y + 1e-6)  # other rows: the target counts


def test_tables_that_repeat_themselves_raise_no_alarm():
    """Three binary columns: new rows are old rows, and that is no one's mistake."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.integers(0, 2, (400, 3)), columns=COLUMNS)
    y = np.where(rng.random(400) < 0.3 + 0.4 * X["a"], "ill", "well")
    model = ConformalClassifier(KAAMClassifier(), calibration_size=None).fit(X[:200], y[:200])
    model.conformalize(X[200:], y[200:])
    assert model.calibration_.mass.sum() == 200


def test_tables_that_cannot_be_read_cell_by_cell_still_work():
    from scipy.sparse import csr_matrix

    rng = np.random.default_rng(0)
    X = csr_matrix(rng.normal(size=(200, 2)))
    y = rng.normal(size=200)
    model = ConformalRegressor(Ridge(), calibration_size=None).fit(X[:100], y[:100]).conformalize(X[100:], y[100:])
    assert model.predict_interval(X).shape == (200, 2)


@pytest.mark.parametrize("level", [0.0, 1.0, 90, -0.1, "0.9", None, (), (0.9, 0.8), (0.8, 0.8), (0.9, 1.0), np.nan])
def test_levels_lie_between_0_and_1_and_increase(two_classes, level):
    X, y = two_classes
    with pytest.raises(ValueError, match="confidence_level=.*expected increasing numbers between 0 and 1"):
        ConformalClassifier(KAAMClassifier(), confidence_level=level).fit(X, y)


def test_too_few_rows_say_how_many_are_needed(two_classes):
    X, y = two_classes
    with pytest.raises(ValueError, match=r"confidence_level=0\.99 needs at least 99 calibration rows, found 50"):
        ConformalClassifier(KAAMClassifier(), confidence_level=(0.9, 0.99), random_state=0).fit(X[:200], y[:200])
    model = ConformalClassifier(KAAMClassifier(), random_state=0).fit(X[:200], y[:200])
    with pytest.raises(ValueError, match="needs at least 99"):
        model.set_params(confidence_level=0.99).predict_set(X)
    few = np.where(np.arange(200) < 20, "rare", "common")
    with pytest.raises(ValueError, match=r"needs at least 9 calibration rows of group 'rare', found \d"):
        ConformalClassifier(KAAMClassifier(), random_state=0).fit(X[:200], y[:200], conditional_on=few)
    with pytest.raises(ValueError, match=r"of class '(ape|bee)' in group '\w+', found"):
        ConformalClassifier(KAAMClassifier(), conditional="class", confidence_level=0.95, random_state=0).fit(
            X[:200], y[:200], conditional_on="site"
        )


def test_groups_that_are_named_wrongly(two_classes):
    X, y = two_classes
    model = ConformalClassifier(KAAMClassifier(), confidence_level=0.8, random_state=0)
    with pytest.raises(ValueError, match="conditional_on='sex' is not a column of X: its columns are a, b, c, site"):
        model.fit(X, y, conditional_on="sex")
    with pytest.raises(ValueError, match="it has no column names"):
        model.fit(X[COLUMNS].to_numpy(), y, conditional_on="site")
    with pytest.raises(ValueError, match=r"conditional_on has shape \(5,\)"):
        model.fit(X, y, conditional_on=np.arange(5))
    gaps = X["site"].where(np.arange(600) != 3)
    with pytest.raises(ValueError, match="conditional_on is missing in row 3"):
        model.fit(X, y, conditional_on=gaps)
    with pytest.raises(ValueError, match="column 'site' is missing in row 3"):
        model.fit(X.assign(site=gaps), y, conditional_on="site")
    model.fit(X, y, conditional_on="site")
    with pytest.raises(ValueError, match="group 'west', which the calibration did not have: it had north, south"):
        model.predict_set(X.assign(site="west"))
    model.fit(X, y, conditional_on=X["site"])
    with pytest.raises(ValueError, match="conditional_on: the calibration had a group for each row"):
        model.predict_set(X)
    model.fit(X, y)
    with pytest.raises(ValueError, match="conditional_on: the calibration had no groups"):
        model.predict_set(X, conditional_on="site")
    with pytest.raises(ValueError, match="groups has 3 entries"):
        model.fit(X, y, groups=[1, 2, 3])


def test_labels_and_targets(two_classes, line):
    X, y = two_classes
    model = ConformalClassifier(KAAMClassifier(), calibration_size=None).fit(X[:300], y[:300])
    with pytest.raises(ValueError, match="y holds 'cat', which the estimator was not trained on"):
        model.conformalize(X[300:], np.append(y[300:-1], "cat"))
    with pytest.raises(ValueError, match="y holds nan in row 2"):
        model.conformalize(X[300:], np.where(np.arange(300) == 2, np.nan, y[300:]))
    with pytest.raises(ValueError, match="only one class"):
        ConformalClassifier(KAAMClassifier()).fit(X, np.full(600, "ape"))
    X, y = line
    with pytest.raises(ValueError, match="y holds nan in row 2"):
        ConformalRegressor(KAAMRegressor()).fit(X, np.where(np.arange(400) == 2, np.nan, y))
    with pytest.raises(ValueError, match="must be strictly positive"):
        ConformalRegressor(KAAMRegressor(), conformity_score="gamma").fit(X, y - 9)


def test_weights(line):
    X, y = line
    model = ConformalRegressor(LinearRegression().fit(X[COLUMNS][:100], y[:100]), prefit=True)
    rest = X[COLUMNS][100:], y[100:]
    for bad, told in [
        (np.ones(3), "weights has shape"),
        (-np.ones(300), "weights must be finite and at least 0"),
        (np.full(300, np.nan), "weights must be finite"),
        (np.zeros(300), "weights are 0 in every row"),
        (["a"] * 300, "weights must hold numbers"),
        (lambda X: np.ones(2), "weights has shape"),
    ]:
        with pytest.raises(ValueError, match=told):
            model.conformalize(*rest, weights=bad)
    model.conformalize(*rest)
    with pytest.raises(ValueError, match="the calibration had no likelihood ratios"):
        model.predict_interval(rest[0], weights=np.ones(300))


def test_settings_and_order_of_calls(two_classes, line):
    X, y = two_classes
    for wrong in (
        {"method": "cqr"},
        {"conformity_score": "raps"},
        {"conditional": "site"},
        {"empty": "fill"},
        {"calibration_size": 1.5},
        {"calibration_size": 0},
        {"calibration_size": True},
        {"cv": 1},
        {"prefit": "yes"},
    ):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
            ConformalClassifier(KAAMClassifier(), **wrong).fit(X, y)
    with pytest.raises(ValueError, match="prefit=True needs one fitted model"):
        ConformalClassifier(KAAMClassifier(), prefit=True, method="cross").conformalize(X, y)
    with pytest.raises(ValueError, match="call conformalize"):
        ConformalClassifier(KAAMClassifier(), prefit=True).fit(X, y)
    with pytest.raises(ValueError, match="calibrates within fit"):
        ConformalClassifier(KAAMClassifier(), method="cross").conformalize(X, y)
    with pytest.raises(NotFittedError, match="call fit first"):
        ConformalClassifier(KAAMClassifier()).conformalize(X, y)
    with pytest.raises(NotFittedError):
        ConformalClassifier(KAAMClassifier(), prefit=True).conformalize(X, y)
    bare = ConformalClassifier(KAAMClassifier(), calibration_size=None).fit(X, y)
    with pytest.raises(NotFittedError, match="not calibrated yet"):
        bare.predict_set(X)
    with pytest.raises(TypeError, match="LinearSVC has no predict_proba"):
        ConformalClassifier(LinearSVC()).fit(X[COLUMNS], y)
    X, y = line
    with pytest.raises(TypeError, match="needs a quantile regressor.*Ridge here is none"):
        ConformalRegressor(Ridge(), method="cqr").fit(X[COLUMNS], y)
    with pytest.raises(TypeError, match="needs one fitted model of several quantiles"):
        fitted = Ridge().fit(X[COLUMNS], y)
        ConformalRegressor(fitted, method="cqr", prefit=True).conformalize(X[COLUMNS], y)
    with pytest.raises(ValueError, match="method='cqr' has a score of its own"):
        ConformalRegressor(Ridge(), method="cqr", conformity_score="gamma").fit(X[COLUMNS], y)
    with pytest.raises(TypeError, match="needs scale=callable"):
        ConformalRegressor(Ridge(), conformity_score="normalized").fit(X[COLUMNS], y)
    with pytest.raises(ValueError, match="scale='wide'"):
        ConformalRegressor(Ridge(), scale="wide").fit(X[COLUMNS], y)
    with pytest.raises(ValueError, match="scale gives no positive number"):
        zero = {"conformity_score": "normalized", "scale": lambda model, X: np.zeros(len(X))}
        ConformalRegressor(Ridge(), **zero).fit(X[COLUMNS], y)


class Broken(LogisticRegression):
    def predict_proba(self, X):
        return np.full((len(X), 2), np.nan)


def test_estimators_that_predict_no_numbers(two_classes, line):
    X, y = two_classes
    with pytest.raises(ValueError, match=r"predicts \[nan nan\] for row 0"):
        ConformalClassifier(Broken()).fit(X[COLUMNS], y)
    X, y = line
    model = ConformalRegressor(LinearRegression(), random_state=0).fit(X[COLUMNS], y)
    model.estimator_.coef_[0] = np.nan
    with pytest.raises(ValueError, match="it must predict numbers"):
        model.predict_interval(X[COLUMNS])


def test_groups_stay_on_one_side_of_a_separate_calibration(line):
    X, y = line
    X, groups = X[COLUMNS], np.arange(400) // 4
    model = ConformalRegressor(Ridge(), calibration_size=None).fit(X[:200], y[:200], groups=groups[:200])
    with pytest.raises(ValueError, match="groups has 48 and 1 more, which the estimator was trained on"):
        model.conformalize(X[200:], y[200:], groups=np.where(groups < 52, groups - 2, groups)[200:])
    model.conformalize(X[200:], y[200:], groups=groups[200:])
    with pytest.raises(ValueError, match="groups has 3 entries"):
        model.conformalize(X[200:], y[200:], groups=[1, 2, 3])
    assert model.predict_interval(X).shape == (400, 2)


def test_groups_of_any_kind_and_mixed(line):
    X, y = line
    mixed = np.array(["north", 3, None, 2.5], dtype=object)[np.arange(400) % 4]
    mixed[mixed == None] = "unknown"  # noqa: E711
    model = ConformalRegressor(Ridge(), confidence_level=0.8, random_state=0).fit(X[COLUMNS], y, conditional_on=mixed)
    assert {group for _, group in model.calibration_.strata} == {"north", 3, "unknown", 2.5}
    assert model.predict_interval(X[COLUMNS], conditional_on=mixed).shape == (400, 2)


def test_conformal_predictors_load_without_heavy_libraries():
    import subprocess
    import sys

    code = (
        "from kan_tabular.uncertainty import *; import sys\n"
        "print([m for m in ('torch', 'matplotlib', 'mapie', 'sympy', 'shap') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"
