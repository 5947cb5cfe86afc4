"""Ridge on 1_000_000 x 50, fit. Equal: coefficients within 1e-8 of the largest."""

import numpy as np
from sklearn import linear_model

from ml_core.models.linear import Ridge

FLOOR, GOAL = 3, 4
SHORT = {"n": 100_000, "d": 50}


def data(n=1_000_000, d=50):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d)) + rng.normal(size=d)
    return X, X @ rng.normal(size=d) + rng.normal(size=n)


def ours(data):
    return Ridge().fit(*data).coef_


def scikit_learn(data):
    return linear_model.Ridge().fit(*data).coef_


RIVALS = {"scikit-learn": scikit_learn}


def equal(mine, theirs, data):
    return np.abs(mine - theirs).max() <= 1e-8 * np.abs(theirs).max()
