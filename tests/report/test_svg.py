"""Charts: where things are drawn, and that text stays text."""

from xml.etree import ElementTree

import numpy as np
import pytest

from kan_tabular.report.svg import Chart, clean, ticks, track


def parsed(markup):
    return ElementTree.fromstring(str(markup))


@pytest.mark.parametrize("seed", range(20))
def test_ticks_are_round_and_within(seed):
    rng = np.random.default_rng(seed)
    low = rng.normal() * 10.0 ** rng.integers(-5, 6)
    high = low + rng.exponential() * 10.0 ** rng.integers(-5, 6)
    values, texts = ticks(low, high)
    assert 1 <= len(values) <= 6
    margin = 1e-6 * (high - low)
    assert (values >= low - margin).all() and (values <= high + margin).all()
    steps = np.diff(values)
    np.testing.assert_allclose(steps, steps[:1].repeat(len(steps)), rtol=1e-6)
    mantissa = steps[0] / 10.0 ** np.floor(np.log10(steps[0]) + 1e-9)
    assert min(abs(mantissa - m) for m in (1, 2, 5)) < 1e-6
    read = np.array([float(text.replace("\N{MINUS SIGN}", "-")) for text in texts])
    assert len(set(texts)) == len(texts)
    np.testing.assert_allclose(read, values, atol=0.51 * steps[0], rtol=1e-6)


def test_ticks_of_nothing():
    assert ticks(3.0, 3.0)[1] == ["3"]
    assert ticks(np.nan, np.nan)[1] == ["nan"]


def test_points_lie_where_they_belong():
    chart = Chart((0, 10), (-1, 1), label="a chart")
    left, top, right, bottom = chart.box
    assert chart.at_x([0, 5, 10]).tolist() == [left, (left + right) / 2, right]
    assert chart.at_y([-1, 0, 1]).tolist() == [bottom, (top + bottom) / 2, top]
    assert bottom < chart.at_y(-1e9) < bottom + 10  # a value far outside stays near
    chart.line([0, 5, np.nan, 10], [0, 1, 0, 0], "line-1")
    chart.band([0, 10], [-1, -1], [1, 1], "band")
    line, band = parsed(chart.markup()).findall("path")
    assert line.get("d") == f"M{left} 111L187 {top}M{right} 111"
    assert band.get("d") == f"M{left} {top}L{right} {top}L{right} {bottom}L{left} {bottom}Z"


def test_histogram_areas():
    chart = Chart((0, 4), (0, 1), label="")
    chart.histogram(np.array([0.0, 1, 2, 4]), np.array([1.0, 0.0, 0.5]), "density", share=0.5)
    first, last = parsed(chart.markup()).findall("rect")
    assert float(first.get("height")) == pytest.approx(0.5 * (chart.box[3] - chart.box[1]), abs=0.1)
    assert float(last.get("height")) == pytest.approx(0.5 * float(first.get("height")), abs=0.1)
    assert float(last.get("width")) == pytest.approx(2 * float(first.get("width")), abs=0.1)


def test_tracks_stay_within_their_row():
    drawn = parsed(track([(0.25, 0.75, "bar-1"), (1.5, -1, "whisker")], [(2.0, "zero")]))
    bar, whisker = drawn.findall("rect")
    assert (bar.get("x"), bar.get("width")) == ("25.00%", "50.00%")
    assert (whisker.get("x"), whisker.get("width")) == ("0.00%", "100.00%")
    assert drawn.find("line").get("x1") == "100.00%"


def test_names_are_text():
    name = "</text></svg><script>x</script> \"'&"
    chart = Chart((0, 1), (0, 1), label=name, x_label=name, y_label=name, width=900)
    chart.key([("line-1", name)])
    markup = str(chart.markup())
    assert "<script" not in markup
    root = parsed(markup)
    assert root.get("aria-label") == name
    assert [text.text for text in root.findall("text") if text.text == name] == [name] * 2
    assert not [e for e in root.iter() if "style" in e.attrib]


def test_what_a_page_cannot_show_is_replaced():
    assert clean("a\x00\x1b[31m\u202eb\ud800\nc\té") == "a\ufffd\ufffd[31m\ufffdb\ufffd\nc\té"
    assert clean(3.5) == "3.5"
