"""Histograms: per column and bin the sum of (gradient, hessian), both in one 64-bit add.

Letters: n rows, d columns or bundles of them, s = d << shift slots of a histogram.

A row's packed number is ``(gradient << 32) + hessian``, both rounded to whole units. Sums of whole numbers do
not depend on their order, so any number of threads gives the same bits, and parent = left + right holds
exactly.
"""

import numpy as np
from numba import prange

from ml_core.kernels.jit import inner, jit
from ml_core.kernels.prefetch import prefetch
from ml_core.kernels.records import NONE

AHEAD = 24  # rows; halves the time where rows are a tenth of all, and costs nothing where they are all
SLOTS = 9 << 10  # of a histogram at a time: 500 columns of 256 take 0.6 of the time they take at once
SERIAL = 1 << 15  # additions below which starting threads costs more than they bring


@inner(_nrt=False)
def add_columns(hist, codes, packed, rows, shift, first):
    """hist (k << shift,) += packed (n,) of the given rows, at their codes (n, d) of columns first .. first +
    k - 1.
    """
    d, k, shift = np.uint64(codes.shape[1]), np.uint64(len(hist) >> shift), np.uint64(shift)
    flat, last = codes.reshape(codes.size)[first:], len(rows) - 1
    for i in range(len(rows)):
        following = np.int64(rows[min(i + AHEAD, last)])
        prefetch(flat, following * np.int64(d))
        prefetch(flat, following * np.int64(d) + np.int64(k) - 1)
        prefetch(packed, following)
        value, start = packed[rows[i]], np.uint64(rows[i]) * d
        for j in range(k):
            hist[(np.uint64(j) << shift) + np.uint64(flat[start + np.uint64(j)])] += value


@jit(_nrt=False)
def add_rows(hist, codes, packed, rows, shift):
    """hist (s,) += packed (n,) of the given rows, at their codes (n, d).

    Columns pass in stretches whose part of the histogram stays in the first-level cache. A power of two
    between them, not their own numbers of bins, saves a load an addition: a sixth.
    """
    d = codes.shape[1]
    stretches = ((d << shift) + SLOTS - 1) // SLOTS
    for part in range(stretches):
        first, last = part * d // stretches, (part + 1) * d // stretches
        add_columns(hist[first << shift : last << shift], codes, packed, rows, shift, first)


@inner(_nrt=False)
def add_share(t, parts, codes, packed, rows, shift):
    """parts[t] = the histogram of the t-th share of rows."""
    own = parts[t, : codes.shape[1] << shift]
    for i in range(len(own)):
        own[i] = 0
    first, last = t * len(rows) // len(parts), (t + 1) * len(rows) // len(parts)
    add_rows(own, codes, packed, rows[first:last], shift)


@jit(parallel=True, _nrt=True)
def add_rows_together(parts, codes, packed, rows, shift):
    """parts, as ``records.new_parts``: part t becomes the histogram of the t-th share of rows."""
    for t in prange(len(parts)):
        add_share(np.int64(t), parts, codes, packed, rows, shift)


@jit(_nrt=False)
def count_rows(counts, others, column, rows):
    """counts (256,) int64 = rows per code of a column (n,) uint8; others (256,) int64: room.

    Two by two: of a code that most rows have, each sum would wait for the one before.
    """
    for code in range(len(counts)):
        counts[code] = others[code] = 0
    pairs = len(rows) // 2
    for i in range(pairs):
        counts[column[rows[2 * i]]] += 1
        others[column[rows[2 * i + 1]]] += 1
    for i in range(2 * pairs, len(rows)):
        counts[column[rows[i]]] += 1
    for code in range(len(counts)):
        counts[code] += others[code]


@inner(_nrt=False)
def lay_out(hist, column, total, room):
    """room (bins + 1,) or longer = the sums of one column in a leaf's hist: what the others leave of the
    leaf's total is the common code's.
    """
    at = column.first
    room[column.bins] = 0
    for code in range(column.codes):
        if code != column.common:
            room[code] = hist[at]
            total -= hist[at]
            at += 1
    room[column.common] = total


@inner(inline="always", _nrt=False)
def column_sums(hist, column, total, room):
    """The sums (bins + 1,) of one column in a leaf's hist: a view, or laid out in room (256,)."""
    own = hist[column.first : column.first + column.bins + 1]
    if column.common != NONE:
        lay_out(hist, column, total, room)
        own = room[: column.bins + 1]
    return own


@jit(_nrt=False)
def gather(hist, parts, first):
    """hist (k,) = sum of parts, as ``records.new_parts``, from ``first`` on."""
    for i in range(len(hist)):
        hist[i] = parts[0, first + i]
    for t in range(1, len(parts)):
        for i in range(len(hist)):
            hist[i] += parts[t, first + i]


@jit(_nrt=False)
def subtract(parent, child):
    """parent (s,) -= child (s,): what remains is the other child."""
    for i in range(len(parent)):
        parent[i] -= child[i]
