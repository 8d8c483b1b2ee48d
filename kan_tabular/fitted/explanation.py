"""Contributions in the shape that `shap` uses."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np


@dataclass(frozen=True)
class Explanation:
    """What each feature adds to each prediction.

    Attributes
    ----------
    values : ndarray (n, p) or (n, p, n_classes)
    base_values : ndarray (n,) or (n, n_classes)
    data : ndarray (n, p)
        The table as given.
    feature_names : list of str
    """

    values: np.ndarray
    base_values: np.ndarray
    data: np.ndarray
    feature_names: list[str]


def explanation(values, base_values, data, feature_names):
    """A `shap.Explanation` where shap is installed, so its plots take it as it is; otherwise our own."""
    if find_spec("shap") is None:
        return Explanation(values, base_values, data, feature_names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import trips over the deprecations of its own dependencies
        import shap

    return shap.Explanation(values, base_values=base_values, data=data, feature_names=feature_names)
