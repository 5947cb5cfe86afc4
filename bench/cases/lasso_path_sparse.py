"""A lasso path of 30 penalties on sparse 100,000 x 100,000; equal: our objective is no worse at any penalty.

Each path ends where some hundred columns live: from the least penalty at which all is zero down to a tenth.
"""

import numpy as np
from scipy.sparse import csc_array
from sklearn import linear_model

from ml_core.models import lasso

FLOOR, GOAL = 1.5, 3.0
TOL = 1e-4  # of scikit-learn and ours by default; looser than celer's own
SHORT = {"n": 10_000, "d": 10_000}


def data(n=100_000, d=100_000):
    rng = np.random.default_rng(0)
    columns = rng.integers(0, d, (n, 50), dtype=np.int32)
    X = csc_array(
        (rng.random(n * 50), (np.repeat(np.arange(n, dtype=np.int32), 50), columns.ravel())), shape=(n, d)
    )
    w = np.zeros(d)
    w[rng.choice(d, 100, replace=False)] = 5 * rng.normal(size=100)
    return X, X @ w + 0.1 * rng.normal(size=n)


def ours(data):
    return lasso.lasso_path(*data, alphas=30, eps=0.1)[:2]


def scikit_learn(data):
    return linear_model.lasso_path(*data, alphas=30, eps=0.1)[:2]


def celer(data):
    from celer import celer_path

    return celer_path(*data, pb="lasso", n_alphas=30, eps=0.1, tol=TOL)[:2]


def skglm(data):
    from skglm.estimators import Lasso

    alphas = penalties(*data)
    return Lasso(tol=TOL, fit_intercept=False).path(*data, alphas, return_n_iter=False)[:2]


def penalties(X, y):
    """The penalties that the others choose by themselves."""
    top = np.abs(X.T @ y).max() / len(y)
    return np.geomspace(top, top * 0.1, 30)


RIVALS = {"scikit-learn": scikit_learn, "celer": celer, "skglm": skglm}


def equal(mine, theirs, data):
    (alphas, ours), (others, coefs), (X, y) = mine, theirs, data

    def objectives(W):
        return ((y[:, None] - X @ W) ** 2).sum(axis=0) / (2 * len(y)) + alphas * np.abs(W).sum(axis=0)

    return np.allclose(alphas, others) and (objectives(ours) <= objectives(coefs) * (1 + 1e-9)).all()
