"""The arithmetic of boosting, written once: compiled for single numbers, and NumPy's for arrays.

Letters: G, H sums of gradient and hessian. The same operations in the same order give the same bits.
"""

import numpy as np

from ml_core.kernels.records import ABSOLUTE, GAMMA, HUBER, LOGISTIC, POISSON, QUANTILE

POWERS = 2.0 ** np.arange(-1022, 1024)
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
SHARES = (1 / 10, 1 / 9, 1 / 8, 1 / 7, 1 / 6, 1 / 5, 1 / 4, 1 / 3, 1 / 2)
LOW32 = np.int64(0xFFFFFFFF)
TINY = 1e-290


def exp(x):
    """e**x to 1e-14 for |x| < 700, beyond which it stays; plain arithmetic, so loops over it use vectors."""
    x = np.minimum(np.maximum(x, -700.0), 700.0)
    k = np.floor(x * 1.4426950408889634 + 0.5)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    p = 1.0 + r * (1 / 11)
    for share in SHARES:
        p = 1.0 + r * share * p
    return (1.0 + r * p) * POWERS[np.int64(k) + 1022]


def slope(loss, raw, y, at):
    """(gradient, hessian) of a row's loss; ``at`` is the quantile, or where Huber turns linear."""
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
        return np.sign(raw - y), 1.0
    if loss == QUANTILE:
        return (raw >= y) - at, 1.0
    if loss == HUBER:
        return np.minimum(np.maximum(raw - y, -at), at), 1.0
    return raw - y, 1.0


def shrink(G, l1):
    """Soft threshold."""
    if l1 == 0:
        return G
    return np.sign(G) * np.maximum(np.abs(G) - l1, 0.0)


def value_of(G, H, l1, l2):
    """The Newton step of a leaf."""
    return -shrink(G, l1) / np.maximum(H + l2, TINY)


def score_of(G, H, l1, l2):
    """Twice the fall of the loss that the Newton step brings."""
    g = shrink(G, l1)
    return g * g / np.maximum(H + l2, TINY)


def bounded_score(G, H, value, l1, l2):
    """Twice the fall of the loss that any step brings, bounds on it or not."""
    return -(2 * G * value + (H + l2) * value * value + 2 * l1 * np.abs(value))


def mix(x):
    """Splitmix64 (Steele 2014): a well-mixed word from a counter uint64, the same in whatever order asked."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def roughly(x, word):
    """x rounded to one of its two neighbouring whole numbers, in the mean to itself; word: a random
    uint64.
    """
    return np.floor(x + np.float64(word >> np.uint64(11)) * 2.0**-53)


def units(mass, n_rows):
    """Worth of one unit of gradient and of hessian, from what ``slopes`` found: (up, down, hessian, least,
    most).

    Chosen from sums over all rows, not from the largest row, so that one outlier does not blur the rest: no
    partial sum can leave 31 (gradient) or 32 (hessian) bits, and a typical row has 2**31 / n levels. Equal
    hessians count as one unit each: their sums are then numbers of rows.
    """
    up, down, hessian, least, most = mass
    unit_g = max(up, down, TINY) / (2.0**31 - 2 * n_rows - 2)
    if least == most and most > 0:
        return unit_g, most
    return unit_g, max(hessian, TINY) / (2.0**32 - 2 * n_rows - 2)


def rough_units(mass, largest, n_rows, levels):
    """As ``units`` for coarse gradients, ``levels`` units either side of 0; largest: of the absolute
    gradients.
    """
    unit_g, unit_h = units(mass, n_rows)
    return max(unit_g, largest / levels), mass[4] if mass[3] == mass[4] else max(unit_h, mass[4] / levels)
