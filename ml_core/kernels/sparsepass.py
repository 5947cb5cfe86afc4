"""Passes over CSR rows, compiled: sums by class, and products with a table of few columns.

Letters: n rows, d columns, q classes. X is (data (nnz,), indices (nnz,), indptr (n + 1,)).
A cell above ``threshold`` counts as 1 and others as 0; with None a cell counts as what it is.
Indices are unsigned, since a test for a negative one costs a third of a pass.
"""

import numpy as np

from ml_core.kernels.jit import jit


@jit()
def add(X, threshold, codes, weight, found):
    """Add weight (n,) or 1 times the rows of each class to found (d, q); -> the least cell, or 0."""
    data, indices, indptr = X
    least = 0.0
    for i in range(len(indptr) - 1):
        k = np.uint64(codes[i])
        w = 1.0 if weight is None else weight[i]
        for p in range(indptr[i], indptr[i + 1]):
            value = _cell(data[p], threshold)
            least = min(least, value)
            found[np.uint64(indices[p]), k] += w * value
    return least


@jit(inline="always")
def _cell(value, threshold):
    if threshold is None:
        return np.float64(value)
    return 1.0 if value > threshold else 0.0


@jit()
def times(X, threshold, tables, out):
    """Fill out (n, w g) with X @ [tables], tables (g, d, w), w 2 or 4: as many sums cost no more than one."""
    if tables.shape[2] == 2:
        _twos(X, threshold, tables[0], out)
    else:
        _fours(X, threshold, tables, out)


@jit(fastmath={"contract"})
def _twos(X, threshold, table, out):
    data, indices, indptr = X
    for i in range(len(indptr) - 1):
        s = t = 0.0
        for p in range(indptr[i], indptr[i + 1]):
            j, value = np.uint64(indices[p]), _cell(data[p], threshold)
            s += value * table[j, 0]
            t += value * table[j, 1]
        out[i, 0], out[i, 1] = s, t


@jit(fastmath={"contract"})
def _fours(X, threshold, tables, out):
    data, indices, indptr = X
    for g in range(len(tables)):
        table = tables[g]
        for i in range(len(indptr) - 1):
            s = t = u = v = 0.0
            for p in range(indptr[i], indptr[i + 1]):
                j, value = np.uint64(indices[p]), _cell(data[p], threshold)
                s += value * table[j, 0]
                t += value * table[j, 1]
                u += value * table[j, 2]
                v += value * table[j, 3]
            row = out[i, 4 * g : 4 * g + 4]
            row[0], row[1], row[2], row[3] = s, t, u, v
