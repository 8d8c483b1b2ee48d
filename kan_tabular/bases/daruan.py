"""Single-qubit data re-uploading activations: Fourier series with coefficients tied to a circuit's angles."""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from kan_tabular.bases.fourier import harmonics
from kan_tabular.bases.interval import IntervalBasis

#: Angle at the ends of the training range: three quarters of half a turn. At pi both ends would be the same point.
_REACH = 0.75 * np.pi


class Daruan(IntervalBasis):
    """Functions ``1, cos kt, sin kt`` (k = 1 .. F) of the angle ``t = 3/4 pi z``, z in [-1, 1] over the training range.

    The circuit with r repetitions is ``Ry Rz W_r-1 ... Ry Rz W_0 Ry Rz H |0>`` with ``W_l = Rz(w_l t)``, two angles
    before each upload and two at the end. Its expectation ``<Z>`` (Born's rule) is a Fourier series in t with the
    frequencies ``sum_l e_l w_l``, e_l in {-1, 0, 1}: `coefficients` gives the series for the angles ``theta``, exactly,
    so that ``evaluate(x) @ coefficients(theta)`` is the circuit and a layer is one matrix product. The constant is
    among the functions, for the same reason. Everything is real: the state is a point of the Bloch sphere.

    The range takes three quarters of a period, so its ends are not identified; **outside the training range curves
    continue linearly** (see `IntervalBasis`) and never wrap.

    Parameters
    ----------
    n_repetitions : int, default=3
        Uploads r; the circuit has ``2 (r + 1)`` angles.
    ladder : {"unit", "ternary"}, default="unit"
        ``w_l = 1`` (F = r) or ``w_l = 3^l`` (F = (3^r - 1) / 2, every integer frequency; r up to 4).

    References
    ----------
    QKAN with data re-uploading activations (DARUAN), arXiv 2509.14026, the "pz" circuit and layer extension. A phase
    ``b_l`` beside ``w_l`` would only add to the next Rz angle, so there is none.
    """

    name = "daruan"

    def __init__(self, n_repetitions=3, ladder="unit"):
        if ladder not in ("unit", "ternary"):
            raise ValueError(f"ladder={ladder!r}: expected 'unit' or 'ternary'.")
        if not 1 <= n_repetitions <= (4 if ladder == "ternary" else np.inf):
            raise ValueError(f"n_repetitions={n_repetitions}: expected at least 1, and at most 4 on a ternary ladder.")
        self.n_repetitions = n_repetitions
        self.ladder = ladder

    @property
    def uploads(self):
        """The factors ``w_l`` (r,) of the angle."""
        return [3**i if self.ladder == "ternary" else 1 for i in range(self.n_repetitions)]

    @property
    def n_functions(self):
        return 2 * sum(self.uploads) + 1

    @property
    def n_angles(self):
        """Length of theta: Rz and Ry before each upload and at the end."""
        return 2 * (self.n_repetitions + 1)

    def start(self, rng, shape=()):
        """Starting angles, an array (*shape, n_angles) drawn from the generator `rng`.

        Rz angles are uniform over the circle, so sines and cosines are alike; Ry angles are normal with standard
        deviation 1 / (1 + k) where they bring in frequency k, so that slopes of all frequencies are alike.
        """
        reached = np.concatenate([[0.0], np.cumsum(self.uploads)])
        z = rng.uniform(-np.pi, np.pi, (*shape, self.n_repetitions + 1))
        y = rng.normal(size=z.shape) / (1 + reached)
        return np.stack([z, y], axis=-1).reshape(*shape, self.n_angles)

    def circuit(self, theta, angle):
        """<Z> of the circuit: ``theta[..., j]`` and `angle` broadcast."""
        xp = array_namespace(theta, angle)
        c, s = xp.cos(theta), xp.sin(theta)
        uploads = [(xp.cos(w * angle), xp.sin(w * angle)) for w in self.uploads]
        x, y, z = 1.0, 0.0, 0.0  # H |0>
        for i in range(self.n_repetitions + 1):
            x, y = _turned(x, y, c[..., 2 * i], s[..., 2 * i])
            z, x = _turned(z, x, c[..., 2 * i + 1], s[..., 2 * i + 1])
            if i < self.n_repetitions:
                x, y = _turned(x, y, *uploads[i])
        return z

    def coefficients(self, theta):
        """Coefficients (..., K) of the circuit with angles `theta` (..., n_angles), with gradients to them.

        The circuit at K equidistant phases determines its K coefficients: a fixed inverse Fourier transform.
        """
        xp, k = array_namespace(theta), self.n_functions
        phases = 2 * np.pi * np.arange(k) / k
        # The waves are orthogonal at these phases; all but the constant have mean square 1/2.
        waves = [np.ones(k), *(wave for pair in harmonics(phases, 1.0, k // 2, 0) for wave in pair)]
        inverse = np.stack(waves, axis=-1) * np.where(np.arange(k) > 0, 2 / k, 1 / k)
        kind = {"dtype": theta.dtype, "device": theta.device}
        return self.circuit(theta[..., None, :], xp.asarray(phases, **kind)) @ xp.asarray(inverse, **kind)

    def extended(self, theta, n_repetitions):
        """Angles (..., 2 (n_repetitions + 1)) of a longer circuit with exactly the same function.

        New angles are 0: all that follows the old end turns about the axis that is measured.
        """
        if n_repetitions < self.n_repetitions:
            raise ValueError(f"n_repetitions={n_repetitions}: expected at least {self.n_repetitions}.")
        xp, more = array_namespace(theta), 2 * (n_repetitions - self.n_repetitions)
        zeros = xp.zeros((*theta.shape[:-1], more), dtype=theta.dtype, device=theta.device)
        return xp.concat([theta, zeros], axis=-1)

    def _functions(self, z, order):
        xp = array_namespace(z)
        constant = xp.zeros_like(z) if order else xp.ones_like(z)
        pairs = harmonics(_REACH * z, _REACH, self.n_functions // 2, order)
        return xp.stack([constant, *(wave for pair in pairs for wave in pair)], axis=-1)

    def _expressions(self, z):
        import sympy

        angles = [k * _REACH * z for k in range(1, self.n_functions // 2 + 1)]
        return [sympy.Integer(1), *(f(t) for t in angles for f in (sympy.cos, sympy.sin))]


def _turned(a, b, c, s):
    """The plane's point (a, b) turned by the angle with cosine `c` and sine `s`."""
    return c * a - s * b, s * a + c * b
