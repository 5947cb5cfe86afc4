"""The best split of a leaf by one column, from its histogram.

Letters: G, H sums of gradient and hessian; a column's bins are 0..m-1 and m is missing; a cut at b sends bins
<= b left.
"""

import numpy as np

from ml_core.kernels.formulas import LOW32, TINY
from ml_core.kernels.formulas_jit import bounded_score, score_of, value_of
from ml_core.kernels.jit import inner
from ml_core.kernels.records import FEW, NONE


@inner()
def sums(total, rules):
    """Packed total -> G, H."""
    return (total >> 32) * rules.unit_g, (total & LOW32) * rules.unit_h


@inner()
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


@inner()
def free(leaf, direction):
    """Whether nothing binds the values of a leaf's children."""
    return direction == 0 and leaf.low == -np.inf and leaf.high == np.inf


@inner()
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


@inner()
def add_up(hist, start, lefts):
    """lefts (k,) = start + the running sums of hist (k,)."""
    total = start
    for b in range(len(hist)):
        total += hist[b]
        lefts[b] = total


@inner()
def gains_of(lefts, leaf, rules, l2, gains):
    """gains (k,) = sums of the scores of both children for packed left sums (k,), nothing binding them."""
    unit_g, unit_h, l1 = rules.unit_g, rules.unit_h, rules.l1
    G, H = (leaf.total >> 32) * unit_g, (leaf.total & LOW32) * unit_h
    for b in range(len(lefts)):
        GL, HL = (lefts[b] >> 32) * unit_g, (lefts[b] & LOW32) * unit_h
        gains[b] = score_of(GL, HL, l1, l2) + score_of(G - GL, H - HL, l1, l2)


@inner()
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


@inner()
def best_cut(hist, counts, leaf, rules, direction, spare):
    """hist (m + 1,), counts (256,) or empty; spare: int64 and float64 (256,) -> (gain, cut, missing left?,
    packed left sum, room).

    Of equals the first wins: missing right before missing left, lower cuts first.
    """
    m, counted, (lefts, gains) = len(hist) - 1, len(counts) > 0, spare
    unbound = free(leaf, direction)
    best, cut, missing, sum_left, sure = -np.inf, NONE, 0, np.int64(0), 0
    for side in range(2):
        if side and hist[m] == 0:
            break
        k = m - 1 if hist[m] == 0 or side else m
        add_up(hist[:k], hist[m] if side else np.int64(0), lefts)
        if unbound:
            gains_of(lefts[:k], leaf, rules, rules.l2, gains)
        rows = counts[m] if counted and side else np.int64(0)
        for b in range(k):
            rows += counts[b] if counted else np.int64(0)
            if unbound and not gains[b] > best:
                continue
            enough = room(lefts[b], rows if counted else np.int64(-1), leaf, rules)
            if enough == 0:
                continue
            gain = gains[b] if unbound else bounded_gain(lefts[b], leaf, rules, direction)
            if gain > best:
                best, cut, missing, sum_left, sure = gain, b, side, lefts[b], enough
    return best, cut, missing, sum_left, sure


@inner()
def penalty(column, rules):
    """The l2 penalty on the values of a split's children: a set of many categories fits noise easily."""
    return rules.l2 + rules.cat_l2 if column.categorical and column.bins > FEW else rules.l2


@inner()
def likely_rows(packed, leaf):
    """About how many rows a packed sum of a leaf stands for, by its share of the hessian."""
    return np.int64((packed & LOW32) / max(leaf.total & LOW32, 1) * leaf.rows + 0.5)


@inner()
def ordered_categories(hist, leaf, rules, smooth):
    """Bins worth a place of their own, by gradient over hessian -> (k,) int64; the rest always go right."""
    keys, order = np.empty(len(hist)), np.empty(len(hist), np.int64)
    k = 0
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
    return order[:k]


@inner()
def best_set(hist, counts, leaf, rules, bits):
    """As ``best_cut`` for a categorical column; bits (4,) uint64 gets the categories that go left.

    Prefixes of the order from either end suffice for a convex loss (Fisher 1958). Where there are many
    categories, cat_smooth, cat_l2, max_categories and cat_rows keep small ones from being fitted to noise, as
    in LightGBM: they join the left side in groups of cat_rows, and as many rows stay on the right.
    """
    many, counted = len(hist) > FEW + 1, len(counts) > 0
    order = ordered_categories(hist, leaf, rules, rules.cat_smooth if many else rules.l2)
    k = len(order)
    most = min((k + 1) // 2, rules.max_categories)
    lefts, gains = np.empty(256, np.int64), np.empty(256)
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
