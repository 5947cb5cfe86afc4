"""Metrics of clusters, on the features the clusterer saw.

Letters: n rows, p columns, k clusters.
"""

import numpy as np

from ml_core.measure.ranking import ratio

BLOCK = 4_000_000  # distances held at once


def silhouettes(Z, labels):
    """Z (n, p), labels 0..k-1 (n,) -> (n,) in [-1, 1]: how much nearer a row is to its own cluster.

    0 for a row alone in its cluster, as scikit-learn has it. Rows go in blocks, so that n x n never stands.
    """
    member = np.equal.outer(labels, np.arange(labels.max() + 1)).astype(float)
    size, norm = member.sum(axis=0), (Z**2).sum(axis=1)
    result, step = np.zeros(len(Z)), max(1, BLOCK // len(Z))
    for start in range(0, len(Z), step):
        rows = slice(start, start + step)
        squared = norm[rows, None] + norm - 2 * Z[rows] @ Z.T
        here = np.arange(len(squared))
        squared[here, start + here] = 0
        total = np.sqrt(np.maximum(squared, 0)) @ member
        own = labels[rows]
        inside = ratio(total[here, own], size[own] - 1)
        mean = ratio(total, size)
        mean[here, own] = np.nan
        outside = np.nanmin(mean, axis=1)
        result[rows] = np.where(size[own] > 1, ratio(outside - inside, np.maximum(outside, inside)), 0.0)
    return np.nan_to_num(result)


def centers(Z, labels):
    """Z (n, p), labels 0..k-1 (n,) -> sizes (k,), means (k, p)."""
    member = np.equal.outer(np.arange(labels.max() + 1), labels).astype(float)
    size = member.sum(axis=1)
    return size, member @ Z / size[:, None]


def davies_bouldin(Z, labels):
    """Mean over clusters of the worst (spread + spread) / distance; lower is better."""
    _, center = centers(Z, labels)
    k = len(center)
    spread = np.array([np.linalg.norm(Z[labels == c] - center[c], axis=1).mean() for c in range(k)])
    apart = np.linalg.norm(center[:, None] - center, axis=2)
    worst = ratio(spread[:, None] + spread, apart)
    np.fill_diagonal(worst, 0.0)
    return float(np.nan_to_num(worst).max(axis=1).mean())


def adjusted_rand(truth, labels):
    """Agreement of two groupings on pairs of rows: 0 by chance, 1 when equal (Hubert and Arabie 1985)."""
    table = np.zeros((truth.max() + 1, labels.max() + 1))
    np.add.at(table, (truth, labels), 1)
    pairs = [(part * (part - 1) / 2).sum() for part in (table, table.sum(axis=0), table.sum(axis=1))]
    both, ours, theirs = pairs
    n = table.sum()
    chance = ours * theirs / (n * (n - 1) / 2) if n > 1 else 0.0
    best = (ours + theirs) / 2
    return 1.0 if best == chance else float((both - chance) / (best - chance))


def clustering(Z, labels, truth=None):
    """{metric: value} of one grouping; what has no meaning is nan: silhouettes need 2 clusters and 3 rows."""
    size, center = centers(Z, labels)
    values = {
        "clusters": float(len(size)),
        "smallest_share": float(size.min() / len(Z)),
        "largest_share": float(size.max() / len(Z)),
        "inertia": float(((Z - center[labels]) ** 2).sum() / len(Z)),
    }
    if 1 < len(size) < len(Z):
        values["davies_bouldin"] = davies_bouldin(Z, labels)
    else:
        values["davies_bouldin"] = np.nan
    return values if truth is None else values | {"adjusted_rand": adjusted_rand(truth, labels)}
