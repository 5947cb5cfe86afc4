"""Multinomial logistic regression, 10 classes on 50,000 x 200, fit.

Equal: our objective is no worse than the rival's.
"""

import numpy as np
from scipy.special import log_softmax
from sklearn import linear_model

from ml_core.models.logistic import LogisticRegression

FLOOR, GOAL = 2, 4
SHORT = {"n": 5_000, "d": 50}


def data(n=50_000, d=200):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d)) @ (np.eye(d) + 0.1 * rng.normal(size=(d, d)))
    return X, (X @ rng.normal(size=(d, 10)) / 10 + rng.gumbel(size=(n, 10))).argmax(axis=1)


def ours(data):
    return _lines(LogisticRegression().fit(*data))


def lbfgs(data):
    return _lines(linear_model.LogisticRegression(max_iter=1000).fit(*data))


def _lines(fitted):
    return np.column_stack([fitted.coef_, fitted.intercept_])


RIVALS = {"lbfgs": lbfgs}


def equal(mine, theirs, data):
    X, y = data

    def objective(lines):
        right = log_softmax(X @ lines[:, :-1].T + lines[:, -1], axis=1)[np.arange(len(y)), y]
        return -right.sum() + (lines[:, :-1] ** 2).sum() / 2

    return objective(mine) <= objective(theirs) * (1 + 1e-12)
