"""Where rows lie and how far they reach, in one pass over blocks that stay in cache."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse

from ml_core.kernels.workers import each, slices

NUMBERS = 1 << 15  # of a block
SOME = 1024  # rows whose mean the sums are taken about


class Extent(NamedTuple):
    """Of rows X (n, d)."""

    centre: np.ndarray  # (d,) float64, mean of some rows spread over X
    reach: float  # largest absolute value of X - centre; inf where it overflows
    mean: np.ndarray  # (d,) float64
    variance: np.ndarray  # (d,) float64


def extent(X, n_threads=1):
    """Extent of X (n, d), of a CSR matrix about zero; the same bits at any number of threads."""
    if issparse(X):
        return _of_sparse(X)
    n, d = X.shape
    centre = X[:: max(1, n // SOME)].astype(np.float64).mean(axis=0)

    def work(cut):
        off = X[cut] - centre
        reach, ones = max(off.max(), -off.min()), np.ones(len(off))
        total = ones @ off
        return reach, total, ones @ np.square(off, out=off)

    with np.errstate(over="ignore", invalid="ignore"):
        parts = each(work, slices(n, max(1, NUMBERS // d)), n_threads)
        reach, total, square = (np.array(part) for part in zip(*parts, strict=True))
        shift = total.sum(axis=0) / n
        variance = np.maximum(square.sum(axis=0) / n - shift**2, 0)
    return Extent(centre, float(reach.max()), centre + shift, variance)


def _of_sparse(X):
    n = X.shape[0]
    with np.errstate(over="ignore", invalid="ignore"):
        wide = csr_array(X, dtype=np.float64)
        mean, square = wide.sum(axis=0) / n, wide.multiply(wide).sum(axis=0) / n
        variance = np.maximum(square - mean**2, 0)
    return Extent(np.zeros(X.shape[1]), float(np.abs(X.data).max(initial=0)), mean, variance)


def scale_of(reach):
    """The power of two that brings ``reach`` to 1 at most; 1 for none."""
    return 2.0 ** min(-int(np.frexp(reach)[1]), 1000) if 0 < reach < np.inf else 1.0
