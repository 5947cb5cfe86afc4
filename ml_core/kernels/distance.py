"""Distances between rows, by differences: exact up to the rounding of a plain loop over the columns.

Letters: m rows of Q, n rows of X, d columns. A metric is (kind, p): what it adds up over the columns, one
after another, in float64. The compiled paths add the same terms in the same order, so that all paths give
the same bits.
"""

import numpy as np

BLOCK = 1 << 15  # numbers of pairs looked at at once, 256 kB: they stay in cache
SQUARES, SUMS, LARGEST, POWERS = range(4)  # squares, absolutes, their maximum, their p-th powers
LEAF = 32  # points side by side in a leaf of the compiled search tree


def add(total, step, metric):
    """Add one column's differences ``step`` (overwritten) to ``total``, in place."""
    kind, p = metric
    if kind == SQUARES:
        total += np.multiply(step, step, out=step)
        return
    np.abs(step, out=step)
    if kind == LARGEST:
        np.maximum(total, step, out=total)
    else:
        total += np.power(step, p, out=step) if kind == POWERS else step


def between(Q, X, metric=(SQUARES, 2.0)):
    """Q (m, d), X (n, d) -> (m, n), before any root."""
    total, step = np.zeros((len(Q), len(X))), np.empty((len(Q), len(X)))
    for k in range(X.shape[1]):
        np.subtract.outer(Q[:, k].astype(np.float64), X[:, k].astype(np.float64), out=step)
        add(total, step, metric)
    return total


def pairs(Q, X, rows, columns, metric=(SQUARES, 2.0)):
    """Distances (c,) of rows (c,) of Q to rows ``columns`` (c,) of X, before any root."""
    total = np.zeros(len(rows))
    size = max(2, (BLOCK if metric[0] == SQUARES else 64 * BLOCK) // X.shape[1])
    for start in range(0, len(rows), size):
        cut = slice(start, start + size)
        step = np.subtract(Q[rows[cut]], X[columns[cut]], dtype=np.float64)
        if metric[0] == SQUARES and len(step) > 1:
            # NumPy adds row to row along the first of two dimensions; a single column it would add by halves
            np.add.reduce(np.multiply(step, step, out=step).T.copy(), axis=0, out=total[cut])
            continue
        for one in step.T.copy():
            add(total[cut], one, metric)
    return total


def root(total, metric):
    """Sums -> distances, in place."""
    kind, p = metric
    if kind == SQUARES:
        return np.sqrt(total, out=total)
    return np.power(total, 1 / p, out=total) if kind == POWERS else total


def across(X, C):
    """X (n, d), C (k, d) -> (n, k) Euclidean distances: products where they are precise, differences where
    not."""
    from ml_core.kernels.workers import count, each, slices

    far, centre = np.empty((len(X), len(C))), C.mean(axis=0, dtype=np.float64)
    B = C - centre
    b = np.einsum("kd,kd->k", B, B)

    def work(cut):
        A = X[cut] - centre
        a = np.einsum("nd,nd->n", A, A)
        part = np.matmul(A, B.T, out=far[cut])
        part *= -2
        part += a[:, None]
        part += b
        rows, columns = np.nonzero(part < 1e-6 * (a[:, None] + b))
        if len(rows):  # what cancelled is measured anew
            part[rows, columns] = pairs(X[cut], C, rows, columns)
        np.sqrt(part, out=part)

    each(work, slices(len(X), 2048), count() if len(X) * len(C) > 1e6 else 1)
    return far


def unit_rows(X):
    """Rows scaled to length one: half a squared distance is then the cosine distance. Zero rows stay zero."""
    X = X.astype(np.float64)
    largest = np.abs(X).max(axis=1, keepdims=True)
    X /= np.where(largest > 0, largest, 1)  # squares of very large or small values would overflow or vanish
    length = np.sqrt(np.einsum("ij,ij->i", X, X))
    X /= np.where(length > 0, length, 1)[:, None]
    return X
