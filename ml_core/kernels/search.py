"""The best split of a leaf over all columns it may use.

Letters: d columns, m nodes, s slots of a histogram, w words of 64 interaction groups each.
"""

import numpy as np
from numba import prange

from ml_core.kernels.formulas_jit import bounded_score, mix, score_of
from ml_core.kernels.hist import column_sums, gather, subtract
from ml_core.kernels.jit import inner
from ml_core.kernels.records import NONE
from ml_core.kernels.split import best_cut, best_set, only_cut, sums

SERIAL = 1000  # bins below which starting threads costs more than they bring


@inner(_nrt=False)
def allow(node, found, job):
    """Mark in found (d,) the columns a node may split on: those of its interaction groups, a random
    max_columns of them.
    """
    rules, groups = job.rules[0], job.groups
    d, words = groups.shape
    usable, k = job.lists[2], 0
    for j in range(d):
        fits = words == 0
        for w in range(words):
            fits |= (groups[j, w] & job.reach[node, w]) != 0
        found[j].allowed = False
        if fits:
            usable[k] = j
            k += 1
    state = mix(rules.seed ^ mix(np.uint64(node)))
    for i in range(min(k, rules.max_columns)):
        if k > rules.max_columns:
            state = mix(state)
            other = i + np.int64(state % np.uint64(k - i))
            usable[i], usable[other] = usable[other], usable[i]
        found[usable[i]].allowed = True


@inner(_nrt=False)
def search_column(column, hist, counts, leaf, rules, spare):
    """Fill in a column's best split from the leaf's hist (s,) and the column's counts (256,); where those are
    empty, hessians bound the rows.
    """
    column.gain, column.cut = -np.inf, NONE
    if not column.allowed:
        return
    if column.bins == 2 and column.codes == 2 and column.common == 0 and not column.categorical:
        left, rows = leaf.total - hist[column.first], counts[0] if len(counts) else np.int64(-1)
        best = only_cut(left, rows, leaf, rules, column.monotone)
        column.gain, column.cut, column.missing, column.total, column.sure = best
        return
    own = column_sums(hist, column, leaf.total, spare[0][0])
    if column.categorical:
        best = best_set(own, counts, leaf, rules, column.bits, spare)
    else:
        best = best_cut(own, counts, leaf, rules, column.monotone, spare)
    column.gain, column.cut, column.missing, column.total, column.sure = best


@inner(_nrt=False)
def search_share(turn, added, leaves, rules, finds, spare):
    """What ``search`` does, for the t-th of so many shares of the bundles and for their columns.

    A share lies together and stays with one thread through all of a tree: what another one has written would
    come from its cache.
    """
    (t, shares), (parts, hist, rest), shift = turn, added, rules.shift
    bundles = len(hist) >> shift
    first, last = (t * bundles // shares) << shift, ((t + 1) * bundles // shares) << shift
    if len(parts):
        gather(hist[first:last], parts, first)
    if len(rest):
        subtract(rest[first:last], hist[first:last])
    for j in range(len(finds[0])):
        if first <= finds[0][j].first < last:
            search_column(finds[0][j], hist, hist[:0], leaves[0], rules, spare)
            if len(rest):
                search_column(finds[1][j], rest, hist[:0], leaves[1], rules, spare)


@inner(parallel=True, _nrt=True)
def search_together(n_parts, added, leaves, rules, finds):
    """``search_share`` for every thread; leaves, rules: arrays of one, since a record cannot cross to
    threads.
    """
    for t in prange(n_parts):
        spare = np.empty((4, 256), np.int64), np.empty((2, 256))
        pair = leaves[0][0], leaves[1][0]
        search_share((np.int64(t), n_parts), added, pair, rules[0], finds, spare)


@inner(_nrt=False)
def search(added, nodes, job):
    """Fill job.found for the first of two nodes and job.twins for the second from added: (parts, the
    first's histogram (s,), the second's).

    The first's is what parts add up to, where there are any. The second's is still the parent's: what is left
    without the first's; empty if it is not asked for.
    """
    n_parts, (first, second), finds = len(job.parts), nodes, (job.found, job.twins)
    if n_parts > 1 and len(added[1]) > SERIAL:
        leaves = job.nodes[first : first + 1], job.nodes[second : second + 1]
        search_together(n_parts, added, leaves, job.rules, finds)
        return
    leaves, spare = (job.nodes[first], job.nodes[second]), (job.whole, job.real)
    turn = np.int64(0), np.int64(1)  # plain numbers would have it compiled once more, for these
    search_share(turn, added, leaves, job.rules[0], finds, spare)


@inner(_nrt=False)
def forget(node):
    """Leave a node without a split."""
    node.column, node.left, node.cut, node.missing, node.gain = NONE, 0, 0, 0, -np.inf
    node.bits[:] = 0
    node.unseen[:] = 0


@inner(_nrt=False)
def own_score(node, rules):
    """What a node brings unsplit."""
    G, H = sums(node.total, rules)
    if node.low == -np.inf and node.high == np.inf:
        return score_of(G, H, rules.l1, rules.l2)
    return bounded_score(G, H, node.value, rules.l1, rules.l2)


@inner(_nrt=False)
def first_bits(n, bits):
    """bits (4,) uint64 = the set of the codes below n."""
    for word in range(4):
        more, whole = n - 64 * word, ~np.uint64(0)
        bits[word] = whole if more >= 64 else (np.uint64(1) << np.uint64(max(more, 0))) - np.uint64(1)


@inner(_nrt=False)
def pick(hist, node, found, job):
    """Enter the best column's split of found (d,) into the node, the first of equals; none where it gains
    nothing.
    """
    rules = job.rules[0]
    forget(node)
    j = 0
    for i in range(1, len(found)):
        if found[i].gain > found[j].gain:
            j = i
    best, score = found[j], own_score(node, rules)
    gain = (best.gain - score) / 2
    if not gain > max(rules.min_gain, 1e-12 * score):
        return
    node.column, node.gain, node.missing = j, gain, best.missing
    node.sum_left, node.sure = best.total, best.sure
    m, own = best.bins, column_sums(hist, best, node.total, job.whole[0])
    last, bit = m >> 6, np.uint64(1) << np.uint64(m & 63)
    if best.categorical:
        node.cut = 0
        first_bits(m + 1, node.bits)
        for word in range(4):
            node.bits[word] &= best.bits[word]
        for b in range(m):
            if own[b] == 0:
                node.unseen[b >> 6] |= np.uint64(1) << np.uint64(b & 63)
    else:
        node.cut = best.cut
        first_bits(best.cut + 1, node.bits)
        if best.missing == 1:
            node.bits[last] |= bit
    if own[m] == 0:
        node.unseen[last] |= bit
