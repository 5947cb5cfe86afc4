"""Multinomial naive Bayes on sparse counts like text, 1e6 x 5e4 with 100 of a power law a row, fit.

Equal: log probabilities within 1e-9.
"""

import numpy as np
from scipy.sparse import csr_matrix
from sklearn import naive_bayes

from ml_core.models.bayes_counts import MultinomialNB

FLOOR, GOAL = 1, 2
SHORT = {"n": 100_000, "d": 50_000, "words": 100}


def data(n=1_000_000, d=50_000, words=100):
    rng = np.random.default_rng(0)
    columns = rng.random((n, words), np.float32)
    np.multiply(columns**3, d, out=columns)
    columns = np.minimum(columns.astype(np.int32), d - 1)
    y = columns[:, :30].mean(axis=1) + rng.normal(0, d / 20, n) > d / 4
    counts = rng.integers(1, 4, n * words).astype(np.float64)
    return csr_matrix((counts, columns.ravel(), np.arange(0, n * words + 1, words)), shape=(n, d)), y


def ours(data):
    return MultinomialNB().fit(*data).feature_log_prob_


def scikit_learn(data):
    return naive_bayes.MultinomialNB().fit(*data).feature_log_prob_


RIVALS = {"scikit-learn": scikit_learn}


def equal(mine, theirs, data):
    return np.allclose(mine, theirs, rtol=1e-9, atol=0)
