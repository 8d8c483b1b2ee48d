"""Sums of univariate functions to be found again: laws of physics after a logarithm, and synthetic additive models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Law:
    """``y = sum of terms``, each a function of one column.

    Attributes
    ----------
    terms : dict
        {column: (function, name of the candidate)}.
    ranges : dict
        {column: (low, high)} of uniform draws; columns without a term are dummies.
    """

    name: str
    terms: dict
    ranges: dict

    def draw(self, n, noise, rng):
        """Rows (n, p), responses with noise in standard deviations of the clean ones, and the clean ones."""
        X = np.column_stack([rng.uniform(low, high, n) for low, high in self.ranges.values()])
        clean = self.clean(X)
        return X, clean + noise * clean.std() * rng.normal(size=n), clean

    def clean(self, X):
        columns = dict(zip(self.ranges, X.T, strict=True))
        return sum(f(columns[name]) for name, (f, _) in self.terms.items())


def _product(name, **powers):
    """The logarithm of a product of powers, all columns from 1 to 5, as AI-Feynman draws most of them."""
    terms = {c: (lambda x, p=p: p * np.log(x), "log") for c, p in powers.items()}
    return Law(name, terms, dict.fromkeys(powers, (1.0, 5.0)))


def _log_less_one(x):
    return -np.log(x - 1)


#: Feynman formulas whose logarithm is additive (numbering of AI-Feynman, Udrescu & Tegmark 2020); constant factors are
#: left out, since they only move the intercept.
FEYNMAN = (
    Law("I.6.20a  exp(-theta^2 / 2)", {"theta": (lambda x: -0.5 * x**2, "square")}, {"theta": (1, 3)}),
    _product("I.12.1  mu N", mu=1, N=1),
    _product("I.12.2  q1 q2 / (eps r^2)", q1=1, q2=1, eps=-1, r=-2),
    _product("I.12.4  q1 / (eps r^2)", q1=1, eps=-1, r=-2),
    _product("I.14.3  m g z", m=1, g=1, z=1),
    _product("I.14.4  k x^2", k=1, x=2),
    _product("I.25.13  q / C", q=1, C=-1),
    _product("I.32.5  q^2 a^2 / (eps c^3)", q=2, a=2, eps=-1, c=-3),
    Law(
        "I.39.11  p V / (gamma - 1)",
        {"gamma": (_log_less_one, "log"), "p": (np.log, "log"), "V": (np.log, "log")},
        {"gamma": (2, 5), "p": (1, 5), "V": (1, 5)},
    ),
    _product("I.43.16  mu q V / d", mu=1, q=1, V=1, d=-1),
    Law(
        "I.43.43  k v / (A (gamma - 1))",
        {"gamma": (_log_less_one, "log"), **{c: (lambda x, s=s: s * np.log(x), "log") for c, s in
                                             (("k", 1), ("v", 1), ("A", -1))}},
        {"gamma": (2, 5), "k": (1, 5), "v": (1, 5), "A": (1, 5)},
    ),
    _product("II.3.24  P / r^2", P=1, r=-2),
    _product("II.8.31  eps E^2", eps=1, E=2),
    _product("II.38.3  Y A x / d", Y=1, A=1, x=1, d=-1),
    _product("III.21.20  rho q A / m", rho=1, q=1, A=1, m=-1),
)  # fmt: skip


def _synthetic(name, *terms):
    """Terms (function, candidate, low, high) in columns x1, x2, ..., and as many dummies."""
    ranges = {f"x{j + 1}": (low, high) for j, (_, _, low, high) in enumerate(terms)}
    ranges |= {f"dummy{j + 1}": (-1.0, 1.0) for j in range(len(terms))}
    return Law(name, {f"x{j + 1}": (f, kind) for j, (f, kind, _, _) in enumerate(terms)}, ranges)


SYNTHETIC = (
    _synthetic(
        "log + sin + exp",
        (lambda x: 2 * np.log(x), "log", 0.2, 5),
        (lambda x: np.sin(2 * x), "sin", -3, 3),
        (lambda x: np.exp(-0.8 * x), "exp", 0, 3),
    ),
    _synthetic(
        "square + tanh + abs",
        (lambda x: 0.5 * (x - 1) ** 2, "square", -2, 3),
        (lambda x: 2 * np.tanh(1.5 * x), "tanh", -3, 3),
        (lambda x: np.abs(x - 0.5), "abs", -2, 2),
    ),
    _synthetic(
        "step + linear + sqrt",
        (lambda x: 1.5 * (x > 0.3), "step", -1, 1),
        (lambda x: 0.8 * x, "linear", -2, 2),
        (lambda x: 2 * np.sqrt(x), "sqrt", 0, 4),
    ),
    _synthetic(
        "gaussian + hinge + 1/x",
        (lambda x: 2 * np.exp(-(x**2)), "gaussian", -2.5, 2.5),
        (lambda x: 1.5 * np.maximum(x - 40, 0) / 10, "hinge", 20, 70),
        (lambda x: 1 / x, "1/x", 0.3, 3),
    ),
    _synthetic(
        "cube + sin + linear + log",
        (lambda x: 0.5 * x**3, "cube", -1.5, 1.5),
        (lambda x: 1.5 * np.sin(3 * x + 1), "sin", -2, 2),
        (lambda x: -x, "linear", -1, 1),
        (lambda x: np.log(x + 1), "log", -0.9, 3),
    ),
    _synthetic(
        "tanh + exp + hinge + square",
        (lambda x: 2 * np.tanh((x - 50) / 8), "tanh", 20, 80),
        (lambda x: 0.3 * np.exp(0.9 * x), "exp", -1, 3),
        (lambda x: 2 * np.maximum(1 - x, 0), "hinge", 0, 3),
        (lambda x: -((x - 0.2) ** 2), "square", -1.5, 1.5),
    ),
    _synthetic(
        "sin + gaussian + step + sqrt",
        (lambda x: np.sin(4 * x), "sin", -2, 2),
        (lambda x: 1.5 * np.exp(-(((x - 5) / 2) ** 2)), "gaussian", 0, 10),
        (lambda x: -1.0 * (x > 65.0), "step", 20, 90),
        (lambda x: np.sqrt(x), "sqrt", 0, 6),
    ),
    _synthetic(
        "1/x^2 + log + tanh + linear + abs",
        (lambda x: 0.5 / x**2, "1/x^2", 0.5, 3),
        (lambda x: np.log(x), "log", 0.1, 4),
        (lambda x: np.tanh(2 * x), "tanh", -2, 2),
        (lambda x: 0.5 * x, "linear", -2, 2),
        (lambda x: -np.abs(x), "abs", -1.5, 1.5),
    ),
)
