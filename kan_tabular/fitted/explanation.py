"""Contributions in the shape that `shap` uses."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np


@dataclass(frozen=True)
class Explanation:
    """What each feature adds to each prediction.

    ``explanation[rows, features, classes]`` is the part for some of each, as of a `shap.Explanation`: integers, slices,
    a feature's name, arrays of rows, an ellipsis.

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

    @property
    def shape(self):
        return self.values.shape

    def __len__(self):
        return len(self.values)

    def __getitem__(self, key):
        if self.data.ndim != 2:
            raise IndexError("this is one row, or one feature, already: take rows, features and classes at once.")
        key = list(key) if isinstance(key, tuple) else [key]
        for at in [i for i, part in enumerate(key) if part is Ellipsis]:
            key[at : at + 1] = [slice(None)] * (self.values.ndim + 1 - len(key))
        rows, features, *output = key + [slice(None)] * (self.values.ndim - len(key))
        if isinstance(features, str):
            features = self.feature_names.index(features)
        values, base = self.values[(rows, features, *output)], self.base_values[(rows, *output)]
        return Explanation(values, base, self.data[rows, features], self.feature_names[features])


def interventional(predict, Z, background, n_permutations):
    """Shapley values of `predict` (rows (m, p) -> (m, C)) by shap, absent features taking values of background rows.

    Returns
    -------
    values : ndarray (n, p, C)
    base : ndarray (C,)
        Mean prediction of the background rows.
    """
    shap = _shap()
    if shap is None:
        raise ImportError("explain(..., background=...) needs shap: pip install 'kan-tabular[explain]'.")
    masker = shap.maskers.Independent(background, max_samples=len(background))
    # By default values that are close (to 1e-8, or 1e-5 of them) count as the same, whatever the unit of the feature.
    masker.invariants = lambda x: x == background
    evaluations = n_permutations * (2 * Z.shape[1] + 1)
    state = np.random.get_state()  # shap seeds the global generator, and shuffles with it
    try:
        explainer = shap.explainers.Permutation(predict, masker, seed=0)
        values = explainer(Z, max_evals=evaluations, silent=True, batch_size=len(background)).values
    finally:
        np.random.set_state(state)
    return values if values.ndim == 3 else values[:, :, None], predict(background).mean(0)


def _shap():
    """The shap package, or None."""
    if find_spec("shap") is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import trips over the deprecations of its own dependencies
        import shap

    return shap


def explanation(values, base_values, data, feature_names):
    """A `shap.Explanation` where shap is installed, so its plots take it as it is; otherwise our own."""
    shap = _shap()
    if shap is None:
        return Explanation(values, base_values, data, feature_names)
    return shap.Explanation(values, base_values=base_values, data=data, feature_names=feature_names)
