"""What the kernels that grow trees hand each other: records and their names. Imports no compiler.

Letters: n rows, d columns, g bundles of them, m nodes of a tree, w words of 64 interaction groups. A
histogram has g << shift slots: a column's sums stand at ``first`` and on, as ``bundle`` lays them out.
"""

from collections import namedtuple

import numpy as np

NONE = -1
FEW = 4  # categories up to which a column's are each tried as they are
APART = 1 << 11  # numbers between the sums of two threads: each core reads ahead of itself, and would
# take the first of the other's, which costs a fifth of the time
SQUARED, LOGISTIC, ABSOLUTE, QUANTILE, HUBER, POISSON, GAMMA = range(7)
_FLOATS = ("l1", "l2", "min_gain", "min_hessian", "cat_smooth", "cat_l2", "cat_rows", "unit_g", "unit_h")
_WHOLE = (
    "max_leaves",
    "max_depth",
    "min_rows",
    "max_columns",
    "max_categories",
    "h_least",
    "h_most",
    "shift",
)
# What a split must obey, as one record. max_leaves, max_depth: 0 for no limit; unit_g, unit_h: worth of one
# unit of gradient, of hessian; cat_rows: what a group of categories has at least; h_least, h_most: units of
# hessian a row has, which bound the rows behind a sum
RULES = np.dtype(
    [(name, np.float64) for name in _FLOATS] + [(name, np.int64) for name in _WHOLE] + [("seed", np.uint64)]
)
# A node: column NONE and left 0 in a leaf; start, rows: its stretch of job.rows; slot: its histogram; sure:
# as ``split.room``; total, sum_left: packed; l2: what penalizes its value; low, high: bounds of the values
# below it; bits: the codes that go left, cut and missing the same in words; unseen: the codes no row has
_NODE = ("column", "left", "cut", "missing", "rows", "depth", "start", "slot", "sure", "total", "sum_left")
NODE = np.dtype(
    [(name, np.int64) for name in _NODE]
    + [(name, np.float64) for name in ("gain", "value", "l2", "low", "high")]
    + [("bits", np.uint64, 4), ("unseen", np.uint64, 4)]
)
# A column: where its sums stand (see ``bundle``), and its best split in the leaf at hand
_FOUND = ("bins", "first", "codes", "common", "cut", "missing", "total", "sure")
FOUND = np.dtype(
    [(name, np.int64) for name in _FOUND]
    + [("categorical", np.bool_), ("allowed", np.bool_), ("monotone", np.int8), ("gain", np.float64)]
    + [("bits", np.uint64, 4)]
)
# codes (n, g) uint8: of bundles; columns (d, n) uint8: every column's own; packed (n,) int64; rules (1,),
# found, twins (d,), nodes (m,): records, twins for the second of two leaves searched at a time; groups (d, w)
# uint64: the interaction groups a column is in, reach (m, w) those a node may still use, w = 0 without any;
# rows, spare (k,) uint32: the rows to grow on, and room for as many; hists (slots, g << shift), parts as
# ``new_parts``, counts (256,) int64; whole, real, lists, table: as ``room_for``
_JOB = "codes columns packed rules found twins nodes groups reach rows spare hists parts counts"
Job = namedtuple("Job", f"{_JOB} whole real lists table")


def new_nodes(most, words):
    """Room for ``most`` nodes: nodes (most,), reach (most, words)."""
    return np.zeros(most, NODE), np.full((most, words), ~np.uint64(0))


def new_parts(threads, s):
    """Room for a histogram of s sums a thread, and what keeps them apart: (threads, s + APART)."""
    return np.empty((threads, s + APART), np.int64)


def room_for(leaves, slots, d):
    """What a tree is grown with and leaves nothing in: whole (4, 256) int64: a column laid out; sums to the
    left, their bins, their rows; real (2, 256); lists (3, k) int64: open leaves, free slots, columns; table
    (256,) uint8.
    """
    lists = np.empty((3, max(leaves + 1, slots, d)), np.int64)
    return np.empty((4, 256), np.int64), np.empty((2, 256)), lists, np.empty(256, np.uint8)


def shift_of(bins):
    """The least shift that gives each column room for its bins (d,) and one for missing."""
    return max(1, int(np.max(bins)).bit_length())


def lay_out(found):
    """Give each column a stretch of its own: sums of all codes, column after column -> shift."""
    shift = shift_of(found["bins"])
    found["first"], found["codes"] = np.arange(len(found)) << shift, found["bins"] + 1
    found["common"] = NONE
    return shift
