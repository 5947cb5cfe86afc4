"""LinearSVC, 20 C x 5 folds on 50,000 x 50: score_many against GridSearchCV.

Equal: accuracies within 0.0005, liblinear's tolerance.
"""

import os

import numpy as np
from sklearn import svm
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from ml_core.models.linear_svm import LinearSVC

FLOOR, GOAL = 10.0, 50.0
SHORT = {"n": 10_000, "d": 30}
STRENGTHS = np.geomspace(1e-4, 1e2, 20).tolist()


def data(n=50_000, d=50):
    return make_classification(n, d, n_informative=20, flip_y=0.05, random_state=0)


def _folds(X, y):
    return list(StratifiedKFold(5).split(X, y))


def ours(data):
    return LinearSVC().score_many(*data, [{"C": C} for C in STRENGTHS], _folds(*data), "accuracy")


def grid_search(data):
    search = GridSearchCV(
        svm.LinearSVC(),
        {"C": STRENGTHS},
        cv=_folds(*data),
        scoring="accuracy",
        refit=False,
        n_jobs=int(os.environ["OMP_NUM_THREADS"]),
    ).fit(*data)
    return np.column_stack([search.cv_results_[f"split{j}_test_score"] for j in range(5)])


RIVALS = {"GridSearchCV": grid_search}


def equal(mine, theirs, data):
    return np.abs(mine - theirs).max() <= 5e-4
