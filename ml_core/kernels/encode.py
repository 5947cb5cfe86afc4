"""Values to bins, compiled: eight comparisons a value, without a branch; of many values, all make one after
the other.

Letters: n rows, d columns; tables as ``bins.table_of`` makes them.
"""

import numpy as np
from numba import prange

from ml_core.kernels.jit import inner, jit

FEW = 4  # bins that three comparisons tell apart
ROWS = 512  # at a time: they stay in the first-level cache while all columns pass


@inner()
def encode_value(x, edges, bins, categorical):
    """x, edges (256,) -> edges below it; ``bins`` for missing or unknown."""
    at = np.uint64(0)
    for step in (128, 64, 32, 16, 8, 4, 2, 1):
        at += np.uint64(step) * np.uint64(edges[at + np.uint64(step - 1)] < x)
    return np.uint64(bins) if np.isnan(x) or (categorical and edges[at] != x) else at


@inner()
def encode_block(x, edges, bins, categorical, at):
    """at (r,) uint32 = ``encode_value`` of x (r,) float64."""
    if bins <= FEW:
        for i in range(len(x)):
            at[i] = np.uint32(edges[0] < x[i]) + np.uint32(edges[1] < x[i]) + np.uint32(edges[2] < x[i])
    else:
        for i in range(len(x)):
            at[i] = np.uint32(128) * np.uint32(edges[127] < x[i])
        for step in (64, 32, 16, 8, 4, 2, 1):
            for i in range(len(x)):
                at[i] += np.uint32(step) * np.uint32(edges[at[i] + np.uint32(step - 1)] < x[i])
    for i in range(len(x)):
        if np.isnan(x[i]) or (categorical and edges[at[i]] != x[i]):
            at[i] = bins


@jit(parallel=True)
def encode(X, table, bins, categorical, codes):
    """codes (n, d) uint8 = the bins of X (n, d)."""
    n, d = X.shape
    for block in prange((n + ROWS - 1) // ROWS):
        first, last = block * ROWS, min(block * ROWS + ROWS, n)
        x, at = np.empty(last - first), np.empty(last - first, np.uint32)
        for j in range(d):
            for i in range(first, last):
                x[i - first] = X[i, j]
            encode_block(x, table[j], bins[j], categorical[j], at)
            for i in range(first, last):
                codes[i, j] = at[i - first]


@jit(parallel=True)
def turn(codes, columns):
    """columns (d, n) = codes (n, d) turned."""
    n, d = codes.shape
    for block in prange((n + ROWS - 1) // ROWS):
        first, last = block * ROWS, min(block * ROWS + ROWS, n)
        for j in range(d):
            for i in range(first, last):
                columns[j, i] = codes[i, j]
