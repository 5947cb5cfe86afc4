"""Logistic regression on 500,000 x 50, predict_proba.

Equal: probabilities within 1e-12, from the same coefficients.
"""

import numpy as np
from logistic_predict import SHORT, data

FLOOR, GOAL = 1, 1.5
__all__ = ["SHORT", "data"]


def ours(data):
    return data[1].predict_proba(data[0])


def scikit_learn(data):
    return data[2].predict_proba(data[0])


RIVALS = {"scikit-learn": scikit_learn}


def equal(mine, theirs, data):
    return np.abs(mine - theirs).max() <= 1e-12
