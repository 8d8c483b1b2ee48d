"""Thirty formulas of the Feynman lectures that are no sums, and when a formula counts as one of them.

The rule, fixed before anything was run: the first 30 formulas of AI-Feynman's table (Udrescu & Tegmark 2020, Science
Advances 6: eaay2631; its order, names and ranges) that have two to four variables and are not additive in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy

#: Clean, new points on which formulas are compared, and the share of their variance that counts as rounding.
_POINTS, _ROUNDING = 300, 1e-12
#: A constant has vanished below this share of what it was.
_VANISHED = 1e-4
#: A formula may be this much larger than the law: 6 + 2 times its operations and constants.
_SIZE = (6, 2)


@dataclass(frozen=True)
class Law:
    """A formula and where its variables are drawn (uniformly).

    Attributes
    ----------
    name : str
        Number in the lectures.
    formula : str
    ranges : dict
        {variable: (low, high)}.
    """

    name: str
    formula: str
    ranges: dict

    @cached_property
    def symbols(self):
        return [sympy.Symbol(name, real=True) for name in self.ranges]

    @cached_property
    def expression(self):
        return read(self.formula, self.symbols)

    @cached_property
    def is_power_law(self):
        """Whether it is a product of powers, so that its logarithm is a sum."""
        factors = [f.as_base_exp() for f in sympy.Mul.make_args(self.expression)]
        return all(power.is_number and (base.is_Symbol or base.is_number) for base, power in factors)

    def draw(self, n, noise, rng):
        """Rows (n, p), responses with noise in standard deviations of the clean ones, and the clean ones."""
        X = np.column_stack([rng.uniform(low, high, n) for low, high in self.ranges.values()])
        clean = self.clean(X)
        return X, clean + noise * clean.std() * rng.normal(size=n), clean

    def clean(self, X):
        return np.asarray(sympy.lambdify(self.symbols, self.expression, "numpy")(*X.T), dtype=float)


def read(text, symbols):
    """A sympy expression from text in the symbols' names; `^` is a power."""
    from sympy.parsing.sympy_parser import convert_xor, parse_expr, standard_transformations

    known = {s.name: s for s in symbols}
    return parse_expr(text, local_dict=known, transformations=(*standard_transformations, convert_xor))


def size(expression):
    """Operations and constants."""
    return sum(not node.is_Symbol for node in sympy.preorder_traversal(expression))


def equal_up_to_constants(expression, law):
    """SRBench's question (La Cava et al. 2021), asked numerically: is it the law but for the values of constants?

    SRBench rounds constants to three decimals and lets sympy simplify the difference and the ratio, which also decides
    about the sizes of constants and often gives up on long formulas. Here constants are rounded as there, what is
    then left of the formula must not be more than `_SIZE` larger than the law, and its constants (exponents that are
    whole numbers or ratios of such apart), a factor and a summand, fitted to clean new points, must leave nothing but
    rounding; and no constant may vanish thereby that takes more with it than itself, as in ``exp(0.02 x)``.

    Returns
    -------
    solved : bool
    equal : bool
        The same whatever the size.
    """
    rounded = expression.xreplace({f: sympy.Float(round(float(f), 3)) for f in expression.atoms(sympy.Float)})
    rounded = rounded.xreplace({f: sympy.Integer(round(float(f))) for f in rounded.atoms(sympy.Float) if f == int(f)})
    fits = size(rounded) <= _SIZE[0] + _SIZE[1] * size(law.expression)
    equal = any(_equal(e, law) for e in ([rounded] if fits else []) + [expression])
    return bool(fits and equal), bool(equal)


def _equal(expression, law):
    """Whether the expression is the law with its constants, a factor and a summand fitted; none may become useless."""
    from scipy.optimize import least_squares

    if any(n.is_number and n.is_real is False for n in sympy.preorder_traversal(expression)):
        return False  # such as the arcsine of a constant beyond 1
    X, _, clean = law.draw(_POINTS, 0.0, np.random.default_rng(99))
    free, start, summand = _with_free_constants(expression)
    constants = [sympy.Symbol(f"c_{k}", real=True) for k in range(len(start))]
    function = sympy.lambdify([*law.symbols, *constants], free, "numpy")

    def residual(p):
        with np.errstate(all="ignore"):
            value = (p[0] + p[1] * function(*X.T, *p[2:]) * np.ones(len(X)) - clean) / clean.std()
        return np.where(np.isfinite(value), np.real(value), 1e6)

    p = np.array([0.0, 1.0, *start])
    for _ in range(3):
        p = least_squares(residual, p, x_scale=np.maximum(np.abs(p), 1e-2), xtol=1e-15, ftol=1e-15, gtol=1e-15).x
    useless = np.abs(p[2:]) < _VANISHED * np.abs(start)
    return np.mean(residual(p) ** 2) < _ROUNDING and not (useless & ~np.array(summand, dtype=bool)).any()


def _with_free_constants(expression):
    """The expression with symbols c_0, c_1, ... for its constants, their values, and which are summands.

    Exponents stay as they are.
    """
    values, summands = [], []

    def visit(node, within=None):
        constant = node.is_number and node not in (0, 1, -1)
        if constant:
            values.append(float(node))
            summands.append(isinstance(within, sympy.Add))
            return sympy.Symbol(f"c_{len(values) - 1}", real=True)
        if isinstance(node, sympy.Pow) and node.args[1].is_Rational:
            return sympy.Pow(visit(node.args[0]), node.args[1])
        return node.func(*(visit(a, node) for a in node.args)) if node.args else node

    return visit(expression), values, summands


def _laws():
    one_to_five = (1, 5)
    rows = [
        ("I.6.2", "exp(-(theta/sigma)**2/2)/(sqrt(2*pi)*sigma)", {"sigma": (1, 3), "theta": (1, 3)}),
        ("I.6.2b", "exp(-((theta-theta1)/sigma)**2/2)/(sqrt(2*pi)*sigma)",
         {"sigma": (1, 3), "theta": (1, 3), "theta1": (1, 3)}),
        ("I.8.14", "sqrt((x2-x1)**2+(y2-y1)**2)", dict.fromkeys(("x1", "x2", "y1", "y2"), one_to_five)),
        ("I.10.7", "m0/sqrt(1-v**2/c**2)", {"m0": (1, 5), "v": (1, 2), "c": (3, 10)}),
        ("I.12.1", "mu*Nn", dict.fromkeys(("mu", "Nn"), one_to_five)),
        ("I.12.2", "q1*q2/(4*pi*eps*r**2)", dict.fromkeys(("q1", "q2", "eps", "r"), one_to_five)),
        ("I.12.4", "q1/(4*pi*eps*r**2)", dict.fromkeys(("q1", "eps", "r"), one_to_five)),
        ("I.12.5", "q2*Ef", dict.fromkeys(("q2", "Ef"), one_to_five)),
        ("I.13.4", "m*(v**2+u**2+w**2)/2", dict.fromkeys(("m", "v", "u", "w"), one_to_five)),
        ("I.14.3", "m*g*z", dict.fromkeys(("m", "g", "z"), one_to_five)),
        ("I.14.4", "k*x**2/2", dict.fromkeys(("k", "x"), one_to_five)),
        ("I.15.3x", "(x-u*t)/sqrt(1-u**2/c**2)", {"x": (5, 10), "u": (1, 2), "c": (3, 20), "t": (1, 2)}),
        ("I.15.3t", "(t-u*x/c**2)/sqrt(1-u**2/c**2)", {"x": (1, 5), "c": (3, 10), "u": (1, 2), "t": (1, 5)}),
        ("I.15.10", "m0*v/sqrt(1-v**2/c**2)", {"m0": (1, 5), "v": (1, 2), "c": (3, 10)}),
        ("I.16.6", "(u+v)/(1+u*v/c**2)", dict.fromkeys(("c", "v", "u"), one_to_five)),
        ("I.18.4", "(m1*r1+m2*r2)/(m1+m2)", dict.fromkeys(("m1", "m2", "r1", "r2"), one_to_five)),
        ("I.18.12", "r*F*sin(theta)", {"r": (1, 5), "F": (1, 5), "theta": (0, 5)}),
        ("I.18.14", "m*r*v*sin(theta)", dict.fromkeys(("m", "r", "v", "theta"), one_to_five)),
        ("I.24.6", "m*(omega**2+omega0**2)*x**2/4", dict.fromkeys(("m", "omega", "omega0", "x"), (1, 3))),
        ("I.25.13", "q/C", dict.fromkeys(("q", "C"), one_to_five)),
        ("I.26.2", "asin(n*sin(theta2))", {"n": (0, 1), "theta2": (1, 5)}),
        ("I.27.6", "1/(1/d1+n/d2)", dict.fromkeys(("d1", "d2", "n"), one_to_five)),
        ("I.29.4", "omega/c", dict.fromkeys(("omega", "c"), (1, 10))),
        ("I.29.16", "sqrt(x1**2+x2**2-2*x1*x2*cos(theta1-theta2))",
         dict.fromkeys(("x1", "x2", "theta1", "theta2"), one_to_five)),
        ("I.30.3", "I0*sin(n*theta/2)**2/sin(theta/2)**2", dict.fromkeys(("I0", "theta", "n"), one_to_five)),
        ("I.30.5", "asin(lambd/(n*d))", {"lambd": (1, 2), "d": (2, 5), "n": (1, 5)}),
        ("I.32.5", "q**2*a**2/(6*pi*eps*c**3)", dict.fromkeys(("q", "a", "eps", "c"), one_to_five)),
        ("I.34.8", "q*v*B/p", dict.fromkeys(("q", "v", "B", "p"), one_to_five)),
        ("I.34.1", "omega0/(1-v/c)", {"c": (3, 10), "v": (1, 2), "omega0": (1, 5)}),
        ("I.34.14", "(1+v/c)/sqrt(1-v**2/c**2)*omega0", {"c": (3, 10), "v": (1, 2), "omega0": (1, 5)}),
    ]  # fmt: skip
    return tuple(Law(*row) for row in rows)


LAWS = _laws()

#: Later formulas and made-up ones, on which the search was developed; none of them is in `LAWS`.
DEVELOPMENT = tuple(
    Law(name, formula, {v: r for names, r in ranges.items() for v in names.split()})
    for name, formula, ranges in [
        ("I.37.4", "I1+I2+2*sqrt(I1*I2)*cos(delta)", {"I1 I2 delta": (1, 5)}),
        ("I.43.31", "mob*kb*T", {"mob T kb": (1, 5)}),
        ("I.47.23", "sqrt(gamma*pr/rho)", {"gamma pr rho": (1, 5)}),
        ("I.48.2", "m*c**2/sqrt(1-v**2/c**2)", {"m": (1, 5), "v": (1, 2), "c": (3, 10)}),
        ("I.50.26", "x1*(cos(omega*t)+alpha*cos(omega*t)**2)", {"x1 omega t alpha": (1, 3)}),
        ("II.6.11", "pd*cos(theta)/(4*pi*eps*r**2)", {"eps pd theta r": (1, 3)}),
        ("II.11.28", "1+n*alpha/(1-n*alpha/3)", {"n alpha": (0, 1)}),
        ("II.13.23", "rho/sqrt(1-v**2/c**2)", {"rho": (1, 5), "v": (1, 2), "c": (3, 10)}),
        ("II.15.4", "-mom*B*cos(theta)", {"mom B theta": (1, 5)}),
        ("II.24.17", "sqrt(omega**2/c**2-pi**2/d**2)", {"omega": (4, 6), "c": (1, 2), "d": (2, 4)}),
        ("II.37.1", "mom*(1+chi)*B", {"mom chi B": (1, 5)}),
        ("II.38.14", "Y/(2*(1+sigma))", {"Y sigma": (1, 5)}),
        ("III.4.32", "1/(exp(h*omega/(kb*T))-1)", {"h omega kb T": (1, 5)}),
        ("III.8.54", "sin(E*t/h)**2", {"E t": (1, 2), "h": (1, 4)}),
        ("III.10.19", "mom*sqrt(Bx**2+By**2+Bz**2)", {"mom Bx By Bz": (1, 5)}),
        ("III.15.12", "2*U*(1-cos(k*d))", {"U k d": (1, 5)}),
        ("III.17.37", "beta*(1+alpha*cos(theta))", {"beta alpha theta": (1, 5)}),
        ("made up 1", "a*b/(c**2+a)", {"a b c": (1, 5)}),
        ("made up 2", "a*exp(-b/3)+2*c", {"a b c": (1, 5)}),
        ("made up 3", "(a-37)*(b+2.3)", {"a": (20, 80), "b": (-1, 4)}),
        ("made up 4", "log(1+a*b)*c", {"a b c": (1, 5)}),
        ("made up 5", "tanh(a*b)+c**2", {"a b c": (-1, 1)}),
        ("made up 6", "a/(b+c)-d", {"a b c d": (1, 5)}),
        ("made up 7", "exp(-(a-b)**2)*c", {"a b c": (-1, 2)}),
    ]
)
