"""Multinomial naive Bayes, 20 alphas x 5 folds on 5e4 x 2e4 sparse counts: score_many, GridSearchCV.

Equal: the same accuracies.
"""

import os

import numpy as np
from nb_multinomial_fit import data as text
from sklearn import naive_bayes
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from ml_core.models.bayes_counts import MultinomialNB

FLOOR, GOAL = 10, 30
SHORT = {"n": 10_000, "d": 10_000, "words": 100}
ALPHAS = np.geomspace(1e-3, 10, 20)


def data(n=50_000, d=20_000, words=100):
    return text(n, d, words)


def _folds(X, y):
    return list(StratifiedKFold(5).split(X, y))


def ours(data):
    candidates = [{"alpha": alpha} for alpha in ALPHAS]
    return MultinomialNB().score_many(*data, candidates, _folds(*data), "accuracy")


def grid_search(data):
    search = GridSearchCV(
        naive_bayes.MultinomialNB(),
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
