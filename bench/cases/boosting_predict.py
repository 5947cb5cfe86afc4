"""Probabilities of 200,000 rows x 28 by 100 trees with 31 leaves.

Equal: AUC as in ``boosting_fit``; each side asks its own fit on 100,000 rows.
"""

from boosting_fit import SLACK, events, fits
from sklearn.metrics import roc_auc_score

FLOOR, GOAL = 3, 5
SHORT = {"n": 50_000}
_ours, _all = fits("Classifier")
_fitted = {}


def data(n=200_000):
    return *events(100_000, 0), *events(n, 1)


def _asked(name, fit, data):
    if name not in _fitted:
        _fitted[name] = fit(data)
    return _fitted[name].predict_proba(data[2])[:, 1]


def ours(data):
    return _asked("ours", _ours, data)


def lightgbm(data):
    return _asked("lightgbm", _all["LightGBM"], data)


RIVALS = {"LightGBM": lightgbm}


def equal(mine, theirs, data):
    found = [roc_auc_score(data[3], shares) for shares in (mine, theirs)]
    return found[0] >= found[1] - SLACK
