"""LinearSVC on sparse rows like text, 5e4 x 5e4 with 100 of a power law each.

Equal: our objective is no worse.
"""

import numpy as np
from linear_svc_dense import objective
from scipy.sparse import csr_matrix
from sklearn import svm

from ml_core.models.linear_svm import LinearSVC

FLOOR, GOAL = 1.0, 2.0


def data(n=50_000, d=50_000, words=100):
    rng = np.random.default_rng(0)
    columns = np.minimum((d * rng.uniform(size=(n, words)) ** 3).astype(np.int32), d - 1)
    values = rng.exponential(size=(n, words))
    X = csr_matrix((values.ravel(), columns.ravel(), np.arange(0, n * words + 1, words)), shape=(n, d))
    X.sum_duplicates()
    X.data /= np.repeat(np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel()), np.diff(X.indptr))
    return X, (X @ rng.normal(size=d) + 0.3 * rng.normal(size=n) > 0).astype(int)


def ours(data):
    return LinearSVC().fit(*data)


def liblinear(data):
    return svm.LinearSVC().fit(*data)


RIVALS = {"scikit-learn": liblinear}


def equal(mine, theirs, data):
    return objective(mine, *data) <= objective(theirs, *data) * (1 + 1e-6)
