"""Multinomial logistic regression, 10 classes on 200,000 x 200, predict_proba.

Equal: probabilities within 1e-12, from the same coefficients.
"""

import numpy as np
from multinomial_fit import data as rows
from sklearn import linear_model

from ml_core.models.logistic import LogisticRegression

FLOOR, GOAL = 1, 1.2
SHORT = {"n": 20_000, "d": 50}


def data(n=200_000, d=200):
    X, y = rows(n, d)
    mine = LogisticRegression(tol=1e-2).fit(X[::20], y[::20])
    theirs = linear_model.LogisticRegression(max_iter=3).fit(X[:1000], y[:1000])
    theirs.coef_, theirs.intercept_ = mine.coef_, mine.intercept_
    return X, mine, theirs


def ours(data):
    return data[1].predict_proba(data[0])


def scikit_learn(data):
    return data[2].predict_proba(data[0])


RIVALS = {"scikit-learn": scikit_learn}


def equal(mine, theirs, data):
    return np.abs(mine - theirs).max() <= 1e-12
