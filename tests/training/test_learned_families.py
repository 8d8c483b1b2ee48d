"""Families whose shape hidden nodes learn: by loops over edges, at the start, refined, and handed over."""

import numpy as np
import pytest
import torch

from kan_tabular import KANRegressor, load
from kan_tabular.bases import AdaptiveRBF, Clipped, Daruan, FreeKnots, NodeSpline, Rational
from kan_tabular.fitted.products import multiply
from kan_tabular.likelihoods import Gaussian
from kan_tabular.training.hand_over import read_members
from kan_tabular.training.network import MemberNetwork
from kan_tabular.training.sparsity import EdgeSparsity
from kan_tabular.training.trainer import Schedule, TrainingData, train

M, P, N, C = 3, 4, 60, 2
FAMILIES = {
    "adaptive_rbf": AdaptiveRBF,
    "daruan": Daruan,
    "daruan, two circuits": lambda: Daruan((1, 2, 4), "ternary", 2),
    "free_knots": FreeKnots,
    "rational": Rational,
    "rational, two groups": lambda: Rational("gelu", n_groups=2),
}
every_family = pytest.mark.parametrize("make", FAMILIES.values(), ids=FAMILIES)


def network(basis, hidden, members=M, n_outputs=C):
    generator = torch.Generator().manual_seed(0)
    gains = 0.5 + np.random.default_rng(0).random((members, P))
    return MemberNetwork(gains, hidden, n_outputs, basis, generator).double()


def trained(basis, hidden, **settings):
    """Members that are somewhere else than at their start."""
    net = network(basis, hidden, **settings)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter, _ in net.axes():
            parameter += 0.4 * torch.randn(parameter.shape, generator=generator)
    return net


def rows(n=N):
    return torch.tensor(np.random.default_rng(2).normal(size=(n, P)))


def by_loops(net, x, m):
    """Outputs of member `m` at one row, edge by edge."""
    sums = net.edges().detach().numpy()[:, m].T @ x + net.bias.detach().numpy()[m]
    for layer, (coefficients, shift) in enumerate(zip(net.coefficients, net.biases, strict=True)):
        shapes = {name: values.detach().numpy()[m] for name, values in net.shapes[layer].items()}
        if net.basis.n_groups:  # neighbours share
            of = {5: [0, 0, 0, 1, 1], 3: [0, 0, 1]}[len(sums)]
            shapes = {name: values[of] for name, values in shapes.items()}
        c, b = coefficients.detach().numpy()[m].reshape(net.basis.n_functions, len(sums), -1), shift[m, 0].tolist()
        out = np.array(b)
        for i, h in enumerate(sums):
            own = {name: values[i] for name, values in shapes.items()}
            out = out + net.basis.evaluate(np.array([h]), own)[0] @ c[:, i]
        sums = out
    return sums


@every_family
def test_networks_are_sums_over_edges_and_are_handed_over_as_they_are(make):
    net, X = trained(Clipped(make()), (5, 3)), rows()
    said = net(X).detach().numpy()
    for m in range(M):
        for r in range(0, N, 20):
            np.testing.assert_allclose(said[m, r], by_loops(net, X[r].numpy(), m), rtol=0, atol=1e-10)
    handed = read_members(net, np.full(M, 1 / M), [], None, None)
    h = (net.edges().detach().numpy().transpose(1, 2, 0) @ X.numpy().T) + handed["bias"][:, :, None]
    for layer in handed["layers"]:
        weights = layer.coefficients.reshape(M, -1, layer.coefficients.shape[3]).transpose(0, 2, 1)
        h = weights @ layer.values(handed["basis"], multiply(h, layer.products, axis=1)) + layer.bias[:, :, None]
    np.testing.assert_allclose(h.transpose(0, 2, 1), said, rtol=0, atol=1e-10)


@every_family
def test_nodes_of_every_layer_start_with_the_variance_of_one(make):
    net, X = network(Clipped(make()), (16,) * 8), rows(200)
    net.even_out(X)
    with torch.no_grad():
        for h in net.nodes(X):
            variance = h.var(0).mean(1)  # over members
            assert (variance > 0.5).all() and (variance < 2).all()
        assert not net(X).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sizes, ladder", [((1, 3, 4), "ternary"), ((2, 6), "unit")])
@pytest.mark.parametrize("n_circuits", [1, 3])
def test_longer_circuits_change_no_prediction(sizes, ladder, n_circuits, dtype):
    net, X = trained(Clipped(Daruan(sizes, ladder, n_circuits)), (5, (2, 1))).to(dtype), rows().to(dtype)
    state = net.state()
    with torch.no_grad():
        before = net(X).numpy()
        for size in sizes[1:]:
            net.refine(size, state)
            assert net.shapes[1]["angles"].shape == (M, 3, n_circuits * 2 * (size + 1))
            np.testing.assert_allclose(net(X), before, rtol=0, atol=1e-6)
        for parameter, _ in net.axes():
            assert parameter.dtype == dtype
            parameter.zero_()
        net.restore(state)
        np.testing.assert_allclose(net(X), before, rtol=0, atol=1e-6)


def test_circuits_are_extended_while_training_and_the_new_rotations_learn():
    x = np.random.default_rng(3).uniform(-1, 1, (100, P))
    data = TrainingData(
        X=torch.tensor(x, dtype=torch.float32),
        y=torch.tensor(np.cos(6 * x[:, 0]), dtype=torch.float32),
        weights=torch.ones(len(x)),
        known=torch.zeros(len(x), 1),
        offsets=torch.zeros(1, 0, 1),
        base=torch.zeros(1),
        additive=torch.zeros(1),
        held_out=None,
    )
    net = network(Clipped(Daruan((1, 2, 4))), (2,), 1, 1).float()
    schedule = Schedule(epochs=12, batch_size=20, learning_rate=0.05, sizes=(1, 2, 4))
    lengths, sparsity = [], EdgeSparsity(0.0, [1] * P, torch.device("cpu"))

    def look(progress):
        lengths.append(net.shapes[0]["frequencies"].shape[2])

    train(net, data, Gaussian(), np.zeros(1), schedule, torch.Generator().manual_seed(0), sparsity, callback=look)
    assert lengths == [1] * 4 + [2] * 4 + [4] * 4
    angles = net.shapes[0]["angles"][0].detach()
    assert angles.shape == (2, 10) and angles[:, [5, 7, 9]].all()


def test_estimators_extend_circuits_and_keep_the_longest():
    X = np.random.default_rng(0).normal(size=(120, 2))
    settings = {"max_iter": 6, "n_estimators": 2, "hidden_layer_sizes": (4,), "random_state": 0}
    settings |= {"early_stopping": False, "alpha": 0.01, "additive_start": False}
    for sizes in ((1, 2, 3), 3):
        model = KANRegressor(basis=Daruan(sizes, n_circuits=2), **settings).fit(X, np.sin(X[:, 0] * X[:, 1]))
        assert model.network_.basis.parameters()["frequencies"].shape == (6,)
        assert model.network_.layers[0].shapes["angles"].shape[2] == 16
    with pytest.raises(ValueError, match=r"basis=Daruan\(n_repetitions=\(1, 3\).*solver='adam'"):
        KANRegressor(basis=Daruan((1, 3)), solver="lbfgs", **settings).fit(X, X[:, 0])


@every_family
def test_sparsity_measures_the_functions_that_the_nodes_learned(make):
    net, X = trained(Clipped(make()), (4,)), rows()
    (own,) = EdgeSparsity._measure(net, X)
    h = net.nodes(X)[0].detach().numpy()  # (rows, members, width)
    for m, i in np.ndindex(M, 4):
        shapes = {name: values.detach().numpy()[m, i] for name, values in net.node_shapes(0).items()}
        phi = net.basis.evaluate(h[:, m, i], shapes)
        expected = np.atleast_2d(np.cov(phi.T, bias=True))
        np.testing.assert_allclose(own[m, i].detach(), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("n_groups, sets", [(1, 1), (4, 4), (9, 6)])
def test_a_group_has_one_set_of_parameters_which_all_its_nodes_move(n_groups, sets):
    net, X = trained(Clipped(Rational(n_groups=n_groups)), (6,), n_outputs=1), rows()
    assert {v.shape[1] for v in net.shapes[0].values()} == {sets}
    taken = np.arange(6) * sets // 6
    assert (np.bincount(taken) <= 6 // sets + 1).all() and set(taken) == set(range(sets))
    # Against a network whose nodes have parameters of their own: equal outputs, and slopes added up over the group.
    own = trained(Clipped(Rational()), (6,), n_outputs=1)
    with torch.no_grad():
        for (a, _), (b, _) in zip(list(own.axes())[:4], net.axes(), strict=False):
            a.copy_(b)
        for name, values in own.shapes[0].items():
            values.copy_(net.shapes[0][name][:, taken])
    np.testing.assert_array_equal(own(X).detach(), net(X).detach())
    for one in (own, net):
        one(X).square().sum().backward()
    for name, value in net.shapes[0].items():
        summed = torch.zeros_like(value).index_add(1, torch.as_tensor(taken), own.shapes[0][name].grad)
        np.testing.assert_allclose(value.grad, summed, rtol=1e-9, atol=1e-9)


def test_groups_survive_training_saving_and_going_on(tmp_path):
    X = np.random.default_rng(0).normal(size=(150, 3))
    y = np.sin(X[:, 0] * X[:, 1])
    settings = {"max_iter": 6, "n_estimators": 2, "hidden_layer_sizes": (5, 3), "random_state": 0, "warm_start": True}
    model = KANRegressor(basis=Rational(n_groups=2), sparsity=0.1, **settings).fit(X, y)
    for layer, groups in zip(model.network_.layers, ([0, 0, 0, 1, 1], [0, 0, 1]), strict=True):
        for values in layer.shapes.values():
            first = [groups.index(g) for g in groups]
            np.testing.assert_array_equal(values, values[:, first])
            assert (values[:, 0] != values[:, -1]).any()
    before = model.predict(X)
    model.save(tmp_path / "model.kan")
    np.testing.assert_array_equal(load(tmp_path / "model.kan").predict(X), before)
    still = model.set_params(learning_rate_init=1e-12).fit(X, y)
    np.testing.assert_allclose(still.predict(X), before, atol=1e-4)


def test_families_of_one_size_are_not_refined():
    for basis in (Clipped(Rational()), Clipped(FreeKnots())):
        assert basis.sizes == ()
        with pytest.raises(ValueError, match="one size only"):
            basis.refined(5, np.zeros(basis.n_functions), basis.parameters())
    with pytest.raises(ValueError, match="multiple of 5"):
        NodeSpline(5).refined(7, np.zeros(7), {})
