"""``classsums`` compiled: one pass over rows in C order.

Letters: n rows, d columns, q classes; codes (n,) in 0..q-1, weight (n,) or None, centre (q, d).
"""

import numpy as np

from ml_core.kernels.jit import jit
from ml_core.kernels.prefetch import fetch, prefetch

EIGHT = 8  # rows of a class that are added at once: its sums are then read and written once for all of them
AHEAD = 64  # rows
LINE = 64  # bytes
SOON = 8  # rows ahead where four places are read in turn


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
def best(X, tables, first, labels):
    """Fill labels (n,) with the likeliest class of each row, the first of equals.

    ``tables`` is (centre (d,), constant (m,), square (m, d), line (m, d)): a class' likelihood is its
    constant and the sum over columns of z (square z + line), z = x - centre. They are of the classes from
    ``first`` on; where that is 1, the likelihood of class 0 is 0. Returns the likelihoods' sum, finite
    only where every cell of X is.
    """
    n, total = len(X), 0.0
    room = np.empty((4, len(tables[1])))
    # from four places at once a core reads a sixth faster; an odd way between them, lest their lines collide
    far = (n + 3) // 4 | 1
    for i in range(far):
        rows = i, min(i + far, n - 1), min(i + 2 * far, n - 1), min(i + 3 * far, n - 1)
        _soon(X, rows)
        for k in range(len(tables[1])):
            found = _curves(X, rows, tables, k)
            for j in range(4):
                room[j, k] = found[j]
                total += found[j]
        for j in range(4):
            labels[rows[j]] = _largest(room, j, first)
    return total


@jit()
def _soon(X, rows):
    d, flat = X.shape[1], X.ravel()
    for j in range(4):
        for ahead in range((rows[j] + SOON) * d, (rows[j] + SOON + 1) * d, LINE // X.itemsize):
            fetch(flat, ahead)


@jit()
def _largest(room, j, first):
    """The first class of the largest likelihood in row j."""
    label, most = 0, 0.0 if first else -np.inf
    for k in range(room.shape[1]):
        label = first + k if room[j, k] > most else label
        most = max(room[j, k], most)
    return label


@jit(fastmath={"contract", "reassoc"})
def _curves(X, rows, tables, k):
    """The likelihoods of class k for four rows."""
    a, b, c, d = X[rows[0]], X[rows[1]], X[rows[2]], X[rows[3]]
    centre, constant, square, line = tables[0], tables[1][k], tables[2][k], tables[3][k]
    s = t = u = v = 0.0
    for j in range(len(centre)):
        zero, g, h = centre[j], square[j], line[j]
        w, x, y, z = a[j] - zero, b[j] - zero, c[j] - zero, d[j] - zero
        s += w * (g * w + h)
        t += x * (g * x + h)
        u += y * (g * y + h)
        v += z * (g * z + h)
    return s + constant, t + constant, u + constant, v + constant
