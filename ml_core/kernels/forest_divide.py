"""Part a node's rows between two children, and add up what each then holds; where to, a guide may know."""

import numpy as np

from ml_core.kernels.forest_draw import mix
from ml_core.kernels.forest_records import NONE
from ml_core.kernels.jit import jit


@jit(_nrt=False)
def part(node, job, room):
    """Reorder a node's rows, lefts first, each side in its old order -> number of lefts; no branch."""
    column = room.local[node.column] if node.local else job.columns[node.column]
    missing = job.missing[node.column]
    table = room.table
    for code in range(256):
        table[code] = (code <= node.cut and code != missing) or (code == missing and node.missing_left == 1)
    start, n = node.start, np.uint64(node.rows)
    rows, what, weight = (
        job.rows[start : start + node.rows],
        job.what[start : start + node.rows],
        job.weight[start : start + node.rows],
    )
    n_left = n_right = np.uint64(0)
    for i in range(n):
        row, a, b = rows[i], what[i], weight[i]
        left = np.uint64(table[column[row]])
        rows[n_left], what[n_left], weight[n_left] = row, a, b
        room.rows[n_right], room.what[n_right], room.weight[n_right] = row, a, b
        n_left += left
        n_right += np.uint64(1) - left
    for i in range(n_right):
        rows[n_left + i], what[n_left + i], weight[n_left + i] = room.rows[i], room.what[i], room.weight[i]
    return np.int64(n_left)


@jit(_nrt=False)
def add_up(node, sums, job, rules):
    """sums (c,) = those of a node's rows."""
    sums[:] = 0
    if rules.pair:
        for i in range(node.start, node.start + node.rows):
            sums[0] += job.what[i]
            sums[1] += job.weight[i]
    else:
        for i in range(node.start, node.start + node.rows):
            sums[job.what[i]] += job.weight[i]


@jit(_nrt=False)
def tell(node, sums, rules):
    """A node's S and packed W from its sums (c,)."""
    if rules.pair:
        node.total, node.weight = sums[0], sums[1]
    else:
        node.total, node.weight = sums[1] & ((np.int64(1) << rules.shift) - 1), sums.sum()


@jit(_nrt=False)
def follow(node, guide, rules):
    """Take a node's split from its twin in guide -> whether that can be.

    The best of all cuts is the best of those that leave more rows on each side, if it is one of them.
    """
    twin = guide[node.guide]
    if min(guide[twin.left].rows, guide[twin.left + 1].rows) < rules.min_leaf:
        node.guide = NONE
        return False
    node.gain, node.column, node.cut = twin.gain, twin.column, twin.cut
    node.missing_left, node.guide = twin.missing_left, twin.left
    return True


@jit(_nrt=False)
def begin(node, parent, side, rows):
    """A new node of ``rows`` = (start, number), without a split."""
    node.start, node.rows = rows
    node.depth, node.local, node.slot = parent.depth + 1, parent.local, NONE
    node.guide = parent.guide + side if parent.guide != NONE else NONE
    node.key = mix(parent.key, np.uint64(1 << 40) + np.uint64(side))
    node.column, node.left, node.cut, node.missing_left, node.gain = NONE, NONE, 0, 0, 0.0
    node.low, node.high, node.spread = parent.low, parent.high, 0.0


@jit(_nrt=False)
def divide(at, new, nodes_stats, job, rules, room):
    """Part a node's rows between two new nodes, ``new`` and ``new + 1`` -> the one of less weight."""
    nodes, stats = nodes_stats
    node, left, right = nodes[at], nodes[new], nodes[new + 1]
    n_left = part(node, job, room)
    node.left = new
    begin(left, node, 0, (node.start, n_left))
    begin(right, node, 1, (node.start + n_left, node.rows - n_left))
    few = new if 2 * n_left <= node.rows else new + 1
    add_up(nodes[few], stats[few], job, rules)
    for k in range(rules.channels):
        stats[2 * new + 1 - few, k] = stats[at, k] - stats[few, k]
    tell(left, stats[new], rules)
    tell(right, stats[new + 1], rules)
    mask = (np.int64(1) << rules.shift) - 1
    light = 2 * (left.weight & mask) <= node.weight & mask
    if node.missing_left < 0:
        node.missing_left = not light
    if rules.monotone:
        middle = (left.total / (left.weight & mask) + right.total / (right.weight & mask)) / 2
        sign = job.monotone[node.column]
        if sign > 0:
            left.high = right.low = middle
        elif sign < 0:
            left.low = right.high = middle
    return new if light else new + 1
