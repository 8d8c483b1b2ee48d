"""Penalised design columns against the weighted moments of the column they stand for."""

import json
from dataclasses import replace

import numpy as np
import pytest

from kan_tabular.bases import REGISTRY, BSpline, Chebyshev, Cosine, PiecewiseLinear, Pool, families
from kan_tabular.fitted.curves import InputCurves
from kan_tabular.solvers.terms import build_term


def column(kind="many"):
    rng = np.random.default_rng(0)
    values = {
        "many": np.sort(rng.gamma(2.0, 1.0, 200)),
        "ties": np.arange(12.0) ** 2,
        "three": np.array([1.0, 2.0, 7.0]),
        "two": np.array([-5.0, 3.0]),
        "far from zero": 1e9 + np.arange(30.0),
    }[kind]
    return values, rng.uniform(0.5, 4.0, len(values))


def numeric(kind="many", missing=0.0, n_knots=8, max_columns=99):
    values, counts = column(kind)
    return (
        build_term("numeric", 0, values, counts, missing, family=BSpline(n_knots), max_columns=max_columns),
        values,
        counts,
    )


KINDS = ["many", "ties", "three", "two", "far from zero"]


@pytest.mark.parametrize("kind", KINDS)
def test_columns_are_centred_and_orthonormal_over_the_training_rows(kind):
    term, values, counts = numeric(kind)
    T, share = term.curves.columns(values), counts / counts.sum()
    np.testing.assert_allclose(share @ T, 0.0, atol=1e-8)
    np.testing.assert_allclose((T * share[:, None]).T @ T, np.eye(T.shape[1]), atol=1e-7)
    assert T.shape[1] == min(8 + 3, len(values) - 1) == len(term.scale) == sum(size for _, size in term.groups)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_column_is_the_line(kind):
    term, values, counts = numeric(kind)
    mean = np.average(values, weights=counts)
    standardised = (values - mean) / np.sqrt(np.average((values - mean) ** 2, weights=counts))
    line = term.curves.columns(values)[:, 0]
    np.testing.assert_allclose(np.sign(line[-1]) * line, standardised, atol=1e-7)
    outside = values[-1] + np.array([0.0, 1.0, 5.0]) * np.ptp(values)
    slopes = np.diff(term.curves.columns(outside)[:, 0]) / np.diff(outside)
    np.testing.assert_allclose(slopes, np.polyfit(values, line, 1)[0], rtol=1e-6)


@pytest.mark.parametrize("kind", ["many", "ties", "three"])
def test_the_penalty_is_diagonal_and_normalised(kind):
    term, _, _ = numeric(kind)
    transform, curved = term.curves.transform, term.scale[1:]
    P = transform.T @ term.curves.basis.penalty() @ transform
    np.testing.assert_allclose(P, np.diag(np.diag(P)), atol=1e-7 * P.max())
    assert P[0, 0] < 1e-7 * P[1, 1] and term.scale[0] == 1.0
    np.testing.assert_allclose(np.diag(P)[1:] / P[1, 1], curved / curved[0], rtol=1e-6)
    assert (np.diff(curved) > 0).all()
    assert (1 / curved).sum() == pytest.approx(1.0)
    assert term.groups == [("linear", 1), ("curvature", len(curved))]


def test_two_values_have_a_line_only():
    term = numeric("two")[0]
    assert term.groups == [("linear", 1)] and term.scale.tolist() == [1.0]


@pytest.mark.parametrize("rare", [1e-6, 1.7e-7, 1e-9, 1e-12])
def test_a_value_of_next_to_no_weight_adds_a_line_at_most(rare):
    """Rounding makes the centred Gram matrix of two values look as if it had rank two."""
    values = np.array([-3.4e-7, 1.6641])
    with np.errstate(all="raise"):
        term = build_term("numeric", 0, values, np.array([5.0, 5 * rare]), 0.0, family=BSpline(10), max_columns=50)
    assert [kind for kind, _ in term.groups] == ["linear"]
    assert np.isfinite(term.curves.columns(values)).all()


def test_narrow_terms_keep_their_smoothest_columns():
    full, values, _ = numeric()
    narrow, _, _ = numeric(max_columns=4)
    np.testing.assert_allclose(narrow.curves.columns(values), full.curves.columns(values)[:, :4], atol=1e-12)
    np.testing.assert_allclose(narrow.scale[1:] / narrow.scale[1], full.scale[1:4] / full.scale[1])
    assert (1 / narrow.scale[1:]).sum() == pytest.approx(1.0)
    assert numeric(max_columns=1)[0].groups == [("linear", 1)]


def test_missing_rows_have_their_own_centred_column():
    term, values, counts = numeric(missing=0.2)
    share = np.append(0.8 * counts / counts.sum(), 0.2)
    T = term.curves.columns(np.append(values, np.nan))
    np.testing.assert_allclose(share @ T, 0.0, atol=1e-10)
    assert term.groups[-1] == ("missing", 1) and term.scale[-1] == 1.0
    # The step of the last column between missing and known is one.
    np.testing.assert_allclose(T[-1, -1] - T[:-1, -1], 1.0)
    assert not T[-1, :-1].any()


def category(counts, missing=0.0):
    counts = np.asarray(counts, float)
    values = np.flatnonzero(counts).astype(float)
    term = build_term("category", len(counts), values, counts[counts > 0], missing, family=BSpline(8), max_columns=99)
    return term, values, counts[counts > 0]


def test_levels_are_centred_contrasts_whose_ridge_is_the_spread_of_the_effects():
    term, values, counts = category([10, 3, 1, 6])
    T = term.curves.columns(values)
    np.testing.assert_allclose(counts @ T, 0.0, atol=1e-12)
    b = np.random.default_rng(1).normal(size=3)
    effects = T @ b
    assert ((effects - effects.mean()) ** 2).sum() == pytest.approx((term.scale * b**2).sum())
    assert term.groups == [("level", 3)]
    assert not term.curves.columns(np.array([-1.0])).any()


@pytest.mark.parametrize(
    "term",
    [
        build_term("numeric", 0, np.array([3.0]), np.array([9.0]), 0.0, family=BSpline(8), max_columns=99),
        build_term("numeric", 0, np.empty(0), np.empty(0), 1.0, family=BSpline(8), max_columns=99),
        category([7])[0],
    ],
    ids=["constant", "all missing", "one level"],
)
def test_columns_without_information_have_no_term(term):
    assert term.groups == [] and term.curves.basis is None
    assert term.curves.columns(np.array([0.0, 3.0, np.nan])).shape == (3, 0)


def test_a_constant_with_missing_rows_tells_by_being_missing():
    term = build_term("numeric", 0, np.array([3.0]), np.array([6.0]), 0.4, family=BSpline(8), max_columns=99)
    assert term.groups == [("missing", 1)]
    np.testing.assert_allclose(term.curves.columns(np.array([3.0, np.nan]))[:, 0], [-0.4, 0.6])


def awkward():
    rng = np.random.default_rng(1)
    return {
        "many": np.sort(rng.gamma(2.0, 1.0, 200)),
        "ties": np.arange(12.0) ** 2,
        "three": np.array([1.0, 2.0, 7.0]),
        "two": np.array([-5.0, 3.0]),
        "heavy tails": np.sort(rng.standard_cauchy(300)),
        "far from zero": 1e9 + np.arange(30.0),
        "one absurd value": np.append(np.sort(rng.normal(size=100)), 1e12),
    }


@pytest.mark.parametrize("kind", awkward())
@pytest.mark.parametrize("name", families(linear=True))
def test_columns_of_every_family(name, kind):
    values = awkward()[kind]
    counts = np.random.default_rng(2).uniform(0.5, 4.0, len(values))
    term = build_term("numeric", 0, values, counts, 0.0, family=REGISTRY[name](), max_columns=99)
    T, share = term.curves.columns(values), counts / counts.sum()
    # Centred and orthonormal; as many as the values carry, at most.
    np.testing.assert_allclose(share @ T, 0.0, atol=1e-8)
    np.testing.assert_allclose((T * share[:, None]).T @ T, np.eye(T.shape[1]), atol=1e-8)
    assert 1 <= T.shape[1] <= len(values) - 1 and (kind == "two" or T.shape[1] > 1)
    # The first is the straight line over the whole range, not only at the values.
    low, high = term.curves.basis.domain
    x = np.linspace(low, high, 501)
    z, line = (x - low) / (high - low), term.curves.columns(x)[:, 0]
    np.testing.assert_allclose(line, line[0] + z * (line[-1] - line[0]), atol=1e-9 * np.ptp(line))
    assert line[-1] > line[0]
    # Penalties are positive, increasing, and those of the curves themselves.
    curved = term.scale[1:]
    assert (curved > 0).all() and (np.diff(curved) > 0).all()
    transform = term.curves.transform
    P = transform.T @ term.curves.basis.penalty() @ transform
    np.testing.assert_allclose(P, np.diag(np.diag(P)), atol=1e-9 * P.max())
    assert P[0, 0] < 1e-9 * P.max() or kind == "two"
    if len(curved):
        np.testing.assert_allclose(np.diag(P)[1:] / P.max(), curved / curved[-1], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", families(linear=True))
def test_curves_that_the_rows_cannot_tell_apart_are_the_smoothest(name):
    """The parabola of three values: no other curve of the family through the same points is less rough."""
    values, counts = np.array([1.0, 2.0, 7.0]), np.array([4.0, 2.0, 1.0])
    term = build_term("numeric", 0, values, counts, 0.0, family=REGISTRY[name](), max_columns=99)
    basis, c = term.curves.basis, term.curves.transform[:, 1]
    at, penalty = basis.evaluate(values), basis.penalty()
    centred = at - counts @ at / counts.sum()
    same = np.linalg.svd(centred)[2][2:].T  # what changes no difference between the three
    own = c @ penalty @ c
    for move in same.T:
        for step in (-0.1, 0.1):
            changed = c + step * np.linalg.norm(c) * move
            assert changed @ penalty @ changed >= own * (1 - 1e-7)


# ------------------------------------------------------------------------------------------------- several spaces

SPACES = (BSpline(5), Chebyshev(6), Cosine(5), PiecewiseLinear(4))


def pooled(kind="many", missing=0.0, max_columns=99, spaces=SPACES):
    values, counts = column(kind)
    args = ("numeric", 0, values, counts, missing)
    own = 1 + (max_columns - 1) // len(spaces)
    alone = [build_term(*args, family=space, max_columns=own) for space in spaces]
    return build_term(*args, family=Pool(spaces), max_columns=max_columns), alone, values


@pytest.mark.parametrize("kind", KINDS)
def test_every_space_of_a_pool_has_the_columns_it_has_alone_and_all_share_one_line(kind):
    term, alone, values = pooled(kind, missing=0.25)
    x = np.concatenate([values, [values[0] - 2 * np.ptp(values), values[-1] + np.ptp(values)], [np.nan]])
    sizes = [len(one.scale) - 2 for one in alone]  # without the line and the missing column
    curved = [s for s, size in enumerate(sizes) if size]
    assert curved == ([0, 1, 2, 3] if kind != "two" else [])
    assert term.groups == [("linear", 1), *(("curvature", sizes[s]) for s in curved), ("missing", 1)]
    assert term.spaces == [-1, *curved, -1]
    first = alone[0].curves.columns(x)
    parts = [first[:, :1], *(one.curves.columns(x)[:, 1:-1] for one in alone), first[:, -1:]]
    np.testing.assert_allclose(term.curves.columns(x), np.concatenate(parts, axis=1), rtol=1e-12, atol=1e-9)
    scale = np.concatenate([[1.0], *(one.scale[1:-1] for one in alone), [1.0]])
    np.testing.assert_array_equal(term.scale, scale)
    assert term.curves.n_columns == len(scale) == sum(size for _, size in term.groups) and term.curves.missing == 0.25


def test_all_spaces_have_the_same_line():
    """Which is why one is enough."""
    _, alone, values = pooled()
    lines = [one.curves.columns(values)[:, 0] for one in alone]
    for line in lines[1:]:
        np.testing.assert_allclose(np.sign(line[-1]) * line, np.sign(lines[0][-1]) * lines[0], atol=1e-9)


def test_spaces_share_the_columns_that_there_are():
    term, _, _ = pooled(max_columns=13)
    assert term.groups == [("linear", 1), *[("curvature", 3)] * 4]
    assert pooled(max_columns=4)[0].groups == [("linear", 1)]


def test_terms_of_one_family_and_of_levels_belong_to_one_space_or_none():
    assert numeric(missing=0.2)[0].spaces == [-1, 0, -1]
    assert category([10, 3, 1, 6], missing=0.1)[0].spaces == [-1, -1]
    term = build_term("numeric", 0, np.array([3.0]), np.array([6.0]), 0.4, family=Pool(SPACES), max_columns=99)
    assert term.groups == [("missing", 1)] and term.spaces == [-1]


def test_the_curves_of_a_pooled_term_survive_saving():
    term, _, values = pooled(missing=0.1)
    curves = replace(term.curves, coefficients=np.random.default_rng(0).normal(size=(term.curves.n_columns, 2)))
    spec, arrays = curves.to_spec("c")
    again = InputCurves.from_spec(json.loads(json.dumps(spec)), arrays, "c")
    x = np.append(values, [np.nan, 1e9])
    np.testing.assert_array_equal(again.columns(x), curves.columns(x))
