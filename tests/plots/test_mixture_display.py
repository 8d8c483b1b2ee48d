"""MixtureDisplay: one curve a part, read from the lines that are drawn."""

import io

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from kan_tabular.materials import mixture_effect
from kan_tabular.plots import MixtureDisplay

REFERENCE = pd.DataFrame({"Al": [20.0], "Cr": [30.0], "Ni": [50.0], "aged": [2.0]})


@pytest.fixture
def model():
    X = pd.DataFrame(100 * np.random.default_rng(0).dirichlet([2, 2, 2], 40), columns=["Al", "Cr", "Ni"])
    X["aged"] = np.linspace(0, 5, 40)
    return LinearRegression().fit(X, X["Al"] - 0.2 * X["Cr"])


def test_curves_cross_at_the_reference(model):
    display = MixtureDisplay.from_estimator(model, REFERENCE)
    expected = model.predict(REFERENCE).item()
    labels = [line.get_label() for line in display.lines_]
    assert sorted(labels) == ["Al", "Cr", "Ni"]
    for line in display.lines_:
        change, prediction = line.get_data()
        effect = mixture_effect(model, REFERENCE, line.get_label())
        np.testing.assert_allclose(change, 100 * (effect.fraction - effect.reference_fraction))
        np.testing.assert_allclose(prediction, effect.prediction)
        assert np.interp(0, change, prediction) == pytest.approx(expected)
    assert "percentage points" in display.ax_.get_xlabel() and display.ax_.get_ylabel() == "predicted value"


def test_steepest_parts_come_first_and_the_rest_is_counted(model):
    display = MixtureDisplay.from_estimator(model, REFERENCE, max_elements=2)
    ranges = [np.ptp(line.get_ydata()) for line in display.lines_]
    everything = MixtureDisplay.from_estimator(model, REFERENCE).lines_
    assert ranges == sorted((np.ptp(line.get_ydata()) for line in everything), reverse=True)[:2]
    assert display.ax_.get_legend().get_title().get_text() == "1 flatter not shown"


def test_parts_and_axes_can_be_chosen(model):
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    display = MixtureDisplay.from_estimator(model, REFERENCE, elements=["Cr"], ax=ax)
    assert display.ax_ is ax and display.figure_ is figure and len(display.lines_) == 1
    zero = REFERENCE.assign(Al=0.0, Ni=70.0)
    assert len(MixtureDisplay.from_estimator(model, zero).lines_) == 2
    with pytest.raises(ValueError, match="elements is empty"):
        MixtureDisplay.from_estimator(model, REFERENCE, elements=[])
    with pytest.raises(ValueError, match="max_elements must be at least 1"):
        display.plot(max_elements=0)


def test_thirty_parts_with_hostile_names_are_told_apart():
    names = [f"${k}$ {'long ' * 12}part" for k in range(30)]
    X = pd.DataFrame(np.random.default_rng(1).dirichlet(np.ones(30), 50), columns=names)
    model = LinearRegression().fit(X, X.to_numpy() @ np.arange(30))
    display = MixtureDisplay.from_estimator(model, X.iloc[[0]], composition=names, max_elements=14, X=X)
    display.figure_.savefig(io.BytesIO())
    looks = {(line.get_color(), line.get_linestyle()) for line in display.lines_}
    assert len(display.lines_) == len(looks) == 14
    assert len({text.get_text() for text in display.ax_.get_legend().get_texts()}) == 14
