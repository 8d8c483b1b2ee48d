"""Polynomial chaos against 60-digit arithmetic, QR, classical polynomials, and what every family promises."""

import json

import mpmath
import numpy as np
import pytest
from basis_contract import AWKWARD, CHECKS, SKEWED, WITH_TAIL, assert_penalty_integrates, condition
from numpy.polynomial import hermite_e, legendre

from kan_tabular.bases import PolynomialChaos, basis_from_spec
from kan_tabular.bases.recurrence import zeros

RNG = np.random.default_rng(1)
COLUMNS = {
    "normal": RNG.normal(size=60),
    "offset": 1e6 + RNG.uniform(-1, 1, 60),
    "lognormal": RNG.lognormal(size=60),
    "counts": RNG.poisson(3.0, 60).astype(float),
}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("degree", [1, 4, 8])
def test_contract(check, degree):
    check(lambda *column: PolynomialChaos(degree).fit(*column))


def design(basis, x):
    return np.column_stack([np.ones(len(x)), basis.evaluate(x)])


def gram_schmidt(x, weights, degree):
    """Orthonormal polynomials at `x` (m, degree + 1) from powers of x itself, with 60 digits."""
    with mpmath.workdps(60):
        x = [mpmath.mpf(float(v)) for v in x]
        w = [mpmath.mpf(float(v)) / mpmath.mpf(float(sum(weights))) for v in weights]
        found = []
        for k in range(degree + 1):
            p = [v**k for v in x]
            for q in found:
                part = mpmath.fsum(wi * pi * qi for wi, pi, qi in zip(w, p, q, strict=True))
                p = [pi - part * qi for pi, qi in zip(p, q, strict=True)]
            norm = mpmath.sqrt(mpmath.fsum(wi * pi * pi for wi, pi in zip(w, p, strict=True)))
            found.append([pi / norm for pi in p])
        return np.array([[float(v) for v in p] for p in found]).T


@pytest.mark.parametrize("x", COLUMNS.values(), ids=COLUMNS)
def test_values_are_those_of_powers_orthogonalised_with_60_digits(x):
    weights = RNG.integers(1, 5, len(x)).astype(float)
    basis = PolynomialChaos(5).fit(x, weights)
    assert basis.n_functions == 5 and not any(basis.hold_)
    np.testing.assert_allclose(design(basis, x), gram_schmidt(x, weights, 5), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("x", [SKEWED, RNG.lognormal(size=500)], ids=["skewed", "lognormal"])
def test_values_are_those_of_a_qr_of_powers(x):
    basis = PolynomialChaos(4).fit(x)
    z = np.interp(x, basis.domain, (-1.0, 1.0))
    q, r = np.linalg.qr(np.vander(z, 5, increasing=True))
    np.testing.assert_allclose(design(basis, x), np.sqrt(len(x)) * q * np.sign(np.diag(r)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("degree", [4, 10, 20])
@pytest.mark.parametrize("x", [*AWKWARD.values(), *COLUMNS.values(), WITH_TAIL], ids=[*AWKWARD, *COLUMNS, "far tail"])
def test_orthonormal_on_the_training_data(x, degree):
    basis = PolynomialChaos(degree).fit(x)
    assert basis.n_functions <= min(degree, len(np.unique(x)) - 1)
    values = design(basis, x)
    np.testing.assert_allclose(values.T @ values / len(x), np.eye(values.shape[1]), rtol=0, atol=1e-10)


def test_orthonormal_where_weights_and_values_span_many_orders_of_magnitude():
    rng = np.random.default_rng(0)
    for _ in range(150):
        x = np.where(rng.random(300) < 0.9, 0.0, rng.exponential(size=300))
        weights = 10 ** rng.uniform(-6, 0, 300)
        basis = PolynomialChaos(20).fit(x, weights)
        values = design(basis, x)
        gram = (values * weights[:, None]).T @ values / weights.sum()
        np.testing.assert_allclose(gram, np.eye(len(gram)), rtol=0, atol=1e-10)


@pytest.mark.parametrize("n_values", [1, 2, 3, 5, 9])
def test_degree_is_below_the_number_of_distinct_values(n_values):
    values = np.arange(n_values) ** 1.5
    basis = PolynomialChaos(6).fit(np.tile(values, 7))
    assert basis.n_functions == len(basis.alpha_) == len(basis.beta_) == min(6, n_values - 1)
    if n_values < 7:  # as many functions as values: the curve goes through any
        y = RNG.normal(size=n_values)
        c = np.linalg.solve(design(basis, values), y)
        x = np.linspace(0, values[-1], 50)
        expected = np.polyval(np.polyfit(values, y, n_values - 1), x)
        np.testing.assert_allclose(design(basis, x) @ c, expected, atol=1e-10)


def test_rows_of_weight_zero_carry_no_degree():
    x, weights = np.array([0.0, 1.0, 2.0, 3.0, 4.0]), np.array([1.0, 0.0, 2.0, 0.0, 1.0])
    basis = PolynomialChaos(4).fit(x, weights)
    assert basis.n_functions == 2
    seen = design(basis, x[::2])
    np.testing.assert_allclose((seen * weights[::2, None]).T @ seen / 4, np.eye(3), rtol=0, atol=1e-12)


def test_no_degree_that_would_swing_in_a_gap_between_training_values():
    wanted, kept = PolynomialChaos(4), PolynomialChaos(4).fit(WITH_TAIL)
    assert 2 <= kept.n_functions < 4  # four from data without that one row
    assert wanted.fit(SKEWED).n_functions == 4
    gap = np.linspace(*kept.domain, 5001)
    on_data = np.abs(kept.evaluate(WITH_TAIL)).max(0)
    assert (np.abs(kept.evaluate(gap)).max(0) <= 101 * on_data).all()


def test_known_distributions_give_the_classical_polynomials():
    nodes, w = legendre.leggauss(12)
    width = nodes[-1]  # the range is that of the nodes
    basis = PolynomialChaos(5).fit(nodes, w)
    c = np.diag(np.sqrt(2 * np.arange(6) + 1))[1:].T
    x = np.linspace(-width, width, 50)
    np.testing.assert_allclose(basis.evaluate(x), legendre.legval(x, c).T, rtol=0, atol=1e-11)
    n = np.arange(1, 6)
    np.testing.assert_allclose(basis.beta_, n / np.sqrt(4 * n**2 - 1) / width, rtol=1e-12)

    t, w = hermite_e.hermegauss(12)
    basis = PolynomialChaos(5).fit(t, w)
    np.testing.assert_allclose(basis.beta_, np.sqrt(n) / t[-1], rtol=1e-10)
    np.testing.assert_allclose(basis.alpha_, 0.0, atol=1e-12)


def test_zeros_of_the_recurrence_are_those_of_the_polynomial():
    basis = PolynomialChaos(6).fit(SKEWED)
    x = np.interp(zeros(basis._steps()), (-1.0, 1.0), basis.domain)
    np.testing.assert_allclose(basis.evaluate(x)[:, -1], 0.0, atol=1e-11)
    assert len(np.unique(x)) == 6 and (np.diff(x) > 0).all()


def test_variance_shares_add_up_to_the_variance_and_are_sobol_indices_of_independent_inputs():
    rng = np.random.default_rng(2)
    u, v = rng.gamma(2.0, size=40), rng.normal(size=30)
    first, second = PolynomialChaos(4).fit(u), PolynomialChaos(3).fit(v)
    c, d = rng.normal(size=(2, 4)), rng.normal(size=3)
    np.testing.assert_allclose(first.variance_shares(c).sum(-1), (first.evaluate(u) @ c.T).var(0), rtol=1e-12)
    assert first.variance_shares(c).shape == (2, 4) and (first.variance_shares(c) >= 0).all()
    # One function's share is the drop in variance when it is left out.
    without = np.where(np.arange(4) == 2, 0.0, c[0])
    drop = np.var(first.evaluate(u) @ c[0]) - np.var(first.evaluate(u) @ without)
    assert first.variance_shares(c[0])[2] == pytest.approx(drop)
    # Every pair (u, v) once: independent inputs.
    total = np.add.outer(first.evaluate(u) @ c[0], second.evaluate(v) @ d)
    sobol = total.mean(1).var() / total.var()
    shares = first.variance_shares(c[0]).sum(), second.variance_shares(d).sum()
    assert shares[0] / sum(shares) == pytest.approx(sobol)


def test_a_constant_column_has_no_functions():
    basis = PolynomialChaos(4).fit(np.full(9, 3.0))
    basis = basis_from_spec(json.loads(json.dumps(basis.to_spec())))
    assert basis.n_functions == 0 and basis.penalty().shape == (0, 0)
    for order in (0, 1, 2):
        assert basis.derivative(np.zeros((2, 3)), order).shape == (2, 3, 0)


@pytest.mark.parametrize("degree", [4, 10, 20])
def test_condition_number_in_the_docs(degree):
    assert condition(PolynomialChaos(degree)) == pytest.approx(1.0, abs=1e-10)


def test_penalty_is_the_integrated_squared_curvature():
    assert_penalty_integrates(PolynomialChaos(4).fit(SKEWED))
