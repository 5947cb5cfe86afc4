"""Bundles of columns that are never away from their common code in the same row."""

import numpy as np
import pytest
from tree_jobs import some_codes

from ml_core.kernels import records
from ml_core.kernels.bundle import bundle
from ml_core.kernels.hist import add_rows, column_sums
from ml_core.kernels.jit import jit


@jit(_nrt=False)
def copy_sums(hist, column, total, room, own):
    """Copy the column's sums into own -> their number: an uncounted view may not reach Python."""
    sums = column_sums(hist, column, total, room)
    for code in range(len(sums)):
        own[code] = sums[code]
    return len(sums)


def laid_out(codes, bins):
    found = np.zeros(len(bins), records.FOUND)
    found["bins"] = bins
    return (*bundle(codes, np.ascontiguousarray(codes.T), found), found)


def onehot(rng, n, levels):
    """Columns of 0 and 1, one for each level of each of some categories."""
    return np.hstack([np.eye(k, dtype=np.uint8)[rng.integers(0, k, n)] for k in levels])


@pytest.mark.parametrize("seed", range(20))
def test_each_columns_sums_are_those_of_its_own_codes(seed):
    rng = np.random.default_rng(seed)
    codes, bins = some_codes(rng, 300, int(rng.integers(1, 8)))
    made, shift, found = laid_out(codes, bins)
    packed = (rng.integers(-(2**20), 2**20, 300) << 32) + rng.integers(0, 2**20, 300)
    hist = np.zeros(made.shape[1] << shift, np.int64)
    add_rows(hist, made, packed, np.arange(300, dtype=np.uint32), shift)
    for j, column in enumerate(found):
        slow = np.zeros(bins[j] + 1, np.int64)
        np.add.at(slow, codes[:, j], packed)
        own = np.empty(bins[j] + 1, np.int64)
        assert copy_sums(hist, column, packed.sum(), np.empty(256, np.int64), own) == len(own)
        np.testing.assert_array_equal(own, slow)


def test_levels_of_a_category_become_one_column():
    rng = np.random.default_rng(0)
    made, _, found = laid_out(onehot(rng, 5000, [3, 40, 7]), np.full(50, 2))
    assert made.shape == (5000, 3) and (found["common"] == 0).all()
    assert [len(np.unique(column)) for column in made.T] == [3, 40, 7]


def test_columns_that_meet_stay_apart_even_where_a_sample_does_not_show_it():
    codes = np.zeros((20_000, 2), np.uint8)
    codes[:50, 0], codes[3:60, 1] = 1, 1  # they meet, but in no fourth row
    codes[:50:4, 0] = 0
    made, _, found = laid_out(codes, np.array([2, 2]))
    assert made is codes and (found["common"] == records.NONE).all()


def test_dense_columns_cost_nothing():
    codes = np.random.default_rng(0).integers(0, 200, (1000, 5)).astype(np.uint8)
    made, shift, found = laid_out(codes, np.full(5, 200))
    assert made is codes and shift == 8 and found["first"].tolist() == [0, 256, 512, 768, 1024]
