"""Networks whose columns learned their functions: everything a reader sees, against the curves evaluated by hand."""

import itertools
import json
import math
import subprocess
import sys

import numpy as np
import pytest

import kan_tabular
from kan_tabular import DualChannelKAN, KANRegressor, LogisticKAN, SKANRegressor
from kan_tabular.bases import REGISTRY, AdaptiveRBF, Daruan, FreeKnots, Rational
from kan_tabular.exceptions import LiveModelError
from kan_tabular.explain import SimilarCases
from kan_tabular.fitted.deep import DeepNetwork
from kan_tabular.fitted.diagram import read_diagram
from kan_tabular.fitted.learned import LearnedCurves
from kan_tabular.report.payload import model_payload

pytestmark = pytest.mark.filterwarnings("error")

N = 90
SHORT = {"hidden_layer_sizes": (4,), "max_iter": 6, "n_estimators": 2, "random_state": 0, "early_stopping": False}
SHORT |= {"alpha": 0.01, "smoothness": 1.0, "additive_start": False}
FAMILIES = {
    "adaptive_rbf": AdaptiveRBF(5),
    "daruan": Daruan((1, 3)),
    "free_knots": FreeKnots(4),
    "rational": Rational(n_groups=2),
}
every_family = pytest.mark.parametrize("name", FAMILIES)


def simulated():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(-2, 2, N), rng.normal(size=N), rng.integers(0, 2, N), rng.normal(size=N)])
    X[rng.random(N) < 0.2, 1] = np.nan
    return X, np.sin(2 * X[:, 0]) + np.nan_to_num(X[:, 1]) * X[:, 3]


@pytest.fixture(scope="module")
def models():
    X, y = simulated()
    return {name: KANRegressor(basis=basis, **SHORT).fit(X, y) for name, basis in FAMILIES.items()}


def curves_by_hand(model, Z, j, m):
    """What input `j` adds to the sums (rows, H) of member `m`: the family's own formula, point by point."""
    network = model.network_
    curves, seen = network.inputs[j], network.front(Z)[:, j]
    H = network.bias.shape[1]
    b, r = curves.coefficients[:, m * H : (m + 1) * H], curves.transform.shape[1]
    if not isinstance(curves, LearnedCurves):
        return curves.columns(seen) @ b
    basis = curves.basis.at({name: values[m] for name, values in curves.shapes.items()})
    out = np.zeros((len(Z), H))
    for row, x in enumerate(seen):
        if not np.isnan(x):
            out[row] = (basis.evaluate(np.array([x]))[0] @ curves.transform - curves.center[m]) @ b[:r]
        if curves.has_missing:
            out[row] += ((1 - curves.missing) if np.isnan(x) else -curves.missing) * b[r]
    return out


def head_by_hand(model, sums):
    """The linear predictor from all members' sums (M, rows, H): hidden curves at each node's own parameters."""
    network, out = model.network_, model.network_.intercept + 0.0
    (layer,) = network.layers
    for m, weight in enumerate(network.weights):
        said = layer.bias[m]
        for i in range(sums.shape[2]):
            own = {name: values[m, i] for name, values in layer.shapes.items()}
            said = said + network.basis.evaluate(sums[m, :, i], *([own] if own else [])) @ layer.coefficients[m, :, i]
        out = out + weight * said
    return (network.shift + network.scale * out)[:, 0]


def present(model, Z, features):
    """The linear predictor with some features, the others' curves at their training means."""
    network = model.network_
    sums = np.stack([network.bias[m] + np.zeros((len(Z), 1)) for m in range(network.n_members)])
    for m, j in itertools.product(range(network.n_members), features):
        sums[m] += curves_by_hand(model, Z, j, m)
    return head_by_hand(model, sums)


@every_family
def test_predictions_are_sums_of_curves_in_functions_of_the_members_own(models, name):
    model, (X, _) = models[name], simulated()
    network = model.network_
    assert network.learned == [0, 1, 3]  # two values have nothing to learn
    start = [curves.basis.parameters() for curves in network.inputs]
    for j in network.learned:
        for key, values in network.inputs[j].shapes.items():
            assert len(values) == network.n_members == 2
            assert (values[0] != values[1]).any() and (values != start[j][key.split(".")[-1]]).any()
    np.testing.assert_allclose(model.predict(X), present(model, X, range(4)), rtol=1e-10, atol=1e-10)
    # One row alone, and all that is not in the training range.
    far = np.array([[1e6] * 4, [-1e6] * 4, [np.nan] * 4, [0.1, np.nan, 1.0, 1e6]])
    np.testing.assert_allclose(model.predict(far), present(model, far, range(4)), rtol=1e-10, atol=1e-10)
    assert np.isfinite(model.predict(far)).all()
    np.testing.assert_allclose(model.predict(X[:1]), model.predict(X)[:1], rtol=1e-12)


@every_family
def test_curves_are_centred_over_the_training_rows(models, name):
    model, (X, _) = models[name], simulated()
    for j, m in itertools.product(range(4), range(2)):
        own = curves_by_hand(model, X, j, m)
        np.testing.assert_allclose(own.mean(0), 0, atol=1e-9 * np.abs(own).max())


@every_family
def test_shapley_values_main_effects_and_pairs_are_those_of_the_curves(models, name):
    model, (X, _) = models[name], simulated()
    rows, p = X[:5], 4
    value = {s: present(model, rows, s) for k in range(p + 1) for s in itertools.combinations(range(p), k)}
    exact = np.zeros((5, p))
    for j in range(p):
        for s in (s for s in value if j not in s):
            share = math.factorial(len(s)) * math.factorial(p - len(s) - 1) / math.factorial(p)
            exact[:, j] += share * (value[tuple(sorted((*s, j)))] - value[s])
    explained = model.explain(rows, n_permutations=200)
    np.testing.assert_allclose(explained.base_values, value[()], rtol=1e-9)
    np.testing.assert_allclose(explained.values.sum(1), value[0, 1, 2, 3] - value[()], atol=1e-9)
    np.testing.assert_allclose(explained.values, exact, atol=0.1 * np.abs(exact).max())
    alone = model.network_.effects(rows)[:, :, 0]
    for j in range(p):
        np.testing.assert_allclose(alone[:, j], value[(j,)] - value[()], atol=1e-9)
    shape = model.shape_function(0, grid=rows[:, 0])
    np.testing.assert_allclose(shape.y, value[(0,)] - value[()], atol=1e-9)
    pairs = model.interactions(X)
    own = [present(model, X, s) for s in ((1, 3), (1,), (3,), ())]
    strength = (own[0] - own[1] - own[2] + own[3]).std()
    found = pairs[(pairs["feature_1"] == "x1") & (pairs["feature_2"] == "x3")]["strength"].item()
    assert found == pytest.approx(strength, rel=1e-9)


@every_family
def test_the_diagram_draws_the_curves_of_its_member(models, name):
    model, (X, _) = models[name], simulated()
    network = model.network_
    for m in range(2):
        layer = read_diagram(network, m).layers[0]
        for j in range(4):
            low, high = network.inputs[j].basis.domain
            z = np.linspace(low, high, len(layer.x[j]))
            np.testing.assert_allclose(layer.x[j], z)
            s = z / np.sqrt(1 - (z / 3) ** 2)  # back through the front
            Z = np.tile((network.front.center + network.front.spread * s[:, None])[:, j, None], (1, 4))
            np.testing.assert_allclose(layer.y[j], curves_by_hand(model, Z, j, m), rtol=1e-7, atol=1e-7)
            np.testing.assert_allclose(layer.sizes[j], curves_by_hand(model, X, j, m).std(0), rtol=1e-7)


@every_family
def test_pruning_takes_curves_out_and_none_without_a_threshold(models, name, tmp_path):
    model, (X, _) = models[name], simulated()
    model.save(tmp_path / "model.kan")
    before, again = model.predict(X), kan_tabular.load(tmp_path / "model.kan")
    np.testing.assert_allclose(again.prune(X, 0.0).predict(X), before, rtol=1e-12)
    again.prune(X, 0.6)
    network = again.network_
    gone = network.sizes[0] == 0
    assert gone.any() and not gone.all()
    for m, j in itertools.product(range(2), range(4)):
        own = curves_by_hand(again, X, j, m)
        np.testing.assert_array_equal(own.any(0), ~gone[j, m])
    np.testing.assert_allclose(again.predict(X), present(again, X, range(4)), rtol=1e-10, atol=1e-10)


@every_family
def test_saved_models_predict_the_same_numbers(models, name, tmp_path):
    model, (X, _) = models[name], simulated()
    spec, arrays = model.network_.to_spec()
    rebuilt = DeepNetwork.from_spec(json.loads(json.dumps(spec)), arrays)
    np.testing.assert_array_equal(rebuilt.forward(X), model.network_.forward(X))
    model.save(tmp_path / "model.kan")
    again = kan_tabular.load(tmp_path / "model.kan")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.explain(X[:3]).values, model.explain(X[:3]).values)


def test_prediction_needs_no_torch(models, tmp_path):
    model, (X, _) = models["free_knots"], simulated()
    model.save(tmp_path / "model.kan")
    np.save(tmp_path / "X.npy", X)
    code = (
        "import sys, numpy as np, kan_tabular\n"
        f"model = kan_tabular.load({str(tmp_path / 'model.kan')!r})\n"
        f"np.save({str(tmp_path / 'y.npy')!r}, model.predict(np.load({str(tmp_path / 'X.npy')!r})))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), model.predict(X))


@every_family
def test_units_origin_and_order_of_rows_and_columns_do_not_matter(name):
    X, y = simulated()
    settings = {**SHORT, "basis": FAMILIES[name], "batch_size": N}
    plain = KANRegressor(**settings).fit(X, y).predict(X)
    moved = X * [1000.0, 0.5, 1.0, 2.0] + [7.0, -1.0, 0.0, 100.0]
    np.testing.assert_allclose(KANRegressor(**settings).fit(moved, y).predict(moved), plain, atol=2e-3 * plain.std())
    # The same seed gives the same model, bit by bit.
    np.testing.assert_array_equal(KANRegressor(**settings).fit(X, y).predict(X), plain)


def test_neighbours_by_embedding_split_by_curves(models):
    model, (X, _) = models["adaptive_rbf"], simulated()
    parts = model.network_.sums_by_feature(X)
    for j in range(4):
        own = np.concatenate([curves_by_hand(model, X, j, m) for m in range(2)], axis=1)
        np.testing.assert_allclose(parts[:, j], own, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(parts.sum(1) + model.network_.bias.ravel(), model.network_.sums(X), atol=1e-9)
    found = SimilarCases(model, space="embedding").fit(X, np.zeros(N)).query(X[:2])
    assert len(found)


def test_other_estimators_learn_on_columns_too(tmp_path):
    X, y = simulated()
    for make in (LogisticKAN, DualChannelKAN):
        more = {"n_qubits": 2} if make is DualChannelKAN else {"solver": "lbfgs"}
        model = make(basis="free_knots", **{**SHORT, **more}).fit(X, y > 0)
        assert model.network_.learned == [0, 1, 3]
        model.save(tmp_path / "model.kan")
        again = kan_tabular.load(tmp_path / "model.kan")
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_straight_lines_into_a_projection_have_nothing_to_learn():
    X, y = simulated()
    assert not KANRegressor(basis="free_knots", projection=3, **SHORT).fit(X, y).network_.learned


@pytest.mark.parametrize("choose", ["inputs", "edges", "nodes"])
def test_pools_keep_what_inputs_learned_where_it_was_chosen(choose, tmp_path):
    X, y = simulated()
    settings = {**SHORT, "max_iter": 12, "spaces": ("cosine", "free_knots", Daruan()), "choose": choose}
    model = SKANRegressor(**settings).fit(X, y)
    table = model.spaces_[model.spaces_["layer"] == 0]
    assert {"free_knots", "daruan"} & set(table["space"])
    network, H = model.network_, model.network_.bias.shape[1]
    for row in table.itertuples():
        j = network.feature_names.index(row.node)
        curves = network.inputs[j]
        edge = slice(None) if choose != "edges" else [row.target]
        b = curves.coefficients.reshape(-1, network.n_members, H)[: curves.transform.shape[1], row.member][:, edge]
        used = (curves.transform @ b).any(1)
        own = np.unique(curves.basis.owner[used])
        names = [getattr(curves.basis.spaces_[s], "family", curves.basis.spaces_[s]).name for s in own]
        assert set(names) <= {"cosine", row.space}  # the line is the first space's
        if row.space != "cosine" and isinstance(curves, LearnedCurves):
            key = f"{('cosine', 'free_knots', 'daruan').index(row.space)}_"
            assert any(name.startswith(key) for name in curves.shapes)
    np.testing.assert_allclose(model.predict(X), present(model, X, range(4)), rtol=1e-9, atol=1e-9)
    model.save(tmp_path / "model.kan")
    np.testing.assert_array_equal(kan_tabular.load(tmp_path / "model.kan").predict(X), model.predict(X))


def test_reports_say_why_they_do_not_compute_them(models):
    X, y = simulated()
    chosen = SKANRegressor(**{**SHORT, "spaces": ("free_knots", "adaptive_rbf")}).fit(X, y)
    assert chosen.network_.learned and not any(layer.shapes for layer in chosen.network_.layers)
    for model in (chosen, models["rational"]):
        with pytest.raises(LiveModelError, match="functions of their own"):
            model_payload(model)


def test_every_learned_family_is_here():
    assert set(FAMILIES) == {name for name, cls in REGISTRY.items() if not cls.linear and isinstance(cls.linear, bool)}
