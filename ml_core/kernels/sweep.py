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
from ml_core.kernels.rank import bounds, nearest, rank
from ml_core.kernels.tiles import LANES

NOBODY = -1
WHOLE = 200  # lanes of a block to score from which the whole block is
PATIENCE = 1e-6  # bounds are kept this much apart: float32 rounds them


class Rows(NamedTuple):
    """The data: as given, and as tiles."""

    X: np.ndarray  # (n, d)
    weight: np.ndarray  # (n,) float64
    centre: np.ndarray  # (d,)
    lanes: np.ndarray  # (b, d, LANES)
    half: np.ndarray  # (b, LANES)


class Centers(NamedTuple):
    """Centers of one run as ``rank.Lanes`` has them, and what they moved since the last pass."""

    across: np.ndarray  # (d, k) float64, as given
    lanes: np.ndarray  # (k, d) float32 in the frame, negated
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
    counted: np.ndarray  # (n,) int32, the label that the sums know of
    upper: np.ndarray  # (n,) float32
    lower: np.ndarray  # (n,) float32


@jit()
def prepare(centers, before, centre):
    """Fill in all arrays of ``centers``, a row's own set, which were ``before`` (k, d) a pass ago.

    Returns the length of the longest in the frame and whether one repeats another.
    """
    k, d = before.shape
    wide, longest, doubled = np.empty((k, d)), 0.0, False
    most, other = 0, 0.0
    for j in range(k):
        square = 0.0
        for c in range(d):
            centers.across[c, j] = centers.rows[j, c]
            wide[j, c] = (centers.rows[j, c] - centre[c]) * centers.scale
            lane = np.float32(wide[j, c])
            centers.lanes[j, c] = -lane
            square += np.float64(lane) * np.float64(lane)
        centers.half[j] = np.float32(0.5 * square)
        longest = max(longest, square)
        shift = length_of(centers.rows[j], before[j]) * centers.scale * (1 + PATIENCE)
        centers.shift[j] = shift
        if j and shift > centers.shift[most]:
            most, other = j, np.float64(centers.shift[most])
        elif j:
            other = max(other, shift)
    longest = np.sqrt(longest)
    for j in range(k):
        far = other if j == most else np.float64(centers.shift[most])
        centers.drop[j] = far * (1 + PATIENCE)
        centers.apart[j] = 3e38
    for j in range(k):
        for i in range(j):
            far = length_of(wide[i], wide[j]) / 2 * (1 - PATIENCE) - 1e-15 * longest
            if far <= 0 and (centers.rows[i] == centers.rows[j]).all():
                centers.half[j] = np.inf
                doubled = True
            centers.apart[i] = min(centers.apart[i], np.float32(max(far, 0.0)))
            centers.apart[j] = min(centers.apart[j], np.float32(max(far, 0.0)))
    return longest, doubled


@jit()
def sweep(rows, centers, state, span, totals):
    """Label the rows of blocks ``span`` (first, last, longest center).

    totals = (sums (k, d), mass (k,), counts (3,)) follow, row by row: counts of changed labels, of rows
    whose own center was measured, and of those it spared.
    """
    first, last, longest = span
    tile = (
        np.zeros((rows.X.shape[1], LANES), np.float32),
        np.zeros(LANES, np.float32),
        np.zeros(LANES, np.uint32),
    )
    direct, todo = np.zeros(LANES, np.uint32), np.zeros(LANES + 1, np.uint32)  # unsigned: used as they are
    count = 0
    for b in range(first, last):
        left = stale(rows, centers, state, b, (todo, longest, totals[2]))
        if left > WHOLE:  # cheaper than to gather them
            size = min(LANES, len(state.label) - b * LANES)
            for j in range(LANES):
                direct[j] = b * LANES + j
            settle(rows, centers, state, ((rows.lanes[b], rows.half[b], direct), size, longest))
            continue
        done = 0
        while done < left:
            take = min(left - done, LANES - count)
            gather(rows, b, todo[done : done + take], tile, count)
            done += take
            count += take
            if count == LANES:
                settle(rows, centers, state, (tile, count, longest))
                count = 0
    if count:
        settle(rows, centers, state, (tile, count, longest))
    for b in range(first, last):
        follow(rows, state, b, totals)


@jit()
def follow(rows, state, b, totals):
    """Bring the totals up to the labels of block b, one row after another."""
    first, stop = b * LANES, min(b * LANES + LANES, len(state.label))
    label, counted = state.label[first:stop], state.counted[first:stop]
    changed = 0
    for j in range(len(label)):
        changed += label[j] != counted[j]
    if changed == 0:
        return
    totals[2][0] += changed
    for j in range(len(label)):
        if label[j] != counted[j]:
            move(rows, first + j, counted[j], label[j], totals)
            counted[j] = label[j]


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
def settle(rows, centers, state, work):
    """Score a tile = (lanes, half, row) against all centers; set labels and bounds of its first ``count``
    rows."""
    tile, count, longest = work
    best, second = np.full(LANES, np.float32(np.inf)), np.full(LANES, np.float32(np.inf))
    label, close = np.zeros(LANES, np.int32), np.zeros(LANES, np.bool_)
    rank(tile[0], centers, best, second, label)
    bounds(len(tile[0]), tile[1], (best, second, close), np.float32(longest))
    exact, odd = np.empty(len(centers.half)), np.empty(LANES + 1, np.uint32)
    name, few = tile[2], 0
    for t in range(count):
        i = name[t]
        state.upper[i], state.lower[i], state.label[i] = best[t], second[t], label[t]
        odd[few] = t
        few += close[t]
    for t in odd[:few]:
        state.label[name[t]] = nearest(rows.X[name[t]], centers.across, exact)


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


@jit()
def tally(rows, label, keep, span, totals):
    """Sums and mass of the kept rows first..last, from nothing."""
    for i in range(span[0], span[1]):
        if keep[i]:
            move(rows, i, NOBODY, label[i], totals)
