"""Data inside a page."""

from __future__ import annotations

import base64
import json

import numpy as np

from kan_tabular.exceptions import LiveModelError

#: Characters that could end a script element or open a comment; `json` escapes all but ASCII by itself.
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&"}


def json_for_html(data):
    """JSON text that is safe inside ``<script type="application/json">``.

    Parameters
    ----------
    data : dict, list, str, number, bool or None
        Plain data, such as `model_payload` gives.

    Returns
    -------
    text : str
        In ASCII; ``JSON.parse`` gives the data back. ``<``, ``>``, ``&`` and all but ASCII (U+2028 and U+2029 among it)
        are escaped, so no text among the data can end the element, whatever the page's encoding.

    Raises
    ------
    ValueError
        NaN or infinity, which JSON does not have.
    """
    return json.dumps(data, allow_nan=False, separators=(",", ":")).translate(_ESCAPES)


def packed(array):
    """An array as base64 of little-endian doubles, row by row: half the size of decimals, and exact."""
    array = np.asarray(array, dtype="<f8")
    if not np.isfinite(array).all():
        raise LiveModelError("an array of the model holds NaN or infinity, which a page cannot compute with.")
    return {"f64": base64.b64encode(array.tobytes()).decode("ascii"), "shape": list(array.shape)}
