"""k-means, 50 clusters on 500,000 x 32, 30 passes of Lloyd's algorithm from the same start.

The clusters overlap. Ours works on float64 rows for both rivals; the second gets them as float32.
Equal: no more inertia than the rival's, measured in float64, but for 1e-6 of it.
"""

import numpy as np
from scipy.spatial.distance import cdist
from sklearn import cluster

from ml_core.models.cluster import KMeans

FLOOR = {"scikit-learn float64": 2.0, "scikit-learn float32": 1.3}
GOAL = {"scikit-learn float64": 3.0, "scikit-learn float32": 1.7}
SHORT = {"n": 50_000}
CLUSTERS = 50


def data(n=500_000, d=32):
    rng = np.random.default_rng(0)
    middle = 1.5 * rng.normal(size=(CLUSTERS, d))
    X = middle[rng.integers(CLUSTERS, size=n)] + rng.normal(size=(n, d))
    return X, X.astype(np.float32)


def _asked(X):
    return {"init": X[:CLUSTERS], "n_init": 1, "max_iter": 30, "tol": 0}


def ours(data):
    return KMeans(CLUSTERS, **_asked(data[0])).fit(data[0]).cluster_centers_


def float64(data):
    return cluster.KMeans(CLUSTERS, **_asked(data[0])).fit(data[0]).cluster_centers_


def float32(data):
    return cluster.KMeans(CLUSTERS, **_asked(data[1])).fit(data[1]).cluster_centers_


RIVALS = {"scikit-learn float64": float64, "scikit-learn float32": float32}


def inertia(X, centers):
    parts = np.array_split(X, 50)
    return sum((cdist(part, centers).min(axis=1) ** 2).sum() for part in parts)


def equal(mine, theirs, data):
    return inertia(data[0], mine) <= inertia(data[0], theirs.astype(np.float64)) * (1 + 1e-6)
