"""Probabilities of 1 row, 300 times in turn, by 100 trees with 31 leaves: what serving asks for.

Equal: AUC of those rows is not lower by more than 0.05.
"""

import numpy as np
from boosting_fit import events, fits
from sklearn.metrics import roc_auc_score

FLOOR, GOAL = 5, 20
SHORT = {"n": 100}
_ours, _all = fits("Classifier")
_fitted = {}


def data(n=300):
    return *events(100_000, 0), *events(n, 1)


def _asked(name, fit, data):
    if name not in _fitted:
        _fitted[name] = fit(data)
    model, rows = _fitted[name], data[2]
    return np.array([model.predict_proba(rows[i : i + 1])[0, 1] for i in range(len(rows))])


def ours(data):
    return _asked("ours", _ours, data)


def lightgbm(data):
    return _asked("lightgbm", _all["LightGBM"], data)


RIVALS = {"LightGBM": lightgbm}


def equal(mine, theirs, data):
    found = [roc_auc_score(data[3], shares) for shares in (mine, theirs)]
    return found[0] >= found[1] - 0.05
