"""LinearSVC, squared hinge, 2e5 x 50, against liblinear; equal: our objective is no worse."""

import numpy as np
from sklearn import svm
from sklearn.datasets import make_classification

from ml_core.models.linear_svm import LinearSVC

FLOOR, GOAL = 3.0, 6.0


def data(n=200_000, d=50):
    return make_classification(n, d, n_informative=20, flip_y=0.05, random_state=0)


def ours(data):
    return LinearSVC().fit(*data)


def liblinear(data):
    return svm.LinearSVC().fit(*data)


RIVALS = {"scikit-learn": liblinear}


def objective(model, X, y):
    loss = np.maximum(1 - np.where(y > 0, 1, -1) * model.decision_function(X), 0) ** 2
    return ((model.coef_**2).sum() + (model.intercept_**2).sum()) / 2 + loss.sum()


def equal(mine, theirs, data):
    return objective(mine, *data) <= objective(theirs, *data) * (1 + 1e-9)
