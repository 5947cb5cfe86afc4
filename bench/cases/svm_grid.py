"""SVC, 10 C x 6 gamma x 5 folds on 800 x 20: score_many against GridSearchCV.

Equal: scores within one row a fold.
"""

import numpy as np
from sklearn import svm
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from ml_core.models.svm import SVC

FLOOR, GOAL = 10.0, 10.0
SPACE = {"C": np.geomspace(0.01, 100, 10).tolist(), "gamma": np.geomspace(0.003, 0.3, 6).tolist()}


def data(n=800, d=20):
    X, y = make_classification(n, d, n_informative=10, n_redundant=2, flip_y=0.05, random_state=0)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def _folds(X, y):
    return list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y))


def ours(data):
    candidates = [{"C": C, "gamma": gamma} for C in SPACE["C"] for gamma in SPACE["gamma"]]
    return SVC().score_many(*data, candidates, _folds(*data), "accuracy")


def libsvm(data):
    found = GridSearchCV(svm.SVC(), SPACE, cv=_folds(*data), scoring="accuracy", refit=False).fit(*data)
    return np.column_stack([found.cv_results_[f"split{j}_test_score"] for j in range(5)])


RIVALS = {"scikit-learn": libsvm}


def equal(mine, theirs, data):
    return np.abs(mine - theirs).max() <= 1.01 / (len(data[1]) // 5)
