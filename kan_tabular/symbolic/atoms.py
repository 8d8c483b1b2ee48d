"""``c f(a x + b)`` with its constants in the units of a column."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kan_tabular.symbolic.candidates import Candidate

#: An exponential is written around zero while its argument stays below this there.
_LARGEST_SHIFT = 12.0
_EPS = 1e-12


@dataclass(frozen=True)
class Atom:
    """One function of a column x: ``weight * f(slope * x + shift)``.

    Attributes
    ----------
    candidate : Candidate
    slope, shift, weight : float
    lowest, highest : float
        The argument of f stays between these, so that no x is outside its domain; infinite where it has no end.
    held : tuple of str
        Names of constants that are final.
    """

    candidate: Candidate
    slope: float
    shift: float
    weight: float
    lowest: float = -np.inf
    highest: float = np.inf
    held: tuple = ()

    @classmethod
    def scaled(cls, candidate, a, b, c, low, high):
        """From the constants of ``c f(a t + b)``, t running over [-1, 1] where x does over [low, high].

        Returns
        -------
        atom : Atom
        rest : float
            What is left of it as a constant.
        """
        middle, half = (high + low) / 2, (high - low) / 2
        slope, rest = a / half, 0.0
        if candidate.parity and slope < 0:
            slope, b, c = -slope, -b, -c if candidate.parity == "odd" else c
        shift = b - slope * middle
        if candidate.free == "b":  # f(k u) = k^scale f(u): the slope becomes 1 or -1
            factor = abs(slope)
            if candidate.scale == "log":
                rest = c * np.log(factor)
            elif candidate.scale is not None:
                c = c * factor**candidate.scale
            if candidate.scale is not None:
                slope, shift = np.sign(slope), shift / factor
        elif candidate.name == "linear":
            c, rest, slope, shift = c * slope, c * shift, 1.0, 0.0
        elif candidate.free == "a":
            # exp(a x + b): b only keeps numbers moderate where x is far from zero.
            b = 0.0 if abs(slope) * max(abs(low), abs(high)) < _LARGEST_SHIFT else -slope * float(f"{middle:.2g}")
            c, shift = c * np.exp(shift - b), b
        elif candidate.periodic:
            turns = np.floor((shift + np.pi / 2) / np.pi)  # phase in [-pi/2, pi/2), the sign goes to c
            shift, c = shift - np.pi * turns, c * (-1) ** turns
        return cls(candidate, float(slope), float(shift), float(c)).limited(low, high), float(rest)

    def limited(self, low, high):
        """The atom whose argument stops halfway between its range over [low, high] and the end of the domain."""
        start, end = self.candidate.domain
        ends = (self.slope * low + self.shift, self.slope * high + self.shift)
        lowest = (
            start if np.isinf(start) else _rounded((start + max(min(ends), start)) / 2, start, max(min(ends), start))
        )
        highest = end if np.isinf(end) else -_rounded(-(end + min(max(ends), end)) / 2, -end, -min(max(ends), end))
        return replace(self, lowest=float(lowest), highest=float(highest))

    def argument(self, x):
        return np.clip(self.slope * x + self.shift, self.lowest, self.highest)

    def evaluate(self, x):
        return self.weight * self.candidate.value(self.argument(x))

    @property
    def names(self):
        """Names of the free constants: "slope", "shift" (those that are sought), "weight"."""
        return [n for n, f in (("slope", "a"), ("shift", "b")) if f in self.candidate.free] + ["weight"]

    @property
    def parameters(self):
        """Values of the free constants."""
        return np.array([getattr(self, n) for n in self.names])

    def with_parameters(self, values):
        """The atom with other values of `parameters`."""
        return replace(self, **{n: float(v) for n, v in zip(self.names, values, strict=True)})

    def bounded(self, low, high):
        """The nearest atom whose argument stays in the domain while x is in [low, high]; itself if anything is held."""
        if self.held:
            return self.limited(low, high)
        c, middle, half = self.candidate, (high + low) / 2, (high - low) / 2
        unit = half if c.free == "b" else 1.0  # candidates see a = 1 or -1 where only b is free
        a, b = c.bounded(self.slope * half / unit, (self.shift + self.slope * middle) / unit)
        slope = a * unit / half
        # The shift of an exponential is no free constant.
        moved = {"slope": float(slope), "shift": float(b * unit - slope * middle)} if "b" in c.free else {}
        return replace(self, **(moved or {"slope": float(slope)})).limited(low, high)

    def jacobian(self, x):
        """Derivatives of `evaluate` by `parameters`: (n, n_parameters)."""
        u = self.argument(x)
        inner = self.weight * self.candidate.derivative(u)
        columns = [v for v, f in ((inner * x, "a"), (inner, "b")) if f in self.candidate.free]
        return np.column_stack([*columns, self.candidate.value(u)])

    def expression(self, symbol):
        """The atom as a sympy expression of `symbol`."""
        import sympy

        u = _number(self.slope) * symbol + _number(self.shift)
        if np.isfinite(self.lowest):
            u = sympy.Max(u, _number(self.lowest))
        if np.isfinite(self.highest):
            u = sympy.Min(u, _number(self.highest))
        return _number(self.weight) * self.candidate.formula(u)

    @property
    def complexity(self):
        return self.candidate.complexity + self.candidate.n_constants + 1


def _number(value):
    """Whole numbers as such, so that formulas show 1 and not 1.0."""
    import sympy

    return sympy.Integer(int(value)) if value == int(value) and abs(value) < 1e15 else sympy.Float(value, 17)


def _rounded(value, low, high):
    """`value` to two digits, unless that leaves what is between `low` (outside) and `high` (inside)."""
    short = float(f"{value:.2g}")
    return short if low < short <= high else value
