"""Re-uploading circuits against products of complex 2 x 2 matrices."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from basis_contract import CHECKS, SKEWED, assert_penalty_integrates

from kan_tabular.bases import Clipped, Daruan
from kan_tabular.bases.daruan import circuit

SIZES = [(1, "unit"), (3, "unit"), (6, "unit"), (1, "ternary"), (3, "ternary")]
every_size = pytest.mark.parametrize("n_repetitions, ladder", SIZES)


def rz(a):
    return np.diag([np.exp(-0.5j * a), np.exp(0.5j * a)])


def ry(a):
    c, s = np.cos(a / 2), np.sin(a / 2)
    return np.array([[c, -s], [s, c]], complex)


def simulated(angles, frequencies, t):
    """<Z> by Born's rule, from the gates' definitions."""
    state = np.array([[1, 1], [1, -1]]) / np.sqrt(2) @ np.array([1.0, 0.0], complex)
    for i, w in enumerate(frequencies):
        state = rz(w * t) @ ry(angles[2 * i + 1]) @ rz(angles[2 * i]) @ state
    state = ry(angles[-1]) @ rz(angles[-2]) @ state
    return abs(state[0]) ** 2 - abs(state[1]) ** 2


def drawn(n_repetitions=3, n_circuits=1, shape=(), seed=0):
    """Parameters of nodes that have learned something; frequencies of both signs and not whole."""
    rng = np.random.default_rng(seed)
    angles = rng.uniform(-4, 4, (*shape, n_circuits * 2 * (n_repetitions + 1)))
    return {"angles": angles, "frequencies": rng.uniform(-1.5, 2.5, (*shape, n_circuits * n_repetitions))}


def fitted(n_repetitions=3, ladder="unit", n_circuits=2, learned=True):
    basis = Daruan(n_repetitions, ladder, n_circuits).fit(SKEWED)
    return basis.at(drawn(n_repetitions, n_circuits)) if learned else basis


def angle(basis, x):
    low, high = basis.domain
    return 0.75 * np.pi * (2 * x - low - high) / (high - low)


@every_size
@pytest.mark.parametrize("learned", [False, True])
def test_functions_are_the_matrix_products(n_repetitions, ladder, learned):
    basis = fitted(n_repetitions, ladder, 2, learned)
    assert basis.n_functions == 2
    own = {name: values.reshape(2, -1) for name, values in basis.parameters().items()}
    if not learned:
        uploads = [3**i if ladder == "ternary" else 1 for i in range(n_repetitions)]
        np.testing.assert_array_equal(own["frequencies"], [uploads, uploads])
    x = np.linspace(*basis.domain, 41)
    expected = [
        [simulated(own["angles"][k], own["frequencies"][k], t) for k in range(2)] for t in angle(basis, x).tolist()
    ]
    np.testing.assert_allclose(basis.evaluate(x), expected, rtol=0, atol=1e-12)


def test_pennylane_says_the_same():
    """In a process of its own: importing PennyLane loads much, and warns."""
    pytest.importorskip("pennylane", reason="needs PennyLane: pip install 'kan-tabular[quantum]'")
    basis = fitted(3, "unit", 1)
    own, x = basis.parameters(), np.linspace(*basis.domain, 9)
    code = f"""
import numpy as np, pennylane as qml
angles, frequencies = {own["angles"].tolist()}, {own["frequencies"].tolist()}
@qml.qnode(qml.device("default.qubit", wires=1))
def run(t):
    qml.Hadamard(0)
    for i, w in enumerate(frequencies):
        qml.RZ(angles[2 * i], 0)
        qml.RY(angles[2 * i + 1], 0)
        qml.RZ(w * t, 0)
    qml.RZ(angles[-2], 0)
    qml.RY(angles[-1], 0)
    return qml.expval(qml.PauliZ(0))
for t in {angle(basis, x).tolist()}:
    print(repr(float(run(t))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    np.testing.assert_allclose(basis.evaluate(x)[:, 0], [float(z) for z in done.stdout.split()], rtol=0, atol=1e-10)


@pytest.mark.parametrize("n_circuits", [1, 3])
def test_the_start_is_the_slowest_wave_in_equally_spaced_phases(n_circuits):
    basis = fitted(3, "unit", n_circuits, learned=False)
    x = np.linspace(*basis.domain, 41)
    phases = np.pi * (np.arange(n_circuits) + 0.25) / n_circuits
    expected = np.sin(np.pi / 3) * np.cos(angle(basis, x)[:, None] + phases)
    np.testing.assert_allclose(basis.evaluate(x), expected, rtol=0, atol=1e-12)


@every_size
def test_circuits_are_their_fourier_series(n_repetitions, ladder):
    basis = fitted(n_repetitions, ladder)
    t = np.linspace(-2, 2, 31)
    for k in range(2):
        own = {name: values.reshape(2, -1)[k] for name, values in basis.parameters().items()}
        f, c, s = basis.series(k)
        expected = [simulated(own["angles"], own["frequencies"], v) for v in t]
        np.testing.assert_allclose(np.cos(np.outer(t, f)) @ c + np.sin(np.outer(t, f)) @ s, expected, atol=1e-10)
        assert f[0] == 0 and (np.diff(f) > 0).all() and len(f) == (3**n_repetitions + 1) // 2
    # Whole frequencies coincide: r of the unit ladder, all up to (3^r - 1) / 2 of the ternary one.
    start = Daruan(n_repetitions, ladder).parameters()
    at_start = Daruan(n_repetitions, ladder).at({**start, "angles": drawn(n_repetitions)["angles"]})
    most = n_repetitions if ladder == "unit" else (3**n_repetitions - 1) // 2
    np.testing.assert_allclose(at_start.series()[0], np.arange(most + 1), atol=1e-9)


@pytest.mark.parametrize("ladder", ["unit", "ternary"])
@pytest.mark.parametrize("longer", [2, 3, 4])
def test_extension_changes_no_function(longer, ladder):
    basis = Daruan((2, longer) if longer > 2 else 2, ladder, 2).fit(SKEWED)
    assert basis.sizes == ((2, longer) if longer > 2 else (2,))
    parameters, x = drawn(2, 2, (4, 3)), np.random.default_rng(1).normal(1.0, 3.0, (4, 3, 30))
    before, coefficients = basis.evaluate(x, parameters), np.ones((5, 2))
    deep, same, extended = basis.refined(longer, coefficients, parameters)
    assert same is coefficients and extended["angles"].shape == (4, 3, 4 * (longer + 1))
    np.testing.assert_allclose(deep.evaluate(x, extended), before, rtol=0, atol=1e-12)
    np.testing.assert_allclose(deep.evaluate(x), basis.evaluate(x), rtol=0, atol=1e-12)
    uploads = [3.0**i if ladder == "ternary" else 1.0 for i in range(longer)]
    np.testing.assert_array_equal(deep.parameters()["frequencies"], uploads * 2)
    np.testing.assert_array_equal(
        extended["frequencies"].reshape(4, 3, 2, longer)[..., 2:], uploads[2:] * np.ones((4, 3, 2, 1))
    )
    # The new rotations can learn, and then so do the new frequencies.
    for moved in (0.0, 0.1):
        tensors = {name: torch.tensor(values + moved, requires_grad=True) for name, values in extended.items()}
        squares = deep.evaluate(torch.tensor(x), tensors).square().sum()
        slopes = torch.autograd.grad(squares, list(tensors.values()))
        y, w = slopes[0].view(4, 3, 2, -1)[..., 7::2], slopes[1].view(4, 3, 2, -1)[..., 2:]
        assert (y.abs() > 1e-4).all() and ((w.abs() > 1e-6).all() if moved else not w.any())


def test_shorter_circuits_are_refused():
    with pytest.raises(ValueError, match="at least 3"):
        Daruan(3).refined(2, np.zeros(1), {})


def test_a_clipped_family_is_extended_with_its_scales():
    basis = Clipped(Daruan((1, 3), n_circuits=2))
    h, c, parameters = np.linspace(-9, 9, 50), np.array([0.4, -1.2, 0.7]), drawn(1, 2)
    deep, same, extended = basis.refined(3, c, parameters)
    np.testing.assert_array_equal(same, c)
    np.testing.assert_allclose(deep.evaluate(h, extended), basis.evaluate(h, parameters), rtol=0, atol=1e-12)
    np.testing.assert_allclose(deep.at(extended).evaluate(h), basis.evaluate(h, parameters), rtol=0, atol=1e-12)
    assert basis.sizes == (1, 3) and basis.to_spec() == Clipped(Daruan((1, 3), n_circuits=2)).to_spec()


@pytest.mark.parametrize("n_repetitions", [1, 3])
def test_gradients_reach_inputs_and_parameters(n_repetitions):
    basis = fitted(n_repetitions, learned=False)
    x = torch.tensor(np.random.default_rng(2).normal(1.0, 5.0, (3, 6)), requires_grad=True)
    a, w = (torch.tensor(v, requires_grad=True) for v in drawn(n_repetitions, 2, (3,)).values())
    assert torch.autograd.gradcheck(lambda x, a, w: basis.evaluate(x, {"angles": a, "frequencies": w}), (x, a, w))


def test_at_the_start_all_rotations_towards_the_measured_axis_have_gradients():
    basis = fitted(3, "unit", 2, learned=False)
    start = {name: torch.tensor(values, requires_grad=True) for name, values in basis.parameters().items()}
    squares = basis.evaluate(torch.tensor(np.linspace(*basis.domain, 37)), start).square().sum()
    angles, frequencies = torch.autograd.grad(squares, list(start.values()))
    assert (angles.view(2, -1)[:, 1::2].abs() > 1e-2).all() and (frequencies.view(2, -1)[:, 0].abs() > 1e-2).all()


def test_nodes_have_their_own_circuits():
    basis, parameters = fitted(3, learned=False), drawn(3, 2, (4, 2))
    x = np.random.default_rng(1).normal(1.0, 4.0, (4, 2, 30))
    for order in (0, 1, 2):
        own = basis.derivative(x, order, parameters)
        assert own.shape == (4, 2, 30, 2)
        for i in np.ndindex(4, 2):
            node = basis.at({name: values[i] for name, values in parameters.items()})
            np.testing.assert_allclose(own[i], node.derivative(x[i], order), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(basis.evaluate(x, basis.parameters()), basis.evaluate(x))


def test_single_precision_gradients_are_finite_far_outside():
    parameters = {name: torch.tensor(v, dtype=torch.float32, requires_grad=True) for name, v in drawn(3, 2).items()}
    x = torch.tensor([-1e6, -3.0, 0.0, 2.0, 1e6], requires_grad=True)
    values = fitted().evaluate(x, parameters)
    assert values.dtype == torch.float32 and torch.isfinite(values).all()
    for gradient in torch.autograd.grad(values.sum(), (x, *parameters.values())):
        assert torch.isfinite(gradient).all() and gradient.dtype == torch.float32


@pytest.mark.parametrize("n_repetitions, ladder", [(3, "unit"), (3, "ternary")])
def test_penalty_is_the_integrated_squared_curvature(n_repetitions, ladder):
    basis = Daruan(n_repetitions, ladder, 2).fit(SKEWED)
    assert_penalty_integrates(basis.at({**basis.parameters(), "angles": drawn(n_repetitions, 2)["angles"]}))


def test_ends_of_the_range_are_not_the_same_point():
    x = np.array([-0.75, 0.75]) * np.pi
    low, high = circuit(np.array([np.pi / 2, 0.0, 0.0, -np.pi / 2]), np.ones(1), x)  # -sin
    assert abs(low - high) > 1


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("learned", [False, True])
def test_contract(check, learned):
    check(lambda *column: Daruan().fit(*column).at(drawn() if learned else Daruan().parameters()))


@pytest.mark.parametrize(
    "arguments",
    [
        (0,),
        (True,),
        (2.5,),
        ((),),
        ((3, 1),),
        ((2, 2),),
        (5, "ternary"),
        ((2, 5), "ternary"),
        (3, "real"),
        (3, "unit", 0),
    ],
)
def test_bad_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="expected|longer"):
        Daruan(*arguments)
