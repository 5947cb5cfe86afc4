"""One pass of Lloyd's algorithm, compiled: rows that cannot have changed their center are not looked at.

Letters: n rows, d columns, k centers, b blocks of LANES rows.
Each row keeps an upper bound of the distance to its own center and a lower bound to all others (Hamerly
2010); those whose bounds cross are gathered into full tiles, one float32 product scores a tile against all
centers, and where float32 cannot tell the two nearest apart float64 decides, so that labels are exact
whatever was skipped. Lengths and bounds are in the frame of the tiles; sums are of rows less ``centre``, in
float64.
"""

from typing import NamedTuple

import numpy as np

from ml_core.kernels.jit import jit
from ml_core.kernels.tiles import LANES, ROUND

GROUP = 64  # centers scored at once
NOBODY = -1
WHOLE = 200  # lanes of a block to score from which the whole block is


class Rows(NamedTuple):
    """The data: as given, and as tiles."""

    X: np.ndarray  # (n, d)
    weight: np.ndarray  # (n,) float64
    centre: np.ndarray  # (d,)
    lanes: np.ndarray  # (b, d, LANES)
    half: np.ndarray  # (b, LANES)


class Centers(NamedTuple):
    """Centers of one run: exact, one column each, and in the frame, negated; what they moved since the last
    pass."""

    across: np.ndarray  # (d, k) float64, as given
    lanes: np.ndarray  # (k, d) float32, negated
    half: np.ndarray  # (k,) float32, half the squared length; inf for a center that repeats an earlier one
    shift: np.ndarray  # (k,) float32, how far each moved
    drop: np.ndarray  # (k,) float32, the farthest that any other moved
    apart: np.ndarray  # (k,) float32, half the distance to the nearest other
    rows: np.ndarray  # (k, d) float64, as given
    scale: float
    tighten: bool  # whether it pays to measure the distance to the own center before all others


class State(NamedTuple):
    """What a run knows of each row."""

    label: np.ndarray  # (n,) int32, NOBODY at first
    upper: np.ndarray  # (n,) float32
    lower: np.ndarray  # (n,) float32


@jit()
def sweep(rows, centers, state, span, totals):
    """Label the rows of blocks ``span`` (first, last, longest center).

    totals = (sums (k, d), mass (k,), counts (3,)) follow: counts of changed labels, of rows whose own
    center was measured, and of those it spared.
    """
    first, last, longest = span
    tile = (
        np.zeros((rows.X.shape[1], LANES), np.float32),
        np.zeros(LANES, np.float32),
        np.zeros(LANES, np.uint32),
    )
    direct, todo = (
        np.zeros(LANES, np.uint32),
        np.zeros(LANES + 1, np.uint32),
    )  # unsigned: an index used as it is
    count = 0
    for b in range(first, last):
        left = stale(rows, centers, state, b, (todo, longest, totals[2]))
        if left > WHOLE:  # cheaper than to gather them
            size = min(LANES, len(state.label) - b * LANES)
            for j in range(LANES):
                direct[j] = b * LANES + j
            settle(rows, centers, state, ((rows.lanes[b], rows.half[b], direct), size, longest), totals)
            continue
        done = 0
        while done < left:
            take = min(left - done, LANES - count)
            gather(rows, b, todo[done : done + take], tile, count)
            done += take
            count += take
            if count == LANES:
                settle(rows, centers, state, (tile, count, longest), totals)
                count = 0
    if count:
        settle(rows, centers, state, (tile, count, longest), totals)


@jit()
def stale(rows, centers, state, b, found):
    """Bring the bounds of block b up to date; write the lanes whose bounds cross to ``found[0]``, return
    how many."""
    todo, longest, counts = found
    first, size = b * LANES, min(LANES, len(state.label) - b * LANES)
    label, upper = state.label[first : first + size], state.upper[first : first + size]
    lower = state.lower[first : first + size]
    if label[0] == NOBODY:
        for j in range(size):
            todo[j] = j
        return size
    for j in range(size):
        own = np.uint32(label[j])
        upper[j] = (upper[j] + centers.shift[own]) * np.float32(1.000001)
        lower[j] -= centers.drop[own] * np.float32(1.000001)
    left = crossed(label, upper, lower, centers.apart, todo)
    # where it does not pay, some blocks go on telling whether it would
    if left == 0 or not (centers.tighten or b % 16 == 0):
        return left
    for t in range(left):
        j = todo[t]
        far = np.float32(length_of(rows.X[first + j], centers.rows[label[j]]) * centers.scale)
        upper[j] = min(upper[j], far * np.float32(1.000001) + np.float32(1e-7) * np.float32(longest))
    counts[1] += left
    still = crossed(label, upper, lower, centers.apart, todo)
    counts[2] += left - still
    return still


@jit(fastmath={"contract", "reassoc"})
def length_of(row, center):
    """Distance of two rows (d,), in any order of summation: good enough for a bound."""
    total = 0.0
    for c in range(len(row)):
        step = np.float64(row[c]) - center[c]
        total += step * step
    return np.sqrt(total)


@jit()
def crossed(label, upper, lower, apart, todo):
    """Write the lanes whose upper bound passes the lower and half the way to the next center; how many."""
    left = 0
    for j in range(len(label)):
        todo[left] = j
        left += not upper[j] < max(lower[j], apart[np.uint32(label[j])])
    return left


@jit()
def gather(rows, b, lanes, tile, count):
    """Copy some lanes of block b to places ``count`` and on of a tile (lanes, half, row)."""
    size = len(lanes)
    for c in range(len(tile[0])):
        source, target = rows.lanes[b, c], tile[0][c, count : count + size]
        for t in range(size):
            target[t] = source[lanes[t]]
    half, name = tile[1][count : count + size], tile[2][count : count + size]
    for t in range(size):
        half[t] = rows.half[b, lanes[t]]
        name[t] = b * LANES + lanes[t]


@jit()
def settle(rows, centers, state, work, totals):
    """Score a tile = (lanes, half, row) against all centers; set labels and bounds of its first ``count``
    rows."""
    tile, count, longest = work
    best, second = np.full(LANES, np.float32(np.inf)), np.full(LANES, np.float32(np.inf))
    label, close = np.zeros(LANES, np.int32), np.zeros(LANES, np.bool_)
    rank(tile[0], centers, best, second, label)
    bounds(tile, (best, second, close), np.float32(longest))
    exact, odd = np.empty(len(centers.half)), np.empty(LANES + 1, np.uint32)
    name, few = tile[2], 0
    for t in range(count):
        i = name[t]
        state.upper[i], state.lower[i] = best[t], second[t]
        odd[few] = t
        few += close[t] or label[t] != state.label[i]
    for t in odd[:few]:
        i, own = name[t], label[t]
        if close[t]:
            own = nearest(rows.X[i], centers.across, exact)
        if own != state.label[i]:
            totals[2][0] += 1
            move(rows, i, state.label[i], own, totals)
            state.label[i] = own


@jit()
def bounds(tile, scores, longest):
    """Least and second least score -> upper and lower bound, in place; close where float32 cannot tell them
    apart."""
    best, second, close = scores
    lanes, half, _ = tile
    rounds = np.float32(2.2 * ROUND)
    products = np.float32(len(lanes) + 4) * longest
    for j in range(LANES):
        square = 2 * half[j]
        reach = np.sqrt(square) + longest
        blur = rounds * reach * (products + reach) + np.float32(1e-36)
        close[j] = not second[j] - best[j] > blur
        other = best[j] if close[j] else second[j]
        blur += np.float32(2e-7) * square
        moved = np.float32(1.1 * ROUND) * reach
        best[j] = (np.sqrt(max(square + 2 * best[j], np.float32(0)) + blur) + moved) * np.float32(1.000001)
        second[j] = (np.sqrt(max(square + 2 * other - blur, np.float32(0))) - moved) * np.float32(0.999999)


@jit()
def rank(lanes, centers, best, second, label):
    """Least and second least score of each lane, and which center scores least: two centers at a time."""
    k = len(centers.half)
    score = np.empty((min(GROUP, k), LANES), np.float32)
    for first in range(0, k, GROUP):
        some = min(GROUP, k - first)
        np.dot(centers.lanes[first : first + some], lanes, score[:some])
        for g in range(0, some - 3, 4):
            merge(score[g : g + 4], centers.half[first + g : first + g + 4], first + g, (best, second, label))
        for g in range(some - some % 4, some):
            row, half, name = score[g], centers.half[first + g], np.int32(first + g)
            for j in range(LANES):
                p = row[j] + half
                label[j] = name if p < best[j] else label[j]
                second[j] = min(max(best[j], p), second[j])
                best[j] = min(best[j], p)


@jit()
def merge(score, half, first, found):
    """Four centers at a time: what was found is read and written once for all of them."""
    best, second, label = found
    name = np.int32(first)
    a, b, c, d = score[0], score[1], score[2], score[3]
    for j in range(LANES):
        p, q, r, s = a[j] + half[0], b[j] + half[1], c[j] + half[2], d[j] + half[3]
        low, high, less, more = min(p, q), max(p, q), min(r, s), max(r, s)
        left, right = name + np.int32(q < p), name + np.int32(2) + np.int32(s < r)
        left = right if less < low else left
        high = min(max(low, less), min(high, more))
        low = min(low, less)
        label[j] = left if low < best[j] else label[j]
        second[j] = min(max(best[j], low), min(second[j], high))
        best[j] = min(best[j], low)


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
def move(rows, i, old, new, totals):
    """Take row i from one center's sums and give it to another's."""
    sums, mass, _ = totals
    weight = rows.weight[i]
    for c in range(rows.X.shape[1]):
        value = weight * (np.float64(rows.X[i, c]) - rows.centre[c])
        sums[new, c] += value
        if old != NOBODY:
            sums[old, c] -= value
    mass[new] += weight
    if old != NOBODY:
        mass[old] -= weight


@jit(fastmath={"contract"})
def closer(rows, points, closest, span, found):
    """Squared distance of each row to the nearest of ``closest`` (n,) and one of points (t, d), in the frame.

    span = (first, last) block; found = (nearer (t, n) float32, its weighted sums (t, b)).
    """
    first, last = span
    n = len(rows.X)
    far, share = np.empty(LANES, np.float32), np.zeros(LANES)
    for b in range(first, last):
        start, stop = b * LANES, min(b * LANES + LANES, n)
        before, weight = closest[start:stop], rows.weight[start:stop]
        for p in range(len(points)):
            far[:] = 0
            apart(rows.lanes[b], points[p], far)
            nearer = found[0][p, start:stop]
            share[stop - start :] = 0.0
            for j in range(stop - start):
                nearer[j] = min(before[j], far[j])
                share[j] = weight[j] * np.float64(nearer[j])
            found[1][p, b] = fold(share)


@jit()
def fold(values):
    """Sum of (LANES,), halves on halves: a vector loop, yet the same order everywhere. Overwrites them."""
    half = LANES // 2
    while half:
        for j in range(half):
            values[j] += values[half + j]
        half //= 2
    return values[0]


@jit(fastmath={"contract"})
def apart(lanes, point, far):
    """Add up the squared differences of the lanes from one point, four columns at a time."""
    d = len(point)
    for c in range(0, d - 3, 4):
        w, x, y, z = lanes[c], lanes[c + 1], lanes[c + 2], lanes[c + 3]
        a, e, f, g = point[c], point[c + 1], point[c + 2], point[c + 3]
        for j in range(LANES):
            p, q, r, s = w[j] - a, x[j] - e, y[j] - f, z[j] - g
            far[j] += p * p + q * q + r * r + s * s
    for c in range(d - d % 4, d):
        lane, a = lanes[c], point[c]
        for j in range(LANES):
            p = lane[j] - a
            far[j] += p * p


@jit()
def own_distance(X, across, label, far):
    """Squared distance (n,) of each row to its own center, exact; NOBODY's is left."""
    for i in range(len(label)):
        total = 0.0
        for c in range(X.shape[1]):
            step = np.float64(X[i, c]) - across[c, label[i]]
            total += step * step
        far[i] = total


@jit()
def tally(rows, label, keep, span, totals):
    """Sums and mass of the kept rows first..last, from nothing."""
    for i in range(span[0], span[1]):
        if keep[i]:
            move(rows, i, NOBODY, label[i], totals)
