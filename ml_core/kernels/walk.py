"""Send rows down trees, compiled: binned rows in blocks, few rows one by one, or raw numbers unbinned.

Letters as in ``trees``. Rows of a block go down a tree in step, those that have arrived dropping out: each
step of a row waits for memory, and other rows use the wait. Of a row alone the trees go down in step.
"""

import numpy as np
from numba import prange

from ml_core.kernels.encode import encode_value
from ml_core.kernels.jit import inner, jit
from ml_core.kernels.prefetch import fetch
from ml_core.kernels.trees import Walk

ROWS = 512  # a block's codes stay in the first-level cache while all trees pass
STRETCH = 1 << 15  # of raw that a thread adds to at a time: it stays in its second-level cache
BYTE, COLUMN = np.uint64(0xFF), np.uint64(0xFFFFFF)


@inner()
def settle(words, codes, at, active):
    """at (r,) uint64 = the leaves of codes (r, d) in the tree of words (m,), which has no sets."""
    d, flat, one = np.uint64(codes.shape[1]), codes.reshape(codes.size), np.uint64(1)
    n_active = len(codes)
    for i in range(n_active):
        at[i], active[i] = np.uint64(0), np.uint64(i)
    while n_active > 0:
        k = 0
        for p in range(n_active):
            i = active[p]
            node = at[i]
            word = words[node]
            code = np.uint64(flat[i * d + (word >> np.uint64(16) & COLUMN)])
            right = (code - (word >> np.uint64(8))) & BYTE < word & BYTE
            following = (word >> np.uint64(40)) + (one if right else np.uint64(0))
            active[k] = i
            k += following != node
            at[i] = following
        n_active = k


@inner()
def settle_mixed(walk, first, codes, at):
    """As ``settle`` for a tree that begins at node ``first`` and has sets."""
    for i in range(len(codes)):
        node = np.uint64(0)
        while True:
            word = walk.words[first + node]
            code = np.uint64(codes[i, word >> np.uint64(16) & COLUMN])
            right = (code - (word >> np.uint64(8))) & BYTE < word & BYTE
            which = walk.set_of[first + node]
            if which >= 0:
                right = walk.sets[which, code >> np.uint64(6)] >> (code & np.uint64(63)) & np.uint64(1) == 0
            following = (word >> np.uint64(40)) + (np.uint64(1) if right else np.uint64(0))
            if following == node:
                break
            node = following
        at[i] = node


@inner()
def settle_tree(walk, tree, codes, at, active):
    """at (r,) = the leaves of codes (r, d) in one tree, within the tree."""
    first, last = walk.start[tree], walk.start[tree + 1]
    if walk.mixed[tree]:
        settle_mixed(walk, np.uint64(first), codes, at)
    else:
        settle(walk.words[first:last], codes, at, active)


@inner()
def add_block(walk, codes, raw):
    """raw (r, q) += the leaves' values of codes (r, d), tree after tree."""
    r, width = len(codes), walk.value.shape[1]
    at, active = np.empty(r, np.uint64), np.empty(r, np.uint64)
    for tree in range(len(walk.output)):
        settle_tree(walk, tree, codes, at, active)
        first, column = np.uint64(walk.start[tree]), walk.output[tree]
        for i in range(r):
            for c in range(width):
                raw[i, column + c] += walk.value[first + at[i], c]


@jit(parallel=True)
def add_values(walk, codes, raw):
    """raw (n, q) += the leaves' values of codes (n, d) uint8, tree after tree."""
    n = len(codes)
    words, set_of, sets, value, start, output, mixed = walk
    for block in prange((n + ROWS - 1) // ROWS):
        first, last = block * ROWS, min(block * ROWS + ROWS, n)
        add_block(Walk(words, set_of, sets, value, start, output, mixed), codes[first:last], raw[first:last])


@jit(parallel=True)
def leaves(walk, codes, found):
    """found (n, t) int32 = the leaf each row of codes (n, d) reaches in each tree, within the tree."""
    n = len(codes)
    words, set_of, sets, value, start, output, mixed = walk
    for block in prange((n + ROWS - 1) // ROWS):
        first, last = block * ROWS, min(block * ROWS + ROWS, n)
        own = Walk(words, set_of, sets, value, start, output, mixed)
        at, active = np.empty(last - first, np.uint64), np.empty(last - first, np.uint64)
        for tree in range(len(output)):
            settle_tree(own, tree, codes[first:last], at, active)
            for i in range(last - first):
                found[first + i, tree] = np.int32(at[i])


@inner()
def settle_row(walk, codes, at, active):
    """at (t,) uint64 = the leaf in each tree, within the tree, of one row's codes (1, d)."""
    n_active = 0
    for tree in range(len(at)):
        at[tree], active[n_active] = np.uint64(0), np.uint64(tree)
        if walk.mixed[tree]:
            settle_mixed(walk, np.uint64(walk.start[tree]), codes, at[tree : tree + 1])
        else:
            n_active += 1
    while n_active > 0:
        k = 0
        for p in range(n_active):
            tree = active[p]
            node = at[tree]
            word = walk.words[np.uint64(walk.start[tree]) + node]
            code = np.uint64(codes[0, word >> np.uint64(16) & COLUMN])
            right = (code - (word >> np.uint64(8))) & BYTE < word & BYTE
            following = (word >> np.uint64(40)) + (np.uint64(1) if right else np.uint64(0))
            fetch(walk.words, walk.start[tree] + np.int64(following))
            active[k] = tree
            k += following != node
            at[tree] = following
        n_active = k


@jit()
def add_few_values(walk, bins, X, raw):
    """raw (n, q) += the leaves' values of a few rows X (n, d), nan for missing; bins: table, counts and
    categorical, as of ``encode``.
    """
    (table, counts, categorical), t, width = bins, len(walk.output), walk.value.shape[1]
    codes, at, active = np.empty((1, X.shape[1]), np.uint8), np.empty(t, np.uint64), np.empty(t, np.uint64)
    for i in range(len(X)):
        for j in range(X.shape[1]):
            codes[0, j] = encode_value(X[i, j], table[j], counts[j], categorical[j])
        settle_row(walk, codes, at, active)
        for tree in range(t):
            leaf, column = np.uint64(walk.start[tree]) + at[tree], walk.output[tree]
            for c in range(width):
                raw[i, column + c] += walk.value[leaf, c]


@inner()
def leaf_of_numbers(trees, root, x, codes):
    """The leaf of one row in the tree that begins at node ``root``; codes (d,): of columns with sets."""
    node = np.int64(root)
    while True:
        left, j, which = np.int64(trees.left[node]) + root, trees.column[node], trees.set_of[node]
        if left == node:
            return node
        if which >= 0:
            code = np.uint64(codes[j])
            goes = trees.sets[which, code >> np.uint64(6)] >> (code & np.uint64(63)) & np.uint64(1) == 1
        elif np.isnan(x[j]):
            goes = trees.missing_left[node]
        else:
            goes = x[j] <= trees.threshold[node]
        node = left if goes else left + 1


@jit()
def add_raw_values(trees, X, codes, raw):
    """raw (n, q) += the leaves' values of numbers X (n, d), nan for missing; codes (n, d) uint8: those of
    columns with sets.
    """
    width = trees.value.shape[1]
    for i in range(len(X)):
        for tree in range(len(trees.output)):
            leaf, column = leaf_of_numbers(trees, trees.start[tree], X[i], codes[i]), trees.output[tree]
            for c in range(width):
                raw[i, column + c] += trees.value[leaf, c]


@inner(_nrt=False)
def below(rows, row):
    """How many of rows (k,), ascending, are below ``row``."""
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        if rows[middle] < row:
            low = middle + 1
        else:
            high = middle
    return low


@inner(_nrt=False)
def add_within(raw, rows, nodes, values, stretch):
    """As ``add_leaves``, to those of raw in a stretch (first, last) alone."""
    for node in range(len(nodes)):
        if nodes[node].left == 0:
            own = rows[nodes[node].start : nodes[node].start + nodes[node].rows]
            for i in range(below(own, stretch[0]), below(own, stretch[1])):
                raw[own[i]] += values[node]


@jit(parallel=True, _nrt=True)
def add_leaves(raw, rows, nodes, n_nodes, values):
    """raw (n,)[rows of each leaf] += values (m,): the training rows' share of a new tree, which needs no
    walk. Rows are all n, ascending in a leaf: each stretch of raw stays in cache while all leaves add to it.
    """
    n = len(raw)
    for block in prange((n + STRETCH - 1) // STRETCH):
        add_within(raw, rows, nodes[:n_nodes], values, (block * STRETCH, min(block * STRETCH + STRETCH, n)))
