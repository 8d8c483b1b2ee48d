"""Wavelets against their formulas, differentiated by sympy, and against the integrals that define their norm."""

import numpy as np
import pytest
import sympy
from basis_contract import CHECKS, SKEWED, assert_is_formula, assert_penalty_integrates
from scipy.integrate import quad

from kan_tabular.bases import Wavelet

KINDS = ["mexican_hat", "morlet", "dog"]
Z = sympy.Symbol("z", real=True)


def mother(kind, u):
    """The wavelet before its norm, from its definition: derivatives of a Gaussian, or a wave less its mean."""
    bell = sympy.exp(-(u**2) / 2)
    if kind == "morlet":
        return (sympy.cos(5 * u) - sympy.exp(sympy.Rational(-25, 2))) * bell
    v = sympy.Symbol("v")
    derivative = sympy.diff(sympy.exp(-(v**2) / 2), v, 2 if kind == "mexican_hat" else 1)
    return (-1 if kind == "mexican_hat" else 1) * derivative.subs(v, u)


def lattice(kind, n_scales):
    for j in range(n_scales):
        s = sympy.Rational(1, 2**j)
        if kind == "morlet":
            yield from ((s, -1 + s * k) for k in range(2 ** (j + 1) + 1))
        else:
            yield from ((s, -1 + s * (2 * k + 1)) for k in range(2**j))


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("kind", KINDS)
def test_contract(check, kind):
    check(lambda *column: Wavelet(kind, 2).fit(*column))


@pytest.mark.parametrize("n_scales", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_derivatives_are_the_formulas(kind, n_scales):
    norm = 1 / np.sqrt(quad(sympy.lambdify(Z, mother(kind, Z) ** 2), -12, 12, epsabs=1e-14, epsrel=1e-13)[0])
    formulas = [norm * mother(kind, (Z - t) / s) / sympy.sqrt(s) for s, t in lattice(kind, n_scales)]
    basis = Wavelet(kind, n_scales).fit(SKEWED)
    assert basis.n_functions == len(formulas)
    assert_is_formula(basis, formulas, Z)


@pytest.mark.parametrize("kind", KINDS)
def test_mother_wavelets_have_mean_zero_and_unit_norm(kind):
    basis = Wavelet(kind, 1).fit(np.array([-1.0, 1.0]))
    middle = basis.n_functions // 2

    def own(z):
        return basis._functions(np.array(z), 0)[middle]

    assert quad(own, -12, 12, epsabs=1e-13)[0] == pytest.approx(0, abs=1e-11)
    assert quad(lambda z: own(z) ** 2, -12, 12, epsabs=1e-13)[0] == pytest.approx(1, abs=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_penalty_is_the_integrated_squared_curvature(kind):
    assert_penalty_integrates(Wavelet(kind, 2).fit(SKEWED))


@pytest.mark.parametrize("kind", KINDS)
def test_more_scales_come_closer_to_a_bump(kind):
    z = np.linspace(-1, 1, 800)
    bump, errors = np.tanh(6 * z) + z**2, []
    for n_scales in (2, 3, 4):
        design = np.column_stack([np.ones_like(z), z, Wavelet(kind, n_scales).fit(z).evaluate(z)])
        errors.append(np.std(design @ np.linalg.lstsq(design, bump, rcond=1e-8)[0] - bump))
    assert errors[0] > errors[1] > errors[2] and errors[2] < 0.05


@pytest.mark.parametrize(
    "kind, conditions", [("mexican_hat", [4.0, 7.2, 12.3]), ("dog", [8.2, 23.6, 90.4]), ("morlet", [17.2, 62.8, 3850])]
)
def test_conditioning_of_the_design(kind, conditions):
    z = np.linspace(-1, 1, 2000)
    own = [np.linalg.cond(Wavelet(kind, n).fit(z).evaluate(z)) for n in (2, 3, 4)]
    np.testing.assert_allclose(own, conditions, rtol=0.01)


def test_an_unknown_wavelet_is_refused():
    with pytest.raises(ValueError, match="mexican_hat"):
        Wavelet("haar")
