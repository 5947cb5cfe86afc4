"""Part a leaf's rows by a split, keeping their order, so that the result is the same at any number of
threads.
"""

import numpy as np
from numba import prange

from ml_core.kernels.jit import inner, jit
from ml_core.kernels.prefetch import prefetch

AHEAD = 48  # rows: a column's bytes are one apart, so many rows share a cache line
GLANCE, GLANCES = 64, 8  # rows looked at between two questions whether they are enough, and questions asked
SERIAL = 1 << 13  # rows below which starting threads costs more than they bring


@inner(inline="always", _nrt=False)
def goes_left(bits, code):
    """bits (4,) uint64 -> 1 where the code's bit is set."""
    return (bits[np.uint64(code) >> np.uint64(6)] >> (np.uint64(code) & np.uint64(63))) & np.uint64(1)


@inner(_nrt=False)
def parts_enough(column, rows, bits, least):
    """Whether the first of rows (k,) tell that a split sends ``least`` each way; column (n,) uint8."""
    left, seen, last = 0, 0, min(len(rows), GLANCES * GLANCE)
    while seen < last:
        stop = min(seen + GLANCE, last)
        for i in range(seen, stop):
            left += np.int64(goes_left(bits, column[rows[i]]))
        seen = stop
        if min(left, seen - left) >= least:
            return True
    return False


@inner(_nrt=False)
def count_left(counts, bits):
    """How many rows a split sends left, of counts (256,) rows of each code."""
    count = 0
    for code in range(256):
        count += counts[code] * np.int64(goes_left(bits, code))
    return count


@jit(parallel=True)
def restore(rows):
    """rows (n,) uint32 = 0 .. n - 1, as they are before a tree parts them."""
    for i in prange(len(rows)):
        rows[i] = i


@inner(_nrt=False)
def part(rows, lefts, rights, column, table):
    """Write rows to lefts or rights -> number of lefts; no branch, since which way a row goes cannot be
    guessed.
    """
    n_left, n_right, last = np.uint64(0), np.uint64(0), len(rows) - 1
    for i in range(len(rows)):
        prefetch(column, np.int64(rows[min(i + AHEAD, last)]))
        row = rows[i]
        left = np.uint64(table[column[row]])
        lefts[n_left] = row
        rights[n_right] = row
        n_left += left
        n_right += np.uint64(1) - left
    return np.int64(n_left)


@inner(_nrt=False)
def part_down(rows, lefts, rights, column, table):
    """As ``part``, from the last row down: lefts and rights (k,) fill from their ends."""
    n, last = np.uint64(len(rows)), np.uint64(len(rows) - 1)
    to_left, to_right = last, last
    for k in range(len(rows)):
        i = last - np.uint64(k)
        prefetch(column, np.int64(rows[max(np.int64(i) - AHEAD, 0)]))
        row = rows[i]
        left = np.uint64(table[column[row]])
        lefts[to_left] = row
        rights[to_right] = row
        to_left -= left
        to_right -= np.uint64(1) - left
    return np.int64(n) - np.int64(to_left + np.uint64(1))


@inner(_nrt=False)
def part_apart(rows, spare, column, table):
    """As ``part``, lefts from the start of spare (k,), rights from its end down."""
    n_left, last = np.uint64(0), len(rows) - 1
    to_right = np.uint64(last)
    for i in range(len(rows)):
        prefetch(column, np.int64(rows[min(i + AHEAD, last)]))
        row = rows[i]
        left = np.uint64(table[column[row]])
        spare[n_left] = row
        spare[to_right] = row
        n_left += left
        to_right -= np.uint64(1) - left
    return np.int64(n_left)


@inner(_nrt=False)
def move(start, source):
    """start (k,) or longer = source (k,)."""
    for i in range(len(source)):
        start[i] = source[i]


@inner(_nrt=False)
def move_turned(start, source):
    """start (k,) or longer = source (k,), last first."""
    last = len(source) - 1
    for i in range(len(source)):
        start[i] = source[last - i]


@jit(_nrt=False)
def partition(rows, spare, column, table, n_threads):
    """rows (k,) uint32 reordered, lefts first; spare (k,) or longer: room; table (256,) uint8 tells which
    codes go left -> number of lefts.
    """
    if len(rows) < SERIAL or n_threads == 1:
        n_left = part(rows, rows, spare, column, table)
        move(rows[n_left:], spare[: len(rows) - n_left])
        return n_left
    return partition_together(rows, spare, column, table, n_threads)


@inner(_nrt=False)
def share_of(t, n_parts, n, n_spare):
    """The t-th of n_parts shares of n rows, (first, last), and where its room begins in spare.

    Each thread's room is always the same, since what another one has written would come from its cache; but
    for the whole, which is too large for that.
    """
    first, last, each = t * n // n_parts, (t + 1) * n // n_parts, n_spare // n_parts
    return first, last, t * each if n <= n_parts * each else first


@inner(_nrt=False)
def part_share(t, n_parts, rows, spare, column, table):
    """Part the t-th share of rows -> its number of lefts. The first share's lefts and the last one's rights
    are in place at once; all others wait in spare until it is known how many come before them.
    """
    first, last, at = share_of(t, n_parts, len(rows), len(spare))
    own, room = rows[first:last], spare[at : at + last - first]
    if t == 0:
        return part(own, own, room, column, table)
    if t == n_parts - 1:
        return part_down(own, room, own, column, table)
    return part_apart(own, room, column, table)


@inner(_nrt=False)
def move_share(t, lefts, rows, spare):
    """Move what waits in spare of the t-th share to its place; lefts (n_parts,) -> number of all lefts."""
    first, last, at = share_of(t, len(lefts), len(rows), len(spare))
    before, n_left, mine = 0, 0, lefts[t]
    for other in range(len(lefts)):
        before += lefts[other] if other < t else 0
        n_left += lefts[other]
    room, rights = spare[at : at + last - first], rows[n_left + first - before :]
    if t == 0:
        move(rights, room[: len(room) - mine])
    elif t == len(lefts) - 1:
        move(rows[before:], room[len(room) - mine :])
    else:
        move(rows[before:], room[:mine])
        move_turned(rights, room[mine:])
    return n_left


@inner(parallel=True, _nrt=True)
def partition_together(rows, spare, column, table, n_parts):
    """As ``partition``, each thread a share."""
    lefts = np.empty(n_parts, np.int64)
    for t in prange(n_parts):
        lefts[t] = part_share(np.int64(t), n_parts, rows, spare, column, table)
    n_left = np.empty(n_parts, np.int64)
    for t in prange(n_parts):
        n_left[t] = move_share(np.int64(t), lefts, rows, spare)
    return n_left[0]
