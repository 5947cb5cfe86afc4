"""Counts of categories by class, and sums of their scores: one table holds the categories of all columns.

Letters: n rows, d columns, q classes; X (n, d) integers >= 0; column j's category c stands at first[j] + c in
a table of m categories.
"""

import numpy as np

from ml_core.kernels import threads


def category_counts(X, codes, weight, first, shape):
    """Sums of weights (n,), or rows, by category and class: (m, q) = ``shape``. X must fit the table."""
    m, q = shape

    def work(cuts):
        found = np.zeros(m * q)
        for cut in cuts:
            keys = (X[cut] + first) * q + codes[cut, None]
            weights = None if weight is None else np.repeat(weight[cut], X.shape[1])
            found += np.bincount(keys.ravel(), weights, m * q)
        return found

    return threads.total(work, threads.slabs(len(X), max(X.shape[1], m * q // 64))).reshape(m, q)


def sums(X, first, table):
    """X (n, d), table (m, k) -> (n, k): the rows of the table that each row of X names, added up."""
    n, d = X.shape
    out = np.empty((n, table.shape[1]))

    def work(cuts):
        for cut in cuts:
            part = out[cut]
            part[:] = 0.0
            for j in range(d):
                part += table[X[cut, j] + first[j]]

    list(threads.in_order(work, threads.slabs(n, d * table.shape[1])))
    return out
