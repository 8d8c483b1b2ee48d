"""Networks trained on a GPU say what those trained on the CPU say."""

import numpy as np
import pytest

from kan_tabular import DualChannelKAN, KANRegressor, LogisticKAN

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("make", [LogisticKAN, KANRegressor, DualChannelKAN])
def test_a_network_from_the_gpu_is_as_good_and_predicts_on_the_cpu(make):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 4))
    signal = X[:, 0] * X[:, 1] + X[:, 2]
    y = (signal > 0).astype(int) if make is not KANRegressor else signal
    scores = [
        make(device=device, max_iter=40, random_state=0).fit(X[:400], y[:400]).score(X[400:], y[400:])
        for device in ("cpu", "cuda")
    ]
    assert scores[1] > 0.85 and abs(scores[0] - scores[1]) < 0.05
