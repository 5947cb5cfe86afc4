"""Send binned rows down trees.

Letters: n rows, d columns, t trees, m nodes of all trees end to end. Children's indexes are within their own
tree.
"""

import numpy as np
from numba import prange

from ml_core.kernels.jit import jit
from ml_core.kernels.partition import goes_left
from ml_core.kernels.records import Forest

ROWS = 256  # at a time: their codes stay in the first-level cache while all trees pass


@jit()
def add_tree(forest, tree, codes, raw):
    """raw (n, q) += the values of one tree's leaves for codes (n, d)."""
    start, k = forest.start[tree], forest.output[tree]
    for i in range(len(codes)):
        node = start
        while forest.left[node]:
            code = codes[i, forest.column[node]]
            node = start + forest.left[node] + np.int64(np.uint64(1) - goes_left(forest.bits[node], code))
        raw[i, k] += forest.value[node]


@jit(parallel=True)
def add_values(forest, codes, raw):
    """raw (n, q) += the leaves' values of codes (n, d) uint8, tree after tree."""
    n = len(codes)
    column, left, bits, value, start, output = forest
    for block in prange((n + ROWS - 1) // ROWS):
        first, last = block * ROWS, min(block * ROWS + ROWS, n)
        for tree in range(len(output)):
            own = Forest(column, left, bits, value, start, output)
            add_tree(own, tree, codes[first:last], raw[first:last])


@jit()
def add_leaves(raw, rows, nodes, n_nodes, values):
    """raw (n,)[rows of each leaf] += values (m,): the training rows' share of a new tree, which needs no
    walk.
    """
    for node in range(n_nodes):
        if nodes[node].left == 0:
            for i in range(nodes[node].start, nodes[node].start + nodes[node].rows):
                raw[rows[i]] += values[node]
