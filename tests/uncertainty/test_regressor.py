"""ConformalRegressor, against MAPIE where it can do the same, else against order statistics by hand."""

import numpy as np
import pytest
from mapie.regression import ConformalizedQuantileRegressor, CrossConformalRegressor, SplitConformalRegressor
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor
from sklearn.linear_model import BayesianRidge, LinearRegression, QuantileRegressor
from sklearn.model_selection import GridSearchCV, LeaveOneOut, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kan_tabular import KAAMRegressor, KANRegressor, load
from kan_tabular.uncertainty import ConformalRegressor

LEVELS = (0.5, 0.8, 0.9, 0.95)
COLUMNS = ["a", "b", "c"]
TINY = {"hidden_layer_sizes": (4,), "n_estimators": 3, "max_iter": 4, "random_state": 0}


def arrays(line):
    X, y = line
    return X[COLUMNS].to_numpy(), y


def bounds(peer, X):
    # 1.6 compares equal masses exactly; unbounded ends cannot occur at these sizes.
    return peer.predict_interval(X)[1]


@pytest.mark.parametrize("score", ["absolute", "gamma"])
def test_split_intervals_are_those_of_mapie(line, score):
    X, y = arrays(line)
    model = LinearRegression().fit(X[:100], y[:100])
    peer_score = score
    if score == "gamma":  # MAPIE's default keeps the sign of the score
        from mapie.conformity_scores import GammaConformityScore

        peer_score = GammaConformityScore(sym=True)
        y = np.maximum(y, 0.1)
    own = ConformalRegressor(model, prefit=True, confidence_level=LEVELS, conformity_score=score)
    own.conformalize(X[100:300], y[100:300])
    peer = SplitConformalRegressor(model, LEVELS, peer_score).conformalize(X[100:300], y[100:300])
    np.testing.assert_allclose(own.predict_interval(X[300:]), bounds(peer, X[300:]), rtol=1e-12)


def test_cross_intervals_are_those_of_mapie_on_the_same_folds(line):
    X, y = arrays(line)
    own = ConformalRegressor(LinearRegression(), method="cross", confidence_level=LEVELS, random_state=0)
    own.fit(X[:200], y[:200])
    peer = CrossConformalRegressor(LinearRegression(), LEVELS, cv=PredefinedSplit(own.out_of_fold_.fold))
    peer.fit_conformalize(X[:200], y[:200])
    np.testing.assert_allclose(own.predict_interval(X[200:]), bounds(peer, X[200:]), rtol=1e-10)


def test_jackknife_intervals_are_those_of_mapie(line):
    X, y = arrays(line)
    own = ConformalRegressor(LinearRegression(), method="jackknife+", confidence_level=LEVELS).fit(X[:60], y[:60])
    peer = CrossConformalRegressor(LinearRegression(), LEVELS, cv=LeaveOneOut()).fit_conformalize(X[:60], y[:60])
    np.testing.assert_allclose(own.predict_interval(X[60:]), bounds(peer, X[60:]), rtol=1e-10)


def test_jackknife_leaves_out_whole_groups(line):
    X, y = arrays(line)
    groups = np.arange(60) // 3
    own = ConformalRegressor(LinearRegression(), method="jackknife+").fit(X[:60], y[:60], groups=groups)
    for g in (0, 7, 19):
        alone = LinearRegression().fit(X[:60][groups != g], y[:60][groups != g])
        np.testing.assert_allclose(own.out_of_fold_.unseen[groups == g, 0], alone.predict(X[:60][groups == g]))
        np.testing.assert_allclose(own.out_of_fold_.at(X[60:70])[g, :, 0], alone.predict(X[60:70]))


def test_quantile_bands_are_moved_as_mapie_moves_them(line):
    X, y = arrays(line)
    models = [QuantileRegressor(quantile=q, alpha=0).fit(X[:150], y[:150]) for q in (0.05, 0.95, 0.5)]
    own = ConformalRegressor(QuantileRegressor(alpha=0), method="cqr", calibration_size=None).fit(X[:150], y[:150])
    own.conformalize(X[150:300], y[150:300])
    peer = ConformalizedQuantileRegressor(models, 0.9, prefit=True).conformalize(X[150:300], y[150:300])
    expected = peer.predict_interval(X[300:], symmetric_correction=True)[1][:, :, 0]
    np.testing.assert_allclose(own.predict_interval(X[300:]), expected, rtol=1e-9)
    np.testing.assert_allclose(own.predict(X[300:]), models[2].predict(X[300:]))


@pytest.mark.parametrize(
    "estimator",
    [
        HistGradientBoostingRegressor(loss="quantile", max_iter=10),
        GradientBoostingRegressor(loss="quantile", n_estimators=10, random_state=0),
        make_pipeline(StandardScaler(), QuantileRegressor(alpha=0)),
        KANRegressor(loss="quantile", **TINY),
    ],
    ids=["histogram", "boosting", "pipeline", "network"],
)
def test_any_quantile_regressor_gives_bands(line, estimator):
    X, y = arrays(line)
    model = ConformalRegressor(estimator, method="cqr", confidence_level=(0.5, 0.8), random_state=0).fit(X, y)
    assert model.estimator_.levels == [0.1, 0.25, 0.5, 0.75, 0.9]
    interval = model.predict_interval(X)
    assert interval.shape == (400, 2, 2) and (interval[:, 1] >= interval[:, 0]).all()
    for k, (low, high) in enumerate([(1, 3), (0, 4)]):
        band = np.sort(model.estimator_.predict_quantiles(X)[:, [low, high]], axis=1)
        moved = np.stack([band[:, 0] - interval[:, 0, k], interval[:, 1, k] - band[:, 1]])
        open_ = interval[:, 1, k] > interval[:, 0, k]
        assert np.ptp(moved[:, open_]) < 1e-9  # both ends by one number, the same in every row
    alone = clone(model).set_params(confidence_level=0.8).fit(X, y).predict_interval(X)
    if not isinstance(estimator, KANRegressor):  # which fits all its quantiles together
        np.testing.assert_allclose(alone, interval[:, :, 1])
    with pytest.raises(ValueError, match="fit again for another confidence_level"):
        model.set_params(confidence_level=0.9).predict_interval(X)


class Bands(BaseEstimator, RegressorMixin):
    """Quantiles around 0, as wide as the column says."""

    quantiles = (0.05, 0.5, 0.95)

    def fit(self, X, y):
        return self

    def predict(self, X):
        return X[:, [0]] * np.array([-1, 0, 1])

    def __sklearn_is_fitted__(self):
        return True


def test_bands_that_would_turn_over_close_in_the_middle():
    """Bands of +-10 around targets within +-2 are narrowed by 8; one of +-3 has only 3 to give."""
    known, y = np.full((99, 1), 10.0), np.linspace(-2, 2, 99)
    model = ConformalRegressor(Bands(), method="cqr", prefit=True).conformalize(known, y)
    interval = model.predict_interval(np.array([[10.0], [3.0]]))
    reach = np.sort(np.abs(y))[89]
    np.testing.assert_allclose(interval, [[-reach, reach], [0, 0]], atol=1e-12)
    crossed = model.predict_interval(np.array([[-10.0]]))  # quantiles in the wrong order: ends are exchanged
    np.testing.assert_allclose(crossed, [[-reach, reach]], atol=1e-12)


def test_prefit_quantiles_and_saving(line, tmp_path):
    X, y = arrays(line)
    network = KANRegressor(loss="quantile", quantiles=(0.05, 0.5, 0.95), **TINY).fit(X[:200], y[:200])
    model = ConformalRegressor(network, method="cqr", prefit=True).conformalize(X[200:], y[200:])
    model.save(tmp_path / "model.kan")
    assert np.array_equal(load(tmp_path / "model.kan").predict_interval(X), model.predict_interval(X))
    fitted = ConformalRegressor(KANRegressor(loss="quantile", **TINY), method="cqr", random_state=0).fit(X, y)
    fitted.save(tmp_path / "fitted.kan")
    assert np.array_equal(load(tmp_path / "fitted.kan").predict_interval(X), fitted.predict_interval(X))
    many = ConformalRegressor(QuantileRegressor(), method="cqr", random_state=0).fit(X, y)
    with pytest.raises(TypeError, match="use a KANRegressor"):
        many.save(tmp_path / "no.kan")


def test_saved_and_loaded_intervals_are_the_same(line, tmp_path):
    X, y = line
    model = ConformalRegressor(KAAMRegressor(), conformity_score="normalized", confidence_level=0.8, random_state=0)
    model.fit(X, y, conditional_on="site").save(tmp_path / "model.kan")
    again = load(tmp_path / "model.kan")
    assert np.array_equal(again.predict_interval(X), model.predict_interval(X))
    assert again.scale_floor_ == model.scale_floor_


def test_normalized_intervals_are_as_wide_as_the_scale(line):
    X, y = arrays(line)
    settings = {"conformity_score": "normalized", "confidence_level": 0.8, "random_state": 0}

    def scale(model, X):
        return 0.2 + X[:, 0]

    own = ConformalRegressor(LinearRegression(), scale=scale, **settings).fit(X, y)
    interval = own.predict_interval(X)
    np.testing.assert_allclose(interval.mean(1), own.predict(X))
    ratio = (interval[:, 1] - interval[:, 0]) / scale(None, X)
    np.testing.assert_allclose(ratio, ratio[0])
    q = np.sort(own.calibration_.scores)[int(np.ceil(0.8 * (len(own.calibration_.scores) + 1))) - 1]
    np.testing.assert_allclose(ratio, 2 * q)
    fitted = ConformalRegressor(own.estimator_, scale=scale, prefit=True, **settings).conformalize(X[:100], y[:100])
    by_hand = np.abs(y - own.estimator_.predict(X))[:100] / scale(None, X)[:100]
    np.testing.assert_allclose(fitted.calibration_.scores, by_hand)
    for estimator in (KAAMRegressor(), BayesianRidge(), make_pipeline(StandardScaler(), KAAMRegressor())):
        model = ConformalRegressor(estimator, **settings).fit(X, y)
        widths = np.diff(model.predict_interval(X), axis=1)
        assert np.ptp(widths) > 1e-6 and widths.min() > 0


def test_network_spread_widens_intervals(line):
    X, y = arrays(line)
    model = ConformalRegressor(KANRegressor(**TINY), conformity_score="normalized", random_state=0).fit(X, y)
    from kan_tabular.uncertainty import uncertainty_parts

    spread = uncertainty_parts(model.estimator_, X)["epistemic"].to_numpy()
    widths = np.diff(model.predict_interval(X), axis=1)[:, 0]
    ratio = widths / np.hypot(spread, model.scale_floor_)
    np.testing.assert_allclose(ratio, ratio[0])


def test_groups_are_separate_calibrations(line):
    X, y = line
    inside = make_pipeline(make_column_transformer(("passthrough", COLUMNS)), LinearRegression())
    fitted = clone(inside).fit(X[:100], y[:100])
    own = ConformalRegressor(fitted, prefit=True, confidence_level=0.8)
    found = own.conformalize(X[100:300], y[100:300], conditional_on="site").predict_interval(X[300:])
    for name in ("north", "south"):
        cal, new = (X[part]["site"] == name for part in (slice(100, 300), slice(300, 400)))
        alone = ConformalRegressor(fitted, prefit=True, confidence_level=0.8)
        alone.conformalize(X[100:300][cal], y[100:300][cal])
        np.testing.assert_allclose(found[new], alone.predict_interval(X[300:][new]))
    cross = ConformalRegressor(inside, method="cross", confidence_level=0.8, random_state=0)
    cross.fit(X[:200], y[:200], conditional_on="site")
    fold, site = cross.out_of_fold_.fold, X["site"].to_numpy()
    said, residual = cross.out_of_fold_.at(X[200:210])[:, :, 0], cross.calibration_.scores
    for r in range(10):
        own_rows = np.flatnonzero(site[:200] == site[200 + r])
        up = np.sort(said[fold[own_rows], r] + residual[own_rows])[int(np.ceil(0.8 * (len(own_rows) + 1))) - 1]
        assert cross.predict_interval(X[200:210])[r, 1] == pytest.approx(up)


def test_likelihood_ratios_may_demand_infinite_intervals(line):
    X, y = arrays(line)
    fitted = LinearRegression().fit(X[:100], y[:100])
    own = ConformalRegressor(fitted, prefit=True).conformalize(X[100:300], y[100:300], weights=np.ones(200))
    plain = ConformalRegressor(fitted, prefit=True).conformalize(X[100:300], y[100:300])
    np.testing.assert_array_equal(own.predict_interval(X[300:], weights=np.ones(100)), plain.predict_interval(X[300:]))
    assert np.isinf(own.predict_interval(X[300:], weights=np.full(100, 100.0))).all()
    assert own.threshold_rule() is None
    own.conformalize(X[100:300], y[100:300], weights=np.full(200, 1e-3))  # ratios are known up to a constant
    small = own.predict_interval(X[300:], weights=np.full(100, 1e-3))
    np.testing.assert_allclose(small, plain.predict_interval(X[300:]))


def test_likelihood_ratios_restore_coverage_under_shift():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6000, 1))
    y = X[:, 0] + np.exp(X[:, 0] / 2) * rng.normal(size=6000)
    moved = rng.normal(1.0, 1.0, size=(6000, 1))
    target = moved[:, 0] + np.exp(moved[:, 0] / 2) * rng.normal(size=6000)
    fitted = LinearRegression().fit(X[:3000], y[:3000])

    def coverage(model):
        interval = model.predict_interval(moved)
        return np.mean((interval[:, 0] <= target) & (target <= interval[:, 1]))

    own = ConformalRegressor(fitted, prefit=True)
    assert coverage(own.conformalize(X[3000:], y[3000:])) < 0.8
    own.conformalize(X[3000:], y[3000:], weights=lambda X: np.exp(X[:, 0] - 0.5))
    assert abs(coverage(own) - 0.9) < 0.025  # five standard errors at an effective size of 3000 / e


def test_threshold_rule_reproduces_the_intervals(line):
    X, y = arrays(line)
    own = ConformalRegressor(KAAMRegressor(), random_state=0).fit(X, y)
    rule = own.threshold_rule()
    assert rule["kind"] == "absolute" and rule["confidence_level"] == 0.9
    expected = own.predict(X)[:, None] + rule["quantile"] * np.array([-1, 1])
    np.testing.assert_allclose(own.predict_interval(X), expected)
    for other in ({"method": "cross"}, {"conformity_score": "gamma"}, {"conformity_score": "normalized"}):
        assert ConformalRegressor(BayesianRidge(), **other).fit(X, y + 9).threshold_rule() is None


def test_everything_scikit_learn_does_with_an_estimator(line):
    X, y = arrays(line)
    search = GridSearchCV(ConformalRegressor(KAAMRegressor(), random_state=0), {"estimator__n_knots": [3, 6]}, cv=3)
    best = search.fit(X, y).best_estimator_
    assert best.n_features_in_ == 3 and best.predict_interval(X).shape == (400, 2)
    assert best.score(X, y) > 0.2
    assert best.set_params(confidence_level=[0.9]).predict_interval(X).shape == (400, 2, 1)
