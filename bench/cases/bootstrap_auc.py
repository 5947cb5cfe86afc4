"""1000 paired bootstraps of the AUC of two models on 5000 rows; equal: the same draws to 1e-12."""

import numpy as np
from sklearn.metrics import roc_auc_score

from ml_core.measure.bootstrap import resample
from ml_core.measure.ranking import ranking

FLOOR, GOAL = 15.0, 21.0
RESAMPLES = 1000


def data(n=5000):
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=n)
    return y, rng.normal(y), rng.normal(1.1 * y)


def ours(data):
    y, old, new = data
    ranks = {name: ranking(y == 1, score, precision=False) for name, score in (("old", old), ("new", new))}
    metrics = {name: lambda W, rank=rank: {"auc": rank(W)[0]} for name, rank in ranks.items()}
    drawn = resample(metrics, len(y), RESAMPLES, seed=0)
    return drawn["new"]["auc"] - drawn["old"]["auc"]


def scikit_learn(data):
    y, old, new = data
    draws = np.random.default_rng(0).integers(len(y), size=(RESAMPLES, len(y)))
    return np.array([roc_auc_score(y[rows], new[rows]) - roc_auc_score(y[rows], old[rows]) for rows in draws])


RIVALS = {"scikit-learn": scikit_learn}


def equal(mine, theirs, data):
    return np.allclose(mine, theirs, rtol=0, atol=1e-12)
