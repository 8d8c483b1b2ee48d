"""The page around the sections: template, style, script, and what the browser may do with them."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

from markupsafe import Markup

from kan_tabular.report.embed import json_for_html
from kan_tabular.report.svg import clean

_SCRIPTS = ("model.js", "panel.js")


def render(sections, data):
    """The page as text.

    Parameters
    ----------
    sections : dict
        What the template ``report.html`` shows. Text is escaped there; markup is only what `kan_tabular.report.svg`
        made.
    data : dict
        What the panel computes with, as JSON.
    """
    style = _asset("report.css")
    script = "\n".join(_asset(name) for name in _SCRIPTS)
    return _template().render(
        **sections,
        style=Markup(style),
        script=Markup(script),
        data=Markup(json_for_html(data)),
        policy=_policy(style, script),
    )


def _policy(style, script):
    """Nothing is loaded or sent; of styles and scripts only these run, known by their hashes (CSP level 2)."""
    rules = {
        "default-src": "'none'",
        "style-src": _hash(style),
        "script-src": _hash(script),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _hash(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _asset(name):
    return (files("kan_tabular.report") / "assets" / name).read_text(encoding="utf-8").replace("\r\n", "\n")


@cache
def _template():
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("kan_tabular.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    environment.filters["breakable"] = _breakable
    return environment.get_template("report.html")


def _breakable(text, longest=16):
    """Text in which a line may end within a long word; tables would else be as wide as that."""
    words = re.split(r"(\s+)", clean(text))
    parts = [[word[i : i + longest] for i in range(0, len(word), longest)] for word in words]
    return Markup("").join(Markup("<wbr>").join(pieces) for pieces in parts)


def _clean(value):
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
