"""The best split of a leaf by one column, from its histogram.

Letters: G, H sums of gradient and hessian; a column's bins are 0..m-1 and m is missing; a cut at b sends bins
<= b left.
"""

import numpy as np

from ml_core.kernels.jit import jit
from ml_core.kernels.records import NONE

LOW32 = np.int64(0xFFFFFFFF)


@jit(inline="always")
def sums(total, rules):
    """Packed total -> G, H."""
    return (total >> 32) * rules.unit_g, (total & LOW32) * rules.unit_h


@jit(inline="always")
def shrink(G, l1):
    """Soft threshold."""
    return np.sign(G) * max(abs(G) - l1, 0.0)


@jit()
def value_of(G, H, l1, l2):
    """The Newton step of a leaf."""
    return -shrink(G, l1) / max(H + l2, 1e-290)


@jit()
def score_of(G, H, l1, l2):
    """Twice the fall of the loss that the Newton step brings."""
    g = shrink(G, l1)
    return g * g / max(H + l2, 1e-290)


@jit()
def bounded_score(G, H, value, rules):
    """Twice the fall of the loss that any step brings, bounds on it or not."""
    return -(2 * G * value + (H + rules.l2) * value * value + 2 * rules.l1 * abs(value))


@jit()
def bounded_gain(left, leaf, rules, direction):
    """Sum of the children's scores where their values are bounded or ordered; -inf where the order is
    wrong.
    """
    G, H = sums(leaf.total, rules)
    GL, HL = sums(left, rules)
    low = min(max(value_of(GL, HL, rules.l1, rules.l2), leaf.low), leaf.high)
    high = min(max(value_of(G - GL, H - HL, rules.l1, rules.l2), leaf.low), leaf.high)
    if direction * (high - low) < 0:
        return -np.inf
    return bounded_score(GL, HL, low, rules) + bounded_score(G - GL, H - HL, high, rules)


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
def best_cut(hist, counts, leaf, rules, direction):
    """hist (m + 1,), counts (m + 1,) or empty -> (gain, cut, missing left?, packed left sum, room).

    Of equals the first wins: missing right before missing left, lower cuts first.
    """
    m = len(hist) - 1
    G, H = sums(leaf.total, rules)
    free = direction == 0 and leaf.low == -np.inf and leaf.high == np.inf
    best, cut, missing, sum_left, sure = -np.inf, NONE, 0, np.int64(0), 0
    for side in range(2):
        if side and hist[m] == 0:
            break
        left = hist[m] if side else np.int64(0)
        rows = (counts[m] if side else np.int64(0)) if len(counts) else np.int64(-1)
        for b in range(m - 1 if hist[m] == 0 or side else m):
            left += hist[b]
            if len(counts):
                rows += counts[b]
            if hist[b] == 0:
                continue
            enough = room(left, rows, leaf, rules)
            if enough == 0:
                continue
            GL, HL = sums(left, rules)
            if free:
                gain = score_of(GL, HL, rules.l1, rules.l2) + score_of(G - GL, H - HL, rules.l1, rules.l2)
            else:
                gain = bounded_gain(left, leaf, rules, direction)
            if gain > best:
                best, cut, missing, sum_left, sure = gain, b, side, left, enough
    return best, cut, missing, sum_left, sure


@jit()
def ordered_categories(hist, leaf, rules):
    """Bins worth a place of their own, by gradient over hessian -> (k,) int64; the rest always go right."""
    H = max(leaf.total & LOW32, 1)
    keys = np.empty(len(hist))
    order = np.empty(len(hist), np.int64)
    k = 0
    for b in range(len(hist)):
        h = hist[b] & LOW32
        if hist[b] == 0 or h / H * leaf.rows < min(rules.cat_smooth, rules.min_rows):
            continue
        key = (
            (hist[b] >> 32)
            * rules.unit_g
            / (h * rules.unit_h + rules.cat_smooth * rules.unit_h * H / leaf.rows)
        )
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
    order = ordered_categories(hist, leaf, rules)
    k = len(order)
    l2 = rules.l2 + (rules.cat_l2 if k > 4 else 0.0)
    G, H = sums(leaf.total, rules)
    best, length, end, sum_left, sure = -np.inf, NONE, 0, np.int64(0), 0
    for side in range(2):
        left, rows = np.int64(0), np.int64(0) if len(counts) else np.int64(-1)
        for i in range(min((k + 1) // 2, rules.max_categories)):
            b = order[k - 1 - i] if side else order[i]
            left += hist[b]
            if len(counts):
                rows += counts[b]
            enough = room(left, rows, leaf, rules)
            if enough == 0 or left == leaf.total:
                continue
            GL, HL = sums(left, rules)
            if leaf.low == -np.inf and leaf.high == np.inf:
                gain = score_of(GL, HL, rules.l1, l2) + score_of(G - GL, H - HL, rules.l1, l2)
            else:
                gain = bounded_gain(left, leaf, rules, 0)
            if gain > best:
                best, length, end, sum_left, sure = gain, i + 1, side, left, enough
    bits[:] = 0
    for i in range(max(length, 0)):
        b = order[k - 1 - i] if end else order[i]
        bits[b >> 6] |= np.uint64(1) << np.uint64(b & 63)
    return best, length, 0, sum_left, sure
