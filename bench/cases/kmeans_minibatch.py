"""MiniBatchKMeans, 50 clusters on 500,000 x 32 in batches of 1,024, as many steps for both.

The clusters overlap. Equal: no more than 1 % more inertia than the rival's.
"""

from kmeans_fit import CLUSTERS, inertia
from kmeans_fit import data as clusters
from sklearn import cluster

from ml_core.models.minibatch import MiniBatchKMeans

FLOOR, GOAL = 1.0, 1.5
SHORT = {"n": 50_000}


def data(n=500_000, d=32):
    return clusters(n, d)[0]


def _asked(X):
    # both make all steps: neither the drift of the centers nor a lack of progress may end the run
    return {
        "init": X[:CLUSTERS],
        "n_init": 1,
        "max_iter": 2,
        "tol": 0.0,
        "max_no_improvement": None,
        "random_state": 0,
    }


def ours(data):
    return MiniBatchKMeans(CLUSTERS, **_asked(data)).fit(data).cluster_centers_


def scikit_learn(data):
    return cluster.MiniBatchKMeans(CLUSTERS, **_asked(data)).fit(data).cluster_centers_


RIVALS = {"scikit-learn": scikit_learn}


def equal(mine, theirs, data):
    return inertia(data, mine) <= 1.01 * inertia(data, theirs)
