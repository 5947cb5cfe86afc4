"""Gaussian naive Bayes on 1,000,000 x 50, fit. Equal: variances within 1e-9."""

import numpy as np
from sklearn import naive_bayes

from ml_core.models.bayes import GaussianNB

FLOOR, GOAL = 20, 40
SHORT = {"n": 100_000, "d": 50}


def data(n=1_000_000, d=50):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d)) + rng.normal(size=d)
    return X, X[:, 0] + rng.normal(size=n) > 1


def ours(data):
    return GaussianNB().fit(*data).var_


def scikit_learn(data):
    return naive_bayes.GaussianNB().fit(*data).var_


RIVALS = {"scikit-learn": scikit_learn}


def equal(mine, theirs, data):
    return np.allclose(mine, theirs, rtol=1e-9, atol=0)
