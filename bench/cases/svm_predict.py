"""SVC with an rbf kernel, labels of 20,000 x 20 by a machine of some 3,000 support vectors.

Each predicts by its own fit. Equal: labels but for 0.2 %.
"""

from sklearn import svm
from svm_rbf import data as classes

from ml_core.models.svm import SVC

FLOOR, GOAL = 1.2, 4.0


def data(n=20_000, d=20):
    X, y = classes(n, d)
    some = X[: n // 2], y[: n // 2]
    return X, SVC().fit(*some), svm.SVC().fit(*some)


def ours(data):
    return data[1].predict(data[0])


def libsvm(data):
    return data[2].predict(data[0])


RIVALS = {"scikit-learn": libsvm}


def equal(mine, theirs, data):
    return (mine == theirs).mean() > 0.998
