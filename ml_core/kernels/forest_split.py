"""The best cut of one column in one node.

Letters as in ``forest_records``: S value times weight (or weight of the second class), W weight.
A cut sends codes <= cut to the left. Between two codes that the node has, it lies half way. Kernels hand each
other single arrays, records and numbers: a tuple of arrays made on the way costs more than a small node.
"""

import numpy as np

from ml_core.kernels.forest_draw import below, lowest_bit, mix
from ml_core.kernels.forest_records import ENTROPY, GINI, SQUARED
from ml_core.kernels.jit import jit


@jit(_nrt=False)
def disorder(S, W):
    """Entropy in bits times weight, of two classes."""
    rest, total = W - S, 0.0
    if S > 0:
        total -= S * np.log2(S / W)
    if rest > 0:
        total -= rest * np.log2(rest / W)
    return total


@jit(_nrt=False)
def merit_slowly(kind, S, W, SL, WL):
    """As ``merit``, for entropy and Poisson; negative where a cut may not be."""
    SR, WR = S - SL, W - WL
    if kind == ENTROPY:
        return max(0.0, disorder(S, W) - disorder(SL, WL) - disorder(SR, WR))
    if SL <= 0 or SR <= 0:
        return -1.0
    return max(0.0, SL * np.log(SL / WL) + SR * np.log(SR / WR) - S * np.log(S / W))


@jit(inline="always", _nrt=False)
def merit(kind, S, W, SL, WL):
    """By how much a cut lowers weight times impurity."""
    if kind in (SQUARED, GINI):
        apart = SL - S * (WL / W)
        gain = apart * apart * W / (WL * (W - WL))
        return gain + gain if kind == GINI else gain
    return merit_slowly(kind, S, W, SL, WL)


@jit(_nrt=False)
def fill(cells, flat, job, place, c):
    """cells[base:] += rows start .. stop - 1 of a job; a column's codes begin at flat[offset].

    place: (base, offset, start, stop); c: classes, 0 in regression.
    """
    base, offset, start, stop = (
        np.uint64(place[0]),
        np.uint64(place[1]),
        np.uint64(place[2]),
        np.uint64(place[3]),
    )
    rows, what, weight, c = job.rows, job.what, job.weight, np.uint64(c)
    if c == 0:
        for i in range(start, stop):
            at = base + np.uint64(2) * np.uint64(flat[offset + np.uint64(rows[i])])
            cells[at] += what[i]
            cells[at + np.uint64(1)] += weight[i]
    else:
        for i in range(start, stop):
            code = np.uint64(flat[offset + np.uint64(rows[i])])
            cells[base + code * c + np.uint64(what[i])] += weight[i]


@jit(_nrt=False)
def varies(flat, rows, place):
    """Whether rows start .. stop - 1 have more than one code; place as in ``fill``."""
    offset, start, stop = np.uint64(place[1]), np.uint64(place[2]), np.uint64(place[3])
    code = flat[offset + np.uint64(rows[start])]
    for i in range(start, stop):  # noqa: SIM110  Numba knows no generators within any()
        if flat[offset + np.uint64(rows[i])] != code:
            return True
    return False


@jit(_nrt=False)
def present(codes, flat, rows, place):
    """codes[:count] = those of rows start .. stop - 1, ascending -> count; place as in ``fill``."""
    offset, start, stop = np.uint64(place[1]), np.uint64(place[2]), np.uint64(place[3])
    a = b = c = e = np.uint64(0)
    for i in range(start, stop):
        code = np.uint64(flat[offset + np.uint64(rows[i])])
        bit, word = np.uint64(1) << (code & np.uint64(63)), code >> np.uint64(6)
        a |= bit if word == 0 else np.uint64(0)
        b |= bit if word == 1 else np.uint64(0)
        c |= bit if word == 2 else np.uint64(0)
        e |= bit if word == 3 else np.uint64(0)
    count = 0
    for first, bits in ((0, a), (64, b), (128, c), (192, e)):
        while bits != 0:
            codes[count] = first + np.int64(lowest_bit(bits))
            count += 1
            bits &= bits - np.uint64(1)
    return count


@jit(_nrt=False)
def occupied(cells, base, codes, c):
    """codes[:count] = those with rows in the histogram at cells[base] -> count; c as in ``fill``."""
    count, width = 0, max(c, 2)
    for code in range(256):
        at, seen = base + width * code, np.int64(0)
        if c == 0:
            seen = cells[at + 1]
        else:
            for k in range(c):
                seen |= cells[at + k]
        codes[count] = code
        count += seen != 0
    return count


@jit(inline="always", _nrt=False)
def bin_sums(cells, at, binary, mask):
    """The sums of the bin at cells[at]: S and the packed weight."""
    first, second = cells[at], cells[at + 1]
    if binary:
        return second & mask, first + second
    return first, second


@jit(_nrt=False)
def keeps_order(node, sign, cut):
    """Whether the children's means obey a monotone column and the bounds of the node; cut: S, W, SL, WL."""
    S, W, SL, WL = cut
    left, right = SL / WL, (S - SL) / (W - WL)
    inside = node.low <= left <= node.high and node.low <= right <= node.high
    return inside and sign * (right - left) >= 0


@jit(_nrt=False)
def scan_pair(cells, codes, span, node, rules, found):
    """Try the cuts after codes[first] .. codes[last - 1]; whether one is better than found.

    span: (base, first, last, S and packed weight to the left already, sign).
    """
    base, first, last, left_s, left_w, sign = span
    mask, kind, binary, shift = (np.int64(1) << rules.shift) - 1, rules.kind, rules.binary, rules.shift
    S, W, rows, best = float(node.total), float(node.weight & mask), node.weight >> shift, found.gain
    min_leaf, min_weight, bound, place = rules.min_leaf, rules.min_weight, rules.monotone, -1
    for i in range(first, last):
        s, w = bin_sums(cells, base + 2 * codes[i], binary, mask)
        left_s += s
        left_w += w
        n_left = left_w >> shift
        if n_left < min_leaf or rows - n_left < min_leaf:
            continue
        SL, WL = float(left_s), float(left_w & mask)
        gain = merit(kind, S, W, SL, WL)
        if gain <= best or min(WL, W - WL) < min_weight:
            continue
        if bound and not keeps_order(node, sign, (S, W, SL, WL)):
            continue
        best, place = gain, i
    if place >= 0:
        found.gain, found.place = best, place
    return place >= 0


@jit(_nrt=False)
def class_disorder(kind, cells, at, span, W):
    """Weight times impurity of the packed class weights cells[at : at + c]; span: (c, mask)."""
    c, mask = span
    total = 0.0
    for k in range(at, at + c):
        w = float(cells[k] & mask)
        if kind == GINI:
            total += w * w
        elif w > 0:
            total -= w * np.log2(w / W)
    return W - total / W if kind == GINI else total


@jit(_nrt=False)
def scan_classes(cells, codes, span, node, rules, found):
    """As ``scan_pair`` for three classes and more; cells[256 * c:]: sums in all, to the left, the rest."""
    base, first, last, left_w = span
    c, shift, kind = rules.channels, rules.shift, rules.kind
    mask, place, best = (np.int64(1) << shift) - 1, -1, found.gain
    whole, left, right = 256 * c, 257 * c, 258 * c
    W, rows = float(node.weight & mask), node.weight >> shift
    before = class_disorder(kind, cells, whole, (c, mask), W)
    for i in range(first, last):
        for k in range(c):
            w = cells[base + codes[i] * c + k]
            cells[left + k] += w
            left_w += w
            cells[right + k] = cells[whole + k] - cells[left + k]
        n_left, WL = left_w >> shift, float(left_w & mask)
        if min(n_left, rows - n_left) < rules.min_leaf or min(WL, W - WL) < rules.min_weight:
            continue
        after = class_disorder(kind, cells, left, (c, mask), WL) + class_disorder(
            kind, cells, right, (c, mask), W - WL
        )
        if before - after > best or (place < 0 and best < 0):
            best, place = max(0.0, before - after), i
    if place >= 0:
        found.gain, found.place = best, place
    return place >= 0


@jit(_nrt=False)
def try_pair(cells, codes, span, node, rules, found):
    """``scan_pair`` with what lies left before it begins; span: (base, first, last, missing or -1, sign)."""
    base, first, last, missing, sign = span
    mask, s, w = (np.int64(1) << rules.shift) - 1, np.int64(0), np.int64(0)
    if missing >= 0:
        s, w = bin_sums(cells, base + 2 * missing, rules.binary, mask)
    for i in range(first):
        more_s, more_w = bin_sums(cells, base + 2 * codes[i], rules.binary, mask)
        s, w = s + more_s, w + more_w
    return scan_pair(cells, codes, (base, first, last, s, w, sign), node, rules, found)


@jit(_nrt=False)
def try_classes(cells, codes, span, node, rules, found):
    """As ``try_pair``, for three classes and more."""
    base, first, last, missing, _ = span
    c, w = rules.channels, np.int64(0)
    left = 257 * c
    for k in range(c):
        cells[left + k] = cells[base + missing * c + k] if missing >= 0 else 0
        for i in range(first):
            cells[left + k] += cells[base + codes[i] * c + k]
        w += cells[left + k]
    return scan_classes(cells, codes, (base, first, last, w), node, rules, found)


@jit(_nrt=False)
def look(cells, codes, column, node, rules, found):
    """Try the cuts of a column; whether found got better. column: (j, missing, sign, base, count)."""
    j, missing, sign, base, count = column
    gaps = np.int64(codes[count - 1] == missing)
    known = count - gaps
    first, last, cut, key = 0, known - 1 + gaps, np.int64(-1), np.uint64(0)
    if rules.random and known > 1:
        key = mix(node.key, np.uint64(2 * j + 1) << np.uint64(32))
        cut = codes[0] + below(key, codes[known - 1] - codes[0])
        while codes[first + 1] <= cut:
            first += 1
        last = first + 1
    better = False
    for left in range(1 + gaps):
        if rules.random and gaps and known > 1 and left != np.int64(key & np.uint64(1)):
            continue
        span = (base, first, min(last, known - left), missing if left else np.int64(-1), sign)
        if rules.pair or rules.binary:
            won = try_pair(cells, codes, span, node, rules, found)
        else:
            won = try_classes(cells, codes, span, node, rules, found)
        if won:
            better, found.missing_left = True, left if gaps else -1
    if better:
        i, found.column = found.place, j
        if cut < 0:
            cut = missing - 1 if i == known - 1 else (codes[i] + codes[i + 1]) // 2
        found.cut = cut
    return better
