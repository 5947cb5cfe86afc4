"""The compiled tree against its twin in NumPy, which tries every cut of every column by cumulated sums."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_jobs import copied, some_job

from ml_core.kernels import compiled, plain
from ml_core.kernels.partition import partition
from ml_core.kernels.records import NONE

FIELDS = (
    "column",
    "left",
    "cut",
    "rows",
    "total",
    "gain",
    "value",
    "bits",
    "low",
    "high",
    "missing",
    "depth",
)


def same(job, threads):
    ours, twin = copied(job, threads), copied(job)
    sizes = compiled.grow(ours), plain.grow(twin)
    assert sizes[0] == sizes[1]
    for field in FIELDS:
        np.testing.assert_array_equal(
            ours.nodes[field][: sizes[0]], twin.nodes[field][: sizes[0]], err_msg=field
        )
    np.testing.assert_array_equal(ours.rows, twin.rows)
    return ours, sizes[0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 250), st.integers(1, 6))
def test_a_tree_equals_its_twin_to_the_bit(seed, n, d):
    same(some_job(np.random.default_rng(seed), n, d), threads=1)


@pytest.mark.parametrize(("seed", "d", "threads"), [(0, 3, 2), (1, 9, 2), (2, 9, 3), (3, 12, 5)])
def test_threads_change_nothing(seed, d, threads):
    """40000 rows: enough for every kernel to share its work out."""
    same(some_job(np.random.default_rng(seed), 40_000, d, max_leaves=31), threads)


@pytest.mark.parametrize("n", [1, 900, 70_000])
def test_leaves_add_their_values_to_their_rows_alone(n):
    """70000 rows: several stretches, each all leaves' turn."""
    rng = np.random.default_rng(n)
    job = some_job(rng, n, 3, max_leaves=31)
    m = compiled.grow(job)
    raw, values = rng.normal(size=(n, 2)), rng.normal(size=m)
    twin = raw.copy()
    for threads in (1, 2):
        with compiled.threads(threads):
            compiled.add_leaves(raw[:, 1], job.rows, job.nodes, m, values)
        plain.add_leaves(twin[:, 1], job.rows, job.nodes, m, values)
        np.testing.assert_array_equal(raw, twin)


@pytest.mark.parametrize("seed", range(10))
def test_rows_and_sums_of_children_are_their_parents(seed):
    job = some_job(np.random.default_rng(seed), 500, 4)
    n_nodes = compiled.grow(job)
    nodes = job.nodes[:n_nodes]
    for node in nodes[nodes["left"] > 0]:
        left, right = nodes[node["left"]], nodes[node["left"] + 1]
        assert (
            left["rows"] + right["rows"] == node["rows"] and left["total"] + right["total"] == node["total"]
        )
        rows = job.rows[left["start"] : left["start"] + left["rows"]]
        assert job.packed[rows].sum() == left["total"]
        assert min(left["rows"], right["rows"]) >= job.rules[0]["min_rows"]
    assert sorted(job.rows) == list(range(500))
    assert (nodes["column"][nodes["left"] == 0] == NONE).all() or job.rules[0]["max_leaves"] > 0


def test_a_constant_target_stays_one_leaf():
    job = some_job(np.random.default_rng(0), 200, 3)
    job.packed[:] = (5 << 32) + 1
    assert compiled.grow(job) == 1


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 1])
@pytest.mark.parametrize(("n", "threads"), [(1, 1), (1000, 1), (50_001, 2), (49_999, 3), (20_003, 7)])
@pytest.mark.parametrize("more", [0, 1, 30_000])
def test_partition_keeps_order(n, threads, share, more):
    """more: room than rows, as for all nodes but the root."""
    rng = np.random.default_rng(n)
    column, rows = rng.integers(0, 256, n).astype(np.uint8), np.arange(n, dtype=np.uint32)
    table = (rng.random(256) < share).astype(np.uint8)
    goes = table[column] == 1
    n_left = partition(rows, np.empty(n + more, np.uint32), column, table, threads)
    assert n_left == goes.sum()
    np.testing.assert_array_equal(rows, np.concatenate([np.flatnonzero(goes), np.flatnonzero(~goes)]))


@pytest.mark.parametrize("kernels", [plain, compiled])
def test_rows_come_back_in_their_first_order(kernels):
    rows = np.random.default_rng(0).permutation(30_000).astype(np.uint32)
    kernels.restore(rows)
    np.testing.assert_array_equal(rows, np.arange(30_000))
