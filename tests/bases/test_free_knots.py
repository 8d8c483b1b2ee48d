"""Splines with knots of each node's own, against SciPy's on the same knots and automatic differentiation."""

import numpy as np
import pytest
import sympy
import torch
from basis_contract import CHECKS, SKEWED
from scipy.integrate import quad_vec
from scipy.interpolate import BSpline as SciPySpline

from kan_tabular.bases import Clipped, FreeKnots

SIZES = [0, 1, 2, 5, 6]


def fitted(n_knots=6, seed=None):
    """A basis with the starting knots, or with knots drawn at random."""
    basis = FreeKnots(n_knots).fit(SKEWED)
    return basis if seed is None else basis.at(drawn(n_knots, seed))


def drawn(n_knots, seed=0, shape=()):
    return {"increments": np.random.default_rng(seed).normal(0.0, 2.0, (*shape, n_knots + 1))}


def scipy_spline(knots, coefficients=None):
    t = np.r_[[-1.0] * 4, knots, [1.0] * 4]
    return SciPySpline(t, np.eye(len(knots) + 4) if coefficients is None else coefficients, 3)


def to_z(basis, x):
    low, high = basis.domain
    return (2 * x - low - high) / (high - low)


def by_hand(basis, z):
    """The documented functions at z in [-1, 1], one number at a time."""
    rows = []
    for v in z:
        row = [v, v**2, v**3]
        for j, t in enumerate(basis.knots()):
            u = (t - v) / (1 + t) if j < basis.n_knots // 2 else (v - t) / (1 - t)
            row.append(max(0.0, u) ** 3)
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize("n_knots", SIZES)
def test_functions_and_derivatives_are_those_documented_and_scipys(n_knots, seed):
    basis = fitted(n_knots, seed)
    z = np.linspace(-1, 1, 997)[1:-1]
    low, high = basis.domain
    x = (low + high + (high - low) * z) / 2
    np.testing.assert_allclose(basis.evaluate(x), by_hand(basis, z), rtol=0, atol=1e-12)
    spline = scipy_spline(basis.knots())
    own = np.column_stack([np.ones_like(z), basis.evaluate(x)])
    change = np.linalg.lstsq(spline(z), own, rcond=None)[0]
    assert np.linalg.matrix_rank(change) == n_knots + 4  # with constants: all cubic splines with these knots
    np.testing.assert_allclose(spline(z) @ change, own, rtol=0, atol=1e-10)
    for order in (1, 2):
        expected = spline(z, nu=order) @ change[:, 1:] * (2 / (high - low)) ** order
        np.testing.assert_allclose(
            basis.derivative(x, order), expected, rtol=0, atol=1e-10 * max(1, np.abs(expected).max())
        )


@pytest.mark.parametrize("n_knots", [1, 5, 6])
@pytest.mark.parametrize("increments", ["start", "drawn", "huge", "tiny", "one huge"])
def test_knots_are_ordered_apart_and_inside_whatever_the_increments(n_knots, increments):
    values = {
        "start": np.zeros(n_knots + 1),
        "drawn": drawn(n_knots, shape=(50,))["increments"],
        "huge": np.full(n_knots + 1, 1e6),
        "tiny": np.full(n_knots + 1, -1e6),
        "one huge": np.r_[1e6, np.full(n_knots, -1e6)],
    }[increments]
    least = 0.1 * 2 / (n_knots + 1)
    for dtype in (np.float64, np.float32):
        knots = FreeKnots(n_knots).knots({"increments": values.astype(dtype)})
        edges = np.concatenate([knots[..., :1] * 0 - 1, knots, knots[..., :1] * 0 + 1], axis=-1)
        assert knots.dtype == dtype and np.diff(edges, axis=-1).min() > least - 1e-6
        if increments in ("start", "huge", "tiny"):
            np.testing.assert_allclose(knots, np.linspace(-1, 1, n_knots + 2)[1:-1], atol=1e-6)


def test_no_function_is_dead_when_all_knots_crowd_at_one_end():
    for values in (np.r_[1e6, np.full(6, -1e6)], np.r_[np.full(6, -1e6), 1e6]):
        basis = fitted().at({"increments": values})
        at = basis.evaluate(np.linspace(*basis.domain, 501))
        np.testing.assert_allclose(np.abs(at).max(0), 1.0, atol=1e-9)


def test_nodes_have_their_own_knots():
    basis, parameters = fitted(), drawn(6, shape=(4, 2))
    x = np.random.default_rng(1).normal(1.0, 4.0, (4, 2, 30))
    for own, alone in (
        (basis.evaluate(x, parameters), lambda b, v: b.evaluate(v)),
        (basis.derivative(x, 1, parameters), lambda b, v: b.derivative(v)),
        (basis.derivative(x, 2, parameters), lambda b, v: b.derivative(v, 2)),
    ):
        assert own.shape == (4, 2, 30, 9)
        for i in np.ndindex(4, 2):
            node = basis.at({"increments": parameters["increments"][i]})
            np.testing.assert_allclose(own[i], alone(node, x[i]), rtol=1e-13, atol=1e-13)
    shared = basis.evaluate(x, {"increments": parameters["increments"][:1, :1]})
    np.testing.assert_array_equal(shared[0, 0], basis.evaluate(x, parameters)[0, 0])
    np.testing.assert_array_equal(basis.evaluate(x, basis.parameters()), basis.evaluate(x))


def test_gradients_reach_inputs_and_knots():
    basis = fitted(5)
    x = torch.tensor(np.random.default_rng(2).normal(1.0, 5.0, (3, 8)), requires_grad=True)
    raw = torch.tensor(drawn(5, shape=(3,))["increments"], requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, raw: basis.evaluate(x, {"increments": raw}), (x, raw))
    assert torch.autograd.gradcheck(lambda raw: basis.knots({"increments": raw}), (raw,))
    (moved,) = torch.autograd.grad(basis.evaluate(x, {"increments": raw}).sum(), raw)
    assert (moved.abs().sum(1) > 0).all()


@pytest.mark.parametrize("raw", [0.0, 1e6, -1e6])
def test_single_precision_gradients_are_finite_far_outside(raw):
    basis = fitted()
    x = torch.tensor([[-1e6, -3.0, 0.0, 2.0, 1e6]], dtype=torch.float32, requires_grad=True)
    increments = torch.full((1, 7), raw, requires_grad=True)
    values = basis.evaluate(x, {"increments": increments})
    assert values.dtype == torch.float32 and torch.isfinite(values).all()
    for gradient in torch.autograd.grad(values.sum(), (x, increments)):
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("seed", [None, 3])
def test_penalty_is_the_integrated_squared_curvature(seed):
    basis = fitted(5, seed)
    knots, z = basis.knots(), np.linspace(-1, 1, 997)
    spline = scipy_spline(knots)
    change = np.linalg.lstsq(spline(z), by_hand(basis, z), rcond=None)[0]

    def outer(v):
        curvature = spline(v, nu=2) @ change
        return np.outer(curvature, curvature)

    edges = np.r_[-1.0, knots, 1.0]
    expected = 8 * sum(quad_vec(outer, a, b, epsrel=1e-12)[0] for a, b in zip(edges[:-1], edges[1:], strict=True))
    np.testing.assert_allclose(basis.penalty(), expected, rtol=1e-7, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("n_knots", [0, 1, 5, 6])
def test_truncated_powers_are_the_curve_and_its_jumps(n_knots, seed):
    basis = fitted(n_knots, seed)
    c = np.random.default_rng(0).normal(size=(basis.n_functions, 2))
    polynomial, knots, jumps = basis.truncated_powers(c)
    low, high = basis.domain
    assert polynomial.shape == (4, 2) and jumps.shape == (n_knots, 2)
    np.testing.assert_allclose(to_z(basis, knots), basis.knots(), atol=1e-12)
    x = np.linspace(low, high, 501)
    own = (x - basis.origin)[:, None] ** np.arange(4) @ polynomial + np.maximum(0, x[:, None] - knots) ** 3 @ jumps
    # SciPy's spline on these knots that agrees at its own points of interpolation.
    spline = scipy_spline(basis.knots())
    z = to_z(basis, x)
    weights = np.linalg.lstsq(spline(z), by_hand(basis, z) @ c, rcond=None)[0]
    np.testing.assert_allclose(own, spline(z) @ weights, rtol=0, atol=1e-8)
    third = scipy_spline(basis.knots(), weights).derivative(3)
    eps = 1e-9
    expected = (third(basis.knots() + eps) - third(basis.knots() - eps)) * (2 / (high - low)) ** 3
    np.testing.assert_allclose(6 * jumps, expected, rtol=1e-6, atol=1e-6 * np.abs(jumps).max(initial=1))


def test_a_learned_node_is_reported_in_truncated_powers():
    """What a hidden node adds: the clipped value in truncated powers with the node's own knots."""
    node = Clipped(FreeKnots(3)).at(drawn(3, 1))
    c, h = np.random.default_rng(1).normal(size=node.n_functions), sympy.Symbol("h")
    formula = node.to_sympy(c, h)
    values = np.linspace(-8, 8, 41)
    own = sympy.lambdify(h, formula, "math")
    np.testing.assert_allclose([own(v) for v in values.tolist()], node.evaluate(values) @ c, rtol=0, atol=1e-9)
    assert len(formula.atoms(sympy.Max)) == 3


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("seed", [None, 4])
def test_contract(check, seed):
    """At the start, and with knots that a node learned."""
    check(lambda *column: FreeKnots(5).fit(*column).at(FreeKnots(5).parameters() if seed is None else drawn(5, seed)))


@pytest.mark.parametrize("n_knots, bound", [(4, 150), (6, 500), (10, 2600)])
def test_condition_of_the_starting_functions(n_knots, bound):
    basis = fitted(n_knots)
    values = basis.evaluate(np.linspace(*basis.domain, 2000))
    assert bound / 2 < np.linalg.cond(values) < bound


def test_other_orders_are_refused():
    with pytest.raises(ValueError, match="order=3"):
        fitted().derivative(np.zeros(3), 3)
