"""Gradients, hessians and their packing in NumPy: the same operations in the same order as in losses and
pack.

Letters: n rows, q classes.
"""

import numpy as np

from ml_core.kernels.records import ABSOLUTE, GAMMA, HUBER, LOGISTIC, POISSON, QUANTILE

POWERS = 2.0 ** np.arange(-1022, 1024)
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
BLOCKS = 64


def exp(x):
    """e**x, the very polynomial of ``losses.exp``."""
    x = np.minimum(np.maximum(x, -700.0), 700.0)
    k = np.floor(x * 1.4426950408889634 + 0.5)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    p = 1.0 + r / 11
    for i in (10, 9, 8, 7, 6, 5, 4, 3, 2):
        p = 1.0 + r / i * p
    return (1.0 + r * p) * POWERS[k.astype(np.int64) + 1022]


def slope(loss, raw, y, at):
    """(gradient, hessian) of all rows."""
    one = np.ones(len(raw))
    if loss == LOGISTIC:
        p = 1.0 / (1.0 + exp(-raw))
        return p - y, np.maximum(p * (1.0 - p), 1e-16)
    if loss == POISSON:
        mean = exp(raw)
        return mean - y, mean
    if loss == GAMMA:
        ratio = y * exp(-raw)
        return 1.0 - ratio, ratio
    if loss == ABSOLUTE:
        return np.sign(raw - y), one
    if loss == QUANTILE:
        return np.where(raw >= y, 1.0 - at, -at), one
    if loss == HUBER:
        return np.minimum(np.maximum(raw - y, -at), at), one
    return raw - y, one


def slopes(loss, raw, target, at, gradient, hessian):
    """Fill gradient, hessian (n,) float32; target is (y (n,), weights (n,) or empty)."""
    y, weights = target
    g, h = slope(loss, raw, y, at)
    if len(weights):
        g, h = g * weights, h * weights
    gradient[:], hessian[:] = g, h


def softmax_slopes(raw, target, gradient, hessian):
    """raw (n, q), y (n,) the class -> gradient, hessian (q, n) float32 of the multinomial log loss."""
    y, weights = target
    w = weights if len(weights) else np.ones(len(raw))
    up = exp(raw - raw.max(axis=1, keepdims=True))
    p = up / np.cumsum(up, axis=1)[:, -1:]
    gradient[:] = (w[:, None] * (p - (y[:, None] == np.arange(raw.shape[1])))).T
    hessian[:] = (w[:, None] * np.maximum(p * (1.0 - p), 1e-16)).T


def mass(gradient, hessian):
    """Sums of gradient's positive and negative part and of hessian; least and most hessian."""
    n = len(gradient)
    bounds = np.arange(BLOCKS + 1) * n // BLOCKS
    width = int(np.diff(bounds).max())
    place = np.minimum(bounds[:-1, None] + np.arange(width), n - 1)
    inside = bounds[:-1, None] + np.arange(width) < bounds[1:, None]
    g, h = (np.where(inside, part.astype(np.float64)[place], 0.0) for part in (gradient, hessian))
    # cumulated, since NumPy's own sum adds in another order than a loop
    parts = [
        np.cumsum(np.cumsum(part, axis=1)[:, -1])[-1] for part in (np.maximum(g, 0), -np.minimum(g, 0), h)
    ]
    return *parts, float(hessian.min()), float(hessian.max())


def pack(gradient, hessian, unit_g, unit_h, packed):
    """Round to whole units into packed (n,) int64."""
    g = np.floor(gradient.astype(np.float64) * (1.0 / unit_g) + 0.5).astype(np.int64)
    packed[:] = (g << 32) + (hessian.astype(np.float64) * (1.0 / unit_h) + 0.5).astype(np.int64)
