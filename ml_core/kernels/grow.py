"""One tree, best split first, on binned columns.

A job is a ``records.Job``. Threads are as many as it has parts: asking Numba would keep the code from being
cached. The right child of a node is its left child + 1; a leaf's left child is 0, since the root is nobody's
child.
"""

import numpy as np

from ml_core.kernels import hist as histograms
from ml_core.kernels.formulas_jit import value_of
from ml_core.kernels.jit import inner, jit
from ml_core.kernels.partition import count_left, goes_left, partition, parts_enough
from ml_core.kernels.records import NONE
from ml_core.kernels.search import allow, forget, pick, search, search_column
from ml_core.kernels.split import penalty, sums


@inner(inline="always", _nrt=False)
def rows_of(node, job):
    """The rows of a node, a view."""
    return job.rows[job.nodes[node].start : job.nodes[node].start + job.nodes[node].rows]


@inner(_nrt=False)
def add_up(hist, node, job):
    """hist (s,) = the histogram of a node's rows -> 0; or how many of job.parts it is the sum of, still to be
    made.
    """
    rows, shift = rows_of(node, job), job.rules[0].shift
    if len(job.parts) > 1 and len(rows) * len(job.columns) >= histograms.SERIAL:
        histograms.add_rows_together(job.parts, job.codes, job.packed, rows, shift)
        return len(job.parts)
    hist[:] = 0
    histograms.add_rows(hist, job.codes, job.packed, rows, shift)
    return 0


@inner(_nrt=False)
def settle(node, hist, found, job):
    """Enter a node's best split by its histogram and found (d,); its column is NONE if there is none."""
    counts, record = job.counts, job.nodes[node]
    pick(hist, record, found, job)
    # hessians bound the rows on each side only loosely: count them, and where they are too few, find what
    # this column really offers
    while record.column != NONE and record.sure == 1:
        rows, column = rows_of(node, job), job.columns[record.column]
        least = job.rules[0].min_rows
        if parts_enough(column, rows, record.bits, least):
            return
        histograms.count_rows(counts, job.whole[0], column, rows)
        left = count_left(counts, record.bits)
        if min(left, len(rows) - left) >= least:
            return
        spare = job.whole, job.real
        search_column(found[record.column], hist, counts, record, job.rules[0], spare)
        pick(hist, record, found, job)


@inner(_nrt=False)
def consider(node, hist, waiting, job):
    """Find a node's best split from its histogram, in hist (s,) or ``waiting`` in so many of job.parts."""
    allow_columns(node, job.found, job)
    search((job.parts[:waiting], hist, hist[:0]), (node, node), job)
    settle(node, hist, job.found, job)


@inner(_nrt=False)
def begin_child(child, parent, rules):
    """What follows for a new node from its total: its value, within the parent's bounds, and no split yet."""
    forget(child)
    child.depth, child.low, child.high = parent.depth + 1, parent.low, parent.high
    G, H = sums(child.total, rules)
    child.value = min(max(value_of(G, H, rules.l1, child.l2), child.low), child.high)


@inner(_nrt=False)
def recall(unseen, rows, column):
    """Take the codes that rows have out of unseen (4,) uint64."""
    for i in range(len(rows)):
        code = np.uint64(column[rows[i]])
        unseen[code >> np.uint64(6)] &= ~(np.uint64(1) << (code & np.uint64(63)))


@inner(_nrt=False)
def any_bit(bits):
    """Whether any of bits (4,) uint64 is set."""
    return (bits[0] | bits[1] | bits[2] | bits[3]) != 0


@inner(_nrt=False)
def divide(node, at, job):
    """Part a node's rows between two new nodes, ``at`` and ``at + 1``."""
    rules, parent, left, right = job.rules[0], job.nodes[node], job.nodes[at], job.nodes[at + 1]
    start, stop = parent.start, parent.start + parent.rows
    table = job.table
    for code in range(256):
        table[code] = goes_left(parent.bits, code)
    rows, column = job.rows[start:stop], job.columns[parent.column]
    if rules.h_least == 0:  # an empty bin may hold rows, of no weight
        recall(parent.unseen, rows, column)
    n_left = partition(rows, job.spare, column, table, len(job.parts))
    if 2 * n_left >= parent.rows and any_bit(parent.unseen):
        for word in range(4):  # what no row here can tell goes with the majority
            parent.bits[word] |= parent.unseen[word]
        parent.missing = 1
    parent.left = at
    left.start, left.rows, left.total = start, n_left, parent.sum_left
    right.start, right.rows, right.total = (
        start + n_left,
        parent.rows - n_left,
        parent.total - parent.sum_left,
    )
    left.l2 = right.l2 = penalty(job.found[parent.column], rules)
    begin_child(left, parent, rules)
    begin_child(right, parent, rules)
    for w in range(job.groups.shape[1]):
        job.reach[at, w] = job.reach[at + 1, w] = job.reach[node, w] & job.groups[parent.column, w]
    middle = (left.value + right.value) / 2
    if job.found[parent.column].monotone > 0:
        left.high = right.low = middle
    elif job.found[parent.column].monotone < 0:
        left.low = right.high = middle


@inner(_nrt=False)
def may_split(node, job):
    """Whether looking for a split is worth it at all."""
    rules, node = job.rules[0], job.nodes[node]
    deep = rules.max_depth > 0 and node.depth >= rules.max_depth
    return not deep and node.rows >= max(2, 2 * rules.min_rows)


@inner(_nrt=False)
def smaller(node, nodes):
    """The child with fewer rows, and the other."""
    left = nodes[node].left
    return (left, left + 1) if nodes[left].rows <= nodes[left + 1].rows else (left + 1, left)


@inner(_nrt=False)
def allow_columns(node, found, job):
    """Mark in found (d,) where a node may split: nowhere, if it is not worth it."""
    if may_split(node, job):
        allow(node, found, job)
        return
    for j in range(len(found)):
        found[j].allowed = False


@inner(_nrt=False)
def consider_both(small, big, hists, job):
    """Histograms and best splits of a node's two children; hists: of the smaller, made here from its rows,
    and of the larger, the parent's so far.
    """
    waiting = add_up(hists[0], small, job)
    allow_columns(small, job.found, job)
    allow_columns(big, job.twins, job)
    search((job.parts[:waiting], *hists), (small, big), job)
    settle(small, hists[0], job.found, job)
    settle(big, hists[1], job.twins, job)


@inner(_nrt=False)
def consider_children(node, free, job):
    """Histograms and best splits of a divided node's children; ``free`` is the stack of unused slots.

    Only the smaller child is added up; the larger is what remains of the parent. Where no slot is left, the
    last one serves for the search alone, and the children's histograms are both added up when their turn
    comes.
    """
    nodes, hists = job.nodes, job.hists
    small, big = smaller(node, nodes)
    slot, spare = nodes[node].slot, len(hists) - 1
    nodes[node].slot = nodes[small].slot = nodes[big].slot = NONE
    if not may_split(big, job):
        give(free, slot)
        return
    mine = take(free)
    own = hists[mine if mine != NONE else spare]
    if slot != NONE:
        consider_both(small, big, (own, hists[slot]), job)
    else:
        if may_split(small, job):
            consider(small, own, add_up(own, small, job), job)
        consider(big, hists[spare], add_up(hists[spare], big, job), job)
    for child, kept in ((small, mine), (big, slot)):
        if nodes[child].column == NONE:
            give(free, kept)
        else:
            nodes[child].slot = kept


@inner(_nrt=False)
def take(free):
    """Pop an unused slot, or NONE; the stack's last entry says how many there are."""
    if free[-1] == 0:
        return np.int64(NONE)
    free[-1] -= 1
    return free[free[-1]]


@inner(_nrt=False)
def give(free, slot):
    """Push a slot back; NONE is nothing."""
    if slot != NONE:
        free[free[-1]] = slot
        free[-1] += 1


@inner(_nrt=False)
def next_leaf(queue, n_open, best_first, nodes):
    """Position in the queue of the leaf to split: the largest gain, the older of equals; or simply the
    last.
    """
    if not best_first:
        return n_open - 1
    at = 0
    for i in range(1, n_open):
        gain, best = nodes[queue[i]].gain, nodes[queue[at]].gain
        if gain > best or (gain == best and queue[i] < queue[at]):
            at = i
    return at


@inner(_nrt=False)
def begin(free, job):
    """Make node 0 of all rows in job.rows and look for its split."""
    first = np.int64(0)  # a plain 0 would have all that follows compiled again, for this number
    root, rules, slot = job.nodes[first], job.rules[0], take(free)
    forget(root)
    root.start, root.rows, root.depth, root.slot = 0, len(job.rows), 0, slot
    root.l2, root.low, root.high = rules.l2, -np.inf, np.inf
    hist, width = job.hists[slot], 1 << rules.shift
    waiting = add_up(hist, first, job)
    if waiting:
        histograms.gather(hist[:width], job.parts, 0)
    root.total = 0
    for i in range(width):  # every bundle holds each row once
        root.total += hist[i]
    G, H = sums(root.total, rules)
    root.value = value_of(G, H, rules.l1, rules.l2)
    if may_split(first, job):
        consider(first, hist, waiting, job)


@jit(_nrt=False)
def grow(job):
    """Grow a tree on job.rows into job.nodes -> number of nodes.

    With max_leaves = 0 there is no order to keep: the smaller child goes first, and log2(n) histograms
    suffice.
    """
    nodes, best_first = job.nodes, job.rules[0].max_leaves > 0
    most = min(job.rules[0].max_leaves if best_first else len(nodes), (len(nodes) + 1) // 2)
    queue, free = job.lists[0], job.lists[1, : len(job.hists)]
    for slot in range(len(free)):
        free[slot] = slot
    free[-1] = len(free) - 1
    begin(free, job)
    queue[0], n_open, n_leaves = 0, np.int64(nodes[0].column != NONE), 1
    while n_open > 0 and n_leaves < most:
        at = next_leaf(queue, n_open, best_first, nodes)
        node, n_open = queue[at], n_open - 1
        queue[at] = queue[n_open]
        divide(node, 2 * n_leaves - 1, job)
        n_leaves += 1
        if n_leaves == most:
            break
        consider_children(node, free, job)
        small, big = smaller(node, nodes)
        for child in (big, small):
            if nodes[child].column != NONE:
                queue[n_open] = child
                n_open += 1
    return 2 * n_leaves - 1
