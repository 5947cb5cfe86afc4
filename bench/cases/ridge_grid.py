"""Ridge, 50 penalties x 5 folds on 200,000 x 100: score_many against GridSearchCV and against one fit.

Equal: every score within 1e-9. The second rival says what the whole grid costs in scikit-learn's fits: a
ratio above 1 / 1.5 means less than one and a half.
"""

import os

import numpy as np
from sklearn import linear_model
from sklearn.model_selection import GridSearchCV, KFold

from ml_core.models.linear import Ridge

FLOOR = {"GridSearchCV": 200, "one Ridge fit": 1 / 1.5}
GOAL = {"GridSearchCV": 200, "one Ridge fit": 1}
SHORT = {"n": 20_000, "d": 30}
ALPHAS = np.geomspace(1e-3, 1e5, 50)


def data(n=200_000, d=100):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d)) + rng.normal(size=d)
    return X, X @ rng.normal(size=d) + rng.normal(size=n)


def _folds(X):
    return list(KFold(5, shuffle=True, random_state=0).split(X))


def ours(data):
    return Ridge().score_many(*data, [{"alpha": alpha} for alpha in ALPHAS], _folds(data[0]), "r2")


def grid_search(data):
    search = GridSearchCV(
        linear_model.Ridge(),
        {"alpha": ALPHAS},
        cv=_folds(data[0]),
        scoring="r2",
        refit=False,
        n_jobs=int(os.environ["OMP_NUM_THREADS"]),
    ).fit(*data)
    return np.column_stack([search.cv_results_[f"split{j}_test_score"] for j in range(5)])


def one_fit(data):
    linear_model.Ridge().fit(*data)


RIVALS = {"GridSearchCV": grid_search, "one Ridge fit": one_fit}


def equal(mine, theirs, data):
    return theirs is None or np.allclose(mine, theirs, rtol=1e-9, atol=0)
