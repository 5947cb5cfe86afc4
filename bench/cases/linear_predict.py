"""LinearRegression on 1_000_000 x 50, predict. Equal: predictions within 1e-9 of the largest."""

import numpy as np
from linear_fit import data as rows
from sklearn import linear_model

from ml_core.models.linear import LinearRegression

FLOOR, GOAL = 1, 1.5
SHORT = {"n": 100_000, "d": 50}


def data(n=1_000_000, d=50):
    X, y = rows(n, d)
    some = X[::10], y[::10]
    return X, LinearRegression().fit(*some), linear_model.LinearRegression().fit(*some)


def ours(data):
    return data[1].predict(data[0])


def scikit_learn(data):
    return data[2].predict(data[0])


RIVALS = {"scikit-learn": scikit_learn}


def equal(mine, theirs, data):
    return np.abs(mine - theirs).max() <= 1e-9 * np.abs(theirs).max()
