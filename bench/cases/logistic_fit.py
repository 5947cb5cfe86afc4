"""Logistic regression on 500,000 x 50 of correlated columns, fit.

Equal: our objective is no worse than the rival's.
"""

import numpy as np
from sklearn import linear_model

from ml_core.models.logistic import LogisticRegression

FLOOR = {"lbfgs": 8, "newton-cholesky": 5}
GOAL = {"lbfgs": 18, "newton-cholesky": 10}
SHORT = {"n": 50_000, "d": 50}


def data(n=500_000, d=50):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d)) @ (np.eye(d) + 0.3 * rng.normal(size=(d, d)))
    return X, rng.random(n) < 1 / (1 + np.exp(-X @ rng.normal(size=d) / 4 - 0.3))


def ours(data):
    return _line(LogisticRegression().fit(*data))


def lbfgs(data):
    return _line(linear_model.LogisticRegression(max_iter=1000).fit(*data))


def newton_cholesky(data):
    return _line(linear_model.LogisticRegression(solver="newton-cholesky").fit(*data))


def _line(fitted):
    return np.append(fitted.coef_[0], fitted.intercept_)


RIVALS = {"lbfgs": lbfgs, "newton-cholesky": newton_cholesky}


def equal(mine, theirs, data):
    X, y = data

    def objective(line):
        margin = np.where(y, 1, -1) * (X @ line[:-1] + line[-1])
        return np.logaddexp(0, -margin).sum() + line[:-1] @ line[:-1] / 2

    return objective(mine) <= objective(theirs) * (1 + 1e-12)
