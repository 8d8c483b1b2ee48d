"""What all displays share: colours, text that is safe to draw, numbers, a figure to draw on."""

import numbers
import textwrap
import unicodedata

import numpy as np

# Okabe and Ito's palette (https://jfly.uni-koeln.de/color/), told apart with every common colour blindness, without its
# black; in order of contrast with the page. The first two also mark single curves and the sign of a contribution.
ON_LIGHT = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
ON_DARK = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00", "#0072B2")
LINE_STYLES = ("-", "--", ":", "-.")


def palette():
    """Seven colours that suit the user's style, dark or light."""
    from matplotlib.colors import to_rgb

    light_text = np.dot(to_rgb(text_colour()), (0.2126, 0.7152, 0.0722)) > 0.5
    return ON_DARK if light_text else ON_LIGHT


def class_styles(n_classes):
    """Colour and line style of each of `n_classes` curves, as a list of (colour, line style)."""
    colours = palette()
    n_colours = len(colours)
    return [(colours[i % n_colours], LINE_STYLES[i // n_colours % len(LINE_STYLES)]) for i in range(n_classes)]


def text_colour():
    """The colour of text in the user's style; drawn faintly, also the colour of helper lines and densities."""
    from matplotlib import rcParams

    return rcParams["text.color"]


def new_axes(ax, figsize):
    """The axes to draw on: `ax`, or the only axes of a new figure of `figsize` inches."""
    if ax is not None:
        return ax
    return new_figure(figsize).add_subplot()


def new_figure(figsize):
    """An empty figure of `figsize` inches whose layout makes room for long names."""
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=figsize, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    return figure


def panel_axes(ax, n_panels, n_cols, size=(3.3, 2.8)):
    """The axes of the panels as an array of shape (n_rows, n_cols), None where there is no panel.

    Parameters
    ----------
    ax : matplotlib Axes or array of Axes, or None
        One axes for all panels, or one for each; by default a new figure, of `size` (inches) a panel.
    n_panels, n_cols : int
    size : (float, float)
    """
    check_count("n_cols", n_cols)
    if ax is not None and np.ndim(ax) > 0:
        axes = np.atleast_2d(np.asarray(ax, dtype=object))
        if axes.size != n_panels:
            raise ValueError(f"ax has {axes.size} axes, but there are {n_panels} features to draw.")
        return axes
    if ax is not None and n_panels == 1:
        return np.array([[ax]], dtype=object)

    n_cols = min(n_cols, n_panels)
    n_rows = -(-n_panels // n_cols)
    if ax is None:
        width = 4.8 if n_cols == 1 else size[0] * n_cols
        figure = new_figure((width, (size[1] + 0.6 if n_panels == 1 else size[1]) * n_rows))
        grid = figure.add_gridspec(n_rows, n_cols)
    else:
        from matplotlib.gridspec import GridSpecFromSubplotSpec

        ax.set_axis_off()
        figure = ax.figure
        gaps = {} if figure.get_layout_engine() else {"hspace": 0.6, "wspace": 0.45}
        grid = GridSpecFromSubplotSpec(n_rows, n_cols, subplot_spec=ax.get_subplotspec(), **gaps)
    axes = np.full(n_rows * n_cols, None, dtype=object)
    for i in range(n_panels):
        axes[i] = figure.add_subplot(grid[i // n_cols, i % n_cols])
    return axes.reshape(n_rows, n_cols)


def quiet_spines(ax, *, keep):
    """Hide all sides of the frame of `ax` but those named in `keep`."""
    for side, spine in ax.spines.items():
        spine.set_visible(side in keep)


def safe_text(text, width=None):
    """Any text, made safe for one line of a picture.

    Line breaks and control characters become blanks, glyphs that the font in use lacks become an empty square
    (matplotlib would warn at each), dollar signs are escaped so that no name is read as mathematics.

    Parameters
    ----------
    text : object
        Turned into a string first.
    width : int, default=None
        Longest allowed length in characters; the middle of a longer text is replaced by an ellipsis.

    Returns
    -------
    text : str
    """
    return _escape(_shorten(_drawable(str(text)), width))


def safe_labels(texts, width=None):
    """`safe_text` of each of `texts`, numbered where shortening made different texts look the same."""
    texts = [str(text) for text in texts]
    short = [_shorten(_drawable(text), width) for text in texts]
    owners = {}
    for text, label in zip(texts, short, strict=True):
        owners.setdefault(label, []).append(text)
    labels = []
    for text, label in zip(texts, short, strict=True):
        same = list(dict.fromkeys(owners[label]))
        labels.append(_escape(label if len(same) == 1 else f"{label} ({same.index(text) + 1})"))
    return labels


def wrapped_labels(texts, width):
    """`safe_labels` on up to two lines of at most `width` characters, so that long names differ as long as they can."""
    labels = safe_labels(texts, width=2 * width - 4)
    return ["\n".join(textwrap.wrap(label, width, break_on_hyphens=False)) for label in labels]


def number_format(scale):
    """A function that writes numbers of about the size `scale` with three significant digits.

    Returns
    -------
    write : callable
        ``write(value, sign="")``; with ``sign="+"`` positive numbers carry their sign.
    """
    from matplotlib import rcParams

    minus = "\N{MINUS SIGN}" if rcParams["axes.unicode_minus"] else "-"
    exponent = int(np.floor(np.log10(scale))) if np.isfinite(scale) and scale > 0 else 0
    style = ".2e" if not -4 <= exponent <= 7 else f",.{max(2 - exponent, 0)}f"

    def write(value, sign=""):
        text = format(value, style)
        if float(text.replace(",", "")) == 0:
            return format(0.0, style)  # neither "-0.00" nor "+0.00"
        return (("+" if sign == "+" and value > 0 else "") + text).replace("-", minus)

    return write


def write_value(value):
    """A cell as text: whole numbers without decimals, others with four digits, missing ones by that word."""
    import pandas as pd

    if pd.isna(value):
        return "missing"
    if isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_)):
        number = float(value)
        text = f"{number:.0f}" if number.is_integer() and abs(number) < 1e7 else f"{number:.4g}"
        return text.replace("-", "\N{MINUS SIGN}")
    return safe_text(value, width=18)


def write_prediction(value, name):
    """A prediction as text: probabilities, whose `name` begins with ``P(``, in percent."""
    if name.startswith("P("):
        return f"{value:.1%}" if 0.001 <= value <= 0.999 or value in (0, 1) else ["<0.1%", ">99.9%"][int(value > 0.5)]
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")


def _drawable(text):
    characters = []
    for character in text:
        kind = unicodedata.category(character)
        if kind in ("Cc", "Zl", "Zp"):
            characters.append(" ")
        elif character.isascii() or _has_glyph(character):
            characters.append(character)
        elif kind not in ("Cf", "Mn", "Me"):  # joiners, variation selectors and accents show nothing by themselves
            characters.append("\N{WHITE SQUARE}" if _has_glyph("\N{WHITE SQUARE}") else "?")
    return " ".join("".join(characters).split())


def _has_glyph(character):
    from matplotlib.font_manager import FontProperties, findfont, get_font

    for family in FontProperties().get_family():
        try:
            path = findfont(FontProperties(family=[family]), fallback_to_default=False)
        except ValueError:  # a family of the user's list that is not installed
            continue
        if get_font(path).get_char_index(ord(character)):
            return True
    return False


def _shorten(text, width):
    if width is None or len(text) <= width:
        return text
    head = width // 2
    return f"{text[:head].rstrip()}\N{HORIZONTAL ELLIPSIS}{text[len(text) - (width - 1 - head) :].lstrip()}"


def _escape(text):
    from matplotlib import rcParams

    return text.replace("$", r"\$") if rcParams["text.parse_math"] else text


def check_count(name, value):
    """Refuse a number of things to draw that is below 1."""
    if value < 1:
        raise ValueError(f"{name} must be at least 1; got {value!r}.")
