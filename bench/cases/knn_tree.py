"""10 nearest of 1,000,000 x 3 for 100,000 queries, tree included.

Equal: the same neighbours and distances.
"""

import os

import numpy as np
from sklearn.neighbors import NearestNeighbors

from ml_core.models.neighbors import KNeighborsRegressor

FLOOR, GOAL = 2, 3
SHORT = {"n": 200_000, "d": 3, "m": 20_000}


def data(n=1_000_000, d=3, m=100_000):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    return X, X[:, 0], rng.normal(size=(m, d))


def ours(data):
    X, y, Q = data
    return KNeighborsRegressor(10).fit(X, y).kneighbors(Q)


def scikit_learn(data):
    X, _, Q = data
    threads = int(os.environ["OMP_NUM_THREADS"])
    return NearestNeighbors(n_neighbors=10, algorithm="kd_tree", n_jobs=threads).fit(X).kneighbors(Q)


RIVALS = {"scikit-learn": scikit_learn}


def equal(mine, theirs, data):
    return np.allclose(mine[0], theirs[0], rtol=1e-12) and np.array_equal(mine[1], theirs[1])
