"""Naive Bayes of categories, 20 alphas x 5 folds on 200,000 x 20: score_many against GridSearchCV.

Equal: the same accuracies.
"""

import os

import numpy as np
from sklearn import naive_bayes
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from ml_core.models.bayes_categories import CategoricalNB

FLOOR, GOAL = 10, 30
SHORT = {"n": 20_000, "d": 20}
ALPHAS = np.geomspace(1e-3, 10, 20)


def data(n=200_000, d=20):
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=n)
    return rng.binomial(9, (0.5 + 0.02 * rng.normal(size=(2, d)))[y]), y


def _folds(X, y):
    return list(StratifiedKFold(5).split(X, y))


def ours(data):
    candidates = [{"alpha": alpha} for alpha in ALPHAS]
    return CategoricalNB().score_many(*data, candidates, _folds(*data), "accuracy")


def grid_search(data):
    search = GridSearchCV(
        naive_bayes.CategoricalNB(),
        {"alpha": ALPHAS},
        cv=_folds(*data),
        scoring="accuracy",
        refit=False,
        n_jobs=int(os.environ["OMP_NUM_THREADS"]),
    ).fit(*data)
    return np.column_stack([search.cv_results_[f"split{j}_test_score"] for j in range(5)])


RIVALS = {"GridSearchCV": grid_search}


def equal(mine, theirs, data):
    return np.abs(mine - theirs).max() <= 1 / (len(data[1]) // 5)
