"""Brute-force neighbours, compiled: a float32 product finds the few points that may be near, float64 decides.

Letters: m queries, n points, d columns, k neighbours, b blocks of LANES points.
"""

from typing import NamedTuple

import numpy as np

from ml_core.kernels.heap import push, settle
from ml_core.kernels.jit import jit
from ml_core.kernels.tiles import LANES, ROUND, gap


class Points(NamedTuple):
    """All points X (n, d), and a chunk of them from row ``first`` on as tiles."""

    X: np.ndarray
    first: int
    lanes: np.ndarray  # (b, d, LANES)
    half: np.ndarray  # (b, LANES)
    radius: np.ndarray  # (b,)


class Queries(NamedTuple):
    """Queries as given (m, d), negated in the frame of the tiles (m, d) float32, and their lengths there."""

    Q: np.ndarray
    lanes: np.ndarray
    length: np.ndarray  # (m,)


class Best(NamedTuple):
    """A heap a query: squared distance (m, k), inf at first; index (m, k), n at first."""

    distance: np.ndarray
    index: np.ndarray


@jit()
def limit(far, length, radius, d):
    """A float32 score |x|^2 / 2 - q.x above this belongs to a point farther than ``far`` (squared).

    Rounding moves x and q by ROUND of their lengths; d products and sums err by d + 4 roundings of what
    they add.
    """
    if far == np.inf:
        return np.float32(3e38)
    moved = ROUND * (length + radius)
    value = 0.5 * far + np.sqrt(far) * moved + moved * moved - 0.5 * length * length
    value += (d + 4) * ROUND * radius * (length + radius) + 1e-15 * (d + 4) * (far + length * length)
    return np.float32(value + 3e-7 * abs(value) + 1e-36)


@jit()
def scan(queries, points, best, rows, unit):
    """Bring the heaps of queries ``rows`` (start, stop) up to date; ``unit`` is the frame's scale squared.

    Returns how many points had to be looked at in float64.
    """
    start, stop = rows
    score = np.empty((stop - start, LANES), np.float32)
    looked = 0
    for b in range(len(points.lanes)):
        np.dot(queries.lanes[start:stop], points.lanes[b], score)
        half = points.half[b]
        for q in range(start, stop):
            row = score[q - start]
            top = limit(best.distance[q, 0] * unit, queries.length[q], points.radius[b], points.X.shape[1])
            if any_below(row, half, top):
                looked += look(queries, points, best, (q, b), (row, top, unit))
    return looked


@jit()
def any_below(row, half, top):
    """Add half (LANES,) to row; whether any sum is at most top. Without a branch, in vectors."""
    hit = False
    for j in range(LANES):
        row[j] += half[j]
        hit |= row[j] <= top
    return hit


@jit()
def look(queries, points, best, place, scored):
    """Try the points of block b whose score is low enough on the heap of query q; place = (q, b)."""
    q, b = place
    row, top, unit = scored
    point, distance, index = queries.Q[q], best.distance[q], best.index[q]
    looked = 0
    for j in range(LANES):
        if row[j] > top:
            continue
        looked += 1
        i = points.first + b * LANES + j
        far = gap(point, points.X[i])
        if far < distance[0] or (far == distance[0] and i < index[0]):
            push(distance, index, far, i)
            top = limit(distance[0] * unit, queries.length[q], points.radius[b], len(point))
    return looked


@jit()
def settle_all(best, rows):
    """Sort the heaps of queries ``rows`` (start, stop)."""
    for q in range(rows[0], rows[1]):
        settle(best.distance[q], best.index[q])
