"""A small tree grown from sorted rows against the same tree by histograms, field for field."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_jobs import copied, some_job, some_packed

from ml_core.kernels import plain, plain_sorted
from ml_core.kernels.records import NONE, lay_out, new_nodes

FIELDS = (
    "column", "left", "cut", "rows", "start", "total", "gain", "value", "l2", "bits", "low", "high",
    "missing", "depth",
)  # fmt: skip


def numeric_job(seed, n, d, **chosen):
    """A job without categories, constraints and missing values; few codes, so that many rows are equal."""
    rng = np.random.default_rng(seed)
    job = some_job(rng, n, d, max_columns=d, **chosen)
    bins = rng.choice([1, 2, 9, 200, 255], d)
    columns = np.stack([rng.integers(0, b, n) for b in bins]).astype(np.uint8)
    job.found["bins"], job.found["categorical"], job.found["monotone"] = bins, False, 0
    job.rules["shift"] = lay_out(job.found)
    packed = some_packed(rng, columns[0] / bins[0], job.rules)
    nodes, reach = new_nodes(len(job.nodes), 0)
    groups = np.zeros((d, 0), np.uint64)
    return job._replace(
        columns=columns, codes=columns.T, groups=groups, reach=reach, packed=packed, nodes=nodes
    )


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 900),
    st.integers(1, 6),
    st.sampled_from([2, 5, 31, 63]),
    st.sampled_from([1, 3, 20]),
    st.booleans(),
)
def test_sorted_rows_and_histograms_grow_the_same_tree(seed, n, d, leaves, least, few):
    job = numeric_job(seed, n, d, max_leaves=leaves, min_rows=least)
    if few:  # a part of the rows, in no order
        chosen = np.random.default_rng(seed).permutation(n)[: max(1, n // 2)].astype(np.uint32)
        job = job._replace(rows=chosen, spare=np.empty_like(chosen))
    one, other = copied(job), copied(job)
    sizes = plain_sorted.grow(one, plain_sorted.sort(job)), plain.grow(other)
    assert sizes[0] == sizes[1]
    for field in FIELDS:
        np.testing.assert_array_equal(one.nodes[field][: sizes[0]], other.nodes[field][: sizes[0]], field)
    split = one.nodes["column"][: sizes[0]] != NONE
    np.testing.assert_array_equal(
        one.nodes["sum_left"][: sizes[0]][split], other.nodes["sum_left"][: sizes[0]][split]
    )
    np.testing.assert_array_equal(one.rows, other.rows)


@pytest.mark.parametrize(
    "change",
    [
        lambda job: job.found["categorical"].__setitem__(0, True),
        lambda job: job.found["monotone"].__setitem__(0, 1),
        lambda job: job.columns.__setitem__((0, 0), job.found["bins"][0]),
        lambda job: job.rules.__setitem__("max_columns", 1),
        lambda job: job.rules.__setitem__("max_leaves", 0),
    ],
)
def test_only_small_trees_of_free_numbers_grow_from_sorted_rows(change):
    job = numeric_job(0, 300, 3, max_leaves=31, min_rows=20)
    assert plain_sorted.sort(job) is not None
    change(job)
    assert plain_sorted.sort(job) is None


def test_many_rows_are_for_histograms():
    job = numeric_job(0, plain_sorted.MOST, 2, max_leaves=31, min_rows=20)
    assert plain_sorted.sort(job) is not None
    many = np.zeros((2, plain_sorted.MOST + 1), np.uint8)
    assert plain_sorted.sort(job._replace(columns=many)) is None
