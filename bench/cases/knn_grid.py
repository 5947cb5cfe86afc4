"""Neighbours: 25 k x 2 weightings x 5 folds on 10,000 x 20, score_many against GridSearchCV.

Equal: the scores.
"""

import os

import numpy as np
from sklearn import neighbors
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from ml_core.models.neighbors import KNeighborsClassifier

FLOOR, GOAL = 10, 20
SHORT = {"n": 2_000, "d": 20}
GRID = {"n_neighbors": list(range(1, 51, 2)), "weights": ["uniform", "distance"]}


def data(n=10_000, d=20):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    return X, X[:, 0] * X[:, 1] + rng.normal(size=n) > 0


def _folds(X, y):
    return list(StratifiedKFold(5).split(X, y))


def ours(data):
    candidates = [{"n_neighbors": k, "weights": w} for k in GRID["n_neighbors"] for w in GRID["weights"]]
    return KNeighborsClassifier().score_many(*data, candidates, _folds(*data), "accuracy")


def grid_search(data):
    search = GridSearchCV(
        neighbors.KNeighborsClassifier(),
        GRID,
        cv=_folds(*data),
        scoring="accuracy",
        refit=False,
        n_jobs=int(os.environ["OMP_NUM_THREADS"]),
    ).fit(*data)
    return np.column_stack([search.cv_results_[f"split{j}_test_score"] for j in range(5)])


RIVALS = {"GridSearchCV": grid_search}


def equal(mine, theirs, data):
    return np.allclose(mine, theirs, rtol=1e-12)
