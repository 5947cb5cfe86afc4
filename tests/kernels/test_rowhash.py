"""Row hashes: golden values (one changed bit would move rows between train and test), a slow twin, laws."""

import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ml_core.kernels import rowhash

WORD = 2**64


def splitmix_slowly(z):
    z = (z + 0x9E3779B97F4A7C15) % WORD
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % WORD
    return z ^ (z >> 31)


def number_slowly(value):
    if value != value:
        return int(rowhash.MISSING)
    if isinstance(value, int) and int(float(value)) != value:
        return splitmix_slowly(splitmix_slowly(value % WORD) ^ int(rowhash.WHOLE))
    return splitmix_slowly(int.from_bytes(struct.pack("<d", float(value) + 0.0), "little"))


def string_slowly(text):
    data = text.encode()
    if len(data) > rowhash.LONG:
        return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
    state = splitmix_slowly(len(data) ^ int(rowhash.TEXT))
    for at in range(0, len(data), 8):
        state = splitmix_slowly(state ^ int.from_bytes(data[at : at + 8], "little"))
    return state


def strings(texts):
    data = [text.encode() for text in texts]
    whole = np.frombuffer(b"".join(data), np.uint8)
    return rowhash.strings(whole, np.array([len(part) for part in data], np.int64))


def test_golden_values():
    assert rowhash.splitmix(np.array([0, 1, WORD - 1], np.uint64)).tolist() == [
        16294208416658607535,
        10451216379200822465,
        16490336266968443936,
    ]
    assert rowhash.numbers(np.array([1, 2, -3])).tolist() == GOLDEN_NUMBERS
    assert strings(["", "a", "Zürich", "x" * 600]).tolist() == GOLDEN_STRINGS
    pairs = [("b", strings(["u", "v"])), ("a", rowhash.numbers(np.array([0.5, np.nan])))]
    assert rowhash.combine(pairs, 2).tolist() == GOLDEN_ROWS
    assert rowhash.shares(rowhash.combine(pairs, 2), 7).tolist() == GOLDEN_SHARES


GOLDEN_NUMBERS = [9860564707913756141, 47939714376772075, 8976719991007165520]
GOLDEN_STRINGS = [3550788135689410692, 13169042073486659596, 6231962944729500255, 4556693586855357462]
GOLDEN_ROWS = [908733785515425865, 1772567912623853083]
GOLDEN_SHARES = [0.23756210262028554, 0.2795151109079155]


@given(some.lists(some.one_of(some.integers(-(2**63), 2**63 - 1)), min_size=1))
def test_integers_equal_the_slow_twin(values):
    assert rowhash.numbers(np.array(values, np.int64)).tolist() == [number_slowly(value) for value in values]


@given(some.lists(some.floats(), min_size=1))
def test_floats_equal_the_slow_twin(values):
    assert rowhash.numbers(np.array(values)).tolist() == [number_slowly(value) for value in values]


@settings(deadline=None)
@given(some.lists(some.one_of(some.text(), some.text(alphabet="aé\U0001f600", min_size=100, max_size=400))))
def test_strings_equal_the_slow_twin(texts):
    assert strings(texts).tolist() == [string_slowly(text) for text in texts]


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_a_value_hashes_the_same_in_every_type(dtype):
    values = np.array([0, 1, 7, 100])
    assert (rowhash.numbers(values.astype(dtype)) == rowhash.numbers(values.astype(float))).all()


def test_booleans_are_0_and_1_and_minus_zero_is_zero():
    assert (rowhash.numbers(np.array([False, True])) == rowhash.numbers(np.array([-0.0, 1.0]))).all()


def test_neighbours_beyond_2_to_the_53_differ():
    values = np.arange(2**60, 2**60 + 1000)
    assert len(np.unique(rowhash.numbers(values))) == 1000
    assert rowhash.numbers(values[:1]) == rowhash.numbers(np.array([2.0**60]))


def test_the_order_of_columns_means_nothing_their_names_do():
    a, b = rowhash.numbers(np.array([1, 2])), rowhash.numbers(np.array([2, 1]))
    rows = rowhash.combine([("a", a), ("b", b)], 2)
    assert (rows == rowhash.combine([("b", b), ("a", a)], 2)).all()
    assert (rows != rowhash.combine([("b", a), ("a", b)], 2)).all()
    assert (rows[::-1] == rowhash.combine([("a", a[::-1]), ("b", b[::-1])], 2)).all()


def test_short_texts_and_numbers_do_not_collide():
    texts = strings([str(i) for i in range(200_000)])
    assert len(np.unique(np.concatenate([texts, rowhash.numbers(np.arange(200_000))]))) == 400_000


def test_shares_are_even_and_independent_between_salts():
    names = rowhash.numbers(np.arange(100_000))
    first, second = rowhash.shares(names, 1), rowhash.shares(names, 2)
    assert abs(first.mean() - 0.5) < 0.005 and first.min() >= 0 and first.max() < 1
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02
