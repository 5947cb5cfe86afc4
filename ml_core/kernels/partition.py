"""Part a leaf's rows by a split, keeping their order, so that the result is the same at any number of
threads.
"""

import numpy as np
from numba import prange

from ml_core.kernels.jit import inner, jit
from ml_core.kernels.prefetch import prefetch

AHEAD = 48  # rows: a column's bytes are one apart, so many rows share a cache line
GLANCE, GLANCES = 64, 8  # rows looked at between two questions whether they are enough, and questions asked
SERIAL = 1 << 14  # rows below which starting threads costs more than they bring


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
def move(start, source, first, count):
    """start (count,) or longer = source[first : first + count], in rising order, since they may overlap."""
    for i in range(count):
        start[i] = source[first + i]


@jit(_nrt=False)
def partition(rows, spare, column, table, n_threads):
    """rows (k,) uint32 reordered, lefts first; table (256,) uint8 tells which codes go left -> number of
    lefts.
    """
    if len(rows) < SERIAL or n_threads == 1:
        n_left = part(rows, rows, spare, column, table)
        move(rows[n_left:], spare, 0, len(rows) - n_left)
        return n_left
    return partition_together(rows, spare, column, table, n_threads)


@inner(parallel=True, _nrt=True)
def partition_together(rows, spare, column, table, n_parts):
    """As ``partition``, each thread a share: in its own stretch first, then moved to the common place."""
    n = len(rows)
    lefts = np.zeros(n_parts, np.int64)
    for t in prange(n_parts):
        first, last = t * n // n_parts, (t + 1) * n // n_parts
        lefts[t] = part(rows[first:last], rows[first:last], spare[first:last], column, table)
    n_left = 0
    for t in range(n_parts):
        n_left += lefts[t]
    at = lefts[0]
    for t in range(
        1, n_parts
    ):  # lefts only ever move down, and below them lie rights already copied to spare
        first = t * n // n_parts
        move(rows[at:], rows, first, lefts[t])
        at += lefts[t]
    for t in prange(n_parts):
        first, last = t * n // n_parts, (t + 1) * n // n_parts
        count = last - first - lefts[t]
        begin = n_left + first
        for before in range(t):
            begin -= lefts[before]
        move(rows[begin:], spare, first, count)
    return n_left
