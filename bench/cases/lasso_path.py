"""A lasso path of 100 penalties on 5e4 x 1000; equal: our objective is no worse at any penalty."""

import numpy as np
from sklearn import linear_model

from ml_core.models import lasso

FLOOR, GOAL = 1.5, 3.0


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


RIVALS = {"scikit-learn": scikit_learn}


def equal(mine, theirs, data):
    (alphas, ours), (others, coefs), (X, y) = mine, theirs, data

    def objectives(W):
        return ((y[:, None] - X @ W) ** 2).sum(axis=0) / (2 * len(y)) + alphas * np.abs(W).sum(axis=0)

    return np.allclose(alphas, others) and (objectives(ours) <= objectives(coefs) * (1 + 1e-9)).all()
