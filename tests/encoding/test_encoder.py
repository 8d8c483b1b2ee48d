"""What training saw decides how later tables are read."""

import json

import numpy as np
import pandas as pd
import pytest

from kan_tabular.encoding import LARGEST, TableEncoder, read_table
from kan_tabular.encoding.encoder import MAX_LEVELS, Feature
from kan_tabular.exceptions import DataError, UnseenCategoryWarning

NAN = np.nan


def frame():
    return pd.DataFrame(
        {
            "age": [20.0, NAN, 40.0, 90.0],
            "stage": ["b", "a", None, "c"],
            "grade": [1, 3, 3, 2],
        }
    )


def encode(X, weights=None, chosen="from_dtype"):
    table = read_table(X)
    encoder = TableEncoder(chosen)
    weights = np.ones(table.n_rows) if weights is None else np.asarray(weights, float)
    return encoder, encoder.fit_transform(table, weights)


def test_numbers_stay_and_levels_become_codes_in_sorted_order():
    encoder, Z = encode(frame())
    np.testing.assert_array_equal(Z, [[20, 1, 1], [NAN, 0, 3], [40, NAN, 3], [90, 2, 2]])
    age, stage, grade = encoder.features_
    assert [f.kind for f in encoder.features_] == ["numeric", "category", "numeric"]
    assert (age.low, age.high, age.missing) == (20.0, 90.0, 0.25)
    assert stage.levels == ["a", "b", "c"] and stage.missing == 0.25
    assert grade.missing == 0.0
    np.testing.assert_array_equal(encoder.transform(read_table(frame())), Z)


def test_rows_of_weight_zero_are_not_there():
    encoder, Z = encode(frame(), weights=[1, 3, 2, 0])
    age, stage, _ = encoder.features_
    assert (age.low, age.high) == (20.0, 40.0) and age.missing == pytest.approx(3 / 6)
    assert stage.levels == ["a", "b"] and stage.missing == pytest.approx(2 / 6)
    assert Z[3, 1] == -1


def test_unseen_levels_are_minus_one_missing_ones_nan_and_both_are_told_apart():
    encoder, _ = encode(frame())
    later = pd.DataFrame({"age": [1.0] * 4, "stage": ["z", None, "a", "z"], "grade": [0] * 4})
    with pytest.warns(UnseenCategoryWarning, match=r"'stage': 'z' \(2 rows\)"):
        Z = encoder.transform(read_table(later))
    np.testing.assert_array_equal(Z[:, 1], [-1, NAN, 0, -1])
    np.testing.assert_array_equal(encoder.transform(read_table(later), warn=False), Z)


@pytest.mark.parametrize(
    "trained, later",
    [
        (pd.Categorical([3, 1, 3]), ["3", "1", "3"]),
        (pd.Categorical(["3", "1", "3"]), [3.0, 1.0, 3.0]),
        (pd.Categorical([3.0, 1.0, 3.0]), [3, 1, 3]),
        (["3", "1", "3"], pd.Categorical([3, 1, 3])),
    ],
)
def test_a_level_is_recognised_however_it_is_written(trained, later):
    encoder, Z = encode(pd.DataFrame({"g": trained}))
    np.testing.assert_array_equal(Z[:, 0], [1, 0, 1])
    np.testing.assert_array_equal(encoder.transform(read_table(pd.DataFrame({"g": later}))), Z)


@pytest.mark.parametrize("chosen", [["stage", "grade"], [1, 2], [False, True, True], np.array([1, 2])])
def test_categories_may_be_named(chosen):
    encoder, Z = encode(frame(), chosen=chosen)
    assert [f.kind for f in encoder.features_] == ["numeric", "category", "category"]
    assert encoder.features_[2].levels == ["1", "2", "3"]
    np.testing.assert_array_equal(Z[:, 2], [0, 2, 2, 1])


def test_numbers_missing_everywhere_have_no_range():
    encoder, Z = encode(pd.DataFrame({"a": [NAN, NAN]}))
    (feature,) = encoder.features_
    assert feature.kind == "numeric" and feature.missing == 1.0 and np.isnan([feature.low, feature.high]).all()
    assert np.isnan(Z).all()


def test_a_category_missing_at_predict_is_read_from_an_all_missing_column():
    encoder, _ = encode(frame())
    later = frame().assign(stage=NAN)
    assert np.isnan(encoder.transform(read_table(later))[:, 1]).all()


@pytest.mark.parametrize(
    "feature",
    [
        Feature("age", "numeric", low=20.0, high=90.0, missing=0.25),
        Feature("empty", "numeric", missing=1.0),
        Feature("stage", "category", ["a", "b"], missing=0.5),
    ],
    ids=lambda f: f.name,
)
def test_features_survive_json(feature):
    text = json.dumps(feature.to_spec(), allow_nan=False)
    again = Feature.from_spec(json.loads(text))
    assert (again.name, again.kind, again.levels, again.missing) == (
        feature.name,
        feature.kind,
        feature.levels,
        feature.missing,
    )
    np.testing.assert_array_equal([again.low, again.high], [feature.low, feature.high])


def test_only_clean_float_arrays_of_numeric_features_skip_the_encoding():
    encoder, _ = encode(np.arange(6.0).reshape(3, 2))
    clean = np.ones((1, 2))
    assert encoder.is_encoded(clean)
    for other in (
        clean.astype("float32"),
        clean.tolist(),
        np.ones((1, 3)),
        np.ones(2),
        clean[:0],
        np.array([[1.0, NAN]]),
        np.array([[1.0, np.inf]]),
        np.array([[1.0, -2 * LARGEST]]),
        pd.DataFrame(clean),
    ):
        assert not encoder.is_encoded(other)
    assert not encode(frame())[0].is_encoded(np.ones((1, 3)))


@pytest.mark.parametrize(
    "column, words",
    [
        ([f"patient {i}" for i in range(21)], "'c' looks like an identifier: 21 different"),
        (np.repeat([f"{i}" for i in range(MAX_LEVELS + 1)], 2), f"'c' has {MAX_LEVELS + 1} levels"),
        ([0.0, 1e-75], "'c' only varies.*rescale"),
    ],
    ids=["identifier", "too many levels", "too narrow"],
)
def test_columns_that_cannot_be_used_are_refused_by_name(column, words):
    with pytest.raises(DataError, match=words):
        encode(pd.DataFrame({"c": column}))


def test_twenty_different_texts_are_levels_and_so_are_repeated_ones():
    assert len(encode(pd.DataFrame({"c": [f"{i}" for i in range(20)]}))[0].features_[0].levels) == 20
    many = np.append([f"{i}" for i in range(30)], "0")
    assert len(encode(pd.DataFrame({"c": many}))[0].features_[0].levels) == 30


@pytest.mark.parametrize(
    "chosen, words",
    [
        (None, "Column 'stage' holds text"),
        (["grade"], "Column 'stage' holds text"),
        (["nope"], "'nope', which is not a column"),
        ([5], "5, which is not a column"),
        ([True, False], "mask of length 2"),
        ([["stage"]], "one-dimensional"),
        ("dtype", "categorical_features='dtype'"),
    ],
)
def test_choices_of_categories_that_are_refused(chosen, words):
    with pytest.raises(ValueError, match=words):
        encode(frame(), chosen=chosen)


def test_text_where_training_had_numbers_is_refused():
    encoder, _ = encode(frame())
    with pytest.raises(DataError, match="'age' was numeric in training but holds text"):
        encoder.transform(read_table(frame().assign(age="old")))
