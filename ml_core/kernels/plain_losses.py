"""Gradients, hessians and their packing in NumPy: the same operations in the same order as in ``losses``.

Letters: n rows, q classes.
"""

from functools import lru_cache

import numpy as np

from ml_core.kernels.formulas import exp, mix, roughly, slope, value_of

BLOCKS = 64


def slopes(loss, raw, target, at, gradient, hessian):
    """Fill gradient, hessian (n,) float32 -> their mass; target is (y (n,), weights (n,) or empty)."""
    y, weights = target
    g, h = slope(loss, raw, y, at)
    gradient[:], hessian[:] = (g * weights, h * weights) if len(weights) else (g, h)
    return mass(gradient, hessian)


def softmax_slopes(raw, target, gradient, hessian):
    """raw (n, q), y (n,) the class -> fill gradient, hessian (q, n) float32 of the multinomial log loss."""
    y, weights = target
    w = weights if len(weights) else np.ones(len(raw))
    up = exp(raw - raw.max(axis=1, keepdims=True))
    p = up / np.cumsum(up, axis=1)[:, -1:]
    gradient[:] = (w[:, None] * (p - (y[:, None] == np.arange(raw.shape[1])))).T
    hessian[:] = (w[:, None] * np.maximum(p * (1.0 - p), 1e-16)).T


@lru_cache(maxsize=8)
def blocks_of(n):
    """The rows of each block (BLOCKS, rows of the largest), n where a block has no more."""
    bounds = np.arange(BLOCKS + 1) * n // BLOCKS
    place = bounds[:-1, None] + np.arange(int(np.diff(bounds).max()))
    return np.where(place < bounds[1:, None], place, n)


def mass(gradient, hessian):
    """(sum of positive gradients, of negative ones, of hessians, least hessian, largest hessian)."""
    n = len(gradient)
    parts = np.zeros((3, n + 1))
    parts[:2, :n], parts[2, :n] = gradient, hessian
    parts[0], parts[1] = np.maximum(parts[0], 0), -np.minimum(parts[1], 0)
    # cumulated, since NumPy's own sum adds in another order than a loop
    blocks = parts[:, blocks_of(n)].cumsum(axis=2)[:, :, -1]
    return *blocks.cumsum(axis=1)[:, -1], float(hessian.min()), float(hessian.max())


def pack(gradient, hessian, unit_g, unit_h, packed):
    """packed (n,) int64 = (gradient << 32) + hessian, both rounded to whole units."""
    g = np.floor(gradient.astype(np.float64) * (1.0 / unit_g) + 0.5).astype(np.int64)
    packed[:] = (g << 32) + (hessian.astype(np.float64) * (1.0 / unit_h) + 0.5).astype(np.int64)


def pack_roughly(gradient, hessian, unit_g, unit_h, seed, packed):
    """As ``pack``, to one of the two nearest units by chance."""
    word = mix(np.uint64(seed) + np.arange(len(packed), dtype=np.uint64))
    g = roughly(gradient.astype(np.float64) * (1.0 / unit_g), word).astype(np.int64)
    h = roughly(hessian.astype(np.float64) * (1.0 / unit_h), mix(word)).astype(np.int64)
    packed[:] = (g << 32) + h


def settle_leaves(gradient, hessian, rows, nodes, rules):
    """Give the leaves among nodes (m,) the values of their exact sums, within their bounds."""
    for i in np.flatnonzero(nodes["left"] == 0):
        leaf = nodes[i]  # a view; rows picked by a mask would be copies
        own = rows[leaf["start"] : leaf["start"] + leaf["rows"]]
        G, H = (np.cumsum(part[own], dtype=np.float64)[-1] for part in (gradient, hessian))
        value = value_of(G, H, rules[0]["l1"], leaf["l2"])
        leaf["value"] = min(max(value, leaf["low"]), leaf["high"])
