"""Gradients and hessians of the losses, row by row, and their packing into whole numbers.

Letters: n rows, q classes; raw (n,) or (n, q) is what the trees add up to, y the target, weights (n,) or
empty. A mass is (sum of positive gradients, of negative ones, of hessians, least hessian, largest hessian).
"""

import numpy as np
from numba import prange

from ml_core.kernels.formulas_jit import exp, mix, roughly, slope, value_of
from ml_core.kernels.jit import inner, jit
from ml_core.kernels.records import GAMMA, LOGISTIC, POISSON

ROWS = 256  # whose exponentials of all classes stay in the first-level cache, or the second
BLOCKS = 64  # fixed, so that float sums do not depend on the number of threads


@inner()
def mass_of(gradient, hessian, mass):
    """mass (5,) of gradient, hessian (r,) float32."""
    up = down = h = most = 0.0
    least = np.inf
    for i in range(len(gradient)):
        g = np.float64(gradient[i])
        up += max(g, 0.0)
        down -= min(g, 0.0)
        h += hessian[i]
        most = max(most, np.float64(hessian[i]))
        least = min(least, np.float64(hessian[i]))
    mass[0], mass[1], mass[2], mass[3], mass[4] = up, down, h, least, most


@inner()
def whole(part):
    """part (BLOCKS, 5), the masses of blocks of rows -> that of all."""
    up = down = h = most = 0.0
    least = np.inf
    for b in range(len(part)):
        up += part[b, 0]
        down += part[b, 1]
        h += part[b, 2]
        least = min(least, part[b, 3])
        most = max(most, part[b, 4])
    return up, down, h, least, most


@inner(inline="always")
def fill(loss, raw, target, at, gradient, hessian):
    """gradient, hessian (r,) of a block of rows; with a loss known while compiling, loops use vectors."""
    y, weights = target
    if len(weights) > 0:
        for i in range(len(raw)):
            g, h = slope(loss, raw[i], y[i], at)
            gradient[i], hessian[i] = g * weights[i], h * weights[i]
    else:
        for i in range(len(raw)):
            gradient[i], hessian[i] = slope(loss, raw[i], y[i], at)


@inner()
def fill_block(loss, raw, target, at, gradient, hessian):
    """gradient, hessian (r,) of a block of rows."""
    if loss == LOGISTIC:
        fill(LOGISTIC, raw, target, at, gradient, hessian)
    elif loss == POISSON:
        fill(POISSON, raw, target, at, gradient, hessian)
    elif loss == GAMMA:
        fill(GAMMA, raw, target, at, gradient, hessian)
    else:
        fill(loss, raw, target, at, gradient, hessian)


@jit(parallel=True)
def slopes(loss, raw, target, at, gradient, hessian):
    """Fill gradient, hessian (n,) float32 -> their mass; target is (y (n,), weights (n,) or empty)."""
    y, weights = target
    n = len(raw)
    part = np.empty((BLOCKS, 5))
    for b in prange(BLOCKS):
        first, last = b * n // BLOCKS, (b + 1) * n // BLOCKS
        own = y[first:last], weights[first:last]
        fill_block(loss, raw[first:last], own, at, gradient[first:last], hessian[first:last])
        mass_of(gradient[first:last], hessian[first:last], part[b])
    return whole(part)


@inner()
def raised(raw, top, up, total):
    """up (r,) = exp(raw - top), added to total (r,)."""
    for i in range(len(raw)):
        up[i] = exp(raw[i] - top[i])
    for i in range(len(raw)):
        total[i] += up[i]


@inner()
def softmax_slope(p, y, k, weights, gradient, hessian):
    """gradient, hessian (r,) of class k, whose probabilities p (r,) are."""
    for i in range(len(p)):
        gradient[i] = weights[i] * (p[i] - (y[i] == k))
        hessian[i] = weights[i] * max(p[i] * (1.0 - p[i]), 1e-16)


@inner()
def softmax_block(columns, target, gradient, hessian, block):
    """``softmax_slopes`` of rows block = (first, last) of columns (q, n), a class at a time: loops over one
    row of an array use vectors.
    """
    (y, weights), (first, last), q = target, block, len(columns)
    y, r = y[first:last], last - first
    weights = weights[first:last] if len(weights) > 0 else np.ones(r)
    top, total, up = columns[0, first:last].copy(), np.zeros(r), np.empty((q, r))
    for k in range(1, q):
        own = columns[k, first:last]
        for i in range(r):
            top[i] = max(top[i], own[i])
    for k in range(q):
        raised(columns[k, first:last], top, up[k], total)
    for k in range(q):
        own = up[k]
        for i in range(r):
            own[i] /= total[i]
        softmax_slope(own, y, k, weights, gradient[k, first:last], hessian[k, first:last])


@jit(parallel=True)
def softmax_slopes(raw, target, gradient, hessian):
    """raw (n, q), y (n,) the class -> fill gradient, hessian (q, n) float32 of the multinomial log loss; fast
    where the columns of raw lie end to end.
    """
    n = len(raw)
    for b in prange((n + ROWS - 1) // ROWS):
        block = b * ROWS, min(b * ROWS + ROWS, n)
        softmax_block(raw.T, target, gradient, hessian, block)


@jit(parallel=True)
def mass(gradient, hessian):
    """The mass of gradient, hessian (n,) float32."""
    n = len(gradient)
    part = np.empty((BLOCKS, 5))
    for b in prange(BLOCKS):
        first, last = b * n // BLOCKS, (b + 1) * n // BLOCKS
        mass_of(gradient[first:last], hessian[first:last], part[b])
    return whole(part)


@jit(parallel=True)
def pack(gradient, hessian, unit_g, unit_h, packed):
    """packed (n,) int64 = (gradient << 32) + hessian, both rounded to whole units."""
    per_g, per_h = 1.0 / unit_g, 1.0 / unit_h
    for i in prange(len(packed)):
        g = np.int64(np.floor(gradient[i] * per_g + 0.5))
        h = np.int64(hessian[i] * per_h + 0.5)
        packed[i] = (g << 32) + h


@jit(parallel=True)
def pack_roughly(gradient, hessian, unit_g, unit_h, seed, packed):
    """As ``pack``, to one of the two nearest units by chance, so that coarse units are right in the mean."""
    per_g, per_h = 1.0 / unit_g, 1.0 / unit_h
    for i in prange(len(packed)):
        word = mix(seed + np.uint64(i))
        g = np.int64(roughly(gradient[i] * per_g, word))
        h = np.int64(roughly(hessian[i] * per_h, mix(word)))
        packed[i] = (g << 32) + h


@jit()
def settle_leaves(gradient, hessian, rows, nodes, rules):
    """Give the leaves among nodes (m,) the values of their exact sums, within their bounds."""
    for node in range(len(nodes)):
        leaf = nodes[node]
        if leaf.left == 0:
            G = H = 0.0
            for i in range(leaf.start, leaf.start + leaf.rows):
                G += gradient[rows[i]]
                H += hessian[rows[i]]
            value = value_of(G, H, rules[0].l1, leaf.l2)
            leaf.value = min(max(value, leaf.low), leaf.high)
