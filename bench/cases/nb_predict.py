"""Gaussian naive Bayes on 1,000,000 x 50, predict. Equal: the same labels."""

import numpy as np
from sklearn import naive_bayes

from ml_core.models.bayes import GaussianNB

FLOOR, GOAL = 20, 35
SHORT = {"n": 100_000, "d": 50}


def data(n=1_000_000, d=50):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d)) + rng.normal(size=d)
    y = X[:, 0] + rng.normal(size=n) > 1
    some = X[::10], y[::10]
    return X, GaussianNB().fit(*some), naive_bayes.GaussianNB().fit(*some)


def ours(data):
    return data[1].predict(data[0])


def scikit_learn(data):
    return data[2].predict(data[0])


RIVALS = {"scikit-learn": scikit_learn}


def equal(mine, theirs, data):
    return np.array_equal(mine, theirs)
