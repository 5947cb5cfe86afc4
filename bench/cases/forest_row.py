"""Random forest of 100 trees, probabilities of 200 rows that come one at a time, against scikit-learn's.

Both forests are fitted on 20,000 x 28, once. Equal: AUC within 0.1 on so few rows.
"""

import os
from functools import cache

import numpy as np
from forest_fit import higgs_like
from sklearn import ensemble
from sklearn.metrics import roc_auc_score

from ml_core.models.forest import RandomForestClassifier

FLOOR, GOAL = 50.0, 300.0
SHORT = {"n": 50}


def data(n=200):
    X, y = higgs_like(n, 2)
    return X.astype(np.float64), y


@cache
def _fitted(kind):
    X, y = higgs_like(20_000, 1)
    return kind(100, n_jobs=int(os.environ["OMP_NUM_THREADS"]), random_state=0).fit(X.astype(np.float64), y)


def _one_by_one(model, X):
    return np.concatenate([model.predict_proba(X[i : i + 1])[:, 1] for i in range(len(X))])


def ours(data):
    return _one_by_one(_fitted(RandomForestClassifier), data[0])


def scikit_learn(data):
    return _one_by_one(_fitted(ensemble.RandomForestClassifier), data[0])


RIVALS = {"scikit-learn": scikit_learn}


def equal(mine, theirs, data):
    return abs(roc_auc_score(data[1], mine) - roc_auc_score(data[1], theirs)) < 0.1
