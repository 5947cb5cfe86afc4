"""Where to cut columns into bins, in NumPy: it looks at a sample only.

Letters: n rows, d columns. A numeric column with k edges has k + 1 bins, bin b holding edge[b - 1] < x <=
edge[b]; a categorical one has a bin for each of its k known values. The code after the last bin means
missing, or a value unknown.
"""

from bisect import bisect_left

import numpy as np

MOST = 255  # bins of a column: with the one code for missing, a byte holds them
FEW = 1 << 13  # values that are searched faster as a list


def between(low, high):
    """A number in [low, high), halfway where floats allow; arrays."""
    middle = low * 0.5 + high * 0.5
    return np.where((middle >= low) & (middle < high), middle, low)


def fair_share(mass, most):
    """The share t of a bin, so that ``most`` bins hold all when no value counts for more than t; mass (k,),
    k > most.
    """
    share = mass.sum() / most
    while mass.max() > share:
        heavy = mass > share
        fairer = mass[~heavy].sum() / max(1, most - np.count_nonzero(heavy))
        if fairer >= share:
            return share
        share = fairer
    return share


def cut_points(values, mass, most):
    """values (k,) ascending, mass (k,) -> edges (< most,) that give bins about equal mass.

    What a heavy value takes beyond its share, the bins that follow share: quantiles would spend several edges
    on it.
    """
    values = values.astype(np.float64)
    if len(values) <= most:
        return between(values[:-1], values[1:])
    reached = np.cumsum(np.minimum(mass, fair_share(mass, most)))
    if len(reached) <= FEW:
        reached = reached.tolist()
    last, cuts, done = len(values) - 1, [], 0.0
    for bins_left in range(most, 1, -1):
        goal = done + (reached[-1] - done) / bins_left
        i = bisect_left(reached, goal)
        least = cuts[-1] + 1 if cuts else 0
        if i > least and goal - reached[i - 1] < reached[i] - goal:
            i -= 1
        if i >= last:
            break
        cuts.append(i)
        done = reached[i]
    cuts = np.array(cuts, np.int64)
    return between(values[cuts], values[cuts + 1])


def known_values(column, weights, most):
    """Distinct values of a categorical column, ascending: the ``most`` heaviest, the smaller value first of
    equals.
    """
    values, mass = masses(column, weights)
    keep = np.sort(np.argsort(-mass, kind="stable")[:most])
    return values[keep].astype(np.float64)


def masses(column, weights):
    """Distinct values that are not missing, ascending, and the weight of each."""
    real = ~np.isnan(column)
    if weights is None:
        return np.unique(column[real], return_counts=True)
    values, place = np.unique(column[real], return_inverse=True)
    return values, np.bincount(place, weights[real], len(values))


def find_edges(X, weights, most, categorical):
    """X (n, d), nan for missing; weights (n,) or None; categorical (d,) bool -> d arrays of edges or known
    values.
    """
    if weights is not None:
        X, weights = X[weights > 0], weights[weights > 0]
    return [
        known_values(column, weights, most) if kind else cut_points(*masses(column, weights), most)
        for column, kind in zip(np.ascontiguousarray(X.T), categorical, strict=True)
    ]


def table_of(edges, categorical):
    """Edges as (d, 256) float64 padded with inf, and the number of bins of each column (d,)."""
    table = np.full((len(edges), MOST + 1), np.inf)
    for row, own in zip(table, edges, strict=True):
        row[: len(own)] = own
    bins = np.array([len(own) for own in edges], np.int64) + ~np.asarray(categorical, bool)
    return table, bins


def encode(X, table, bins, categorical, codes):
    """codes (n, d) uint8 = the bins of X (n, d): edges below a number, b[j] for missing or unknown."""
    for j, kind in enumerate(categorical):
        x, edges = X[:, j], table[j, : bins[j] - (not kind)]
        code = np.searchsorted(edges, x)
        if kind:
            codes[:, j] = np.where(table[j, code] == x, code, bins[j])
        else:
            codes[:, j] = np.where(np.isnan(x), bins[j], code)
