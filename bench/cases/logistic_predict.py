"""Logistic regression on 500,000 x 50, predict. Equal: the same labels from the same coefficients."""

import numpy as np
from logistic_fit import data as rows
from sklearn import linear_model

from ml_core.models.logistic import LogisticRegression

FLOOR, GOAL = 1, 1.5
SHORT = {"n": 50_000, "d": 50}


def data(n=500_000, d=50):
    X, y = rows(n, d)
    mine = LogisticRegression().fit(X[::10], y[::10])
    theirs = linear_model.LogisticRegression().fit(X[:1000], y[:1000])
    theirs.coef_, theirs.intercept_ = mine.coef_, mine.intercept_
    return X, mine, theirs


def ours(data):
    return data[1].predict(data[0])


def scikit_learn(data):
    return data[2].predict(data[0])


RIVALS = {"scikit-learn": scikit_learn}


def equal(mine, theirs, data):
    return np.array_equal(mine, theirs)
