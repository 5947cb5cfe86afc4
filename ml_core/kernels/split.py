"""The best split of a leaf by one column, from its histogram.

Letters: G, H sums of gradient and hessian; a column's bins are 0..m-1 and m is missing; a cut at b sends bins
<= b left.
"""

import numpy as np

from ml_core.kernels.formulas import LOW32
from ml_core.kernels.formulas_jit import bounded_score, score_of, value_of
from ml_core.kernels.jit import jit
from ml_core.kernels.records import NONE


@jit()
def sums(total, rules):
    """Packed total -> G, H."""
    return (total >> 32) * rules.unit_g, (total & LOW32) * rules.unit_h


@jit()
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


@jit()
def free(leaf, direction):
    """Whether nothing binds the values of a leaf's children."""
    return direction == 0 and leaf.low == -np.inf and leaf.high == np.inf


@jit()
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


@jit()
def add_up(hist, start, lefts):
    """lefts (k,) = start + the running sums of hist (k,)."""
    total = start
    for b in range(len(hist)):
        total += hist[b]
        lefts[b] = total


@jit()
def gains_of(lefts, leaf, rules, l2, gains):
    """gains (k,) = sums of the scores of both children for packed left sums (k,), nothing binding them."""
    unit_g, unit_h, l1 = rules.unit_g, rules.unit_h, rules.l1
    G, H = (leaf.total >> 32) * unit_g, (leaf.total & LOW32) * unit_h
    for b in range(len(lefts)):
        GL, HL = (lefts[b] >> 32) * unit_g, (lefts[b] & LOW32) * unit_h
        gains[b] = score_of(GL, HL, l1, l2) + score_of(G - GL, H - HL, l1, l2)


@jit()
def best_cut(hist, counts, leaf, rules, direction):
    """hist (m + 1,), counts (m + 1,) or empty -> (gain, cut, missing left?, packed left sum, room).

    Of equals the first wins: missing right before missing left, lower cuts first.
    """
    m, counted = len(hist) - 1, len(counts) > 0
    lefts, gains, rows_left = np.empty(256, np.int64), np.empty(256), np.empty(256, np.int64)
    unbound = free(leaf, direction)
    best, cut, missing, sum_left, sure = -np.inf, NONE, 0, np.int64(0), 0
    for side in range(2):
        if side and hist[m] == 0:
            break
        k = m - 1 if hist[m] == 0 or side else m
        add_up(hist[:k], hist[m] if side else np.int64(0), lefts)
        if counted:
            add_up(counts[:k], counts[m] if side else np.int64(0), rows_left)
        if unbound:
            gains_of(lefts[:k], leaf, rules, rules.l2, gains)
        for b in range(k):
            if unbound and not gains[b] > best:
                continue
            enough = room(lefts[b], rows_left[b] if counted else np.int64(-1), leaf, rules)
            if enough == 0:
                continue
            gain = gains[b] if unbound else bounded_gain(lefts[b], leaf, rules, direction)
            if gain > best:
                best, cut, missing, sum_left, sure = gain, b, side, lefts[b], enough
    return best, cut, missing, sum_left, sure


@jit()
def ordered_categories(hist, leaf, rules):
    """Bins worth a place of their own, by gradient over hessian -> (k,) int64; the rest always go right."""
    H = max(leaf.total & LOW32, 1)
    smooth = rules.cat_smooth * rules.unit_h * H / leaf.rows
    keys, order = np.empty(len(hist)), np.empty(len(hist), np.int64)
    k = 0
    for b in range(len(hist)):
        h = hist[b] & LOW32
        if hist[b] == 0 or h / H * leaf.rows < min(rules.cat_smooth, rules.min_rows):
            continue
        key = (hist[b] >> 32) * rules.unit_g / (h * rules.unit_h + smooth)
        at = k
        while at > 0 and keys[at - 1] > key:
            keys[at], order[at] = keys[at - 1], order[at - 1]
            at -= 1
        keys[at], order[at] = key, b
        k += 1
    return order[:k]


@jit()
def best_set(hist, counts, leaf, rules, bits):
    """As ``best_cut`` for a categorical column; bits (4,) uint64 gets the categories that go left.

    Prefixes of the order from either end suffice for a convex loss (Fisher 1958); cat_l2 and max_categories
    keep many small categories from being fitted to noise.
    """
    order, counted = ordered_categories(hist, leaf, rules), len(counts) > 0
    k = len(order)
    l2 = rules.l2 + (rules.cat_l2 if k > 4 else 0.0)
    lefts, gains = np.empty(256, np.int64), np.empty(256)
    best, length, end, sum_left, sure = -np.inf, NONE, 0, np.int64(0), 0
    for side in range(2):
        left, rows, most = np.int64(0), np.int64(0), min((k + 1) // 2, rules.max_categories)
        for i in range(most):
            left += hist[order[k - 1 - i] if side else order[i]]
            lefts[i] = left
        gains_of(lefts[:most], leaf, rules, l2, gains)
        for i in range(most):
            rows += counts[order[k - 1 - i] if side else order[i]] if counted else 0
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
