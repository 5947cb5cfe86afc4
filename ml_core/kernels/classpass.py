"""``classsums`` compiled: one pass over rows in C order.

Letters: n rows, d columns, q classes; codes (n,) in 0..q-1, weight (n,) or None, centre (q, d).
"""

import numpy as np

from ml_core.kernels.jit import jit
from ml_core.kernels.prefetch import prefetch

EIGHT = 8  # rows of a class that are added at once: its sums are then read and written once for all of them
AHEAD = 64  # rows
LINE = 64  # bytes
BLOCK = 256  # rows


@jit()
def moments(X, codes, weight, centre, found):
    """Add weights, sums and squares about centre to ``found``, (q,), (q, d) and (q, d)."""
    n, d = X.shape
    flat = X.ravel()
    waiting, count = np.empty((len(centre), EIGHT), np.int64), np.zeros(len(centre), np.int64)
    step = LINE // X.itemsize
    for i in range(n):
        k = np.intp(codes[i])
        for ahead in range((i + AHEAD) * d, (i + AHEAD + 1) * d, step):
            prefetch(flat, ahead)
        if weight is not None:
            found[0][k] += weight[i]
            _one(X[i], weight[i], centre[k], found[1][k], found[2][k])
            continue
        waiting[k, count[k]] = i
        count[k] += 1
        if count[k] == EIGHT:
            found[0][k] += EIGHT
            _eight(X, waiting[k], centre[k], found[1][k], found[2][k])
            count[k] = 0
    for k in range(len(centre)):
        found[0][k] += count[k]
        for i in waiting[k, : count[k]]:
            _one(X[i], 1.0, centre[k], found[1][k], found[2][k])


@jit(fastmath={"contract"})
def _one(row, weight, centre, sums, squares):
    for j in range(len(row)):
        value = row[j] - centre[j]
        sums[j] += weight * value
        squares[j] += weight * value * value


@jit(fastmath={"contract"})
def _eight(X, rows, centre, sums, squares):
    """``_one`` for eight rows of weight 1."""
    a, b, c, d = X[rows[0]], X[rows[1]], X[rows[2]], X[rows[3]]
    e, f, g, h = X[rows[4]], X[rows[5]], X[rows[6]], X[rows[7]]
    for j in range(len(sums)):
        zero = centre[j]
        s, t, u, v = a[j] - zero, b[j] - zero, c[j] - zero, d[j] - zero
        w, x, y, z = e[j] - zero, f[j] - zero, g[j] - zero, h[j] - zero
        sums[j] += ((s + t) + (u + v)) + ((w + x) + (y + z))
        squares[j] += ((s * s + t * t) + (u * u + v * v)) + ((w * w + x * x) + (y * y + z * z))


@jit()
def distances(X, mean, half, out):
    """Fill out (n, q) with the sums over columns of half (x - mean)^2; mean and half are (q, d)."""
    (n, q), d = out.shape, X.shape[1]
    flat = X.ravel()
    step = LINE // X.itemsize
    for a in range(0, n, 2):
        for ahead in range((a + AHEAD) * d, (a + 2 + AHEAD) * d, step):
            prefetch(flat, ahead)
        b = min(a + 1, n - 1)
        for k in range(0, q, 2):
            m = min(k + 1, q - 1)
            found = _gaps(X[a], X[b], (mean[k], mean[m]), (half[k], half[m]))
            out[a, k], out[a, m], out[b, k], out[b, m] = found


@jit(fastmath={"contract", "reassoc"})
def _gaps(a, b, mean, half):
    """Two rows and two classes: four sums keep the processor busy, and a row is read once."""
    (first, second), (g, h) = mean, half
    s = t = u = v = 0.0
    for j in range(len(a)):
        x, y = a[j] - first[j], a[j] - second[j]
        s += x * x * g[j]
        t += y * y * h[j]
        x, y = b[j] - first[j], b[j] - second[j]
        u += x * x * g[j]
        v += y * y * h[j]
    return s, t, u, v


@jit()
def best(X, tables, labels):
    """Fill labels (n,) with the likeliest class of each row, the first of equals -> sum of all distances.

    ``tables`` is (constant (q,), mean (q, d), half (q, d)). The sum is finite only where every cell of X is.
    """
    constant, mean, half = tables
    room = np.empty((BLOCK, len(constant)))
    total = 0.0
    for first in range(0, len(X), BLOCK):
        rows = min(BLOCK, len(X) - first)
        distances(X[first : first + rows], mean, half, room[:rows])
        for i in range(rows):
            labels[first + i], sums = _largest(constant, room[i])
            total += sums
    return total


@jit()
def _largest(constant, gaps):
    """The first k with the largest constant - gap, and the sum of the gaps."""
    label, most, total = 0, constant[0] - gaps[0], gaps[0]
    for k in range(1, len(gaps)):
        total += gaps[k]
        if constant[k] - gaps[k] > most:
            label, most = k, constant[k] - gaps[k]
    return label, total
