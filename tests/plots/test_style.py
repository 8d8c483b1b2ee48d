"""Text and numbers that are safe to draw."""

import io

import matplotlib
import pytest
from matplotlib.cbook import is_math_text

from kan_tabular.plots import ContributionDisplay, ImportanceDisplay, ShapeDisplay, _style
from kan_tabular.plots._style import number_format, safe_labels, safe_text, wrapped_labels


@pytest.mark.parametrize("name", ["$x$", "a $x_1$ and $100", "$$", "\\$a$b$", "$"])
def test_no_name_is_read_as_mathematics(name):
    from matplotlib.text import Text

    text, is_math = Text()._preprocess_math(safe_text(name))
    assert not is_math and not is_math_text(safe_text(name))
    assert text == name


def test_dollar_signs_stay_when_the_user_switched_mathematics_off():
    matplotlib.rcParams["text.parse_math"] = False
    assert safe_text("$x$") == "$x$"


def test_long_text_keeps_both_ends_within_the_width():
    text = safe_text("start" + "-" * 300 + "end", width=20)
    assert len(text) == 20 and text.startswith("start") and text.endswith("end") and "\N{HORIZONTAL ELLIPSIS}" in text
    assert safe_text("just fits", width=9) == "just fits"


@pytest.mark.parametrize("width", range(5, 12))
def test_every_width_is_kept(width):
    assert len(safe_text("abcdefghijklmnopqrstuvwxyz", width=width)) == width


def test_line_breaks_and_control_characters_become_blanks():
    assert safe_text("a\n\tb\x07c\u2028d") == "a b c d"


def test_glyphs_the_font_lacks_become_squares_and_invisible_ones_vanish():
    assert safe_text("\u6f22 \ud800") == "\N{WHITE SQUARE} \N{WHITE SQUARE}"
    assert safe_text("a\U000e0041\U000e0100b") == "ab"
    assert safe_text("\u00e4\u03b2\u0416") == "\u00e4\u03b2\u0416"


def test_a_family_that_is_not_installed_is_passed_over():
    matplotlib.rcParams["font.family"] = ["No Such Family", "DejaVu Sans"]
    assert safe_text("\u00e4\u6f22") == "\u00e4\N{WHITE SQUARE}"


def test_labels_that_shortening_made_equal_are_told_apart():
    labels = safe_labels(["x" * 40 + "1" + "y" * 40, "x" * 40 + "2" + "y" * 40, "short", "short"], width=10)
    assert labels[0] != labels[1] and labels[0].endswith(" (1)") and labels[1].endswith(" (2)")
    assert labels[2:] == ["short", "short"]  # the same text may well stand twice


@pytest.mark.parametrize(
    ("scale", "value", "text"),
    [(1.3, 0.4567, "+0.46"), (123.0, 4.4, "+4"), (1e-9, 2e-9, "+2.00e\N{MINUS SIGN}09"), (1.0, 0.0, "0.00")],
)
def test_numbers_share_the_precision_of_their_scale(scale, value, text):
    assert number_format(scale)(value, sign="+") == text


def test_numbers_carry_a_true_minus_and_no_sign_for_nothing():
    assert number_format(1.0)(-0.5) == "\N{MINUS SIGN}0.50"
    assert number_format(1.0)(-1e-9, sign="+") == number_format(1.0)(1e-9, sign="+") == "0.00"
    assert number_format(0.0)(0.0) == "0.00"
    matplotlib.rcParams["axes.unicode_minus"] = False
    assert number_format(1.0)(-0.5) == "-0.50"


def test_colours_follow_the_page():
    light = _style.palette()
    matplotlib.rcParams["text.color"] = "white"
    dark = _style.palette()
    assert set(light) == set(dark) and light[0] != dark[0]


def test_long_names_take_two_lines_and_stay_apart():
    names = [f"laboratory measurement number {j} (mmol/l)" for j in (1, 2)] + ["n" * 300, "short", "$" + "m" * 300]
    labels = wrapped_labels(names, 28)
    assert labels[0].replace("\n", " ") == names[0] and len(set(labels)) == 5 and labels[3] == "short"
    assert all(len(line) <= 28 for label in labels for line in label.split("\n"))
    assert max(label.count("\n") for label in labels) == 1


def test_more_classes_than_colours_differ_by_line_style():
    assert len(set(_style.class_styles(20))) == 20


@pytest.mark.parametrize("dark", [False, True])
def test_displays_leave_the_users_settings_alone(classifier, table, dark):
    import matplotlib.pyplot as plt

    if dark:
        plt.style.use("dark_background")
    before = matplotlib.rcParams.copy()
    ShapeDisplay.from_estimator(classifier).figure_.savefig(io.BytesIO(), transparent=True)
    ContributionDisplay.from_estimator(classifier, table)
    ImportanceDisplay.from_estimator(classifier)
    assert matplotlib.rcParams == before
    assert len(plt.get_fignums()) == 3


def test_importing_the_package_leaves_matplotlib_unloaded():
    import subprocess
    import sys

    code = "import sys, kan_tabular.plots as p; p.ShapeDisplay; p.ContributionDisplay; p.ImportanceDisplay;"
    subprocess.run([sys.executable, "-c", code + "assert 'matplotlib' not in sys.modules"], check=True)
