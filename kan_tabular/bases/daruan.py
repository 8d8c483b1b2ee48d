"""Single-qubit data re-uploading activations (DARUAN) that every node learns."""

from __future__ import annotations

import itertools
import numbers
from math import ceil

import numpy as np
from array_api_compat import array_namespace

from kan_tabular.bases.jet import Jet
from kan_tabular.bases.parametric import ParametricBasis
from kan_tabular.bases.quadrature import integrated_products

#: Angle at the ends of the training range: three quarters of half a turn. At pi both ends would be the same point.
_REACH = 0.75 * np.pi
#: The Ry angle after the first upload, at the start. At -pi/2 the wave has amplitude 1 and the others no gradient.
_TURN = -np.pi / 3
#: No wave starts even (equal at both ends of the range) or odd (no gradient to the first Ry angle, and nearly a line).
_SHIFT = 0.25
#: Frequencies nearer than this, and amplitudes below it, are rounding.
_ROUNDING = 1e-13


class Daruan(ParametricBasis):
    """Expectations ``<Z>`` of K circuits of one qubit that read ``t = 3/4 pi z`` r times, z in [-1, 1] over the range.

    A circuit is ``H``, then ``Rz(a_0) Ry(a_1) Rz(w_0 t)``, ``Rz(a_2) Ry(a_3) Rz(w_1 t)``, ..., and at last
    ``Rz(a_2r) Ry(a_2r+1)``, in the order of time; its value is in [-1, 1]. Everything is real: the state is a point of
    the Bloch sphere. By Born's rule a circuit is a Fourier series in t whose frequencies are sums of the ``w_l`` with
    factors -1, 0 and 1 (`series`): up to ``(3^r - 1) / 2`` of them, with coefficients tied to ``2 (r + 1)`` angles.

    The parameters of a node are its circuits' ``angles`` (2 (r + 1) each) and ``frequencies`` (the r factors w). The
    K circuits are the node's functions: each edge that leaves the node weighs them.

    The range takes three quarters of a period of ``w = 1``, so its ends are not identified; **outside the training
    range curves continue linearly** (see `IntervalBasis`) and never wrap.

    Parameters
    ----------
    n_repetitions : int or tuple of int, default=3
        Uploads r. Of several, such as (1, 3), a network starts with the first and extends its circuits while it
        trains, in equal shares of the epochs; no function changes at an extension.
    ladder : {"unit", "ternary"}, default="unit"
        Frequencies at the start: ``w_l = 1``, or ``w_l = 3^l`` (then r is 4 at most).
    n_circuits : int, default=1
        Circuits K of a node. With 1, a node has one curve that its edges scale; where a single edge leaves it (one
        hidden layer, one output), that is QKAN's circuit an edge.

    Notes
    -----
    Start. All circuits are the slowest wave, ``sin(pi/3) cos(w_0 t + (k + 1/4) pi / K)``: the first upload does all,
    and the rotations after it bring in more as they learn. A start that has all frequencies fits noise with them.

    References
    ----------
    QKAN with data re-uploading activations (DARUAN), arXiv 2509.14026: the "pz" circuit with trained preprocessing
    weights, and layer extension. A phase ``b_l`` beside ``w_l`` would only add to the next Rz angle, so there is none.
    """

    name = "daruan"

    def __init__(self, n_repetitions=3, ladder="unit", n_circuits=1):
        if ladder not in ("unit", "ternary"):
            raise ValueError(f"ladder={ladder!r}: expected 'unit' or 'ternary'.")
        sizes = _sizes(n_repetitions)
        most = 4 if ladder == "ternary" else np.inf
        if not sizes or not all(_is_count(r) for r in sizes) or sizes[-1] > most:
            raise ValueError(
                f"n_repetitions={n_repetitions!r}: expected integers of at least 1, and at most 4 on a ternary ladder."
            )
        if any(b <= a for a, b in itertools.pairwise(sizes)):
            raise ValueError(f"n_repetitions={n_repetitions!r}: circuits can only become longer.")
        if not _is_count(n_circuits):
            raise ValueError(f"n_circuits={n_circuits!r}: expected an integer of at least 1.")
        self.n_repetitions = n_repetitions
        self.ladder = ladder
        self.n_circuits = n_circuits

    @property
    def sizes(self):
        return _sizes(self.n_repetitions)

    def _arguments(self):
        several = isinstance(self.n_repetitions, (tuple, list))
        return {**self.arguments(), "n_repetitions": list(self.sizes) if several else self.n_repetitions}

    @classmethod
    def _from_arguments(cls, arguments):
        r = arguments["n_repetitions"]
        return cls(**{**arguments, "n_repetitions": tuple(r) if isinstance(r, list) else r})

    @property
    def n_functions(self):
        return self.n_circuits

    def _uploads(self, n_repetitions):
        """Frequencies (r,) at the start of a circuit."""
        return np.array([3.0**i if self.ladder == "ternary" else 1.0 for i in range(n_repetitions)])

    def _start(self):
        r, K = self.sizes[0], self.n_circuits
        angles = np.zeros((K, 2 * (r + 1)))
        angles[:, 0] = np.pi * (np.arange(K) + _SHIFT) / K
        angles[:, 3] = _TURN
        return {"angles": angles.ravel(), "frequencies": np.tile(self._uploads(r), K)}

    def refined(self, size, coefficients, parameters):
        """The same curves with circuits of `size` repetitions (see `Basis.refined`).

        New angles are 0: all that follows the old end turns about the axis that is measured (layer extension).
        """
        start, r = self.parameters(), len(self._own["frequencies"]) // self.n_circuits
        if size < r:
            raise ValueError(f"size={size}: expected at least {r} repetitions; circuits can only become longer.")
        new = {"angles": np.zeros(2 * (size - r)), "frequencies": self._uploads(size)[r:]}

        def longer(parameters):
            return {name: self._appended(np.asarray(values), new[name]) for name, values in parameters.items()}

        return self.at(longer(start)), coefficients, longer(parameters)

    def _appended(self, values, new):
        """Values (..., K q) of all circuits with the same `new` ones after those of each."""
        own = values.reshape(*values.shape[:-1], self.n_circuits, -1)
        both = np.concatenate([own, np.broadcast_to(new, (*own.shape[:-1], len(new)))], axis=-1)
        return both.reshape(*values.shape[:-1], -1)

    def _by_circuit(self, name, like):
        """The parameter of the circuits (..., K, q), placed to meet an input (..., n, 1)."""
        values = self._values(name, like)
        xp = array_namespace(values)
        values = xp.reshape(values, (*values.shape[:-1], self.n_circuits, -1))
        return values if values.ndim == 2 else values[..., None, :, :]

    def _functions(self, z, order):
        angles, frequencies = self._by_circuit("angles", z), self._by_circuit("frequencies", z)
        return _REACH**order * circuit(angles, frequencies, _REACH * z[..., None], order)

    def penalty(self):
        """Integrated squared second derivative over the domain, in units of the domain's width."""
        own = self.parameters()["frequencies"].reshape(self.n_circuits, -1)
        fastest = _REACH * np.abs(own).sum(1).max()  # radians over half the range
        return 8 * integrated_products(lambda z: self._functions(z, 2), [-1.0, 1.0], 64 + 2 * ceil(fastest))

    def series(self, k=0):
        """The k-th circuit as ``sum_j c_j cos(f_j t) + s_j sin(f_j t)``: f, c and s, arrays (m,), f rising from 0."""
        angles, frequencies = (self.parameters()[name].reshape(self.n_circuits, -1)[k] for name in self._own)
        return _series(angles, frequencies)

    def _expressions(self, z):
        import sympy

        curves = []
        for k in range(self.n_circuits):
            curve = sympy.Integer(0)
            for f, c, s in zip(*(part.tolist() for part in self.series(k)), strict=True):
                curve += c * sympy.cos(f * _REACH * z) + s * sympy.sin(f * _REACH * z)
            curves.append(curve)
        return curves


def circuit(angles, frequencies, t, order=0):
    """Derivative in t of <Z>: ``angles[..., j]``, ``frequencies[..., l]`` and `t` broadcast; order 0 is the value."""
    xp = array_namespace(angles, frequencies, t)

    def constant(value):
        return Jet([value, 0.0, 0.0][: order + 1])

    def turn(j):
        return constant(xp.cos(angles[..., j])), constant(xp.sin(angles[..., j]))

    # H |0>, turned for the first time
    x, y = turn(0)
    z, x = _turned(constant(0.0), x, *turn(1))
    for i in range(frequencies.shape[-1]):
        # The upload and the next angle turn about the same axis.
        rate = frequencies[..., i]
        argument = rate * t + angles[..., 2 * i + 2]
        c, s = xp.cos(argument), xp.sin(argument)
        waves = [c, -rate * s, -rate * rate * c][: order + 1], [s, rate * c, -rate * rate * s][: order + 1]
        x, y = _turned(x, y, *map(Jet, waves))
        z, x = _turned(z, x, *turn(2 * i + 3))
    return z.parts[order]


def _turned(a, b, c, s):
    """The plane's point (a, b) turned by the angle with cosine `c` and sine `s`."""
    return c * a - s * b, s * a + c * b


def _series(angles, frequencies):
    """Frequencies, cosine and sine coefficients (m,) of one circuit's <Z>, by the rotations of its Fourier series."""
    # x, y and z as sums over exp(i f t), f of both signs
    f = np.zeros(1)
    x, y, z = np.array([np.cos(angles[0])], complex), np.array([np.sin(angles[0])], complex), np.zeros(1, complex)
    for i in range(len(frequencies) + 1):
        if i:
            phase = np.exp(1j * angles[2 * i]) / 2
            up, down = phase * (x + 1j * y), np.conj(phase) * (x - 1j * y)
            x = np.concatenate([up, 0 * x, down])
            y = np.concatenate([-1j * up, 0 * y, 1j * down])
            z = np.concatenate([0 * z, z, 0 * z])
            f = np.concatenate([f + frequencies[i - 1], f, f - frequencies[i - 1]])
            f, (x, y, z) = _merged(f, (x, y, z))
        z, x = _turned(z, x, np.cos(angles[2 * i + 1]), np.sin(angles[2 * i + 1]))
    kept = (f >= 0) & ((np.abs(z) > _ROUNDING) | (f == 0))
    twice = np.where(f > 0, 2.0, 1.0)
    return f[kept], (twice * z.real)[kept], (-twice * z.imag)[kept]


def _merged(f, parts):
    """Equal frequencies, up to rounding, as one."""
    order = np.argsort(f, kind="stable")
    f = f[order]
    first = np.concatenate([[True], np.diff(f) > _ROUNDING * max(np.abs(f).max(), 1.0)])
    starts = np.flatnonzero(first)
    f = np.where(np.abs(f[starts]) > _ROUNDING, f[starts], 0.0)
    return f, tuple(np.add.reduceat(part[order], starts) for part in parts)


def _sizes(n_repetitions):
    return tuple(n_repetitions) if isinstance(n_repetitions, (tuple, list)) else (n_repetitions,)


def _is_count(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= 1
