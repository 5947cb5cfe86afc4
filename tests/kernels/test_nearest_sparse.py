import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, random_array

from ml_core.kernels import distance, nearest, nearest_sparse
from ml_core.kernels.distance import LARGEST, POWERS, SQUARES, SUMS

METRICS = [(SQUARES, 2.0), (SUMS, 1.0), (LARGEST, np.inf)]


@pytest.fixture
def small_blocks(monkeypatch):
    """Several blocks of queries, chunks of points and lots of pairs even in few rows."""
    for name, value in {"BLOCK": 7, "CHUNK": 40, "ENTRIES": 300}.items():
        monkeypatch.setattr(nearest_sparse, name, value)


def sparse(rng, rows, d, levels, density):
    filled = rng.integers(1, levels + 1, size=(rows, d)) * rng.choice([-1.0, 1.0], size=(rows, d))
    return csr_array(np.where(rng.uniform(size=(rows, d)) < density, filled, 0))


def assert_as_filled_in(X, Q, k, metric=METRICS[0]):
    found = nearest_sparse.search(X, Q, k, metric, 2)
    for mine, filled in zip(found, nearest.search(X.toarray(), Q.toarray(), k, metric), strict=True):
        assert_array_equal(mine, filled)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("density", [0.02, 0.4])
def test_sparse_rows_give_the_bits_of_filled_in_ones(metric, density, small_blocks):
    X, Q = (random_array((rows, 60), density=density, format="csr", rng=rows) for rows in (300, 50))
    assert_as_filled_in(X, Q, 6, metric)


def test_powers_agree_to_rounding(small_blocks):
    X, Q = (random_array((rows, 30), density=0.2, format="csr", rng=rows) for rows in (200, 30))
    found = nearest_sparse.search(X, Q, 6, (POWERS, 3.0))
    filled = nearest.search(X.toarray(), Q.toarray(), 6, (POWERS, 3.0))
    assert_array_equal(found[1], filled[1])
    assert_allclose(found[0], filled[0], rtol=1e-13)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    scale=st.sampled_from([1e-8, 1.0, 1e8]),
    levels=st.sampled_from([1, 3, 1000]),
    density=st.sampled_from([0.0, 0.1, 1.0]),
    metric=st.sampled_from(METRICS),
)
def test_ties_scales_and_empty_rows(seed, scale, levels, density, metric):
    rng = np.random.default_rng(seed)
    n, m, d, k = rng.integers([1, 1, 1, 1], [300, 20, 9, 30])
    X, Q = (scale * sparse(rng, rows, d, levels, density) for rows in (n, m))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest_sparse, "CHUNK", 40)
        assert_as_filled_in(X, Q, min(k, n), metric)


def test_near_copies_of_long_rows_are_told_apart(small_blocks):
    """Products cannot tell these distances: about 1e-9 of the rows' length."""
    rng = np.random.default_rng(0)
    row = sparse(rng, 1, 40, 1000, 0.5).toarray() * 1e6
    X, Q = (csr_array(row * (1 + 1e-9 * rng.normal(size=(rows, 1)))) for rows in (200, 10))
    assert_as_filled_in(X, Q, 5)


@pytest.mark.parametrize("factor", [1e-300, 1e-160, 1e160, 1e300])
def test_huge_and_tiny_values_neither_overflow_nor_vanish(factor):
    X, Q = (random_array((rows, 30), density=0.2, format="csr", rng=rows) for rows in (90, 8))
    near, index = nearest_sparse.search(X, Q, 4, METRICS[0])
    far, same = nearest_sparse.search(X * factor, Q * factor, 4, METRICS[0])
    assert_array_equal(same, index)
    assert_allclose(far, near * factor, rtol=1e-12)


def test_columns_in_any_order_and_twice_add_up_and_the_input_stays():
    X = csr_array((np.array([3.0, 1, 2, 5]), np.array([2, 0, 2, 1]), np.array([0, 3, 4])), shape=(2, 3))
    before = [part.copy() for part in (X.data, X.indices, X.indptr)]
    assert_as_filled_in(X, csr_array(np.array([[1.0, 0, 4]])), 2)
    for part, old in zip((X.data, X.indices, X.indptr), before, strict=True):
        assert_array_equal(part, old)


@pytest.mark.parametrize("factor", [1e-300, 1.0, 1e300])
def test_unit_rows_are_those_of_filled_in_rows(factor):
    X = sparse(np.random.default_rng(0), 30, 9, 5, 0.2) * factor
    units = nearest_sparse.unit_rows(X).toarray()
    assert_allclose(units, distance.unit_rows(X.toarray()), rtol=1e-15)
    assert not units[np.diff(X.indptr) == 0].any() and (np.diff(X.indptr) == 0).any()


def test_a_graph_gives_its_smallest_distances_the_earlier_of_equal_ones_first():
    D = csr_array((np.array([2.0, 0, 2, 1]), np.array([3, 1, 0, 2]), np.array([0, 3, 4])), shape=(2, 4))
    far, index = nearest_sparse.of_graph(D[[0]], 2)
    assert_array_equal(far, [[0, 2]])
    assert_array_equal(index, [[1, 0]])
    with pytest.raises(ValueError, match="2 neighbors per samples are required.* stores only 1"):
        nearest_sparse.of_graph(D, 2)
