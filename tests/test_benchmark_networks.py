"""The reference layers of the network benchmark are what they say, and the arithmetic around them."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "benchmarks"


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def peers():
    return load("_network_peers")


@pytest.fixture(scope="module")
def networks():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            patch.setenv(name, "1")  # the script sets them on import; put them back after the module
        patch.syspath_prepend(str(FOLDER))
        yield load("networks")
    for name in ("_common", "_network_pages", "_network_peers"):
        sys.modules.pop(name, None)


def generator():
    return torch.Generator().manual_seed(0)


def test_cox_de_boor_splines_are_those_of_scipy(peers):
    layer = peers.CoxDeBoorLayer(2, 3, generator()).double()
    x = torch.linspace(-0.999, 0.999, 50, dtype=torch.float64).view(25, 2)
    expected = BSpline.design_matrix(x.numpy().ravel(), layer.knots[0].numpy(), 3).toarray()
    np.testing.assert_allclose(layer.functions(x).view(50, 8).numpy(), expected, atol=1e-6)  # knots are float32


def test_cox_de_boor_splines_sum_to_one_in_range(peers):
    layer = peers.CoxDeBoorLayer(1, 1, generator())
    x = torch.linspace(-0.99, 0.99, 101)[:, None]
    torch.testing.assert_close(layer.functions(x).sum(-1), torch.ones(101, 1), atol=1e-5, rtol=0)


def test_gaussian_bumps_are_one_at_their_centres_and_1_over_e_beside(peers):
    layer = peers.GaussianLayer(1, 1, generator())
    phi = layer.functions(layer.centres[:, None])[:, 0]
    torch.testing.assert_close(phi.diagonal(), torch.ones(8))
    torch.testing.assert_close(phi.diagonal(1), torch.full((7,), float(np.exp(-1))))


@pytest.mark.parametrize("name", ["CoxDeBoorLayer", "GaussianLayer", "NodeSplineLayer"])
def test_gradients_of_the_layers_are_right(peers, name):
    layer = getattr(peers, name)(3, 2, generator()).double()
    x = (0.7 * torch.randn(4, 3, dtype=torch.float64, generator=generator())).requires_grad_()
    assert layer(x).shape == (4, 2)
    assert torch.autograd.gradcheck(lambda x, *_: layer(x), (x, *layer.parameters()))


def test_log_slope_of_a_power_is_its_exponent(networks):
    x = np.array([1.0, 10.0, 100.0])
    assert networks.pages.log_slope(x, 3 * x**1.5) == pytest.approx(1.5)


def test_the_memory_formula_counts_the_parameters_of_a_network(networks):
    from kan_tabular.bases import NodeSpline
    from kan_tabular.training.network import MemberNetwork

    network = MemberNetwork(np.ones((6, 9)), (4, 3), 2, NodeSpline(5), generator())
    parts = networks.pages.memory_formula(100, 9, folds=3, settings=2, hidden=(4, 3), outputs=2)
    (name,) = [key for key in parts if key.startswith("parameters")]
    assert parts[name] == 24 * sum(p.numel() for p in network.parameters())


def test_each_model_is_compared_with_the_best_of_the_others(networks):
    losses = np.array([[0.1, 0.2, 0.3], [0.2, 0.2, 0.3]])
    text = "\n".join(networks.pages.comparison(losses, ["a", "b", "c"]))
    assert "| a | 1.25 | -0.3466 | -0.6931 to +0.0000 | b |" in text  # half of log(1/2)
    assert "| c | 3.00 | +0.7520 |" in text and text.count("| a |") == 3  # b and c are both compared with a


def test_a_member_reaches_the_loss_it_is_asked_for(networks):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = (X[:, 0] * X[:, 1] > 0).astype(float)
    found = networks.fit_member(X, y, (4,), 0.05)
    assert found["loss"] <= 0.05 + 1e-6 and found["seconds"] >= found["design_s"] + 0.9 * found["training_s"]


def test_turns_are_timed_one_by_one(networks):
    calls = []
    times = networks.interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2, 2)
    assert calls == list("aabbaabb") and set(times) == {"a", "b"}
