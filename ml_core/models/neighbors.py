"""Nearest neighbours: scikit-learn's classifier and regressor on exact searches.

Letters: X (n, d), y (n,) or (n, t), m queries, k neighbours, q classes.
Of equally far points the earlier row is nearer. Up to 2e8 pairs of a query and a point NumPy alone
searches, and no compiler is waited for; larger searches run kernels that Numba compiles once a machine.
Both give the same bits, at any number of threads. Sparse X, where too large to fill in, is searched as it is.
"""

import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ml_core.models.neighborhood import CONSTRAINTS, find, graph, remember, weigh
from ml_core.models.validate import FLOATS, validated


class KNeighborsClassifier(MultiOutputMixin, ClassifierMixin, BaseEstimator):
    """The most frequent class among the k nearest points.

    Parameters
    ----------
    n_neighbors : int
    weights : {"uniform", "distance"}, callable or None
        "distance" weighs a neighbour by the inverse of its distance; a function takes distances (m, k).
    algorithm : {"auto", "ball_tree", "kd_tree", "brute"}
        Where to look, never what is found: "auto" takes a tree where it is faster; both trees are one.
    leaf_size : int
        Taken for scikit-learn's sake: leaves are as wide as a vector loop likes them.
    p : float
        Power of the Minkowski metric.
    metric : {"minkowski", "euclidean", "manhattan", "chebyshev", "cosine", "precomputed", ...}
        Also "l1", "l2" and "cityblock"; others, and functions, are refused.
    metric_params : dict or None
        {"p": ...} at most.
    n_jobs : int or None
        Threads; None takes all this process may use.
    """

    _parameter_constraints = CONSTRAINTS

    def __init__(
        self,
        n_neighbors=5,
        *,
        weights="uniform",
        algorithm="auto",
        leaf_size=30,
        p=2,
        metric="minkowski",
        metric_params=None,
        n_jobs=None,
    ):
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.p = p
        self.metric = metric
        self.metric_params = metric_params
        self.n_jobs = n_jobs

    def fit(self, X, y):
        """Keep X (n, d) and y (n,) or (n, t); learn classes_, a list of them where y has several columns."""
        self._validate_params()
        X, y = validated(self, X, y, dtype=FLOATS, order="C", accept_sparse="csr", multi_output=True)
        check_classification_targets(y)
        self.outputs_2d_ = y.ndim == 2 and y.shape[1] > 1
        if y.ndim == 2 and not self.outputs_2d_:
            from sklearn.exceptions import DataConversionWarning

            warnings.warn(
                "A column-vector y was passed when a 1d array was expected. Please change the shape of y to "
                "(n_samples,), for example using ravel().",
                DataConversionWarning,
                stacklevel=2,
            )
        found = [np.unique(column, return_inverse=True) for column in y.reshape(len(y), -1).T]
        self._y = np.stack([codes for _, codes in found], axis=1)
        self.classes_ = [classes for classes, _ in found]
        if not self.outputs_2d_:
            self.classes_, self._y = self.classes_[0], self._y[:, 0]
        remember(self, X)
        return self

    def kneighbors(self, X=None, n_neighbors=None, return_distance=True):
        """Distances (m, k) and indices (m, k) of the points nearest to X (m, d), or each to the others."""
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        distance, index = find(self, X, k)
        return (distance, index) if return_distance else index

    def kneighbors_graph(self, X=None, n_neighbors=None, mode="connectivity"):
        """CSR (m, n) with ones ("connectivity") or distances ("distance") at the nearest points."""
        return graph(self, X, self.n_neighbors if n_neighbors is None else n_neighbors, mode)

    def _votes(self, X):
        """Votes (m, q), for each column of y."""
        distance, index = find(self, X, self.n_neighbors)
        weight = weigh(self, distance)
        m, k = index.shape
        rows = np.arange(m)
        several = self.classes_ if self.outputs_2d_ else [self.classes_]
        columns = self._y.T if self.outputs_2d_ else [self._y]
        for classes, codes in zip(several, columns, strict=True):
            votes, chosen = np.zeros((m, len(classes))), codes[index]
            if weight is None and len(classes) <= k:
                for c in range(len(classes)):
                    votes[:, c] = np.count_nonzero(chosen == c, axis=1)
            else:
                for j in range(k):
                    votes[rows, chosen[:, j]] += 1.0 if weight is None else weight[:, j]
            yield votes

    def predict(self, X):
        """X (m, d) -> labels (m,) or (m, t); of classes with equal votes the first in ``classes_``."""
        check_is_fitted(self)
        labels = [votes.argmax(axis=1) for votes in self._votes(X)]
        if not self.outputs_2d_:
            return self.classes_[labels[0]]
        named = [classes[codes] for classes, codes in zip(self.classes_, labels, strict=True)]
        return np.stack(named, axis=1)

    def predict_proba(self, X):
        """X (m, d) -> shares of the votes (m, q), a list of them where y has several columns."""
        check_is_fitted(self)
        shares = []
        for votes in self._votes(X):
            total = votes.sum(axis=1, keepdims=True)
            shares.append(votes / np.where(total == 0, 1, total))
        return shares if self.outputs_2d_ else shares[0]

    def score_many(self, X, y, candidates, folds, scorer=None):
        """Scores (candidates, folds), equal to one fit at a time; one search serves every k and weighting."""
        from ml_core.models.neighbors_path import score_all

        return score_all(self, X, y, candidates, folds, scorer)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.pairwise = tags.input_tags.positive_only = self.metric == "precomputed"
        tags.classifier_tags.multi_label = True
        return tags


class KNeighborsRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Mean or median of the k nearest points' targets.

    Parameters
    ----------
    aggregate : {"mean", "median"}
        The median survives outliers among the targets; with weights it is the weighted median, half way
        between its lower and upper one as NumPy's is.

    The other parameters are KNeighborsClassifier's.
    """

    _parameter_constraints = CONSTRAINTS | {"aggregate": [StrOptions({"mean", "median"})]}

    def __init__(
        self,
        n_neighbors=5,
        *,
        weights="uniform",
        algorithm="auto",
        leaf_size=30,
        p=2,
        metric="minkowski",
        metric_params=None,
        n_jobs=None,
        aggregate="mean",
    ):
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.p = p
        self.metric = metric
        self.metric_params = metric_params
        self.n_jobs = n_jobs
        self.aggregate = aggregate

    def fit(self, X, y):
        """Keep X (n, d) and y (n,) or (n, t)."""
        self._validate_params()
        X, self._y = validated(
            self, X, y, dtype=FLOATS, order="C", accept_sparse="csr", multi_output=True, y_numeric=True
        )
        remember(self, X)
        return self

    kneighbors = KNeighborsClassifier.kneighbors
    kneighbors_graph = KNeighborsClassifier.kneighbors_graph

    def predict(self, X):
        """X (m, d) -> (m,) or (m, t)."""
        distance, index = find(self, X, self.n_neighbors)
        weight = weigh(self, distance)
        near = self._y[index]
        if self.aggregate == "median":
            return np.median(near, axis=1) if weight is None else weighted_median(near, weight)
        if weight is None:
            return near.mean(axis=1)
        weight = weight / weight.sum(axis=1, keepdims=True)
        return np.einsum("mk,mk...->m...", weight, near)

    def score_many(self, X, y, candidates, folds, scorer=None):
        """Scores (candidates, folds), equal to one fit at a time; one search serves every k and weighting."""
        from ml_core.models.neighbors_path import score_all

        return score_all(self, X, y, candidates, folds, scorer)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.pairwise = tags.input_tags.positive_only = self.metric == "precomputed"
        return tags


def weighted_median(values, weight):
    """values (m, k) or (m, k, t), weight (m, k) -> (m,) or (m, t): half of the weight lies on either side."""
    if values.ndim == 3:
        return np.stack([weighted_median(column, weight) for column in np.moveaxis(values, 2, 0)], axis=1)
    order = np.argsort(values, axis=1, kind="stable")
    values = np.take_along_axis(values, order, axis=1)
    below = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    # sums of equal weights meet the half but for rounding
    half, slack = below[:, -1:] / 2, 1e-12 * below[:, -1:]
    low, high = (below >= half - slack).argmax(axis=1), (below > half + slack).argmax(axis=1)
    rows = np.arange(len(values))
    return (values[rows, low] + values[rows, high]) / 2
