"""ConformalClassifier, against MAPIE where it can do the same, else against counting."""

import numpy as np
import pandas as pd
import pytest
from mapie.classification import CrossConformalClassifier, SplitConformalClassifier
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, PredefinedSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from kan_tabular import KAAMClassifier, load
from kan_tabular.uncertainty import ConformalClassifier, covers

LEVELS = (0.5, 0.8, 0.9, 0.95)
COLUMNS = ["a", "b", "c"]


@pytest.fixture(params=["two_classes", "four_classes"])
def table(request):
    return request.getfixturevalue(request.param)


def prefit(table, as_array=False, **settings):
    X, y = table
    X = X[COLUMNS].to_numpy() if as_array else X[COLUMNS]  # MAPIE predicts an array, whose names would be missed
    settings = {"confidence_level": LEVELS, "prefit": True, **settings}
    return ConformalClassifier(LogisticRegression().fit(X[:200], y[:200]), **settings), X, y


def test_split_sets_are_those_of_mapie(table):
    own, X, y = prefit(table, as_array=True, empty="allow")
    own.conformalize(X[200:400], y[200:400])
    peer = SplitConformalClassifier(own.estimator, LEVELS).conformalize(X[200:400], y[200:400])
    expected = peer.predict_set(X[400:])[1]
    assert np.array_equal(own.predict_set(X[400:]), expected)
    assert not expected.any(1).all()  # there are empty sets to agree about


def test_top_k_sets_are_those_of_mapie(four_classes):
    own, X, y = prefit(four_classes, as_array=True, conformity_score="top_k", empty="allow")
    own.conformalize(X[200:400], y[200:400])
    peer = SplitConformalClassifier(own.estimator, LEVELS, "top_k").conformalize(X[200:400], y[200:400])
    assert np.array_equal(own.predict_set(X[400:]), peer.predict_set(X[400:])[1])


def test_cross_sets_are_those_of_mapie_on_the_same_folds(table):
    X, y = table
    X, Xn = X[COLUMNS][:300].to_numpy(), X[COLUMNS][300:].to_numpy()
    own = ConformalClassifier(
        LogisticRegression(), method="cross", confidence_level=LEVELS, empty="allow", random_state=0
    ).fit(X, y[:300])
    folds = PredefinedSplit(own.out_of_fold_.fold)
    peer = CrossConformalClassifier(LogisticRegression(), LEVELS, cv=folds).fit_conformalize(X, y[:300])
    expected = peer.predict_set(Xn, agg_scores="crossval")[1]
    assert np.array_equal(own.predict_set(Xn), expected)


def test_adaptive_scores_sum_what_is_more_probable(table):
    own, X, y = prefit(table, conformity_score="aps")
    own.conformalize(X[200:400], y[200:400])
    p = own.predict_proba(X[200:400])
    codes = np.searchsorted(own.classes_, y[200:400])
    by_hand = [row[row >= row[c]].sum() for row, c in zip(p, codes, strict=True)]
    np.testing.assert_allclose(own.calibration_.scores, by_hand, rtol=1e-12)


@pytest.mark.parametrize("score", ["lac", "aps", "top_k"])
@pytest.mark.parametrize("method", ["split", "cross"])
def test_empty_sets_are_dealt_with_as_asked(table, method, score):
    X, y = table
    settings = {"method": method, "conformity_score": score, "confidence_level": (0.1, 0.3, 0.6), "random_state": 0}
    sets, p = {}, None
    for empty in ("allow", "argmax", "abstain"):
        model = ConformalClassifier(LogisticRegression(), empty=empty, **settings).fit(X[COLUMNS][:300], y[:300])
        sets[empty], p = model.predict_set(X[COLUMNS][300:]), model.predict_proba(X[COLUMNS][300:])
    bare = ~sets["allow"].any(1)
    assert score == "top_k" or bare.any()
    top = p == p.max(1, keepdims=True)
    expected = sets["allow"] | (bare[:, None] & top[:, :, None])
    assert np.array_equal(sets["argmax"], expected)
    assert np.array_equal(sets["abstain"], sets["allow"] | bare[:, None])


def test_conditional_sets_are_separate_calibrations_of_each_class(two_classes):
    own, X, y = prefit(two_classes, conditional="class", confidence_level=0.9, empty="allow")
    own.conformalize(X[200:400], y[200:400])
    sets, p = own.predict_set(X[400:]), own.predict_proba(X)
    for c, label in enumerate(own.classes_):
        scores = np.sort(1 - p[200:400][y[200:400] == label, c])
        q = scores[int(np.ceil(0.9 * (len(scores) + 1))) - 1]
        assert np.array_equal(sets[:, c], 1 - p[400:, c] <= q)
        assert own.threshold_rule()["quantile"][c] == q


def test_guarantees_of_groups_are_separate_calibrations(two_classes):
    own, X, y = prefit(two_classes, confidence_level=0.8)
    X = two_classes[0]
    model = make_pipeline(make_column_transformer(("passthrough", COLUMNS)), LogisticRegression())
    own.set_params(estimator=model.fit(X[:200], y[:200]))
    own.conformalize(X[200:400], y[200:400], conditional_on="site")
    p_values = own.p_values(X[400:])  # the column is looked up by name
    site = X["site"].to_numpy()
    alone = clone(own).set_params(estimator=own.estimator)
    for name in ("north", "south"):
        alone.conformalize(X[200:400][site[200:400] == name], y[200:400][site[200:400] == name])
        here = site[400:] == name
        np.testing.assert_allclose(p_values[here], alone.p_values(X[400:][here]), rtol=1e-12)
    given = own.conformalize(X[200:400], y[200:400], conditional_on=site[200:400])
    np.testing.assert_array_equal(given.p_values(X[400:], conditional_on=site[400:]), p_values)


def test_classes_and_groups_together(two_classes):
    own, X, y = prefit(two_classes, conditional="class", confidence_level=0.8)
    site = two_classes[0]["site"].to_numpy()
    own.conformalize(X[200:400], y[200:400], conditional_on=site[200:400])
    p = own.p_values(X[400:], conditional_on=site[400:])
    proba = own.predict_proba(X)
    for r in (0, 1, 2, 3):
        for c, label in enumerate(own.classes_):
            known = np.flatnonzero((y[200:400] == label) & (site[200:400] == site[400 + r])) + 200
            scores, new = 1 - proba[known, c], 1 - proba[400 + r, c]
            assert p[r, c] == pytest.approx((1 + (scores >= new).sum()) / (len(known) + 1))


def test_likelihood_ratios_array_and_callable_agree(two_classes):
    own, X, y = prefit(two_classes)

    def ratio(table):
        return np.exp(0.5 * table["a"].to_numpy())

    by_call = own.conformalize(X[200:400], y[200:400], weights=ratio).p_values(X[400:])
    own.conformalize(X[200:400], y[200:400], weights=ratio(X[200:400]))
    with pytest.raises(ValueError, match="weights: the calibration had likelihood ratios"):
        own.predict_set(X[400:])
    np.testing.assert_array_equal(own.p_values(X[400:], weights=ratio(X[400:])), by_call)
    same = own.p_values(X[400:], weights=3 * ratio(X[400:]))
    own.conformalize(X[200:400], y[200:400], weights=3 * ratio(X[200:400]))
    np.testing.assert_allclose(own.p_values(X[400:], weights=3 * ratio(X[400:])), by_call, rtol=1e-9)
    assert not np.allclose(same, by_call)
    huge = own.predict_set(X[400:], weights=np.full(200, 1e9))
    assert huge.all()  # a row that nothing here resembles: everything is possible


def test_frequencies_are_repeated_rows(two_classes):
    X, y = two_classes
    X = X[COLUMNS]
    weights = np.random.default_rng(0).integers(0, 3, 600)
    model = ConformalClassifier(KAAMClassifier(), random_state=0).fit(X, y, sample_weight=weights)
    seen = model.calibration_
    assert (weights == 0).any() and seen.mass.min() == 1 and seen.mass.max() == 2
    calibration = set(range(600)) - set(np.flatnonzero(weights == 0))
    assert seen.mass.sum() == pytest.approx(0.25 * weights.sum(), rel=0.1)
    assert len(seen.mass) == pytest.approx(0.25 * len(calibration), rel=0.1)
    heavier = ConformalClassifier(KAAMClassifier(), random_state=0).fit(X, y, sample_weight=np.full(600, 2))
    plain = ConformalClassifier(KAAMClassifier(), random_state=0).fit(X, y)
    assert heavier.calibration_.mass.tolist() == [2.0] * len(plain.calibration_.mass)
    with pytest.raises(ValueError, match="KNeighborsClassifier.fit takes none"):
        from sklearn.neighbors import KNeighborsClassifier

        ConformalClassifier(KNeighborsClassifier()).fit(X, y, sample_weight=weights)


def test_p_values_of_the_calibration_rows_are_their_ranks(four_classes):
    own, X, y = prefit(four_classes)
    own.conformalize(X[200:400], y[200:400])
    p = own.p_values(X[200:400])[np.arange(200), np.searchsorted(own.classes_, y[200:400])]
    ranks = rankdata(-own.calibration_.scores, method="max")
    np.testing.assert_allclose(p, (ranks + 1) / 201, rtol=1e-9)


def test_splits_keep_groups_whole_and_classes_even(two_classes):
    X, y = two_classes
    groups = np.arange(600) // 4
    X = X.assign(group=groups)
    model = make_pipeline(make_column_transformer(("passthrough", COLUMNS)), LogisticRegression())
    seen = []

    class Watching(ConformalClassifier):
        def _fit_one(self, X, y, weights, groups):
            seen.append((set(X["group"]), len(X), np.mean(y == "ape")))
            return super()._fit_one(X, y, weights, groups)

    Watching(model, random_state=0).fit(X, y, groups=groups)
    trained, n, share = seen[0]
    assert len(trained) * 4 == n and n == pytest.approx(450, abs=30)
    assert share == pytest.approx(np.mean(y == "ape"), abs=0.02)
    folds = Watching(model, method="cross", cv=4, random_state=0).fit(X, y, groups=groups).out_of_fold_.fold
    assert len(set(zip(groups.tolist(), folds.tolist(), strict=True))) == 150
    assert np.bincount(folds).min() >= 148
    absolute = Watching(model, calibration_size=120, random_state=0).fit(X, y)
    assert len(absolute.calibration_.scores) == pytest.approx(120, abs=16)


def test_classes_are_spread_evenly():
    from kan_tabular.uncertainty._rows import choose_calibration

    classes = np.repeat([0, 1, 2], [300, 90, 30])
    for seed in range(10):
        chosen = choose_calibration(0.25, 420, np.random.default_rng(seed), classes)
        counts = np.bincount(classes[chosen], minlength=3)
        assert np.abs(counts - np.array([75, 22.5, 7.5])).max() <= 2.5  # at random: 7 rows of standard deviation
        assert len(chosen) == 105 and (np.diff(chosen) > 0).all()


def test_a_class_of_one_row_stays_in_training(two_classes):
    X, y = two_classes
    y = np.append(y[:200], "rare")
    for seed in range(8):
        model = ConformalClassifier(KAAMClassifier(), random_state=seed).fit(X[COLUMNS][:201], y)
        assert model.classes_.tolist() == ["ape", "bee", "rare"]
    cross = ConformalClassifier(LogisticRegression(), method="cross").fit(X[COLUMNS][:201], y)
    assert cross.predict_set(X[COLUMNS]).shape == (600, 3)


def test_everything_scikit_learn_does_with_an_estimator(two_classes):
    X, y = two_classes
    inside = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["site"]), remainder=StandardScaler()), LogisticRegression()
    )
    model = ConformalClassifier(inside, random_state=0)
    assert cross_val_score(model, X, y, cv=3).min() > 0.6
    search = GridSearchCV(model, {"estimator__logisticregression__C": [0.01, 1.0], "empty": ["argmax"]}, cv=3)
    best = search.fit(X, y).best_estimator_
    assert best.predict_set(X).shape == (600, 2)
    assert best.feature_names_in_.tolist() == list(X)
    twin = clone(best)
    assert (
        twin.get_params()["estimator__logisticregression__C"] == search.best_params_["estimator__logisticregression__C"]
    )
    with pytest.raises(NotFittedError):
        twin.predict_set(X)
    outside = make_pipeline(StandardScaler(), ConformalClassifier(KAAMClassifier(), random_state=0)).fit(X[COLUMNS], y)
    assert np.array_equal(
        outside.predict_proba(X[COLUMNS]), outside[-1].estimator_.predict_proba(outside[0].transform(X[COLUMNS]))
    )


@pytest.mark.parametrize(
    "make", [pd.DataFrame, np.asarray, lambda X: X.to_numpy().tolist()], ids=["pandas", "array", "list"]
)
def test_any_table_gives_the_same_sets(two_classes, make):
    X, y = two_classes
    expected = ConformalClassifier(KAAMClassifier(), random_state=0).fit(X[COLUMNS].to_numpy(), y)
    found = ConformalClassifier(KAAMClassifier(), random_state=0).fit(make(X[COLUMNS]), y)
    assert np.array_equal(found.predict_set(make(X[COLUMNS])), expected.predict_set(X[COLUMNS].to_numpy()))


def test_polars_with_text_and_groups_by_name(two_classes):
    pl = pytest.importorskip("polars")
    X, y = two_classes
    frame = pl.from_pandas(X)
    model = ConformalClassifier(KAAMClassifier(), confidence_level=0.8, random_state=0)
    found = model.fit(frame, y, conditional_on="site").predict_set(frame)
    expected = clone(model).fit(X, y, conditional_on="site").predict_set(X)
    assert np.array_equal(found, expected)


def test_saved_and_loaded_sets_are_the_same(two_classes, tmp_path):
    X, y = two_classes
    model = ConformalClassifier(KAAMClassifier(), conditional="class", confidence_level=0.8, random_state=0)
    model.fit(X, y, conditional_on="site").save(tmp_path / "model.kan")
    again = load(tmp_path / "model.kan")
    assert np.array_equal(again.predict_set(X), model.predict_set(X))
    assert again.prefit and type(again.estimator) is KAAMClassifier
    again.set_params(confidence_level=(0.5, 0.7))
    assert again.predict_set(X).shape == (600, 2, 2)
    again.save(tmp_path / "again.kan")
    assert np.array_equal(load(tmp_path / "again.kan").p_values(X), model.p_values(X))
    with pytest.raises(TypeError, match="several models"):
        ConformalClassifier(KAAMClassifier(), method="cross").fit(X, y).save(tmp_path / "no.kan")
    with pytest.raises(TypeError, match="LogisticRegression"):
        ConformalClassifier(LogisticRegression()).fit(X[COLUMNS], y).save(tmp_path / "no.kan")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.kan", "model.kan"]


def test_threshold_rule_reproduces_the_sets(table):
    own, X, y = prefit(table, confidence_level=0.9, empty="allow")
    rule = own.conformalize(X[200:400], y[200:400]).threshold_rule()
    assert rule["kind"] == "lac" and rule["confidence_level"] == 0.9 and rule["empty"] == "allow"
    assert np.array_equal(own.predict_set(X[400:]), 1 - own.predict_proba(X[400:]) <= rule["quantile"])
    site = table[0]["site"].to_numpy()
    assert own.conformalize(X[200:400], y[200:400], conditional_on=site[200:400]).threshold_rule() is None
    assert own.conformalize(X[200:400], y[200:400], weights=np.ones(200)).threshold_rule() is None


def test_abstains_where_the_set_has_not_one_class(table):
    own, X, y = prefit(table)
    own.conformalize(X[200:400], y[200:400])
    assert np.array_equal(own.abstains(X[400:]), own.predict_set(X[400:]).sum(1) != 1)
    assert own.set_params(confidence_level=0.9).abstains(X[400:]).shape == (200,)
    empty = ~own.set_params(confidence_level=0.5, empty="allow").predict_set(X[400:]).any(1)
    assert empty.any() and own.abstains(X[400:])[empty].all()


def test_random_state_decides_and_nothing_else(two_classes):
    X, y = two_classes
    scores = [
        ConformalClassifier(KAAMClassifier(), random_state=seed).fit(X, y).calibration_.scores for seed in (0, 0, 1)
    ]
    assert np.array_equal(scores[0], scores[1]) and not np.array_equal(scores[0], scores[2])


def test_coverage_is_at_least_nominal_on_average():
    """Twenty small draws: mean coverage of exact conformal sets, within four standard errors of its expectation."""
    covered = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(1200, 2))
        y = (rng.random(1200) < 1 / (1 + np.exp(-2 * X[:, 0]))).astype(int)
        model = ConformalClassifier(LogisticRegression(), confidence_level=0.8, empty="allow", random_state=seed)
        model.fit(X[:400], y[:400])
        covered.append(covers(y[400:], model.predict_set(X[400:]), model.classes_).mean())
    error = np.std(covered, ddof=1) / np.sqrt(20)
    assert abs(np.mean(covered) - 0.8) < 4 * error + 1 / 100
