"""Boosting that was fitted elsewhere: its trees as ours, and the models that serve them.

Letters: n rows, d columns, m nodes of a tree, q columns of raw sums.
"""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from ml_core.kernels.trees import Trees, join, side_by_side
from ml_core.models.forest_methods import rows_of
from ml_core.models.tree_raw import RawEnsemble

NAMES = ("n_features_in_", "feature_names_in_")


def raw_sums(model, X):
    """Sums of the leaves' values (n, q) on top of what the model starts from."""
    X = rows_of(model, X)
    raw = np.tile(model._start, (len(X), 1))
    model._ensemble.add(X, raw)
    return raw / model._parts


class ImportedRegressor(RegressorMixin, BaseEstimator):
    """A boosted model for numbers that was fitted elsewhere. link: "identity" or "exp"."""

    def __init__(self, link="identity"):
        self.link = link

    def fit(self, X, y=None):
        """Refused: the model came fitted."""
        raise TypeError("an imported model is served as it came; fit GradientBoostingRegressor instead")

    def predict(self, X):
        """X (n, d) -> (n,)."""
        raw = raw_sums(self, X)[:, 0]
        return np.exp(raw) if self.link == "exp" else raw


class ImportedClassifier(ClassifierMixin, BaseEstimator):
    """A boosted classifier that was fitted elsewhere. link: "sigmoid" or "softmax"."""

    def __init__(self, link="sigmoid"):
        self.link = link

    def fit(self, X, y=None):
        """Refused: the model came fitted."""
        raise TypeError("an imported model is served as it came; fit GradientBoostingClassifier instead")

    def decision_function(self, X):
        """X (n, d) -> raw sums (n,), or (n, q) for more than two classes."""
        raw = raw_sums(self, X)
        return raw[:, 0] if self.link == "sigmoid" else raw

    def predict_proba(self, X):
        """X (n, d) -> probabilities (n, q)."""
        raw = self.decision_function(X)
        if self.link == "sigmoid":
            from scipy.special import expit

            share = expit(raw)
            return np.column_stack([1 - share, share])
        up = np.exp(raw - raw.max(axis=1, keepdims=True))
        return up / up.sum(axis=1, keepdims=True)

    def predict(self, X):
        """X (n, d) -> labels (n,)."""
        raw = self.decision_function(X)
        return self.classes_[(raw > 0).astype(int) if raw.ndim == 1 else raw.argmax(axis=1)]


def one_tree(arrays, output=0):
    """arrays: dict of left, right (-1 in leaves), column, threshold, missing_left (m,), value (m, q); where
    there are sets, sets (m, 4) and has_set (m,).
    """
    order, left = side_by_side(np.asarray(arrays["left"]), np.asarray(arrays["right"]))
    m = len(order)
    if m != len(arrays["left"]):
        raise ValueError(f"the tree has {len(arrays['left'])} nodes, of which {m} can be reached")
    leaf = left == np.arange(m)
    has_set = np.asarray(arrays.get("has_set", np.zeros(m)), bool)[order]
    return Trees(
        np.where(leaf, 0, np.asarray(arrays["column"])[order]).astype(np.int32),
        np.zeros(m, np.uint8),
        np.where(leaf, 0, np.asarray(arrays["threshold"], np.float64)[order]),
        left.astype(np.int32),
        np.asarray(arrays["missing_left"], bool)[order] & ~leaf,
        np.where(has_set, np.cumsum(has_set) - 1, -1).astype(np.int32),
        np.asarray(arrays.get("sets", np.zeros((m, 4))), np.uint64)[order][has_set],
        np.ascontiguousarray(np.asarray(arrays["value"], np.float64)[order]),
        np.array([0, m]),
        np.array([output], np.int32),
    ), order


def served(ours, found, start, model, parts=1):
    """ours, an imported model, with its trees; found: [(tree, training rows of its nodes (m,))]."""
    vars(ours).update({one: getattr(model, one) for one in NAMES if hasattr(model, one)})
    ours._start, ours._parts, ours._rows = start, parts, np.concatenate([rows for _, rows in found])
    trees = join([tree for tree, _ in found])
    categorical = tuple(np.unique(trees.column[trees.set_of >= 0]).tolist())
    ours._ensemble = RawEnsemble(None, trees, len(start), False, ours.n_features_in_, categorical)
    ours._ensemble.check()
    return ours
