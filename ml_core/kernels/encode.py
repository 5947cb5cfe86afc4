"""Values to bins, compiled: eight comparisons a value, without a branch.

Letters: n rows, d columns; tables as ``bins.table_of`` makes them.
"""

import numpy as np
from numba import prange

from ml_core.kernels.jit import inner, jit

FEW = 4  # bins that three comparisons tell apart
ROWS = 1024  # at a time: their codes stay in the first-level cache while all columns pass


@inner()
def encode_block(x, edges, bins, categorical, codes):
    """x (r,) float64, edges (256,) -> codes (r,): edges below; ``bins`` for missing or unknown."""
    if bins <= FEW:
        for i in range(len(x)):
            codes[i] = (edges[0] < x[i]) + (edges[1] < x[i]) + (edges[2] < x[i])
    for i in range(len(x) if bins > FEW else 0):
        at = np.uint64(0)
        for step in (128, 64, 32, 16, 8, 4, 2, 1):
            at += np.uint64(step) * np.uint64(edges[at + np.uint64(step - 1)] < x[i])
        codes[i] = at
    for i in range(len(x)):
        if np.isnan(x[i]) or (categorical and edges[codes[i]] != x[i]):
            codes[i] = bins


@jit(parallel=True)
def encode(X, table, bins, categorical, codes):
    """codes (n, d) uint8 = the bins of X (n, d)."""
    n, d = X.shape
    for block in prange((n + ROWS - 1) // ROWS):
        first, last = block * ROWS, min(block * ROWS + ROWS, n)
        x, own = np.empty(last - first), np.empty(last - first, np.uint8)
        for j in range(d):
            for i in range(first, last):
                x[i - first] = X[i, j]
            encode_block(x, table[j], bins[j], categorical[j], own)
            for i in range(first, last):
                codes[i, j] = own[i - first]


@jit(parallel=True)
def turn(codes, columns):
    """columns (d, n) = codes (n, d) turned."""
    n, d = codes.shape
    for block in prange((n + ROWS - 1) // ROWS):
        first, last = block * ROWS, min(block * ROWS + ROWS, n)
        for j in range(d):
            for i in range(first, last):
                columns[j, i] = codes[i, j]
