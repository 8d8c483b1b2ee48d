"""The design matrix against brute force, and the torch path (what CUDA runs) against NumPy."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from kan_tabular.bases import BSpline
from kan_tabular.encoding import TableEncoder, read_table
from kan_tabular.likelihoods import Bernoulli, Gaussian, Multinomial, Poisson
from kan_tabular.solvers import design as module
from kan_tabular.solvers.design import Design, compress
from kan_tabular.solvers.fit import fit_network

N = 500


def tables_and_indices():
    rng = np.random.default_rng(0)
    tables = [rng.normal(size=(m, k)) for m, k in ((7, 3), (40, 5), (2, 1))]
    return tables, [rng.integers(0, len(t), N) for t in tables]


def brute_force(tables, indices):
    return np.column_stack([np.ones(N), *(t[i] for t, i in zip(tables, indices, strict=True))])


def working_weights(C):
    """A gradient (N, C) and positive definite Hessians (N, C, C)."""
    rng = np.random.default_rng(1)
    root = rng.normal(size=(N, C, C))
    return rng.normal(size=(N, C)), root @ root.transpose(0, 2, 1) + 0.1 * np.eye(C)


@pytest.fixture(params=["dense", "compressed"])
def storage(request, monkeypatch):
    if request.param == "compressed":
        monkeypatch.setattr(module, "_DENSE_CELLS", 0)
    return request.param


# ------------------------------------------------------------------------------------------------------- compress


def test_short_columns_are_compressed_without_loss():
    rng = np.random.default_rng(2)
    x, w = np.round(rng.normal(size=N), 1), rng.uniform(0.5, 2.0, N)
    values, counts, index = compress(x, w, exact=True)
    np.testing.assert_array_equal(values[index], x)
    assert (np.diff(values) > 0).all()
    np.testing.assert_allclose(counts, [w[x == v].sum() for v in values])


@pytest.mark.parametrize("exact", [True, False])
def test_missing_rows_point_behind_the_values(exact):
    x = np.random.default_rng(3).normal(size=N)
    x[::7] = np.nan
    values, counts, index = compress(x, np.ones(N), exact)
    np.testing.assert_array_equal(index == len(values), np.isnan(x))
    assert np.isfinite(values).all() and counts.sum() == (~np.isnan(x)).sum()


@pytest.mark.parametrize("scale", [0.1, 3.0], ids=["symmetric", "heavy tail"])
def test_long_columns_are_binned_within_the_promised_error(scale):
    rng = np.random.default_rng(4)
    x, w = np.exp(scale * rng.normal(size=20_000)), rng.uniform(0.5, 2.0, 20_000)
    values, counts, index = compress(x, w, exact=False)
    assert len(values) <= module._MAX_BINS + 1 and (np.diff(values) > 0).all()
    moved = values[index]
    assert np.abs(moved - x).max() < np.ptp(x) / 250
    ordered = np.sort(x)
    ranks = np.abs(np.searchsorted(ordered, moved) - np.searchsorted(ordered, x))
    assert ranks.max() < len(x) / 250
    np.testing.assert_allclose(counts, np.bincount(index, w), rtol=1e-12)
    assert counts @ values == pytest.approx(w @ x, rel=1e-10)


def test_long_columns_with_few_values_are_exact():
    x = np.random.default_rng(5).integers(0, 450, 20_000) / 7.0
    values, _, index = compress(x, np.ones(len(x)), exact=False)
    np.testing.assert_allclose(values[index], x, rtol=1e-12)


# --------------------------------------------------------------------------------------------------------- Design


@pytest.mark.parametrize("C", [1, 3])
def test_products_are_those_of_the_explicit_matrix(storage, C):
    design = Design(*tables_and_indices(), N)
    assert (design._dense is None) == (storage == "compressed")
    X = brute_force(*tables_and_indices())
    q = X.shape[1]
    b = np.random.default_rng(6).normal(size=(q, C))
    np.testing.assert_allclose(design.linear(b), X @ b, atol=1e-12)

    gradient, hessian = working_weights(C)
    score, A = design.normal_equations(gradient, hessian)
    np.testing.assert_allclose(score, X.T @ gradient, atol=1e-11)
    expected = sum(np.kron(H, np.outer(x, x)) for H, x in zip(hessian, X, strict=True))
    np.testing.assert_allclose(A, expected, atol=1e-10)


def test_some_rows_are_the_design_of_those_rows(storage):
    tables, indices = tables_and_indices()
    part = Design(tables, indices, N).rows(slice(1, None, 3))
    X = brute_force(tables, indices)[1::3]
    assert part.n_rows == len(X)
    b = np.random.default_rng(7).normal(size=(X.shape[1], 1))
    np.testing.assert_allclose(part.linear(b), X @ b, atol=1e-12)
    score, A = part.normal_equations(np.ones((len(X), 1)), np.full((len(X), 1, 1), 2.0))
    np.testing.assert_allclose(score[:, 0], X.sum(0), atol=1e-11)
    np.testing.assert_allclose(A, 2 * X.T @ X, atol=1e-10)


def test_a_design_of_the_intercept_alone(storage):
    design = Design([], [], N)
    np.testing.assert_allclose(design.linear(np.full((1, 1), 2.5)), np.full((N, 1), 2.5))
    score, A = design.normal_equations(np.ones((N, 1)), np.full((N, 1, 1), 2.0))
    np.testing.assert_allclose([score, A], [[[N]], [[2 * N]]], rtol=1e-12)


def test_products_do_not_depend_on_the_number_of_threads(storage):
    gradient, hessian = working_weights(3)
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            results.append(Design(*tables_and_indices(), N).normal_equations(gradient, hessian))
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-12, atol=1e-12)


def test_only_small_problems_are_exact():
    assert module.is_exact(20_000, 100) and not module.is_exact(20_001, 1) and not module.is_exact(20_000, 10_000)


# ------------------------------------------------------------------------------------------------------ the device


def on_device(device):
    import torch

    return torch.device(device)


@pytest.mark.parametrize("C", [1, 3])
def test_torch_products_are_numpys(storage, C):
    tables, indices = tables_and_indices()
    plain, tensors = Design(tables, indices, N), Design(tables, indices, N, device=on_device("cpu"))
    b = np.random.default_rng(8).normal(size=(plain.n_columns, C))
    eta = tensors.linear(b)
    assert type(eta).__module__ == "torch"
    np.testing.assert_allclose(tensors.to_numpy(eta), plain.linear(b), atol=1e-12)
    gradient, hessian = working_weights(C)
    own = tensors.normal_equations(tensors.asarray(gradient), tensors.asarray(hessian))
    for a, e in zip(own, plain.normal_equations(gradient, hessian), strict=True):
        assert isinstance(a, np.ndarray)
        np.testing.assert_allclose(a, e, atol=1e-10)


RESPONSES = {
    "bernoulli": (Bernoulli(), lambda eta, rng: (rng.logistic(size=len(eta)) < eta) * 1.0),
    "multinomial": (Multinomial(3), lambda eta, rng: np.digitize(eta + rng.logistic(size=len(eta)), [-0.5, 1.0]) * 1.0),
    "gaussian": (Gaussian(), lambda eta, rng: eta + rng.normal(size=len(eta))),
    "poisson": (Poisson(), lambda eta, rng: rng.poisson(np.exp(eta / 2)) * 1.0),
}


def fit_on(device, response):
    """Fit a table with numbers, categories and missing values."""
    import pandas as pd

    likelihood, target = RESPONSES[response]
    rng = np.random.default_rng(9)
    a, b, level = rng.normal(size=N), rng.exponential(size=N), rng.integers(0, 3, N)
    y = target(np.sin(2 * a) + 0.5 * b - level * 0.4, rng)
    table = pd.DataFrame({"a": a, "b": np.where(rng.random(N) < 0.2, np.nan, b), "level": pd.Categorical(level)})
    encoder, w = TableEncoder(), rng.uniform(0.5, 2.0, N)
    encoded = encoder.fit_transform(read_table(table), w)
    offset = 0.1 * rng.normal(size=N) if response == "poisson" else 0.0
    features = encoder.features_
    return fit_network(
        encoded,
        features,
        y,
        w,
        likelihood,
        family=BSpline(6),
        smoothing="auto",
        select=True,
        offset=offset,
        device=device,
    )


def assert_same_fit(own, expected):
    (network, edf, n_iter), (reference, edf_reference, n_iter_reference) = own, expected
    assert n_iter == n_iter_reference
    np.testing.assert_allclose(network.intercept, reference.intercept, atol=1e-8)
    for curves, curves_reference in zip(network.inputs, reference.inputs, strict=True):
        assert isinstance(curves.coefficients, np.ndarray)
        np.testing.assert_allclose(curves.coefficients, curves_reference.coefficients, atol=1e-8)
    np.testing.assert_allclose(network.covariance, reference.covariance, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(edf, edf_reference, atol=1e-6)


@pytest.mark.parametrize("response", RESPONSES)
def test_a_fit_on_torch_tensors_is_numpys_fit(response, storage):
    assert_same_fit(fit_on(on_device("cpu"), response), fit_on("cpu", response))


@pytest.mark.parametrize("response", ["multinomial", "poisson"])
def test_a_start_from_a_sample_of_rows_works_on_torch_tensors(response, storage, monkeypatch):
    expected = fit_on("cpu", response)
    monkeypatch.setattr("kan_tabular.solvers.additive._SAMPLE_ROWS", 100)
    own = fit_on(on_device("cpu"), response)
    assert_same_fit(own, fit_on("cpu", response))
    # The same optimum as without that start, within the tolerance of the fit.
    for curves, reference in zip(own[0].inputs, expected[0].inputs, strict=True):
        np.testing.assert_allclose(curves.coefficients, reference.coefficients, atol=0.02)


@pytest.mark.gpu
@pytest.mark.parametrize("response", RESPONSES)
def test_a_fit_on_cuda_is_numpys_fit(response, storage):
    assert_same_fit(fit_on("cuda", response), fit_on("cpu", response))
