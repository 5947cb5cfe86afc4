"""The best split of a leaf by one column, from its histogram.

Letters: G, H sums of gradient and hessian; a column's bins are 0..m-1 and m is missing; a cut at b sends bins
<= b left. Nothing here makes an array: in small leaves, numba's count of who refers to it cost a fifth.
"""

import numpy as np

from ml_core.kernels.formulas import LOW32, TINY
from ml_core.kernels.formulas_jit import bounded_score, score_of, value_of
from ml_core.kernels.jit import inner
from ml_core.kernels.records import FEW, NONE


@inner(_nrt=False)
def sums(total, rules):
    """Packed total -> G, H."""
    return (total >> 32) * rules.unit_g, (total & LOW32) * rules.unit_h


@inner(_nrt=False)
def bounded_gain(left, leaf, rules, direction):
    """Sum of the children's scores where their values are bounded or ordered; -inf where the order is
    wrong.
    """
    l1, l2 = rules.l1, rules.l2
    G, H = sums(leaf.total, rules)
    GL, HL = sums(left, rules)
    low = min(max(value_of(GL, HL, l1, l2), leaf.low), leaf.high)
    high = min(max(value_of(G - GL, H - HL, l1, l2), leaf.low), leaf.high)
    if direction * (high - low) < 0:
        return -np.inf
    return bounded_score(GL, HL, low, l1, l2) + bounded_score(G - GL, H - HL, high, l1, l2)


@inner(_nrt=False)
def free(leaf, direction):
    """Whether nothing binds the values of a leaf's children."""
    return direction == 0 and leaf.low == -np.inf and leaf.high == np.inf


@inner(_nrt=False)
def room(left, rows, leaf, rules):
    """0: a child surely has too few rows or too little hessian; 1: it may; 2: surely not. rows < 0:
    unknown.
    """
    HL, H = left & LOW32, leaf.total & LOW32
    small, m = min(HL, H - HL), rules.min_rows
    if small * rules.unit_h < rules.min_hessian:
        return 0
    if rows >= 0:
        return 2 if min(rows, leaf.rows - rows) >= m else 0
    if small < m * rules.h_least:
        return 0
    return 2 if small >= m * rules.h_most else 1


@inner(_nrt=False)
def add_up(hist, counts, start, spare):
    """spare's lefts (k,) = start[0] + the running sums of hist, cuts (k,) the bins after which they stand,
    and rows (k,) = start[1] + those of counts, -1 where there are none -> k.

    Cuts are after the first bin and those that hold something: one after an empty bin parts no rows anew.
    """
    lefts, cuts, rows = spare[0][1], spare[0][2], spare[0][3]
    if len(hist) == 0:
        return 0
    total, seen, k, counted = start[0] + hist[0], start[1], 1, len(counts) > 0
    lefts[0], cuts[0] = total, 0
    for b in range(1, len(hist)):
        own = hist[b]
        total += own
        lefts[k], cuts[k] = total, b
        k += np.int64((own != 0) | (counted and counts[b] != 0))
    if not counted:
        rows[:k] = -1
        return k
    b = 0
    for i in range(k):
        while b <= cuts[i]:
            seen, b = seen + counts[b], b + 1
        rows[i] = seen
    return k


@inner(_nrt=False)
def gains_of(lefts, leaf, rules, l2, gains):
    """gains (k,) = sums of the scores of both children for packed left sums (k,), nothing binding them."""
    unit_g, unit_h, l1 = rules.unit_g, rules.unit_h, rules.l1
    G, H = (leaf.total >> 32) * unit_g, (leaf.total & LOW32) * unit_h
    for b in range(len(lefts)):
        GL, HL = (lefts[b] >> 32) * unit_g, (lefts[b] & LOW32) * unit_h
        gains[b] = score_of(GL, HL, l1, l2) + score_of(G - GL, H - HL, l1, l2)


@inner(_nrt=False)
def only_cut(left, rows, leaf, rules, direction):
    """As ``best_cut`` where there is one cut only; left: packed, rows: sent left, < 0 for unknown."""
    enough = room(left, rows, leaf, rules)
    if enough == 0:
        return -np.inf, NONE, 0, np.int64(0), 0
    if free(leaf, direction):
        (G, H), (GL, HL) = sums(leaf.total, rules), sums(left, rules)
        gain = score_of(GL, HL, rules.l1, rules.l2) + score_of(G - GL, H - HL, rules.l1, rules.l2)
    else:
        gain = bounded_gain(left, leaf, rules, direction)
    return gain, 0 if gain > -np.inf else NONE, 0, left, enough


@inner(_nrt=False)
def roomy(k, spare, leaf, rules):
    """(first, end) of the k cuts in spare whose children may have rows and hessian enough: what lies to the
    left only grows from cut to cut.
    """
    lefts, rows, first, end = spare[0][1], spare[0][3], 0, k
    while first < end and room(lefts[first], rows[first], leaf, rules) == 0:
        first += 1
    while first < end and room(lefts[end - 1], rows[end - 1], leaf, rules) == 0:
        end -= 1
    return first, end


@inner(_nrt=False)
def highest(gains):
    """Place of the largest of gains (k,), k > 0; of equals the first."""
    a = b = -np.inf
    for i in range(len(gains) // 2):  # each its own chain of comparisons
        a = gains[2 * i] if gains[2 * i] > a else a
        b = gains[2 * i + 1] if gains[2 * i + 1] > b else b
    most, at = max(a, b, gains[-1]), 0
    while gains[at] < most:
        at += 1
    return at


@inner(_nrt=False)
def best_cut(hist, counts, leaf, rules, direction, spare):
    """hist (m + 1,), counts (256,) or empty; spare: as ``records.room_for`` -> (gain, cut, missing left?,
    packed left sum, room).

    Of equals the first wins: missing right before missing left, lower cuts first.
    """
    m, lefts, gains, unbound = len(hist) - 1, spare[0][1], spare[1][0], free(leaf, direction)
    best, cut, missing, sum_left, sure = -np.inf, NONE, 0, np.int64(0), 0
    for side in range(2):
        if side and hist[m] == 0:
            break
        last = m - 1 if hist[m] == 0 or side else m
        start = (hist[m], counts[m] if len(counts) else np.int64(0)) if side else (np.int64(0), np.int64(0))
        first, end = roomy(add_up(hist[:last], counts, start, spare), spare, leaf, rules)
        if first == end:
            continue
        if unbound:
            gains_of(lefts[first:end], leaf, rules, rules.l2, gains)
        else:
            for i in range(first, end):
                gains[i - first] = bounded_gain(lefts[i], leaf, rules, direction)
        at = highest(gains[: end - first])
        if gains[at] > best:
            best, missing, at = gains[at], side, at + first
            cut, sum_left = spare[0][2][at], lefts[at]
            sure = room(sum_left, spare[0][3][at], leaf, rules)
    return best, cut, missing, sum_left, sure


@inner(_nrt=False)
def penalty(column, rules):
    """The l2 penalty on the values of a split's children: a set of many categories fits noise easily."""
    return rules.l2 + rules.cat_l2 if column.categorical and column.bins > FEW else rules.l2


@inner(_nrt=False)
def likely_rows(packed, leaf):
    """About how many rows a packed sum of a leaf stands for, by its share of the hessian."""
    return np.int64((packed & LOW32) / max(leaf.total & LOW32, 1) * leaf.rows + 0.5)


@inner(_nrt=False)
def ordered_categories(hist, leaf, rules, smooth, spare):
    """spare's order (k,) = the bins worth a place of their own, by gradient over hessian; the rest always go
    right -> k.
    """
    order, keys, k = spare[0][2], spare[1][1], 0
    for b in range(len(hist)):
        if hist[b] == 0 or (len(hist) > FEW + 1 and likely_rows(hist[b], leaf) < rules.cat_smooth):
            continue
        key = (hist[b] >> 32) * rules.unit_g / max((hist[b] & LOW32) * rules.unit_h + smooth, TINY)
        at = k
        while at > 0 and keys[at - 1] > key:
            keys[at], order[at] = keys[at - 1], order[at - 1]
            at -= 1
        keys[at], order[at] = key, b
        k += 1
    return k


@inner(_nrt=False)
def best_set(hist, counts, leaf, rules, bits, spare):
    """As ``best_cut`` for a categorical column; bits (4,) uint64 gets the categories that go left.

    Prefixes of the order from either end suffice for a convex loss (Fisher 1958). Where there are many
    categories, cat_smooth, cat_l2, max_categories and cat_rows keep small ones from being fitted to noise, as
    in LightGBM: they join the left side in groups of cat_rows, and as many rows stay on the right.
    """
    many, counted = len(hist) > FEW + 1, len(counts) > 0
    k = ordered_categories(hist, leaf, rules, rules.cat_smooth if many else rules.l2, spare)
    most = min((k + 1) // 2, rules.max_categories)
    lefts, order, gains = spare[0][1], spare[0][2], spare[1][0]
    best, length, end, sum_left, sure = -np.inf, NONE, 0, np.int64(0), 0
    for side in range(2):
        left, rows, group = np.int64(0), np.int64(0), np.int64(0)
        for i in range(most):
            left += hist[order[k - 1 - i] if side else order[i]]
            lefts[i] = left
        gains_of(lefts[:most], leaf, rules, rules.l2 + rules.cat_l2 if many else rules.l2, gains)
        for i in range(most):
            b = order[k - 1 - i] if side else order[i]
            rows += counts[b] if counted else np.int64(0)
            group += likely_rows(hist[b], leaf)
            if many and likely_rows(leaf.total - lefts[i], leaf) < rules.cat_rows:
                break
            if many and group < rules.cat_rows:
                continue
            group = np.int64(0)
            enough = room(lefts[i], rows if counted else np.int64(-1), leaf, rules)
            if enough == 0 or lefts[i] == leaf.total:
                continue
            gain = gains[i] if free(leaf, 0) else bounded_gain(lefts[i], leaf, rules, 0)
            if gain > best:
                best, length, end, sum_left, sure = gain, i + 1, side, lefts[i], enough
    bits[:] = 0
    for i in range(max(length, 0)):
        b = order[k - 1 - i] if end else order[i]
        bits[b >> 6] |= np.uint64(1) << np.uint64(b & 63)
    return best, length, 0, sum_left, sure
