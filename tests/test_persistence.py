"""Model files: lossless, safe to load, never half-written."""

import json
import os
import pickle
import stat
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

import kan_tabular
from kan_tabular import persistence
from kan_tabular.exceptions import ModelFileError


class Fake(BaseEstimator):
    """The least that a savable estimator must be."""

    def __init__(self, *, smoothing=1.0, names=None, random_state=None):
        self.smoothing = smoothing
        self.names = names
        self.random_state = random_state

    def fit(self, attributes, arrays):
        self.attributes_, self.arrays_ = attributes, arrays
        return self

    def _get_state(self):
        return self.attributes_, self.arrays_

    @classmethod
    def _from_state(cls, params, attributes, arrays):
        return cls(**params).fit(attributes, arrays)


@pytest.fixture(autouse=True)
def known_fake(monkeypatch):
    monkeypatch.setitem(persistence._ESTIMATORS, "Fake", __name__)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.kan"
    persistence.save(Fake().fit({"n": 3}, {"w": np.arange(5000.0)}), path)
    return path


def _edit(path, change, *, rehash=True, compression=zipfile.ZIP_STORED):
    """Rewrite the file with `change(members)` applied to {name: bytes}; `rehash` redoes the spec's own checksum."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    if rehash and "model.json" in members:
        spec = json.loads(members["model.json"])
        del spec["spec_sha256"]
        spec["spec_sha256"] = persistence._spec_digest(spec)
        members["model.json"] = json.dumps(spec).encode()
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _set(**fields):
    def change(members):
        members["model.json"] = json.dumps(json.loads(members["model.json"]) | fields).encode()

    return change


def test_a_model_among_the_parameters_is_kept_with_it(tmp_path):
    inner = Fake(smoothing=2.0).fit({"n": 1}, {"w": np.arange(3.0)})
    persistence.save(Fake(names=inner).fit({"n": 2}, {"w": np.arange(4.0), "v": np.ones(1)}), tmp_path / "model.kan")
    outer = persistence.load(tmp_path / "model.kan")
    assert (outer.attributes_, outer.names.attributes_, outer.names.smoothing) == ({"n": 2}, {"n": 1}, 2.0)
    assert_array_equal(outer.arrays_["w"], np.arange(4.0))
    assert_array_equal(outer.names.arrays_["w"], np.arange(3.0))
    assert list(outer.names.arrays_) == ["w"]

    def rename(members):
        spec = json.loads(members["model.json"])
        spec["params"]["names"]["estimator"] = "Popen"
        members["model.json"] = json.dumps(spec).encode()

    _edit(tmp_path / "model.kan", rename)
    with pytest.raises(ModelFileError, match="do not describe a Fake"):
        persistence.load(tmp_path / "model.kan")


VALUES = [
    None,
    True,
    -3,
    2**80,
    0.1,
    -0.0,
    float("inf"),
    "naïve \ud800 \x00",
    [1, [2.5, "a"]],
    (1, ("b", None)),
    {"age": 0.5, "bmi": {"curvature": 1e-300}},
    {"__kind__": "tuple", "items": [1]},
    {0: "zero", (1, "x"): "pair"},
    np.float32(0.1),
    np.int64(7),
    np.bool_(True),
    np.str_("level"),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_parameters_and_attributes_come_back_with_value_and_type(value, tmp_path):
    persistence.save(Fake(smoothing=value).fit({"deep": [{"v": value}]}, {}), tmp_path / "m")
    model = persistence.load(tmp_path / "m")
    for got in (model.smoothing, model.attributes_["deep"][0]["v"]):
        assert type(got) is type(value)
        assert got == value
        assert repr(got) == repr(value)  # tells -0.0 from 0.0


def test_nan_comes_back(tmp_path):
    persistence.save(Fake(smoothing=float("nan")).fit({}, {}), tmp_path / "m")
    assert np.isnan(persistence.load(tmp_path / "m").smoothing)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["no", "yes"]),
        np.array(["no", "yes"], dtype="<U9"),
        np.array(["no", "yes"], dtype=object),
        np.array([0, 2], dtype=np.int32),
        np.array([False, True]),
        np.array([0.5, np.nan]),
        np.array([1, "one", None], dtype=object),
        np.array([], dtype=object),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)
def test_label_arrays_keep_dtype_and_values(labels, tmp_path):
    persistence.save(Fake().fit({"classes_": labels}, {}), tmp_path / "m")
    got = persistence.load(tmp_path / "m").attributes_["classes_"]
    assert got.dtype == labels.dtype
    assert_array_equal(got, labels)
    assert [type(v) for v in got] == [type(v) for v in labels]


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "u1", "?", ">f8"])
def test_arrays_are_bitwise_equal_writable_and_in_their_order(dtype, tmp_path):
    base = (np.random.default_rng(0).normal(size=(7, 4)) * 100).astype(dtype)
    arrays = {"c": base, "f": np.asfortranarray(base), "view": base[::2, 1:], "zero_d": base[0, 0].reshape(())}
    arrays["empty"] = base[:0]
    persistence.save(Fake().fit({}, arrays), tmp_path / "m")
    got = persistence.load(tmp_path / "m").arrays_
    assert set(got) == set(arrays)
    for key, value in arrays.items():
        assert got[key].shape == value.shape
        assert got[key].dtype == value.dtype.newbyteorder("=")
        assert got[key].tobytes() == value.astype(got[key].dtype).tobytes()
        assert got[key].flags.writeable
    assert got["f"].flags.f_contiguous and not got["f"].flags.c_contiguous


def test_equal_models_give_equal_files(tmp_path):
    for name in "ab":
        persistence.save(Fake().fit({"x": [1.5]}, {"w": np.ones(3)}), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("random_state", np.random.RandomState(0)), ("random_state", np.random.default_rng(0)), ("smoothing", len)],
)
def test_parameters_that_cannot_be_stored_are_refused_by_name(parameter, value, tmp_path):
    with pytest.raises(TypeError, match=f"parameter {parameter} "):
        persistence.save(Fake(**{parameter: value}).fit({}, {}), tmp_path / "m")
    assert os.listdir(tmp_path) == []


def test_object_and_complex_arrays_are_refused(tmp_path):
    for array in (np.array(["a"], dtype=object), np.ones(2, dtype=complex)):
        with pytest.raises(TypeError, match="array 'w'"):
            persistence.save(Fake().fit({}, {"w": array}), tmp_path / "m")


def test_only_known_fitted_estimators_are_saved(tmp_path):
    with pytest.raises(NotFittedError):
        persistence.save(Fake(), tmp_path / "m")
    with pytest.raises(TypeError, match="cannot save a Sub"):
        persistence.save(type("Sub", (Fake,), {})().fit({}, {}), tmp_path / "m")


# ---- writing ----


def test_failed_write_leaves_the_old_model_and_no_litter(saved, monkeypatch):
    before = saved.read_bytes()

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(persistence.os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        persistence.save(Fake().fit({"n": 4}, {}), saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_overwrites_through_a_link_and_keeps_permissions(saved):
    os.chmod(saved, 0o640)
    link = saved.parent / "latest.kan"
    link.symlink_to(saved)
    persistence.save(Fake().fit({"n": 4}, {}), link)
    assert link.is_symlink()
    assert persistence.load(saved).attributes_ == {"n": 4}
    assert stat.S_IMODE(saved.stat().st_mode) == 0o640


def test_bad_targets(tmp_path):
    with pytest.raises(ModelFileError, match="folder"):
        persistence.save(Fake().fit({}, {}), tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        persistence.save(Fake().fit({}, {}), tmp_path / "no" / "m")


# ---- reading ----


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no model file"):
        persistence.load(tmp_path / "none")
    with pytest.raises(ModelFileError, match="not a file"):
        persistence.load(tmp_path)


def test_every_truncation_is_refused(saved):
    content = saved.read_bytes()
    for length in [0, 1, 30, 200, len(content) // 2, len(content) - 1]:
        saved.write_bytes(content[:length])
        with pytest.raises(ModelFileError):
            persistence.load(saved)


def test_every_kind_of_flipped_byte_is_refused_or_harmless(saved):
    content = saved.read_bytes()
    refused = 0
    for position in range(0, len(content), 97):
        damaged = bytearray(content)
        damaged[position] ^= 0x5A
        saved.write_bytes(bytes(damaged))
        try:
            model = persistence.load(saved)
        except ModelFileError:
            refused += 1
        else:  # a byte of the zip's own bookkeeping (dates, attributes)
            assert model.attributes_ == {"n": 3}
            assert_array_equal(model.arrays_["w"], np.arange(5000.0))
    assert refused > 0.9 * len(range(0, len(content), 97))


@pytest.mark.parametrize(
    "content",
    [b"", b"hello,world\n1,2\n", pickle.dumps({"a": 1}), b"PK\x03\x04 cut", bytes(range(100))],
    ids=["empty", "csv", "pickle", "zip head", "noise"],
)
def test_foreign_files_are_refused(content, tmp_path):
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(ModelFileError, match="cannot load"):
        persistence.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.pop("arrays.safetensors"), "not a kan-tabular model file"),
        (lambda m: m.pop("model.json"), "not a kan-tabular model file"),
        (lambda m: m.update({"evil.py": b"raise SystemExit"}), "not a kan-tabular model file"),
        (_set(format="other"), "not a kan-tabular model file"),
        (_set(schema="1"), "not a kan-tabular model file"),
        (_set(schema=99, kan_tabular="9.9"), r"newer kan-tabular \(9.9\)"),
        (_set(estimator="os.system"), "does not know"),
        (_set(arrays_sha256="0" * 64), "checksum"),
        (_set(params={"no_such_parameter": 1}), "do not describe a Fake"),
        (_set(attributes={"__kind__": "pickle"}), "do not describe a Fake"),
        (_set(attributes={"__kind__": "array", "dtype": "V8", "shape": [1], "items": [1]}), "do not describe a Fake"),
    ],
)
def test_wrong_contents_are_refused(saved, change, message):
    _edit(saved, change)
    with pytest.raises(ModelFileError, match=message):
        persistence.load(saved)


def test_edited_description_fails_its_checksum(saved):
    _edit(saved, _set(attributes={"n": 4}), rehash=False)
    with pytest.raises(ModelFileError, match="checksum"):
        persistence.load(saved)


@pytest.mark.parametrize("text", [b"{", b"[]", b"[" * 200_000, b"\xff\xfe"], ids=["cut", "list", "deep", "not utf-8"])
def test_bad_description_is_refused(saved, text):
    _edit(saved, lambda m: m.update({"model.json": text}), rehash=False)
    with pytest.raises(ModelFileError):
        persistence.load(saved)


def test_a_compressed_bomb_is_refused_unread(saved):
    _edit(saved, lambda m: m.update({"arrays.safetensors": bytes(10**7)}), compression=zipfile.ZIP_DEFLATED)
    assert saved.stat().st_size < 10**5
    with pytest.raises(ModelFileError, match="packed in a way"):
        persistence.load(saved)


# ---- the real estimators ----


@pytest.fixture
def table():
    rng = np.random.default_rng(3)
    X = pd.DataFrame(
        {"age": rng.normal(60, 10, 200), "Größe": rng.normal(size=200), "site": rng.choice(list("abc"), 200)}
    )
    X.loc[::17, "age"] = np.nan
    return X, X["Größe"] + (X["site"] == "a") + rng.normal(size=200) > 0


@pytest.mark.parametrize("labels", [np.array(["no", "yes"]), np.array([1, 2]), np.array([False, True])], ids=str)
def test_classifier_predicts_bitwise_equal(table, labels, tmp_path):
    X, positive = table
    model = kan_tabular.KAAMClassifier(smoothing={"age": 2.0}, random_state=5).fit(X, labels[positive.astype(int)])
    model.save(tmp_path / "m.kan")
    loaded = kan_tabular.load(tmp_path / "m.kan")
    assert type(loaded) is kan_tabular.KAAMClassifier
    assert loaded.get_params() == model.get_params()
    assert loaded.classes_.dtype == model.classes_.dtype
    assert_array_equal(loaded.feature_names_in_, ["age", "Größe", "site"])
    assert_array_equal(loaded.predict(X), model.predict(X))
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert_array_equal(loaded.explain(X).values, model.explain(X).values)
    assert_array_equal(loaded.shape_function("age").lower, model.shape_function("age").lower)
    assert_array_equal(
        loaded.shape_function("site").upper_simultaneous, model.shape_function("site").upper_simultaneous
    )
    pd.testing.assert_frame_equal(loaded.summary(), model.summary())
    assert vars(loaded).keys() == vars(model).keys()


def test_regressor_and_multiclass_predict_bitwise_equal(table, tmp_path):
    X, _ = table
    model = kan_tabular.KAAMRegressor().fit(X[["age", "site"]], X["Größe"])
    model.save(tmp_path / "r.kan")
    mean, error = kan_tabular.load(tmp_path / "r.kan").predict(X[["age", "site"]], return_std="predictive")
    assert_array_equal(mean, model.predict(X[["age", "site"]]))
    assert_array_equal(error, model.predict(X[["age", "site"]], return_std="predictive")[1])
    model = kan_tabular.KAAMClassifier().fit(X[["age", "Größe"]].to_numpy(), X["site"])
    model.save(tmp_path / "c.kan")
    assert_array_equal(
        kan_tabular.load(tmp_path / "c.kan").predict_proba(X[["age", "Größe"]].to_numpy()),
        model.predict_proba(X[["age", "Größe"]].to_numpy()),
    )


def test_loading_and_predicting_needs_no_torch(table, tmp_path):
    X, y = table
    kan_tabular.KAAMClassifier().fit(X[["age", "Größe"]].to_numpy(), y).save(tmp_path / "m.kan")
    code = (
        "import sys, numpy as np, kan_tabular\n"
        f"kan_tabular.load({str(tmp_path / 'm.kan')!r}).predict_proba(np.zeros((2, 2)))\n"
        "print([m for m in ('torch', 'matplotlib', 'sympy', 'shap') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
