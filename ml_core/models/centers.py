"""What is asked of fitted centers, whichever way they were found: the methods that k-means models share.

Letters: X (n, d), k centers.
"""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from ml_core.kernels import lloyd, threads, workers
from ml_core.kernels.distance import across
from ml_core.kernels.sparse_rows import SparseRows
from ml_core.models.dense import dense_rows
from ml_core.models.kmeans_runs import trim_of
from ml_core.models.weights import row_weights


def near(X, centers):
    """Labels (n,) int32 and squared distances (n,) to the nearest of centers (k, d)."""
    centers = centers.astype(np.float64)
    label = lloyd.assign(X, centers, workers.count())
    return label, lloyd.own_distance(X, centers, label, workers.count())


@threads.single
def predict(self, X):
    """X (n, d) -> index of the nearest center (n,); of equally near ones the first."""
    check_is_fitted(self)
    X = dense_rows(self, X, reset=False)
    return lloyd.assign(X, self.cluster_centers_.astype(np.float64), workers.count())


@threads.single
def transform(self, X):
    """X (n, d) -> distance to each center (n, k)."""
    check_is_fitted(self)
    X = dense_rows(self, X, reset=False)
    if issparse(X):
        rows = SparseRows(X, np.ones(X.shape[0]))
        return rows.across(self.cluster_centers_.astype(np.float64)).astype(X.dtype)
    return across(X, self.cluster_centers_).astype(X.dtype, copy=False)


@threads.single
def score_samples(self, X):
    """X (n, d) -> minus the distance to the nearest center (n,): the lower, the more of an anomaly."""
    check_is_fitted(self)
    return -np.sqrt(near(dense_rows(self, X, reset=False), self.cluster_centers_)[1])


@threads.single
def score(self, X, y=None, sample_weight=None):
    """Minus the inertia of X (n, d), where the model trims of its own nearest rows only."""
    check_is_fitted(self)
    X = dense_rows(self, X, reset=False)
    weight, far = row_weights(sample_weight, X), near(X, self.cluster_centers_)[1]
    weight = np.ones(len(far)) if weight is None else weight
    if trim_of(self) > 0:
        weight = np.where(lloyd.farthest(far, weight, self.trim), 0, weight)
    return -float(far @ weight)


@threads.single
def bic(self, X):
    """Bayes' information criterion of X (n, d); lower is better. A model that trims leaves rows out too.

    Minus twice the log likelihood plus log n for each of the k (d + 1) free numbers: clusters are normal,
    round and of one variance (Pelleg and Moore 2000, "X-means").
    """
    check_is_fitted(self)
    X = dense_rows(self, X, reset=False)
    label, far = near(X, self.cluster_centers_)
    if trim_of(self) > 0:
        kept = ~lloyd.farthest(far, np.ones(len(far)), self.trim)
        label, far = label[kept], far[kept]
    n, (k, d) = len(far), self.cluster_centers_.shape
    rows = np.bincount(label)
    rows = rows[rows > 0]
    variance = max(far.sum() / (n * d), np.finfo(float).tiny)
    likely = (rows * np.log(rows / n)).sum() - n * d / 2 * (np.log(2 * np.pi * variance) + 1)
    return float(-2 * likely + k * (d + 1) * np.log(n))


def fit_predict(self, X, y=None, sample_weight=None):
    """Labels (n,) of the rows fitted on."""
    return self.fit(X, sample_weight=sample_weight).labels_


def fit_transform(self, X, y=None, sample_weight=None):
    """Distances (n, k) of the rows fitted on."""
    return self.fit(X, sample_weight=sample_weight).transform(X)


def n_features_out(self):
    """Columns of ``transform``: one a center."""
    return len(self.cluster_centers_)


def tagged(tags):
    """scikit-learn's tags of a k-means."""
    tags.input_tags.sparse = True
    tags.transformer_tags.preserves_dtype = ["float64", "float32"]
    return tags
