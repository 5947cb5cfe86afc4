"""Values to bins, compiled: eight comparisons a value, without a branch.

Letters: n rows, d columns; tables as ``bins.table_of`` makes them.
"""

import numpy as np
from numba import prange

from ml_core.kernels.jit import jit

ROWS = 1024  # at a time: a block of them stays in the second-level cache while all columns pass


@jit()
def encode_block(x, edges, bins, categorical, codes):
    """x (k,) float64, edges (256,) -> codes (k,): edges below; ``bins`` for missing or unknown."""
    for i in range(len(x)):
        at = np.uint64(0)
        for step in (128, 64, 32, 16, 8, 4, 2, 1):
            at += np.uint64(step) * np.uint64(edges[at + np.uint64(step - 1)] < x[i])
        codes[i] = at
    for i in range(len(x)):
        if np.isnan(x[i]) or (categorical and edges[codes[i]] != x[i]):
            codes[i] = bins


@jit(parallel=True)
def encode(X, table, bins, categorical, columns):
    """columns (d, n) uint8 = the bins of X (n, d)."""
    n, d = X.shape
    for block in prange((n + ROWS - 1) // ROWS):
        first, last = block * ROWS, min(block * ROWS + ROWS, n)
        x = np.empty(last - first)
        for j in range(d):
            for i in range(first, last):
                x[i - first] = X[i, j]
            encode_block(x, table[j], bins[j], categorical[j], columns[j, first:last])


@jit(parallel=True)
def turn(columns, codes):
    """codes (n, d) = columns (d, n) turned."""
    n = columns.shape[1]
    for block in prange((n + ROWS - 1) // ROWS):
        first, last = block * ROWS, min(block * ROWS + ROWS, n)
        codes[first:last] = columns[:, first:last].T
