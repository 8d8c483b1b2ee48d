"""DualChannelKAN as its users meet it: answers, explanations, channels, saving, settings."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

import kan_tabular
from kan_tabular import DualChannelKAN, LogisticKAN
from kan_tabular.exceptions import UnseenCategoryWarning
from kan_tabular.fitted.deep import DeepNetwork
from kan_tabular.plots import NetworkDisplay

pytestmark = pytest.mark.filterwarnings("error")

SHORT = {"max_iter": 4, "n_estimators": 2, "hidden_layer_sizes": (4, 3), "random_state": 0}
N = 160
CASES = {
    "binary": {},
    "multiclass": {"embedding": "amplitude", "n_qubits": 2, "n_layers": 2},
    "circuit": {"channels": ("circuit",), "n_qubits": 3},
    "products": {"hidden_layer_sizes": ((2, 2), (1, 1)), "n_qubits": 1, "basis": "cosine"},
}


def make(**settings):
    return DualChannelKAN(**{**SHORT, **settings})


def simulate(case, n=N, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    X = pd.DataFrame(
        {
            "a": a,
            "holes": np.where(rng.random(n) < 0.2, np.nan, a + rng.exponential(size=n)),
            "level": np.where(rng.random(n) < 0.1, None, rng.choice(["x", "y", "z"], n)),
            "flag": rng.random(n) < 0.3,
            "constant": 7.0,
        }
    )
    eta = X["a"].to_numpy() * np.nan_to_num(X["holes"].to_numpy()) + (X["level"] == "x").to_numpy()
    if case == "multiclass":
        return X, np.array(["low", "mid", "top"])[np.digitize(eta + 0.3 * rng.normal(size=n), [0.0, 1.0])]
    return X, np.where(eta + 0.3 * rng.normal(size=n) > 0.5, "yes", "no")


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """(name, fitted model whose last layer was shaken so that both channels count, X, y)"""
    X, y = simulate(request.param)
    model = make(**CASES[request.param]).fit(X, y)
    network, rng = model.network_, np.random.default_rng(1)
    last = network.layers[-1]
    last = replace(last, coefficients=0.5 * rng.normal(size=last.coefficients.shape))
    model.network_ = replace(network, layers=[*network.layers[:-1], last])
    assert model.network_.n_members > 0
    return request.param, model, X, y


def without(network, absent):
    """The network in which some features have their curves at their training mean: no curves."""

    def silent(parts):
        return [replace(c, coefficients=c.coefficients * (j not in absent)) for j, c in enumerate(parts)]

    return replace(network, inputs=silent(network.inputs), additive=silent(network.additive))


# --------------------------------------------------------------------------------------------------------- answers


def test_answers_are_probabilities(case):
    name, model, X, _ = case
    p = model.predict_proba(X)
    assert p.shape == (N, 3 if name == "multiclass" else 2) and np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(1), 1)
    np.testing.assert_array_equal(model.predict(X), model.classes_[p.argmax(1)])
    np.testing.assert_array_equal(model.predict(X.iloc[[3]]), model.predict(X)[[3]])


def test_strange_rows_are_answered_with_numbers(case):
    _, model, X, _ = case
    rows = X.iloc[:3].astype({"flag": object}).copy()
    rows.iloc[0] = [np.nan, np.nan, None, None, np.nan]
    rows.iloc[1, :2] = 1e30
    rows.iloc[2, :2] = -1e30
    rows.iloc[1, 2] = "new"
    with pytest.warns(UnseenCategoryWarning):
        assert np.isfinite(model.predict_proba(rows)).all()


def test_an_interaction_is_learnt_by_each_channel_alone():
    """The class is the sign of a product: no sum of curves tells it."""
    rng = np.random.default_rng(0)
    X, later = rng.normal(size=(400, 3)), rng.normal(size=(1000, 3))
    y, truth = (table[:, 0] * table[:, 1] > 0 for table in (X, later))
    for settings in (
        {"channels": ("circuit",)},
        {"channels": ("circuit",), "embedding": "amplitude"},
        {"channels": ("kan", "circuit")},
    ):
        one = {"alpha": 0.2, "smoothness": 5.0, "additive_start": False, "n_estimators": 2, "max_iter": 60}
        model = DualChannelKAN(random_state=0, **one, **settings)
        assert model.fit(X, y).score(later, truth) > 0.85, settings


@pytest.mark.parametrize("response", ["binary", "multiclass"])
def test_the_kan_channel_alone_is_logistic_kan_bit_by_bit(response):
    X, y = simulate(response)
    alone, plain = make(channels=("kan",)).fit(X, y), LogisticKAN(**SHORT).fit(X, y)
    np.testing.assert_array_equal(alone.decision_function(X), plain.decision_function(X))
    assert alone.candidates_ == plain.candidates_ and alone.network_.circuit is None


def test_the_order_of_channels_does_not_matter():
    X, y = simulate("binary")
    one, other = (make(channels=channels).fit(X, y) for channels in (["circuit", "kan"], ("kan", "circuit")))
    np.testing.assert_array_equal(one.decision_function(X), other.decision_function(X))


def test_the_fitted_network_says_what_the_trained_one_says(monkeypatch):
    import torch

    from kan_tabular.training import fit

    seen, train = {}, fit.train

    def spy(network, data, *args, **kwargs):
        seen.update(network=network, data=data)
        return train(network, data, *args, **kwargs)

    monkeypatch.setattr(fit, "train", spy)
    X, y = simulate("multiclass")
    model = make(additive_start=False, early_stopping=False, **CASES["multiclass"]).fit(X, y)
    network, data = seen["network"], seen["data"]
    with torch.no_grad():
        said = network.double()(data.X.double()).mean(0).numpy()
    fitted = model.network_
    expected = fitted.to_user(said + fitted.intercept)
    assert np.ptp(said) > 0.01 and fitted.n_members == network.n_members
    np.testing.assert_allclose(model.decision_function(X), expected, atol=1e-6)


# ------------------------------------------------------------------------------------------------------- explaining


def test_effects_are_changes_of_the_prediction_when_curves_are_taken_away(case):
    _, model, X, _ = case
    network, Z = model.network_, model._encode(X.iloc[:20])
    p = Z.shape[1]
    full, nothing = network.forward(Z), without(network, range(p)).forward(Z)
    np.testing.assert_allclose(nothing, np.tile(network.base, (20, 1)), atol=1e-10)
    for j in range(p):
        only = without(network, [k for k in range(p) if k != j]).forward(Z)
        np.testing.assert_allclose(network.effects(Z)[:, j], only - nothing, atol=1e-9)
        np.testing.assert_allclose(network.left_out(Z)[:, j], full - without(network, [j]).forward(Z), atol=1e-9)


def test_explanations_add_up(case):
    _, model, X, _ = case
    explanation = model.explain(X.iloc[:20], n_permutations=2)
    total = explanation.values.sum(1) + explanation.base_values
    np.testing.assert_allclose(total, model.decision_function(X.iloc[:20]), rtol=1e-8, atol=1e-9)
    assert model.feature_importances_.sum() == pytest.approx(1)
    assert model.feature_importances_[4] == 0  # the constant
    shape, share = model.shape_function("a"), model.non_additive_share(X)
    assert np.isfinite(shape.y).all() and np.ptp(shape.y) > 0 and (share >= 0).all() and share.max() > 0.01
    assert list(model.summary().columns) == ["kind", "importance", "note"]
    pairs = model.interactions(X)
    assert len(pairs) == 10 and pairs["strength"].iloc[0] > 0 and np.isfinite(model.importance(X)).all()


def test_measured_nodes_and_edges_are_those_of_the_last_layer(case):
    _, model, X, _ = case
    network, Z = model.network_, model._encode(X)
    nodes, ranges = network.node_values(Z)[-1], network.node_ranges(Z)[-1]
    assert nodes.shape[2] == network.layers[-1].coefficients.shape[2]
    last, sums = network.layers[-1], network.columns(Z) @ network._first + network.bias.ravel()
    outputs = last.curves(network.basis, nodes).sum(2) + last.bias[:, None]
    np.testing.assert_allclose(outputs, network.member_outputs(sums), atol=1e-9)
    beside = nodes[:, :, -network.circuit.circuit.n_qubits :]
    assert (np.abs(beside) <= 3).all() and np.ptp(beside, axis=1).max() > 0.1
    np.testing.assert_array_equal(ranges, [nodes.min(1), nodes.max(1)])
    for sizes, layer in zip(network.edge_sizes(Z)[1:], network.layers, strict=True):
        assert sizes.shape[:2] == (network.n_members, layer.coefficients.shape[2]) and np.isfinite(sizes).all()


def test_pruning_nothing_changes_nothing_and_pruning_takes_edges_of_both_channels(case, tmp_path):
    _, model, X, _ = case
    network, Z = model.network_, model._encode(X)
    model.save(tmp_path / "model.kan")
    copy = kan_tabular.load(tmp_path / "model.kan")
    np.testing.assert_allclose(copy.prune(X, 0).decision_function(X), model.decision_function(X), atol=1e-9)
    copy.prune(X, 0.5)
    edges = sum(int((sizes > 0).sum()) for sizes in network.edge_sizes(Z))
    left = sum(int((sizes > 0).sum()) for sizes in copy.network_.edge_sizes(Z))
    assert left < edges and np.isfinite(copy.predict_proba(X)).all()
    assert (copy.network_.circuit.angles == network.circuit.angles).all()


def test_a_circuit_is_not_drawn_as_curves(case):
    _, model, _, _ = case
    with pytest.raises(ValueError, match="circuit.*use LogisticKAN"):
        NetworkDisplay.from_estimator(model)


# --------------------------------------------------------------------------------------------------- saving and luck


def test_a_saved_model_is_the_same(case, tmp_path):
    _, model, X, _ = case
    model.save(tmp_path / "model.kan")
    again = kan_tabular.load(tmp_path / "model.kan")
    assert type(again) is DualChannelKAN and again.get_params() == model.get_params()
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(again.explain(X[:5]).values, model.explain(X[:5]).values)
    assert again.network_.circuit.circuit == model.network_.circuit.circuit


def test_networks_saved_without_a_circuit_are_read_without_one():
    spec, arrays = LogisticKAN(**SHORT).fit(*simulate("binary")).network_.to_spec()
    assert "circuit" not in spec and DeepNetwork.from_spec(spec, arrays).circuit is None


def test_a_saved_model_predicts_in_a_fresh_process_without_torch(tmp_path):
    X, y = simulate("binary")
    model = make().fit(X[["a", "holes"]], y)
    model.save(tmp_path / "model.kan")
    code = (
        "import sys, numpy as np, pandas as pd, kan_tabular\n"
        f"model = kan_tabular.load({str(tmp_path / 'model.kan')!r})\n"
        "X = pd.DataFrame({'a': [0.5, np.nan], 'holes': [1.0, 1e9]})\n"
        "print(model.predict_proba(X).tolist())\n"
        "model.predict(X), model.non_additive_share(X), model.feature_importances_\n"
        "print([m for m in ('torch', 'pennylane', 'matplotlib', 'sympy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    expected = model.predict_proba(pd.DataFrame({"a": [0.5, np.nan], "holes": [1.0, 1e9]}))
    np.testing.assert_allclose(np.array(eval(out[0])), expected, rtol=1e-12)
    assert out[1] == "[]"


def test_the_random_state_decides_and_nothing_else():
    import torch

    X, y = simulate("binary")
    torch.manual_seed(1)
    before, torch_before, threads = np.random.get_state()[1].copy(), torch.get_rng_state(), torch.get_num_threads()
    first = make().fit(X, y)
    assert (np.random.get_state()[1] == before).all() and torch.equal(torch.get_rng_state(), torch_before)
    assert torch.get_num_threads() == threads
    np.random.random(3), torch.manual_seed(2)
    np.testing.assert_array_equal(make().fit(X, y).predict_proba(X), first.predict_proba(X))
    assert (make(random_state=1).fit(X, y).predict_proba(X) != first.predict_proba(X)).any()


def test_rows_of_weight_zero_are_absent_and_class_weight_multiplies():
    X, y = simulate("binary")
    weight = np.ones(N)
    weight[::5] = 0.0
    loud = X.copy()
    loud.loc[X.index[::5], "a"] = 1e6
    groups, keep = np.arange(N) // 2, weight > 0
    heard = make().fit(X[keep], y[keep], groups=groups[keep]).predict_proba(X)
    said = make().fit(loud, y, sample_weight=weight, groups=groups).predict_proba(X)
    np.testing.assert_array_equal(said, heard)
    factor = np.where(y == "yes", 3.0, 1.0)
    weighted = make(class_weight={"yes": 3.0}).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(weighted, make().fit(X, y, sample_weight=factor).predict_proba(X))
    assert weighted[:, 1].mean() > make().fit(X, y).predict_proba(X)[:, 1].mean()


# --------------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    "parameter, value, says",
    [
        ("channels", (), "'circuit'"),
        ("channels", "kan", "as in"),
        ("channels", None, "'circuit'"),
        ("channels", ("kan", "kan"), "'circuit'"),
        ("channels", ("kan", "lstm"), "'circuit'"),
        ("n_qubits", 0, "at least 1"),
        ("n_qubits", 2.0, "an integer"),
        ("n_qubits", 9, "at most 8"),
        ("n_layers", 0, "at least 1"),
        ("n_layers", True, "an integer"),
        ("embedding", "basis", "'angle' or 'amplitude'"),
        ("embedding", None, "'angle' or 'amplitude'"),
        ("hidden_layer_sizes", (), "hidden_layer_sizes"),
    ],
)
def test_an_impossible_setting_is_refused_by_name(parameter, value, says):
    with pytest.raises(ValueError, match=says) as caught:
        make(**{parameter: value}).fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1])
    assert str(caught.value).startswith(f"{parameter}=")


@pytest.mark.parametrize("parameter", ["projection", "solver", "warm_start"])
def test_what_it_does_not_offer_is_no_parameter(parameter):
    assert parameter not in make().get_params()
    with pytest.raises(TypeError, match=parameter):
        make(**{parameter: 1})


def test_settings_of_the_circuit_are_used():
    X, y = simulate("binary")
    for settings, shape, first in (
        ({"n_qubits": 2, "n_layers": 3}, (3, 2, 3), 4 + 2),
        ({"n_qubits": 3, "embedding": "amplitude"}, (1, 3, 3), 4 + 8),
        ({"channels": ("circuit",)}, (1, 4, 3), 4),
        ({"n_qubits": np.int64(1), "grid_size": (2, 4), "sparsity": 0.1}, (1, 1, 3), 4 + 1),
    ):
        network = make(**settings).fit(X, y).network_
        assert network.circuit.angles.shape == (network.n_members, *shape) and network.bias.shape[1] == first
    assert network.basis.grid_size == 4


def test_parameters_are_documented_cloned_and_searched():
    model = make(channels=("circuit",), n_layers=2)
    assert clone(model).get_params() == model.get_params()
    assert all(name in DualChannelKAN.__doc__ for name in model.get_params())
    X, y = simulate("binary")
    search = GridSearchCV(make(max_iter=2), {"embedding": ["angle", "amplitude"]}, cv=2).fit(X, y)
    assert search.best_params_["embedding"] in ("angle", "amplitude")
    with pytest.raises(NotFittedError):
        make().predict([[1.0]])


@pytest.mark.parametrize("n", [2, 3, 25])
def test_tiny_tables_and_absurd_rates_are_survived(n):
    X, y = np.arange(n, dtype=float)[:, None], np.arange(n) % 2
    for rate in (0.04, 1e6):
        assert np.isfinite(make(learning_rate_init=rate).fit(X, y).predict_proba(X)).all()
