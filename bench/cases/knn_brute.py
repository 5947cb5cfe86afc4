"""10 nearest of 100,000 x 32 for 10,000 queries, float32, against scikit-learn and FAISS.

Equal: the same neighbours, distances within 1e-6 (FAISS, which sums in float32, within 1e-4).
"""

import os

import numpy as np
from sklearn.neighbors import NearestNeighbors

from ml_core.models.neighbors import KNeighborsRegressor

FLOOR, GOAL = {"scikit-learn": 2.0, "FAISS": 1.0}, {"scikit-learn": 3.0, "FAISS": 1.2}
SHORT = {"n": 30_000, "d": 32, "m": 3_000}


def data(n=100_000, d=32, m=10_000):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d)).astype(np.float32)
    return X, X[:, 0], rng.normal(size=(m, d)).astype(np.float32)


def ours(data):
    X, y, Q = data
    return KNeighborsRegressor(10).fit(X, y).kneighbors(Q)


def scikit_learn(data):
    X, _, Q = data
    threads = int(os.environ["OMP_NUM_THREADS"])
    return NearestNeighbors(n_neighbors=10, algorithm="brute", n_jobs=threads).fit(X).kneighbors(Q)


def faiss_flat(data):
    import faiss

    X, _, Q = data
    index = faiss.IndexFlatL2(X.shape[1])
    index.add(X)
    squares, found = index.search(Q, 10)
    return np.sqrt(squares), found


RIVALS = {"scikit-learn": scikit_learn, "FAISS": faiss_flat}


def equal(mine, theirs, data):
    rtol = 1e-4 if theirs[0].dtype == np.float32 else 1e-6
    return np.allclose(mine[0], theirs[0], rtol=rtol) and (mine[1] == theirs[1]).mean() > 0.9999
