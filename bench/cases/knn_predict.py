"""Neighbours' mean and median of the targets, 10 nearest of 100,000 x 32 for 10,000 rows, predict alone.

scikit-learn knows no median: its side takes NumPy's of the targets that its search finds. Equal: within 1e-9.
"""

import os

import numpy as np
from sklearn import neighbors

from ml_core.models.neighbors import KNeighborsRegressor

FLOOR, GOAL = 2.0, 3.0
SHORT = {"n": 30_000, "d": 32, "m": 3_000}
WAYS = ("mean", "median")


def data(n=100_000, d=32, m=10_000):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    y = X[:, 0] + rng.normal(size=n)
    ours = {way: KNeighborsRegressor(10, aggregate=way).fit(X, y) for way in WAYS}
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    return ours, neighbors.KNeighborsRegressor(10, n_jobs=threads).fit(X, y), y, rng.normal(size=(m, d))


def ours(data):
    return [data[0][way].predict(data[3]) for way in WAYS]


def scikit_learn(data):
    _, model, y, Q = data
    return [model.predict(Q), np.median(y[model.kneighbors(Q, return_distance=False)], axis=1)]


RIVALS = {"scikit-learn": scikit_learn}


def equal(mine, theirs, data):
    return all(np.allclose(a, b, rtol=1e-9, atol=1e-9) for a, b in zip(mine, theirs, strict=True))
