"""Sums of counts by class, and products of counts with few columns; X is dense or CSR, and stays what it is.

Letters: n rows, d columns, q classes; codes (n,) in 0..q-1, weight (n,) or None.
A cell above ``threshold`` counts as 1 and others as 0; with None a cell counts as what it is.
SciPy and BLAS do it up to LARGE stored cells, ``sparsepass`` beyond for a CSR matrix: the size alone decides.
"""

import numpy as np
from scipy.sparse import csr_array, issparse

from ml_core.kernels import threads

LARGE = 1e7  # stored cells; importing Numba takes as long as SciPy takes for some ten times as many
ROWS = 4096  # rows at once
ROOM = 1 << 21  # sums that compiled code makes at once
TRIFLE = 64  # a job reads so many times more cells than it leaves sums
COMPILED = (np.float64, np.float32, np.int64, np.int32)  # types of cells that compiled code takes as they are


def class_counts(X, codes, q, weight, threshold=None):
    """X (n, d) -> rows of each class (q,), sums of their cells (q, d), the least cell or 0."""
    rows = np.bincount(codes, weight, q).astype(np.float64)
    if not issparse(X):
        return rows, *_dense_counts(X, (codes, q, weight), threshold)
    d, least = X.shape[1], [0.0]

    def work(cuts):
        found = np.zeros((d, q))
        where = slice(cuts[0].start, cuts[-1].stop)
        weights = None if weight is None else weight[where]
        if X.nnz >= LARGE:
            from ml_core.kernels import sparsepass

            some = sparsepass.add(_arrays(X, where), _limit(threshold), codes[where], weights, found)
            least.append(some)
        else:
            cells = _binary(X[where], threshold)
            member = (np.ones(cells.shape[0]) if weights is None else weights), codes[where]
            by_class = csr_array((member[0], member[1], np.arange(len(member[1]) + 1)), (cells.shape[0], q))
            found += (cells.T @ by_class).toarray()
            least.append(cells.data.min(initial=0))
        return found

    return rows, np.ascontiguousarray(threads.total(work, _jobs(X, q)).T), min(least)


def _dense_counts(X, members, threshold):
    codes, q, weight = members
    names, least = np.arange(q), [0.0]

    @np.errstate(over="ignore", invalid="ignore")
    def work(cuts):
        found = np.zeros((q, X.shape[1]))
        for cut in cuts:
            member = np.equal.outer(names, codes[cut]).astype(np.float64)
            if weight is not None:
                member *= weight[cut]
            cells = _binary(np.ascontiguousarray(X[cut]), threshold)
            least.append(cells.min(initial=0))
            found += member @ cells
        return found

    return threads.total(work, threads.slabs(len(codes), max(X.shape[1], q))), min(least)


def times(X, table, threshold=None):
    """X (n, d) times table (d, k) -> (n, k), the same bits at any number of threads."""
    n, k = X.shape[0], table.shape[1]
    out = np.empty((n, k))
    compiled = issparse(X) and X.nnz >= LARGE
    table = _in_parts(table) if compiled else np.ascontiguousarray(table)

    @np.errstate(over="ignore", invalid="ignore")
    def work(cut):
        if compiled:
            from ml_core.kernels import sparsepass

            found = np.empty((cut.stop - cut.start, len(table) * table.shape[2]))
            sparsepass.times(_arrays(X, cut), _limit(threshold), table, found)
            out[cut] = found[:, :k]
        else:
            part = X[cut] if issparse(X) else np.ascontiguousarray(X[cut])
            out[cut] = _binary(part, threshold) @ table

    # four columns of the table stay in cache for many rows at once
    size = max(ROWS, min(ROOM // k, n // threads.SLABS)) if compiled else ROWS
    cuts = [slice(start, min(start + size, n)) for start in range(0, n, size)]
    list(threads.in_order(work, cuts))
    return out


def _jobs(X, q):
    """Slabs of rows, few enough that the (d, q) sums of each stay a trifle beside its cells."""
    most = max(1, min(threads.SLABS, X.nnz // (TRIFLE * q * X.shape[1] + 1)))
    n = X.shape[0]
    each = -(-n // most)
    return [[slice(start, min(start + each, n))] for start in range(0, n, each)]


def _arrays(X, rows):
    """(data, indices, indptr) of some rows; cells are copied only where compiled code lacks their type."""
    indptr = X.indptr[rows.start : rows.stop + 1]
    first, last = indptr[0], indptr[-1]
    data = X.data[first:last]
    data = data if data.dtype.type in COMPILED else data.astype(np.float64)
    return data, X.indices[first:last], indptr - first


def _in_parts(table):
    """Table (d, k) -> (parts, d, w) of w = 2 columns if that is all, else of 4, filled up with zeros."""
    d, k = table.shape
    w = 2 if k <= 2 else 4
    wide = np.zeros((-(-k // w), d, w))
    for column in range(k):
        wide[column // w, :, column % w] = table[:, column]
    return wide


def _limit(threshold):
    return None if threshold is None else float(threshold)


def _binary(cells, threshold):
    """Cells, or 1.0 and 0.0 for above the threshold and not."""
    if threshold is None:
        return cells
    if not issparse(cells):
        return (cells > threshold).astype(np.float64)
    found = cells.copy()
    found.data = (found.data > threshold).astype(np.float64)
    return found
