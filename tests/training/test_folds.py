"""Folds: even, stratified, never through a group."""

import numpy as np
import pytest

from kan_tabular.training.folds import assign_folds


def rng(seed=0):
    return np.random.default_rng(seed)


def skewed_classes(n=200):
    return (np.arange(n) % 10 == 0).astype(int) + (np.arange(n) % 40 == 0)  # 180, 15 and 5 rows


def uneven_groups(n=200):
    """Groups of 1 to 12 rows, scattered over the table, with names."""
    sizes = []
    while sum(sizes) < n:
        sizes.append(1 + (7 * len(sizes)) % 12)
    names = np.repeat([f"patient {i}" for i in range(len(sizes))], sizes)[:n]
    return rng(1).permutation(names)


@pytest.mark.parametrize("n_folds, n_rows", [(2, 2), (3, 10), (8, 20), (8, 203), (5, 4)])
def test_sizes_differ_by_one_at_most(n_folds, n_rows):
    fold = assign_folds(n_folds, n_rows, rng())
    sizes = np.bincount(fold)
    assert fold.shape == (n_rows,) and len(sizes) == min(n_folds, n_rows)
    assert sizes.sum() == n_rows and sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("n_folds", [2, 5, 8])
def test_classes_are_spread_evenly(n_folds):
    classes = skewed_classes()
    fold = assign_folds(n_folds, 200, rng(), classes)
    counts = np.array([np.bincount(classes[fold == f], minlength=3) for f in range(n_folds)])
    assert (counts.max(0) - counts.min(0)).max() <= 1
    assert np.ptp(counts.sum(1)) <= 1
    # Chance alone would not do that.
    without = assign_folds(n_folds, 200, rng())
    counts = np.array([np.bincount(classes[without == f], minlength=3) for f in range(n_folds)])
    assert (counts.max(0) - counts.min(0)).max() > 1


@pytest.mark.parametrize("with_classes", [False, True])
@pytest.mark.parametrize("n_folds", [2, 5, 8])
def test_groups_are_never_split_and_folds_stay_even(n_folds, with_classes):
    groups = uneven_groups()
    fold = assign_folds(n_folds, 200, rng(), skewed_classes() if with_classes else None, groups)
    for group in np.unique(groups):
        assert len(np.unique(fold[groups == group])) == 1
    sizes = np.bincount(fold, minlength=n_folds)
    assert len(sizes) == n_folds
    assert np.ptp(sizes) <= 12 if not with_classes else sizes.min() > 0


def test_classes_are_spread_evenly_over_groups_too():
    # 40 groups of 5 rows; every fourth group is ill.
    groups = np.repeat(np.arange(40), 5)
    ill = (groups % 4 == 0).astype(int)
    fold = assign_folds(5, 200, rng(), ill, groups)
    assert [ill[fold == f].sum() for f in range(5)] == [10] * 5
    assert np.bincount(fold).tolist() == [40] * 5


def test_fewer_groups_than_folds():
    groups = np.array(["b", "a", "b", "c", "a", "c", "c"])
    fold = assign_folds(8, 7, rng(), None, groups)
    assert sorted(set(fold)) == [0, 1, 2]
    assert len({(g, f) for g, f in zip(groups, fold, strict=True)}) == 3
    assert not assign_folds(8, 7, rng(), None, np.zeros(7)).any()


def test_the_generator_alone_decides():
    groups = uneven_groups()
    for arguments in ((None, None), (skewed_classes(), None), (skewed_classes(), groups)):
        once, again, other = (assign_folds(5, 200, rng(seed), *arguments) for seed in (3, 3, 4))
        np.testing.assert_array_equal(once, again)
        assert (once != other).any()


def test_names_of_groups_do_not_matter():
    groups = np.repeat(np.arange(20), 5)
    renamed = np.array([f"{g:03d}" for g in groups])
    np.testing.assert_array_equal(assign_folds(4, 100, rng(), None, groups), assign_folds(4, 100, rng(), None, renamed))
