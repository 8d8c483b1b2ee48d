"""Checks of targets, weights and settings, worded for the user."""

from __future__ import annotations

import itertools
import numbers
import os
from decimal import Decimal

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from kan_tabular.bases import REGISTRY, Basis, families
from kan_tabular.encoding import LARGEST, as_frame, is_frame, read_table


def read(estimator, X, *, reset):
    """The table X, read once; scikit-learn keeps (`reset`) or compares its column names and their number."""
    X = as_frame(X)
    if is_frame(X):  # its names are worth a word before its cells
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        return read_table(X)
    table = read_table(X)
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    return table


def read_labels(estimator, y, n_rows):
    """Class labels (n,): one a row, none missing, all text or none."""
    y = _column(estimator, y, n_rows)
    advice = "drop such rows, or give them a class"
    _refuse_missing(y, "y", advice)
    if y.dtype.kind == "O":
        texts = [v for v in y if isinstance(v, str)]
        if not texts:
            y = np.array(y.tolist())
            _refuse_missing(y, "y", advice)
        elif len(texts) < len(y):
            other = next(v for v in y if not isinstance(v, str))
            raise ValueError(f"y mixes text ({texts[0]!r}) and other labels ({other!r}): make all labels of one kind.")
    check_classification_targets(y)
    return y


def read_target(estimator, y, n_rows):
    """Numeric targets (n,): one finite number a row."""
    return _numbers(_column(estimator, y, n_rows), "y", n_rows, "drop such rows, or give them a target")


def read_targets(estimator, y, n_rows):
    """Numeric targets (n,), or (n, k) where several are given."""
    columns = np.asarray(y, dtype=object) if isinstance(y, (list, tuple)) else y
    shape = getattr(columns, "shape", ())
    if len(shape) != 2 or shape[1] < 2:
        return read_target(estimator, y, n_rows)
    columns = columns.to_numpy() if hasattr(columns, "to_numpy") else np.asarray(columns)
    advice = "drop such rows, or give them a target"
    parts = [_numbers(columns[:, k], f"y (target {k})", n_rows, advice) for k in range(shape[1])]
    return np.stack(parts, axis=1)


def check_levels(given, argument="quantiles", such_as=(0.1, 0.5, 0.9)):
    """Levels (of quantiles, of confidence): increasing numbers between 0 and 1."""
    levels = np.atleast_1d(np.asarray(given, dtype=object)).tolist()
    proper = all(isinstance(q, numbers.Real) and 0 < q < 1 for q in levels)
    if not levels or not proper or any(a >= b for a, b in itertools.pairwise(levels)):
        raise ValueError(f"{argument}={given!r}: expected increasing numbers between 0 and 1, such as {such_as}.")
    return tuple(float(q) for q in levels)


def known_codes(model, y, n_rows):
    """Positions of labels among the classes of a fitted model: float (n,)."""
    y = read_labels(model, y, n_rows)
    position = {label: float(k) for k, label in enumerate(model.classes_.tolist())}
    unknown = [label for label in np.unique(y).tolist() if label not in position]
    if unknown:
        raise ValueError(f"y holds the class {unknown[0]!r}, which the model does not know: {list(position)}.")
    return np.array([position[label] for label in y.tolist()])


def known_targets(model, y, n_rows):
    """Targets that a fitted regressor could have been fitted to: (n,), or (n, k) for several."""
    y = read_targets(model, y, n_rows)
    network = model.network_
    if y.ndim != (2 if network.likelihood.name == "squared_errors" else 1):
        raise ValueError(f"y has shape {y.shape}, but the model has {network.n_outputs} target(s).")
    network.likelihood.check_target(y)
    return y


def _column(estimator, y, n_rows):
    if y is None:
        name = type(estimator).__name__
        raise ValueError(f"This {name} estimator requires y to be passed, but the target y is None.")
    if getattr(getattr(y, "dtype", None), "kind", "") == "c":
        raise _complex("y")
    y = column_or_1d(y, warn=True)
    check_lengths(n_rows, y=y)
    return y


def _numbers(values, name, n_rows, advice):
    """Anything array-like as finite floats (n,); `advice` is what to do about a missing one."""
    try:
        values = np.asarray(values)
    except ValueError:  # rows of different lengths
        raise ValueError(f"{name} is ragged: give one number for each of the {n_rows} rows of X.") from None
    check_lengths(n_rows, **{name: values})
    if values.ndim != 1:
        raise ValueError(f"{name} has shape {values.shape}: give one number for each of the {n_rows} rows of X.")
    if values.dtype.kind == "c":
        raise _complex(name)
    if values.dtype.kind not in "fiub":
        _refuse_missing(values, name, advice)
        wrong = [v for v in values.tolist() if not isinstance(v, (numbers.Real, Decimal))]
        if wrong:
            raise ValueError(f"{name} holds {wrong[0]!r}, which is not a number: give one number a row.")
    values = values.astype(float)
    _refuse_missing(values, name, advice)
    if np.abs(values).max(initial=0.0) > LARGEST:
        row = int(np.abs(values).argmax())
        raise ValueError(f"{name} holds {values[row]:g} in row {row}: rescale it to numbers below {LARGEST:g}.")
    return values


def _refuse_missing(values, name, advice):
    import pandas as pd

    bad = ~np.isfinite(values) if values.dtype.kind == "f" else pd.isna(values)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(f"{name} holds {values[row]} in row {row}: {advice}.")


def _complex(name):
    return ValueError(f"Complex data not supported: {name} is complex; give real numbers.")


def check_weights(sample_weight, n_rows):
    """Frequencies (n,): non-negative, finite, not all zero."""
    if sample_weight is None:
        return np.ones(n_rows)
    weights = _numbers(sample_weight, "sample_weight", n_rows, "give every row a weight (0 leaves it out)")
    if (weights < 0).any():
        row = int(weights.argmin())
        raise ValueError(
            f"sample_weight holds {weights[row]:g} in row {row}: weights are frequencies, which must be 0 or more."
        )
    if not weights.any():
        raise ValueError("sample_weight is zero for every row: at least two rows must count.")
    return weights


def class_factors(class_weight, classes, codes, weights):
    """What `class_weight` multiplies each row's weight by: (n,).

    Parameters
    ----------
    class_weight : dict, "balanced" or None
    classes : ndarray (k,)
    codes : ndarray of int (n,)
        Each row's place in `classes`.
    weights : ndarray (n,)
        Frequencies; "balanced" counts with them, so that a weight of 2 is the row twice.
    """
    if class_weight is None:
        return np.ones(len(codes))
    if isinstance(class_weight, str) and class_weight == "balanced":
        count = np.bincount(codes, weights, len(classes))
        return (weights.sum() / ((count > 0).sum() * np.where(count > 0, count, 1.0)))[codes]
    if not isinstance(class_weight, dict):
        raise ValueError(f"class_weight={class_weight!r}: expected None, 'balanced' or a dict of weights by class.")
    for label, value in class_weight.items():
        if not isinstance(value, numbers.Real) or not 0 <= value < np.inf:
            raise ValueError(f"class_weight of {label!r} is {value!r}: it must be a finite number of at least 0.")
    labels = classes.tolist()
    unknown = [label for label in class_weight if label not in labels]
    if unknown and len(class_weight) - len(unknown) < len(labels):  # a class absent from this sample is no mistake
        raise ValueError(f"class_weight names {unknown[0]!r}: expected some of the classes {labels[:10]}.")
    return np.array([float(class_weight.get(label, 1.0)) for label in labels])[codes]


def check_lengths(n_rows, **arrays):
    """Every given array has one entry a row."""
    for name, array in arrays.items():
        if array is None:
            continue
        shape = np.asarray(array).shape
        if not shape:
            raise ValueError(f"{name} is a single value: give one for each of the {n_rows} rows of X.")
        if shape[0] != n_rows:
            raise ValueError(f"{name} has {shape[0]} entries, but X has {n_rows} rows: give one a row.")


def check_groups(groups, n_rows):
    """Groups as codes (n,), or None: one a row, none missing, of any kind."""
    if groups is None:
        return None
    import pandas as pd

    check_lengths(n_rows, groups=groups)
    values = np.asarray(groups)
    if values.ndim != 1:
        raise ValueError(f"groups has shape {values.shape}: give one group for each of the {n_rows} rows of X.")
    _refuse_missing(values, "groups", "give every row a group (its own, if it belongs to none)")
    return pd.factorize(values)[0]


def check_exposure(exposure, n_rows, loss):
    """Positive exposures (n,), or None."""
    if exposure is None:
        return None
    if loss != "poisson":
        raise ValueError(f"exposure is for loss='poisson'; this model has {loss!r}.")
    exposure = _numbers(exposure, "exposure", n_rows, "give every row a positive exposure")
    if (exposure <= 0).any():
        row = int(exposure.argmin())
        raise ValueError(f"exposure holds {exposure[row]:g} in row {row}: it must be positive in every row.")
    return exposure


def check_settings(estimator, feature_names):
    """Constructor arguments, checked at fit as scikit-learn asks."""
    check_number(estimator, "n_knots", 0, integer=True)
    check_number(estimator, "max_iter", 1, integer=True)
    check_number(estimator, "tol", 0.0, strict=True)
    s = estimator.smoothing
    if isinstance(s, dict):
        unknown = [k for k in s if k not in feature_names]
        if unknown:
            raise ValueError(
                f"smoothing names {unknown[0]!r}, which is not a column of X ({', '.join(feature_names[:10])})."
            )
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


def read_basis(basis, linear=False, argument="basis"):
    """The family that was asked for, as a Basis; `linear` allows no family with nonlinear parameters."""
    known = families(linear)
    if isinstance(basis, str) and basis in known:
        return REGISTRY[basis]()
    if isinstance(basis, Basis) and basis.name in known:
        return basis
    what = basis.name if isinstance(basis, Basis) else basis
    raise ValueError(f"{argument}={what!r}: expected one of {', '.join(map(repr, known))}, or a Basis of one of them.")


def check_number(estimator, name, least, integer=False, strict=False):
    """Refuse a constructor argument that is not a number of at least (strictly above) `least`."""
    value = getattr(estimator, name)
    kind = numbers.Integral if integer else numbers.Real
    if (
        not isinstance(value, kind)
        or isinstance(value, bool)
        or not least <= value < np.inf
        or (strict and value == least)
    ):
        what = "an integer" if integer else "a finite number"
        raise ValueError(f"{name}={value!r}: expected {what} {'above' if strict else 'of at least'} {least}.")


def resolve_device(device, n_rows):
    """Where to compute: "cpu", or a torch device. "auto" goes to CUDA from a million rows on, where it pays."""
    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device={device!r}: expected 'auto', 'cpu' or 'cuda'.")
    driver = os.path.exists("/dev/nvidiactl") or os.name == "nt"  # asking torch takes seconds
    if device == "cpu" or (device == "auto" and (n_rows < 1_000_000 or not driver)):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise ValueError("device='cuda': torch finds no CUDA device here; use device='cpu' or 'auto'.")
    return "cpu"
