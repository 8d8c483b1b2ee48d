"""Charts as inline SVG: small, with text that can be selected, coloured by the page's style sheet.

Every element is made by `xml.etree.ElementTree`, which escapes what it is given, so that no name can become markup.
Nothing carries a style attribute, which the page's Content-Security-Policy would refuse.
"""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import numpy as np
from markupsafe import Markup

#: Control characters, which a page must not hold, and those that turn the direction of the text around them.
_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def clean(text):
    """Any text without characters that a page cannot show or that reorder what stands beside them."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", str(text))


def ticks(low, high, most=5):
    """Round numbers within [low, high], at steps of 1, 2 or 5 times a power of ten, and how to write them.

    Returns
    -------
    values : ndarray
    texts : list of str
    """
    span = high - low
    if not (span > 0 and math.isfinite(span)):
        return np.array([low]), [f"{low:.4g}"]
    size = 10.0 ** math.floor(math.log10(span / most))
    step = next(factor * size for factor in (1, 2, 5, 10) if span / (factor * size) <= most)
    values = step * np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    largest = max(abs(low), abs(high))
    if largest >= 1e6 or step < 1e-4:
        texts = [f"{v:.{_digits(step, v)}e}" if v else "0" for v in values]
    else:
        texts = [f"{v + 0.0:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}" for v in values]
    return values, [minus(text) for text in texts]


def minus(text):
    """With a proper minus sign."""
    return text.replace("-", "\N{MINUS SIGN}")


def _digits(step, value):
    return int(np.clip(math.floor(math.log10(abs(value)) + 1e-9) - math.floor(math.log10(step) + 1e-9), 0, 6))


def _write(number):
    return f"{number:.1f}".removesuffix(".0")


class Chart:
    """Axes to draw on, in pixels of the page.

    Parameters
    ----------
    x, y : (float, float)
        What the axes span.
    label : str
        What the picture shows, for readers who hear the page.
    x_label, y_label : str
    width, height : int
        Pixels; smaller pages scale it down.
    right : int
        Pixels kept free at the right of the axes.
    grid : bool
        Whether the ticks of y have lines across.
    """

    LEFT, TOP, BOTTOM = 46, 24, 42

    def __init__(self, x, y, *, label, x_label="", y_label="", width=340, height=240, right=12, grid=True):
        self.x, self.y = _widened(x), _widened(y)
        self.box = (self.LEFT, self.TOP, width - right, height - self.BOTTOM)
        self.root = ElementTree.Element(
            "svg",
            {"class": "chart", "viewBox": f"0 0 {width} {height}", "width": str(width), "height": str(height)}
            | {"role": "img", "aria-label": clean(label)},
        )
        left, _, right_edge, bottom = self.box
        for value, text in zip(*ticks(*self.y), strict=True):
            at = self.at_y(value)
            if grid:
                self.add("line", "grid", x1=left, x2=right_edge, y1=at, y2=at)
            self.text(left - 6, at + 4, text, "tick end")
        for value, text in zip(*ticks(*self.x), strict=True):
            at = self.at_x(value)
            self.add("line", "axis", x1=at, x2=at, y1=bottom, y2=bottom + 4)
            self.text(at, bottom + 16, text, "tick middle")
        self.add("line", "axis", x1=left, x2=right_edge, y1=bottom, y2=bottom)
        self.text((left + right_edge) / 2, bottom + 34, _shortened(x_label, (right_edge - left) / 6.2), "name middle")
        self.text(4, 12, _shortened(y_label, width / 6.2), "name")

    def at_x(self, value):
        """Pixel of a value of x."""
        return self.box[0] + (np.asarray(value, float) - self.x[0]) / (self.x[1] - self.x[0]) * (
            self.box[2] - self.box[0]
        )

    def at_y(self, value):
        """Pixel of a value of y; values far outside stay near the axes, so that no picture is spoilt by one."""
        share = (np.asarray(value, float) - self.y[0]) / (self.y[1] - self.y[0])
        return self.box[3] - np.clip(share, -0.02, 1.02) * (self.box[3] - self.box[1])

    def add(self, tag, class_, **attributes):
        """One element, at pixels."""
        written = {k: v if isinstance(v, str) else _write(float(v)) for k, v in attributes.items()}
        return ElementTree.SubElement(self.root, tag, {"class": class_, **written})

    def text(self, x, y, text, class_):
        """Text at a pixel."""
        self.add("text", class_, x=x, y=y).text = clean(text)

    def line(self, x, y, class_):
        """A line through points; those that are not finite leave a gap."""
        path, pen = [], "M"
        for px, py in zip(self.at_x(x), self.at_y(y), strict=True):
            if not math.isfinite(px + py):
                pen = "M"
                continue
            path.append(f"{pen}{_write(px)} {_write(py)}")
            pen = "L"
        self.add("path", class_, d="".join(path))

    def band(self, x, low, high, class_):
        """The area between two lines."""
        known = np.isfinite(low) & np.isfinite(high)
        if not known.any():
            return
        x, low, high = (np.asarray(v, float)[known] for v in (x, low, high))
        there = zip(self.at_x(x), self.at_y(high), strict=True)
        back = zip(self.at_x(x[::-1]), self.at_y(low[::-1]), strict=True)
        self.add("path", class_, d="M" + "L".join(f"{_write(px)} {_write(py)}" for px, py in [*there, *back]) + "Z")

    def histogram(self, edges, heights, class_, share=0.14):
        """Bars from the bottom; the highest takes `share` of the axes. Heights are densities."""
        top = np.max(heights, initial=0.0)
        if not top > 0:
            return
        bottom, room = self.box[3], share * (self.box[3] - self.box[1])
        for low, high, height in zip(self.at_x(edges[:-1]), self.at_x(edges[1:]), heights, strict=True):
            if height > 0:
                size = room * height / top
                self.add("rect", class_, x=min(low, high), y=bottom - size, width=abs(high - low), height=size)

    def interval(self, x, low, high, class_):
        """An upright line from low to high."""
        at = self.at_x(x)
        self.add("line", class_, x1=at, x2=at, y1=self.at_y(low), y2=self.at_y(high))

    def dot(self, x, y, class_, r=3.5):
        """A point."""
        self.add("circle", class_, cx=self.at_x(x), cy=self.at_y(y), r=r)

    def key(self, entries):
        """Names of lines, (class, text), one below the other at the top right of the axes."""
        for i, (class_, text) in enumerate(entries):
            y = self.box[1] + 8 + 15 * i
            self.add("line", class_, x1=self.box[2] - 22, x2=self.box[2] - 2, y1=y - 4, y2=y - 4)
            self.text(self.box[2] - 28, y, _shortened(text, 26), "tick end")

    def markup(self):
        """The picture, to be written into the page."""
        return _markup(self.root)


def track(spans, marks=(), label=None):
    """A row of a table as a picture: `spans` (start, end, class) and `marks` (at, class) in shares of its width."""
    root = ElementTree.Element("svg", {"class": "track", "height": "18"})
    root.attrib |= {"aria-hidden": "true"} if label is None else {"role": "img", "aria-label": clean(label)}
    for start, end, class_ in spans:
        start, end = sorted(float(np.clip(v, 0.0, 1.0)) for v in (start, end))
        thin = "whisker" in class_
        place = {"x": f"{100 * start:.2f}%", "width": f"{100 * (end - start):.2f}%"}
        place |= {"y": "8" if thin else "3", "height": "2" if thin else "12", "rx": "0" if thin else "1.5"}
        ElementTree.SubElement(root, "rect", {"class": class_, **place})
    for at, class_ in marks:
        at = f"{100 * float(np.clip(at, 0.0, 1.0)):.2f}%"
        ElementTree.SubElement(root, "line", {"class": class_, "x1": at, "x2": at, "y1": "0", "y2": "18"})
    return _markup(root)


def _markup(root):
    # Not HTML's writer: in a foreign element every tag may close itself, and text is escaped either way.
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _widened(limits):
    low, high = (float(v) for v in limits)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _shortened(text, most):
    text, most = clean(text), max(int(most), 4)
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}"
