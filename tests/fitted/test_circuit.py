"""The simulated circuit against dense matrix products, closed forms and PennyLane."""

import subprocess
import sys
from functools import reduce

import numpy as np
import pytest
import torch
from scipy.linalg import expm

from kan_tabular.fitted.circuit import Circuit, CircuitChannel

pytestmark = pytest.mark.filterwarnings("error")

ONE, X, Y, Z = np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0, -1.0])
SHAPES = [(1, 1), (1, 3), (2, 1), (2, 2), (3, 3), (4, 1), (4, 4), (5, 2)]
EMBEDDINGS = ("angle", "amplitude")
CASES = [(*shape, embedding) for shape in SHAPES for embedding in EMBEDDINGS]
M, ROWS = 2, 2


def draw(circuit, seed=0, scale=1.0):
    """Angles of M members and inputs of ROWS rows."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-7, 7, (M, *circuit.angles_shape)), scale * rng.normal(size=(M, circuit.n_inputs, ROWS))


def on(gate, qubit, n):
    """A gate of one qubit on the whole register."""
    return reduce(np.kron, [gate if q == qubit else ONE for q in range(n)])


def turn(axis, angle):
    return expm(-0.5j * angle * axis)


def controlled_not(control, target, n):
    zero, one = np.diag([1.0, 0.0]), np.diag([0.0, 1.0])
    return on(zero, control, n) + on(one, control, n) @ on(X, target, n)


def simulated(circuit, x, angles):
    """State and <Z> of one row of one member: gate by gate, each a dense matrix."""
    n = circuit.n_qubits
    if circuit.embedding == "angle":
        state = reduce(np.kron, [turn(Y, angle)[:, 0] for angle in x])
    else:
        state = x / np.linalg.norm(x)
    for layer, own in enumerate(angles):
        for q, (phi, theta, omega) in enumerate(own):
            state = on(turn(Z, omega) @ turn(Y, theta) @ turn(Z, phi), q, n) @ state
        for q in range(n if n > 1 else 0):
            state = controlled_not(q, (q + layer % (n - 1) + 1) % n, n) @ state
    return state, np.array([np.real(np.conj(state) @ on(Z, q, n) @ state) for q in range(n)])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_expectations_are_those_of_dense_matrix_products(case):
    circuit = Circuit(*case)
    angles, x = draw(circuit)
    matrix = circuit.matrix(angles)
    states = matrix @ circuit.embed(x)
    states = states[:, : 2**circuit.n_qubits] + 1j * states[:, 2**circuit.n_qubits :]
    said = circuit.expectations(x, matrix)
    assert said.shape == (M, circuit.n_qubits, ROWS)
    for m in range(M):
        for row in range(ROWS):
            state, expected = simulated(circuit, x[m, :, row], angles[m])
            np.testing.assert_allclose(states[m, :, row], state, atol=1e-12)
            np.testing.assert_allclose(said[m, :, row], expected, atol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_layers_are_unitary_and_states_have_length_one(case):
    circuit = Circuit(*case)
    angles, x = draw(circuit, 1)
    D, matrix = 2**circuit.n_qubits, circuit.matrix(angles)
    U = matrix[:, :D] + 1j * matrix[:, D:]
    np.testing.assert_allclose(U @ U.conj().swapaxes(1, 2), np.broadcast_to(np.eye(D), (M, D, D)), atol=1e-12)
    np.testing.assert_allclose((circuit.embed(x) ** 2).sum(1), 1, atol=1e-12)
    assert (np.abs(circuit.expectations(x, matrix)) <= 1 + 1e-12).all()


def test_one_qubit_in_closed_form():
    """<Z> of RY(theta) RZ(phi) RY(x)|0> is cos x cos theta - sin x sin theta cos phi; a last RZ changes nothing."""
    circuit = Circuit(1, 1, "angle")
    angles, x = draw(circuit)
    phi, theta = angles[:, 0, 0, 0, None], angles[:, 0, 0, 1, None]
    expected = np.cos(x[:, 0]) * np.cos(theta) - np.sin(x[:, 0]) * np.sin(theta) * np.cos(phi)
    np.testing.assert_allclose(circuit.expectations(x, circuit.matrix(angles))[:, 0], expected, atol=1e-14)


def test_a_ring_without_turns_adds_up_bits():
    """CNOTs 0>1, 1>2, 2>3, 3>0 of |1000>: every qubit in turn is flipped, the first one at last back to 0."""
    circuit = Circuit(4, 1, "angle")
    x = np.array([np.pi, 0, 0, 0])[None, :, None]
    said = circuit.expectations(x, circuit.matrix(np.zeros((1, 1, 4, 3))))
    np.testing.assert_allclose(said[0, :, 0], [1, -1, -1, -1], atol=1e-14)


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_torch_says_the_same_in_both_precisions(embedding):
    circuit = Circuit(4, 2, embedding)
    angles, x = draw(circuit)
    expected = circuit.nodes(x, circuit.matrix(angles))
    for dtype, tol in ((torch.float64, 1e-13), (torch.float32, 1e-5)):
        angles_, x_ = torch.as_tensor(angles, dtype=dtype), torch.as_tensor(x, dtype=dtype)
        said = circuit.nodes(x_, circuit.matrix(angles_))
        assert said.dtype == dtype
        np.testing.assert_allclose(said.numpy(), expected, atol=tol)
    single = circuit.nodes(x.astype(np.float32), circuit.matrix(angles.astype(np.float32)))
    assert single.dtype == np.float32


@pytest.mark.parametrize("case", [(3, 2, "angle"), (2, 3, "amplitude"), (1, 1, "amplitude")], ids=str)
def test_gradients(case):
    circuit = Circuit(*case)
    angles, x = (torch.as_tensor(a).requires_grad_() for a in draw(circuit))
    assert torch.autograd.gradcheck(lambda x, angles: circuit.nodes(x, circuit.matrix(angles)), (x, angles))


@pytest.mark.parametrize("embedding", EMBEDDINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_and_gradients_are_finite_for_any_input(embedding, dtype):
    circuit = Circuit(2, 1, embedding)
    big = torch.finfo(dtype).max
    values = [0.0, 1e-30, 1.0, 1e8, 1e30, big, -big]
    x = torch.zeros(1, circuit.n_inputs, len(values), dtype=dtype)
    x[0, 0] = torch.tensor(values, dtype=dtype)
    angles = torch.ones(1, *circuit.angles_shape, dtype=dtype).requires_grad_()
    x.requires_grad_()
    said = circuit.nodes(x, circuit.matrix(angles))
    said.sum().backward()
    assert torch.isfinite(said).all() and torch.isfinite(x.grad).all() and torch.isfinite(angles.grad).all()
    assert (said.abs() <= 3 + 1e-5).all()
    np.testing.assert_allclose(said[0, :, 4].detach(), said[0, :, 5].detach(), atol=1e-6)  # it levels off


def test_no_amplitudes_are_the_ground_state():
    circuit = Circuit(3, 1, "amplitude")
    np.testing.assert_array_equal(circuit.embed(np.zeros((2, 8, 1)))[..., 0], np.eye(8)[[0, 0]])


def test_a_fitted_channel_splits_sums_and_comes_back_from_its_spec():
    circuit = Circuit(2, 2, "angle")
    angles, x = draw(circuit)
    channel = CircuitChannel(circuit, angles)
    rest, nodes = channel.split(np.concatenate([np.full((M, 3, ROWS), 7.0), x], axis=1))
    np.testing.assert_array_equal(rest, np.full((M, 3, ROWS), 7.0))
    np.testing.assert_array_equal(nodes, circuit.nodes(x, circuit.matrix(angles)))
    again = CircuitChannel.from_spec(channel.to_spec(), angles)
    assert again.circuit == circuit and again.angles is angles


@pytest.mark.parametrize("case", [(4, 1, "angle"), (4, 3, "angle"), (3, 2, "amplitude"), (1, 2, "angle")], ids=str)
def test_pennylane_says_the_same(case):
    """In a process of its own: importing PennyLane loads much, and warns."""
    pytest.importorskip("pennylane", reason="needs PennyLane: pip install 'kan-tabular[quantum]'")
    circuit = Circuit(*case)
    angles, x = draw(circuit)
    code = f"""
import sys, numpy as np, pennylane as qml
n, embedding = {circuit.n_qubits}, {circuit.embedding!r}
@qml.qnode(qml.device("default.qubit", wires=n))
def run(x, angles):
    if embedding == "angle":
        qml.AngleEmbedding(x, wires=range(n), rotation="Y")
    else:
        qml.AmplitudeEmbedding(x, wires=range(n), normalize=True)
    qml.StronglyEntanglingLayers(angles, wires=range(n))
    return [qml.expval(qml.PauliZ(q)) for q in range(n)]
x, angles = np.array({x.tolist()}), np.array({angles.tolist()})
for m in range(len(x)):
    for row in range(x.shape[2]):
        print(*[repr(float(z)) for z in run(x[m, :, row], angles[m])])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    theirs = np.array([[float(z) for z in line.split()] for line in done.stdout.splitlines()])
    ours = circuit.expectations(x, circuit.matrix(angles)).swapaxes(1, 2).reshape(-1, circuit.n_qubits)
    np.testing.assert_allclose(ours, theirs, atol=1e-10)
