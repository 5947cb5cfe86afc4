"""One tree of a forest, from its root or from any node on.

A node's children stand side by side, ``left`` and ``left + 1``. Without a limit of leaves the smaller child
is grown first, so that log2(k) histograms suffice, and the larger one's is its parent's less its sister's.
"""

import numpy as np

from ml_core.kernels.forest_divide import divide, follow, tell
from ml_core.kernels.forest_draw import below, mix
from ml_core.kernels.forest_records import COMPACT, NONE, OPEN, POISSON, SUBTRACT
from ml_core.kernels.forest_split import fill, look, occupied, present, varies
from ml_core.kernels.jit import jit

FEW = 96  # rows: below, only the bins that they are in are looked at
BLOCK = 2048  # rows whose numbers stay in the first-level cache while all columns pass


@jit(_nrt=False)
def take(free):
    """Pop an unused slot, or NONE; the stack's last entry says how many there are."""
    if free[-1] == 0:
        return np.int64(NONE)
    free[-1] -= 1
    return free[free[-1]]


@jit(_nrt=False)
def give(node, free):
    """Push a node's slot back, if it has one."""
    if node.slot != NONE:
        free[free[-1]] = node.slot
        free[-1] += 1
        node.slot = NONE


@jit(_nrt=False)
def slot_base(slot, job, rules):
    """Where the histogram of a slot begins in room.cells."""
    c = rules.channels
    return 259 * c + slot * 256 * c * len(job.columns)


@jit(_nrt=False)
def build(slot, node, job, rules, room):
    """Make a slot the histogram of a node's rows, all columns."""
    d, cells, width, c = len(job.columns), room.cells, 256 * rules.channels, rules.channels
    flat, stride = (room.flat, room.local.shape[1]) if node.local else (job.flat, job.columns.shape[1])
    base, classes = slot_base(slot, job, rules), 0 if rules.pair else c
    cells[base : base + d * width] = 0
    stop = node.start + node.rows
    for first in range(node.start, stop, BLOCK):
        last = min(first + BLOCK, stop)
        for j in range(d):
            fill(cells, flat, job, (base + j * width, j * stride, first, last), classes)


@jit(_nrt=False)
def gather(node, job, room):
    """Copy a node's codes side by side into room.local; its rows then count from 0."""
    rows = job.rows[node.start : node.start + node.rows]
    for j in range(len(job.columns)):
        column, local = job.columns[j], room.local[j]
        for i in range(len(rows)):
            local[i] = column[rows[i]]
    for i in range(len(rows)):
        rows[i] = i
    node.local = 1


@jit(_nrt=False)
def is_pure(node, sums, job, rules):
    """Whether nothing is left to tell apart: one class, or one value."""
    if not rules.pair:
        seen = 0
        for k in range(len(sums)):
            seen += sums[k] != 0
        return seen < 2
    mask, start = (np.int64(1) << rules.shift) - 1, node.start
    first = job.what[start] / (job.weight[start] & mask)
    slack = 1e-11 * abs(first)
    for i in range(start + 1, start + node.rows):
        if abs(job.what[i] / (job.weight[i] & mask) - first) > slack:
            return False
    return True


@jit(_nrt=False)
def may_split(node, sums, job, rules):
    """Whether looking for a split is worth it at all."""
    if node.rows < rules.min_split or node.rows < 2 * rules.min_leaf:
        return False
    if rules.max_depth > 0 and node.depth >= rules.max_depth:
        return False
    return not is_pure(node, sums, job, rules)


@jit(_nrt=False)
def examine(j, flat, node, job, rules, room):
    """Look at one column -> how many codes the node has there."""
    c, cells, codes, found = rules.channels, room.cells, room.codes, room.found[0]
    told, classes = (np.int64(job.missing[j]), np.int64(job.monotone[j])), np.int64(0 if rules.pair else c)
    if node.slot != NONE:
        base = slot_base(node.slot, job, rules) + j * 256 * c
        count = occupied(cells, base, codes, classes)
        if count > 1:
            look(cells, codes, (j, told[0], told[1], base, count), node, rules, found)
        return count
    stride = room.local.shape[1] if node.local else job.columns.shape[1]
    base, place = np.int64(0), (0, j * stride, node.start, node.start + node.rows)
    if not varies(flat, job.rows, place):  # as most columns in most nodes, one-hot ones above all
        return 1
    fill(cells, flat, job, place, classes)
    if node.rows < FEW:
        count = present(codes, flat, job.rows, place)
    else:
        count = occupied(cells, base, codes, classes)
    if count > 1:
        look(cells, codes, (j, told[0], told[1], base, count), node, rules, found)
    for i in range(count):
        for k in range(codes[i] * c, codes[i] * c + c):
            cells[k] = 0
    return count


@jit(_nrt=False)
def consider(node, sums, job, rules, room):
    """Find the best split of a node -> whether there is one worth it; ties go to the column drawn first."""
    d, order, found, c = len(job.columns), room.order, room.found[0], rules.channels
    flat = room.flat if node.local else job.flat
    found.gain, found.column = -1.0, NONE
    for k in range(c):
        room.cells[256 * c + k] = sums[k]
    drawn, varied = 0, False
    while drawn < d and (drawn < rules.max_columns or not varied):
        at = drawn + below(mix(node.key, np.uint64(drawn)), d - drawn)
        j = order[at]
        order[at], order[drawn] = order[drawn], j
        drawn += 1
        varied |= examine(j, flat, node, job, rules, room) > 1
    for i in range(drawn - 1, -1, -1):  # back into the order that every node starts from
        at = i + below(mix(node.key, np.uint64(i)), d - i)
        order[at], order[i] = order[i], order[at]
    if found.column == NONE or found.gain < rules.min_gain:
        return False
    node.gain, node.column, node.cut = found.gain, found.column, found.cut
    node.missing_left = found.missing_left
    return True


@jit(_nrt=False)
def share_out(small, big, slot_owner, job, rules, room):
    """Give the children their histograms, where those are worth it; slot_owner is their parent."""
    if slot_owner.slot == NONE:
        return
    own = np.int64(NONE)
    if big.rows >= SUBTRACT:
        own = take(room.free)
    if own == NONE:
        give(slot_owner, room.free)
        return
    build(own, small, job, rules, room)
    cells, whole, less = room.cells, slot_base(slot_owner.slot, job, rules), slot_base(own, job, rules)
    for i in range(256 * rules.channels * len(job.columns)):
        cells[whole + i] -= cells[less + i]
    small.slot, big.slot, slot_owner.slot = own, slot_owner.slot, NONE


@jit(_nrt=False)
def prepare(node, job, rules, room):
    """Before a node is looked at: copy its codes, or build its histogram, where that saves time."""
    if (
        node.local == 0
        and node.rows <= COMPACT
        and len(room.local) == len(job.columns)
        and rules.max_leaves == 0
    ):
        gather(node, job, room)
    if node.slot == NONE and node.rows >= SUBTRACT and len(room.free) > 1:
        node.slot = take(room.free)
        if node.slot != NONE:
            build(node.slot, node, job, rules, room)


@jit(_nrt=False)
def next_node(queue, n_open, rules, nodes):
    """Position in the queue of the node to split: the last, or of the largest gain, the older of equals."""
    if rules.max_leaves == 0:
        return n_open - 1
    at = 0
    for i in range(1, n_open):
        gain, best = nodes[queue[i]].gain, nodes[queue[at]].gain
        if gain > best or (gain == best and queue[i] < queue[at]):
            at = i
    return at


@jit(_nrt=False)
def spread(nodes, n_nodes, job, rules):
    """node.spread of each leaf: its sum of w v**2, or of w v log v for Poisson, over rows of value v."""
    mask, poisson = (np.int64(1) << rules.shift) - 1, rules.kind == POISSON
    for at in range(n_nodes):
        node = nodes[at]
        if node.left != NONE:
            continue
        for i in range(node.start, node.start + node.rows):
            value, weight = float(job.what[i]), float(job.weight[i] & mask)
            if not poisson:
                node.spread += value * value / weight
            elif value > 0:
                node.spread += value * np.log(value / weight)


@jit(_nrt=False)
def worth_splitting(node, sums, job, rules, room):
    """Whether a node goes into the queue: best first it must have a split, else it may look for one later."""
    if not may_split(node, sums, job, rules):
        give(node, room.free)
        return False
    if rules.max_leaves > 0:
        prepare(node, job, rules, room)
        if not consider(node, sums, job, rules, room):
            give(node, room.free)
            return False
    return True


@jit(_nrt=False)
def has_split(node, sums, job, rules, room):
    """Whether a node out of the queue is to be split here and now."""
    if rules.max_leaves > 0:
        return True
    if node.rows <= rules.open_rows:
        give(node, room.free)
        node.left = OPEN
        return False
    if node.guide != NONE:
        if job.guide[node.guide].left == NONE:  # nor does any cut of fewer
            return False
        if follow(node, job.guide, rules):
            return True
    prepare(node, job, rules, room)
    if not consider(node, sums, job, rules, room):
        give(node, room.free)
        return False
    return True


@jit(_nrt=False)
def grow(job, rules, nodes, stats, room):
    """Grow a tree from nodes[0], stats[0] on; nodes (m,) and stats (m, c) are filled -> number of nodes."""
    tell(nodes[0], stats[0], rules)
    queue, most = room.queue, rules.max_leaves
    n_nodes, n_leaves, n_open, queue[0] = 1, 1, 0, 0
    if worth_splitting(nodes[0], stats[0], job, rules, room):
        n_open = 1
    while n_open > 0 and (most == 0 or n_leaves < most):
        at = next_node(queue, n_open, rules, nodes)
        index, n_open = queue[at], n_open - 1
        queue[at] = queue[n_open]
        if not has_split(nodes[index], stats[index], job, rules, room):
            continue
        small = divide(index, n_nodes, (nodes, stats), job, rules, room)
        big = 2 * n_nodes + 1 - small
        n_nodes, n_leaves = n_nodes + 2, n_leaves + 1
        share_out(nodes[small], nodes[big], nodes[index], job, rules, room)
        for child in (big, small):
            if worth_splitting(nodes[child], stats[child], job, rules, room):
                queue[n_open] = child
                n_open += 1
    if rules.pair:
        spread(nodes, n_nodes, job, rules)
    return n_nodes


@jit(_nrt=False)
def line_up(nodes, stats, ordered, ordered_stats):
    """ordered (m,), ordered_stats (m, c) = a grown tree level by level, children in the order of parents."""
    ordered[0], end, c = nodes[0], 1, stats.shape[1]
    for k in range(c):
        ordered_stats[0, k] = stats[0, k]
    for i in range(len(ordered)):
        left = np.int64(ordered[i].left)
        if left < 0:
            ordered[i].left = NONE
            continue
        ordered[i].left = end
        for child in (left, left + 1):
            ordered[end] = nodes[child]
            for k in range(c):
                ordered_stats[end, k] = stats[child, k]
            end += 1
