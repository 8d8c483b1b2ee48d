"""First layers whose functions are learned: against NumPy, edge by edge; their start, gradients and hand-over."""

import numpy as np
import pytest
import torch

from kan_tabular.bases import AdaptiveRBF, BSpline, Clipped, Cosine, Daruan, FreeKnots, NodeSpline, Pool, Rational
from kan_tabular.solvers.terms import build_term
from kan_tabular.training.hand_over import read_members
from kan_tabular.training.learned_inputs import LearnedInputs, learned_parts
from kan_tabular.training.network import MemberNetwork
from kan_tabular.training.pooled import PooledNetwork

M, H, N = 3, 4, 120
FAMILIES = {
    "adaptive_rbf": AdaptiveRBF(5),
    "daruan": Daruan(),
    "daruan, two circuits": Daruan(2, n_circuits=2),
    "free_knots": FreeKnots(),
    "rational": Rational(),
    "straight at the start": Rational("identity"),
}
every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def table():
    """An even column, one with gaps, one of few values, one with a tail that is trimmed, and a category."""
    rng = np.random.default_rng(0)
    Z = np.column_stack([rng.uniform(-1, 1, N), rng.normal(size=N), rng.integers(0, 4, N), rng.normal(size=N)])
    Z[::7, 1], Z[0, 3] = np.nan, 1e4
    return np.column_stack([Z, rng.integers(0, 3, N)])


def terms_of(family, Z):
    out = []
    for j, x in enumerate(Z.T):
        values, counts = np.unique(x[~np.isnan(x)], return_counts=True)
        kind = "category" if j == 4 else "numeric"
        missing = float(np.isnan(x).mean())
        out.append(build_term(kind, 3, values, counts.astype(float), missing, family=family, max_columns=50))
    return out


def linear(terms, Z):
    return np.concatenate([t.curves.columns(x) for t, x in zip(terms, Z.T, strict=True)], axis=1)


def network(family, hidden=(H,), spaces=None, basis=None):
    """Members at their start, and their design rows."""
    Z = table()
    terms = terms_of(family, Z)
    gains = 0.5 + np.random.default_rng(1).random((M, linear(terms, Z).shape[1]))
    learned = LearnedInputs(terms, M)
    shape = (gains, hidden, 1, basis or NodeSpline(2), torch.Generator().manual_seed(0), learned)
    if spaces is None:
        net = MemberNetwork(*shape)
    else:
        owners = [np.repeat(t.spaces, [size for _, size in t.groups]).astype(int) for t in terms]
        grams = [np.eye(len(o)) for o in owners]  # of the linear inputs; here only that of the category
        net = PooledNetwork(*shape, owners=np.concatenate(owners), grams=grams, n_spaces=spaces)
    X = torch.tensor(learned.design(linear(terms, Z), Z))
    return net.double(), terms, X, Z


def moved(net):
    """All parameters somewhere else, those of functions as far as training may take them."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter, _ in net.axes():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return net


def sums(net, X):
    """First-layer sums (M, H, rows)."""
    with torch.no_grad():
        return net.nodes(X)[0].permute(1, 2, 0).numpy()


def curves_by_hand(net, terms, Z, j, m):
    """The curves (rows, H) of input `j` in member `m`: its basis at the member's parameters, in NumPy."""
    stop = sum(t.curves.n_columns for t in terms[: j + 1])
    curves = terms[j].curves
    b = net.edges().detach().numpy()[stop - curves.n_columns : stop, m]
    learned = net.learned.bases()
    if j not in learned:
        return curves.columns(Z[:, j]) @ b
    basis = learned[j][0].at({name: value.detach().numpy()[m] for name, value in learned[j][1].items()})
    out, r = np.zeros((len(Z), H)), curves.transform.shape[1]
    for row, x in enumerate(Z[:, j]):
        if np.isnan(x):
            out[row] = (1 - curves.missing) * b[r]
        else:
            out[row] = (basis.evaluate(np.array([x]))[0] @ curves.transform - curves.center) @ b[:r]
            out[row] -= curves.missing * b[r] if curves.has_missing else 0.0
    return out


@every_family
def test_the_start_is_the_linear_problem_with_columns_of_variance_one(family):
    net, terms, X, Z = network(family)
    columns = linear(terms, Z)
    expected = np.einsum("np,pmh->mhn", columns, net.edges().detach().numpy()) + net.bias.detach().numpy()[:, :, None]
    np.testing.assert_allclose(sums(net, X), expected, rtol=0, atol=1e-4)  # parameters start in single precision
    assert [part.input for part in net.learned.parts] == [0, 1, 2, 3]
    for j in (0, 2, 3):
        own = net.learned.columns(j, X)[1].detach().numpy()
        np.testing.assert_allclose(own.mean(0), 0, atol=1e-4)
        np.testing.assert_allclose(own.var(0), 1, rtol=1e-3)
    assert net.learned.columns(2, X).shape == (M, N, 3 if terms[2].curves.basis.n_functions > 2 else 2)  # of 4 values


@every_family
def test_sums_are_those_of_every_edge_and_are_handed_over_as_they_are(family):
    net, terms, X, Z = network(family)
    said = sums(moved(net), X)
    for m in range(M):
        expected = net.bias.detach().numpy()[m] + sum(curves_by_hand(net, terms, Z, j, m) for j in range(5))
        np.testing.assert_allclose(said[m], expected.T, rtol=0, atol=1e-6 * np.abs(expected).max())
    handed = read_members(net, np.array([0.5, 0.0, 0.5]), terms, Z, np.ones(N))
    parts = np.stack([c.evaluate(x) for c, x in zip(handed["inputs"], Z.T, strict=True)])
    own = (parts.sum(0) + handed["bias"].ravel()).reshape(N, 2, H).transpose(1, 2, 0)
    np.testing.assert_allclose(own, said[[0, 2]], rtol=0, atol=1e-6 * np.abs(said).max())
    np.testing.assert_allclose(parts.mean(1), 0, atol=1e-9 * np.abs(parts).max())  # centred over the training rows


@every_family
def test_gradients_reach_the_functions_and_their_coefficients(family):
    net, _, X, _ = network(family)
    rows, learned = X[3:9], moved(net).learned
    names = [name for name, _ in learned.named_parameters()]
    own = [p.detach().clone().requires_grad_() for p in learned.parameters()]

    def said(edges, *parameters):
        return torch.func.functional_call(learned, dict(zip(names, parameters, strict=True)), (rows, edges))

    edges = net.edges().detach()[:, :, :2].requires_grad_()
    assert torch.autograd.gradcheck(said, (edges, *own))


@every_family
def test_a_row_is_its_own_whatever_stands_beside_it(family):
    net, _, X, _ = network(family)
    moved(net)
    together, some = sums(net, X), [5, 0, 7]
    np.testing.assert_allclose(sums(net, X[some]), together[:, :, some], rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        np.testing.assert_allclose(net.nodes(X, slice(1, 3))[0].permute(1, 2, 0), together[1:], rtol=1e-12, atol=1e-12)


def test_all_that_is_learned_moves_at_the_rate_of_shapes_and_is_not_decayed():
    net, *_ = network(FreeKnots())
    of_inputs = {id(p) for p in net.learned.parameters()}
    (slow,) = [parameters for share, parameters in net.groups() if share == 0.1]
    assert of_inputs == {id(p) for p in slow} and not of_inputs & {id(p) for p, _ in net.decayed()}
    assert of_inputs <= {id(p) for p, _ in net.axes()}


@every_family
def test_some_members_go_on_as_they_were_and_states_come_back(family):
    net, _, X, _ = network(family)
    state, before = net.state(), sums(net, X)
    now = sums(moved(net), X)
    assert not np.allclose(now, before)
    net.select([2, 0], state)
    np.testing.assert_allclose(sums(net, X), now[[2, 0]], rtol=1e-9, atol=1e-9)
    net.restore(state)
    np.testing.assert_allclose(sums(net, X), before[[2, 0]], rtol=0, atol=1e-12)


@pytest.mark.parametrize("sizes, ladder, n_circuits", [((1, 2, 4), "ternary", 1), ((2, 5), "unit", 2)])
def test_longer_circuits_change_no_curve(sizes, ladder, n_circuits):
    family = Daruan(sizes, ladder, n_circuits)
    net, _, X, _ = network(family, basis=Clipped(family))
    state = moved(net).state()
    with torch.no_grad():
        before = net(X).numpy()
        for size in sizes[1:]:
            net.refine(size, state)
            assert net.learned.groups[0].shapes["angles"].shape == (M, 4, n_circuits * 2 * (size + 1))
            np.testing.assert_allclose(net(X), before, rtol=0, atol=1e-9)
        for parameter, _ in net.axes():
            parameter.zero_()
        net.restore(state)
        np.testing.assert_allclose(net(X), before, rtol=0, atol=1e-9)


@every_family
def test_a_column_of_two_values_has_nothing_to_learn(family):
    x = np.repeat([0.0, 1.0], 20)
    term = build_term("numeric", 0, *np.unique(x, return_counts=True), 0.0, family=family, max_columns=9)
    assert dict(term.groups) == {"linear": 1} and learned_parts([term]) == []


POOL = Pool([BSpline(3), FreeKnots(3), Cosine(3), Daruan()])


def test_spaces_in_a_pool_learn_for_themselves():
    net, terms, X, Z = network(POOL, spaces=4)
    assert [(part.input, part.prefix) for part in net.learned.parts] == [(j, s) for j in range(4) for s in ("1_", "3_")]
    said = sums(moved(net), X)
    for m in range(M):
        expected = net.bias.detach().numpy()[m] + sum(curves_by_hand(net, terms, Z, j, m) for j in range(5))
        np.testing.assert_allclose(said[m], expected.T, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_the_space_that_stays_takes_over_the_nearest_curve_of_the_functions_as_they_are_now():
    net, terms, X, Z = network(POOL, hidden=(H, 2), spaces=4)
    moved(net)
    net.even_out(X)
    before = sums(net, X)
    drawn = [curves_by_hand(net, terms, Z, 0, m) for m in range(M)]
    basis, shapes = net.learned.bases()[0]
    net.advance(0.5)  # the last stage
    chosen = net.chosen()[0][0]
    assert set(chosen) & {1, 3}  # else it says nothing
    for m, space in enumerate(chosen):
        own = basis.at({name: value.detach().numpy()[m] for name, value in shapes.items()})
        columns = own.evaluate(Z[:, 0]) @ terms[0].curves.transform
        sizes = [size for _, size in terms[0].groups]
        of_column = np.repeat(terms[0].spaces, sizes)
        design = np.column_stack([np.ones(N), columns[:, (of_column == space) | (of_column == -1)]])
        nearest = design @ np.linalg.lstsq(design, drawn[m], rcond=1e-9)[0]
        now = curves_by_hand(net, terms, Z, 0, m)
        np.testing.assert_allclose(now - now.mean(0), nearest - nearest.mean(0), rtol=0, atol=2e-2 * np.abs(now).max())
    # What the curves' means lose, the biases gain.
    np.testing.assert_allclose(sums(net, X).mean(2), before.mean(2), rtol=0, atol=1e-4 * np.abs(before).max())


def test_hidden_nodes_take_over_the_nearest_curve_of_the_functions_that_each_learned():
    basis = Clipped(POOL)
    net, _, X, _ = network(POOL, hidden=(2, 2), spaces=4, basis=basis)
    moved(net)
    net.even_out(X)
    u = np.linspace(-3, 3, 601)
    h = u / np.sqrt(1 - np.minimum((u / 3) ** 2, 1 - 1e-9))
    shapes = {name: value.detach().numpy() for name, value in net.node_shapes(0).items()}
    owner = np.concatenate([[-1], basis.family.owner[basis.kept]])
    before = net.curves(0).detach().numpy().reshape(M, -1, 2, 2)
    net.advance(0.5)
    after, chosen = net.curves(0).detach().numpy().reshape(M, -1, 2, 2), net.chosen()[1]
    assert set(chosen.ravel()) & {1, 3}
    for m, i in np.ndindex(M, 2):
        phi = basis.evaluate(h, {name: value[m, i] for name, value in shapes.items()})
        design = phi[:, (owner == chosen[m, i]) | (owner == -1)]
        drawn, now = phi @ before[m, :, i], phi @ after[m, :, i]
        nearest = design @ np.linalg.lstsq(design, drawn, rcond=1e-9)[0]
        np.testing.assert_allclose(now, nearest, rtol=0, atol=2e-2 * np.abs(now).max())
