"""Epistemic and aleatoric parts, against the members themselves."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import BayesianRidge, LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kan_tabular import KAAMClassifier, KAAMRegressor, KANRegressor, LogisticKAN
from kan_tabular.encoding import read_table
from kan_tabular.uncertainty import ConformalRegressor, uncertainty_parts

TINY = {"hidden_layer_sizes": (4,), "n_estimators": 3, "max_iter": 4, "random_state": 0}
ONE = {**TINY, "alpha": 0.1, "smoothness": 1.0, "additive_start": False}


def test_one_setting_spreads_as_its_members_do(line):
    """With one setting and no additive part a member is a network of its own: its output is written out by hand."""
    X, y = line
    X = X[["a", "b", "c"]]
    model = KANRegressor(**ONE).fit(X, y)
    network = model.network_
    Z = model.encoder_.transform(read_table(X))
    outputs = 3 * network.weights[0] * network.member_outputs(network.sums(Z))[:, :, 0] * network.scale[0]
    assert len(outputs) == 3
    np.testing.assert_allclose(
        outputs.mean(0) + network.shift[0] + network.intercept[0] * network.scale[0], model.predict(X)
    )
    parts = uncertainty_parts(model, X)
    np.testing.assert_allclose(parts["epistemic"], outputs.std(0), rtol=1e-9)
    assert parts["aleatoric"].isna().all() and parts["total"].isna().all()


def test_entropies_of_a_classifier_add_up(two_classes):
    X, y = two_classes
    X = X[["a", "b", "c"]]
    model = LogisticKAN(**ONE).fit(X, y)
    network = model.network_
    Z = model.encoder_.transform(read_table(X))
    p = expit(3 * network.weights[0] * network.member_outputs(network.sums(Z))[:, :, 0] + network.intercept[0])

    def entropy(p):
        return -p * np.log(p) - (1 - p) * np.log(1 - p)

    parts = uncertainty_parts(model, X)
    np.testing.assert_allclose(parts["total"], entropy(p.mean(0)), rtol=1e-9)
    np.testing.assert_allclose(parts["aleatoric"], entropy(p).mean(0), rtol=1e-9)
    np.testing.assert_allclose(parts["epistemic"], parts["total"] - parts["aleatoric"], atol=1e-12)
    assert (parts["epistemic"] > 0).all()


def test_several_settings_classes_and_a_pipeline(four_classes):
    X, y = four_classes
    model = make_pipeline(StandardScaler(), LogisticKAN(**TINY)).fit(X[["a", "b", "c"]], y)
    parts = uncertainty_parts(model, X[["a", "b", "c"]])
    assert (parts["epistemic"] >= 0).all() and (parts["total"] <= np.log(4)).all()


def test_disagreement_grows_where_there_are_no_rows(line):
    X, y = line
    settings = {**TINY, "max_iter": 60, "n_estimators": 5}
    model = KANRegressor(**settings).fit(X[["a", "b"]], y)
    far = X[["a", "b"]] * 4 - 6
    inside, outside = (uncertainty_parts(model, t)["epistemic"].median() for t in (X[["a", "b"]], far))
    assert outside > 2 * inside


def test_additive_models_say_both_parts(line):
    X, y = line
    model = KAAMRegressor().fit(X, y)
    parts = uncertainty_parts(model, X)
    np.testing.assert_allclose(parts["epistemic"], model.predict(X, return_std=True)[1])
    np.testing.assert_allclose(parts["total"] ** 2, parts["epistemic"] ** 2 + parts["aleatoric"] ** 2)
    np.testing.assert_allclose(parts["aleatoric"] ** 2, model.network_.dispersion, rtol=1e-6)
    ridge = BayesianRidge().fit(X[["a"]], y)
    parts = uncertainty_parts(ridge, X[["a"]])
    np.testing.assert_allclose(parts["epistemic"], ridge.predict(X[["a"]], return_std=True)[1])
    assert parts["total"].isna().all()


def test_networks_that_the_additive_fit_replaced_have_no_spread(line):
    X, y = line
    X = X[["a", "b"]]
    model = ConformalRegressor(KANRegressor(**TINY), conformity_score="normalized", random_state=0).fit(X, y)
    fitted = model.estimator_
    fitted.network_ = replace(
        fitted.network_,
        weights=np.zeros(0),
        bias=fitted.network_.bias[:0],
        inputs=[replace(c, coefficients=c.coefficients[:, :0]) for c in fitted.network_.inputs],
        layers=[],
    )
    parts = uncertainty_parts(fitted, X)
    assert (parts["epistemic"] == 0).all()
    again = ConformalRegressor(fitted, conformity_score="normalized", prefit=True).conformalize(X, y)
    assert again.scale_floor_ == 1.0 and np.ptp(np.diff(again.predict_interval(X), axis=1)) < 1e-9


def test_one_network_of_a_kind_is_refused(line):
    X, y = line
    one = KANRegressor(**{**ONE, "n_estimators": 1}).fit(X[["a"]], y)
    with pytest.raises(ValueError, match="this ensemble has one of each"):
        uncertainty_parts(one, X[["a"]])


def test_models_that_say_nothing_are_refused(line, two_classes):
    X, y = line
    with pytest.raises(TypeError, match="LinearRegression is neither"):
        uncertainty_parts(LinearRegression().fit(X[["a"]], y), X[["a"]])
    with pytest.raises(TypeError, match="KAAMClassifier is neither"):
        uncertainty_parts(KAAMClassifier().fit(*two_classes), two_classes[0])
    network = KANRegressor(loss="quantile", quantiles=(0.1, 0.9), **TINY).fit(X[["a"]], y)
    with pytest.raises(ValueError, match="needs one output"):
        uncertainty_parts(network, X[["a"]])
