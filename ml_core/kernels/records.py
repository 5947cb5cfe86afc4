"""What the tree kernels hand each other: records and their names. Imports no compiler.

Letters: n rows, d columns, m nodes of a tree, s histogram slots, w words of 64 interaction groups.
"""

from collections import namedtuple

import numpy as np

NONE = -1

# What a split must obey, as one record; a tree's units (value of one unit of gradient, of hessian; least and
# most units of hessian a row has, which bound the rows behind a sum) stand with it.
RULES = np.dtype(
    [
        (name, np.float64)
        for name in ("l1", "l2", "min_gain", "min_hessian", "cat_smooth", "cat_l2", "unit_g", "unit_h")
    ]
    + [(name, np.int64) for name in ("max_leaves", "max_depth", "min_rows", "max_columns", "max_categories")]
    + [("h_least", np.int64), ("h_most", np.int64), ("seed", np.uint64)]
)
# A node: column NONE and left 0 in a leaf; start, rows: its stretch of job.rows; slot: its histogram; sure:
# as ``split.room``; total, sum_left: packed; low, high: bounds of the values below it; bits: the codes that
# go left, cut and missing the same in words; unseen: the codes no row has.
NODE = np.dtype(
    [
        (name, np.int64)
        for name in ("column", "left", "cut", "missing", "rows", "depth", "start", "slot", "sure")
    ]
    + [("total", np.int64), ("sum_left", np.int64)]
    + [(name, np.float64) for name in ("gain", "value", "low", "high")]
    + [("bits", np.uint64, 4), ("unseen", np.uint64, 4)]
)
# A column's best split in a leaf; first, last: its stretch of a histogram.
FOUND = np.dtype(
    [
        ("first", np.int64),
        ("last", np.int64),
        ("categorical", np.bool_),
        ("allowed", np.bool_),
        ("monotone", np.int8),
    ]
    + [
        ("gain", np.float64),
        ("cut", np.int64),
        ("missing", np.int64),
        ("total", np.int64),
        ("sure", np.int64),
    ]
    + [("bits", np.uint64, 4)]
)
# codes (n, d) uint8; columns (d, n) uint8, the same turned; offsets (d + 1,) uint64: a column's stretch of a
# histogram; packed (n,) int64; rules (1,), found (d,), nodes (m,): records; groups (d, w) uint64: the
# interaction groups a column is in, reach (m, w) those a node may still use, w = 0 without any; rows, spare
# (k,) uint32: the rows to grow on, and room for as many; hists (slots, s), parts (threads, s), counts (s,)
# int64
Job = namedtuple(
    "Job", "codes columns offsets packed rules found nodes groups reach rows spare hists parts counts"
)
# Trees end to end: column, left (m,) int32, children's indexes within their own tree; bits (m, 4) uint64;
# value (m,) float64; start (t + 1,) int64; output (t,) int64: which of the result's columns a tree adds to
Forest = namedtuple("Forest", "column left bits value start output")
SQUARED, LOGISTIC, ABSOLUTE, QUANTILE, HUBER, POISSON, GAMMA = range(7)


def new_nodes(most, words):
    """Room for ``most`` nodes: nodes (most,), reach (most, words)."""
    return np.zeros(most, NODE), np.full((most, words), ~np.uint64(0))
