"""The fitted network: fast paths against the curves themselves, standard errors against the quadratic form."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import block_diag

from kan_tabular.bases import BSpline
from kan_tabular.encoding import TableEncoder, read_table
from kan_tabular.fitted import curves as curves_module
from kan_tabular.fitted import network as module
from kan_tabular.fitted.network import FittedNetwork
from kan_tabular.likelihoods import Bernoulli, Gaussian, Multinomial
from kan_tabular.solvers.fit import fit_network

N = 300
RESPONSES = {
    "binary": (Bernoulli(), lambda eta: (eta > 0) * 1.0),
    "multiclass": (Multinomial(3), lambda eta: np.digitize(eta, [-0.5, 0.7]) * 1.0),
    "gaussian": (Gaussian(), lambda eta: eta),
}


@pytest.fixture(scope="module", params=RESPONSES)
def fitted(request):
    """A network of numbers and categories with and without missing values, and columns without information."""
    likelihood, target = RESPONSES[request.param]
    rng = np.random.default_rng(0)
    a, level = rng.normal(size=N), rng.integers(0, 3, N)
    y = target(np.sin(2 * a) - 0.4 * level + 0.5 * rng.normal(size=N))
    table = pd.DataFrame(
        {
            "a": a,
            "holes": np.where(rng.random(N) < 0.2, np.nan, a + rng.normal(size=N)),
            "level": pd.Categorical(np.where(rng.random(N) < 0.1, None, level)),
            "flag": rng.random(N) < 0.4,
            "three": rng.integers(0, 3, N),
            "constant": 7.0,
            "constant or missing": np.where(rng.random(N) < 0.3, np.nan, 1.0),
            "empty": np.nan,
        }
    )
    encoder, w = TableEncoder(), np.ones(N)
    Z = encoder.fit_transform(read_table(table), w)
    network, _, _ = fit_network(
        Z, encoder.features_, y, w, likelihood, family=BSpline(5), smoothing="auto", select=True
    )
    return network, Z


def strange(Z):
    """Training rows, then values far outside, missing everywhere, and unseen levels."""
    rows = Z[:40].copy()
    rows[0] = np.nan
    rows[1], rows[2] = 1e6, -1e6
    rows[1:4, 2] = -1
    rows[4:9, 2] = [0, 1, 2, np.nan, -1]
    rows[9, 0], rows[10, 0] = np.nanmin(Z[:, 0]), np.nanmax(Z[:, 0])
    return rows


def test_both_paths_of_contributions_are_the_curves(fitted, monkeypatch):
    network, Z = fitted
    rows = strange(Z)
    few = network.contributions(rows)
    monkeypatch.setattr(curves_module, "_FEW_ROWS", 0)
    many = network.contributions(rows)
    curves = np.stack(
        [c.evaluate(rows[:, j]) @ network.output_map for j, c in enumerate(network.inputs)],
        axis=1,
    )
    assert few.shape == (40, 8, network.n_outputs)
    np.testing.assert_allclose(many, few, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(few, curves, rtol=1e-9, atol=1e-10)
    np.testing.assert_array_equal(few[3:4, 2], 0.0)  # an unseen level is neutral
    assert np.abs(few[:, :3]).max() > 0.1 and not few[:, [5, 7]].any()


def test_contributions_are_centred_and_sum_to_the_predictor(fitted, monkeypatch):
    network, Z = fitted
    contributions = network.contributions(Z)
    np.testing.assert_allclose(contributions.mean(0), 0.0, atol=1e-10)
    whole = network.forward(Z)
    np.testing.assert_allclose(whole, network.base + contributions.sum(1), atol=1e-12)
    monkeypatch.setattr(module, "_BLOCK_CELLS", 100 * Z.shape[1])
    np.testing.assert_allclose(network.forward(Z), whole, atol=1e-12)
    if network.n_outputs > 1:
        np.testing.assert_allclose(whole.sum(1), 0.0, atol=1e-10)


def test_sizes_of_contributions_are_those_of_the_rows(fitted, monkeypatch):
    network, Z = fitted
    contributions = network.contributions(Z)
    monkeypatch.setattr(module, "_BLOCK_CELLS", 70 * Z.shape[1] * network.n_outputs)
    mean_abs, variance = network.contribution_sizes(Z)
    np.testing.assert_allclose(mean_abs, np.abs(contributions).mean((0, 2)), atol=1e-12)
    np.testing.assert_allclose(variance, contributions.var(0).mean(1), atol=1e-12)
    np.testing.assert_allclose(network.mean_abs, mean_abs, atol=1e-12)
    np.testing.assert_allclose(network.variance, variance, atol=1e-12)


def test_standard_error_is_the_quadratic_form(fitted, monkeypatch):
    network, Z = fitted
    rows = strange(Z)
    X = np.column_stack([np.ones(len(rows)), *(c.columns(rows[:, j]) for j, c in enumerate(network.inputs))])
    q, C = X.shape[1], len(network.intercept)
    # The covariance at the chosen smoothing parameters, each term's own block replaced by the corrected one.
    V = network.covariance.copy()
    for j, columns in enumerate(network.columns_of):
        index = np.concatenate([np.arange(q)[columns] + c * q for c in range(C)])
        V[np.ix_(index, index)] = network.term_covariance(j)
    levels = network.smoothing[2]
    prior = network.dispersion / np.exp(levels.rho[levels.kinds.index("level")])
    expected = np.empty((len(rows), network.n_outputs))
    for i, x in enumerate(X):
        for k, to_output in enumerate(network.output_map.T):
            g = np.kron(to_output, x)
            new_level = prior * (to_output @ to_output) if rows[i, 2] == -1 else 0.0
            expected[i, k] = np.sqrt(g @ V @ g + new_level)
    np.testing.assert_allclose(network.standard_error(rows), expected, rtol=1e-8)
    monkeypatch.setattr(module, "_BLOCK_CELLS", 7 * q)
    np.testing.assert_allclose(network.standard_error(rows), expected, rtol=1e-8)


def test_corrected_covariance_is_not_below_the_conditional_one_on_average(fitted):
    network, _ = fitted
    for j in range(len(network.inputs)):
        corrected, conditional = network.term_covariance(j), network.term_covariance(j, corrected=False)
        assert corrected.shape == conditional.shape
        if len(corrected):
            assert np.linalg.eigvalsh(corrected).min() > 0
            assert np.trace(corrected) > 0.9 * np.trace(conditional)
    everything = block_diag(*(network.term_covariance(j, corrected=False) for j in range(len(network.inputs))))
    blocks = np.concatenate([network._index(j) for j in range(len(network.inputs))])
    np.testing.assert_array_equal(np.diag(everything), np.diag(network.covariance)[blocks])


def test_a_network_survives_its_spec(fitted):
    network, Z = fitted
    spec, arrays = network.to_spec()
    assert all(isinstance(a, np.ndarray) for a in arrays.values())
    again = FittedNetwork.from_spec(json.loads(json.dumps(spec, allow_nan=False)), arrays)
    rows = strange(Z)
    np.testing.assert_array_equal(again.contributions(rows), network.contributions(rows))
    np.testing.assert_array_equal(again.forward(Z), network.forward(Z))
    np.testing.assert_array_equal(again.standard_error(rows), network.standard_error(rows))
    assert again.feature_names == network.feature_names and again.kinds == network.kinds
    assert [s.to_spec() for s in again.smoothing] == [s.to_spec() for s in network.smoothing]
    for name in ("density", "density_edges"):
        for own, expected in zip(getattr(again, name), getattr(network, name), strict=True):
            np.testing.assert_array_equal(own, expected)
    assert again.to_spec()[0] == spec
