import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_core.kernels import bins, compiled, plain

NUMBERS = st.lists(st.floats(-1e300, 1e300) | st.just(float("nan")), min_size=1, max_size=60)


@settings(max_examples=100, deadline=None)
@given(NUMBERS, st.integers(2, 20), st.booleans())
def test_codes_equal_a_count_of_smaller_edges(values, most, categorical):
    X, kinds = np.array(values)[:, None], np.array([categorical])
    edges = bins.find_edges(X, None, most, kinds)
    table, counts = bins.table_of(edges, kinds)
    assert counts[0] <= most and (np.diff(edges[0]) > 0).all()
    codes = np.empty((2, len(X), 1), np.uint8)
    plain.encode(X, table, counts, kinds, codes[0])
    compiled.encode(X, table, counts, kinds, codes[1])
    np.testing.assert_array_equal(*codes)
    for x, code in zip(values, codes[0, :, 0], strict=True):
        if np.isnan(x) or (categorical and x not in edges[0]):
            assert code == counts[0]
        elif categorical:
            assert edges[0][code] == x
        else:
            assert code == sum(edge < x for edge in edges[0])


def test_few_values_get_a_bin_each():
    X = np.array([[3.0], [1.0], [1.0], [2.0]])
    assert bins.find_edges(X, None, 255, np.array([False]))[0].tolist() == [1.5, 2.5]


def test_bins_hold_equal_shares():
    x = np.random.default_rng(0).normal(size=10_000)
    edges = bins.cut_points(*np.unique(x, return_counts=True), 100)
    assert len(edges) == 99
    assert np.ptp(np.bincount(np.searchsorted(edges, x))) <= 2


def test_a_heavy_value_takes_one_bin_and_leaves_the_others_to_the_rest():
    x = np.concatenate([np.zeros(9_000), np.random.default_rng(0).normal(size=1000)])
    edges = bins.cut_points(*np.unique(x, return_counts=True), 50)
    sizes = np.bincount(np.searchsorted(edges, x))
    assert len(edges) >= 45 and np.sort(sizes)[-2] <= 60


def test_a_weight_is_as_good_as_a_repetition():
    rng = np.random.default_rng(0)
    X, weights = rng.normal(size=(900, 2)), rng.integers(0, 4, 900)
    kinds = np.array([False, False])
    ours = bins.find_edges(X, weights.astype(float), 30, kinds)
    for left, right in zip(
        ours, bins.find_edges(np.repeat(X, weights, axis=0), None, 30, kinds), strict=True
    ):
        np.testing.assert_array_equal(left, right)


def test_neighbouring_floats_are_told_apart():
    low = 1.0
    high = np.nextafter(low, 2)
    edge = bins.between(np.array([low]), np.array([high]))[0]
    assert low <= edge < high


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_codes_are_the_same_for_any_layout(kind, order):
    X = np.asarray(np.random.default_rng(0).normal(size=(3000, 4)), kind, order=order)
    kinds = np.zeros(4, bool)
    table, counts = bins.table_of(bins.find_edges(X, None, 255, kinds), kinds)
    codes = np.empty((2, 3000, 4), np.uint8)
    columns = np.empty((2, 4, 3000), np.uint8)
    for kernels, own, turned in zip((plain, compiled), codes, columns, strict=True):
        kernels.encode(X, table, counts, kinds, own)
        kernels.turn(own, turned)
        np.testing.assert_array_equal(turned, own.T)
    np.testing.assert_array_equal(*codes)
