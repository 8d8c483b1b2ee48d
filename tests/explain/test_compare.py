"""Agreement of two explanations: numbers worked out by hand, and properties."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, spearmanr
from tables import refused

from kan_tabular import KAAMClassifier
from kan_tabular.explain import agreement

NAMES = ["a", "b", "c", "d"]


def said(values, names=NAMES, **more):
    return SimpleNamespace(values=np.array(values, dtype=float), feature_names=list(names), **more)


def test_numbers_worked_out_by_hand():
    first = said([[4.0, -3.0, 2.0, 1.0]])
    second = said([[3.0, 4.0, 1.0, 2.0]])  # sizes ranked 2 1 4 3 instead of 1 2 3 4; b has the other sign
    found = agreement(first, second, top_k=2)
    # sum of squared rank differences 4: 1 - 6 * 4 / (4 * 15); 4 concordant pairs of 6, 2 discordant
    expected = {"spearman": 0.6, "kendall": 1 / 3, "top_2_overlap": 1.0, "top_2_sign_agreement": 0.5}
    assert list(found) == list(expected) and found.iloc[0].to_dict() == pytest.approx(expected)
    found = agreement(said([[4.0, -3.0, 2.0, 1.0]]), said([[1.0, -3.0, 2.0, 4.0]]), top_k=1)
    assert found["top_1_overlap"].item() == 0 and found["top_1_sign_agreement"].item() == 0
    found = agreement(said([[4.0, -3.0, 2.0, 1.0]]), said([[1.0, -3.0, 2.0, 4.0]]), top_k=3)
    assert found["top_3_overlap"].item() == pytest.approx(2 / 3)
    assert found["top_3_sign_agreement"].item() == pytest.approx(2 / 3)


def test_correlations_are_those_of_the_sizes():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6, 4))
    found, pairs = agreement(said(a), said(b)), [*zip(np.abs(a), np.abs(b), strict=True)]
    np.testing.assert_allclose(found["spearman"], [spearmanr(*pair).statistic for pair in pairs])
    np.testing.assert_allclose(found["kendall"], [kendalltau(*pair).statistic for pair in pairs])
    assert "top_4_overlap" in found and (found["top_4_overlap"] == 1).all()  # of four features the top five are all


def test_an_explanation_agrees_with_itself_and_not_with_its_opposite():
    values = np.random.default_rng(1).normal(size=(5, 4))
    assert (agreement(said(values), said(values)) == 1).all(axis=None)
    opposite = agreement(said(values), said(-values))
    assert (opposite["spearman"] == 1).all() and (opposite["top_4_sign_agreement"] == 0).all()


def test_features_are_matched_by_name_and_the_order_of_the_two_does_not_matter():
    a, b = np.random.default_rng(2).normal(size=(2, 5, 4))
    plain = agreement(said(a), said(b), top_k=2)
    order = [2, 0, 3, 1]
    pd.testing.assert_frame_equal(agreement(said(a), said(b[:, order], [NAMES[j] for j in order]), top_k=2), plain)
    pd.testing.assert_frame_equal(agreement(said(b), said(a), top_k=2), plain)


def test_sizes_that_are_all_the_same_have_no_ranks():
    found = agreement(said([[1.0, -1.0, 1.0, 1.0]]), said([[1.0, 2.0, 3.0, 4.0]]), top_k=2)
    assert found[["spearman", "kendall"]].isna().all(axis=None)


def test_a_score_is_passed_on():
    values = np.ones((2, 4)) * [1, 2, 3, 4]
    for pair in (
        (said(values), said(values, score=np.array([0.5, 0.9]))),
        (said(values, score=[0.5, 0.9]), said(values)),
    ):
        assert agreement(*pair)["local_r2"].tolist() == [0.5, 0.9]


def test_explanations_of_models_and_parts_of_them_are_taken():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(80, 4))
    model = KAAMClassifier().fit(X, np.digitize(X[:, 0] + X[:, 1] ** 2, [0.3, 1.0]))
    explanation = model.explain(X)
    one = agreement(explanation[3, :, 1], explanation[3, :, 2])
    pd.testing.assert_frame_equal(one, agreement(explanation[3:4, :, 1], explanation[3:4, :, 2]))
    refused(lambda: agreement(explanation, explanation), "first")


@pytest.mark.parametrize(
    "second, top_k, named",
    [
        (said(np.ones((2, 4)), ["a", "b", "c", "e"]), 5, "d"),
        (said(np.ones((2, 3)), NAMES[:3]), 5, "d"),
        (said(np.ones((3, 4))), 5, "rows"),
        (said(np.ones((2, 4))), 0, "top_k"),
    ],
)
def test_what_does_not_match_is_named(second, top_k, named):
    with pytest.raises(ValueError, match=rf"\b{named}\b"):
        agreement(said(np.ones((2, 4))), second, top_k=top_k)


def test_what_is_no_explanation_is_refused():
    with pytest.raises((TypeError, ValueError), match="first"):
        agreement(np.ones((2, 4)), said(np.ones((2, 4))))
