"""Sines and cosines against their definition, and what every family on an interval promises."""

from types import SimpleNamespace

import numpy as np
import pytest
from basis_contract import (
    CHECKS,
    SKEWED,
    assert_penalty_integrates,
    check_distinct_values_are_told_apart,
    condition,
)

from kan_tabular.bases import Fourier, fourier

Z = np.linspace(-1.0, 1.0, 401)


def reference(n, half_period, order=0):
    """From the definition: differentiating shifts the phase by a quarter of a turn."""
    rates = (np.pi / 2 if half_period else np.pi) * np.arange(1, n + 1)
    angle = np.multiply.outer(Z, rates) + order * np.pi / 2
    return np.stack([rates**order * np.cos(angle), rates**order * np.sin(angle)], axis=-1).reshape(len(Z), -1)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("n, half_period", [(1, True), (5, True), (5, False)])
def test_contract(check, n, half_period):
    if not half_period and check is check_distinct_values_are_told_apart:
        return  # both ends of a whole period are the same point
    check(lambda *column: Fourier(n, half_period).fit(*column))


@pytest.mark.parametrize("half_period", [True, False])
@pytest.mark.parametrize("n", [1, 5, 20])
def test_values_and_derivatives_are_the_definitions(n, half_period):
    basis = Fourier(n, half_period).fit(Z)
    assert basis.n_functions == 2 * n
    np.testing.assert_allclose(basis.evaluate(Z), reference(n, half_period), rtol=0, atol=1e-12)
    for order in (1, 2):
        expected = reference(n, half_period, order)
        np.testing.assert_allclose(basis.derivative(Z, order), expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_over_half_a_period_the_ends_are_free_of_each_other():
    half, whole = Fourier(3).fit(Z), Fourier(3, half_period=False).fit(Z)
    ends = np.array([-1.0, 1.0])
    np.testing.assert_allclose(np.diff(whole.evaluate(ends), axis=0), 0.0, atol=1e-14)
    np.testing.assert_allclose(np.diff(whole.derivative(ends), axis=0), 0.0, atol=1e-13)
    line = np.column_stack([np.ones_like(Z), half.evaluate(Z)])
    assert np.abs(line @ np.linalg.lstsq(line, Z, rcond=None)[0] - Z).max() < 0.01
    line = np.column_stack([np.ones_like(Z), whole.evaluate(Z)])
    assert np.abs(line @ np.linalg.lstsq(line, Z, rcond=None)[0] - Z).max() > 0.9


def test_whole_period_is_orthogonal_for_a_uniform_input():
    z = (np.arange(64) + 0.5) / 32 - 1
    values = np.column_stack([np.ones_like(z), np.sqrt(2) * Fourier(6, half_period=False).fit(Z).evaluate(z)])
    np.testing.assert_allclose(values.T @ values / 64, np.eye(13), rtol=0, atol=1e-13)


def test_one_cosine_and_one_sine_whatever_the_number_of_frequencies(monkeypatch):
    calls = []

    def counted(function):
        return lambda angle: calls.append(function) or function(angle)

    namespace = SimpleNamespace(cos=counted(np.cos), sin=counted(np.sin), stack=np.stack)
    monkeypatch.setattr(fourier, "array_namespace", lambda x: namespace)
    np.testing.assert_allclose(Fourier(7).fit(Z)._functions(Z, 2), reference(7, True, 2), rtol=0, atol=1e-10)
    assert calls == [np.cos, np.sin]


@pytest.mark.parametrize(
    "n, half_period, expected",
    [(2, True, 22.2), (3, True, 118), (5, True, 3570), (8, True, 6.35e5), (5, False, 1.41), (20, False, 1.41)],
)
def test_condition_numbers_in_the_docs(n, half_period, expected):
    assert condition(Fourier(n, half_period)) == pytest.approx(expected, rel=5e-3)


def test_penalty_is_the_integrated_squared_curvature():
    assert_penalty_integrates(Fourier().fit(SKEWED))
