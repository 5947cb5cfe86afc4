"""Quantiles from a forest: the targets of the training rows that share a row's leaves.

Meinshausen 2006, "Quantile regression forests". Letters: n rows, t trees, k training rows, p quantiles.
"""

import numpy as np

from ml_core.models.forest_methods import apply, predict_value, rows_of

BATCH = 1 << 22  # weights of (row, training row) pairs held at once


def remember_targets(model, X, y, weight):
    """Keep y (k,) and the leaf of each training row in each tree (k, t), where keep_targets asks for it."""
    if not model.keep_targets:
        return model
    from ml_core.models.forest_fit import Draw
    from ml_core.models.forest_learn import draws_of
    from ml_core.models.forest_oob import drawn

    draw = Draw(len(X), weight, model.bootstrap, draws_of(model, len(X), weight))
    order = np.argsort(y, kind="stable")
    leaf = model._ensemble.leaves(X)[order]
    times = np.stack([drawn(draw, seed) for seed in model._seeds], axis=1)[order]
    model._targets = (y[order], leaf, times.astype(np.float32))
    return model


def predict_or_quantiles(self, X, quantiles=None):
    """X (n, d) -> means (n,), or with quantiles (p,) in [0, 1], of the targets that share its leaves, (n, p).

    Quantiles need ``keep_targets=True`` at fit.
    """
    if quantiles is None:
        return predict_value(self, X)
    asked = np.atleast_1d(np.asarray(quantiles, np.float64))
    if asked.ndim != 1 or not ((asked >= 0) & (asked <= 1)).all():
        raise ValueError(f"quantiles must lie in [0, 1], got {quantiles!r}")
    X = rows_of(self, X)
    if not hasattr(self, "_targets"):
        raise ValueError("quantiles need the targets of the training rows; fit with keep_targets=True")
    y, leaf, times = self._targets
    reached = apply(self, X)
    found, step = np.empty((len(X), len(asked))), max(1, BATCH // len(y))
    for first in range(0, len(X), step):
        share = _shares(reached[first : first + step], leaf, times)
        below = np.cumsum(share, axis=1)
        # the last sum is 1 but for rounding
        for i, q in enumerate(asked):
            at = (below < q * below[:, -1:] * (1 - 1e-12)).sum(axis=1)
            found[first : first + step, i] = y[np.minimum(at, len(y) - 1)]
    return found


predict_or_quantiles.__name__ = "predict"  # scikit-learn's scorers ask a method for its name


def _shares(reached, leaf, times):
    """Weight (n, k) of training rows for rows that reach these leaves (n, t): their mean share of a leaf."""
    share = np.zeros((len(reached), len(leaf)))
    for tree in range(leaf.shape[1]):
        weight = np.bincount(leaf[:, tree], times[:, tree])
        own = times[:, tree] / weight[leaf[:, tree]].clip(1e-300)
        share += np.where(reached[:, tree, None] == leaf[None, :, tree], own, 0)
    return share / leaf.shape[1]
