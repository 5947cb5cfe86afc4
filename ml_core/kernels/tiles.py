"""Rows as float32 lanes: LANES rows side by side, column after column: one small product stays in cache.

Letters: n rows, d columns, b blocks of LANES rows.
float32 only says where to look: whoever uses a tile decides by ``gap``, in float64, column after column,
without fused products, so that every path gives the same bits.
"""

import numpy as np

from ml_core.kernels.jit import jit

LANES = 256
ROUND = 6.1e-8  # a little over half a unit in the last place of float32


@jit()
def fill(X, frame, lanes, half):
    """Write X (n, d) to lanes (b, d, LANES), and half (b, LANES) of each squared length -> the largest (b,).

    ``frame`` is (centre (d,), scale). Lanes beyond the last row are zero, of infinite length.
    """
    n, d = X.shape
    centre, scale = frame
    radius = np.zeros(len(lanes))
    for b in range(len(lanes)):
        first = b * LANES
        rows = min(LANES, n - first)
        sums = np.zeros(LANES)
        for k in range(d):
            shift = centre[k]
            lane = lanes[b, k]
            for i in range(rows):
                value = np.float32((np.float64(X[first + i, k]) - shift) * scale)
                lane[i] = value
                sums[i] += np.float64(value) * np.float64(value)
            lane[rows:] = 0
        for i in range(rows):
            half[b, i] = np.float32(0.5 * sums[i])
        half[b, rows:] = np.inf
        radius[b] = np.sqrt(sums[:rows].max())
    return radius


@jit()
def gap(a, b):
    """Squared distance of two rows (d,): the one definition that all paths share, down to the last bit."""
    total = 0.0
    for k in range(len(a)):
        step = np.float64(a[k]) - np.float64(b[k])
        total += step * step
    return total
