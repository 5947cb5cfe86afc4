"""Distances of all rows to a few points, as float32 tiles: what choosing seeds for k-means costs.

Letters: n rows, d columns, b blocks of LANES rows, t points.
"""

import numpy as np

from ml_core.kernels.jit import jit
from ml_core.kernels.tiles import LANES


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
