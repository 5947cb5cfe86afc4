"""Scores of a tile of rows against all centers, and which of them is the nearest.

Letters: n rows, d columns, k centers.
One float32 product scores LANES rows; where float32 cannot tell the two nearest centers apart float64
decides, by sums column after column: of equally near centers the first.
"""

from typing import NamedTuple

import numpy as np

from ml_core.kernels.jit import jit
from ml_core.kernels.tiles import LANES, ROUND, fill

GROUP = 64  # centers scored at once


class Lanes(NamedTuple):
    """Centers as they are scored."""

    across: np.ndarray  # (d, k) float64, as given
    lanes: np.ndarray  # (k, d) float32 in the frame, negated
    half: np.ndarray  # (k,) float32, half the squared length; inf for a center that repeats an earlier one


@jit()
def bounds(d, half, scores, longest):
    """Least and second least score -> upper and lower bound, in place; close where float32 cannot tell them
    apart."""
    best, second, close = scores
    rounds, two = np.float32(2.2 * ROUND), np.float32(2)  # float32 throughout: half as many numbers a vector
    products = np.float32(d + 4) * longest
    for j in range(LANES):
        square = two * half[j]
        reach = np.sqrt(square) + longest
        blur = rounds * reach * (products + reach) + np.float32(1e-36)
        close[j] = not second[j] - best[j] > blur
        other = best[j] if close[j] else second[j]
        blur += np.float32(2e-7) * square
        moved = np.float32(1.1 * ROUND) * reach
        best[j] = (np.sqrt(max(square + two * best[j], np.float32(0)) + blur) + moved) * np.float32(1.000001)
        second[j] = (np.sqrt(max(square + two * other - blur, np.float32(0))) - moved) * np.float32(0.999999)


@jit()
def rank(lanes, centers, best, second, label):
    """Least and second least score of each lane, and which center scores least, from inf and inf."""
    k = len(centers.half)
    score = np.empty((min(GROUP, k), LANES), np.float32)
    for first in range(0, k, GROUP):
        some = min(GROUP, k - first)
        np.dot(centers.lanes[first : first + some], lanes, score[:some])
        merge(score[:some], centers.half[first : first + some], first, (best, second, label))


@jit()
def merge(score, half, first, found):
    """Take scores (k, LANES) into what was found, four centers at a time: it is read and written once for
    them."""
    best, second, label = found
    whole = len(half) - len(half) % 4
    for g in range(0, whole, 4):
        a, b, c, d = score[g], score[g + 1], score[g + 2], score[g + 3]
        e, f, h, i = half[g], half[g + 1], half[g + 2], half[g + 3]
        # int32 as chosen between, never as summed: sums are int64, half as many a vector
        names = np.int32(first + g), np.int32(first + g + 1), np.int32(first + g + 2), np.int32(first + g + 3)
        for j in range(LANES):
            p, q, r, s = a[j] + e, b[j] + f, c[j] + h, d[j] + i
            low, high, less, more = min(p, q), max(p, q), min(r, s), max(r, s)
            left = names[1] if q < p else names[0]
            right = names[3] if s < r else names[2]
            left = right if less < low else left
            high = min(max(low, less), min(high, more))
            low = min(low, less)
            label[j] = left if low < best[j] else label[j]
            second[j] = min(max(best[j], low), min(second[j], high))
            best[j] = min(best[j], low)
    for g in range(whole, len(half)):
        row, e, name = score[g], half[g], np.int32(first + g)
        for j in range(LANES):
            p = row[j] + e
            label[j] = name if p < best[j] else label[j]
            second[j] = min(max(best[j], p), second[j])
            best[j] = min(best[j], p)


@jit()
def nearest(row, across, exact):
    """The first of the nearest centers, by sums in float64, column after column."""
    for j in range(len(exact)):
        exact[j] = 0.0
    for c in range(len(row)):
        value, line = np.float64(row[c]), across[c]
        for j in range(len(exact)):
            step = value - line[j]
            exact[j] += step * step
    own = 0
    for j in range(len(exact)):
        if exact[j] < exact[own]:
            own = j
    return own


@jit()
def assign(X, centers, frame, span, label):
    """Write to label (n,) the nearest center of each row in blocks ``span`` (first, last).

    frame = (centre (d,), scale, longest center); a row too long for float32 is decided in float64.
    """
    centre, scale, longest = frame
    n, d = X.shape
    lanes, half = np.empty((1, d, LANES), np.float32), np.empty((1, LANES), np.float32)
    best, second = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    name, close, exact = np.zeros(LANES, np.int32), np.zeros(LANES, np.bool_), np.empty(len(centers.half))
    for b in range(span[0], span[1]):
        start, stop = b * LANES, min(b * LANES + LANES, n)
        fill(X[start:stop], (centre, scale), lanes, half)
        best[:] = np.inf
        second[:] = np.inf
        name[:] = 0
        rank(lanes[0], centers, best, second, name)
        bounds(d, half[0], (best, second, close), np.float32(longest))
        for j in range(stop - start):
            label[start + j] = nearest(X[start + j], centers.across, exact) if close[j] else name[j]


@jit()
def own_distance(X, centers, label, far):
    """Squared distance (n,) of each row to its own of centers (k, d), by sums column after column."""
    for i in range(len(label)):
        total, center = 0.0, centers[label[i]]
        for c in range(X.shape[1]):
            step = np.float64(X[i, c]) - center[c]
            total += step * step
        far[i] = total
