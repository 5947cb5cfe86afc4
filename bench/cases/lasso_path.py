"""A lasso path of 100 penalties on 5e4 x 1000; equal: our objective is no worse at any penalty."""

import numpy as np
from sklearn import linear_model

from ml_core.models import lasso

FLOOR, GOAL = 1.5, 3.0
TOL = 1e-4  # of scikit-learn and ours by default; looser than celer's own


def data(n=50_000, d=1000):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    w = np.zeros(d)
    w[:50] = rng.normal(size=50)
    return X, X @ w + rng.normal(size=n)


def ours(data):
    return lasso.lasso_path(*data, alphas=100)[:2]


def scikit_learn(data):
    return linear_model.lasso_path(*data, alphas=100)[:2]


def celer(data):
    from celer import celer_path

    return celer_path(*data, pb="lasso", n_alphas=100, eps=1e-3, tol=TOL)[:2]


def skglm(data):
    from skglm.estimators import Lasso

    alphas = penalties(*data)
    return Lasso(tol=TOL, fit_intercept=False).path(*data, alphas, return_n_iter=False)[:2]


def penalties(X, y):
    """The penalties that the others choose by themselves."""
    top = np.abs(X.T @ y).max() / len(y)
    return np.geomspace(top, top * 1e-3, 100)


RIVALS = {"scikit-learn": scikit_learn, "celer": celer, "skglm": skglm}


def equal(mine, theirs, data):
    (alphas, ours), (others, coefs), (X, y) = mine, theirs, data

    def objectives(W):
        return ((y[:, None] - X @ W) ** 2).sum(axis=0) / (2 * len(y)) + alphas * np.abs(W).sum(axis=0)

    return np.allclose(alphas, others) and (objectives(ours) <= objectives(coefs) * (1 + 1e-9)).all()
