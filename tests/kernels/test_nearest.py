import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ml_core.kernels import nearest
from ml_core.kernels.distance import LARGEST, POWERS, SQUARES, SUMS

EUCLID = (SQUARES, 2.0)


def slowly(X, Q, k, kind=SQUARES, p=2.0):
    """Every distance by a loop over the columns, then a stable sort."""
    distances, indices = [], []
    for q in Q.astype(np.float64):
        total = np.zeros(len(X))
        for k_column in range(X.shape[1]):
            step = np.abs(X[:, k_column].astype(np.float64) - q[k_column])
            if kind == LARGEST:
                total = np.maximum(total, step)
            else:
                total = total + {SQUARES: step * step, SUMS: step, POWERS: step**p}[kind]
        order = np.argsort(total, kind="stable")[:k]
        distances.append(total[order])
        indices.append(order)
    return np.array(distances), np.array(indices)


def paths(X, Q, k, metric=EUCLID):
    """Every path that can answer, by name."""
    found = {
        "plain": nearest._plain(X, Q, k, metric),
        "small": nearest._small(X, Q, k, metric, 1),
        "tree": nearest._climb(X, Q, k, metric, 1),
    }
    if metric == EUCLID:
        sifted = nearest._sift(X, Q, k, nearest._frame(X, Q))
        scanned = nearest._scan(X, Q, k, 1)
        found |= {name: part for name, part in (("sift", sifted), ("scan", scanned)) if part is not None}
    return found


def assert_all_paths_equal_the_loop(X, Q, k, metric=EUCLID):
    distance, index = slowly(X, Q, k, *metric)
    for name, found in paths(X, Q, k, metric).items():
        assert_array_equal(found[1], index, err_msg=name)
        assert_array_equal(found[0], distance, err_msg=name)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("n", "m", "d", "k"), [(700, 60, 7, 5), (40, 9, 1, 40), (1, 3, 2, 1), (2500, 5, 33, 12)]
)
def test_all_paths_equal_a_loop_to_the_last_bit(n, m, d, k, dtype):
    rng = np.random.default_rng(n)
    X, Q = rng.normal(size=(n, d)).astype(dtype), rng.normal(size=(m, d)).astype(dtype)
    assert_all_paths_equal_the_loop(X, Q, k)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    scale=st.sampled_from([1e-8, 1.0, 1e8]),
    offset=st.sampled_from([0.0, 1e6]),
    levels=st.sampled_from([2, 5, 1000]),
    constant=st.booleans(),
)
def test_ties_offsets_and_scales(seed, scale, offset, levels, constant):
    """Few levels make many ties: the earlier point wins on every path."""
    rng = np.random.default_rng(seed)
    n, m, d, k = rng.integers([1, 1, 1, 1], [300, 20, 5, 30])
    X, Q = (scale * (offset + rng.integers(levels, size=(rows, d))) for rows in (n, m))
    if constant:
        X[:, 0] = X[0, 0]
    assert_all_paths_equal_the_loop(X, Q, min(k, n))


@pytest.mark.parametrize("metric", [(SUMS, 1.0), (LARGEST, np.inf)])
def test_other_metrics(metric):
    rng = np.random.default_rng(0)
    X, Q = rng.integers(5, size=(400, 3)) / 2, rng.integers(5, size=(30, 3)) / 2
    assert_all_paths_equal_the_loop(X, Q, 9, metric)


def test_powers_agree_to_rounding():
    """A library's power function is its own: no last bits promised."""
    rng = np.random.default_rng(0)
    X, Q = rng.normal(size=(400, 4)), rng.normal(size=(30, 4))
    distance, index = slowly(X, Q, 9, POWERS, 3.0)
    for found in paths(X, Q, 9, (POWERS, 3.0)).values():
        assert_array_equal(found[1], index)
        np.testing.assert_allclose(found[0], distance, rtol=1e-13)


def test_far_queries_and_an_outlier_do_not_mislead_float32():
    rng = np.random.default_rng(1)
    X = np.vstack([rng.normal(size=(600, 4)), [[1e9, 0, 0, 0]], 1e5 + 1e-3 * rng.normal(size=(100, 4))])
    Q = np.vstack([rng.normal(size=(5, 4)), [[1e9, 1, 0, 0], [1e12, 0, 0, 0]], X[650:655] + 1e-5])
    assert_all_paths_equal_the_loop(X, Q, 7)


def test_equal_points_are_cheap_and_come_in_order():
    X, Q = np.ones((30_000, 6)), np.ones((40, 6))
    for name, found in paths(X, Q, 3).items():
        assert_array_equal(found[1], np.tile([0, 1, 2], (40, 1)), err_msg=name)
    assert nearest._scan(X, Q, 3, 1) is None, "a scan that tells no point from another gives up"


@pytest.mark.parametrize("factor", [1e-300, 1e-160, 1e160, 1e300])
def test_huge_and_tiny_values_neither_overflow_nor_vanish(factor):
    rng = np.random.default_rng(2)
    X, Q = rng.normal(size=(90, 3)), rng.normal(size=(8, 3))
    near, index = nearest.search(X, Q, 4, EUCLID)
    far, same = nearest.search(X * factor, Q * factor, 4, EUCLID)
    assert_array_equal(same, index)
    np.testing.assert_allclose(far, near * factor, rtol=1e-12)


@pytest.mark.parametrize("metric", [EUCLID, (SUMS, 1.0)])
def test_large_input_takes_compiled_code_and_gives_the_same(metric, monkeypatch):
    rng = np.random.default_rng(3)
    X, Q = rng.normal(size=(3000, 3)), rng.normal(size=(200, 3))
    small = nearest.search(X, Q, 6, metric)
    monkeypatch.setattr(nearest, "SMALL", 0)
    monkeypatch.setattr(nearest, "SMALL_LOADED", 0)
    tree = nearest.planted(X, 6, metric, 1, anyway=True)
    for grown in (None, tree):
        for ours, theirs in zip(nearest.search(X, Q, 6, metric, grown, 2), small, strict=True):
            assert_array_equal(ours, theirs)


def test_chunks_of_a_scan_add_up(monkeypatch):
    rng = np.random.default_rng(4)
    X, Q = rng.normal(size=(3000, 5)), rng.normal(size=(300, 5))
    whole = nearest._scan(X, Q, 6, 1)
    monkeypatch.setattr(nearest, "CHUNK", 5 * 256 * 2)
    for ours, theirs in zip(nearest._scan(X, Q, 6, 2), whole, strict=True):
        assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kept", [True, False])
def test_a_small_search_takes_compiled_code_that_is_kept_where_its_compiler_is_loaded(kept, monkeypatch):
    for name in (nearest.SCAN, nearest.TREE):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, nearest.COMPILER, nearest)
    monkeypatch.setattr(nearest.kept, "holds", lambda name: kept and name == "scan.scan")
    for name in ("_scan", "_small"):
        best = name, np.zeros((1, 1)), np.zeros((1, 1))
        monkeypatch.setattr(nearest, name, lambda *words, best=best: best)
    X = np.zeros((1100, 20))
    assert nearest._search(X, X, 1, EUCLID, None, 1)[0] == ("_scan" if kept else "_small")
    assert nearest._search(X[:50], X, 1, EUCLID, None, 1)[0] == "_small"


def test_a_tree_of_other_leaves_is_refused_before_compiled_code_reads_it():
    X = np.random.default_rng(5).normal(size=(200, 2))
    tree = list(nearest.planted(X, 3, EUCLID, 1, anyway=True))
    tree[3] = tree[3][:, :, :-1].copy()
    with pytest.raises(ValueError, match="has leaves of 31 points, not 32: fit anew"):
        nearest._climb(tuple(tree), X, 3, EUCLID, 1)
