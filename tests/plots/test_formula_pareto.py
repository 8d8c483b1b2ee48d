"""FormulaParetoDisplay: points, front, marks."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from kan_tabular.plots import FormulaParetoDisplay

COMPLEXITY, LOSS = [9, 2, 5, 5, 12, 2], [0.41, 0.60, 0.45, 0.44, 0.42, 0.65]


def test_points_front_and_marks():
    display = FormulaParetoDisplay(
        complexity=COMPLEXITY, loss=LOSS, chosen=3, reference=0.4, loss_name="log loss"
    ).plot()
    np.testing.assert_array_equal(display.points_.get_xydata(), np.column_stack([COMPLEXITY, LOSS]))
    np.testing.assert_array_equal(display.front_.get_xydata(), [[2, 0.60], [5, 0.44], [9, 0.41], [12, 0.41]])
    assert display.front_.get_drawstyle() == "steps-post"
    np.testing.assert_array_equal(display.chosen_.get_xydata(), [[5, 0.44]])
    assert set(display.reference_.get_ydata()) == {0.4}
    assert display.ax_.get_ylabel() == "log loss" and "complexity" in display.ax_.get_xlabel()
    assert display.figure_ is display.ax_.figure


def test_everything_is_in_view():
    display = FormulaParetoDisplay(complexity=COMPLEXITY, loss=LOSS, chosen=0, reference=0.1).plot()
    display.figure_.canvas.draw()
    (left, right), (bottom, top) = display.ax_.get_xlim(), display.ax_.get_ylim()
    assert left < 2 and right > 12 and bottom < 0.1 and top > 0.65
    box = display.ax_.get_window_extent()
    for text in display.ax_.texts:
        extent = text.get_window_extent()
        assert extent.x0 >= box.x0 and extent.x1 <= box.x1 + 1


def test_one_formula_without_a_reference_on_given_axes():
    _, ax = plt.subplots()
    display = FormulaParetoDisplay(complexity=[3], loss=[0.5], chosen=0).plot(ax=ax)
    assert display.ax_ is ax and display.reference_ is None
    assert all(float(t).is_integer() for t in ax.get_xticks())


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"complexity": [1, 2], "loss": [1.0], "chosen": 0}, "one number a formula"),
        ({"complexity": [], "loss": [], "chosen": 0}, "one number a formula"),
        ({"complexity": [1], "loss": [1.0], "chosen": 1}, "position from 0 to 0"),
    ],
)
def test_what_cannot_be_drawn(parts, message):
    with pytest.raises(ValueError, match=message):
        FormulaParetoDisplay(**parts).plot()
