"""Checks of targets, weights and settings, worded for the user."""

from __future__ import annotations

import numbers

import numpy as np
from sklearn.utils.validation import _check_sample_weight


def check_weights(sample_weight, X, n_rows):
    """Frequencies (n,): non-negative, finite, not all zero."""
    if sample_weight is None:
        return np.ones(n_rows)
    weights = np.asarray(sample_weight)
    if weights.ndim == 1 and len(weights) != n_rows:
        raise ValueError(f"sample_weight has {len(weights)} entries, but X has {n_rows} rows.")
    if weights.dtype.kind == "f" and np.isnan(weights).any():
        raise ValueError("sample_weight contains NaN: give every row a weight (0 leaves it out).")
    weights = np.array(_check_sample_weight(sample_weight, np.empty((n_rows, 0)), dtype=np.float64))
    if (weights < 0).any():
        raise ValueError(f"sample_weight contains a negative value ({weights.min():g}) in row {int(weights.argmin())}: weights are frequencies, 0 or more.")
    if not weights.any():
        raise ValueError("sample_weight is zero for every row: at least two rows must count.")
    return weights


def check_lengths(n_rows, **arrays):
    """Every given array has one entry a row."""
    for name, array in arrays.items():
        if array is not None and len(array) != n_rows:
            raise ValueError(f"{name} has {len(array)} entries, but X has {n_rows} rows.")


def check_exposure(exposure, n_rows, loss):
    """Positive exposures (n,), or None."""
    if exposure is None:
        return None
    if loss != "poisson":
        raise ValueError(f"exposure is for loss='poisson'; this model has {loss!r}.")
    exposure = np.asarray(exposure, float)
    check_lengths(n_rows, exposure=exposure)
    if not (np.isfinite(exposure) & (exposure > 0)).all():
        raise ValueError("exposure must be positive and finite in every row.")
    return exposure


def check_settings(estimator, feature_names):
    """Constructor arguments, checked at fit as scikit-learn asks."""
    _number(estimator, "n_knots", 0, integer=True)
    _number(estimator, "max_iter", 1, integer=True)
    _number(estimator, "tol", 0.0, strict=True)
    s = estimator.smoothing
    if isinstance(s, dict):
        unknown = [k for k in s if k not in feature_names]
        if unknown:
            raise ValueError(f"smoothing names {unknown[0]!r}, which is not a column of X ({', '.join(feature_names[:10])}).")
        values = list(s.values())
    elif isinstance(s, str):
        if s not in ("auto", "reml"):
            raise ValueError(f"smoothing={s!r}: expected 'auto', 'reml', a number, or numbers by column name.")
        values = []
    else:
        values = [s]
    for v in values:
        if not isinstance(v, numbers.Real) or isinstance(v, bool) or not 0 <= v < np.inf:
            raise ValueError(f"smoothing={v!r}: a smoothing parameter is a finite number of at least 0.")
    if not isinstance(estimator.select, (bool, np.bool_)):
        raise ValueError(f"select={estimator.select!r}: expected True or False.")


def _number(estimator, name, least, integer=False, strict=False):
    value = getattr(estimator, name)
    kind = numbers.Integral if integer else numbers.Real
    if not isinstance(value, kind) or isinstance(value, bool) or value < least or (strict and value == least):
        what = "an integer" if integer else "a number"
        raise ValueError(f"{name}={value!r}: expected {what} {'above' if strict else 'of at least'} {least}.")


def resolve_device(device, n_rows):
    """Where to compute: "cpu", or a torch device. "auto" goes to CUDA from a million rows on, where it pays."""
    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device={device!r}: expected 'auto', 'cpu' or 'cuda'.")
    if device == "cpu" or (device == "auto" and n_rows < 1_000_000):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise ValueError("device='cuda': torch finds no CUDA device here; use device='cpu' or 'auto'.")
    return "cpu"
