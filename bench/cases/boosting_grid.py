"""A grid of 30 boosting candidates x 5 folds on 100,000 x 28, score_many against GridSearchCV of LightGBM.

Equal: the best mean AUC is lower by 0.002 at most.
"""

import numpy as np
from boosting_fit import events, threads
from sklearn.model_selection import GridSearchCV, StratifiedKFold

FLOOR, GOAL = 3, 6
SHORT = {"n": 4_000}
GRID = {"max_iter": [20, 40, 60, 80, 100], "max_leaf_nodes": [15, 31], "learning_rate": [0.05, 0.1, 0.2]}
NAMES = {"max_iter": "n_estimators", "max_leaf_nodes": "num_leaves", "learning_rate": "learning_rate"}


def data(n=100_000):
    return events(n, 0)


def _folds(X, y):
    return list(StratifiedKFold(5).split(X, y))


def ours(data):
    from sklearn.model_selection import ParameterGrid

    from ml_core.models.boosting import GradientBoostingClassifier

    model = GradientBoostingClassifier(early_stopping=False)
    return model.score_many(*data, list(ParameterGrid(GRID)), _folds(*data), "roc_auc")


def grid_search(data):
    import lightgbm

    model = lightgbm.LGBMClassifier(n_jobs=1, verbose=-1)
    grid = {NAMES[name]: values for name, values in GRID.items()}
    search = GridSearchCV(model, grid, cv=_folds(*data), scoring="roc_auc", refit=False, n_jobs=threads())
    search.fit(*data)
    return np.column_stack([search.cv_results_[f"split{j}_test_score"] for j in range(5)])


RIVALS = {"GridSearchCV": grid_search}


def equal(mine, theirs, data):
    return mine.mean(axis=1).max() >= theirs.mean(axis=1).max() - 0.002
