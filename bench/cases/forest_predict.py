"""Random forest of 100 trees, probabilities of 100,000 x 28 rows, against scikit-learn on its own forest.

Equal: AUC within 0.005 of it.
"""

import os
from functools import cache

from forest_fit import higgs_like
from sklearn import ensemble
from sklearn.metrics import roc_auc_score

from ml_core.models.forest import RandomForestClassifier

FLOOR, GOAL = 3.0, 5.0
SHORT = {"n": 20_000}


def data(n=100_000):
    return *higgs_like(20_000, 1), *higgs_like(n, 2)


@cache
def _fitted(kind):
    X, y = higgs_like(20_000, 1)
    return kind(100, n_jobs=int(os.environ["OMP_NUM_THREADS"]), random_state=0).fit(X, y)


def ours(data):
    return _fitted(RandomForestClassifier).predict_proba(data[2])[:, 1]


def scikit_learn(data):
    return _fitted(ensemble.RandomForestClassifier).predict_proba(data[2])[:, 1]


RIVALS = {"scikit-learn": scikit_learn}


def equal(mine, theirs, data):
    return abs(roc_auc_score(data[3], mine) - roc_auc_score(data[3], theirs)) < 0.005
