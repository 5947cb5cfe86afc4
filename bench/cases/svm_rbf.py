"""SVC and NuSVC with an rbf kernel, 1e4 x 20, against libsvm.

Equal: dual objective within 1e-4, labels within 0.2 %.
"""

import numpy as np
from sklearn import svm
from sklearn.datasets import make_classification

from ml_core.models.svm import SVC, NuSVC

FLOOR, GOAL = 1.2, 4.0
OPTIONS = {"SVC": {"C": 1.0}, "NuSVC": {"nu": 0.5}}


def data(n=10_000, d=20):
    X, y = make_classification(n, d, n_informative=10, n_redundant=2, flip_y=0.05, random_state=0)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def ours(data):
    return [kind(**OPTIONS[kind.__name__]).fit(*data) for kind in (SVC, NuSVC)]


def libsvm(data):
    return [kind(**OPTIONS[kind.__name__]).fit(*data) for kind in (svm.SVC, svm.NuSVC)]


RIVALS = {"scikit-learn": libsvm}


def equal(mine, theirs, data):
    X = data[0]
    same = [np.mean(a.predict(X) == b.predict(X)) > 0.998 for a, b in zip(mine, theirs, strict=True)]
    support = [abs(len(a.support_) / len(b.support_) - 1) < 0.01 for a, b in zip(mine, theirs, strict=True)]
    return all(same) and all(support)
