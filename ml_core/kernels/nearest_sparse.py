"""Exact k nearest neighbours among sparse rows: distances are those of the filled-in rows, to the last bit.

Letters: n points X (n, d), m queries Q (m, d), CSR in float64 with sorted columns, none twice; k neighbours.
Products tell which points may be among the nearest; those are measured by their differences, column after
column, as ``distance.pairs`` does: a column that both rows leave empty adds nothing. No compiler is needed,
and memory stays bounded: BLOCK queries by CHUNK points at once.
"""

import numpy as np
from scipy.sparse import csr_array

from ml_core.kernels.distance import LARGEST, POWERS, SQUARES, root
from ml_core.kernels.nearest import first, heaps, merge, where
from ml_core.kernels.workers import each, slices

BLOCK = 64  # queries at once
CHUNK = 8192  # points at once
ENTRIES = 1 << 20  # entries of the pairs measured at once


def rows_in_order(X):
    """CSR of float64 with sorted columns, none twice; X itself is left as it is."""
    wide = csr_array(X, dtype=np.float64)
    if not wide.has_canonical_format:
        wide = wide.copy()
        wide.sum_duplicates()
    return wide


def unit_rows(X):
    """Rows scaled to length one, as ``distance.unit_rows``; empty rows stay empty."""
    X, lengths = rows_in_order(X), np.diff(X.indptr)
    largest = row_by_row(np.maximum, np.abs(X.data), X.indptr)
    data = X.data / np.repeat(np.where(largest > 0, largest, 1), lengths)
    length = np.sqrt(row_by_row(np.add, data * data, X.indptr))
    data /= np.repeat(np.where(length > 0, length, 1), lengths)
    return csr_array((data, X.indices, X.indptr), shape=X.shape)


def row_by_row(ufunc, data, indptr):
    """What ufunc makes of each row's entries >= 0; 0 for an empty row."""
    found, full = np.zeros(len(indptr) - 1), np.diff(indptr) > 0
    if full.any():
        found[full] = ufunc.reduceat(data, indptr[:-1][full])
    return found


def search(X, Q, k, metric, n_threads=1):
    """Distances (m, k) ascending and indices (m, k)."""
    X, Q = rows_in_order(X), rows_in_order(Q)
    largest = float(max(np.abs(X.data).max(initial=0), np.abs(Q.data).max(initial=0)))
    if largest > 1e140 or 0 < largest < 1e-140:
        # powers would overflow or vanish; a power of two changes no digit
        scale = 2.0 ** -np.frexp(largest)[1]
        total, index = _search(X * scale, Q * scale, k, metric, n_threads)
        return root(total, metric) / scale, index
    total, index = _search(X, Q, k, metric, n_threads)
    return root(total, metric), index


def _search(X, Q, k, metric, n_threads):
    best = heaps(Q.shape[0], k)
    widest = max(np.diff(X.indptr).max(initial=0), np.diff(Q.indptr).max(initial=0))
    blur = (3 * widest + 16) * 1.2e-16
    for cut in slices(X.shape[0], max(CHUNK, 4 * k)):
        points = X[cut]
        turned = (csr_array(points.T), _squares(points)) if metric[0] == SQUARES else None

        def work(rows, points=points, turned=turned, begin=cut.start):
            queries, known = Q[rows], (best[0][rows], best[1][rows])
            if turned:
                near = _near(queries, turned, known[0], k, blur)
                total = measure(queries, points, *near, metric)
            else:
                total = np.empty((queries.shape[0], points.shape[0]))
                _fill(total, queries, points, metric)
                near = first(total, k)
                total = total[near]
            best[0][rows], best[1][rows] = merge(known, near[0], near[1] + begin, total)

        each(work, slices(Q.shape[0], BLOCK), n_threads)
    return best


def _squares(X):
    return row_by_row(np.add, X.data * X.data, X.indptr)


def _near(queries, turned, known, k, blur):
    """Rows and columns of pairs that may be among the k nearest, by half squared distances less |q|^2 / 2.

    ``blur`` times |q|^2 + |x|^2 is more than products, squares and the sums of ``measure`` are ever off
    (Higham 2002, section 3.1).
    """
    across, square = turned
    score = (queries @ across).toarray()
    np.subtract(0.5 * square, score, out=score)
    own = _squares(queries)
    bound = 0.5 * known[:, -1] - 0.5 * own
    if np.isinf(bound).any() and score.shape[1] > k:
        kth = np.partition(score + blur * square, k - 1, axis=1)[:, k - 1]
        bound = np.minimum(bound, kth + blur * own)
    score -= blur * square
    return where(score <= (bound + blur * own + 1e-300)[:, None])


def measure(Q, X, rows, columns, metric):
    """Distances (c,) of rows (c,) of Q to rows ``columns`` (c,) of X, before any root."""
    total, ones = np.empty(len(rows)), np.ones(Q.shape[1])
    ends = np.cumsum(np.diff(Q.indptr)[rows] + np.diff(X.indptr)[columns] + 1)
    start = 0
    while start < len(rows):
        past = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, past + ENTRIES, side="right")))
        step = Q[rows[start:stop]] - X[columns[start:stop]]
        np.abs(step.data, out=step.data)
        if metric[0] == LARGEST:
            total[start:stop] = row_by_row(np.maximum, step.data, step.indptr)
        else:
            if metric[0] == SQUARES:
                step.data *= step.data
            elif metric[0] == POWERS:
                step.data **= metric[1]
            # a product adds one entry after another, where np.add.reduceat would add them in pairs
            total[start:stop] = step @ ones
        start = stop
    return total


def _fill(total, Q, X, metric):
    """All distances of rows of Q (b, d) to rows of X (w, d), before any root, into total (b, w)."""
    columns = np.arange(X.shape[0])
    for i in range(Q.shape[0]):
        total[i] = measure(Q, X, np.full(len(columns), i), columns, metric)


def of_graph(D, k):
    """k smallest stored distances of each row of D (m, n); what is not stored is too far away."""
    D = csr_array(D)
    lengths = np.diff(D.indptr)
    if (lengths < k).any():
        raise ValueError(
            f"{k} neighbors per samples are required, but some row of the precomputed graph stores only "
            f"{lengths.min()}. Lower n_neighbors or store more distances"
        )
    row = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((D.indices, D.data, row))
    place = order[D.indptr[:-1, None] + np.arange(k)]
    return D.data[place], D.indices[place].astype(np.int64)
