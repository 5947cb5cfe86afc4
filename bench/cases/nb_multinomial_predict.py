"""Multinomial naive Bayes on sparse counts like text, 1e6 x 5e4 with 100 of a power law a row, predict.

Equal: the same labels.
"""

import numpy as np
from nb_multinomial_fit import data as text
from sklearn import naive_bayes

from ml_core.models.bayes_counts import MultinomialNB

FLOOR, GOAL = 1, 2
SHORT = {"n": 100_000, "d": 50_000, "words": 100}


def data(n=1_000_000, d=50_000, words=100):
    X, y = text(n, d, words)
    some = X[: n // 10], y[: n // 10]
    return X, MultinomialNB().fit(*some), naive_bayes.MultinomialNB().fit(*some)


def ours(data):
    return data[1].predict(data[0])


def scikit_learn(data):
    return data[2].predict(data[0])


RIVALS = {"scikit-learn": scikit_learn}


def equal(mine, theirs, data):
    return np.array_equal(mine, theirs)
