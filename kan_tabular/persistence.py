"""Save and load fitted models: one file, no pickle, nothing executed on load.

A model file is an uncompressed zip of two members:

``model.json``
    ``format``, ``schema``, ``kan_tabular`` (the version that wrote it), ``estimator`` (class name), ``params``
    (constructor parameters), ``attributes`` (fitted state that is not a numeric array), ``fortran`` (names of the
    arrays that were column-major, restored as such since the order of a sum depends on it), ``arrays_sha256`` and
    ``spec_sha256`` (of everything else in this member).
``arrays.safetensors``
    The numeric arrays.

Members are stored, never compressed: a file then cannot unpack to more than its own size.
"""

import hashlib
import io
import json
import math
import os
import zipfile
from importlib import import_module

import numpy as np

import kan_tabular
from kan_tabular import _files
from kan_tabular.bases import REGISTRY, Basis
from kan_tabular.exceptions import ModelFileError

__all__ = ["check_target", "load", "save"]

FORMAT = "kan-tabular"
SCHEMA = 1
_SPEC, _ARRAYS = "model.json", "arrays.safetensors"

# The only classes a file can name. Each has `_get_state() -> (attributes, arrays)` and the classmethod
# `_from_state(params, attributes, arrays)`.
_ESTIMATORS = {
    "ConformalClassifier": "kan_tabular.uncertainty.classifier",
    "ConformalRegressor": "kan_tabular.uncertainty.regressor",
    "DualChannelKAN": "kan_tabular.estimators.dual_channel",
    "KAAMClassifier": "kan_tabular.estimators.additive",
    "KAAMRegressor": "kan_tabular.estimators.additive",
    "KANRegressor": "kan_tabular.estimators.network",
    "LogisticKAN": "kan_tabular.estimators.network",
    "SKANClassifier": "kan_tabular.estimators.selectable",
    "SKANRegressor": "kan_tabular.estimators.selectable",
    "SimilarCases": "kan_tabular.explain.similar",
    "SymbolicClassifier": "kan_tabular.estimators.symbolic",
    "SymbolicRegressor": "kan_tabular.estimators.symbolic",
}

# JSON objects with this key stand for what JSON has no word for: tuples, NumPy values, infinities, a model in another.
_KIND = "__kind__"


def save(estimator, path):
    """Write a fitted estimator to one file, atomically.

    Parameters
    ----------
    estimator : KAAMClassifier, KAAMRegressor, LogisticKAN, KANRegressor, SimilarCases, ...
        A fitted estimator of `kan_tabular`.
    path : str or path-like
        The file to write. An existing file is replaced only after the new one is complete.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is no estimator of `kan_tabular`, or a parameter cannot be stored (a callable, a random generator).
    ModelFileError
        If `path` is a folder.
    FileNotFoundError
        If the folder of `path` does not exist.
    """
    if not _is_savable(estimator):
        name = type(estimator).__name__
        raise TypeError(f"cannot save a {name}: only {_and(_ESTIMATORS)} can be written to a model file")
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator)
    target = check_target(path)
    _files.write_atomically(target, _pack(*_describe(estimator)))


def check_target(path):
    """Where a model would be written: links resolved, and refused with `save`'s errors if it cannot be."""
    return _files.check_target(path, example="model.kan", error=ModelFileError)


def load(path):
    """Read a model file; the model predicts exactly as the one that was saved.

    Parameters
    ----------
    path : str or path-like
        A file written by ``model.save(path)``.

    Returns
    -------
    an estimator of `kan_tabular`
        The fitted estimator.

    Raises
    ------
    FileNotFoundError
        If there is no file at `path`.
    ModelFileError
        If it is not a model file, is damaged or incomplete, or was written by a newer version.
    """
    path = os.fspath(path)
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no model file at {path}")
    if not os.path.isfile(path):
        raise ModelFileError(f"cannot load {path}: it is not a file")
    with open(path, "rb") as file:
        content = file.read()
    spec_bytes, array_bytes = _unpack(content, path)
    spec = _checked_spec(spec_bytes, array_bytes, path)
    name = spec["estimator"]
    if name not in _ESTIMATORS:
        raise ModelFileError(f"cannot load {path}: it holds a {name!r}, which this version does not know")
    # Whatever goes wrong from here on, the cause is what the file says; tell the user that, and keep the cause.
    try:
        from safetensors.numpy import load as load_arrays

        fortran = set(spec["fortran"])
        arrays = {
            key: np.array(value, order="F" if key in fortran else "C")
            for key, value in load_arrays(array_bytes).items()
        }
        return _restore(spec, arrays)
    except Exception as error:
        raise ModelFileError(f"cannot load {path}: its contents do not describe a {name}") from error


def _estimator_class(name):
    return getattr(import_module(_ESTIMATORS[name]), name)


def _is_savable(value):
    name = type(value).__name__
    return name in _ESTIMATORS and type(value) is _estimator_class(name)


def _describe(estimator):
    """Plain data and arrays of a fitted estimator; arrays of one among its parameters are named ``<parameter>/...``."""
    attributes, arrays = estimator._get_state()
    arrays = {key: _storable(value, key) for key, value in arrays.items()}
    params = {}
    for key, value in estimator.get_params(deep=False).items():
        if _is_savable(value):
            inner, own = _describe(value)
            params[key] = {_KIND: "model", **inner}
            arrays |= {f"{key}/{name}": array for name, array in own.items()}
        else:
            params[key] = _encode(value, f"parameter {key}")
    name = type(estimator).__name__
    return {"estimator": name, "params": params, "attributes": _encode(attributes, "attribute")}, arrays


def _restore(spec, arrays):
    """The estimator that `_describe` described."""
    params = {}
    for key, value in spec["params"].items():
        if isinstance(value, dict) and value.get(_KIND) == "model":
            start = f"{key}/"
            inner = {name.removeprefix(start): a for name, a in arrays.items() if name.startswith(start)}
            params[key] = _restore(value, inner)
        else:
            params[key] = _decode(value)
    return _estimator_class(spec["estimator"])._from_state(params, _decode(spec["attributes"]), arrays)


def _and(names):
    names = list(names)
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


# ---- the file ----


def _pack(description, arrays):
    from safetensors.numpy import save as save_arrays

    array_bytes = save_arrays({key: np.ascontiguousarray(a).reshape(a.shape) for key, a in arrays.items()})
    spec = {
        "format": FORMAT,
        "schema": SCHEMA,
        "kan_tabular": kan_tabular.__version__,
        **description,
        "fortran": sorted(key for key, a in arrays.items() if a.flags.f_contiguous and not a.flags.c_contiguous),
        "arrays_sha256": hashlib.sha256(array_bytes).hexdigest(),
    }
    spec["spec_sha256"] = _spec_digest(spec)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        # ZipInfo's fixed default date makes equal models equal files.
        archive.writestr(zipfile.ZipInfo(_SPEC), json.dumps(spec, allow_nan=False).encode())
        archive.writestr(zipfile.ZipInfo(_ARRAYS), array_bytes)
    return buffer.getvalue()


def _unpack(content, path):
    """Bytes of the two members, after checks that need no parsing."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        kind = "incomplete or damaged" if content.startswith(b"PK\x03\x04") else "not a kan-tabular model file"
        raise ModelFileError(f"cannot load {path}: it is {kind}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if sorted(m.filename for m in members) != [_ARRAYS, _SPEC]:
                raise ModelFileError(f"cannot load {path}: it is not a kan-tabular model file")
            if any(m.compress_type != zipfile.ZIP_STORED or m.file_size > len(content) for m in members):
                raise ModelFileError(f"cannot load {path}: its parts are packed in a way kan-tabular does not write")
            return archive.read(_SPEC), archive.read(_ARRAYS)
    except ModelFileError:
        raise
    except Exception as error:  # zipfile's own errors are of many types
        raise ModelFileError(f"cannot load {path}: it is damaged") from error


def _checked_spec(spec_bytes, array_bytes, path):
    try:
        spec = json.loads(spec_bytes)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"cannot load {path}: its description is damaged") from error
    if not isinstance(spec, dict) or spec.get("format") != FORMAT or type(spec.get("schema")) is not int:
        raise ModelFileError(f"cannot load {path}: it is not a kan-tabular model file")
    # Before the checksums: a newer version may compute them differently.
    if spec["schema"] > SCHEMA:
        raise ModelFileError(
            f"cannot load {path}: it was written by a newer kan-tabular ({spec.get('kan_tabular')}); upgrade to read it"
        )
    digest = spec.pop("spec_sha256", None)
    if digest != _spec_digest(spec) or spec.get("arrays_sha256") != hashlib.sha256(array_bytes).hexdigest():
        raise ModelFileError(f"cannot load {path}: its checksum does not match, so it was damaged or edited")
    return spec


def _spec_digest(spec):
    return hashlib.sha256(json.dumps(spec, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


# ---- values that JSON cannot hold by itself ----


def _storable(array, name):
    array = np.asarray(array)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise TypeError(f"array {name!r} has dtype {array.dtype}, which a model file cannot hold")
    return array.astype(array.dtype.newbyteorder("<"), order="K", copy=False)


def _encode(value, where):
    """`value` as plain JSON data, such that `_decode` gives it back unchanged."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biufUO" or (value.dtype.kind == "f" and value.dtype.itemsize > 8):
            raise TypeError(f"{where} is an array of {value.dtype}, which a model file cannot hold")
        items = [_encode(item, where) for item in value.ravel().tolist()]
        return {_KIND: "array", "dtype": value.dtype.str, "shape": list(value.shape), "items": items}
    if isinstance(value, np.generic):
        return {_KIND: "scalar", "array": _encode(np.asarray(value), where)}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {_KIND: "float", "value": repr(value)}
    if isinstance(value, list):
        return [_encode(item, where) for item in value]
    if isinstance(value, tuple):
        return {_KIND: "tuple", "items": [_encode(item, where) for item in value]}
    if isinstance(value, dict):
        if all(isinstance(key, str) and key != _KIND for key in value):
            return {str(key): _encode(item, f"{where}[{key!r}]") for key, item in value.items()}
        pairs = [[_encode(key, where), _encode(item, f"{where}[{key!r}]")] for key, item in value.items()]
        return {_KIND: "dict", "items": pairs}
    if isinstance(value, Basis):
        return {_KIND: "basis", "name": value.name, "arguments": _encode(value.arguments(), where)}
    hint = "; use an integer or None" if where == "parameter random_state" else "; use a plain value instead, or pickle"
    raise TypeError(f"{where} is a {type(value).__name__}, which a model file cannot hold{hint}")


def _decode(value):
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(_KIND)
    if kind is None:
        return {key: _decode(item) for key, item in value.items()}
    if kind == "array":
        dtype = np.dtype(value["dtype"])
        if dtype.kind not in "biufUO":
            raise ValueError(f"unexpected dtype {dtype}")
        array = np.empty(len(value["items"]), dtype=dtype)
        for i, item in enumerate(_decode(value["items"])):
            array[i] = item
        return array.reshape(value["shape"])
    if kind == "scalar":
        return _decode(value["array"])[()]
    if kind == "float":
        return float(value["value"])
    if kind == "tuple":
        return tuple(_decode(value["items"]))
    if kind == "basis":
        return REGISTRY[value["name"]](**_decode(value["arguments"]))
    if kind == "dict":
        return {_decode(key): _decode(item) for key, item in value["items"]}
    raise ValueError(f"unknown kind {kind!r}")
