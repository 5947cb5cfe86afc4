"""Gradient and hessian of a row as one 64-bit whole number: (gradient << 32) + hessian.

The unit of each is chosen from its sum over all rows, not its largest value, so that one outlier does not
blur the rest:
no partial sum can leave 31 (gradient) or 32 (hessian) bits, and a typical row has 2**31 / n levels.
"""

import numpy as np
from numba import prange

from ml_core.kernels.jit import jit

BLOCKS = 64  # fixed, so that float sums do not depend on the number of threads


@jit(parallel=True)
def mass(gradient, hessian):
    """gradient, hessian (n,) -> sums of gradient's positive and negative part and of hessian; least and
    most hessian.
    """
    n = len(gradient)
    part = np.zeros((BLOCKS, 5))
    for b in prange(BLOCKS):
        up = down = h = most = 0.0
        least = np.inf
        for i in range(b * n // BLOCKS, (b + 1) * n // BLOCKS):
            g = np.float64(gradient[i])
            up += max(g, 0.0)
            down -= min(g, 0.0)
            h += hessian[i]
            most = max(most, np.float64(hessian[i]))
            least = min(least, np.float64(hessian[i]))
        part[b, 0], part[b, 1], part[b, 2], part[b, 3], part[b, 4] = up, down, h, least, most
    return part[:, 0].sum(), part[:, 1].sum(), part[:, 2].sum(), part[:, 3].min(), part[:, 4].max()


@jit(parallel=True)
def pack(gradient, hessian, unit_g, unit_h, packed):
    """Round to whole units into packed (n,) int64."""
    per_g, per_h = 1.0 / unit_g, 1.0 / unit_h
    for i in prange(len(packed)):
        g = np.int64(np.floor(gradient[i] * per_g + 0.5))
        h = np.int64(hessian[i] * per_h + 0.5)
        packed[i] = (g << 32) + h
