"""A fitted booster at rest: what is kept of it, and whether what comes back points nowhere outside of itself.

Letters: d columns, m nodes of a tree.
"""

import numpy as np
from sklearn.base import BaseEstimator

from ml_core.kernels.bins import MOST
from ml_core.models.binning import Bins


def state_of(model):
    """What pickles and files keep: the trees, not their joined copy, made and checked at first use."""
    state = dict(BaseEstimator.__getstate__(model))
    state.pop("_forest", None)
    return state


def forest_of(model):
    """The model's trees joined; after loading, only when every index stays inside its array."""
    if "_forest" not in model.__dict__:
        check(model)
        model._forest = model._trees.forest(len(model._start))
    return model._forest


def check(model):
    """ValueError where a tree or the bins would lead compiled code out of bounds, or round in a circle."""
    bins, d = model._bins, model.n_features_in_
    _must(len(bins.edges) == len(bins.categorical) == d, "the bins of a booster")
    sizes = np.array([len(edges) for edges in bins.edges])
    _must(sizes + ~np.asarray(bins.categorical, bool) <= MOST, "the bins of a booster")
    model._bins = Bins(
        [np.asarray(edges, np.float64) for edges in bins.edges], np.asarray(bins.categorical, bool)
    )
    for tree in model._trees.grown:
        left, m = np.asarray(tree["left"], np.int64), len(tree["left"])
        shapes = [np.shape(tree[name]) for name in ("column", "value", "bits")]
        _must(m > 0 and shapes == [(m,), (m,), (m, 4)], "a boosted tree")
        inner = np.flatnonzero(left != 0)
        _must((left[inner] > inner) & (left[inner] + 1 < m), "a boosted tree")
        _must((tree["column"] >= 0) & (tree["column"] < d), "a boosted tree")


def _must(fine, what):
    if not np.all(fine):
        raise ValueError(
            f"{what} points outside of itself: the model was changed after it was saved. Fit it anew"
        )
