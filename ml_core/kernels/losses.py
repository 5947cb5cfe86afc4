"""Gradients and hessians of the losses, row by row.

Letters: n rows, q classes; raw (n,) or (n, q) is what the trees add up to, y the target, w the weights (n,)
or empty.
"""

import numpy as np
from numba import prange

from ml_core.kernels.jit import jit
from ml_core.kernels.records import ABSOLUTE, GAMMA, HUBER, LOGISTIC, POISSON, QUANTILE

POWERS = 2.0 ** np.arange(-1022, 1024)
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10


@jit(inline="always")
def exp(x):
    """e**x to 1e-14 for |x| < 700, beyond which it stays; plain arithmetic, so loops over it use vectors."""
    x = min(max(x, -700.0), 700.0)
    k = np.floor(x * 1.4426950408889634 + 0.5)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    p = 1.0 + r / 11
    for i in (10, 9, 8, 7, 6, 5, 4, 3, 2):
        p = 1.0 + r / i * p
    return (1.0 + r * p) * POWERS[np.int64(k) + 1022]


@jit(inline="always")
def slope(loss, raw, y, at):
    """(gradient, hessian) of one row; ``at`` is the quantile, or where Huber turns linear."""
    if loss == LOGISTIC:
        p = 1.0 / (1.0 + exp(-raw))
        return p - y, max(p * (1.0 - p), 1e-16)
    if loss == POISSON:
        mean = exp(raw)
        return mean - y, mean
    if loss == GAMMA:
        ratio = y * exp(-raw)
        return 1.0 - ratio, ratio
    if loss == ABSOLUTE:
        return np.sign(raw - y), 1.0
    if loss == QUANTILE:
        return (1.0 - at if raw >= y else -at), 1.0
    if loss == HUBER:
        return min(max(raw - y, -at), at), 1.0
    return raw - y, 1.0


@jit(parallel=True)
def slopes(loss, raw, target, at, gradient, hessian):
    """Fill gradient, hessian (n,) float32; target is (y (n,), weights (n,) or empty)."""
    y, weights = target
    weighted = len(weights) > 0
    for i in prange(len(raw)):
        g, h = slope(loss, raw[i], y[i], at)
        if weighted:
            g, h = g * weights[i], h * weights[i]
        gradient[i], hessian[i] = g, h


@jit(parallel=True)
def softmax_slopes(raw, target, gradient, hessian):
    """raw (n, q), y (n,) the class -> gradient, hessian (q, n) float32 of the multinomial log loss."""
    y, weights = target
    weighted, q = len(weights) > 0, raw.shape[1]
    for i in prange(len(raw)):
        top, whole = raw[i, 0], 0.0
        for k in range(1, q):
            top = max(top, raw[i, k])
        for k in range(q):
            whole += exp(raw[i, k] - top)
        w = weights[i] if weighted else 1.0
        for k in range(q):
            p = exp(raw[i, k] - top) / whole
            gradient[k, i] = w * (p - (y[i] == k))
            hessian[k, i] = w * max(p * (1.0 - p), 1e-16)
