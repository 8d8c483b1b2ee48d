"""Variational quantum circuits of a few qubits, simulated exactly; written once for NumPy arrays and torch tensors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from array_api_compat import array_namespace

EMBEDDINGS = ("angle", "amplitude")
#: The unitary of a member has 4^n entries.
MOST_QUBITS = 8
#: Sums are clipped into (-_REACH, _REACH) as in `NodeSpline`, and expectations fill the same range.
_REACH = 3.0
#: Squared length below which amplitudes have no direction.
_NOTHING = 1e-12


@dataclass(frozen=True)
class Circuit:
    """``x -> <Z_0>, ..., <Z_n-1>``: embed the inputs, rotate and entangle, measure every qubit.

    *Angle* embedding turns qubit q of ``|0 ... 0>`` by RY(x_q). (RX would differ by a turn about Z alone, which the
    first layer's own angles take up.) *Amplitude* embedding takes the ``2^n`` inputs, divided by their length, as the
    state; inputs that are all zero are the state ``|0 ... 0>``. Each layer turns every qubit by
    ``Rot(phi, theta, omega) = RZ(omega) RY(theta) RZ(phi)`` and then applies a ring of CNOT gates from qubit i to
    qubit ``(i + r) mod n``, with ``r = 1 + layer mod (n - 1)``: the strongly entangling layers of Schuld, Bocharov,
    Svore and Wiebe (2020, arXiv 1804.00633), in PennyLane's conventions. Qubit 0 is the leading bit of a state.

    No layer depends on the data, so all of them are one unitary matrix a member, and a row costs one product with it.
    There is no sampling and no noise. The last layer's omega changes no expectation: it only turns phases.

    Attributes
    ----------
    n_qubits, n_layers : int
    embedding : {"angle", "amplitude"}
    """

    n_qubits: int
    n_layers: int
    embedding: str

    @property
    def n_inputs(self):
        return self.n_qubits if self.embedding == "angle" else 2**self.n_qubits

    @property
    def angles_shape(self):
        """Of the angles (phi, theta, omega) of one member: (n_layers, n_qubits, 3)."""
        return self.n_layers, self.n_qubits, 3

    def matrix(self, angles):
        """All layers for `angles` (M, n_layers, n_qubits, 3): real over imaginary parts of the unitary (M, 2 D, D)."""
        xp = array_namespace(angles)
        turns, whole = _rotations(angles), None
        for layer in range(self.n_layers):
            step = turns[:, layer, 0]
            for q in range(1, self.n_qubits):
                step = _kron(step, turns[:, layer, q])
            step = xp.take(step, xp.asarray(self._ring(layer), device=angles.device), axis=1)
            whole = step if whole is None else step @ whole
        return xp.concat([xp.real(whole), xp.imag(whole)], axis=1)

    def embed(self, x):
        """Real amplitudes (M, D, n) of the inputs `x` (M, n_inputs, n)."""
        xp = array_namespace(x)
        if self.embedding == "angle":
            pairs = xp.stack([xp.cos(x / 2), xp.sin(x / 2)], axis=1)  # (M, 2, n_qubits, n)
            state = pairs[:, :, 0]
            for q in range(1, self.n_qubits):
                product = state[:, :, None] * pairs[:, None, :, q]
                state = xp.reshape(product, (len(x), 2 ** (q + 1), x.shape[2]))
            return state
        square = xp.sum(x * x, axis=1, keepdims=True)
        nowhere = square < _NOTHING
        ground = xp.asarray(np.eye(x.shape[1], 1)[None], dtype=x.dtype, device=x.device)
        return xp.where(nowhere, ground, x / xp.sqrt(xp.where(nowhere, xp.ones_like(square), square)))

    def expectations(self, x, matrix):
        """<Z> of every qubit (M, n_qubits, n) at the inputs `x` (M, n_inputs, n), for the `matrix` of the angles."""
        xp = array_namespace(x)
        amplitudes = matrix @ self.embed(x)
        signs = xp.asarray(np.tile(1.0 - 2.0 * self._bits().T, 2), dtype=x.dtype, device=x.device)
        return signs @ (amplitudes * amplitudes)

    def nodes(self, sums, matrix):
        """Values (M, n_qubits, n) of the circuit's nodes, from the sums (M, n_inputs, n) of a layer of curves.

        Sums are softly clipped into (-3, 3), so an angle never wraps around, and expectations are stretched from
        (-1, 1) to the same range, where the curves of the next layer live.
        """
        xp = array_namespace(sums)
        clipped = sums / xp.hypot(sums, xp.full_like(sums, _REACH))
        return _REACH * self.expectations(_REACH * clipped, matrix)

    def _bits(self):
        """Value of each qubit in each state: (D, n_qubits)."""
        return np.arange(2**self.n_qubits)[:, None] >> np.arange(self.n_qubits)[::-1] & 1

    def _ring(self, layer):
        """The state that the ring of a layer's CNOT gates takes each state from: (D,)."""
        n, bits = self.n_qubits, self._bits()
        for control in range(n if n > 1 else 0):
            bits[:, (control + 1 + layer % (n - 1)) % n] ^= bits[:, control]
        return np.argsort(bits @ (1 << np.arange(n)[::-1]))


@dataclass
class CircuitChannel:
    """A fitted circuit for each of M members.

    Attributes
    ----------
    circuit : Circuit
    angles : ndarray (M, n_layers, n_qubits, 3)
    """

    circuit: Circuit
    angles: np.ndarray

    @cached_property
    def _matrix(self):
        return self.circuit.matrix(self.angles)

    def split(self, sums):
        """A first layer's sums (M, H, n): those of nodes of curves, and the values of the circuit's nodes."""
        own = self.circuit.n_inputs
        return sums[:, :-own], self.circuit.nodes(sums[:, -own:], self._matrix)

    def to_spec(self):
        circuit = self.circuit
        return {"n_qubits": circuit.n_qubits, "n_layers": circuit.n_layers, "embedding": circuit.embedding}

    @classmethod
    def from_spec(cls, spec, angles):
        return cls(Circuit(**spec), angles)


def _rotations(angles):
    """``RZ(omega) RY(theta) RZ(phi)`` of `angles` (..., 3): complex (..., 2, 2)."""
    xp = array_namespace(angles)
    phi, theta, omega = (angles[..., k] / 2 for k in range(3))
    c, s, both, apart = xp.cos(theta), xp.sin(theta), phi + omega, phi - omega
    stay = c * xp.cos(both) - 1j * c * xp.sin(both)
    move = s * xp.cos(apart) - 1j * s * xp.sin(apart)
    rows = [xp.stack([stay, -xp.conj(move)], axis=-1), xp.stack([move, xp.conj(stay)], axis=-1)]
    return xp.stack(rows, axis=-2)


def _kron(a, b):
    """Kronecker products of the matrices (M, d, d) and (M, e, e)."""
    size = a.shape[1] * b.shape[1]
    product = a[:, :, None, :, None] * b[:, None, :, None, :]
    return array_namespace(a).reshape(product, (len(a), size, size))
