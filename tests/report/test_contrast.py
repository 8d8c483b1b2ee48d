"""The colours of the page can be read: WCAG 2.2, contrast (minimum) 1.4.3 and of graphics 1.4.11, level AA."""

import re
from importlib.resources import files

import pytest

TEXT = ["ink", "muted", "accent"]
CASES = [(text, ground, 4.5) for text in TEXT for ground in ("page", "paper", "soft")]
CASES += [("notice-ink", "notice", 4.5)]
CASES += [(mark, "paper", 3.0) for mark in ("blue", "orange", "green", "control", "muted")]


def schemes():
    """The colours of the light and of the dark page, by name."""
    css = (files("kan_tabular.report") / "assets" / "report.css").read_text(encoding="utf-8")
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", part))
        for part in re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    )
    return {"light": light, "dark": light | dark}


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_the_formula_on_known_pairs():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground", "least"), CASES)
def test_colours(scheme, text, ground, least):
    colours = schemes()[scheme]
    assert contrast(colours[text], colours[ground]) >= least


def test_both_schemes_say_every_colour():
    css = (files("kan_tabular.report") / "assets" / "report.css").read_text(encoding="utf-8")
    light, dark = (set(re.findall(r"--([\w-]+):", part)) for part in re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2])
    assert light == dark
    used = set(re.findall(r"var\(--([\w-]+)\)", css))
    assert used <= light
    beyond = re.sub(r":root \{.*?\}", "", css, flags=re.DOTALL)
    assert not re.search(r"#[0-9a-f]{3,6}\b", beyond)  # no colour that this test does not know
