"""k-means, labels of 500,000 x 32 for 50 centers. Equal: the same labels."""

import numpy as np
from sklearn import cluster

from ml_core.models.cluster import KMeans

FLOOR, GOAL = 1.0, 1.5
SHORT = {"n": 50_000}
CLUSTERS = 50


def data(n=500_000, d=32):
    X = np.random.default_rng(0).normal(size=(n, d))
    asked = {"init": X[:CLUSTERS], "n_init": 1, "max_iter": 5}
    ours, theirs = (made(CLUSTERS, **asked).fit(X[:20_000]) for made in (KMeans, cluster.KMeans))
    theirs.cluster_centers_ = ours.cluster_centers_
    return X, ours, theirs


def ours(data):
    return data[1].predict(data[0])


def scikit_learn(data):
    return data[2].predict(data[0])


RIVALS = {"scikit-learn": scikit_learn}


def equal(mine, theirs, data):
    return np.array_equal(mine, theirs)
