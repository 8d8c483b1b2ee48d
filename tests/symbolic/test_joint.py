"""Joint formulas: derivatives, maximum likelihood, digits, and the same values as sums and products of terms."""

import numpy as np
import pytest
import sympy
from scipy.optimize import minimize

from kan_tabular.encoding.encoder import Feature
from kan_tabular.exceptions import FormulaError
from kan_tabular.likelihoods import Bernoulli, Gaussian
from kan_tabular.symbolic.formula import Formula, Sum
from kan_tabular.symbolic.joint import Joint, Shape, Writer, rounded_joint
from kan_tabular.symbolic.refit import Response, refit

A, B, C = SYMBOLS = sympy.symbols("a b c", real=True)
P, Q, R = CONSTANTS = sympy.symbols("p q r", real=True)
EXPRESSION = P * A * sympy.exp(Q * B) / (C + R)


def rows(n=300, low=0.5, high=3.0, seed=0):
    return np.random.default_rng(seed).uniform(low, high, (n, 3))


def model(values, X, summands=(False, False, True)):
    return Joint.of([Shape(EXPRESSION, SYMBOLS, CONSTANTS, {}, summands)], [values], X)


def test_gradient_is_that_of_differences():
    X = rows()
    y = (np.random.default_rng(1).random(len(X)) < 0.4).astype(float)
    own, response = model([1.2, -0.4, 0.7], X), Response(Bernoulli(), np.eye(1), y, np.ones(len(X)))
    gradient, hessian = own.system(response)
    for k in range(3):
        step = np.zeros(3)
        step[k] = 1e-6
        slope = (own.moved(step).objective(response) - own.moved(-step).objective(response)) / 2e-6
        assert -slope == pytest.approx(gradient[k], rel=1e-5, abs=1e-6)
    assert (np.linalg.eigvalsh(hessian) > 0).all()


def test_joint_fit_is_the_maximum_that_scipy_finds():
    X, rng = rows(800), np.random.default_rng(1)
    eta = 2 * X[:, 0] * np.exp(-0.5 * X[:, 1]) / (X[:, 2] + 0.4) - 0.8
    y = (rng.random(len(X)) < 1 / (1 + np.exp(-eta))).astype(float)
    response = Response(Bernoulli(), np.eye(1), y, np.ones(len(X)))
    _, value = refit(model([1.0, -0.2, 1.0], X), response)

    def minus_log_likelihood(v):
        own = v[0] * X[:, 0] * np.exp(v[1] * X[:, 1]) / (X[:, 2] + v[2])
        return np.logaddexp(0, own).sum() - y @ own

    best = minimize(minus_log_likelihood, [1.0, -0.2, 1.0], method="Nelder-Mead", options={"maxiter": 4000})
    assert value == pytest.approx(best.fun, abs=2e-2)


def test_digits_respect_standard_errors_and_zeros_are_left_out():
    X, rng = rows(500), np.random.default_rng(2)
    y = 2.5 * X[:, 0] * np.exp(-0.7 * X[:, 1]) / X[:, 2] + 0.02 * rng.normal(size=500)
    response = Response(Gaussian(), np.eye(1), y, np.ones(500))
    fitted, _ = refit(model([2.0, -0.5, 0.1], X), response)
    dispersion = response.deviance(fitted.predictor()) / 497
    final = rounded_joint(fitted, response, dispersion)
    assert final.values[0][2] == 0.0
    np.testing.assert_allclose(final.values[0][:2], [2.5, -0.7], atol=0.02)
    assert all(len(f"{abs(v):g}") <= 7 for v in final.values[0])
    rise = 2 * (final.objective(response) - fitted.objective(response)) / dispersion
    assert rise < 6
    assert rounded_joint(fitted, response, dispersion, None) is fitted


@pytest.mark.parametrize(
    "expression",
    [
        2 * A * B - 3 * B / C + 0.5 * A**2 + 1.5,
        sympy.sqrt((A - B) ** 2 + (C - 1) ** 2),
        -1.5 * A * sympy.exp(-0.3 * B * C) / (1 + A / B),
        sympy.log(1 + A * B) * sympy.sin(C) ** 2 + 0.1 * A,
        sympy.asin(0.1 * A * sympy.sin(B)) + 1 / (1 / A + B / C),
        3 * (A + B) ** 2 / (A + C),
        2 * (A - B + 0.5),
        A * B * C,
        sympy.exp(A / B) - 2.0 * A,
    ],
    ids=str,
)
def test_terms_have_the_values_of_the_expression(expression):
    X = rows(200)
    features = [Feature(n, "numeric", low=0.5, high=3.0) for n in ("age (y)", "b", "c")]
    formula = Formula([Writer([f.name for f in features], SYMBOLS, X).sum(expression)], features)
    new = rows(100, 0.6, 2.9, seed=5)
    expected = sympy.lambdify(SYMBOLS, expression, "numpy")(*new.T)
    np.testing.assert_allclose(formula.evaluate_encoded(new)[:, 0], expected, rtol=1e-10)
    again = Formula.from_spec(formula.to_spec())
    assert (again.evaluate_encoded(new) == formula.evaluate_encoded(new)).all()
    far = np.array([[1e9, -1e9, 1e9], [0.0, 0.0, 0.0], [np.nan, 1.0, np.nan]])
    assert np.isfinite(formula.evaluate_encoded(far)).all()


def test_the_argument_of_a_curve_is_a_node_of_its_own():
    X, u = rows(200), sympy.Symbol("u", real=True)
    features = [Feature(n, "numeric", low=0.5, high=3.0) for n in "abc"]
    writer = Writer(list("abc"), SYMBOLS, X)
    node = writer.sum(C * (1 + 2 * sympy.Max(u - 1, 0) + sympy.tanh(u)), {u: A / B})
    value = X[:, 0] / X[:, 1]
    expected = X[:, 2] * (1 + 2 * np.maximum(value - 1, 0) + np.tanh(value))
    np.testing.assert_allclose(Formula([node], features).evaluate_encoded(X)[:, 0], expected, rtol=1e-10)


def test_what_has_a_pole_among_the_rows_is_no_formula():
    writer = Writer(list("abc"), SYMBOLS, rows(200))
    with pytest.raises(FormulaError, match="finite real number"):
        writer.sum(A / (B - C))
    assert isinstance(writer.sum(A / (B + C)), Sum)
