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
from ml_core.kernels.prefetch import prefetch
from ml_core.kernels.rank import bounds, nearest, rank
from ml_core.kernels.stale import measure, widen
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
    flat: np.ndarray  # (b * LANES, d) float32, the lanes row by row


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


@jit(fastmath={"contract", "reassoc"})
def length_of(row, center):
    """Distance of two rows (d,), in any order of summation: good enough for a bound."""
    total = 0.0
    for c in range(len(row)):
        step = np.float64(row[c]) - center[c]
        total += step * step
    return np.sqrt(total)


@jit()
def sweep(rows, centers, state, span, totals):
    """Label the rows of blocks ``span`` (first, last, longest center).

    totals = (sums (k, d), mass (k,), counts (3,)) follow, row by row: counts of changed labels, of rows
    whose own center was measured, and of those it spared.
    """
    start, stop = span[0] * LANES, min(span[1] * LANES, len(state.label))
    todo = np.empty(stop - start + 1, np.uint32)  # unsigned: used as they are
    if state.label[start] == NOBODY:
        left = stop - start
        for j in range(left):
            todo[j] = start + j
    else:
        left = widen(state, centers, start, stop, todo)
        left = measure(rows, centers, state, todo[:left], totals[2], span[2])
    look(rows, centers, state, todo[:left], span[2])
    follow(rows, state, start, stop, totals)


@jit()
def look(rows, centers, state, todo, longest):
    """Score the rows in ``todo``: a block that is nearly whole as it stands, others gathered into tiles."""
    tile, name = np.zeros((rows.X.shape[1], LANES), np.float32), np.zeros(LANES, np.uint32)
    half, direct = np.zeros(LANES, np.float32), np.zeros(LANES, np.uint32)
    count, done = 0, 0
    while done < len(todo):
        b = todo[done] // LANES
        end = done + 1
        while end < len(todo) and todo[end] // LANES == b:
            end += 1
        if end - done > WHOLE:  # cheaper than to gather them
            first = b * LANES
            size = min(LANES, len(state.label) - first)
            for t in range(size):
                direct[t] = first + t
            settle(rows, centers, state, (rows.lanes[b], rows.half[b], direct[:size]), longest)
            done = end
            continue
        while done < end:
            take = min(end - done, LANES - count)
            gather(rows, todo[done : done + take], (tile, half, name), count)
            done += take
            count += take
            if count == LANES:
                settle(rows, centers, state, (tile, half, name), longest)
                count = 0
    if count:
        settle(rows, centers, state, (tile, half, name[:count]), longest)


@jit()
def gather(rows, names, tile, count):
    """Copy some rows to places ``count`` and on of a tile (lanes, half, name)."""
    lanes, half, name = tile
    flat, source = rows.flat, rows.half
    for t in range(len(names)):
        i, place = names[t], count + t
        for c in range(flat.shape[1]):
            lanes[c, place] = flat[i, c]
        half[place] = source[i // LANES, i % LANES]
        name[place] = i


@jit()
def follow(rows, state, start, stop, totals):
    """Bring the totals up to the labels of rows start..stop, one after another."""
    sums, mass, counts = totals
    label, counted = state.label, state.counted
    X, weight, centre = rows.X, rows.weight, rows.centre
    for first in range(start, stop, LANES):
        last = min(first + LANES, stop)
        changed = 0
        for i in range(first, last):
            changed += label[i] != counted[i]
        counts[0] += changed
        for i in range(first, last if changed else first):
            old, new = counted[i], label[i]
            if new == old:
                continue
            add(X, i, centre, weight[i], sums, new)
            mass[new] += weight[i]
            if old != NOBODY:
                add(X, i, centre, -weight[i], sums, old)
                mass[old] -= weight[i]
            counted[i] = new


@jit()
def add(X, i, centre, share, sums, j):
    """Add ``share`` of row i of X less centre to sums[j]."""
    for c in range(X.shape[1]):
        sums[j, c] += share * (np.float64(X[i, c]) - centre[c])


@jit()
def settle(rows, centers, state, work, longest):
    """Score a tile = (lanes, half, name) against all centers; set labels and bounds of the rows it names."""
    lanes, half, name = work
    label, counted, upper, lower = state.label, state.counted, state.upper, state.lower
    best, second = np.full(LANES, np.float32(np.inf)), np.full(LANES, np.float32(np.inf))
    found, close = np.zeros(LANES, np.int32), np.zeros(LANES, np.bool_)
    rank(lanes, centers, best, second, found)
    bounds(len(lanes), half, (best, second, close), np.float32(longest))
    exact, odd, few = np.empty(len(centers.half)), np.empty(LANES + 1, np.uint32), 0
    flat, d = rows.X.ravel(), rows.X.shape[1]
    for t in range(len(name)):
        i = np.uint32(name[t])
        upper[i], lower[i], label[i] = best[t], second[t], found[t]
        odd[few] = t
        few += close[t]
        if found[t] != counted[i]:
            prefetch(flat, np.int64(i) * d)  # ``follow`` reads it
    for t in odd[:few]:
        label[name[t]] = nearest(rows.X[name[t]], centers.across, exact)


@jit()
def tally(rows, label, keep, span, totals):
    """Sums and mass of the kept rows first..last, from nothing."""
    for i in range(span[0], span[1]):
        if keep[i]:
            add(rows.X, i, rows.centre, rows.weight[i], totals[0], label[i])
            totals[1][label[i]] += rows.weight[i]
