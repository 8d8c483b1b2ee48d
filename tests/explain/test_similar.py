"""SimilarCases against brute force, SciPy, and what must not be returned."""

import zipfile

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import t
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import kan_tabular
from kan_tabular import KAAMClassifier, KAAMRegressor, KANRegressor, LogisticKAN
from kan_tabular.explain import SimilarCases
from kan_tabular.explain.search import ExactSearch
from kan_tabular.explain.spaces import encode

METRICS = {"euclidean": "euclidean", "manhattan": "cityblock"}


def patients(n=160, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "age": rng.integers(30, 90, n).astype(float),
            "lactate": rng.lognormal(0.5, 0.5, n).round(2),
            "ward": rng.choice(["medical", "surgical", "cardiac"], n, p=[0.5, 0.35, 0.15]),
            "sex": rng.choice(["f", "m"], n),
        }
    )
    risk = 0.05 * (table["age"] - 60) + table["lactate"] - 2 + 1.5 * (table["ward"] == "cardiac")
    died = np.where(rng.random(n) < 1 / (1 + np.exp(-risk)), "yes", "no")
    table.loc[rng.random(n) < 0.15, "lactate"] = np.nan
    table.loc[rng.random(n) < 0.05, "ward"] = None
    return table, died, risk.to_numpy()


TABLE, DIED, RISK = patients()
STAGE = np.digitize(RISK, [-0.7, 0.7])
NEW = patients(12, seed=1)[0]


def short(estimator, **settings):
    return estimator(hidden_layer_sizes=((3, 2),), max_iter=2, n_estimators=2, alpha=0.1, smoothness=1.0, **settings)


@pytest.fixture(scope="module")
def model():
    return KAAMClassifier().fit(TABLE, DIED)


@pytest.fixture(scope="module")
def staged():
    return KAAMClassifier().fit(TABLE, STAGE)


@pytest.fixture(scope="module")
def network():
    return short(LogisticKAN, additive_start=False, random_state=0).fit(TABLE, DIED)


# ---- the search ----


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("metric", METRICS)
def test_neighbours_are_those_of_brute_force_with_ties_by_position(seed, metric):
    """Grid points a power of two apart have exact distances, so ties are exact in any order of the sums."""
    rng = np.random.default_rng(seed)
    n, q = int(rng.integers(5, 9000)), int(rng.integers(1, 5))
    rows = rng.integers(-4, 5, (n, q)) * 2.0 ** rng.integers(-20, 20)
    points = np.concatenate([rows[rng.integers(0, n, 40)], rows[:30] + 0.25 * rows[:1]])
    k = int(rng.integers(1, min(n, 60) + 1))
    distances, indices = ExactSearch(rows, metric).nearest(points, k)
    truth = cdist(points, rows, METRICS[metric])
    expected = np.argsort(truth, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(distances, np.take_along_axis(truth, expected, 1), rtol=1e-14)


def test_rounding_far_from_the_origin_changes_nothing():
    """There ``|c|^2 - 2 c'x`` alone keeps hardly a digit of the distances."""
    rng = np.random.default_rng(0)
    rows = 1e6 + rng.normal(size=(6000, 3))
    points = 1e6 + rng.normal(size=(20, 3))
    distances, indices = ExactSearch(rows, "euclidean").nearest(points, 7)
    truth = cdist(points, rows)
    np.testing.assert_array_equal(indices, truth.argsort(1)[:, :7])
    np.testing.assert_allclose(distances, np.sort(truth, 1)[:, :7], rtol=1e-12)
    rough = (rows**2).sum(1) - 2 * points @ rows.T
    assert (rough.argsort(1)[:, :7] != indices).any()


@pytest.mark.parametrize("metric", METRICS)
def test_rounding_errors_do_not_break_ties(metric):
    """The last digits of what a network says about a row may depend on the rows beside it."""
    rng = np.random.default_rng(0)
    twins = np.tile(rng.normal(size=(50, 8)), (200, 1))
    noisy = twins * (1 + 1e-15 * rng.integers(-4, 5, twins.shape))
    assert (noisy[:50] != noisy[50:100]).any()
    distances, indices = ExactSearch(noisy, metric).nearest(twins[:50], 300)
    np.testing.assert_array_equal(indices[:, :200], np.arange(50)[:, None] + 50 * np.arange(200))
    assert not distances[:, :200].any() and (np.diff(distances) >= 0).all()
    assert (np.diff(indices[:, 200:]) == 50).all()  # the next best, far enough from the third


@pytest.mark.parametrize("space", ["contribution", "embedding"])
def test_twins_tie_in_networks(network, space):
    one = TABLE.drop_duplicates()
    cases, n = SimilarCases(network, space=space).fit(pd.concat([one, one, one[::-1]], ignore_index=True)), len(one)
    rows = np.arange(n)
    expected = np.stack([rows, rows + n, 3 * n - 1 - rows], 1)
    distances, indices = cases.kneighbors(one, 3)
    np.testing.assert_array_equal(indices, expected)
    assert not distances.any() and not cases.query(one, 3).filter(regex="^share__").any(axis=None)
    np.testing.assert_array_equal(cases.kneighbors(one[7:8], 3)[1], expected[7:8])


def test_a_case_is_not_its_own_neighbour_even_among_twins(model):
    twice = pd.concat([TABLE[:20], TABLE[:20], TABLE[:20]], ignore_index=True)
    distances, indices = SimilarCases(model, n_neighbors=2).fit(twice).kneighbors()
    np.testing.assert_array_equal(distances, 0)
    assert not (indices == np.arange(60)[:, None]).any()
    np.testing.assert_array_equal(indices[20], [0, 40])


# ---- the spaces ----


@pytest.mark.parametrize("metric", METRICS)
def test_contribution_space_is_that_of_explain(model, metric):
    truth = cdist(model.explain(NEW).values, model.explain(TABLE).values, METRICS[metric])
    distances, indices = SimilarCases(model, metric=metric).fit(TABLE).kneighbors(NEW, 9)
    np.testing.assert_allclose(distances, np.sort(truth, 1)[:, :9], rtol=0, atol=1e-9)
    np.testing.assert_allclose(np.take_along_axis(truth, indices, 1), distances, rtol=0, atol=1e-9)


def test_formulas_compare_their_terms(model):
    formula = model.to_symbolic(TABLE, fidelity=None)
    truth = cdist(formula.explain(NEW).values, formula.explain(TABLE).values)
    distances, _ = SimilarCases(formula).fit(TABLE).kneighbors(NEW)
    np.testing.assert_allclose(distances, np.sort(truth, 1)[:, :5], atol=1e-9)


@pytest.mark.parametrize("class_", [None, 0, 2])
def test_several_classes_compare_all_scores_or_one(staged, class_):
    new, old = (
        staged.explain(table).values[:, :, slice(None) if class_ is None else [class_]] for table in (NEW, TABLE)
    )
    truth = cdist(new.reshape(len(NEW), -1), old.reshape(len(TABLE), -1))
    distances, _ = SimilarCases(staged, class_=class_).fit(TABLE).kneighbors(NEW)
    np.testing.assert_allclose(distances, np.sort(truth, 1)[:, :5], atol=1e-9)


def test_networks_compare_main_effects(network):
    main = network.network_.effects
    new, old = (main(encode(network, table))[:, :, 0] for table in (NEW, TABLE))
    distances, _ = SimilarCases(network).fit(TABLE).kneighbors(NEW)
    np.testing.assert_allclose(distances, np.sort(cdist(new, old), 1)[:, :5], atol=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_input_space_is_what_its_docstring_says(model, metric):
    """Pair by pair, column by column."""
    strange = NEW.assign(ward=["casualty", *NEW["ward"][1:]])
    with pytest.warns(UserWarning, match="casualty"):
        distances, indices = (
            SimilarCases(model, space="input", metric=metric).fit(TABLE).kneighbors(strange, len(TABLE))
        )
    power = 2 if metric == "euclidean" else 1
    for query, own, found in zip(strange.itertuples(index=False), indices, distances, strict=True):
        for case, distance in zip(TABLE.iloc[own[::9]].itertuples(index=False), found[::9], strict=True):
            total = 0.0
            for name in TABLE:
                a, b = getattr(query, name), getattr(case, name)
                if name in ("ward", "sex"):
                    total += (pd.isna(a), a)[not pd.isna(a)] != (pd.isna(b), b)[not pd.isna(b)]
                    continue
                center, spread = TABLE[name].mean(), TABLE[name].std(ddof=0)
                z = [0.0 if np.isnan(v) else (v - center) / spread for v in (a, b)]
                total += abs(z[0] - z[1]) ** power + (np.isnan(a) != np.isnan(b))
            assert distance == pytest.approx(total ** (1 / power), abs=1e-9)


def test_a_column_without_spread_makes_no_distance():
    table = pd.DataFrame({"a": np.arange(30.0), "same": np.full(30, 0.1), "none": np.full(30, np.nan)})
    model = KAAMRegressor().fit(table, table["a"])
    cases = SimilarCases(model, space="input").fit(table)
    far = pd.DataFrame({"a": [4.0], "same": [1e9], "none": [np.nan]})
    assert cases.kneighbors(far)[1][0, 0] == 4 and cases.kneighbors(far)[0][0, 0] == 0


@pytest.mark.parametrize("metric", METRICS)
def test_embedding_space_is_the_first_hidden_layer(network, metric):
    """Nodes' sums by their standard deviation and the share of their member, from the network's own node values."""
    inner, used = network.network_, network.network_.weights > 0

    def sums(table):
        h = (inner.columns(encode(network, table)) @ inner._first + inner.bias.ravel()).reshape(-1, *inner.bias.shape)
        # Nodes that add are sums themselves; the last two multiply, as the network itself has it.
        nodes, layer = inner.node_values(encode(network, table))[0].transpose(1, 0, 2), inner.layers[0]
        added = h.shape[2] - 2 * layer.products
        np.testing.assert_allclose(h[:, :, :added], nodes[:, :, :added])
        left, right = h[:, :, added : added + layer.products], h[:, :, added + layer.products :]
        np.testing.assert_allclose(left * right, nodes[:, :, added:])
        return h[:, used]

    old, new = sums(TABLE), sums(NEW)
    weight = np.sqrt(inner.weights[used] / old.shape[2])[:, None] / old.std(0)
    old, new = ((h * weight).reshape(len(h), -1) for h in (old, new))
    cases = SimilarCases(network, space="embedding", metric=metric).fit(TABLE)
    distances, _ = cases.kneighbors(NEW)
    np.testing.assert_allclose(distances, np.sort(cdist(new, old, METRICS[metric]), 1)[:, :5], rtol=1e-9)


def test_embedding_needs_hidden_layers(model):
    with pytest.raises(ValueError, match="space='embedding' needs a model with hidden layers: use 'contribution'"):
        SimilarCases(model, space="embedding").fit(TABLE)


# ---- the table of neighbours ----


@pytest.mark.parametrize("space", ["contribution", "input", "embedding"])
@pytest.mark.parametrize("metric", METRICS)
def test_shares_sum_to_one_and_split_the_distance(network, space, metric):
    found = SimilarCases(network, space=space, metric=metric).fit(TABLE).query(NEW)
    shares = found.filter(regex="^share__").to_numpy()
    np.testing.assert_allclose(shares.sum(1), np.where(found["distance"] > 0, 1, 0), atol=1e-9)
    if space != "embedding":  # there, features work together or against each other
        power = 2 if metric == "euclidean" else 1
        parts = np.abs(found.filter(regex="^difference__").to_numpy()) ** power
        np.testing.assert_allclose(parts, shares * found[["distance"]].to_numpy() ** power, atol=1e-9)


def test_shares_in_the_embedding_are_what_a_feature_adds(network):
    """Without the part of a feature, the scalar product of the difference with itself loses its share."""
    cases = SimilarCases(network, space="embedding").fit(TABLE)
    found = cases.query(NEW[:1])
    position = int(cases.kneighbors(NEW[:1])[1][0, 2])
    inner = network.network_
    moved = NEW[:1].copy()
    moved["age"] = TABLE["age"][position]  # the query with the case's age
    h = [inner.sums(encode(network, table)) for table in (TABLE, NEW[:1], moved, TABLE.iloc[[position]])]
    scale = np.sqrt(np.repeat(inner.weights / inner.bias.shape[1], inner.bias.shape[1])) / h[0].std(0)
    own, whole = (h[2] - h[1])[0] * scale, (h[3] - h[1])[0] * scale
    assert found["share__age"][2] == pytest.approx(own @ whole / (whole @ whole), abs=1e-9)
    assert found["difference__age"][2] == pytest.approx(np.linalg.norm(own), abs=1e-9)


def test_a_twin_is_at_distance_zero_without_shares(model):
    found = SimilarCases(model).fit(TABLE, DIED).query(TABLE[7:8])
    assert found["distance"][0] == 0 and not found.filter(regex="^share__").iloc[0].any()


def test_query_tells_what_the_cases_were(model):
    ids = [f"P{i}" for i in range(len(TABLE))]
    cases = SimilarCases(model).fit(TABLE, DIED, ids=ids)
    _, indices = cases.kneighbors(NEW, 3)
    found = cases.query(NEW, 3)
    at = indices.ravel()
    assert found["query"].tolist() == np.repeat(np.arange(12), 3).tolist() and found["rank"].tolist() == [1, 2, 3] * 12
    assert found["id"].tolist() == [ids[i] for i in at] and found["outcome"].tolist() == DIED[at].tolist()
    np.testing.assert_allclose(found["prediction"], model.predict_proba(TABLE)[at, 1])
    values = found.filter(regex="^value__").rename(columns=lambda name: name.removeprefix("value__"))
    pd.testing.assert_frame_equal(
        values.fillna(-1), TABLE.iloc[at].reset_index(drop=True).fillna(-1), check_dtype=False
    )
    difference = model.explain(TABLE.iloc[at]).values - model.explain(NEW.iloc[found["query"]]).values
    np.testing.assert_allclose(found.filter(regex="^difference__"), difference, atol=1e-12)


def test_without_outcomes_and_ids_positions_are_shown(model):
    cases = SimilarCases(model).fit(TABLE)
    found = cases.query(NEW[:2])
    assert found["outcome"].isna().all() and found["id"].tolist() == cases.kneighbors(NEW[:2])[1].ravel().tolist()
    with pytest.raises(ValueError, match="give y to fit"):
        cases.outcomes(NEW)


def test_predictions_of_several_classes_and_targets(staged):
    found = SimilarCases(staged).fit(TABLE, STAGE).query(NEW[:1])
    np.testing.assert_allclose(found.filter(regex="^prediction__").sum(axis=1), 1)
    assert [c for c in found if c.startswith("prediction")] == [f"prediction__{k}" for k in range(3)]
    both = short(KANRegressor, random_state=0).fit(TABLE, np.stack([RISK, RISK**2], 1))
    cases = SimilarCases(both, n_neighbors=2).fit(TABLE)
    at = cases.kneighbors(NEW)[1].ravel()
    np.testing.assert_allclose(cases.query(NEW)[["prediction__0", "prediction__1"]], both.predict(TABLE)[at])
    one = SimilarCases(both, n_neighbors=2, class_=1).fit(TABLE)
    new, old = (both.network_.effects(encode(both, table))[:, :, 1] for table in (NEW, TABLE))
    np.testing.assert_allclose(one.kneighbors(NEW)[0], np.sort(cdist(new, old), 1)[:, :2], atol=1e-9)


def test_the_cases_do_not_follow_changes_of_the_users_table(model):
    table = TABLE.copy()
    cases = SimilarCases(model).fit(table)
    before = cases.query(NEW)
    table["age"] = 0.0
    table.to_numpy()[:] = None
    pd.testing.assert_frame_equal(cases.query(NEW), before)


# ---- outcomes and novelty ----


def wilson(k, n, level):
    """By the roots of ``(p - k/n)^2 = z^2 p (1 - p) / n``, with z as the quantile of a t of many degrees of freedom."""
    z = t.ppf((1 + level) / 2, 1e9)
    return np.sort(np.roots([1 + z**2 / n, -2 * k / n - z**2 / n, (k / n) ** 2]).real)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_rates_have_wilsons_interval(model, level):
    cases = SimilarCases(model).fit(TABLE, DIED)
    found = cases.outcomes(NEW, 11, confidence_level=level)
    assert found["class"].eq("yes").all() and found["n"].eq(11).all()
    for row, own in zip(found.itertuples(), cases.kneighbors(NEW, 11)[1], strict=True):
        k = (DIED[own] == "yes").sum()
        assert row.estimate == pytest.approx(k / 11)
        np.testing.assert_allclose([row.lower, row.upper], wilson(k, 11, level), atol=1e-6)


def test_every_class_has_its_rate(staged):
    found = SimilarCases(staged).fit(TABLE, STAGE).outcomes(NEW, 8)
    assert found["class"].tolist() == [0, 1, 2] * len(NEW)
    np.testing.assert_allclose(found.groupby("query")["estimate"].sum(), 1)


def test_means_have_students_interval():
    model = KAAMRegressor().fit(TABLE, RISK)
    cases = SimilarCases(model).fit(TABLE, RISK)
    found = cases.outcomes(NEW, 6)
    for row, own in zip(found.itertuples(), cases.kneighbors(NEW, 6)[1], strict=True):
        interval = t.interval(0.95, 5, RISK[own].mean(), RISK[own].std(ddof=1) / np.sqrt(6))
        np.testing.assert_allclose([row.estimate, row.lower, row.upper], [RISK[own].mean(), *interval], rtol=1e-9)
    alone = cases.outcomes(NEW, 1).iloc[0]
    assert (alone["lower"], alone["upper"]) == (-np.inf, np.inf)
    flat = SimilarCases(model).fit(TABLE, np.full(len(TABLE), 0.1)).outcomes(NEW[:1]).iloc[0]
    assert flat["lower"] == flat["estimate"] == flat["upper"] == pytest.approx(0.1)


def test_novelty_is_the_rank_among_leave_one_out_distances(model):
    values = model.explain(TABLE).values
    apart = cdist(values, values)
    np.fill_diagonal(apart, np.inf)
    usual = apart.min(1)
    far = NEW.assign(lactate=40.0, age=200.0)
    queries = pd.concat([NEW, far])
    found = SimilarCases(model).fit(TABLE).novelty(queries)
    nearest = cdist(model.explain(queries).values, values).min(1)
    np.testing.assert_allclose(found["distance"], nearest, atol=1e-9)
    expected = [50 * ((usual < d).mean() + (usual <= d).mean()) for d in nearest]
    np.testing.assert_allclose(found["percentile"], expected)
    assert found["out_of_distribution"][12:].all() and found["out_of_distribution"][:12].mean() < 0.3
    assert (SimilarCases(model).fit(TABLE).novelty(TABLE)["percentile"] <= 100 * (usual == 0).mean()).all()


def test_a_case_with_a_twin_is_amid_cases_with_twins(model):
    twice = pd.concat([TABLE[:20], TABLE[:20]])
    found = SimilarCases(model).fit(twice).novelty(TABLE[:3])
    assert found["percentile"].tolist() == [50.0] * 3 and not found["out_of_distribution"].any()


def test_novelty_of_many_cases_is_measured_on_a_thousand():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 2))
    cases = SimilarCases(KAAMRegressor().fit(X, X.sum(1)), space="input").fit(X)
    flags = cases.novelty(rng.normal(size=(2000, 2)))["out_of_distribution"]
    assert 0.03 < flags.mean() < 0.08  # new rows of the same kind: about 5%


# ---- what must not be returned ----


@pytest.mark.parametrize("space", ["contribution", "input", "embedding"])
def test_redacted_values_never_come_back(network, space):
    open_, closed = (
        SimilarCases(network, space=space, redact=redact).fit(TABLE, DIED) for redact in (None, ["age", "ward"])
    )
    np.testing.assert_array_equal(closed.kneighbors(NEW)[1], open_.kneighbors(NEW)[1])
    whole, found = open_.query(NEW), closed.query(NEW)
    assert not [c for c in found if "age" in c or "ward" in c]
    kept = [c for c in found if c != "share__(redacted)"]
    pd.testing.assert_frame_equal(found[kept], whole[kept])
    np.testing.assert_allclose(found["share__(redacted)"], whole[["share__age", "share__ward"]].sum(axis=1), atol=1e-9)
    _, arrays = closed._get_state()
    assert len([name for name in arrays if name.startswith("table.")]) == 2


def test_small_groups_are_suppressed(model):
    table = TABLE.assign(ward=TABLE["ward"].fillna("medical"))
    sizes = table.groupby(["ward", "sex"])["age"].transform("size")
    smallest = sizes.min()
    cases = SimilarCases(model, n_neighbors=20, min_group=smallest + 1).fit(table, DIED, ids=np.arange(160) + 1000)
    assert SimilarCases(model, min_group=smallest).fit(table).n_suppressed_ == 0
    small = (sizes <= smallest).to_numpy()
    assert cases.n_suppressed_ == small.sum() == smallest
    found, (distances, indices) = cases.query(table), cases.kneighbors(table)
    _, plain = SimilarCases(model, n_neighbors=20).fit(table).kneighbors(table)
    hidden = small[plain].ravel()
    assert hidden.any() and not hidden.all()
    np.testing.assert_array_equal(indices.ravel(), np.where(hidden, -1, plain.ravel()))
    assert np.isnan(distances.ravel()[hidden]).all()
    assert found[hidden].drop(columns=["query", "rank"]).isna().all(axis=None)
    assert (found.loc[~hidden, "id"] == plain.ravel()[~hidden] + 1000).all()
    assert found.loc[~hidden, ["distance", "outcome", "prediction", "value__age"]].notna().all(axis=None)
    assert (cases.outcomes(table)["n"] == (~small[plain]).sum(1)).all()
    twin = cases.novelty(table[small])
    assert twin["distance"].isna().all() and not twin["out_of_distribution"].any()
    attributes, arrays = cases._get_state()
    assert np.isnan(arrays["outcomes"][small]).all() and np.isnan(arrays["predictions"][small]).all()
    assert all(v is None for v in np.asarray(attributes["cases"]["ids"])[small])
    assert np.isnan(arrays["table.0"][small]).all() and (arrays["table.2"][small] == -1).all()


def test_groups_can_be_made_by_any_columns(model):
    banded = TABLE.assign(age=TABLE["age"] // 20 * 20)
    cases = SimilarCases(model, min_group=50, quasi_identifiers="age").fit(banded)
    counts = banded["age"].map(banded["age"].value_counts())
    assert cases.n_suppressed_ == (counts < 50).sum() > 0
    levels = TABLE.assign(code=np.where(np.arange(160) < 3, 1, 2))
    coded = KAAMClassifier(categorical_features=["ward", "sex", "code"]).fit(levels, DIED)
    cells = levels.fillna({"ward": ""}).groupby(["ward", "sex", "code"])["age"].transform("size")
    assert SimilarCases(coded, min_group=4).fit(levels).n_suppressed_ == (cells < 4).sum() >= 3


def test_a_level_of_suppressed_cases_only_is_forgotten(model, tmp_path):
    table = TABLE.assign(ward=np.where(np.arange(160) == 5, "secret", TABLE["ward"].fillna("medical")))
    with pytest.warns(UserWarning, match="secret"):
        cases = SimilarCases(model, min_group=5).fit(table)
    cases.save(tmp_path / "cases.kan")
    with zipfile.ZipFile(tmp_path / "cases.kan") as archive:
        assert not any(b"secret" in archive.read(name) for name in archive.namelist())


# ---- pipelines, files, errors ----


def test_pipelines_show_the_users_columns():
    steps = make_pipeline(StandardScaler().set_output(transform="pandas"), KAAMClassifier())
    numbers = TABLE[["age", "lactate"]].fillna(1.0)
    pipeline = steps.fit(numbers, DIED)
    cases = SimilarCases(pipeline).fit(numbers, DIED)
    found = cases.query(numbers[:3])
    inner = SimilarCases(pipeline[-1]).fit(pipeline[:-1].transform(numbers), DIED)
    np.testing.assert_array_equal(cases.kneighbors(numbers)[1], inner.kneighbors(pipeline[:-1].transform(numbers))[1])
    np.testing.assert_array_equal(found["value__age"], numbers["age"].iloc[cases.kneighbors(numbers[:3])[1].ravel()])
    np.testing.assert_allclose(found["prediction"], pipeline.predict_proba(numbers)[found["id"], 1])


def test_a_column_that_preprocessing_takes_apart_is_redacted_whole():
    encoder = ColumnTransformer([("levels", OneHotEncoder(), ["ward", "sex"]), ("numbers", "passthrough", ["age"])])
    pipeline = make_pipeline(encoder, KAAMClassifier()).fit(TABLE, DIED)
    found = SimilarCases(pipeline, redact="ward").fit(TABLE).query(NEW)
    assert [c for c in found if c.startswith("share")] == ["share__age", "share__(redacted)"]
    assert "value__ward" not in found and "value__sex" in found
    np.testing.assert_allclose(found.filter(regex="^share").sum(axis=1), found["distance"] > 0, atol=1e-9)


@pytest.mark.parametrize("ids", [None, "text"])
@pytest.mark.parametrize("space", ["contribution", "input", "embedding"])
def test_saved_cases_answer_alike(network, tmp_path, space, ids):
    names = None if ids is None else [f"P{i}" for i in range(len(TABLE))]
    cases = SimilarCases(network, space=space, redact="age", min_group=5, quasi_identifiers=["ward", "sex"])
    cases.fit(TABLE, DIED, ids=names).save(tmp_path / "cases.kan")
    same = kan_tabular.load(tmp_path / "cases.kan")
    for method in ("query", "outcomes", "novelty"):
        pd.testing.assert_frame_equal(getattr(same, method)(NEW), getattr(cases, method)(NEW))
    assert same.n_suppressed_ == cases.n_suppressed_ > 0
    np.testing.assert_array_equal(same.estimator.predict_proba(NEW), network.predict_proba(NEW))


def test_what_cannot_be_saved_is_refused(model, tmp_path):
    with pytest.raises(NotFittedError):
        SimilarCases(model).save(tmp_path / "cases.kan")
    pipeline = make_pipeline(StandardScaler(), KAAMClassifier()).fit(TABLE[["age"]], DIED)
    with pytest.raises(TypeError, match=r"cases of a Pipeline.*SimilarCases\(pipeline\[-1\]\)\.fit\(pipeline\[:-1\]"):
        SimilarCases(pipeline).fit(TABLE[["age"]]).save(tmp_path / "cases.kan")
    assert not list(tmp_path.iterdir())


def test_what_the_refusal_advises_works(tmp_path):
    numbers = TABLE[["age", "lactate"]].fillna(0.0)
    pipeline = make_pipeline(StandardScaler(), KAAMClassifier()).fit(numbers, DIED)
    cases = SimilarCases(pipeline[-1]).fit(pipeline[:-1].transform(numbers), DIED)
    cases.save(tmp_path / "cases.kan")
    found = kan_tabular.load(tmp_path / "cases.kan").kneighbors(pipeline[:-1].transform(numbers[:5]))
    np.testing.assert_array_equal(found, SimilarCases(pipeline).fit(numbers, DIED).kneighbors(numbers[:5]))
    alone = make_pipeline(KAAMClassifier()).fit(numbers, DIED)  # nothing before the model
    with pytest.raises(TypeError, match="cases of a Pipeline.*Give KAAMClassifier the table itself"):
        SimilarCases(alone).fit(numbers).save(tmp_path / "alone.kan")


def test_estimators_keep_no_rows(model):
    assert not any(160 in np.shape(array) for array in model._get_state()[1].values())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"space": "latent"}, "space='latent': expected 'contribution', 'input' or 'embedding'"),
        ({"metric": "cosine"}, "metric='cosine': expected one of 'euclidean', 'manhattan'"),
        ({"n_neighbors": 0}, "n_neighbors=0: expected an integer of at least 1"),
        ({"min_group": 2.5}, "min_group=2.5: expected an integer"),
        ({"min_group": 10**6}, "would suppress every case: make the values of ward, sex coarser"),
        ({"redact": ["agee"]}, "redact names 'agee', which is not a column of X: choose from age, lactate, ward, sex"),
        ({"quasi_identifiers": "zip"}, "quasi_identifiers names 'zip'"),
        ({"class_": "yes"}, "class_='yes': give None, this model has one score"),
        ({"class_": "yes", "space": "input"}, "class_='yes' is for space='contribution'"),
    ],
)
def test_wrong_settings_are_named(model, settings, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        SimilarCases(model, **settings).fit(TABLE)


def test_wrong_input_is_named(model):
    with pytest.raises(ValueError, match="y holds 'maybe', which is not a class of the model"):
        SimilarCases(model).fit(TABLE, np.where(DIED == "yes", "maybe", "no"))
    with pytest.raises(ValueError, match="y has 3 entries, but X has 160 rows"):
        SimilarCases(model).fit(TABLE, DIED[:3])
    with pytest.raises(ValueError, match="ids has 3 entries"):
        SimilarCases(model).fit(TABLE, ids=[1, 2, 3])
    with pytest.raises(ValueError, match="age"):
        SimilarCases(model).fit(TABLE.rename(columns={"age": "years"}))
    with pytest.raises(ValueError, match="Found 1 case"):
        SimilarCases(model).fit(TABLE[:1])
    with pytest.raises(ValueError, match="needs columns that make the groups"):
        numbers = TABLE[["age", "lactate"]]
        SimilarCases(KAAMClassifier().fit(numbers, DIED), min_group=2).fit(numbers)
    cases = SimilarCases(model).fit(TABLE, DIED)
    with pytest.raises(ValueError, match="n_neighbors=161, but there are only 160 cases"):
        cases.kneighbors(NEW, 161)
    with pytest.raises(ValueError, match="confidence_level=95"):
        cases.outcomes(NEW, confidence_level=95)
    with pytest.raises(ValueError, match="level=0"):
        cases.novelty(NEW, level=0)
    regressor = KAAMRegressor().fit(TABLE, RISK)
    with pytest.raises(ValueError, match="y must hold numbers"):
        SimilarCases(regressor).fit(TABLE, DIED)
    with pytest.raises(ValueError, match="y holds nan in row 2"):
        SimilarCases(regressor).fit(TABLE, np.where(np.arange(160) == 2, np.nan, RISK))


def test_only_fitted_models_of_the_package_are_taken(model):
    with pytest.raises(TypeError, match="SimilarCases needs a fitted model of this package"):
        SimilarCases(LogisticRegression()).fit(TABLE)
    with pytest.raises(NotFittedError):
        SimilarCases(KAAMClassifier()).fit(TABLE)
    with pytest.raises(NotFittedError):
        SimilarCases(model).query(TABLE)
    assert clone(SimilarCases(model, n_neighbors=3)).get_params(deep=False)["n_neighbors"] == 3
