"""Mean log loss over 10 seeds on 8 kinds of data, ours against LightGBM: none may be worse by more than
noise.

Equal: the mean over seeds of ours is not worse than LightGBM's by more than one standard error of the
difference, on the HIGGS-like events at 31 and 255 leaves, with missing values, with categories, and on
regression.
"""

import numpy as np
from boosting_categories import COLUMNS, _told
from boosting_fit import events, threads
from sklearn.metrics import log_loss

SHORT = {"n": 3_000, "seeds": 3}


def _holes(n, seed):
    X, y = events(n, seed)
    rng = np.random.default_rng(seed + 1000)
    X[rng.random(X.shape) < 0.1] = np.nan
    X[(rng.random(n) < 0.3 * (X[:, 3] > 1)), 24] = np.nan  # missing for a reason
    return X, y


KINDS = {
    "31 leaves": (events, 31),
    "255 leaves": (events, 255),
    "holes": (_holes, 31),
    "categories": (_told, 31),
}


def data(n=30_000, seeds=10):
    return {
        name: [(*make(n, 2 * seed + 10), *make(n, 2 * seed + 11), leaves) for seed in range(seeds)]
        for name, (make, leaves) in KINDS.items()
    }


def _losses(data, fit):
    return {
        name: np.array(
            [log_loss(part[3], fit(name, *part[:2], part[4]).predict_proba(part[2])) for part in parts]
        )
        for name, parts in data.items()
    }


def ours(data):
    from ml_core.models.boosting import GradientBoostingClassifier

    def fit(name, X, y, leaves):
        categories = COLUMNS if name == "categories" else None
        settings = {"categorical_features": categories, "early_stopping": False, "random_state": 0}
        return GradientBoostingClassifier(max_leaf_nodes=leaves, **settings).fit(X, y)

    return _losses(data, fit)


def lightgbm(data):
    import lightgbm

    def fit(name, X, y, leaves):
        model = lightgbm.LGBMClassifier(num_leaves=leaves, n_jobs=threads(), verbose=-1)
        return model.fit(X, y, categorical_feature=COLUMNS if name == "categories" else "auto")

    return _losses(data, fit)


RIVALS = {"LightGBM": lightgbm}


def equal(mine, theirs, data):
    worse = {name: mine[name] - theirs[name] for name in data}
    return all(off.mean() <= off.std(ddof=1) / np.sqrt(len(off)) for off in worse.values())
