"""Functions with their derivatives by the rules of sums and products, so that a formula is written once."""

from __future__ import annotations


class Jet:
    """Value and as many derivatives as wanted, ``[f, f', f'']`` at most, of one function at the same points."""

    def __init__(self, parts):
        self.parts = list(parts)

    def __add__(self, other):
        return Jet(f + g for f, g in zip(self.parts, other.parts, strict=True))

    def __sub__(self, other):
        return Jet(f - g for f, g in zip(self.parts, other.parts, strict=True))

    def __mul__(self, other):
        f, g = self.parts, other.parts
        out = [f[0] * g[0]]
        if len(f) > 1:
            out.append(f[1] * g[0] + f[0] * g[1])
        if len(f) > 2:
            out.append(f[2] * g[0] + 2 * f[1] * g[1] + f[0] * g[2])
        return Jet(out)
