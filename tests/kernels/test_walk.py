"""Compiled and NumPy walks against a loop anyone can follow, over codes and over raw numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_trees import some_trees

from ml_core.kernels import compiled, plain, trees
from ml_core.kernels.bins import table_of


def leaf_slowly(forest, bins, root, row):
    node = root
    while root + forest.left[node] != node:
        j = forest.column[node]
        if forest.set_of[node] >= 0:
            left = int(forest.sets[forest.set_of[node], row[j] // 64]) >> int(row[j] % 64) & 1
        elif row[j] == bins[j]:
            left = forest.missing_left[node]
        else:
            left = row[j] <= forest.cut[node]
        node = root + int(forest.left[node]) + (not left)
    return node


def values_slowly(forest, bins, codes, q):
    raw = np.zeros((len(codes), q))
    for i, row in enumerate(codes):
        for tree, column in enumerate(forest.output):
            leaf = leaf_slowly(forest, bins, int(forest.start[tree]), row)
            raw[i, column : column + forest.value.shape[1]] += forest.value[leaf]
    return raw


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 300), st.integers(1, 5), st.integers(1, 3))
def test_every_walk_is_the_loop(seed, n, d, width):
    rng = np.random.default_rng(seed)
    forest, bins = some_trees(rng, d, width)
    trees.refuse(forest, d, bins, q := width + 1)
    codes = rng.integers(0, bins + 1, (n, d)).astype(np.uint8)
    slow = values_slowly(forest, bins, codes, q)
    found = [np.zeros((n, q)) for _ in range(2)]
    compiled.add_values(trees.packed(forest, bins), codes, found[0])
    plain.add_values(forest, bins, codes, found[1])
    leaves = np.empty((n, len(forest.output)), np.int32)
    compiled.leaves(trees.packed(forest, bins), codes, leaves)
    np.testing.assert_array_equal(leaves + forest.start[:-1], plain.leaves(forest, codes, bins))
    for raw in found:
        np.testing.assert_array_equal(raw, slow)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 30), st.integers(1, 4))
def test_raw_numbers_go_where_their_codes_go(seed, n, d):
    """Column j's number of code c is c itself, so a cut is its own threshold."""
    rng = np.random.default_rng(seed)
    forest, bins = some_trees(rng, d, 1)
    codes = rng.integers(0, bins + 1, (n, d)).astype(np.uint8)
    X = np.where(codes == bins, np.nan, codes)
    found = [np.zeros((n, 2)) for _ in range(4)]
    plain.add_values(forest, bins, codes, found[0])
    compiled.add_raw_values(forest, X, codes, found[1])
    plain.add_raw_values(forest, X, codes, found[2])
    table, _ = table_of([np.arange(b - 1.0) for b in bins], kinds := np.zeros(d, bool))
    compiled.add_few_values(trees.packed(forest, bins), (table, bins, kinds), X, found[3])
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


def test_a_part_of_trees_joined_is_what_went_in():
    rng = np.random.default_rng(0)
    bins = np.array([9, 200])
    one, two = (some_trees(rng, 2, 1, bins)[0] for _ in range(2))
    both = trees.join([one, trees.empty(), two])
    t = len(one.output)
    codes = rng.integers(0, bins + 1, (50, 2)).astype(np.uint8)
    for own, again in ((one, trees.part(both, 0, t)), (two, trees.part(both, t, len(both.output)))):
        raw = np.zeros((2, 50, 2))
        plain.add_values(own, bins, codes, raw[0])
        plain.add_values(again, bins, codes, raw[1])
        np.testing.assert_array_equal(*raw)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("left", -1),
        ("left", 10**6),
        ("column", 2),
        ("column", -1),
        ("set_of", 10**6),
        ("set_of", -2),
        ("cut", 255),
    ],
)
def test_an_index_that_points_outside_is_refused(name, value):
    rng = np.random.default_rng(1)
    bins = np.array([9, 200])
    forest, _ = some_trees(rng, 2, 1, bins)
    trees.refuse(forest, 2, bins, 2)
    root = int(np.flatnonzero((forest.left != 0) & (forest.set_of < 0) & (forest.cut > 0))[0])
    array = getattr(forest, name).copy()
    array[root] = value
    with pytest.raises(ValueError, match="a tree points outside of itself"):
        trees.refuse(forest._replace(**{name: array}), 2, bins, 2)


def test_a_walk_that_would_turn_in_a_circle_is_refused():
    forest, bins = some_trees(np.random.default_rng(1), 2, 1)
    left = forest.left.copy()
    sizes = np.diff(forest.start)
    left[int(forest.start[np.flatnonzero(sizes > 3)[0]]) + 2] = 1
    with pytest.raises(ValueError, match="a tree points outside of itself"):
        trees.refuse(forest._replace(left=left), 2, bins, 2)
    with pytest.raises(ValueError, match="a tree points outside of itself"):
        trees.refuse(forest._replace(output=forest.output + 2), 2, bins, 2)
    with pytest.raises(ValueError, match="a tree points outside of itself"):
        trees.refuse(forest._replace(value=forest.value[:-1]), 2, bins, 2)
