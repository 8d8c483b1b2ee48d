"""Known functions for the recovery of single curves, and how their draws are made."""

from __future__ import annotations

import numpy as np

#: name: (function, candidate it is in canonical form, lowest u from .. to, highest u from .. to).
FUNCTIONS = {
    "x": (lambda u: u, "linear", (-2, -1), (1, 2)),
    "x^2": (lambda u: u**2, "square", (-2, -0.5), (0.5, 2)),
    "x^3": (lambda u: u**3, "cube", (-2, -0.7), (0.7, 2)),
    "x^4": (lambda u: u**4, "power 4", (-2, -0.7), (0.7, 2)),
    "x^5": (lambda u: u**5, "power 5", (-2, -0.8), (0.8, 2)),
    "1/x": (lambda u: 1 / u, "1/x", (0.2, 0.5), (2, 4)),
    "1/x^2": (lambda u: u**-2.0, "1/x^2", (0.3, 0.6), (2, 4)),
    "1/x^3": (lambda u: u**-3.0, "1/x^3", (0.4, 0.7), (2, 4)),
    "sqrt(x)": (np.sqrt, "sqrt", (0.0, 0.1), (2, 5)),
    "x^1.5": (lambda u: u**1.5, "power 1.5", (0.0, 0.1), (2, 5)),
    "1/sqrt(x)": (lambda u: u**-0.5, "1/sqrt", (0.1, 0.3), (2, 5)),
    "exp": (np.exp, "exp", (-3, -1), (1, 3)),
    "log": (np.log, "log", (0.05, 0.2), (2, 5)),
    "abs": (np.abs, "abs", (-2, -0.5), (0.5, 2)),
    "sin": (np.sin, "sin", (-6, -2), (2, 6)),
    "cos": (np.cos, "sin", (-6, -2), (2, 6)),
    "tan": (np.tan, "tan", (-1.4, -1.0), (1.0, 1.4)),
    "tanh": (np.tanh, "tanh", (-4, -1.5), (1.5, 4)),
    "sigmoid": (lambda u: 1 / (1 + np.exp(-u)), "tanh", (-8, -3), (3, 8)),
    "sgn": (np.sign, "step", (-2, -0.5), (0.5, 2)),
    "arcsin": (np.arcsin, "arcsin", (-1.0, -0.95), (0.95, 1.0)),
    "arctan": (np.arctan, "arctan", (-8, -3), (3, 8)),
    "arctanh": (np.arctanh, "arctanh", (-0.99, -0.95), (0.95, 0.99)),
    "gaussian": (lambda u: np.exp(-(u**2)), "gaussian", (-3, -1), (1, 3)),
    "relu": (lambda u: np.maximum(u, 0), "hinge", (-2, -0.7), (0.7, 2)),
}


def draw(name, noise, rng, n=200):
    """n samples of f(a x + b), x uniform on a random range: x, y, a, b; noise in standard deviations of the values."""
    function, _, low, high = FUNCTIONS[name]
    u = np.sort([rng.uniform(*low), rng.uniform(*high)])
    start, width = rng.uniform(-5, 5), np.exp(rng.uniform(np.log(0.5), np.log(20)))
    a = (u[1] - u[0]) / width * rng.choice([-1, 1])
    b = u[0] - a * start if a > 0 else u[1] - a * start
    x = rng.uniform(start, start + width, n)
    clean = function(np.clip(a * x + b, *u))
    return x, clean + noise * clean.std() * rng.normal(size=n), a, b
