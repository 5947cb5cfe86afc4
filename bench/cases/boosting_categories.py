"""Gradient boosting of 100 trees with 31 leaves on 300,000 x 28, of which 10 columns are categories.

Equal: as ``boosting_fit``.
"""

import numpy as np
from boosting_fit import equal, events, threads

FLOOR, GOAL = 1.2, 2
COLUMNS, LEVELS = list(range(10)), 60
__all__ = ["equal"]


def _told(n, seed):
    """Some columns become categories whose order means nothing; some of their values matter."""
    X, y = events(n, seed)
    names = np.random.default_rng(9).permutation(LEVELS)
    for j in COLUMNS:
        rank = np.clip((X[:, j] - X[:, j].min()) * 8, 0, LEVELS - 1).astype(int)
        X[:, j] = names[(rank + 7 * j) % LEVELS]
    return X, y


def data(n=300_000):
    return *_told(n, 0), *_told(60_000, 1)


def ours(data):
    from ml_core.models.boosting import GradientBoostingClassifier

    return GradientBoostingClassifier(categorical_features=COLUMNS, early_stopping=False).fit(*data[:2])


def lightgbm(data):
    import lightgbm

    model = lightgbm.LGBMClassifier(n_jobs=threads(), verbose=-1)
    return model.fit(*data[:2], categorical_feature=COLUMNS)


RIVALS = {"LightGBM": lightgbm}
