"""NuSVC, 15 nu x 4 gamma x 5 folds on 800 x 20: score_many against GridSearchCV.

Equal: scores within two rows a fold, and their mean within 0.001.
"""

import numpy as np
import svm_grid
from sklearn import svm
from sklearn.model_selection import GridSearchCV

from ml_core.models.svm import NuSVC

FLOOR, GOAL = 10.0, 10.0
SPACE = {"nu": np.linspace(0.15, 0.85, 15).tolist(), "gamma": np.geomspace(0.02, 0.3, 4).tolist()}


data, _folds = svm_grid.data, svm_grid._folds


def ours(data):
    candidates = [{"nu": nu, "gamma": gamma} for gamma in SPACE["gamma"] for nu in SPACE["nu"]]
    return NuSVC().score_many(*data, candidates, _folds(*data), "accuracy")


def libsvm(data):
    found = GridSearchCV(svm.NuSVC(), SPACE, cv=_folds(*data), scoring="accuracy", refit=False).fit(*data)
    return np.column_stack([found.cv_results_[f"split{j}_test_score"] for j in range(5)])


RIVALS = {"scikit-learn": libsvm}


def equal(mine, theirs, data):
    apart = mine - theirs
    return np.abs(apart).max() <= 2.01 / (len(data[1]) // 5) and abs(apart.mean()) <= 1e-3
