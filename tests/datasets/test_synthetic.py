"""The truth of made-up tables: centred curves of known variance, and responses that follow it."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import dblquad, quad
from scipy.special import expit

from kan_tabular import KAAMRegressor
from kan_tabular.datasets import make_additive, make_interaction, make_steps


def squared(surface, a, b):
    return surface(a, b) ** 2


def mean_and_variance(curve, breaks=()):
    points = {"points": list(breaks)} if len(breaks) else {}
    mean = quad(lambda x: float(curve(x)), 0, 1, **points)[0]
    return mean, quad(lambda x: float(curve(x)) ** 2, 0, 1, **points)[0]


@pytest.mark.parametrize("j", range(8))
def test_curves_are_centred_and_weigh_alike(j):
    """Each of eight curves has an eighth of the variance of the predictor, which is 1."""
    curve = make_additive(1, 8).truth.curves[f"x{j}"]
    assert_allclose(mean_and_variance(curve), (0, 1 / 8), atol=1e-10)


def test_curves_are_what_the_docstring_says():
    x = np.array([0.0, 0.125, 0.25, 0.5, 0.75, 1.0])
    sine, line, parabola, exponential, saturating, cosine = make_additive(1, 6).truth.curves.values()
    assert_allclose(sine(x) / sine(0.25), np.sin(2 * np.pi * x), atol=1e-12)
    assert_allclose(np.diff(line(x)) / np.diff(x), np.full(5, np.sqrt(12 / 6)))
    assert parabola(0.0) == parabola(1.0) > 0 > parabola(0.5)
    assert_allclose(
        (exponential(x) - exponential(0)) / (exponential(1) - exponential(0)), np.expm1(3 * x) / np.expm1(3)
    )
    assert_allclose((saturating(x) - saturating(0)) / (saturating(1) - saturating(0)), np.expm1(-5 * x) / np.expm1(-5))
    assert_allclose(cosine(x) / cosine(0), np.cos(4 * np.pi * x), atol=1e-12)


@pytest.mark.parametrize("j", range(4))
def test_steps_jump_where_they_should(j):
    curve = make_steps(1, 4).truth.curves[f"x{j}"]
    jumps = np.arange(1, j + 2) / (j + 2)
    assert_allclose(mean_and_variance(curve, jumps), (0, 1 / 4), atol=1e-8)
    before, after = curve(jumps - 1e-9), curve(jumps)
    assert (np.sign(after - before) == (-1.0) ** np.arange(j + 1)).all()  # up first, then in turn
    pieces = np.concatenate([[0.0], jumps, [1.0]])
    for low, high in zip(pieces[:-1], pieces[1:], strict=True):
        assert len(set(curve(np.linspace(low, high - 1e-9, 20)))) == 1


def test_interactions_are_nothing_but_interactions():
    truth = make_interaction(1, 4, share=0.3).truth
    assert list(truth.pairs) == [("x0", "x1"), ("x2", "x3")]
    total = sum(mean_and_variance(curve)[1] for curve in truth.curves.values())
    for surface in truth.pairs.values():
        for fixed in (0.1, 0.9):
            assert quad(surface, 0, 1, args=(fixed,))[0] == pytest.approx(0, abs=1e-10)
            assert quad(partial(surface, fixed), 0, 1)[0] == pytest.approx(0, abs=1e-10)
        variance = dblquad(partial(squared, surface), 0, 1, 0, 1)[0]
        assert variance == pytest.approx(0.3 / 2)
        total += variance
    assert total == pytest.approx(1)
    assert surface(0.8, 0.9) > 0 > surface(0.2, 0.9)


@pytest.mark.parametrize("share", [0, 1])
def test_interaction_shares_at_the_ends(share):
    found = make_interaction(2000, share=share, noise=0, random_state=0)
    additive = sum(curve(found.data[name]) for name, curve in found.truth.curves.items())
    assert_allclose(found.target.var(), 1, atol=0.1)
    assert_allclose(additive.var(), 1 - share, atol=0.1)


def test_gaussian_response_is_truth_and_noise():
    exact = make_additive(300, 3, noise=0, random_state=1)
    by_hand = sum(np.asarray(curve(exact.data[name])) for name, curve in exact.truth.curves.items())
    assert_allclose(exact.target, by_hand)
    noisy = make_additive(20_000, 3, noise=0.5, n_irrelevant=2, random_state=1)
    residual = noisy.target - noisy.truth.mean(noisy.data)
    assert residual.std() == pytest.approx(0.5, rel=0.03) and abs(residual.mean()) < 0.02
    default = make_additive(20_000, 3, random_state=1)
    assert (default.target - default.truth.mean(default.data)).std() == pytest.approx(1, rel=0.03)


@pytest.mark.parametrize("make", [make_additive, make_interaction, make_steps])
@pytest.mark.parametrize("response", ["binary", "poisson"])
def test_other_responses_have_the_mean_of_the_truth(make, response):
    """In tenths of the predictor: the mean response within 4.5 standard errors (30 comparisons of fixed seeds)."""
    found = make(20_000, 4, response=response, random_state=3)
    eta = found.truth.linear_predictor(found.data)
    mean = expit(eta) if response == "binary" else np.exp(eta)
    assert_allclose(found.truth.mean(found.data), mean)
    assert set(found.target) == {0, 1} if response == "binary" else (found.target >= 0).all() and found.target.max() > 5
    variance = mean * (1 - mean) if response == "binary" else mean
    for part in np.array_split(np.argsort(eta), 10):
        gap = found.target.to_numpy()[part].mean() - mean[part].mean()
        assert abs(gap) < 4.5 * np.sqrt(variance[part].sum()) / len(part)


def test_tables_and_names():
    found = make_additive(50, 2, n_irrelevant=2, random_state=0)
    assert found.feature_names == ["x0", "x1", "irrelevant0", "irrelevant1"] == list(found.data)
    assert list(found.frame) == [*found.feature_names, "y"] and found.data.shape == (50, 4)
    assert (found.truth.curves["irrelevant1"](np.linspace(0, 1, 5)) == 0).all()
    assert "2 features with an effect, 2 without, gaussian" in found.DESCR


@pytest.mark.parametrize("make", [make_additive, make_interaction, make_steps])
def test_random_state_decides_everything(make):
    before = np.random.get_state()[1].copy()
    first, again, other = make(20, random_state=7), make(20, random_state=7), make(20, random_state=8)
    assert first.frame.equals(again.frame) and not first.frame.equals(other.frame)
    assert (np.random.get_state()[1] == before).all()


def test_models_find_the_truth():
    found = make_additive(2000, 4, noise=0.3, n_irrelevant=1, random_state=0)
    model = KAAMRegressor().fit(found.data, found.target)
    for name, truth in found.truth.curves.items():
        curve = model.shape_function(name, grid=np.linspace(0.02, 0.98, 50))
        assert np.abs(curve.y - truth(curve.x)).max() < 0.15, name


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (make_additive, {"n_samples": 0}, "n_samples=0 must be"),
        (make_additive, {"n_features": 0}, "n_features=0 must be"),
        (make_additive, {"n_features": 2.0}, "n_features=2.0 must be"),
        (make_steps, {"n_irrelevant": -1}, "n_irrelevant=-1 must be"),
        (make_steps, {"response": "gamma"}, "response='gamma' must be one of 'gaussian', 'binary', 'poisson'"),
        (make_additive, {"noise": -1}, "noise=-1 must be"),
        (make_additive, {"noise": float("nan")}, "noise=nan must be"),
        (make_additive, {"noise": 1, "response": "binary"}, "noise=1 is for response='gaussian'"),
        (make_interaction, {"n_features": 3}, "n_features=3 must be even"),
        (make_interaction, {"share": 1.5}, "share=1.5 must be from 0"),
    ],
)
def test_bad_arguments(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)
