import numpy as np
import pytest
from tree_jobs import copied, some_job

from ml_core.kernels import compiled, plain
from ml_core.kernels.records import Forest


def forest_of(job, n_nodes):
    nodes = job.nodes[:n_nodes]
    parts = [np.maximum(nodes["column"], 0).astype(np.int32), nodes["left"].astype(np.int32)]
    return Forest(*parts, nodes["bits"].copy(), nodes["value"].copy(), np.array([0, n_nodes]), np.array([0]))


@pytest.mark.parametrize("seed", range(8))
def test_walking_reaches_the_leaf_that_growing_put_a_row_in(seed):
    job = some_job(np.random.default_rng(seed), 700, 4)
    n_nodes = compiled.grow(job)
    raw = [np.zeros((700, 1)) for _ in range(4)]
    compiled.add_values(forest_of(job, n_nodes), job.codes, raw[0])
    plain.add_values(forest_of(job, n_nodes), job.codes, raw[1])
    compiled.add_leaves(raw[2][:, 0], job.rows, job.nodes, n_nodes, job.nodes["value"])
    plain.add_leaves(raw[3][:, 0], job.rows, job.nodes, n_nodes, job.nodes["value"])
    for other in raw[1:]:
        np.testing.assert_array_equal(raw[0], other)


def test_trees_add_to_their_own_output():
    job = some_job(np.random.default_rng(1), 300, 3, max_leaves=5)
    n_nodes = compiled.grow(copied(job))
    n_nodes = compiled.grow(job)
    one = forest_of(job, n_nodes)
    parts = [np.concatenate([part, part]) for part in one[:4]]
    two = Forest(*parts, np.array([0, n_nodes, 2 * n_nodes]), np.array([1, 1]))
    raw, single = np.zeros((300, 2)), np.zeros((300, 1))
    compiled.add_values(two, job.codes, raw)
    plain.add_values(one, job.codes, single)
    np.testing.assert_array_equal(raw[:, 0], 0)
    np.testing.assert_array_equal(raw[:, 1], 2 * single[:, 0])
