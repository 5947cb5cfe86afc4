"""What the kernels of trees and forests hand each other. Imports no compiler.

Letters: n rows, d columns, k rows that one tree is grown on, m its nodes, c channels of a sum.

All that is added up is whole numbers, so sums depend on no order, and parent = left + right holds to the bit.
A packed weight is ``(1 << shift) + weight``, so that one sum tells rows and weight. Channels: the packed
weight of each class (classification), or the value times weight and the packed weight (regression).
"""

from collections import namedtuple

import numpy as np

GINI, ENTROPY, SQUARED, POISSON = range(4)
NONE, OPEN = -1, -2
COMPACT = 4096  # rows of a node from which on its codes are copied side by side: they then fit a cache
SUBTRACT = 512  # rows from which on a histogram is worth keeping for its children

# column, left NONE in a leaf; left OPEN where open_rows left a node to another job; missing_left -1 where no
# row told; local: its rows point into room.local; total, weight: S and packed W of ``forest_split``; spread:
# sum of weight times squared value, in leaves; key: what its draws come from; guide: its twin in job.guide,
# the twin's left child once it was followed, NONE without one
NODE = np.dtype(
    [(name, np.int32) for name in ("column", "left", "cut", "missing_left")]
    + [(name, np.int32) for name in ("start", "rows", "depth", "slot", "local", "guide")]
    + [(name, np.float64) for name in ("gain", "low", "high", "spread")]
    + [("total", np.int64), ("weight", np.int64), ("key", np.uint64)]
)
# What a tree must obey. channels: c; pair: regression; binary: two classes; shift: of the packed weight;
# max_columns: looked at in a node; min_weight, min_gain: absolute; random: one cut a column at random;
# monotone: whether any column is bound
RULES = np.dtype(
    [(name, np.int64) for name in ("kind", "channels", "pair", "binary", "shift", "max_columns", "max_depth")]
    + [
        (name, np.int64)
        for name in ("min_split", "min_leaf", "random", "monotone", "max_leaves", "open_rows")
    ]
    + [("min_weight", np.float64), ("min_gain", np.float64)]
)
# The best split so far; place: of its code among those present
FOUND = np.dtype(
    [("gain", np.float64)] + [(name, np.int64) for name in ("place", "column", "cut", "missing_left")]
)
# columns (d, n) uint8; missing (d,) uint8: the code of a missing value; monotone (d,) int8; rows (k,) uint32,
# what (k,) int64: class or value times weight, weight (k,) int64 packed; guide: nodes of a tree of the same
# rows and key under a smaller min_leaf, or none
Job = namedtuple("Job", "columns flat missing monotone rows what weight guide", defaults=[np.empty(0, NODE)])
# spare of rows, what, weight; local (d, COMPACT) uint8; cells: flat, see ``new_room``; free (slots + 1,):
# unused slots, the last says how many; order (d,) = 0, 1, ...; codes (256,); found (1,) FOUND
Room = namedtuple("Room", "rows what weight local flat cells free order codes table queue found")


def new_room(n_rows, n_columns, rules, local):
    """Scratch for a thread: for trees of at most n_rows; ``local`` whether codes will be copied.

    cells (int64): 256 * c of a single column, zero between uses; 3 * c sums; the slots' histograms.
    """
    c = int(rules["channels"])
    slots, width = 0, 256 * c * n_columns
    if rules["max_columns"] >= n_columns and n_rows >= SUBTRACT and not rules["random"]:
        slots = min(2 * int(np.log2(n_rows)) + 2, max(1, (1 << 27) // width))
    free = np.arange(slots + 1)
    free[-1] = slots
    cells = np.empty(259 * c + slots * width, np.int64)
    cells[: 259 * c] = 0
    codes = np.empty((n_columns if local else 1, min(COMPACT, n_rows)), np.uint8)
    return Room(
        np.empty(n_rows, np.uint32),
        np.empty(n_rows, np.int64),
        np.empty(n_rows, np.int64),
        codes,
        codes.reshape(-1),
        cells,
        free,
        np.arange(n_columns),
        np.empty(256, np.int64),
        np.empty(256, np.uint8),
        np.empty(max(int(rules["max_leaves"]), 128) + 1, np.int64),
        np.empty(1, FOUND),
    )
