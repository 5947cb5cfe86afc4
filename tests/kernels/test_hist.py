import numpy as np
import pytest
from tree_jobs import some_codes

from ml_core.kernels.hist import add_rows, add_rows_together, count_rows, gather, subtract


def histogram_slowly(codes, offsets, packed, rows):
    hist = [0] * int(offsets[-1])
    for row in rows:
        for column, code in enumerate(codes[row]):
            hist[int(offsets[column]) + int(code)] += int(packed[row])
    return hist


def case(seed, n=300):
    rng = np.random.default_rng(seed)
    codes, bins = some_codes(rng, n, int(rng.integers(1, 6)))
    offsets = np.concatenate([[0], np.cumsum(bins + 1)]).astype(np.uint64)
    packed = (rng.integers(-(2**20), 2**20, n) << 32) + rng.integers(0, 2**20, n)
    rows = np.sort(rng.choice(n, n // 2, replace=False)).astype(np.uint32)
    return codes, offsets, packed, rows


def made(codes, offsets, packed, rows):
    hist = np.zeros(int(offsets[-1]), np.int64)
    add_rows(hist, codes, offsets, packed, rows)
    return hist


@pytest.mark.parametrize("seed", range(5))
def test_a_histogram_equals_a_loop(seed):
    assert made(*case(seed)).tolist() == histogram_slowly(*case(seed))


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_any_number_of_shares_gives_the_same_sums(parts):
    codes, offsets, packed, rows = case(1)
    shares, hist = np.empty((parts, int(offsets[-1])), np.int64), np.empty(int(offsets[-1]), np.int64)
    add_rows_together(shares, codes, offsets, packed, rows)
    gather(hist, shares)
    np.testing.assert_array_equal(hist, made(codes, offsets, packed, rows))


def test_parent_is_left_plus_right():
    codes, offsets, packed, rows = case(2)
    whole, left = made(codes, offsets, packed, rows), made(codes, offsets, packed, rows[:40])
    subtract(whole, left)
    np.testing.assert_array_equal(whole, made(codes, offsets, packed, rows[40:]))


def test_every_column_holds_the_same_total():
    codes, offsets, packed, rows = case(3)
    hist, total = made(codes, offsets, packed, rows), packed[rows].sum()
    assert {int(part.sum()) for part in np.split(hist, offsets[1:-1].astype(int))} == {int(total)}


def test_no_rows_make_no_sums():
    codes, offsets, packed, rows = case(4)
    assert not made(codes, offsets, packed, rows[:0]).any()


def test_counts_are_a_histogram_of_ones():
    codes, offsets, packed, rows = case(0)
    counts = np.empty(int(offsets[-1]), np.int64)
    count_rows(counts, codes, offsets, rows)
    assert counts.tolist() == histogram_slowly(codes, offsets, np.ones_like(packed), rows)
