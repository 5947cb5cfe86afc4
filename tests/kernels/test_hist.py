import numpy as np
import pytest
from tree_jobs import some_codes

from ml_core.kernels.hist import add_rows, add_rows_together, count_rows, gather, subtract
from ml_core.kernels.records import new_parts, shift_of


def histogram_slowly(codes, packed, rows, shift):
    hist = [0] * (codes.shape[1] << shift)
    for row in rows:
        for column, code in enumerate(codes[row]):
            hist[(column << shift) + int(code)] += int(packed[row])
    return hist


def case(seed, n=300):
    rng = np.random.default_rng(seed)
    codes, bins = some_codes(rng, n, int(rng.integers(1, 6)))
    packed = (rng.integers(-(2**20), 2**20, n) << 32) + rng.integers(0, 2**20, n)
    rows = np.sort(rng.choice(n, n // 2, replace=False)).astype(np.uint32)
    return codes, packed, rows, shift_of(bins)


def made(codes, packed, rows, shift):
    hist = np.zeros(codes.shape[1] << shift, np.int64)
    add_rows(hist, codes, packed, rows, shift)
    return hist


@pytest.mark.parametrize("seed", range(5))
def test_a_histogram_equals_a_loop(seed):
    assert made(*case(seed)).tolist() == histogram_slowly(*case(seed))


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_any_number_of_shares_gives_the_same_sums(parts):
    codes, packed, rows, shift = case(1)
    s = codes.shape[1] << shift
    shares, hist = new_parts(parts, s), np.empty(s, np.int64)
    add_rows_together(shares, codes, packed, rows, shift)
    gather(hist[:5], shares, 0)
    gather(hist[5:], shares, 5)
    np.testing.assert_array_equal(hist, made(codes, packed, rows, shift))


def test_parent_is_left_plus_right():
    codes, packed, rows, shift = case(2)
    whole, left = made(codes, packed, rows, shift), made(codes, packed, rows[:40], shift)
    subtract(whole, left)
    np.testing.assert_array_equal(whole, made(codes, packed, rows[40:], shift))


def test_every_column_holds_the_same_total():
    codes, packed, rows, shift = case(3)
    hist, total = made(codes, packed, rows, shift), packed[rows].sum()
    assert {int(part.sum()) for part in np.split(hist, codes.shape[1])} == {int(total)}


def test_no_rows_make_no_sums():
    codes, packed, rows, shift = case(4)
    assert not made(codes, packed, rows[:0], shift).any()


def test_counts_are_a_histogram_of_ones():
    codes, packed, rows, shift = case(0)
    counts = np.empty(256, np.int64)
    count_rows(counts, np.empty(256, np.int64), np.ascontiguousarray(codes[:, 0]), rows)
    ones = histogram_slowly(codes[:, :1], np.ones_like(packed), rows, 8)
    assert counts.tolist() == ones
