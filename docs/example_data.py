"""Which tables the gallery's examples fetch, and whether they are here: the site runs no example without its tables."""

from __future__ import annotations

import re
from pathlib import Path

from kan_tabular.datasets import fetch_dataset
from kan_tabular.exceptions import DatasetError

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def fetched(script):
    """Names of the data sets that an example (a path) fetches, in the order of the alphabet."""
    return sorted(set(re.findall(r"\bfetch_(\w+)\(", script.read_text(encoding="utf-8"))))


def lacking(names):
    """Those of the named data sets that could only be had by a download."""
    absent = []
    for name in names:
        try:
            fetch_dataset(name, download_if_missing=False)
        except DatasetError:
            absent.append(name)
    return absent


def runnable():
    """Names, without ``.py``, of the examples that fetch nothing, or whose tables can be had without a download."""
    return [script.stem for script in sorted(EXAMPLES.glob("plot_*.py")) if not lacking(fetched(script))]
